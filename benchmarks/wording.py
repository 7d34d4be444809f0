"""How much it matters how a query is put: misspelt, in another order, in capitals, run together, or far too long.

Every query is asked clean and noised, with a fixed seed; noised ones as they are typed and with their spelling put
right. One or two words of four letters and more get one slip each: a letter near by on the keyboard, two that changed
places, one left out, one doubled. Collections: Flickr8k dev photos alone and with one caption each (asked by another),
grocery val photos by their names, the sample catalog and the outdoor catalog by judged queries, and the sample catalog
by colour and kind.

- `typed`: recall@10 and nDCG@10 as typed, and by how much that is less than clean
- `put right`: the same with spelling put right, and by how much that is more than as typed
- `restored`: of the noised queries, how many became what was meant; `changed to something else`: how many did not
- `clean` / `changed`: of the clean queries, how many were changed though nothing was wrong with them: the harm
- `fashion`: how many are changed of the titles of another shop, asked of the sample catalog
- `long`: five captions of a photo as one query, cut off where the encoder's limit is, and whole

    python -m benchmarks.wording --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import json
import random
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import run
from retriever.lengths import reading
from sightline import Sightline
from sightline.evaluation.metrics import by_query, compared, mean

JUDGED = Path(__file__).parent / "judged"
SAMPLE = Path(__file__).parent.parent / "service" / "sample"
OUTDOOR = {"id": "Id", "title": "Name", "text": "Description", "image": "images/{Id}.webp"}
MEASURES = ("recall@10", "ndcg@10")
SEED = 8
MOST = 200  # queries of one collection
COPIES = 3  # noised copies of each query where there are fewer than 100
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
Figures = dict[str, Any]
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked, and the ids that answer it."""

    said: str
    right: frozenset[str]


def near_by(letter: str) -> str:
    """The letters beside one on a keyboard."""
    row = next((one for one in ROWS if letter in one), letter)
    at = row.index(letter)
    return (row[max(at - 1, 0) : at] + row[at + 1 : at + 2]) or letter


def slip(word: str, draw: random.Random) -> str:
    """A word with one slip of the finger; never the word itself."""
    while True:
        at, kind = draw.randrange(len(word)), draw.choice(("near by", "swapped", "left out", "doubled"))
        if kind == "near by":
            made = word[:at] + draw.choice(near_by(word[at].lower())) + word[at + 1 :]
        elif kind == "swapped":
            made = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
        else:
            made = word[:at] + word[at] * (2 if kind == "doubled" else 0) + word[at + 1 :]
        if made != word:
            return made


def misspelt(text: str, count: int, draw: random.Random) -> str:
    """A text with a slip in so many of its words of four letters and more, or in all there are."""
    places = [found.span() for found in re.finditer(r"[A-Za-z]{4,}", text)]
    for start, end in sorted(draw.sample(places, min(count, len(places))), reverse=True):
        text = text[:start] + slip(text[start:end], draw) + text[end:]
    return text


def shuffled(text: str, draw: random.Random) -> str:
    words = text.split()
    draw.shuffle(words)
    return " ".join(words)


def run_together(text: str, draw: random.Random) -> str:
    """A text without one of its spaces or hyphens."""
    places = [found.start() for found in re.finditer(r"(?<=\w)[ -](?=\w)", text)]
    at = draw.choice(places) if places else len(text)
    return text[:at] + text[at + 1 :]


NOISES: Mapping[str, Callable[[str, random.Random], str]] = {
    "one word misspelt": lambda text, draw: misspelt(text, 1, draw),
    "two words misspelt": lambda text, draw: misspelt(text, 2, draw),
    "words shuffled": shuffled,
    "words reversed": lambda text, _: " ".join(reversed(text.split())),
    "in capitals": lambda text, _: text.upper(),
    "two words run together": run_together,
}


def flickr8k(data: Path, encoder: str, work: Path) -> Figures:
    """1,000 dev photos, alone and with a caption each; asked by another caption."""
    rows = [row for row in _unpacked(data / "flickr8k.tar", work, "captions.jsonl") if row["split"] == "dev"]
    ids = [Path(row["image"]).stem for row in rows]
    photos = [{"id": name, "image": str(work / row["image"])} for name, row in zip(ids, rows, strict=True)]
    wishes = [Wish(row["captions"][0], frozenset({name})) for name, row in zip(ids, rows, strict=True)]
    told = [photo | {"text": row["captions"][1]} for row, photo in zip(rows, photos, strict=True)]
    alone = _indexed(work / "alone", encoder, *photos)
    return {
        "photos alone": _measured(alone, wishes),
        "photos with a caption": _measured(_indexed(work / "told", encoder, *told), wishes),
        "long": _long(alone, [(row["captions"], name) for name, row in zip(ids, rows, strict=True)]),
    }


