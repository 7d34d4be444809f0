"""Settings of a collection as the embedded Qdrant takes them: when its folder is opened, and in a search.

Does not know when any of them is asked for. What only a server has is refused by name.
"""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from sightline.errors import ConfigError
from sightline.stores.qdrant.points import WORDS
from sightline.stores.qdrant.settings import OF_A_SERVER, CollectionSettings

NEVER = 2**40  # kilobytes of vectors from which codes and a graph are made
FROM = 10_000  # the same where codes or a graph are asked for, as on a server
M, EF_CONSTRUCT, FULL_SCAN = 16, 100, 10_000  # Qdrant's own, for what is not said of a graph
_RATIOS = {name.lower(): getattr(edge.CompressionRatio, name) for name in ("X4", "X8", "X16", "X32", "X64")}


def refuse(asked: CollectionSettings, kept: CollectionSettings) -> None:
    """Raises ConfigError for what an embedded Qdrant has not, or cannot undo."""
    for name in OF_A_SERVER:
        if getattr(asked, name) is not None:
            why = "always reads its vectors from mapped files" if name == "on_disk" else "is one copy in one piece"
            raise ConfigError(f"{name} is a setting of a Qdrant server: an embedded one {why}")
    if asked.quantization == "none" and kept.quantized:
        raise ConfigError(
            f"an embedded Qdrant cannot take its {kept.quantization} codes away again; "
            "index into another collection without quantization"
        )


def config(given: CollectionSettings) -> edge.EdgeConfig:
    """What a folder is made or opened with. What is not said stays as it is, the names of vectors too."""
    words = edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
    graph = None
    if given.m is not None or given.ef_construct is not None:
        m = M if given.m is None else given.m
        graph = edge.HnswIndexConfig(m, given.ef_construct or EF_CONSTRUCT, FULL_SCAN)
    return edge.EdgeConfig(
        sparse_vectors={WORDS: words},
        on_disk_payload=given.on_disk_payload,
        hnsw_config=graph,
        quantization_config=_codes(given),
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=threshold(given)),
    )


def threshold(given: CollectionSettings) -> int:
    """Kilobytes of vectors from which codes and a graph are made."""
    if given.indexing_threshold is not None:
        return given.indexing_threshold or NEVER
    return FROM if given.quantized or (given.m, given.ef_construct, given.ef) != (None, None, None) else NEVER


def _codes(given: CollectionSettings) -> Any:
    match given.quantization:
        case "int8":
            return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, always_ram=given.always_ram)
        case "product":
            return edge.ProductQuantizationConfig(_RATIOS[given.compression or "x16"], always_ram=given.always_ram)
        case "binary":
            return edge.BinaryQuantizationConfig(always_ram=given.always_ram)
    return None
