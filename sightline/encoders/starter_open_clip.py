"""The starter as an open_clip checkpoint: the same two towers, in timm's and transformers' words for them.

Reads a folder of ONNX files laid out as the starter's and writes a folder that open_clip loads. Embeds nothing itself.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.encoders import open_encoder
from sightline.encoders.onnx import OnnxConfig, OnnxEncoder
from sightline.encoders.starter_towers import DEPTHS, PICTURE_TOWER, WIDTHS, register
from sightline.errors import ConfigError, EngineError, MissingExtra

if TYPE_CHECKING:
    import onnx

HEAD_WIDTH = 64
LEAST_COSINE = 0.999  # between the two code paths

Weights = dict[str, NDArray[np.float32]]


def export_clip(spec: str, out: Path) -> float:
    """Write `starter`, or an `onnx:FOLDER` laid out alike, into the new folder `out` for `open_clip:local-dir:OUT`.

    Returns the lowest cosine between the vectors of both on a few pictures and texts. Raises ConfigError when `spec`
    is no starter or `out` is taken, EngineError when the cosine is below 0.999, MissingExtra.
    """
    register()
    encoder = open_encoder(spec)
    if not isinstance(encoder, OnnxEncoder):
        raise ConfigError(f"only starter and onnx:FOLDER can be written as an open_clip checkpoint, not {spec!r}")
    starter = encoder.folder
    out = out.expanduser().resolve()
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty: give a new folder")
    config = OnnxConfig.read(starter)
    try:
        weights = {**_picture_weights(starter), **_text_weights(starter, config.dim)}
        weights["logit_scale"] = _logit_scale(starter)
    except (KeyError, ValueError, np.linalg.LinAlgError) as exc:
        raise ConfigError(f"{starter} does not hold towers laid out as the starter's: {exc}") from exc
    _write(starter, config, weights, out)
    return _agreement(encoder, out)


def _write(starter: Path, config: OnnxConfig, weights: Weights, out: Path) -> None:
    import torch
    from safetensors.torch import save
    from tokenizers import Tokenizer
    from transformers import BlenderbotConfig, PreTrainedTokenizerFast

    tensors = {name: torch.tensor(value).contiguous() for name, value in weights.items()}
    vocabulary, width = weights["text.transformer.embed_tokens.weight"].shape
    layers, heads = sum(name.endswith("fc1.weight") for name in weights), width // HEAD_WIDTH
    out.mkdir(parents=True, exist_ok=True)
    (out / "open_clip_model.safetensors").write_bytes(save(tensors))
    BlenderbotConfig(
        vocab_size=vocabulary, max_position_embeddings=config.text.context, pad_token_id=config.text.pad_id,
        d_model=width, encoder_layers=layers, encoder_attention_heads=heads, encoder_ffn_dim=4 * width,
        decoder_layers=0, decoder_attention_heads=heads, decoder_ffn_dim=1, dropout=0.0,
    ).save_pretrained(out / "text")  # fmt: skip
    tokenizer = Tokenizer.from_file(str(starter / "tokenizer.json"))
    padding, context = tokenizer.id_to_token(config.text.pad_id), config.text.context
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=padding, model_max_length=context
    ).save_pretrained(out)  # fmt: skip
    described = json.dumps(_described(config, vocabulary, out), indent=2)
    (out / "open_clip_config.json").write_text(described + "\n")
    for name in ("LICENSE", "CARD.md"):  # the weights' terms go where the weights go
        if (starter / name).is_file():
            shutil.copyfile(starter / name, out / name)


def _described(config: OnnxConfig, vocabulary: int, out: Path) -> dict[str, Any]:
    """`open_clip_config.json`; open_clip wants the text tower's folder in full, `open_clip:` finds it after a move."""
    image, text = config.image, config.text
    vision_cfg = {
        **{"timm_model_name": PICTURE_TOWER, "timm_model_pretrained": False, "image_size": image.size},
        **{"timm_pool": "avg", "timm_proj": "linear", "timm_proj_bias": True},
    }
    text_cfg = {
        **{"hf_model_name": str(out / "text"), "hf_model_pretrained": False, "hf_tokenizer_name": PICTURE_TOWER},
        **{"hf_pooler_type": "mean_pooler", "hf_proj_type": "linear"},
        **{"context_length": text.context, "vocab_size": vocabulary},
    }
    return {
        "model_cfg": {"embed_dim": config.dim, "vision_cfg": vision_cfg, "text_cfg": text_cfg},
        "preprocess_cfg": {
            **{"size": image.size, "resize_mode": image.resize, "interpolation": image.interpolation},
            **{"mean": image.mean, "std": image.std},
        },
    }


def _logit_scale(starter: Path) -> NDArray[np.float32]:
    """The logarithm of what cosines are multiplied by in training, as CLIP keeps it."""
    scale = json.loads((starter / "config.json").read_bytes())["logit_scale"]
    return np.asarray(np.log(scale), dtype=np.float32)