def grocery(data: Path, encoder: str, work: Path) -> Figures:
    """Photos of groceries (val) by the names of their classes, fine and coarse."""
    rows = [row for row in _unpacked(data / "grocery.tar", work, "labels.jsonl") if row["split"] == "val"]
    photos = [{"id": f"photo-{n:04}", "image": str(work / row["image"])} for n, row in enumerate(rows)]
    names = sorted({(kind, row[kind]) for kind in ("fine", "coarse") for row in rows})
    wishes = [
        Wish(_spaced(name), frozenset(f"photo-{n:04}" for n, row in enumerate(rows) if row[kind] == name))
        for kind, name in names
    ]
    return {"photos alone": _measured(_indexed(work / "index", encoder, *photos), list(dict.fromkeys(wishes)))}


def outdoor(data: Path, encoder: str, work: Path) -> Figures:
    """101 products with their words, by judged queries."""
    _unpacked(data / "outdoor_catalog.tar", work)
    folder = _indexed(work / "index", encoder, work / "catalog.json", mapping=OUTDOOR)
    return {"judged": _measured(folder, _judged(folder, JUDGED / "outdoor.json"))}


def sample(data: Path, encoder: str, work: Path) -> Figures:
    """The sample catalog: judged queries, and colour and kind, which its fields answer exactly."""
    rows = [json.loads(line) for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()]
    folder = _indexed(work / "words", encoder, SAMPLE / "catalog.jsonl", SAMPLE / "documents")
    pictures = [{"id": row["id"], "images": [str(SAMPLE / name) for name in row["images"]]} for row in rows]
    pairs = {(row["colour"], row["kind"]) for row in rows if row.get("colour")}
    drawn = _sorted(
        Wish(f"{colour} {kind}", frozenset(r["id"] for r in rows if (r.get("colour"), r["kind"]) == (colour, kind)))
        for colour, kind in pairs
    )
    return {
        "judged": _measured(folder, _judged(folder, JUDGED / "sample.json")),
        "colour and kind": _measured(folder, drawn),
        "colour and kind, pictures alone": _measured(_indexed(work / "pictures", encoder, *pictures), drawn),
    }


