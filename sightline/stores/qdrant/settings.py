"""What a spec says of a Qdrant collection after its `?`: copies, precision, places on disk, and how it is searched.

Does not know how an engine is told. `qdrant:http://host:6333?shards=2&quantization=int8` gives two of these settings;
what is not given is left to Qdrant, or stays as it was.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl

from sightline.errors import ConfigError
from sightline.stores.qdrant.points import Engine, Point, point_id

QUANTIZATIONS = ("none", "int8", "product", "binary")
COMPRESSIONS = ("x4", "x8", "x16", "x32", "x64")
OF_A_SERVER = ("shards", "replicas", "write_consistency", "on_disk")
OVERSAMPLING = {"int8": 2.0, "product": 4.0, "binary": 32.0}  # where none is said; docs/stores.md
_PLACE = point_id("settings", "collection")
_WITH = {"always_ram": QUANTIZATIONS[1:], "oversampling": QUANTIZATIONS[1:], "compression": ("product",)}

Setting: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """Settings of one Qdrant collection. None: not said."""

    shards: int | None = None  # pieces the collection is divided into over the nodes of a cluster
    replicas: int | None = None  # copies of each
    write_consistency: int | None = None  # copies that must have a write before it is acknowledged
    quantization: str | None = None  # codes that are read instead of float32; hits are scored again from the vectors
    compression: str | None = None  # of `product`
    always_ram: bool | None = None  # codes in memory even where the vectors are not
    oversampling: float | None = None  # how many times k are found by codes, to be scored again from the vectors
    on_disk: bool | None = None  # vectors in files
    on_disk_payload: bool | None = None  # items and texts in files
    m: int | None = None  # edges of a node of the graph; 0: no graph
    ef_construct: int | None = None  # neighbours looked at while the graph is built
    ef: int | None = None  # neighbours looked at in a search
    indexing_threshold: int | None = None  # kilobytes of vectors from which graph and codes are made; 0: never

    @classmethod
    def parse(cls, text: str) -> Self:
        """What follows the `?` of a spec. Raises ConfigError for an unknown name, a value it cannot have, or twice."""
        given: dict[str, Setting] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            if name not in _READ:
                raise ConfigError(_unknown(name))
            if name in given:
                raise ConfigError(f"{name} is set twice in {text!r}")
            given[name] = _read(name, value)
        if text and not given:
            raise ConfigError(f"settings of a Qdrant collection are written name=value&name=value, not {text!r}")
        return cls(**given)  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` made; names of a later version are passed over."""
        return cls(**{name: value for name, value in data.items() if name in _READ})

    def to_json(self) -> dict[str, Any]:
        """What is said, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __bool__(self) -> bool:
        return bool(self.to_json())

    def __str__(self) -> str:
        return "&".join(f"{name}={_written(value)}" for name, value in self.to_json().items())

    def kind(self, place: str) -> str:
        """How a collection at `place` is searched, for people."""
        codes = f", {self.quantization} codes, scored again from the vectors" if self.quantized else ""
        return place + codes + (", no graph" if self.m == 0 else "")

    @property
    def quantized(self) -> bool:
        """Whether codes are made."""
        return self.quantization not in (None, "none")

    @property
    def pool_factor(self) -> float | None:
        """How many times k are found by codes; None without codes."""
        return None if self.quantization in (None, "none") else self.oversampling or OVERSAMPLING[self.quantization]

    def over(self, kept: Self) -> Self:
        """These, and of what is not said here what was `kept`. Raises ConfigError for two that do not go together."""
        if self.quantization not in (None, kept.quantization):  # what belonged to the old codes goes with them
            kept = replace(kept, compression=None, always_ram=None, oversampling=None)
        merged = replace(kept, **self.to_json())
        for name, allowed in _WITH.items():
            if getattr(merged, name) is not None and merged.quantization not in allowed:
                raise ConfigError(f"{name} needs quantization={' or '.join(allowed)}")
        if (merged.write_consistency or 1) > (merged.replicas or merged.write_consistency or 1):
            raise ConfigError(f"write_consistency={merged.write_consistency} is more than replicas={merged.replicas}")
        return merged

    def changed(self, kept: Self) -> Self:
        """Of these, what is not as it was `kept`."""
        before = kept.to_json()
        return type(self)(**{name: value for name, value in self.to_json().items() if before.get(name) != value})


def kept_by(engine: Engine) -> CollectionSettings:
    """What is stored with a collection."""
    found = engine.scroll({"must": [{"has_id": [_PLACE]}]}, ("settings",))
    return next((CollectionSettings.from_json(one.payload["settings"]) for one in found), CollectionSettings())


def keep(engine: Engine, settings: CollectionSettings) -> None:
    """Store settings with a collection, in place of those there."""
    engine.upsert([Point(_PLACE, {"kind": "settings", "settings": settings.to_json()}, {})])


def search_params(qdrant: Any, settings: CollectionSettings, *, exact: bool) -> Any:
    """How one search is done, in the words of `qdrant`: the embedded engine's module or the client's, which are the
    same; None: as Qdrant does it by itself. Scores are those of the vectors, never of codes.
    """
    if exact:
        return qdrant.SearchParams(exact=True, quantization=qdrant.QuantizationSearchParams(ignore=True))
    codes = None
    if settings.quantized:
        codes = qdrant.QuantizationSearchParams(rescore=True, oversampling=settings.pool_factor)
    if codes is None and settings.ef is None:
        return None
    return qdrant.SearchParams(hnsw_ef=settings.ef, quantization=codes)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, _READ, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"unknown setting {name!r} of a Qdrant collection.{hint} Known are: {', '.join(_READ)}"


def _read(name: str, value: str) -> Setting:
    kind, allowed, accepts = _READ[name]
    try:
        if accepts(found := kind(value)):
            return found
    except (ValueError, KeyError):
        pass
    raise ConfigError(f"{name} is {allowed}, not {value!r}")


def _truth(value: str) -> bool:
    return {"true": True, "false": False}[value.lower()]


def _written(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _at_least(least: int) -> tuple[Callable[[str], Setting], str, Callable[[Any], bool]]:
    return int, f"a whole number from {least}", lambda value: value >= least


def _one_of(*values: str) -> tuple[Callable[[str], Setting], str, Callable[[Any], bool]]:
    return str.lower, f"one of {', '.join(values)}", lambda value: value in values


_BOOL = (_truth, "true or false", lambda _value: True)
_MOST = 1_000_000

# name -> how it is read, what people are told it may be, and whether a value is that
_READ: dict[str, tuple[Callable[[str], Setting], str, Callable[[Any], bool]]] = {
    "shards": _at_least(1),
    "replicas": _at_least(1),
    "write_consistency": _at_least(1),
    "quantization": _one_of(*QUANTIZATIONS),
    "compression": _one_of(*COMPRESSIONS),
    "always_ram": _BOOL,
    "oversampling": (float, "a number from 1 to 100", lambda value: 1 <= value <= 100),
    "on_disk": _BOOL,
    "on_disk_payload": _BOOL,
    "m": (int, "0 (no graph) or a whole number from 2 to 1000", lambda value: value == 0 or 2 <= value <= 1000),
    "ef_construct": (int, "a whole number from 4 to 10000", lambda value: 4 <= value <= 10_000),
    "ef": (int, "a whole number from 1 to 100000", lambda value: 1 <= value <= 100_000),
    "indexing_threshold": _at_least(0),
}
