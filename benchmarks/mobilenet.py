"""A quite different encoder, of pictures alone: what a MobileNet trained on ImageNet sees, as a unit vector.

Needs `ai-edge-litert` and the folder `teachers` of the data. Knows nothing of what is measured with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.errors import UnsupportedModality
from sightline.types import Content, Pixels, Space, Vectors

FILE = "teachers/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
SIDE, DIM = 224, 1024


class MobileNet:
    """The last features of MobileNet v1, all of them positive: any two pictures are much alike."""

    def __init__(self, data: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._model = Interpreter(str(data / FILE), num_threads=1)
        self._model.allocate_tensors()
        self._input = self._model.get_input_details()[0]["index"]
        self._output = self._model.get_output_details()[0]["index"]
        printed = hashlib.sha256((data / FILE).read_bytes()).hexdigest()
        self.space = Space("mobilenet-v1", DIM, printed, frozenset({"image"}))

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        return np.stack([self._row(content[0]) for content in contents])  # (n, DIM)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        return self.encode_documents(contents)

    def _row(self, picture: str | Pixels) -> Vectors:
        if isinstance(picture, str):
            raise UnsupportedModality("a MobileNet sees pictures alone")
        shown = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        self._model.set_tensor(self._input, shown[None])
        self._model.invoke()
        row: Vectors = self._model.get_tensor(self._output).reshape(-1).astype(np.float32)  # (DIM,)
        return row / np.float32(np.linalg.norm(row))
