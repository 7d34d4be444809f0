"""`sightline compact` and `sightline verify --deleted`: what they tell, and their exit codes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline import Sightline, compacting
from sightline.remains import CompactReport

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
    assert f"deleted broken something is left: `sightline compact --index {folder}` removes what was deleted" in told
    assert "the ledger has 1 deleted items on record" in told
    code, out, _ = sightline("verify", "--gone", "plantedgone.txt", "--index", folder)
    assert code == 1
    assert "'plantedgone.txt' is still named in" in out
    code, out, _ = sightline("verify", "--index", folder)  # which did not ask for that, and nothing else is wrong
    assert code == 0
    assert "deleted not compacted something is left" in " ".join(out.split())
    code, out, _ = sightline("info", "--index", folder)
    assert f"to remove for good what was deleted: sightline compact --index {folder}" in " ".join(out.split())
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


def test_with_nothing_deleted_there_is_nothing_to_compact(tmp_path: Path, folder: Path, sightline: Run) -> None:
    (tmp_path / "one.txt").write_text("one and only")
    sightline("index", tmp_path / "one.txt", "--index", tmp_path / "other")
    for index in (tmp_path / "other", folder):
        if index == folder:
            assert "gone for good" in sightline("compact", "--index", index)[1]
        before = files_of(index)
        code, out, _ = sightline("compact", "--index", index)
        assert (code, out) == (0, "nothing to do: nothing was deleted or replaced since the last time\n")
        assert json.loads(sightline("compact", "--json", "--index", index)[1])["needed"] is False
        assert files_of(index) == before


def files_of(index: Path) -> dict[str, int]:
    """What a compaction writes anew: databases and Qdrant's segments, and which file or folder each is."""
    found = [*index.rglob("*.db"), *index.rglob("*.sqlite"), *index.rglob("segments/*")]
    return {str(path): path.stat().st_ino for path in found}


def test_an_id_that_is_there_is_said_to_be(folder: Path, sightline: Run) -> None:
    sightline("compact", "--index", folder)
    code, out, _ = sightline("verify", "--gone", "kept.txt", "--index", folder)
    assert code == 1
    assert "'kept.txt' was not deleted: it is in the collection" in " ".join(out.split())


def test_what_could_not_be_looked_at_is_no_proof(tmp_path: Path, sightline: Run) -> None:
    with Sightline.open(tmp_path / "i") as index:
        index.add({"id": "a", "title": "red"}, {"id": "b", "title": "redder than a brick"})
        index.delete(["a"])
        index.compact()
    code, out, _ = sightline("verify", "--gone", "a", "--index", tmp_path / "i")
    assert code == 1
    assert "deleted not measured" in " ".join(out.split())
    code, out, _ = sightline("verify", "--gone", "a", "--json", "--index", tmp_path / "i")
    told = json.loads(out)
    assert (code, told["clean"], told["deleted"]["left"]) == (1, False, [])
    assert told["deleted"]["unseen"]
    assert (told["deleted"]["clean"], told["deleted"]["proved"]) == (True, False)


def test_a_command_that_waits_for_a_compaction_says_so(
    folder: Path, sightline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacting, "TELL_EVERY_S", 0.01)
    code, _, err = sightline("delete", "kept.txt", "--index", folder)  # too small to be compacted by itself
    assert (code, err) == (0, "")
    monkeypatch.setattr(compacting, "LEAST_BYTES", 1)
    real = compacting.Compactions.now

    def slowly(self: compacting.Compactions) -> CompactReport:
        time.sleep(0.2)
        return real(self)

    monkeypatch.setattr(compacting.Compactions, "now", slowly)
    code, out, err = sightline("delete", "changed.txt", "--json", "--index", folder)
    assert (code, json.loads(out)["deleted"]) == (0, 1)
    assert err.count("\n") == 1
    assert err.startswith("sightline: removing for good what was deleted …")
    assert sightline("verify", "--deleted", "--index", folder)[0] == 0


def test_without_an_index_it_says_so(tmp_path: Path, sightline: Run) -> None:
    code, _, err = sightline("compact", "--index", tmp_path / "nowhere")
    assert code == 2
    assert "no index at" in err
