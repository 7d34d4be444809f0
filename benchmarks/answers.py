"""Measures answers without a chat model on the outdoor catalog: answered right, false answers, false refusals.

`python -m benchmarks.answers --data DIR` indexes the catalog through the public doors, asks, and prints a table.
"""

from __future__ import annotations

import argparse
import json
import re
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.types import Answer

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


def measure(ask: Ask, products: Sequence[Row], *, verbose: bool = False) -> dict[str, dict[str, int]]:
    """How each group of questions came out."""
    table: dict[str, dict[str, int]] = {}
    for case in cases(products):
        answer = ask(case.question)
        result = verdict(case, answer)
        counts = table.setdefault(case.group, {})
        counts[result] = counts.get(result, 0) + 1
        if verbose and result != "right":
            print(f"{result:14} {case.question}\n{'':14} {answer.text[:200]}")
    return table


def main() -> None:
    from sightline import Sightline

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds outdoor_catalog.tar")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--store", default="faiss")
    parser.add_argument("--verbose", action="store_true", help="show every question that came out wrong")
    options = parser.parse_args()
    products = rows(options.data)
    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder) / "catalog.jsonl"
        catalog.write_text("\n".join(json.dumps(row) for row in products), encoding="utf-8")
        line = Sightline.open(Path(folder) / "index", encoder=options.encoder, store=options.store)
        line.add(catalog)
        began = time.perf_counter()
        table = measure(line.ask, products, verbose=options.verbose)
        seconds = time.perf_counter() - began
        line.close()
    asked = sum(sum(counts.values()) for counts in table.values())
    columns = ("right", "false answer", "false refusal", "unsound")
    print(f"{'questions':20}{'n':>5}" + "".join(f"{column:>15}" for column in columns))
    for group, counts in table.items():
        print(f"{group:20}{sum(counts.values()):>5}" + "".join(f"{counts.get(column, 0):>15}" for column in columns))
    print(f"{asked} questions in {seconds:.1f} s, {1000 * seconds / asked:.0f} ms each, without a chat model")


if __name__ == "__main__":
    main()
