"""`sightline compact` and `sightline verify --deleted`: what they tell, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline import Sightline

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["faiss", "qdrant"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An index of three texts, of which one was deleted and one replaced."""
    notes = tmp_path / "notes"
    notes.mkdir()
    for name in ("kept", "plantedgone", "changed"):
        (notes / f"{name}.txt").write_text(f"{name} says so, and nothing else")
    with Sightline.open(tmp_path / "i", store=request.param) as index:
        index.add(notes)
        (notes / "changed.txt").write_text("it was rewritten")
        index.add(notes)
        index.delete(["plantedgone.txt"])
    return tmp_path / "i"


def test_what_is_left_is_listed_and_compact_removes_it(folder: Path, sightline: Run) -> None:
    code, out, _ = sightline("verify", "--deleted", "--index", folder)
    told = " ".join(out.split())
    assert code == 1
    assert "deleted broken something is left: `sightline compact` removes what was deleted" in told
    assert "the ledger has 1 deleted items on record" in told
    code, out, _ = sightline("verify", "--gone", "plantedgone.txt", "--index", folder)
    assert code == 1
    assert "'plantedgone.txt' is still named in" in out
    code, out, _ = sightline("verify", "--index", folder)  # which did not ask for that, and nothing else is wrong
    assert code == 0
    assert "deleted not compacted something is left" in " ".join(out.split())
    code, out, _ = sightline("info", "--index", folder)
    assert "removed for good by: sightline compact" in " ".join(out.split())
    code, out, _ = sightline("compact", "--index", folder)
    assert code == 0
    assert "1 items on record are gone for good" in " ".join(out.split())
    code, out, _ = sightline("verify", "--deleted", "--gone", "plantedgone.txt", "--index", folder)
    told = " ".join(out.split())
    assert code == 0
    assert (
        "nothing is left of what was deleted or replaced; no byte of 'plantedgone.txt' in any file of the collection"
        in told
    )
    assert "compact" not in " ".join(sightline("info", "--index", folder)[1].split())


def test_as_json_there_is_nothing_else(folder: Path, sightline: Run) -> None:
    code, out, _ = sightline("verify", "--deleted", "--json", "--index", folder)
    told = json.loads(out)
    assert (code, told["clean"], told["deleted"]["clean"]) == (1, False, False)
    assert told["deleted"]["left"]
    code, out, _ = sightline("compact", "--json", "--index", folder)
    told = json.loads(out)
    assert (code, told["forgotten"], told["unseen"], told["snapshots"]) == (0, 1, [], [])
    assert told["removed"] > 0
    code, out, _ = sightline("verify", "--deleted", "--gone", "plantedgone.txt", "--json", "--index", folder)
    told = json.loads(out)
    assert (code, told["deleted"]["left"], told["deleted"]["gone"]) == (0, [], ["plantedgone.txt"])


def test_an_index_that_only_grew_has_nothing_left(tmp_path: Path, sightline: Run) -> None:
    (tmp_path / "one.txt").write_text("one and only")
    assert sightline("index", tmp_path / "one.txt", "--index", tmp_path / "i")[0] == 0
    assert sightline("verify", "--deleted", "--index", tmp_path / "i")[0] == 0


def test_an_id_that_is_there_is_said_to_be(folder: Path, sightline: Run) -> None:
    sightline("compact", "--index", folder)
    code, out, _ = sightline("verify", "--gone", "kept.txt", "--index", folder)
    assert code == 1
    assert "'kept.txt' was not deleted: it is in the collection" in " ".join(out.split())


def test_without_an_index_it_says_so(tmp_path: Path, sightline: Run) -> None:
    code, _, err = sightline("compact", "--index", tmp_path / "nowhere")
    assert code == 2
    assert "no index at" in err
