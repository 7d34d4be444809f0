"""What feedback adds: nDCG@10 after 0, 1, 3 and 5 rounds, in each of which a hit that is right and one that is not are
marked.

The user is simulated and has something exact in mind: all items of an attribute or of two in the sample catalog, all
photos of a class of clothes or groceries. What they say is that, or only a vaguer part of it ("clothes", "apple").
In each round they look at the first 10 hits not yet judged, like the first that is right and dislike the first that is
not, where there are such; the next round is what the search makes of it.

Measured on the residual collection: what was judged is taken out of the rankings and of the truth, so that nothing is
gained by showing again what was liked. What is left is harder from round to round, so each figure stands beside that of
the plain search on the same residual (`none`), with the paired 95 % interval of the difference. All ways to learn see
the same judgements, those of the whole method. `choosing` is what the constants were chosen on: other photos, and the
other half of what is asked of the sample catalog.

`in another colour` asks the sample catalog for goods of one colour, then for "the same but in" another: nDCG@10 of what
is of that colour, beside that of asking for it at once and of only adding the words.

    python -m benchmarks.feedback --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np

import retriever
from benchmarks.negatives import CLASSES, GOODS
from benchmarks.report import run
from retriever.feedback import LEARNING, Learning
from sightline import Conversation, Query, Results, Sightline, Term, places
from sightline.evaluation.metrics import by_query, compared, mean
from sightline.protocols import Store
from sightline.stores import open_store

SAMPLE = Path(__file__).parent.parent / "service" / "sample"
MEASURE = "ndcg@10"
ROUNDS = (0, 1, 3, 5)
K = 10
FEW = 2  # items of a colour among goods of a kind, to be asked for
ENOUGH = 6  # right items, so that one is left when five are liked
WAYS: Mapping[str, Learning] = {
    "rocchio": replace(LEARNING, rocchio=1.0, probe=False, fields=0.0),
    "probe": replace(LEARNING, rocchio=0.0, fields=0.0),
    "both": replace(LEARNING, fields=0.0),
    "with fields": LEARNING,
}
Figures = dict[str, Any]
Ask = Callable[[str, Sequence[str], Sequence[str], Learning], list[str]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody says, and the ids of all that they have in mind."""

    said: str
    right: frozenset[str]
    vague: bool = False  # it is more than they say

    @property
    def half(self) -> int:
        """0 or 1, of the wishes of one collection."""
        return _digest(self.said + " ".join(sorted(self.right))) % 2


def sample(data: Path, encoder: str, work: Path, *, half: int = 1, ways: Mapping[str, Learning] = WAYS) -> Figures:
    """The sample catalog, pictures alone and with all its words; half of the wishes."""
    rows = [json.loads(line) for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()]
    pictures = [{"id": row["id"], "images": [str(SAMPLE / name) for name in row["images"]]} for row in rows]
    wishes = [wish for wish in _catalog_wishes(rows) if wish.half == half]
    folders = {
        "pictures alone": _indexed(work / "pictures", encoder, *pictures),
        "with words": _indexed(work / "words", encoder, str(SAMPLE / "catalog.jsonl")),
    }
    return {
        name: _measured(folder, wishes, ways) | {"in another colour": _recoloured(folder, rows)}
        for name, folder in folders.items()
    }


def clothing(data: Path, encoder: str, work: Path, *, fifth: int = 1, ways: Mapping[str, Learning] = WAYS) -> Figures:
    """Phone photos of clothes (val) by their class."""
    rows = [
        row for row in _unpacked(data / "clothing.tar", work) if row["label"] and _digest(row["image"]) % 5 == fifth
    ]
    classes = {CLASSES[row["label"]] for row in rows if row["label"] in CLASSES}
    of = {said: _photos(row for row in rows if CLASSES.get(row["label"]) == said) for said in sorted(classes)}
    wishes = [wish for said, right in of.items() for wish in (Wish(said, right), Wish("clothes", right, vague=True))]
    return _measured(_indexed(work / "index", encoder, *_pictures(rows, work)), wishes, ways)


