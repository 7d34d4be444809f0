"""Turns a training checkpoint into the files that ship: two ONNX towers, the tokenizer and the configuration.

Knows the towers and the artefact format; knows nothing of the data. Weight matrices are stored as int8, one scale a
channel, and cast back when the session loads, so the arithmetic itself is float32 everywhere, the same on any CPU.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from training.starter.prepare_texts import CONTEXT
from training.starter.sources import SOURCES
from training.starter.towers import DIM, MEAN, STD, ImageTower, TextTower

SMALLEST = 2048  # weights of fewer numbers stay float32
FILES = Path("sightline/encoders/starter")
RESTRICTED = "research and education only; see LICENSE beside the weights"
OPEN = "Apache-2.0; trained on pictures under MIT and CC0, and on our own"


def store_int8(model: onnx.ModelProto) -> None:
    """Replace large float32 weights by int8, a scale a channel, Cast and Mul; the runtime folds both at load."""
    graph = model.graph
    channel: dict[str, int] = {}  # the axis with a scale of its own
    for node in graph.node:
        if node.op_type in ("Conv", "Gather"):
            channel[node.input[1 if node.op_type == "Conv" else 0]] = 0
        elif node.op_type in ("Gemm", "MatMul"):
            turned = any(a.name == "transB" and a.i for a in node.attribute)
            channel[node.input[1]] = 0 if turned else 1
    fresh: list[onnx.NodeProto] = []
    for tensor in list(graph.initializer):
        weight = numpy_helper.to_array(tensor)
        if weight.dtype != np.float32 or weight.size < SMALLEST or tensor.name not in channel:
            continue
        others = tuple(axis for axis in range(weight.ndim) if axis != channel[tensor.name])
        scale = best_scale(weight, others)
        coded = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
        name = tensor.name
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(coded, f"{name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale"))
        fresh.append(helper.make_node("Cast", [f"{name}.int8"], [f"{name}.wide"], to=TensorProto.FLOAT))
        fresh.append(helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name]))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(fresh + nodes)
    del graph.value_info[:]


def best_scale(weight: np.ndarray, others: tuple[int, ...]) -> np.ndarray:
    """Return the scale a channel, between 70 and 100 % of full range, that loses least in squared error."""
    full = np.maximum(np.abs(weight).max(axis=others, keepdims=True), 1e-12) / 127
    best, best_error = full, np.full(full.shape, np.inf)
    for share in np.linspace(0.7, 1.0, 13):
        scale = full * share
        error = ((np.clip(np.rint(weight / scale), -127, 127) * scale - weight) ** 2).sum(axis=others, keepdims=True)
        best, best_error = np.where(error < best_error, scale, best), np.minimum(error, best_error)
    return best


def write_tower(tower: torch.nn.Module, example: torch.Tensor, name: str, axes: dict[int, str], path: Path) -> None:
    """Export one tower with its dynamic axes, then store its weights as int8."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the older exporter, which folds batch norms
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # three is how many q, k and v are
        plain = Path(folder) / "plain.onnx"
        torch.onnx.export(
            tower, (example,), str(plain), input_names=[name], output_names=["vectors"], opset_version=17,
            dynamic_axes={name: axes, "vectors": {0: "n"}}, dynamo=False,
        )  # fmt: skip
        model = onnx.load(str(plain))
    while any(
        node.op_type == "Identity" and node.input[0] in {t.name for t in model.graph.initializer}
        for node in model.graph.node
    ):  # shared weights come as copies by name
        inline_identities(model)
    store_int8(model)
    model.producer_name, model.producer_version, model.doc_string = "sightline", "", ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def inline_identities(model: onnx.ModelProto) -> None:
    """Let every reader of a copied initializer read the initializer itself."""
    known = {tensor.name for tensor in model.graph.initializer}
    copies = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Identity" and n.input[0] in known}
    kept = [node for node in model.graph.node if node.output[0] not in copies]
    for node in kept:
        for position, name in enumerate(node.input):
            node.input[position] = copies.get(name, name)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def provenance(work: Path) -> dict[str, Any]:
    """Return the licence of the weights and what they were trained on, as the pictures of a work folder tell it."""
    counts = Counter(picture["source"] for picture in json.loads((work / "pictures.json").read_text()))
    used = [source for name, source in SOURCES.items() if counts[name]]
    drawn = f"products drawn by our own renderer ({counts['rendered']:,}; one kind-colour pair in twenty held out)"
    return {
        "licence": OPEN if all(source.is_open for source in used) else RESTRICTED,
        "trained_on": [source.trained_on for source in used] + [drawn] * bool(counts["rendered"]),
    }


def run(path: Path, name: str, value: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["vectors"], {name: value})[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--side", type=int, default=112, help="picture side, px")
    parser.add_argument("--out", type=Path, default=FILES)
    parser.add_argument("--figures", type=Path, help="JSON that `evaluate` wrote, to be kept in the configuration")
    args = parser.parse_args()
    kept = torch.load(args.checkpoint)
    weights = kept["average"]
    image, text = ImageTower().eval(), TextTower(kept["vocabulary"], CONTEXT).eval()
    image.load_state_dict({k.removeprefix("image."): v for k, v in weights.items() if k.startswith("image.")})
    text.load_state_dict({k.removeprefix("text."): v for k, v in weights.items() if k.startswith("text.")})
    args.out.mkdir(parents=True, exist_ok=True)
    pixels, tokens = torch.randn(4, 3, args.side, args.side), torch.randint(1, kept["vocabulary"], (4, 9))
    write_tower(image, pixels, "pixels", {0: "n"}, args.out / "image.onnx")
    write_tower(text, tokens, "tokens", {0: "n", 1: "l"}, args.out / "text.onnx")
    shutil.copyfile(args.work / "tokenizer.json", args.out / "tokenizer.json")
    config = {
        "name": "starter", "version": 2, "dim": DIM,
        "image": {"size": args.side, "resize": "squash", "interpolation": "bicubic",
                  "mean": list(MEAN), "std": list(STD)},
        "text": {"context": CONTEXT, "pad_id": 0},
        "logit_scale": round(min(60.0, float(weights["scale"].exp())), 3),
        **provenance(args.work),
        "figures": json.loads(args.figures.read_text()) if args.figures else {},
    }  # fmt: skip
    (args.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    with torch.inference_mode():
        for tower, name, value in ((image, "pixels", pixels), (text, "tokens", tokens)):
            path = args.out / f"{'image' if name == 'pixels' else 'text'}.onnx"
            cosine = (run(path, name, value.numpy()) * tower(value).numpy()).sum(1)
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, cosine to the trained tower {cosine.min():.5f}")


if __name__ == "__main__":
    main()
