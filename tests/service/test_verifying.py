"""`sightline verify` and the lists of `sightline info` at the terminal: what they print, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from indexer.register import Became, Seen
from service import informing, verifying
from service.informing import OUTCOMES, show_duplicates, show_sources
from service.tables import show_skipped
from service.verifying import show_catalog
from sightline.catalog_check import CatalogReport, Disagreement, Group, Suspect
from sightline.catalog_check.checking import Missing
from sightline.catalog_check.disagreements import Compared
from sightline.catalog_check.lengths import Lengths, Long
from sightline.types import Skipped
from tests.service.conftest import draw

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, sightline: Run) -> Path:
    """A folder of three pictures, two of them equal, and a broken one; indexed, one renamed since, indexed again."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, colour in {"a": (200, 40, 40), "b": (40, 70, 200), "c": (200, 40, 40)}.items():
        draw(photos / f"{name}.png", "bowl", colour)
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    assert sightline("index", photos, "--index", tmp_path / "i")[0] == 1
    (photos / "b.png").rename(photos / "blue.png")
    code, out, _ = sightline("index", photos, "--index", tmp_path / "i")
    assert (code, "1 moved" in out) == (1, True)
    return tmp_path / "i"


def test_every_source_is_listed_with_its_outcome(folder: Path, sightline: Run) -> None:
    code, out, err = sightline("info", "--sources", "--index", folder)
    assert (code, err) == (0, "")
    assert "1 unchanged, 1 moved, 1 duplicate, 1 skipped" in out
    assert "from b.png" in out
    assert "of a.png" in out
    told = json.loads(sightline("info", "--sources", "--json", "--index", folder)[1])
    assert told["counts"] == {"unchanged": 1, "moved": 1, "duplicate": 1, "skipped": 1}
    assert len(told["sources"]) == 4


def test_the_export_is_one_object_a_line(folder: Path, sightline: Run) -> None:
    _, out, _ = sightline("info", "--sources", "--jsonl", "--index", folder)
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row["outcome"] for row in rows} == {"unchanged", "moved", "duplicate", "skipped"}
    (moved,) = [row for row in rows if row["outcome"] == "moved"]
    assert (moved["item"], moved["of"]) == ("blue.png", "b.png")
    assert [event["outcome"] for event in moved["history"]] == ["added", "moved"]
    _, out, _ = sightline("info", "--outcome", "skipped", "--jsonl", "--index", folder)
    (skipped,) = [json.loads(line) for line in out.splitlines()]
    assert skipped["reason"]


def test_duplicates_are_listed_and_kept(folder: Path, sightline: Run) -> None:
    code, out, _ = sightline("info", "--duplicates", "--index", folder)
    assert code == 0
    assert "a.png, c.png" in out
    told = json.loads(sightline("info", "--duplicates", "--json", "--index", folder)[1])
    assert {"kind": "equal items", "items": ["a.png", "c.png"]} in told["groups"]
    assert json.loads(sightline("info", "--json", "--index", folder)[1])["items"] == 3


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--sources", "--duplicates"), "one at a time"),
        (("--outcome", "lost"), "'lost'"),
        (("--jsonl",), "--jsonl goes with"),
    ],
)
def test_options_that_do_not_go_together_are_refused(folder: Path, sightline: Run, argv: tuple[str], said: str) -> None:
    code, _, err = sightline("info", *argv, "--index", folder)
    assert code == 2
    assert said in err


def test_verify_looks_at_the_catalog(sightline: Run, index: Path, folder: Path) -> None:
    code, out, _ = sightline("verify", "--catalog", "--index", index)
    assert code == 0
    assert "8 items have a picture; from 20 on" in out
    code, out, _ = sightline("verify", "--catalog", "--json", "--index", folder)
    told = json.loads(out)
    assert code == 0
    assert told.keys() == {"clean", "catalog"}
    assert told["catalog"]["items"] == 3


def test_verify_exits_1_when_something_is_missing(tmp_path: Path, sightline: Run) -> None:
    rows = [{"id": "a", "title": "A bowl", "image": "a.png"}, {"id": "b", "title": "B bowl", "image": "no.png"}]
    draw(tmp_path / "a.png", "bowl", (200, 40, 40))
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, rows[0]]), encoding="utf-8")
    assert sightline("index", tmp_path / "c.jsonl", "--index", tmp_path / "i")[0] == 1
    code, out, _ = sightline("verify", "--index", tmp_path / "i")
    assert code == 1
    assert "no.png" in out
    assert "Ids given twice: 1" in out