def fashion(data: Path, encoder: str, work: Path) -> Figures:
    """Titles of another shop, most with a brand's name, asked of the sample catalog: how many are changed."""
    titles = sorted({row["title"] for row in _unpacked(data / "fashion.tar", work, "catalog.jsonl")})
    folder = _indexed(work / "index", encoder, SAMPLE / "catalog.jsonl", SAMPLE / "documents")
    with Sightline.open(folder) as index:
        asked = {"as they stand": titles, "in small letters": [title.lower() for title in titles]}
        told = {
            name: [(text, one) for text in texts if (one := index.wording.spelt(text).searched)]
            for name, texts in asked.items()
        }
    return {"titles": len(titles)} | {
        name: {"changed": round(len(some) / len(titles), 4), "some": some[:: max(1, len(some) // 20)]}
        for name, some in told.items()
    }


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "flickr8k": flickr8k,
    "grocery": grocery,
    "outdoor": outdoor,
    "sample": sample,
    "fashion": fashion,
}


def _measured(folder: Path, wishes: Sequence[Wish]) -> Figures:
    """The figures of one index: clean, then each noise as typed and with its spelling put right."""
    if len(wishes) > MOST:
        wishes = random.Random(SEED).sample(list(wishes), MOST)
    copies = COPIES if len(wishes) < 100 else 1
    asked = [wish for wish in wishes for _ in range(copies)]
    owners = [str(at // copies) for at in range(len(asked))]
    with Sightline.open(folder) as index:
        clean, right, searched = _both(index, [wish.said for wish in wishes], wishes)
        changed = [(wish.said, one) for wish, one in zip(wishes, searched, strict=True) if one]
        figures: Figures = {
            "queries": len(wishes),
            "clean": _told(clean) | {"changed": len(changed) / len(wishes), "by that": _gained(clean, right)},
            "changed": changed,
        }
        repeated = {name: np.repeat(values, copies) for name, values in clean.items()}
        for name, noise in NOISES.items():
            draws = [random.Random(f"{SEED} {name} {at} {wish.said}") for at, wish in enumerate(asked)]
            texts = [noise(wish.said, draw) for wish, draw in zip(asked, draws, strict=True)]
            typed, put, searched = _both(index, texts, asked)
            meant = [wish.said.casefold() == (one or "").casefold() for wish, one in zip(asked, searched, strict=True)]
            other = [bool(one) and not so for one, so in zip(searched, meant, strict=True)]
            figures[name] = {
                "typed": _told(typed) | {"less than clean": _gained(repeated, typed, owners)},
                "put right": _told(put) | {"more than typed": _gained(typed, put, owners)},
                "restored": round(float(np.mean(meant)), 3),
                "changed to something else": round(float(np.mean(other)), 3),
            }
    return figures


def _long(folder: Path, told: Sequence[tuple[Sequence[str], str]]) -> Figures:
    """All captions of a photo as one query: cut off at the encoder's limit, and whole."""
    with Sightline.open(folder) as index:
        tokens = reading(index.encoder)
        if tokens is None or tokens.most_tokens is None:
            return {"queries": 0}
        texts = [" ".join(f"{caption.rstrip(' .')}." for caption in captions) for captions, _ in told]
        kept = [at for at, text in enumerate(texts) if tokens.count_tokens(text) > tokens.most_tokens][:MOST]
        cut = []
        for at in kept:
            words = texts[at].split()
            while tokens.count_tokens(" ".join(words)) > tokens.most_tokens:
                words.pop()
            cut.append(" ".join(words))
        wishes = [Wish(texts[at], frozenset({told[at][1]})) for at in kept]
        first = _values([_ids(index, text, as_typed=True) for text in cut], wishes)
        whole = _values([_ids(index, wish.said, as_typed=True) for wish in wishes], wishes)
    return {"queries": len(kept), "cut off": _told(first), "whole": _told(whole), "by that": _gained(first, whole)}


def _both(index: Sightline, texts: Sequence[str], wishes: Sequence[Wish]) -> tuple[Values, Values, list[str | None]]:
    """One value a query of each measure, as typed and put right, and what was searched where that is not the text."""
    typed = [_ids(index, text, as_typed=True) for text in texts]
    searched = [index.wording.spelt(text).searched for text in texts]
    put = [
        _ids(index, text, as_typed=False) if changed else ids
        for text, changed, ids in zip(texts, searched, typed, strict=True)
    ]
    return _values(typed, wishes), _values(put, wishes), searched


def _ids(index: Sightline, text: str, *, as_typed: bool) -> list[str]:
    return [hit.id for hit in index.search(text, k=10, least=0, as_typed=as_typed)]


def _values(found: Sequence[list[str]], wishes: Sequence[Wish]) -> Values:
    ranked = {str(at): ids for at, ids in enumerate(found)}
    return by_query(ranked, {str(at): wish.right for at, wish in enumerate(wishes)}, MEASURES)


def _told(values: Mapping[str, NDArray[np.float64]]) -> Figures:
    return {name: str(one) for name, one in mean(values).items()}


def _gained(
    first: Mapping[str, NDArray[np.float64]],
    second: Mapping[str, NDArray[np.float64]],
    groups: Sequence[str] | None = None,
) -> Figures:
    return {name: str(one) for name, one in compared(first, second, groups=groups).items()}


def _judged(folder: Path, queries: Path) -> list[Wish]:
    """Judged queries, with the ids that their filter selects."""
    with Sightline.open(folder) as index:
        return [
            Wish(row["query"], frozenset(row.get("relevant") or _selected(index, row["relevant_where"])))
            for row in json.loads(queries.read_text())
        ]


def _selected(index: Sightline, where: str) -> list[str]:
    return [hit.id for hit in index.search("anything", where=where, k=1000, least=0, as_typed=True)]


def _indexed(folder: Path, encoder: str, *sources: Any, **options: Any) -> Path:
    with Sightline.open(folder, encoder=encoder, store="faiss") as index:
        report = index.add(*sources, **options)
    if report.skipped:
        raise SystemExit(f"{len(report.skipped)} sources were skipped, the first: {report.skipped[0]}")
    return folder


def _unpacked(tar: Path, work: Path, table: str | None = None) -> list[dict[str, Any]]:
    """Unpack `tar` into `work`, and read its JSON-lines table."""
    if not tar.is_file():
        raise SystemExit(f"{tar} is not there: --data names a folder that holds it")
    with tarfile.open(tar) as opened:
        opened.extractall(work, filter="data")
    return [json.loads(line) for line in (work / table).read_text().splitlines()] if table else []


def _sorted(wishes: Any) -> list[Wish]:
    return sorted(wishes, key=lambda wish: wish.said)


def _spaced(name: str) -> str:
    return name.replace("-", " ").replace("_", " ").lower()


if __name__ == "__main__":
    run("wording", __doc__, TASKS)