def _picture_weights(starter: Path) -> Weights:
    """The picture tower's weights by their names in open_clip; convolutions come in the order they are computed in."""
    model = _read(starter / "image.onnx")
    known = _constants(model)
    names = _convolutions()
    found = [node for node in model.graph.node if node.op_type == "Conv"]
    if len(found) != len(names):
        raise ValueError(f"{len(found)} convolutions, not {len(names)}")
    weights: Weights = {}
    for name, node in zip(names, found, strict=True):
        weights[f"visual.trunk.{name}.weight"], weights[f"visual.trunk.{name}.bias"] = (
            known[value] for value in node.input[1:3]
        )
    head = next(node for node in model.graph.node if node.op_type == "Gemm")
    weights["visual.head.proj.weight"], weights["visual.head.proj.bias"] = (known[value] for value in head.input[1:3])
    return weights


def _convolutions() -> list[str]:
    names = ["stem.1"]
    before = WIDTHS[0]
    for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
        for block in range(depth):
            at = f"stages.{stage}.{block}"
            names += [f"{at}.conv1_kxk.conv", f"{at}.conv2_kxk.conv"]
            names += [f"{at}.shortcut.conv"] if before != width else []
            before = width
    return [*names, "final_conv.conv"]


def _text_weights(starter: Path, dim: int) -> Weights:
    """The text tower's weights by their names in open_clip, whose last map has no bias: the norm before it takes it."""
    model = _read(starter / "text.onnx")
    known = _constants(model)
    to = "text.transformer"
    weights = {f"{to}.embed_tokens.weight": known["embed.weight"], f"{to}.embed_positions.weight": known["place"]}
    maps = iter([known[n.input[1]].T for n in model.graph.node if n.op_type == "MatMul" and n.input[1] in known])
    layer = 0
    while f"layers.{layer}.norm1.weight" in known:
        own, at = f"layers.{layer}", f"{to}.layers.{layer}"
        for norm, name in (("norm1", "self_attn_layer_norm"), ("norm2", "final_layer_norm")):
            weights |= {f"{at}.{name}.{kind}": known[f"{own}.{norm}.{kind}"] for kind in ("weight", "bias")}
        parts = zip(np.split(next(maps), 3), np.split(known[f"{own}.qkv.bias"], 3), "qkv", strict=True)
        for weight, bias, name in parts:
            weights |= {f"{at}.self_attn.{name}_proj.weight": weight, f"{at}.self_attn.{name}_proj.bias": bias}
        for part, name in (("out", "self_attn.out_proj"), ("up", "fc1"), ("down", "fc2")):
            weights |= {f"{at}.{name}.weight": next(maps), f"{at}.{name}.bias": known[f"{own}.{part}.bias"]}
        layer += 1
    head, bias = known["head.weight"], known["head.bias"]
    if head.shape != (dim, known["norm.bias"].size):
        raise ValueError(f"the text head is {head.shape}")
    shift = np.linalg.solve(head.astype(np.float64), bias.astype(np.float64))  # W (n + s) = W n + b
    weights |= {f"{to}.layer_norm.weight": known["norm.weight"], "text.proj.weight": head}
    weights[f"{to}.layer_norm.bias"] = (known["norm.bias"] + shift).astype(np.float32)
    return weights


def _constants(model: onnx.ModelProto) -> Weights:
    """Every constant of a graph by name; int8 ones, stored with a scale a channel, as the float32 they stand for."""
    from onnx import numpy_helper

    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("Cast", "Mul") and all(name in known for name in node.input):
            values = [known[name].astype(np.float32) for name in node.input]
            known[node.output[0]] = values[0] if node.op_type == "Cast" else values[0] * values[1]
    return known


def _read(path: Path) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError as exc:
        raise MissingExtra("onnx", "clip") from exc
    try:
        return onnx.load(str(path))
    except Exception as exc:  # protobuf's errors are its own
        raise ConfigError(f"{path} cannot be read as an ONNX model: {exc}") from exc


def _agreement(encoder: OnnxEncoder, out: Path) -> float:
    """The lowest cosine between what both folders make of the same pictures and texts. Raises EngineError."""
    from sightline.encoders.open_clip import OpenClipEncoder

    rng = np.random.default_rng(5)
    contents = [(rng.integers(0, 256, (*size, 3), dtype=np.uint8),) for size in ((90, 120), (300, 200))]
    texts = [("a red mug",), ("two dogs run along a wide beach in the evening, one of them carries a stick",)]
    ours = encoder.encode_documents([*contents, *texts])
    theirs = OpenClipEncoder(f"local-dir:{out}").encode_documents([*contents, *texts])
    lowest = float((ours * theirs).sum(axis=1).min())
    if lowest < LEAST_COSINE:
        raise EngineError(f"the checkpoint in {out} does not say what {encoder.space.name} says: cosine {lowest:.4f}")
    return lowest
