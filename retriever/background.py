"""What is usual in a collection: how like its parts are to what has nothing to do with them, and to each other.

Knows a store and an encoder by their protocols. What a likeness beyond the usual amounts to is `calibration`'s to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retriever.everyday import THINGS
from retriever.evidence import Evidence, Source
from retriever.terms import KINDS, unit
from sightline.protocols import Encoder, Store
from sightline.types import Item, Modality, Space

NEIGHBOURS = 16  # parts looked at to find the nearest one of another item
FEWEST = 5  # items with a neighbour: fewer say nothing of what is usual
ROUNDING = 1e-4  # of a distance: what is nearer is the same
FLOOR = 0.02  # of the usual distance, added to each: what is nearer than that is no nearer for it
SAME = 0.01  # of the usual distance: what is as near is the same picture
EVEN = 0.1  # of the usual distance: neighbours that are more alike in theirs than that are taken to be as uneven
MOST_BEYOND = 5.0  # standard deviations: what is farther is no farther for it
_UNTOLD = (0.0, 1.0)  # the background of a kind of which there are too few pairs


@dataclass(frozen=True, slots=True)
class Background:
    """What is usual of each kind of part. Distances are 1 - cosine.

    Every measure leaves out the scale of an encoder: if all its cosines are moved and stretched alike, none changes.
    """

    words: Mapping[Modality, tuple[float, float]] = field(default_factory=dict)  # mean, deviation of everyday cosines
    # mean distance of items to the nearest part of another one, and its standard deviation
    nearest: Mapping[Modality, tuple[float, float]] = field(default_factory=dict)
    centre: tuple[float, ...] = ()  # (dim,): the mean of the everyday things' vectors

    def above(self, kind: Modality, cosine: float) -> float:
        """Standard deviations above everyday things."""
        mean, spread = self.words.get(kind, _UNTOLD)
        return (cosine - mean) / spread

    def spread(self, kind: Modality) -> float:
        return self.words.get(kind, _UNTOLD)[1]

    def usual(self, evidence: Evidence, kind: Modality) -> float | None:
        """The distance from parts of a kind that is usual for what is sought; None where it is not known.

        For a picture beside pictures, and an item's texts beside texts, that to the next item's; for words, that to
        everyday things; for a picture beside texts, its own to everyday things. Of a mixture, the geometric mean.
        """
        one = evidence.sought[kind]
        if kind == "text" and "picture" in one.shares:
            return max(1 - float(one.vector @ np.asarray(self.centre)), ROUNDING) if self.centre else None
        known = {source: self._distance(source, kind) for source in one.shares}
        logs = [share * math.log(far) for source, share in one.shares.items() if (far := known[source])]
        return math.exp(sum(logs)) if len(logs) == len(known) else None

    def near(self, evidence: Evidence, kind: Modality, cosine: float) -> float:
        """Log of the distance, counted in usual ones: the lower, the nearer. Raises KeyError where none is known."""
        usual = self.usual(evidence, kind)
        if usual is None:
            raise KeyError(kind)
        return math.log(max(1 - cosine, 0.0) / usual + FLOOR)

    def beyond(self, evidence: Evidence, kind: Modality, cosine: float) -> float | None:
        """Standard deviations farther than neighbours here are; None for what has no neighbours to compare with."""
        shares = evidence.sought[kind].shares
        if "words" in shares or (kind == "text" and "picture" in shares) or kind not in self.nearest:
            return None
        mean, spread = self.nearest[kind]
        return max(-MOST_BEYOND, min(MOST_BEYOND, (1 - cosine - mean) / max(spread, EVEN * mean)))

    def is_same(self, evidence: Evidence, cosine: float) -> bool:
        """Whether a picture of this cosine is the very picture that is sought."""
        one = evidence.sought.get("image")
        if one is None or one.shares.keys() != {"picture"} or "image" not in self.nearest:
            return False
        return 1 - cosine <= max(SAME * self.nearest["image"][0], ROUNDING)

    def _distance(self, source: Source, kind: Modality) -> float | None:
        if source == "words":
            return max(1 - self.words[kind][0], ROUNDING) if kind in self.words else None
        return self.nearest[kind][0] if kind in self.nearest else None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        words, nearest = (
            {kind: (mean, spread) for kind, (mean, spread) in data[n].items()} for n in ("words", "nearest")
        )
        return cls(words, nearest, tuple(data["centre"]))


def measured(store: Store, encoder: Encoder, sample: Sequence[Item]) -> Background:
    """What is usual, by a sample of a collection's items."""
    able = encoder.space.modalities
    things = everyday(encoder) if "text" in able else None  # (t, dim)
    words: dict[Modality, tuple[float, float]] = {}
    near: dict[Modality, tuple[float, float]] = {}
    for kind in (kind for kind in KINDS if kind in able):
        digests = sorted({part.digest for item in sample for part in item.parts if part.modality == kind})
        known = store.known(encoder.space, digests) if digests else {}
        if things is not None and (told := background_of([things @ known[one].T for one in digests if one in known])):
            words[kind] = told  # of (t, dim) @ (dim, m) each
        if distance := _nearest(store, encoder.space, dict(_likenesses(sample, known, kind)), kind):
            near[kind] = distance
    centre = () if things is None else tuple(round(float(x), 6) for x in things.mean(axis=0))
    return Background(words, near, centre)


def _likenesses(
    sample: Sequence[Item], known: Mapping[str, NDArray[np.float32]], kind: Modality
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Id and (dim,) of each item, as it would be asked with: by its first picture, or by all its texts."""
    for item in sample:
        digests = [part.digest for part in item.parts if part.modality == kind and part.digest in known]
        if digests:
            rows = [known[digest].mean(axis=0) for digest in (digests[:1] if kind == "image" else digests)]
            yield item.id, unit(np.mean(rows, axis=0)[None])[0]


def _nearest(
    store: Store, space: Space, rows: Mapping[str, NDArray[np.float32]], kind: Modality
) -> tuple[float, float] | None:
    """Mean and standard deviation of the distance of items to the nearest part of another one; None where too few have
    one, or all are alike.
    """
    if len(rows) < FEWEST:
        return None
    found = store.search(space, np.stack(list(rows.values())), NEIGHBOURS, modalities=frozenset({kind}))
    best = [
        next((hit.score for hit in hits if hit.item_id != item), None) for item, hits in zip(rows, found, strict=True)
    ]
    distances = [max(1 - score, 0.0) for score in best if score is not None]
    if len(distances) < FEWEST or np.mean(distances) <= ROUNDING:
        return None
    return float(np.mean(distances)), float(np.std(distances))


@lru_cache(maxsize=8)
def everyday(encoder: Encoder) -> NDArray[np.float32]:
    """(t, dim): everyday things, embedded once an encoder."""
    return encoder.encode_queries([(thing,) for thing in THINGS])


def background_of(cosines: Iterable[NDArray[np.float32]]) -> tuple[float, float] | None:
    """Mean and standard deviation of blocks of cosines; None where there are too few or they do not vary."""
    values = np.concatenate([block.ravel() for block in cosines] or [np.zeros(0, np.float32)]).astype(float)
    spread = float(values.std()) if len(values) > 1 else 0.0
    return (float(values.mean()), spread) if spread > 1e-6 else None
