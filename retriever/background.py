"""What is usual in a collection: how like its parts are to what has nothing to do with them, and to each other.

Knows a store and an encoder by their protocols. What a likeness beyond the usual amounts to is `calibration`'s to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retriever.everyday import THINGS
from retriever.evidence import Evidence
from retriever.terms import KINDS, unit
from sightline.filters import HasId
from sightline.protocols import Encoder, Store
from sightline.types import Item, Modality, Space

NEIGHBOURS = 16  # parts looked at to find the nearest one of another item
FEWEST = 5  # items with a neighbour: fewer say nothing of what is usual
ROUNDING = 1e-4  # of a distance: what is nearer is the same
FLOOR = 0.02  # of the usual distance, added to each: what is nearer than that is no nearer for it
SAME = 0.01  # of the usual distance: what is as near is the same picture
EVEN = 0.1  # of the usual distance: neighbours that are more alike in theirs than that are taken to be as uneven
MOST_BEYOND = 5.0  # standard deviations: what is farther is no farther for it
AXES = 16  # along which everyday things spread most
FOUND = 4.0  # standard deviations above everyday things that what words find is, about
_UNTOLD = (0.0, 1.0)  # the background of a kind of which there are too few pairs


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where the everyday things lie: their mean, and how far they spread, most along a few axes."""

    centre: NDArray[np.float64]  # (dim,)
    axes: NDArray[np.float64]  # (AXES, dim), as long as they spread along them
    rest: float  # standard deviation along any other direction

    @classmethod
    def of(cls, things: NDArray[np.float32]) -> Self:
        """(t, dim) -> their cloud."""
        rows = things.astype(float)
        centre = rows.mean(axis=0)
        _, lengths, directions = np.linalg.svd((rows - centre) / math.sqrt(len(rows)), full_matrices=False)
        axes = lengths[:AXES, None] * directions[:AXES]
        left = float((lengths[AXES:] ** 2).sum()) / max(1, rows.shape[1] - AXES)
        return cls(centre.round(5), axes.round(5), round(math.sqrt(left), 6))

    def seen_from(self, vector: NDArray[np.float32]) -> tuple[float, float]:
        """Mean and standard deviation of the things' cosines to (dim,), of length 1."""
        along = self.axes @ vector  # (AXES, dim) @ (dim,) -> (AXES,)
        return float(self.centre @ vector), max(math.sqrt(float(along @ along) + self.rest**2), ROUNDING)


@dataclass(frozen=True, slots=True)
class Background:
    """What is usual of each kind of part. Distances are 1 - cosine.

    Every measure leaves out the scale of an encoder: if the cosines between two kinds of things are all moved and
    stretched alike, none changes, whatever becomes of those between others.
    """

    words: Mapping[Modality, tuple[float, float]] = field(default_factory=dict)  # mean, deviation of everyday cosines
    # mean distance of items to the nearest part of another one, and its standard deviation
    nearest: Mapping[Modality, tuple[float, float]] = field(default_factory=dict)
    everyday: Cloud | None = field(default=None, compare=False)  # none: the encoder takes no words

    def above(self, kind: Modality, cosine: float) -> float:
        """Standard deviations above everyday things."""
        mean, spread = self.words.get(kind, _UNTOLD)
        return (cosine - mean) / spread

    def spread(self, kind: Modality) -> float:
        return self.words.get(kind, _UNTOLD)[1]

    def knows(self, evidence: Evidence, kind: Modality) -> bool:
        """Whether it is known what is usual between parts of a kind and what is sought."""
        return kind in self.nearest if is_alike(evidence, kind) else self._expected(evidence, kind) is not None

    def far(self, evidence: Evidence, kind: Modality, cosine: float) -> list[float]:
        """How far a part is from what is sought; the first figure is the one to compare parts by.

        What is like the parts, a picture beside pictures or an item's texts beside texts: the log of the distance in
        usual ones, that is in those of items here to the next item, and how many standard deviations it is more. Else
        how many standard deviations less like than expected: for a picture beside texts, than everyday things are; for
        a mixture, than the next item and what words find would be together. Asks for what `knows`.
        """
        if is_alike(evidence, kind):
            mean, spread = self.nearest[kind]
            beyond = (1 - cosine - mean) / max(spread, EVEN * mean)
            return [math.log(max(1 - cosine, 0.0) / mean + FLOOR), max(-MOST_BEYOND, min(MOST_BEYOND, beyond))]
        expected = self._expected(evidence, kind)
        assert expected is not None
        return [(expected[0] - cosine) / expected[1]]

    def is_same(self, evidence: Evidence, cosine: float) -> bool:
        """Whether a picture of this cosine is the very picture that is sought."""
        one = evidence.sought.get("image")
        if one is None or one.shares.keys() != {"picture"} or "image" not in self.nearest:
            return False
        return 1 - cosine <= max(SAME * self.nearest["image"][0], ROUNDING)

    def _expected(self, evidence: Evidence, kind: Modality) -> tuple[float, float] | None:
        """Mean and standard deviation of the cosine to compare with; None where it is not known."""
        one = evidence.sought[kind]
        if kind == "text" and "picture" in one.shares:
            if self.everyday is None:
                return None
            mean, spread = self.everyday.seen_from(one.vector)
            steady = "image" in self.words and one.shares.keys() == {
                "picture"
            }  # the same from every picture tells more
            return mean, self.words["image"][1] if steady else spread
        level, variance = 0.0, 0.0
        for source, share in one.shares.items():
            if kind not in (self.words if source == "words" else self.nearest):
                return None
            mean, spread = self.words[kind] if source == "words" else self.nearest[kind]
            found = mean + FOUND * spread if source == "words" else 1 - mean
            level += share * found
            variance += (share * max(spread, EVEN * (0.0 if source == "words" else mean))) ** 2
        return level / one.length, max(math.sqrt(variance), ROUNDING) / one.length

    def to_json(self) -> dict[str, Any]:
        cloud = self.everyday
        told = cloud and {"centre": cloud.centre.tolist(), "axes": cloud.axes.tolist(), "rest": cloud.rest}
        return {"words": self.words, "nearest": self.nearest, "everyday": told}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        words, nearest = (
            {kind: (mean, spread) for kind, (mean, spread) in data[n].items()} for n in ("words", "nearest")
        )
        told = data["everyday"]
        return cls(words, nearest, told and Cloud(np.asarray(told["centre"]), np.asarray(told["axes"]), told["rest"]))


