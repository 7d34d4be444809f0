"""Measures answers without a chat model: answered right, false answers, false refusals.

`python -m benchmarks.answers --data DIR` indexes catalogs through the public doors, asks questions of known forms and
questions in everyday wordings, and prints a table of each.
"""

from __future__ import annotations

import argparse
import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import everyday
from sightline import Sightline
from sightline.types import Answer

Counts = dict[str, dict[str, int]]  # group -> how it came out -> how often
Row = Mapping[str, Any]
Ask = Callable[[str], Answer]

# Written down apart from the generator's own lexicon, so that the judge does not ask it for its opinion.
SUBSTANCE = re.compile(
    r"leather|rubber|nylon|polyester|cotton|wool|fleece|carbon fiber|alumin|steel|titanium|mesh"
    r"|foam|cork|bamboo|wood\b|plastic"
    r"|gore-?tex|vibram|goose down|down insulation|pvc|ripstop|recycled materials|kernmantle|canvas"
    r"|polycarbonate|silicone",
    re.IGNORECASE,
)
VAGUE = re.compile(SUBSTANCE.pattern + r"|fabric|materials?\b", re.IGNORECASE)  # half a statement: answer or refuse
UNSTATED = (
    "What is the warranty of the {}?",
    "How long is the warranty on the {}?",
    "What is the voltage of the {}?",
    "How many calories are in the {}?",
    "In which country is the {} made?",
    "When was the {} released?",
    "What is the customer rating of the {}?",
    "Is the {} dishwasher safe?",
    "How many {} are left in stock?",
    "What does shipping cost for the {}?",
)
ABSENT = (
    "Zephyr Canoe", "Wanderer Red Hiking Boots", "Nomad Espresso Machine", "Solstix Kayak",
    "Alpine Fusion Toaster",
    "Everest Rain Trousers", "Legend Tennis Racket", "Summit Pro Tent", "Quester Inflatable Boat",
    "Trailblazer Sleeping Bag",
    "Blizzard Rider Bicycle", "Gravity Yoga Mat", "XE Camp Stove", "Pathfinder Hammock", "Daybird Umbrella",
    "Frostbite Fishing Rod", "Explorer Binoculars", "Raptor Elite Wetsuit", "Powder Pro Ice Skates", "AirStrider Drone",
    "Moonwalker Hiking Boots", "Kestrel 3-Person Tent", "Glacierline Down Jacket", "Ironwood Trekking Poles",
    "Polaris GPS Watch", "Copperhead Bike Helmet", "Tundra 60L Backpack", "Cascadia Trail Shoes", "Nimbus Ski Goggles",
    "Borealis Snowboard", "Nomad 4-Person Tent", "Explorer 65L Backpack", "Wanderer Green Hiking Boots",
    "Stellar Pink Duffle Bag", "Survivor Blue Ski Goggles", "Guardian Yellow Chalk Bag", "Velocity Black Bike Helmet",
    "Cosmic Green Snowboard", "Venture Orange Trail Shoes", "Zero Gravity Climbing Shoes",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A question and how its answer is judged: `right` on an answer, or a refusal expected (None)."""

    group: str
    question: str
    right: Callable[[Answer], bool] | None


def rows(folder: Path) -> list[dict[str, Any]]:
    """The catalog's products as catalog rows."""
    with tarfile.open(folder / "outdoor_catalog.tar") as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("catalog.json"))
        opened = tar.extractfile(member)
        if opened is None:
            raise SystemExit("outdoor_catalog.tar holds no catalog.json")
        products = json.load(opened)
    return [
        {"id": str(p["Id"]), "title": p["Name"], "text": p["Description"], "type": p["Type"], "brand": p["Brand"],
        "price": p["Price"]}
        for p in products
    ]  # fmt: skip


def cases(products: Sequence[Row]) -> Iterator[Case]:
    """Prices and materials of all, 51 names a word off, 40 absent products, 40 attributes that no text states."""
    for row in products:
        yield Case("price", f"How much does the {row['title']} cost?", _prices(row))
    for row in products:
        namesakes = [other for other in products if other["title"] == row["title"]]
        stated = SUBSTANCE.search(row["text"]) is not None
        if stated or not any(VAGUE.search(f"{other['title']} {other['text']}") for other in namesakes):
            yield Case(
                "material" if stated else "material unstated",
                f"What is the {row['title']} made of?",
                _substance(row) if stated else None,
            )
    everything = " ".join(f"{row['title']} {row['text']}" for row in products).casefold()
    strange = [colour for colour in ("Mauve", "Magenta", "Beige", "Crimson") if colour.casefold() not in everything]
    for place, row in enumerate(products[::2]):
        first, _, rest = row["title"].partition(" ")
        name = f"{first} {strange[place % len(strange)]} {rest}"
        yield Case("near miss", f"How much does the {name} cost?", None)
    for name in ABSENT:
        yield Case("absent", f"How much does the {name} cost?", None)
    for place, row in enumerate(products[::2][:40]):
        yield Case("unstated", UNSTATED[place % len(UNSTATED)].format(row["title"]), None)


