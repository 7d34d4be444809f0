"""What the terminal shows: it fits every width, and nothing from a catalog can steer the terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from service import tables
from sightline.types import Answer, Citation, Fields, Hit, Item, Locator, Part, Results


def shown(results: Results, width: int) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    tables.show_results(out, results)
    return out.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def hit(rank: int, title: str, text: str, **fields: str | float) -> Hit:
    name = f"item-{rank}"
    picture = Part(f"{name}#image-0", name, "image", "d", uri=f"/photos/{rank}.webp")
    passage = Part(f"{name}#text-0", name, "text", "t", text=text)
    item = Item(name, {"title": title, **fields}, (picture, passage))
    return Hit(item, (passage, picture) if rank % 2 else (picture,), 1 / rank, rank, ("clip", "words"))


@pytest.mark.parametrize("width", [20, 40, 63, 64, 80, 120, 200])
def test_hits_fit_every_width(width: int) -> None:
    wide = "漢字の茶碗 👩‍👩‍👧 " * 6
    results = Results((hit(1, "Mug [bold]x[/bold]", wide, price=3.5), hit(2, wide, "x" * 300, price=4, kind="mug")))
    lines = shown(results, width).splitlines()
    assert all(cell_len(line) <= width for line in lines)
    together = "".join("".join(lines).split())
    assert "[bold]x[/bold]" in together
    assert "price" in together


def test_what_is_shown_when_nothing_matches() -> None:
    text = shown(Results((), warnings=("the reranker did not answer in time",)), 80)
    assert "Nothing in this collection matches" in text
    assert "! the reranker did not answer in time" in text


@given(st.text())
def test_plain_has_no_control_characters(text: str) -> None:
    said = tables.plain(text)
    assert all(char.isprintable() or char in tables.JOINERS for char in said)
    assert tables.plain(said) == said


def test_a_catalog_cannot_colour_or_move_the_terminal() -> None:
    evil = "\x1b[31mred\x1b]8;;http://evil\x07 \u202eback\r\x9b2J"
    answer = Answer(evil, (Citation(1, Part("a#text-0", evil, "text", "d", uri=evil, text=evil), evil),))
    out = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    tables.show_answer(out, answer)
    tables.show_results(out, Results((hit(1, evil, evil, note=evil),)))
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[31m" not in text
    assert "\x1b]8;;http://evil" not in text
    assert not {"\u202e", "\r", "\x9b", "\x07"} & set(text)


@pytest.mark.parametrize(
    ("items", "chosen"),
    [
        ([{"title": "a", "brand": "x", "price": 3}, {"title": "b", "brand": "y", "price": 4}], ["brand", "price"]),
        ([{"essay": "long " * 20, "kind": "k"}], ["kind"]),
        ([{"a": "1", "b": "2", "c": "3", "d": "4", "cost_eur": 5.0}], ["a", "b", "c", "cost_eur"]),
        ([{"rare": "x"}, {"common": "y"}, {"common": "z"}], ["common"]),
        ([], []),
    ],
)
def test_key_fields_are_those_most_items_share(items: list[Fields], chosen: list[str]) -> None:
    assert tables.key_fields(items) == chosen


def test_a_place_in_words() -> None:
    locator = Locator(page=3, chars=(5, 9), field="size")
    part = Part("a#text-0", "a", "text", "d", uri="https://shop.example/a", text="x", locator=locator)
    assert tables.place_of(part) == "field size, page 3, characters 5–9, https://shop.example/a"


def boxed(found: Hit) -> Hit:
    """The hit as it comes back when a region of its picture answers."""
    narrowed = Locator(box=(0.1, 0.2, 0.5, 0.6))
    parts = tuple(replace(part, locator=narrowed) if part.modality == "image" else part for part in found.parts)
    return replace(found, parts=parts)


@pytest.mark.parametrize("rank", [1, 2])  # behind a passage, and alone
def test_the_box_of_a_hit_is_told_as_it_is_searched_for(rank: int) -> None:
    found = hit(rank, "A shelf", "With a mug on it.")
    assert "[0.10" not in shown(Results((found,)), 120)
    assert f"/photos/{rank}.webp[0.10,0.20,0.50,0.60]" in shown(Results((boxed(found),)), 120)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("/photos/my mug.webp", 'image:"/photos/my mug.webp"[0.10,0.20,0.50,0.60]'),
        ("https://shop.example/a.jpg", "https://shop.example/a.jpg[0.10,0.20,0.50,0.60]"),
        (None, "a#image-0[0.10,0.20,0.50,0.60]"),
    ],
)
def test_a_box_in_words(uri: str | None, said: str) -> None:
    part = Part("a#image-0", "a", "image", "d", uri=uri, locator=Locator(box=(0.1, 0.2, 0.5, 0.6)))
    assert tables.place_of(part) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (17_400_000, "17.4 MB")]
)
def test_sizes(count: int, said: str) -> None:
    assert tables.bytes_of(count) == said


def test_commands_in_a_sentence_are_never_folded() -> None:
    said = "sightline: they cannot be compared: embed everything with `sightline migrate --encoder starter` now"
    terminal = Console(file=io.StringIO(), width=40, force_terminal=True)
    lines = tables.folded(said, terminal).splitlines()
    assert [line for line in lines if "`sightline migrate --encoder starter`" in line]
    assert all(line.startswith("  ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == said
    assert tables.folded(said, Console(file=io.StringIO(), width=40)) == said
