"""Writes the model of a folder as two ONNX graphs that read their weights from its `model.safetensors`.

Knows the architecture number for number, and says it again in plain operations: what `transformers` runs has masks and
caches that a fixed graph has no use for. Knows nothing of training.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn import functional as fn

from training.mllm.eye import CELL

WEIGHTS = "model.safetensors"


class Eye(nn.Module):
    """Pixels (n, 3, S, S) to what the decoder reads of them: (n, p, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = nn.Module()  # names as in the file
        self.model.vision_tower, self.model.multi_modal_projector = (
            model.model.vision_tower, model.model.multi_modal_projector
        )  # fmt: skip

    def forward(self, pixels: Tensor) -> Tensor:
        tower = self.model.vision_tower
        seen = tower.encoder(tower.embedder(pixels)).last_hidden_state
        places: Tensor = self.model.multi_modal_projector(seen.flatten(2).permute(0, 2, 1))
        return places


class Words(nn.Module):
    """Places (n, p, width) and tokens (n, t) to the logits (n, vocabulary) after token `last` (n,) of each row."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.language_model = model.model.language_model
        config = model.config.text_config
        self.heads, self.width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        self.eps = config.rms_norm_eps
        theta = config.rope_parameters["rope_theta"]
        spin = theta ** (-torch.arange(0, self.width, 2, dtype=torch.float32) / self.width)
        self.register_buffer("spin", torch.cat([spin, spin]), persistent=False)

    def forward(self, places: Tensor, tokens: Tensor, last: Tensor) -> Tensor:
        decoder = self.model.language_model
        x = torch.cat([places, decoder.embed_tokens(tokens)], 1)
        n, length, width = x.shape
        at = torch.arange(length)
        turns = at[:, None] * self.spin
        cosines, sines = turns.cos(), turns.sin()
        later = torch.where(at[None, :] > at[:, None], -1e9, 0.0)  # causal: what comes later, padding too, is unseen
        for layer in decoder.layers:
            y = self._even(x, layer.input_layernorm.weight)
            of = layer.self_attn
            q, k, v = (proj(y).reshape(n, length, self.heads, self.width).transpose(1, 2)
                       for proj in (of.q_proj, of.k_proj, of.v_proj))  # fmt: skip
            q, k = (z * cosines + _half_turned(z) * sines for z in (q, k))
            looked = (q @ k.transpose(-1, -2) * self.width**-0.5 + later).softmax(-1) @ v
            x = x + of.o_proj(looked.transpose(1, 2).reshape(n, length, width))
            y = self._even(x, layer.post_attention_layernorm.weight)
            x = x + layer.mlp.down_proj(fn.silu(layer.mlp.gate_proj(y)) * layer.mlp.up_proj(y))
        x = x.gather(1, (last + places.shape[1])[:, None, None].expand(-1, 1, width))[:, 0]
        return self._even(x, decoder.norm.weight) @ decoder.embed_tokens.weight.T

    def _even(self, x: Tensor, weight: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + self.eps).rsqrt() * weight


def _half_turned(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return torch.cat([-x[..., half:], x[..., :half]], -1)


def write(model: Any, folder: Path) -> None:
    """Write `eye.onnx` and `words.onnx` beside the weights that `save` wrote there. `model` is on the CPU, float32."""
    model = model.float().eval()
    side = int(model.config.image_seq_length**0.5) * CELL
    pixels = torch.zeros(2, 3, side, side)
    _graph(Eye(model), {"pixels": pixels}, {"pixels": {0: "n"}, "places": {0: "n"}}, "places", folder / "eye.onnx")
    with torch.no_grad():
        places = Eye(model)(pixels)
    inputs = {"places": places, "tokens": torch.zeros(2, 7, dtype=torch.int64), "last": torch.tensor([6, 4])}
    axes = {"places": {0: "n"}, "tokens": {0: "n", 1: "t"}, "last": {0: "n"}, "logits": {0: "n"}}
    _graph(Words(model), inputs, axes, "logits", folder / "words.onnx")


def _graph(module: nn.Module, inputs: dict[str, Tensor], axes: dict[str, Any], output: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter, and its guesses about what stays constant
        plain = Path(folder) / "plain.onnx"
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), str(plain), input_names=list(inputs), output_names=[output],
            opset_version=17, dynamic_axes=axes, dynamo=False, do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # batch norms stay apart: their numbers are those of the file
        )  # fmt: skip
        graph = onnx.load(str(plain))
    _borrow(graph, path.parent / WEIGHTS)
    graph.producer_name, graph.producer_version, graph.doc_string = "sightline", "", ""
    onnx.save(graph, str(path))
    onnx.checker.check_model(str(path))


def _borrow(graph: onnx.ModelProto, weights: Path) -> None:
    """Let every weight of the graph be read from the weights' file, widened to float32 where that is half as wide."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        known: dict[str, Any] = json.loads(file.read(length))
    kept, widened = [], []
    for tensor in graph.graph.initializer:
        told = known.get(tensor.name)
        if told is None:
            kept.append(tensor)
            continue
        begin, end = told["data_offsets"]
        half = told["dtype"] == "F16"
        name = f"{tensor.name}.kept" if half else tensor.name
        borrowed = TensorProto(name=name, dims=told["shape"],
                               data_type={"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}[told["dtype"]],
                               data_location=TensorProto.EXTERNAL)  # fmt: skip
        place = {"location": weights.name, "offset": 8 + length + begin, "length": end - begin}
        borrowed.external_data.extend(onnx.StringStringEntryProto(key=k, value=str(v)) for k, v in place.items())
        kept.append(borrowed)
        if half:
            widened.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.initializer[:], graph.graph.node[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend(widened + nodes)