def test_the_outcomes_of_the_help_are_those_there_are() -> None:
    assert OUTCOMES.split(", ") == list(get_args(Became))


def test_every_check_has_an_option() -> None:
    assert set(verifying.CHECKS) <= set(verifying.verify_command.__kwdefaults__ or ())


def printed(show: Callable[[Console], None], width: int = 100) -> str:
    out = Console(width=width, record=True, highlight=False, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115
    show(out)
    out.file.close()
    return out.export_text()


@pytest.mark.parametrize("width", [60, 100, 200])
def test_a_long_report_is_cut_and_says_so(width: int) -> None:
    one = Disagreement("title", "[b]Red\x1b bowl", 0.1, "Blue cup", 3.2, 0.97, "a#image-0", "cup-1")
    other = Disagreement("colour", "red", -0.4, "blue", 2.1, 0.6)
    report = CatalogReport(
        99,
        tuple(Suspect(f"item-{number}", (one, other)) for number in range(20)),
        (Compared("title", 99, 0.93),),
        tuple(Missing(f"item-{number}", f"{number}.png", "there is no such file") for number in range(20)),
        (Skipped("c.csv:4", "the id 'a' is already that of c.csv:3"),),
        Lengths((Long("item-1", "item-1#text-0", 130),), (Long("item-2", "item-2#text-0", 99),), 52, untested=7),
        ("a note",),
        1.25,
    )
    told = printed(lambda out: show_catalog(out, report), width)
    assert "\x1b bowl" not in told
    assert "97%" in told
    assert told.count("… 5 more: --json lists all") == 2
    flat = " ".join(told.split())
    assert "Not read to the end by the encoder, which reads about 52 words at once: 1 text item-1#text-0: 130" in flat
    assert "Read in pieces, as their mean, by the encoder, which reads about 52 words at once: 1 text item-2" in flat
    assert "7 shorter texts were not asked about" in flat
    assert "title 93%" in flat


def test_ids_are_never_folded() -> None:
    name = "a-folder-with-a-long-name/" * 4 + "front.jpeg"
    one = Disagreement("title", "A red bowl", 0.1, "Blue cup", 3.2, 0.97, "a#image-0", f"better/{name}")
    report = CatalogReport(
        9, (Suspect(name, (one,)),), (), (Missing("mug", f"gone/{name}", "there is no such file"),),
        (Skipped(f"twice/{name}", "the id is taken"),), Lengths(), (), 0.1,
    )  # fmt: skip
    out = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    show_catalog(out, report)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    for whole in (name, f"better/{name}", f"gone/{name} of mug", f"twice/{name}"):
        assert any(line.rstrip().endswith(whole) for line in lines)
    assert "      there is no such file" in [line.rstrip() for line in lines]


def test_skipped_sources_are_a_line_each_on_a_pipe_and_on_a_terminal_under_their_reason() -> None:
    skipped = [Skipped(f"{n}/{'long-' * 30}{n}.png", "it is broken " * 9) for n in range(3)]
    pipe, terminal = (Console(file=StringIO(), width=80, force_terminal=one, color_system=None) for one in (None, True))
    for out in (pipe, terminal):
        show_skipped(out, skipped)
    told = pipe.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert told == [f"  {one.source}: {one.reason.strip()}" for one in skipped]
    lines = [line.rstrip() for line in terminal.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert [line for line in lines if "long-" in line] == [f"    {one.source}" for one in skipped]
    assert all(line.startswith("  ") for line in lines)


def test_long_lists_are_cut_and_say_so() -> None:
    groups = [Group("alike pictures", tuple(f"i{n}" for n in range(9)), ("d",), 0.97, 3)] * (informing.SHOWN + 2)
    told = printed(lambda out: show_duplicates(out, groups))
    assert "and 3 more" in told
    assert "… 2 more groups" in told
    assert "Nothing is there twice." in printed(lambda out: show_duplicates(out, []))
    assert "No source was ever seen" in printed(lambda out: show_sources(out, []))
    assert "No source is moved as it was last read" in printed(lambda out: show_sources(out, [], "moved"))


def test_what_happened_is_listed_before_what_is_merely_there() -> None:
    there = [Seen(f"{number}.png", "unchanged") for number in range(informing.SHOWN)]
    told = printed(lambda out: show_sources(out, [*there, Seen("torn.png", "skipped", reason="it is torn")]))
    assert "torn.png: it is torn" in told
    assert "… 1 more" in told
