"""`sightline verify --passport` and `--recall`: what is measured, what is said not to be, when a promise is broken."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from indexer.ledger import FILE
from service.promises import titles_of
from sightline import admission
from sightline.asking import PHRASES
from sightline.engine import Sightline
from sightline.places import collection_folder
from sightline.stores.faiss import FaissStore
from sightline.stores.faiss_held import Held
from sightline.types import PartHit
from tests.service.conftest import COLOURS, draw

Run = Callable[..., tuple[int, str, str]]


def words(printed: str) -> str:
    """Without the line breaks of a narrow terminal."""
    return " ".join(printed.split())


def change(index: Path, sql: str, *values: object) -> None:
    """Change the ledger behind everybody's back."""
    with closing(sqlite3.connect(collection_folder(index, "default") / FILE)) as db:
        db.execute(sql, values)
        db.commit()


def test_both_promises_are_measured_and_said_to_be_kept(own_index: Path, sightline: Run) -> None:
    code, out, _ = sightline("verify", "--passport", "--recall", "--index", own_index)
    assert code == 0
    assert "passport kept weights and settings are those of starter" in words(out)
    assert "16 probes 1.0000" in words(out)
    assert "recall kept recall@10 among 8 image vectors, exact: text queries 1.000" in words(out)
    assert "n=9), image queries 1.000" in words(out)  # eight products and a document have a title
    assert "recall kept recall@10 among 18 text vectors" in words(out)


def test_photos_without_words_are_asked_by_phrases_and_what_was_not_measured_is_said_aloud(
    tmp_path: Path, sightline: Run
) -> None:
    (tmp_path / "photos").mkdir()
    for name, colour in COLOURS.items():
        draw(tmp_path / "photos" / f"{name}.png", "bowl", colour)
    sightline("index", tmp_path / "photos", "--index", tmp_path / "i")
    code, out, _ = sightline("verify", "--recall", "--index", tmp_path / "i")
    assert code == 0
    assert "recall kept recall@10 among 4 image vectors, exact: text queries 1.000" in words(out)
    told = json.loads(sightline("verify", "--recall", "--json", "--index", tmp_path / "i")[1])
    (certificate,) = told["recall"]["certificates"]
    assert [(one["queries"], one["probes"]) for one in certificate["measured"]] == [
        ("text", len(PHRASES)),
        ("image", 4),
    ]
    store = FaissStore(collection_folder(tmp_path / "i", "default"))  # whom nobody tells what to ask
    with Sightline.open(tmp_path / "i") as opened:
        store.build(opened.plain_encoder.space, kind="int8")
    store.close()
    told = sightline("info", "--index", tmp_path / "i")[1]
    assert "text queries not measured, image queries 1.000" in words(told)
    assert "n=4, too few)" in words(told)


