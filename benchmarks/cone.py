"""The starter with its vectors turned, stretched unevenly and pushed into a narrow cone, as an encoder of its own.

What large contrastive encoders do: all pictures are much alike (cosines 0.5 to 0.9), and a picture is a little like
every text (0.15 to 0.35). It finds about what the starter finds, at quite other cosines; a test of whether anything
counts on the starter's scale. Knows nothing of what is measured with it.

    python -m benchmarks.cone FOLDER
    python -m benchmarks.relevance --data DIR --encoder onnx:FOLDER
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

UNEVEN = 0.3  # standard deviation of the logarithms of the stretches
OWN, SHARED = 0.95, 0.65  # lengths of the offset of one modality, and of both


def pressed(folder: Path) -> None:
    """Write the encoder to a folder."""
    source = Path(str(files("sightline.encoders") / "starter"))
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((source / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"name": "starter-cone", "version": "1", "figures": {}}))
    (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    random, dim = np.random.default_rng(0), int(config["dim"])
    turned = np.linalg.qr(random.normal(size=(dim, dim)))[0] * np.exp(random.normal(size=dim) * UNEVEN)  # (dim, dim)
    shared = _unit(random.normal(size=dim)) * SHARED
    for name in ("image", "text"):
        offset = shared + _unit(random.normal(size=dim)) * OWN
        _extended(source / f"{name}.onnx", folder / f"{name}.onnx", turned, offset)


def _extended(source: Path, target: Path, matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
    """The model with `unit(vectors @ matrix + offset)` for `vectors`."""
    model = onnx.load(source)
    for node in model.graph.node:
        node.output[:] = ["plain" if name == "vectors" else name for name in node.output]
        node.input[:] = ["plain" if name == "vectors" else name for name in node.input]
    for name, values in (("cone.matrix", matrix), ("cone.offset", offset)):
        model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
    model.graph.node.extend(
        [
            helper.make_node("MatMul", ["plain", "cone.matrix"], ["cone.turned"]),
            helper.make_node("Add", ["cone.turned", "cone.offset"], ["cone.moved"]),
            helper.make_node("LpNormalization", ["cone.moved"], ["vectors"], axis=-1, p=2),
        ]
    )
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / float(np.linalg.norm(vector))


if __name__ == "__main__":
    pressed(Path(sys.argv[1]))
