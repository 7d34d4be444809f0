"""How far a negative pushes away: what share of the first 10 still shows what is not wanted, and what that costs.

The sample catalog says exactly what every picture shows. Each of its kinds of goods is asked for without a colour, a
material or a pattern that the plain search shows twice at least. Clothing (val) is asked for by a word for several
classes, or one, without a class that comes up. Asked of the pictures alone, of items with all their words, and of the
sample catalog where every other item only says what kind of thing it is.

- `share`: of the first 10, how many show what is not wanted, with the plain search and with the negative.
- `precision on the rest`: of those that do not show it, how many are of the kind asked for; `if it were known` is the
  same when exactly what shows it is left out, so that the next ones come in.
- `of what nothing shows`: a negative that nothing here shows should change nothing: how many of the first 10 stay, and
  how many are of the kind asked for, before and after.
- `told apart`: how well likeness to the unwanted words alone tells what shows it from the rest of the kind (AUROC, 0.5
  is chance): nothing that looks at pictures only with this encoder can know better.

    python -m benchmarks.negatives --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.report import run
from sightline import Hit, Sightline

SAMPLE = Path(__file__).parent.parent / "service" / "sample"
K = 10
LEAST = 2  # of the plain first 10 show what is not wanted, or there is little to push away
ENOUGH = 10  # items of the kind that do not show it, so that the first 10 could be all right
GOODS = {
    "kitchen": "kitchenware", "clothing": "clothes", "home": "home decoration", "toys": "toy", "furniture": "furniture",
    "bags and accessories": "bag", "outdoor": "camping", "lighting": "lamp", "stationery": "stationery",
    "shoes": "shoes",
}  # fmt: skip
CLASSES = {
    "T-Shirt": "t-shirt", "Longsleeve": "long sleeve shirt", "Pants": "pants", "Shirt": "button-up shirt",
    "Outwear": "jacket", "Shorts": "shorts", "Dress": "dress", "Skirt": "skirt", "Hat": "hat", "Shoes": "shoes",
    "Polo": "polo shirt", "Undershirt": "undershirt", "Blazer": "blazer", "Hoodie": "hoodie",
}  # fmt: skip
GROUPS = {
    "top": ("T-Shirt", "Longsleeve", "Shirt", "Polo", "Undershirt", "Hoodie", "Top", "Blouse", "Blazer", "Outwear"),
    "bottoms": ("Pants", "Shorts", "Skirt"),
    "dresses and skirts": ("Dress", "Skirt"),
    "jackets and coats": ("Outwear", "Blazer"),
    "shirts": ("Shirt", "T-Shirt", "Polo", "Longsleeve", "Blouse"),
    "trousers": ("Pants", "Shorts"),
}
NOWHERE = ("snow", "handwriting", "sunset over the sea", "made of chocolate")
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """Ask for `kind`, not for `unwanted`: ids of all that are of the kind, and of all that show the unwanted."""

    kind: str
    unwanted: str
    about: str  # colour, material, …
    right: frozenset[str]
    showing: frozenset[str]

    @property
    def fair(self) -> bool:
        return len(self.right - self.showing) >= ENOUGH


@dataclass(frozen=True, slots=True)
class Outcome:
    """The first 10 ids of the plain search, with the negative, and of the plain one without what shows it."""

    wish: Wish
    plain: list[str]
    pushed: list[str]
    known: list[str]
    told_apart: float | None


def sample(data: Path, encoder: str, work: Path) -> Figures:
    """The sample catalog: kinds of goods without a colour, a material or a pattern."""
    rows = [json.loads(line) for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()]
    pictures = [{"id": row["id"], "images": [str(SAMPLE / name) for name in row["images"]]} for row in rows]
    wishes = [wish for wish in _catalog_wishes(rows) if wish.fair]
    return {
        "pictures alone": _measured(_indexed(work / "pictures", encoder, *pictures), wishes),
        "with words": _measured(_indexed(work / "words", encoder, str(SAMPLE / "catalog.jsonl")), wishes),
        "with half the words": _measured(_indexed(work / "half", encoder, *_half_said(rows)), wishes),
    }


def clothing(data: Path, encoder: str, work: Path) -> Figures:
    """Phone photos of clothes: a word for several classes, or one class, without one that comes up."""
    with tarfile.open(data / "clothing.tar") as opened:
        opened.extractall(work, filter="data")
    rows = [json.loads(line) for line in (work / "labels.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["label"] and _digest(row["image"]) % 5 == 1]
    pictures = [{"id": Path(row["image"]).stem, "images": [str(work / row["image"])]} for row in kept]
    said = [row | {"label": CLASSES.get(kept[n]["label"], "other")} for n, row in enumerate(pictures)]
    wishes = [wish for wish in _class_wishes({Path(row["image"]).stem: row["label"] for row in kept}) if wish.fair]
    return {
        "pictures alone": _measured(_indexed(work / "pictures", encoder, *pictures), wishes),
        "with words": _measured(_indexed(work / "words", encoder, *said), wishes),
    }


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {"sample": sample, "clothing": clothing}


def _half_said(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows with their pictures; every other one without a word about colour, material or pattern."""
    for at, row in enumerate(rows):
        told = row if at % 2 else {key: row[key] for key in ("id", "category", "kind", "price")}
        yield told | {"title": row["title"] if at % 2 else row["kind"],
                      "images": [str(SAMPLE / name) for name in row["images"]]}  # fmt: skip


