"""What built a collection, as it is kept and carried elsewhere.

Knows names, numbers and bytes; opens no encoder and decides nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from sightline.types import Space


@dataclass(frozen=True, slots=True)
class Passport:
    """Which encoder built a collection, which store keeps it, and which adapter its queries go through.

    `made_of` and `versions` say what weights, settings and packages the encoder was; `probes` are its answers to fixed
    texts and pictures, float32s in a row. All three are empty in collections built before they were kept.
    """

    space: str
    dim: int
    fingerprint: str
    store: str
    adapter: str = ""  # digest; "" where there is none
    made_of: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    probes: bytes = b""

    @classmethod
    def of(cls, space: Space, *, store: str, versions: Mapping[str, str] | None = None, probes: bytes = b"") -> Self:
        return cls(
            space.name, space.dim, space.fingerprint, store,
            made_of=dict(space.made_of), versions=dict(versions or {}), probes=probes,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {
            "space": self.space, "dim": self.dim, "fingerprint": self.fingerprint, "store": self.store,
            "adapter": self.adapter, "made_of": dict(self.made_of), "versions": dict(self.versions),
            "probes": base64.b64encode(self.probes).decode(),
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(**{**told, "probes": base64.b64decode(told["probes"])})

    def rows(self) -> list[tuple[str, str | bytes]]:
        """The rows of the ledger's `meta` that hold it, its adapter apart."""
        plain = [(f"passport.{key}", str(getattr(self, key))) for key in ("space", "dim", "fingerprint", "store")]
        told = [(f"passport.{key}", json.dumps(dict(getattr(self, key)))) for key in ("made_of", "versions")]
        return [*plain, *told, ("passport.probes", self.probes)]

    @classmethod
    def from_rows(cls, kept: Mapping[str, Any]) -> Self | None:
        """What such rows hold; None where there are none."""
        if not kept:
            return None
        space, dim, fingerprint, store = (kept[f"passport.{key}"] for key in ("space", "dim", "fingerprint", "store"))
        made_of, versions = (json.loads(kept.get(f"passport.{key}", "{}")) for key in ("made_of", "versions"))
        probes = bytes(kept.get("passport.probes", b""))
        return cls(space, int(dim), fingerprint, store, kept.get("passport.adapter", ""), made_of, versions, probes)
