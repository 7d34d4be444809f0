"""`sightline export`, `import`, `snapshot` and `restore` on a terminal: what they say, and how they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from service.cli import main


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an index of two mugs in it, which is where commands run."""
    rows = [{"id": f"mug-{number}", "title": f"Mug {number}", "price": number} for number in (1, 2)]
    (tmp_path / "mugs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "index", "mugs.jsonl")["added"] == 2
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command says as JSON."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    assert ended.value.code == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that succeeds says on a terminal."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence of a command that the user must mend."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err


def test_out_of_one_index_into_another(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "export", "out", "--format", "jsonl")
    assert (report["items"], report["folder"]) == (2, "out")
    assert "2 items" in said(capsys, "export", "tables")
    report = run(capsys, "import", "out", "--index", "elsewhere", "--store", "qdrant")
    assert (report["added"], report["overwritten"], report["embedded"]) == (2, 0, 0)
    assert "0 added, 2 overwritten" in said(capsys, "import", "tables", "--index", "elsewhere")
    assert run(capsys, "search", "mug 2", "-k", "1", "--index", "elsewhere")["hits"][0]["id"] == "mug-2"
    assert run(capsys, "index", "mugs.jsonl", "--index", "elsewhere")["unchanged"] == 2


def test_a_part_of_a_collection_without_vectors(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "export", "dear", "--where", "price > 1", "--no-vectors")
    assert (report["items"], report["vectors"]) == (1, 0)
    assert "--embed" in refused(capsys, "import", "dear", "--collection", "dear")
    assert not (shop / ".sightline" / "collections" / "dear").exists()
    assert run(capsys, "import", "dear", "--collection", "dear", "--embed")["embedded"] > 0
    assert "'weight'" in refused(capsys, "export", "x", "--where", "weight > 1")
    assert not (shop / "x").exists()


def test_what_is_refused_leaves_nothing(shop: Path, capsys: pytest.CaptureFixture[str], other: str) -> None:
    run(capsys, "export", "out")
    assert "there already" in refused(capsys, "export", "out")
    run(capsys, "export", "out", "--force")
    assert "no export" in refused(capsys, "import", "mugs.jsonl", "--collection", "new")
    assert "nowhere does not exist" in refused(capsys, "import", "nowhere", "--collection", "new")
    assert "--embed" in refused(capsys, "import", "out", "--collection", "new", "--encoder", other)
    assert "cannot be opened here" in refused(capsys, "import", "out", "--collection", "new", "--encoder", "onnx:none")
    shutil.copy("mugs.jsonl", "out/items.parquet")
    assert "items.parquet: was torn" in refused(capsys, "import", "out", "--collection", "new")
    assert [path.name for path in (shop / ".sightline" / "collections").iterdir()] == ["default"]
    assert "was torn" in refused(capsys, "import", "out", "--index", "elsewhere")
    assert not (shop / "elsewhere").exists()
    assert "no index at" in refused(capsys, "export", "x", "--index", "nowhere")


def test_a_day_with_snapshots(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is none" in said(capsys, "snapshot", "--list")
    assert run(capsys, "snapshot", "--name", "morning")["items"] == 2
    assert "2 items" in said(capsys, "snapshot")
    assert [one["items"] for one in run(capsys, "snapshot", "--list")["snapshots"]] == [2, 2]
    assert "morning" in said(capsys, "snapshot", "--list")
    assert "snapshots 2" in said(capsys, "info")
    run(capsys, "delete", "mug-1")
    assert "--force" in refused(capsys, "restore", "morning")
    assert run(capsys, "restore", "morning", "--collection", "new")["collection"] == "new"
    assert "2 items" in said(capsys, "restore", "morning", "--force")
    assert run(capsys, "info")["items"] == 2
    assert run(capsys, "snapshot", "--remove", "morning") == {"removed": "morning"}
    assert "no snapshot 'morning'" in refused(capsys, "restore", "morning")
    assert "one at a time" in refused(capsys, "snapshot", "--list", "--name", "x")
    assert "name is made of" in refused(capsys, "snapshot", "--name", "../x")


def test_an_export_of_nothing_says_so(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing passes --where price > 100" in told(capsys, "export", "out", "--where", "price > 100")


def test_a_snapshot_says_how_it_is_put_back(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = told(capsys, "snapshot", "--name", "now").splitlines()[-1].partition("put back with: ")[2]
    assert command == "sightline restore now --force"
    assert "is as it was" in told(capsys, *command.split()[1:])


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says to a person."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    assert ended.value.code in (0, None), capsys.readouterr().err
    return capsys.readouterr().out