def _catalog_wishes(rows: list[dict[str, Any]]) -> Iterator[Wish]:
    for category, said in GOODS.items():
        right = frozenset(row["id"] for row in rows if row["category"] == category)
        for about in ("colour", "material", "pattern"):
            for value in Counter(row[about] for row in rows if row["id"] in right and row.get(about)):
                showing = frozenset(row["id"] for row in rows if row.get(about) == value)
                yield Wish(said, value, about, right, showing)


def _class_wishes(labels: Mapping[str, str]) -> Iterator[Wish]:
    of = {label: frozenset(photo for photo, its in labels.items() if its == label) for label in CLASSES}
    for group, within in (("clothes", tuple(CLASSES)), *GROUPS.items()):
        right = frozenset(photo for photo, its in labels.items() if its in within or group == "clothes")
        for label in (one for one in within if one in CLASSES):
            yield Wish(group, CLASSES[label], "class of several", right, of[label])
    for wanted, right in of.items():
        for label in (one for one in CLASSES if one != wanted):
            yield Wish(CLASSES[wanted], CLASSES[label], "another class", right, of[label])


def _indexed(folder: Path, encoder: str, *sources: Any) -> Path:
    with Sightline.open(folder, encoder=encoder, store="faiss") as index:
        report = index.add(*sources)
    if report.skipped:
        raise SystemExit(f"{len(report.skipped)} sources were skipped, the first: {report.skipped[0]}")
    return folder


def _measured(folder: Path, wishes: list[Wish]) -> Figures:
    """The figures of one index: all wishes together, then what each kind of them is about."""
    with Sightline.open(folder) as index:
        everything = index.info()["items"]
        plain = cache(lambda words: _ids(index.search(words, least=0, k=everything)))
        seen = cache(lambda words: _ids(index.search(words, least=0, k=everything, target="image")))
        outcomes = []
        for wish in wishes:
            ranked = plain(wish.kind)
            if len(wish.showing.intersection(ranked[:K])) < LEAST:
                continue
            pushed = _ids(index.search(wish.kind, least=0, negative=[wish.unwanted], k=K))
            known = [one for one in ranked if one not in wish.showing][:K]
            outcomes.append(Outcome(wish, ranked[:K], pushed, known, _auroc(seen(wish.unwanted), wish)))
        nowhere = _nowhere(index, {wish.kind: wish.right for wish in wishes}, plain)
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups["all"].append(outcome)
        groups[outcome.wish.about].append(outcome)
    return {about: _figures(some) for about, some in groups.items()} | {"of what nothing shows": nowhere}


def _nowhere(index: Sightline, kinds: Mapping[str, frozenset[str]], plain: Callable[[str], list[str]]) -> Figures:
    """What becomes of the first 10 when they are not to show what nothing shows."""
    stay, before, after = [], [], []
    for kind, right in kinds.items():
        for words in NOWHERE:
            first, pushed = plain(kind)[:K], _ids(index.search(kind, least=0, negative=[words], k=K))
            stay.append(len(set(first).intersection(pushed)) / K)
            before.append(len(right.intersection(first)) / K)
            after.append(len(right.intersection(pushed)) / K)
    return {
        "queries": len(stay), "stay": round(fmean(stay), 3),
        "precision": {"plain": round(fmean(before), 3), "negative": round(fmean(after), 3)},
    }  # fmt: skip


def _figures(outcomes: list[Outcome]) -> Figures:
    shares = [fmean(len(one.wish.showing.intersection(getattr(one, which))) / K for one in outcomes)
              for which in ("plain", "pushed")]  # fmt: skip
    rest = {which: _on_the_rest(outcomes, which) for which in ("plain", "pushed", "known")}
    told = [one.told_apart for one in outcomes if one.told_apart is not None]
    return {
        "queries": len(outcomes),
        "share": {"plain": round(shares[0], 3), "negative": round(shares[1], 3)},
        "of what it was": round(shares[1] / shares[0], 2),
        "precision on the rest": {
            "plain": rest["plain"], "negative": rest["pushed"], "if it were known": rest["known"],
        },
        "told apart": round(fmean(told), 3) if told else None,
    }  # fmt: skip


def _on_the_rest(outcomes: list[Outcome], which: str) -> float | None:
    """Of all hits that do not show what is not wanted, how many are of the kind asked for."""
    rest = [(one.wish, hit) for one in outcomes for hit in getattr(one, which) if hit not in one.wish.showing]
    return round(fmean(hit in wish.right for wish, hit in rest), 3) if rest else None


def _auroc(ranked: list[str], wish: Wish) -> float | None:
    """P(one of the kind that shows it stands before one that does not), by a ranking of the unwanted words alone."""
    of_kind = [hit in wish.showing for hit in ranked if hit in wish.right or hit in wish.showing]
    shown, others, before = sum(of_kind), len(of_kind) - sum(of_kind), 0
    seen = 0
    for shows in of_kind:
        seen += shows
        before += 0 if shows else seen
    return before / (shown * others) if shown and others else None


def _ids(hits: Any) -> list[str]:
    found: list[Hit] = list(hits)
    return [hit.id for hit in found]


def _digest(name: str) -> int:
    return int(hashlib.sha1(name.encode()).hexdigest(), 16)


if __name__ == "__main__":
    run("negatives", __doc__, TASKS)