def grocery(
    data: Path, encoder: str, work: Path, *, split: str = "val", ways: Mapping[str, Learning] = WAYS
) -> Figures:
    """Photos of groceries in shops by their coarse class, and by the fine one."""
    rows = [row for row in _unpacked(data / "grocery.tar", work) if row["split"] == split]
    if split == "train":
        rows = [row for row in rows if _digest(row["image"]) % 3 == 0]
    wishes = [Wish(_spaced(name), _photos(row for row in rows if row["coarse"] == name))
              for name in sorted({row["coarse"] for row in rows})]  # fmt: skip
    for fine, coarse in sorted({(row["fine"], row["coarse"]) for row in rows if row["fine"] != row["coarse"]}):
        right = _photos(row for row in rows if row["fine"] == fine)
        wishes += [Wish(_spaced(fine), right), Wish(_spaced(coarse), right, vague=True)]
    return _measured(_indexed(work / "index", encoder, *_pictures(rows, work)), wishes, ways)


def choosing(data: Path, encoder: str, work: Path) -> Figures:
    """The settings that were compared, on what no other figure is of."""
    ways = dict(WAYS)
    both = WAYS["both"]
    ways |= {f"rocchio {weight:g}": replace(both, rocchio=weight, probe=False) for weight in (0.5, 2.0)}
    ways |= {f"both, rocchio {weight:g}": replace(both, rocchio=weight) for weight in (0.3, 0.6)}
    ways |= {f"both, prior {prior:g}": replace(both, prior=prior) for prior in (0.25, 1.0)}
    ways |= {f"both, reluctance {weight:g}": replace(both, reluctance=weight) for weight in (0.3, 3.0)}
    ways |= {f"with fields at {weight:g}": replace(both, fields=weight) for weight in (0.5, 2.0, 4.0)}
    tasks = {
        "sample": partial(sample, half=0), "clothing": partial(clothing, fifth=2),
        "grocery": partial(grocery, split="train"),
    }  # fmt: skip
    figures: Figures = {}
    for name, task in tasks.items():
        (work / name).mkdir()
        figures[name] = task(data, encoder, work / name, ways=ways)
    return figures


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "sample": sample, "clothing": clothing, "grocery": grocery, "choosing": choosing,
}  # fmt: skip


def _catalog_wishes(rows: list[dict[str, Any]]) -> Iterator[Wish]:
    """One attribute, said; two of them, said both or only the first or the second."""
    values: dict[str, dict[str, frozenset[str]]] = defaultdict(lambda: defaultdict(frozenset))
    for row in rows:
        for about in ("category", "colour", "material", "pattern"):
            if row.get(about) and row[about] != "plain":
                values[about][GOODS.get(row[about], row[about])] |= {row["id"]}
    for said in values.values():
        for value, right in sorted(said.items()):
            yield Wish(value, right)
    for first, second in combinations(values.values(), 2):
        for one, of_one in sorted(first.items()):
            for other, of_other in sorted(second.items()):
                right = of_one & of_other
                yield Wish(f"{other} {one}", right)
                yield Wish(one, right, vague=True)
                yield Wish(other, right, vague=True)


def _recoloured(folder: Path, rows: list[dict[str, Any]]) -> Figures:
    """The same goods in another colour, said in a second turn; every pair of colours that some goods have."""
    goods: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows:
        if row.get("colour"):
            goods[GOODS[row["category"]]][row["colour"]].add(row["id"])
    ranked: dict[str, dict[str, list[str]]] = {"said next": {}, "asked at once": {}, "words added": {}}
    judged: dict[str, set[str]] = {}
    with Sightline.open(folder) as index:
        for said, colours in sorted(goods.items()):
            for before, after in permutations(sorted(colours), 2):
                if min(len(colours[before]), len(colours[after])) < FEW:
                    continue
                case = f"{before} {said} {after}"
                talk = Conversation(index, k=K, least=0)
                talk.say(f"{before} {said}")
                ranked["said next"][case] = _ids(talk.say(f"the same but in {after}"))
                ranked["asked at once"][case] = _ids(index.search(f"{after} {said}", k=K, least=0))
                ranked["words added"][case] = _ids(index.search(f"{before} {said} in {after}", k=K, least=0))
                judged[case] = colours[after]
    meant = ["".join(sorted(ids)) for ids in judged.values()]  # what is meant alike is drawn together
    figures = {
        way: str(mean(by_query(found, judged, [MEASURE]), groups=meant)[MEASURE]) for way, found in ranked.items()
    }
    return {"changes": len(judged)} | figures


def _ids(hits: Results) -> list[str]:
    return [hit.id for hit in hits]


