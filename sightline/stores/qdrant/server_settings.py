"""Settings of a collection as a Qdrant server takes them: when it is made, when it changes, and in a search.

Does not know when any of them is asked for.
"""

from __future__ import annotations

from typing import Any

from qdrant_client import models

from sightline.stores.qdrant.settings import CollectionSettings

Json = dict[str, Any]

SMALLEST_VACUUM = 100  # points of a segment: the least that a server takes for a bound


def creation(given: CollectionSettings) -> Json:
    """What `create_collection` takes, beside names of vectors."""
    found = {
        "shard_number": given.shards,
        "replication_factor": given.replicas,
        "write_consistency_factor": given.write_consistency,
        "on_disk_payload": given.on_disk_payload,
        "hnsw_config": _graph(given),
        "optimizers_config": _optimizers(given),
        "quantization_config": None if given.quantization == "none" else _codes(given),
    }
    return {name: value for name, value in found.items() if value is not None}


def change(given: CollectionSettings, whole: CollectionSettings, vectors: list[str]) -> Json:
    """What `update_collection` takes for what is `given`; `whole` is what holds then, for the `vectors` of these names.

    A server knows its own default for everything but the shards, so only what is given is sent.
    """
    params = models.CollectionParamsDiff(
        replication_factor=given.replicas,
        write_consistency_factor=given.write_consistency,
        on_disk_payload=given.on_disk_payload,
    )
    codes = (given.quantization, given.compression, given.always_ram) != (None, None, None)
    found = {
        "collection_params": params if params.model_dump(exclude_none=True) else None,
        "hnsw_config": _graph(given),
        "optimizers_config": _optimizers(given),
        "quantization_config": _codes(whole) if codes else None,
        "vectors_config": None if given.on_disk is None else placed(given.on_disk, vectors),
    }
    return {name: value for name, value in found.items() if value is not None}


def vacuuming(
    before: models.OptimizersConfig,
) -> tuple[models.OptimizersConfigDiff, models.OptimizersConfigDiff]:
    """Settings by which a server rewrites every segment with a deleted point, and those it had before."""
    now = models.OptimizersConfigDiff(deleted_threshold=0.0, vacuum_min_vector_number=SMALLEST_VACUUM)
    return now, models.OptimizersConfigDiff(
        deleted_threshold=before.deleted_threshold, vacuum_min_vector_number=before.vacuum_min_vector_number
    )


def placed(on_disk: bool, vectors: list[str]) -> dict[str, models.VectorParamsDiff] | None:
    """The vectors of these names in files or in memory; None where there are none."""
    return {name: models.VectorParamsDiff(on_disk=on_disk) for name in vectors} or None


def _graph(given: CollectionSettings) -> models.HnswConfigDiff | None:
    if given.m is None and given.ef_construct is None:
        return None
    return models.HnswConfigDiff(m=given.m, ef_construct=given.ef_construct)


def _optimizers(given: CollectionSettings) -> models.OptimizersConfigDiff | None:
    if given.indexing_threshold is None:
        return None
    return models.OptimizersConfigDiff(indexing_threshold=given.indexing_threshold)


def _codes(given: CollectionSettings) -> Any:
    match given.quantization:
        case "int8":
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=given.always_ram)
            return models.ScalarQuantization(scalar=scalar)
        case "product":
            ratio = models.CompressionRatio(given.compression or "x16")
            product = models.ProductQuantizationConfig(compression=ratio, always_ram=given.always_ram)
            return models.ProductQuantization(product=product)
        case "binary":
            return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=given.always_ram))
        case "none":
            return models.Disabled.DISABLED
    return None