def _prices(row: Row) -> Callable[[Answer], bool]:
    def right(answer: Answer) -> bool:
        quotes = [c for c in answer.citations if c.item_id == row["id"]]
        return any(str(row["price"]) in (c.quote or "") for c in quotes) and str(row["price"]) in answer.text

    return right


def _substance(row: Row) -> Callable[[Answer], bool]:
    def right(answer: Answer) -> bool:
        return any(c.item_id == row["id"] and SUBSTANCE.search(c.quote or "") for c in answer.citations)

    return right


def sound(answer: Answer) -> bool:
    """Every marker resolves, every citation is used, every quote stands in its part's text."""
    used = {int(n) for n in re.findall(r"\[(\d+)\]", answer.text)}
    known = {c.marker for c in answer.citations}
    return used == known and all(c.quote is None or (c.quote in (c.part.text or "")) for c in answer.citations)


def verdict(case: Case, answer: Answer) -> str:
    """right, false answer or false refusal."""
    if not sound(answer):
        return "unsound"
    if case.right is None:
        return "right" if answer.abstained else "false answer"
    if answer.abstained:
        return "false refusal"
    return "right" if case.right(answer) else "false answer"


def measure(ask: Ask, asked: Iterable[Case], *, verbose: bool = False) -> Counts:
    """How each group of questions came out; `verbose` prints those that came out wrong."""
    table: Counts = {}
    for case in asked:
        answer = ask(case.question)
        result = verdict(case, answer)
        counts = table.setdefault(case.group, {})
        counts[result] = counts.get(result, 0) + 1
        if verbose and result != "right":
            print(f"{result:14} {case.question}\n{'':14} {answer.text[:200]}")
    return table


def measure_outdoor(work: Path, data: Path, *, verbose: bool, **settings: Any) -> Counts:
    """The outdoor catalog's own questions, of the forms in this file."""
    products = rows(data)
    catalog = work / "products.jsonl"
    catalog.write_text("\n".join(json.dumps(row) for row in products), encoding="utf-8")
    with Sightline.open(work / "products", **settings) as line:
        line.add(catalog)
        return measure(line.ask, cases(products), verbose=verbose)


def measure_everyday(work: Path, data: Path | None, *, verbose: bool, **settings: Any) -> Counts:
    """Questions in wordings of their own over several catalogs; those held out are counted but never shown."""
    table: Counts = {}
    asked = everyday.questions()
    for name, line in everyday.shelves(work, data, **settings):
        own = [one for one in asked if one.catalog == name]
        for held_out in (False, True):
            half = (Case(one.group, one.question, one.right) for one in own if one.held_out == held_out)
            for group, counts in measure(line.ask, half, verbose=verbose and not held_out).items():
                kept = table.setdefault(group, {})
                kept.update({result: kept.get(result, 0) + count for result, count in counts.items()})
    return dict(sorted(table.items(), key=lambda pair: (pair[0].endswith("held out"), pair[0])))


def show(title: str, table: Counts) -> None:
    """One line a group, and their sum."""
    columns = ("right", "false answer", "false refusal", "unsound")
    total = {column: sum(counts.get(column, 0) for counts in table.values()) for column in columns}
    print(f"\n{title:24}{'n':>5}" + "".join(f"{column:>15}" for column in columns))
    for group, counts in [*table.items(), ("all", total)]:
        print(f"{group:24}{sum(counts.values()):>5}" + "".join(f"{counts.get(column, 0):>15}" for column in columns))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="the folder that holds outdoor_catalog.tar; without it, less is asked"
    )
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--store", default="faiss")
    parser.add_argument("--work", type=Path, help="where to keep the indexes for the next run")
    parser.add_argument("--verbose", action="store_true", help="show what came out wrong, of what is not held out")
    options = parser.parse_args()
    settings = {"encoder": options.encoder, "store": options.store, "verbose": options.verbose}
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        if options.data is not None:
            show("outdoor catalog", measure_outdoor(work, options.data, **settings))
        show("everyday wordings", measure_everyday(work, options.data, **settings))


if __name__ == "__main__":
    main()
