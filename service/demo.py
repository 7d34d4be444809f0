"""`sightline demo`: indexes a catalog and runs six commands a user could type, each shown before its output.

Goes through the command line's own door for everything it shows; knows no field by name, so it plays on any catalog.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from service import tables
from sightline.engine import Sightline
from sightline.errors import InputError
from sightline.filters import Compare, Filter, matches, to_expression
from sightline.types import Item, Scalar

SAMPLE = Path(__file__).parent / "sample"
SHOWN = 3  # hits a search
LOOKED_AT = 200  # items of a stranger's catalog read to find something worth asking
_CODE = 1e9  # a number as large is a code
Run = Callable[[list[str]], object]


@dataclass(frozen=True, slots=True)
class Script:
    """What to ask of a catalog; None where it has nothing to ask of that kind."""

    words: str
    picture: Path | None
    texts: bool  # whether there are any to find by picture
    filtered: tuple[str, str] | None  # words, and the filter
    question: str | None


def play(catalog: str | None, *, question: str | None, mapping: Sequence[str], index: Path, run: Run) -> None:
    """Index `catalog` (the sample shop without one), search and ask it. `run` takes what a shell would give."""
    if catalog is not None and not Path(catalog).exists():
        raise InputError(f"{catalog} does not exist")
    out = tables.console()
    folder = index if catalog is None else index / _slug(catalog)
    sources = [catalog] if catalog else [_near(SAMPLE / "catalog.jsonl"), _near(SAMPLE / "documents")]
    at = ["--index", str(folder)]
    title = "Sightline finds things in pictures and words, and answers with evidence that can be opened."
    out.print()
    out.print(Text(title, style="bold"))

    maps = [argument for pair in mapping for argument in ("--map", pair)]
    _step(out, run, "Index", "Pictures, texts and fields, in one folder. Run again, it embeds only what is new.")(
        ["index", *sources, *maps, *at]
    )
    script = sample_script() if catalog is None else _derived(folder)
    few = ["-k", str(SHOWN)]
    _step(out, run, "Words find pictures", "No caption is read: the picture itself is compared with the words.")(
        ["search", script.words, "--target", "image", *few, *at]
    )
    if script.picture is None:
        out.print(Text("There are no pictures here, so nothing is searched by picture.", style="dim"))
    else:
        picture = ["search", "--image", _near(script.picture)]
        if script.texts:
            _step(out, run, "A picture finds texts", "The other way: what has been written about what this shows?")(
                [*picture, "--target", "text", *few, *at]
            )
        _step(out, run, "A picture finds pictures", "The item itself comes first, then what looks most like it.")(
            [*picture, "--target", "image", *few, *at]
        )
    if script.filtered is not None:
        words, where = script.filtered
        _step(out, run, "Fields narrow it down", "The filter holds before hits are counted, so none is lost to it.")(
            ["search", words, "--where", where, *few, *at]
        )
    asked = question or script.question
    if asked is None:
        out.print(Text("There are no texts or fields here to answer from; --question asks anyway.", style="dim"))
    else:
        _step(out, run, "Ask", "Quoted from what is indexed, every [n] with the place it stands at.")(
            ["ask", asked, *at]
        )
    _farewell(out, at, own=catalog is not None)


def _step(out: Console, run: Run, title: str, why: str) -> Callable[[list[str]], None]:
    """A command under its heading: shown as a user would type it, then run."""

    def show(argv: list[str]) -> None:
        out.print()
        out.print(Rule(Text(title, style="bold"), align="left", style="dim"))
        out.print(Text(why, style="dim"))
        out.print(Text.assemble(("$ ", "dim"), (shlex.join(["sightline", *argv]), "bold cyan")), soft_wrap=True)
        run(argv)

    return show


def _farewell(out: Console, at: Sequence[str], *, own: bool) -> None:
    out.print()
    out.print(Rule(style="dim"))
    lines = [("The same in a browser:", shlex.join(["sightline", "serve", *at]))]
    if not own:
        lines.append(("On your own pictures:", "sightline demo FOLDER_OR_CATALOG"))
    for said, command in lines:
        out.print(Text.assemble(f"{said:<24}", (command, "bold cyan")), soft_wrap=True)


def _near(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _slug(catalog: str) -> str:
    """A folder name for a catalog: its own name to be read, its place to keep two of one name apart."""
    path = Path(catalog).resolve()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-") or "catalog"
    return f"{name}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def sample_script() -> Script:
    """What the sample shop is asked."""
    return Script(
        words="a watering can",
        picture=SAMPLE / "images" / "kite-001-1.webp",
        texts=True,
        filtered=("something to read by in bed", "price < 80 and category = lighting"),
        question="How long is the warranty on furniture?",
    )


# -- what to ask of a catalog nobody has seen -------------------------------------------------------------------------


def _derived(folder: Path) -> Script:
    """A script from the catalog's own items. Raises InputError when nothing was indexed."""
    with Sightline.open(folder, create=False) as opened:
        found = [opened.search("picture", k=LOOKED_AT, target=target, least=0) for target in (None, "image")]
        items = sorted({hit.item.id: hit.item for results in found for hit in results}.values(), key=lambda one: one.id)
        if not items:
            raise InputError(_unmapped(opened.info()))
        naming = _naming_field(items)
        pictured = [item for item in items if any(part.modality == "image" for part in item.parts)]
        first = _middle(pictured or items)
        picture = _picture(opened, first, folder) if pictured else None
    texts = any(part.modality == "text" for item in items for part in item.parts)
    return Script(_name(first, naming), picture, texts, _filtered(items, naming), _question(items, naming))