def _measured(folder: Path, wishes: list[Wish], ways: Mapping[str, Learning]) -> Figures:
    """The figures of one index: of all wishes, of those said in full, and of those said vaguely."""
    fair = [wish for wish in wishes if len(wish.right) >= ENOUGH]
    with Sightline.open(folder) as index, _store(folder) as store:
        encoder = index.encoder

        def ask(said: str, liked: Sequence[str], disliked: Sequence[str], learning: Learning) -> list[str]:
            query = Query((Term(said),), liked=tuple(liked), disliked=tuple(disliked))
            return [hit.id for hit in retriever.search(query, k=3 * K, store=store, encoder=encoder, learning=learning)]

        gains = [_conversation(ask, wish, ways) for wish in fair]
    groups = {"all": fair, "said in full": [w for w in fair if not w.vague], "vague": [w for w in fair if w.vague]}
    return {
        name: _figures([gained for gained, wish in zip(gains, fair, strict=True) if wish in some], ways)
        for name, some in groups.items()
        if some
    }


def _conversation(ask: Ask, wish: Wish, ways: Mapping[str, Learning]) -> dict[int, dict[str, float]]:
    """Round -> way -> nDCG@10 of what is left; without the rounds in which nothing right is left."""
    liked: list[str] = []
    disliked: list[str] = []
    plain = shown = ask(wish.said, (), (), LEARNING)
    found: dict[int, dict[str, float]] = {}
    for at in range(max(ROUNDS) + 1):
        judged = {*liked, *disliked}
        left = wish.right - judged
        if at in ROUNDS and left:
            ranked = {"none": plain} | {way: ask(wish.said, liked, disliked, how) for way, how in ways.items()}
            kept = {way: [one for one in ids if one not in judged] for way, ids in ranked.items()}
            values = by_query(kept, dict.fromkeys(kept, left), [MEASURE])[MEASURE]
            found[at] = dict(zip(kept, values.tolist(), strict=True))
            shown = ranked["with fields"]
        else:
            shown = ask(wish.said, liked, disliked, LEARNING)
        page = [one for one in shown if one not in judged][:K]
        liked += [one for one in page if one in wish.right][:1]
        disliked += [one for one in page if one not in wish.right][:1]
    return found


def _figures(gains: list[dict[int, dict[str, float]]], ways: Mapping[str, Learning]) -> Figures:
    """By round: the plain search, then each way with what it adds, on the same judgements."""
    figures: Figures = {"wishes": len(gains)}
    for at in ROUNDS:
        some = [gained[at] for gained in gains if at in gained]
        values = {way: {MEASURE: np.asarray([one[way] for one in some])} for way in ("none", *ways)}
        figures[f"after {at}"] = {"none": str(mean(values["none"])[MEASURE])} | (
            {way: f"{values[way][MEASURE].mean():.3f}, {compared(values['none'], values[way])[MEASURE]} more"
             for way in ways} if at else {}
        )  # fmt: skip
    return figures


def _store(folder: Path) -> closing[Store]:
    return closing(open_store("faiss", places.collection_folder(folder, "default"), collection="default"))


def _indexed(folder: Path, encoder: str, *sources: Any) -> Path:
    with Sightline.open(folder, encoder=encoder, store="faiss") as index:
        report = index.add(*sources)
    if report.skipped:
        raise SystemExit(f"{len(report.skipped)} sources were skipped, the first: {report.skipped[0]}")
    return folder


def _unpacked(tar: Path, work: Path) -> list[dict[str, Any]]:
    with tarfile.open(tar) as opened:
        opened.extractall(work, filter="data")
    return [json.loads(line) for line in (work / "labels.jsonl").read_text().splitlines()]


def _pictures(rows: list[dict[str, Any]], work: Path) -> list[dict[str, Any]]:
    return [{"id": Path(row["image"]).stem, "images": [str(work / row["image"])]} for row in rows]


def _photos(rows: Iterator[dict[str, Any]]) -> frozenset[str]:
    return frozenset(Path(row["image"]).stem for row in rows)


def _spaced(name: str) -> str:
    return name.replace("-", " ")


def _digest(name: str) -> int:
    return int(hashlib.sha1(name.encode()).hexdigest(), 16)


if __name__ == "__main__":
    run("feedback", __doc__, TASKS)
