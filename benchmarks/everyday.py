"""Questions in everyday wordings over five catalogs, three of them invented with field names of their own.

They stand in `benchmarks/judged/questions.json` with what each answer must say; knows nothing of how one is made.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline import Sightline
from sightline.types import Answer

JUDGED = Path(__file__).parent / "judged" / "questions.json"
SAMPLE = Path(__file__).parent.parent / "service" / "sample"
OUTDOOR = {"id": "Id", "title": "Name", "text": "Description", "image": "images/{Id}.webp"}


@dataclass(frozen=True)
class Question:
    """What is asked of a catalog, a pattern the answer must hold and the items it may cite; no pattern: refuse."""

    catalog: str
    kind: str
    question: str
    says: str | None
    items: frozenset[str]
    held_out: bool  # nobody looks at how these come out while the answerer is changed

    @property
    def group(self) -> str:
        return f"{self.kind}, {'held out' if self.held_out else 'seen'}"

    @property
    def right(self) -> Callable[[Answer], bool] | None:
        """Whether an answer says what it must and cites an item that says so; None where a refusal is right."""
        says = self.says
        if says is None:
            return None
        return lambda answer: (
            re.search(says, answer.text, re.IGNORECASE) is not None
            and any(citation.item_id in self.items for citation in answer.citations)
        )


def questions() -> list[Question]:
    """All of them in the order of the file; every second one is held out."""
    told = json.loads(JUDGED.read_text(encoding="utf-8"))["questions"]
    return [
        Question(
            one["catalog"],
            one["kind"],
            one["question"],
            one.get("says"),
            frozenset(one.get("from", ())),
            bool(place % 2),
        )
        for place, one in enumerate(told)
    ]


def shelves(work: Path, data: Path | None, **settings: Any) -> Iterator[tuple[str, Sightline]]:
    """Each catalog by name, indexed below `work` as its owner would; the outdoor one only where `data` holds it."""
    catalogs: dict[str, Mapping[str, Any]] = json.loads(JUDGED.read_text(encoding="utf-8"))["catalogs"]
    with Sightline.open(work / "sample", **settings) as opened:
        opened.add(SAMPLE / "catalog.jsonl", SAMPLE / "documents")
        yield "sample", opened
    for name, catalog in catalogs.items():
        rows = work / f"{name}.jsonl"
        rows.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in catalog["rows"]), encoding="utf-8")
        with Sightline.open(work / name, **settings) as opened:
            opened.add(rows, mapping=catalog["mapping"])
            yield name, opened
    if data is not None:
        with tarfile.open(data / "outdoor_catalog.tar") as tar:
            tar.extractall(work / "outdoor source", filter="data")
        with Sightline.open(work / "outdoor", **settings) as opened:
            opened.add(next((work / "outdoor source").rglob("catalog.json")), mapping=OUTDOOR)
            yield "outdoor", opened
