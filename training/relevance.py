"""What evidence means before a collection has said anything of itself: learned on judged collections.

Writes `retriever/priors.json`: for each sight a normal distribution of coefficients (Laplace's approximation of the
posterior of a logistic regression). Nothing of the collections but these few numbers goes into it.

    python -m training.relevance --data DIR [--out retriever/priors.json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.absent import Asked, Shelf, shelves
from benchmarks.absent_pictures import shown_shelves
from retriever import search
from retriever.background import Background, measured
from retriever.calibration import Calibration, Prior, curvature, features, fit, gap_features, sight_of
from retriever.evidence import Evidence
from retriever.generated import Case, Corpus, fitted, made, sampled
from sightline import Sightline
from sightline.decoding import pixels_of
from sightline.protocols import Encoder, Store
from sightline.stores import open_store
from sightline.texts import NONE
from sightline.types import Item, Like, Modality, Part, PartVectors, Query, Term

TOTAL = 400.0  # what all judged questions of a sight together count
RIDGE = 0.3  # precision of each coefficient before anything was judged
HITS = 10  # of a question, that relevance is learned from
SIGHTS: Mapping[str, tuple[tuple[Modality, ...], bool]] = {  # which kinds of parts, and whether words
    "image": (("image",), False),
    "image words": (("image",), True),
    "text words": (("text",), True),
    "image text words": (("image", "text"), True),
}
SHOWN = ("picture: image", "picture: text", "mixture: image", "mixture: text", "item: text")


@dataclass(frozen=True, slots=True)
class Looked:
    """A question with the evidence for it, and the first hits, nothing left out."""

    asked: Asked
    evidence: Evidence
    ids: tuple[str, ...]
    exact: bool  # something is called just that: no calibration is asked then

    @property
    def recall(self) -> float:
        """Of the relevant ids, as many as fit in, how many are among the hits; 0 where there are none."""
        return len(self.asked.relevant & set(self.ids)) / max(1, min(HITS, len(self.asked.relevant)))


@dataclass(frozen=True, slots=True)
class Seen:
    """A shelf as its calibration sees it."""

    shelf: Shelf
    background: Background
    worded: bool
    own: tuple[Case, ...]
    looked: tuple[Looked, ...]


class _Recorder(Calibration):
    """Stands in for a calibration and keeps the evidence it is shown."""

    kept: list[Evidence]

    def __init__(self) -> None:
        super().__init__("", Background(), {}, {})
        object.__setattr__(self, "kept", [])

    def answered(self, evidence: Evidence) -> float | None:
        return 1.0

    def relevance(self, evidence: Evidence, ids: Sequence[str]) -> list[float]:
        self.kept.append(evidence)
        return [1.0] * len(ids)


def seen(data: Path, encoder: str | Encoder, work: Path, *, text_encoder: str = NONE) -> Iterator[Seen]:
    """Every shelf indexed, asked everything that the encoder takes, and asked what it makes up itself."""
    for shelf in chain(shelves(data, work), shown_shelves(data, work)):
        if not isinstance(encoder, str) and not _askable(shelf, encoder):
            continue
        with _indexed(shelf, encoder, text_encoder, work / "index" / shelf.name) as (store, engine, texts):
            every = _askable(shelf, engine)
            random = np.random.default_rng(0)
            drawn = sampled(store, random)
            worded = drawn.described == "all"
            asks = worded and any(not (one.picture or one.item) for one in every)
            own = tuple(made(Corpus(store, engine, texts), drawn, random)) if asks else ()
            looked = []
            for asked in every:
                recorder = _Recorder()
                hits = search(
                    _query(asked), k=HITS, store=store, encoder=engine, texts=texts, calibration=recorder, least=0.0
                )
                exact = any("id" in hit.via for hit in hits)
                looked.append(Looked(asked, recorder.kept[0], tuple(hit.id for hit in hits), exact))
            yield Seen(shelf, measured(store, engine, drawn.items, texts), worded, own, tuple(looked))
            print(f"{shelf.name}: {drawn.count} items, {len(looked)} questions, {len(own)} of its own", file=sys.stderr)


@contextmanager
def _indexed(
    shelf: Shelf, encoder: str | Encoder, text_encoder: str, folder: Path
) -> Iterator[tuple[Store, Encoder, Encoder | None]]:
    """A shelf in a store; of what an encoder sees that nobody can name, one picture each."""
    if isinstance(encoder, str):
        with Sightline.open(folder, encoder=encoder, text_encoder=text_encoder) as index:
            index.add(*shelf.rows)
            yield index._store, index.encoder, index.text_encoder  # what the engine hands to a search
        return
    store = open_store("faiss", folder, collection="shelf")
    shown = [(str(row["id"]), pixels_of(Path(row["image"]))) for row in shelf.rows if "image" in row]
    for item_id, pixels in shown:
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        part = Part(f"{item_id}#image", item_id, "image", digest)
        vectors = PartVectors(part.id, encoder.space, encoder.encode_documents([(pixels,)]))
        store.upsert([Item(item_id, {}, (part,), digest)], [vectors])
    yield store, encoder, None
    store.close()


def _askable(shelf: Shelf, encoder: Encoder) -> list[Asked]:
    """What of it the encoder takes, and can look for."""
    able = encoder.space.modalities
    seeing = [one for one in shelf.asked if "image" in able or not one.picture]
    return [one for one in seeing if "text" in able or (one.target == "image" and not one.text)]


def _query(asked: Asked) -> Query:
    """A picture weighs as much as the words beside it."""
    terms = [
        *([Term(asked.text)] if asked.text else []),
        *([Term(pixels_of(asked.picture))] if asked.picture else []),
        *([Term(Like(asked.item))] if asked.item else []),
    ]
    return Query(tuple(terms), target=asked.target)


def narrowed(evidence: Evidence, sight: str) -> Evidence | None:
    """The same evidence for a search that looks at less; None where it lacks what the sight needs."""
    if evidence.sought or sight not in SIGHTS:
        return evidence if evidence.sought and sight_of(evidence) == sight else None
    kinds, words = SIGHTS[sight]
    if any(not evidence.cosines.get(kind) for kind in kinds) or (words and evidence.covers is None):
        return None
    cosines = {kind: evidence.cosines[kind] for kind in kinds}
    return replace(evidence, cosines=cosines, covers=evidence.covers if words else None)


def learned(all_seen: Iterable[Seen]) -> tuple[dict[str, Prior], dict[str, Prior]]:
    """Priors by sight for `features` and for `gap_features`; each group counts alike, and answered as absent."""
    every = list(all_seen)
    answers = {sight: prior for sight in (*SIGHTS, *SHOWN) if (prior := _answers(every, sight))}
    hits = {sight: prior for sight in answers if (prior := _hits(every, sight, answers[sight]))}
    return answers, hits


def _rows(one: Seen, sight: str) -> list[tuple[Looked, Evidence]]:
    if not one.worded and sight in SIGHTS and SIGHTS[sight][1]:
        return []
    pairs = ((looked, narrowed(looked.evidence, sight)) for looked in one.looked)
    return [(looked, evidence) for looked, evidence in pairs if evidence]


def _answers(every: Sequence[Seen], sight: str) -> Prior | None:
    by_group: dict[str, list[tuple[NDArray[np.float64], bool]]] = {}
    for one in every:
        rows = [
            (features(evidence, one.background), bool(looked.asked.relevant)) for looked, evidence in _rows(one, sight)
        ]
        by_group.setdefault(one.shelf.group, []).extend(rows)
    return _prior(by_group.values())


def _hits(every: Sequence[Seen], sight: str, answers: Prior) -> Prior | None:
    by_group: dict[str, list[tuple[NDArray[np.float64], bool]]] = {}
    for one in every:
        own = fitted([case for case in one.own if sight_of(case.evidence) == sight], one.background, answers)
        told = Calibration("", one.background, {sight: own}, {})
        for looked, evidence in _rows(one, sight):
            answered = told.answered(evidence) or 0.0
            by_group.setdefault(one.shelf.group, []).extend(
                (gap_features(evidence, one.background, answered, item, rank), item in looked.asked.relevant)
                for rank, item in enumerate(looked.ids, start=1)
            )
    return _prior(by_group.values(), balanced=False)


def _prior(groups: Iterable[Sequence[tuple[NDArray[np.float64], bool]]], *, balanced: bool = True) -> Prior | None:
    groups = [rows for rows in groups if len({right for _, right in rows}) == 2]
    if not groups:
        return None
    x, y, share = [], [], []
    for rows in groups:
        right = [one for _, one in rows]
        for row, one in rows:
            x.append(row)
            y.append(one)
            share.append(TOTAL / len(groups) / (2 * right.count(one) if balanced else len(rows)))
    width = len(x[0])
    flat = Prior(np.zeros(width), np.eye(width) * RIDGE)
    mean = np.asarray(fit(x, y, share, flat))
    told = 1 / (1 + np.exp(-np.clip(np.asarray(x) @ mean, -30, 30)))
    return Prior(mean, flat.precision + curvature(np.asarray(x), np.asarray(share), told))


def to_json(answers: Mapping[str, Prior], hits: Mapping[str, Prior]) -> str:
    def written(priors: Mapping[str, Prior]) -> dict[str, Any]:
        return {
            sight: {"mean": prior.mean.round(6).tolist(), "precision": prior.precision.round(6).tolist()}
            for sight, prior in priors.items()
        }

    return json.dumps({"answers": written(answers), "hits": written(hits)}) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the tars")
    parser.add_argument("--encoder", default="starter", metavar="SPEC")
    parser.add_argument("--out", type=Path, default=Path("retriever/priors.json"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        priors = learned(list(seen(given.data, given.encoder, Path(work))))
    given.out.write_text(to_json(*priors))
    print(f"written: {given.out}")


if __name__ == "__main__":
    main()