def _unmapped(info: Mapping[str, Any]) -> str:
    """Why there is nothing to search by likeness: nothing came in, or rows that name no title, text or picture."""
    if not info["items"]:
        return "nothing in this catalog could be indexed, so there is nothing to search"
    names = ", ".join(field["name"] for field in info["fields"])
    return (
        f"its {info['items']:,} rows name no title, text or picture, only these fields: {names}. Say which is which: "
        f"--map title=KEY --map text=KEY --map image=KEY, or with a path around a key: --map 'image=photos/{{KEY}}.jpg'"
    )


def _middle(items: Sequence[Item]) -> Item:
    return items[len(items) // 2]


def _naming_field(items: Sequence[Item]) -> str:
    """The field that names items: `title` where most have one, else the shortest text that hardly two of them share."""
    if sum("title" in item.fields for item in items) > 0.8 * len(items):
        return "title"
    sizes: dict[str, float] = {}
    for name in {name for item in items for name in item.fields}:
        values = [str(item.fields[name]) for item in items if isinstance(item.fields.get(name), str)]
        worded = [value for value in values if re.search(r"[^\W\d_]{3}", value)]
        if len(worded) > 0.8 * len(items) and len(set(values)) > 0.9 * len(values):
            sizes[name] = statistics.fmean(map(len, values))
    return min(sizes, key=lambda name: sizes[name]) if sizes else "title"


def _name(item: Item, naming: str) -> str:
    """An item's name in words: a file's is its name without folder, ending and separators."""
    named = item.fields.get(naming)
    if named:
        return tables.plain(named)
    stem = Path(item.id).stem if re.search(r"\.\w{2,5}$", item.id) else item.id
    return " ".join(re.split(r"[\W_]+", stem)).strip() or item.id


def _picture(opened: Sightline, item: Item, folder: Path) -> Path:
    """A file that holds the item's picture: its own, else a copy of what was indexed."""
    part = next(part for part in item.parts if part.modality == "image")
    if part.uri and "://" not in part.uri and Path(part.uri).is_file():
        return Path(part.uri)
    copy = folder / "query.jpg"
    copy.write_bytes(opened.picture(part.id))
    return copy


def _filtered(items: Sequence[Item], naming: str) -> tuple[str, str] | None:
    """An item's name and a filter that it and others pass, some not: a number below the median, else a shared value."""
    for name, values in _by_coverage(items, naming):
        numbers = [value for value in values if _is_quantity(value)]
        if len(numbers) == len(values) and len(set(numbers)) > 2:
            return _passing(items, naming, Compare(name, "<", statistics.median_high(numbers)))
    for name, values in _by_coverage(items, naming):
        value, count = Counter(values).most_common(1)[0]
        if 1 < count < len(items) and isinstance(value, str):
            return _passing(items, naming, Compare(name, "=", value))
    return None


def _passing(items: Sequence[Item], naming: str, where: Filter) -> tuple[str, str]:
    passing = [item for item in items if matches(where, item.id, item.fields)]
    return _name(_middle(passing), naming), to_expression(where)


def _by_coverage(items: Sequence[Item], naming: str) -> list[tuple[str, list[Scalar]]]:
    """Fields with one short value an item, those most items have first, each with its values."""
    found: dict[str, list[Scalar]] = {}
    for item in items:
        for name, value in item.fields.items():
            if name != naming and not isinstance(value, tuple) and len(str(value)) <= tables.LONG_VALUE:
                found.setdefault(name, []).append(value)
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def _question(items: Sequence[Item], naming: str) -> str | None:
    """What a number is (else the field that most items have), of one that has it; else what a text says."""
    common = _by_coverage(items, naming)
    told = [pair for pair in common if isinstance(pair[1][0], str)]
    for name, _ in [pair for pair in common if _is_quantity(pair[1][0])] or told:
        having = _middle([item for item in items if name in item.fields])
        return f"What is the {_spoken(name)} of the {_name(having, naming)}?"
    texts = [item for item in items if any(part.modality == "text" and part.text for part in item.parts)]
    return f"What is said about {_name(_middle(texts), naming)}?" if texts else None


def _is_quantity(value: object) -> TypeGuard[int | float]:
    """A number that measures something: not a yes or no, not an article number of ten digits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _CODE


def _spoken(name: str) -> str:
    """A field's name in words: listPrice, list_price -> list price."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.-]+", " ", name).lower()