def is_alike(evidence: Evidence, kind: Modality) -> bool:
    """Whether what is sought is of the kind of the parts it is compared with, and nothing else."""
    return evidence.sought[kind].shares.keys() == ({"picture"} if kind == "image" else {"item"})


def measured(store: Store, encoder: Encoder, sample: Sequence[Item], texts: Encoder | None = None) -> Background:
    """What is usual, by a sample of a collection's items; between texts, by the encoder `texts`, where there is one."""
    things = everyday(encoder) if "text" in encoder.space.modalities else None  # (t, dim)
    words: dict[Modality, tuple[float, float]] = {}
    near: dict[Modality, tuple[float, float]] = {}
    for kind in KINDS:
        reader = texts if texts and kind == "text" else encoder
        if kind not in reader.space.modalities:
            continue
        asked = things if reader is encoder else everyday(reader)
        digests = sorted({part.digest for item in sample for part in item.parts if part.modality == kind})
        known = store.known(reader.space, digests) if digests else {}
        if asked is not None and (
            told := background_of(_counted(asked, sample, known, store, space=reader.space, kind=kind))
        ):
            words[kind] = told
        if distance := _nearest(store, reader.space, dict(_likenesses(sample, known, kind)), kind):
            near[kind] = distance
    return Background(words, near, None if things is None else Cloud.of(things))


def _counted(
    things: NDArray[np.float32],
    sample: Sequence[Item],
    known: Mapping[str, NDArray[np.float32]],
    store: Store,
    *,
    space: Space,
    kind: Modality,
) -> list[NDArray[np.float32]]:
    """Blocks of cosines of parts to (t, dim), as a search counts them: what regions count, the store knows."""
    if all(len(rows) == 1 for rows in known.values()):
        return [things @ known[digest].T for digest in sorted(known)]  # (t, dim) @ (dim, 1)
    ids, most = tuple(sorted(item.id for item in sample)), sum(len(item.parts) for item in sample)
    found = store.search(space, things, most, where=HasId(ids), modalities=frozenset({kind}))
    return [np.asarray([hit.score for hit in hits], np.float32) for hits in found]


def _likenesses(
    sample: Sequence[Item], known: Mapping[str, NDArray[np.float32]], kind: Modality
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Id and (dim,) of each item, as it would be asked with: by its first picture, or by all its texts."""
    for item in sample:
        digests = [part.digest for part in item.parts if part.modality == kind and part.digest in known]
        if digests:
            rows = [known[digest][0] for digest in (digests[:1] if kind == "image" else digests)]
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