def test_an_index_that_finds_too_little_breaks_its_promise(
    own_index: Path, sightline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = Held.search

    def nearest_only(self: Held, *asked: Any, **how: Any) -> list[list[PartHit]]:
        return [hits[:2] for hits in searched(self, *asked, **how)]

    monkeypatch.setattr(Held, "search", nearest_only)
    code, out, _ = sightline("verify", "--recall", "--index", own_index)
    assert code == 1
    assert "recall broken recall@10 among 8 image vectors, exact: text queries 0.250" in words(out)
    told = json.loads(sightline("verify", "--recall", "--json", "--index", own_index)[1])
    assert (told["clean"], told["recall"]["clean"]) == (False, False)


def test_what_was_measured_of_a_built_index_is_kept_with_it(own_index: Path, sightline: Run) -> None:
    folder = collection_folder(own_index, "default")
    with Sightline.open(own_index) as opened:
        space = opened.plain_encoder.space
    store = FaissStore(folder)
    store.build(space, kind="int8")
    store.close()
    assert "text queries 1.000 (0.824-1.000, n=18, too few)" in words(sightline("info", "--index", own_index)[1])
    code, out, _ = sightline("verify", "--recall", "--index", own_index)
    assert code == 0
    assert "among 8 image vectors, int8: text queries 1.000 (0.701-1.000, n=9, too few)" in words(out)
    assert "text queries 1.000 (0.701-1.000, n=9, too few)" in words(sightline("info", "--index", own_index)[1])


def test_other_answers_to_the_probes_break_the_passport(own_index: Path, sightline: Run) -> None:
    with Sightline.open(own_index) as opened:
        answers = opened.plain_encoder.encode_documents([("another text",)] * 12)
    change(own_index, "UPDATE meta SET value = ? WHERE key = 'passport.probes'", answers.astype("<f4").tobytes())
    code, out, _ = sightline("verify", "--index", own_index)
    assert code == 1
    assert "passport broken" in words(out)
    assert 'the text "a red mug with blue stripes" comes out differently (cosine' in words(out)
    assert "recall not looked at it needs the encoder that built the index" in words(out)
    assert "catalog not looked at" in words(out)
    told = json.loads(sightline("verify", "--json", "--index", own_index)[1])
    assert "comes out differently" in told["passport"]["problem"]
    assert told["recall"] == {"clean": False, "not_looked_at": "it needs the encoder that built the index"}
    code, _, err = sightline("verify", "--recall", "--index", own_index)  # there it is in the way, and not the answer
    assert code == 2
    assert "comes out differently" in err
    code, out, _ = sightline("verify", "--catalog", "--index", own_index)
    assert code == 1
    assert "comes out differently" in out


def test_without_its_encoder_all_is_looked_at_that_needs_none(
    tmp_path: Path, shop: Path, other: str, sightline: Run
) -> None:
    index, source = tmp_path / "i", shutil.copytree(shop, tmp_path / "shop")
    assert sightline("index", source / "catalog.jsonl", "--index", index, "--encoder", other)[0] == 0
    (source / "bowl-red.png").unlink()
    shutil.rmtree(other.removeprefix("onnx:"))
    admission.opened.cache_clear()  # as in a new process
    code, out, _ = sightline("verify", "--index", index)
    assert code == 1
    told = words(out)
    assert f"passport not looked at the encoder cannot be opened: no encoder in {other.removeprefix('onnx:')}" in told
    assert "recall not looked at it needs the encoder that built the index" in told
    assert "deleted kept" in told
    assert "catalog not looked at nothing was compared, and no text measured: it needs the encoder" in told
    assert "found 8 items looked at" in told
    assert "bowl-red.png of bowl-red: the file is no longer there" in told
    code, out, _ = sightline("verify", "--json", "--index", index)
    document = json.loads(out)
    assert (code, document["clean"], document["deleted"]["clean"]) == (1, False, True)
    assert "no encoder in" in document["passport"]["not_looked_at"]
    assert document["catalog"]["not_compared"] == document["recall"]["not_looked_at"]
    code, out, _ = sightline("verify", "--catalog", "--index", index)
    assert code == 1
    assert "no text measured: no encoder in" in words(out)
    code, _, err = sightline("verify", "--recall", "--index", index)
    assert code == 2
    assert "no encoder in" in err


def test_other_weights_break_the_passport(own_index: Path, sightline: Run) -> None:
    change(own_index, "UPDATE meta SET value = 'f00d' WHERE key = 'passport.fingerprint'")
    code, out, _ = sightline("verify", "--passport", "--index", own_index)
    assert code == 1
    assert "fingerprint f00d" in words(out)


def test_an_index_without_probes_says_that_its_answers_were_not_measured(own_index: Path, sightline: Run) -> None:
    change(own_index, "DELETE FROM meta WHERE key = 'passport.probes'")
    code, out, _ = sightline("verify", "--passport", "--index", own_index)
    assert code == 0
    assert "probes were not kept when it was built, so its answers were not measured" in words(out)


def test_an_empty_index_promises_nothing_yet(tmp_path: Path, sightline: Run) -> None:
    Sightline.open(tmp_path / "i").close()
    code, out, _ = sightline("verify", "--passport", "--recall", "--index", tmp_path / "i")
    assert code == 0
    assert "passport not measured nothing was indexed yet" in words(out)
    assert "recall not measured there are no vectors" in words(out)


def test_each_title_is_asked_once_whoever_has_it(tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "i") as opened:
        opened.add(*({"id": name, "title": name.upper(), "text": "about cups"} for name in "abc"))
        opened.add({"id": "d", "title": "A", "text": "about bowls"}, {"id": "e", "text": "without a title"})
        assert titles_of(opened, lambda what, done, total: None) == ["A", "B", "C"]
