"""A text encoder beside the main one goes along where it is the same one; texts are embedded where it is another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import ConfigError, EngineError, PassportMismatch, SightlineError, UnreadableSource
from sightline.protocols import Encoder
from sightline.texts import texts_only
from sightline.transfer import ImportReport, manifest, restore
from sightline.types import Content, Vectors
from tests.indexer.grid import GridEncoder
from tests.soak.shop import BACK, TURNED, Opened
from tests.transfer.collections import contents, edit, opened, refused, shop, sign
from tests.transfer.test_kills import kills
from tests.transfer.test_strangers import encoded

SPACES = {"grid": "9" * 64, TURNED: "8" * 64, BACK: "7" * 64}
TEXTS, PARTS = 3, 6  # of the shop: a text has a part, and so has a picture


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return shop(tmp_path / "shop", 3)


@pytest.fixture
def filled(tmp_path: Path, source: Path) -> Iterator[Opened]:
    with opened(tmp_path / "filled", text_encoder=TURNED) as index:
        index.add(source)
        yield index


@pytest.fixture
def export(tmp_path: Path, filled: Opened) -> Path:
    filled.transfer.export(tmp_path / "out", format="jsonl")
    return tmp_path / "out"


@pytest.fixture
def plain(tmp_path: Path, source: Path) -> Path:
    """An export of the same without a text encoder."""
    with opened(tmp_path / "plain") as index:
        index.add(source)
        index.transfer.export(tmp_path / "plain-out", format="jsonl")
    return tmp_path / "plain-out"


def built(folder: Path, source: Path, text_encoder: str | None) -> dict[str, Any]:
    """What indexing anew makes of it: items and vectors."""
    with opened(folder, text_encoder=text_encoder) as index:
        index.add(source)
        return stored(index)


def stored(index: Opened) -> dict[str, Any]:
    return {name: one[:2] for name, one in contents(index).items()}


def counts(report: ImportReport) -> tuple[int, int, int]:
    """Items, vectors taken over, parts embedded."""
    return report.added + report.overwritten, report.vectors, report.embedded


def text_encoder_of(index: Opened) -> str | None:
    passport = index._control.texts.role.passport
    return passport.space if passport else None


def manifest_of(export: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((export / manifest.FILE).read_text())
    return told


# -- it goes along -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "store"), [("parquet", "faiss"), ("jsonl", "qdrant::memory:")])
def test_an_empty_collection_takes_the_text_encoder_over_and_embeds_nothing(
    tmp_path: Path, filled: Opened, source: Path, format: str, store: str
) -> None:
    told = filled.transfer.export(tmp_path / "out", format=format)  # type: ignore[arg-type]
    asked = [hit.item.id for hit in filled.search("note number 1")]
    with opened(tmp_path / "new", store) as new:
        report = new.transfer.take_in(tmp_path / "out")
        assert (counts(report), report.notes) == ((6, told.vectors, 0), ())
        assert contents(new) == contents(filled)
        assert (new.info()["text_encoder"], new.info()["migration"]) == (TURNED, None)
        assert [hit.item.id for hit in new.search("note number 1")] == asked
        assert new.add(source).unchanged == 6
        assert new.transfer.take_in(tmp_path / "out").embedded == 0  # onto itself
        assert contents(new).keys() == contents(filled).keys()


def test_a_collection_of_the_same_text_encoder_takes_its_vectors_over(tmp_path: Path, export: Path) -> None:
    with opened(tmp_path / "new", text_encoder=TURNED) as new:
        new.add({"id": "mine", "title": "A thing of my own"})
        assert counts(new.transfer.take_in(export)) == (6, PARTS + TEXTS, 0)
        assert not new._ledger.register.unfinished()


def test_texts_that_an_export_left_without_a_vector_are_embedded(tmp_path: Path, export: Path, source: Path) -> None:
    edit(export, "vectors-2", lambda rows: rows.pop())
    with opened(tmp_path / "new") as new:
        assert counts(new.transfer.take_in(export)) == (6, PARTS + TEXTS - 1, 1)
        assert stored(new) == built(tmp_path / "anew", source, TURNED)
        assert new.add(source).unchanged == 6


def test_an_emptied_collection_has_the_text_encoder_of_the_export_and_no_other_space(
    tmp_path: Path, export: Path
) -> None:
    with opened(tmp_path / "new", text_encoder=BACK) as new:
        new.add({"id": "mine", "title": "A thing of my own"})
        new.delete(["mine"])
    with opened(tmp_path / "new") as new:
        assert new.transfer.take_in(export).embedded == 0
        assert text_encoder_of(new) == TURNED
        assert sorted(new._store.spaces()) == sorted([SPACES["grid"], SPACES[TURNED]])
        assert new.info()["migration"] is None


# -- it stays behind ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mine", [None, BACK])
def test_vectors_of_a_text_encoder_that_is_not_the_one_here_are_left_out(
    tmp_path: Path, export: Path, source: Path, mine: str | None
) -> None:
    with opened(tmp_path / "new", text_encoder=mine) as new:
        new.add({"id": "mine", "title": "A thing of my own"})
        report = new.transfer.take_in(export)
        assert counts(report) == (6, PARTS, TEXTS if mine else 0)
        assert TURNED in report.notes[0]
        assert ("sightline migrate --text-encoder" in report.notes[0]) is ("left out" in report.notes[0])
        got = stored(new)
        assert SPACES[TURNED] not in new._store.spaces()
        assert (text_encoder_of(new), new.info()["migration"]) == (mine, None)
        assert new.add(source).unchanged == 6
        if mine is None:
            assert new.migrate(text_encoder=TURNED).texts == TEXTS + 1
    expected = built(tmp_path / "anew", source, mine)
    assert {name: got[name] for name in expected} == expected


@pytest.mark.parametrize("empty", [True, False])
def test_texts_of_an_export_without_a_text_encoder_are_embedded_by_the_one_here(
    tmp_path: Path, plain: Path, source: Path, empty: bool
) -> None:
    with opened(tmp_path / "new", text_encoder=TURNED) as new:
        new.add({"id": "mine", "title": "A thing of my own"})
        if empty:
            new.delete(["mine"])
    with opened(tmp_path / "new") as new:
        assert counts(new.transfer.take_in(plain)) == (6, PARTS, TEXTS)
        got, expected = stored(new), built(tmp_path / "anew", source, TURNED)
        assert {name: got[name] for name in expected} == expected
        assert (text_encoder_of(new), new.add(source).unchanged) == (TURNED, 6)


def test_vectors_that_claim_to_be_of_the_text_encoder_here_are_not_believed(
    tmp_path: Path, export: Path, source: Path
) -> None:
    """They lie in its space, and the export does not say that its answers are those given here."""
    passport = manifest_of(export)["text_passport"]
    probes = encoded(np.roll(np.eye(16, 49), 3, axis=1))
    shutil.copytree(export, tmp_path / "silent")
    sign(tmp_path / "silent", text_passport=passport | {"probes": ""})
    shutil.copytree(export, tmp_path / "half-done")
    told = manifest_of(export)
    sign(tmp_path / "half-done", text_passport=passport | {"fingerprint": "e" * 64, "space": "else"})
    sign(export, text_passport=passport | {"probes": probes})
    expected = built(tmp_path / "anew", source, TURNED)
    assert told["spaces"][1]["fingerprint"] == passport["fingerprint"]
    for number, folder in enumerate((export, tmp_path / "silent", tmp_path / "half-done")):
        edit(folder, "vectors-2", lambda rows: [row.update(vector=[1.0] + [0.0] * 48) for row in rows])
        with opened(tmp_path / str(number), text_encoder=TURNED) as new:
            new.add({"id": "mine", "title": "A thing of my own"})
            assert counts(new.transfer.take_in(folder)) == (6, PARTS, TEXTS)
            got = stored(new)
            assert {name: got[name] for name in expected} == expected


def test_a_half_done_migration_still_goes_along(tmp_path: Path, export: Path) -> None:
    passport = manifest_of(export)["text_passport"]
    told = manifest_of(export)
    del told["text_passport"]
    (export / manifest.FILE).write_text(json.dumps(told))
    sign(export)  # as if these were the vectors of a migration
    with opened(tmp_path / "new") as new:
        assert counts(new.transfer.take_in(export)) == (6, PARTS + TEXTS, 0)
        assert (text_encoder_of(new), new.info()["migration"]["done"]) == (None, TEXTS)
        assert new.migrate(text_encoder=TURNED).texts == TEXTS  # again, for nobody knows what answered so
        assert new._control.texts.role.passport.fingerprint == passport["fingerprint"]  # type: ignore[union-attr]


# -- as it is asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "embedded"), [("none", 0), (BACK, TEXTS), (TURNED, 0)])
def test_the_text_encoder_that_is_asked_for_is_that_of_a_new_collection(
    tmp_path: Path, export: Path, source: Path, asked: str, embedded: int
) -> None:
    with opened(tmp_path / "new", text_encoder=asked) as new:
        report = new.transfer.take_in(export)
        assert counts(report) == (6, PARTS + (TEXTS if asked == TURNED else 0), embedded)
        assert [TURNED in note for note in report.notes] == ([] if asked == TURNED else [True])
        assert text_encoder_of(new) == (None if asked == "none" else asked)
        assert stored(new) == built(tmp_path / "anew", source, asked)


def nothing_written(new: Opened, export: Path, error: type[SightlineError], match: str, **how: Any) -> None:
    refused(new, export, error, match, **how)
    assert (new._ledger.passport(), text_encoder_of(new), new._store.spaces()) == (None, None, [])


def test_a_text_encoder_that_is_the_encoder_is_refused(tmp_path: Path, export: Path) -> None:
    with opened(tmp_path / "new", text_encoder="grid") as new:
        for embed in (False, True):
            nothing_written(new, export, ConfigError, "without --text-encoder", embed=embed)


def test_a_text_encoder_that_is_not_here_is_refused_and_done_without(
    tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(spec: str) -> Encoder:
        raise ConfigError(f"{spec} is not here")

    with opened(tmp_path / "new") as new:
        monkeypatch.setattr(new._control.texts.role, "other", gone)
        for embed in (False, True):
            match = "cannot be opened here: turned is not here.*Nothing was written.*--text-encoder none"
            nothing_written(new, export, ConfigError, match, embed=embed)
    with opened(tmp_path / "new", text_encoder="none") as new:
        monkeypatch.setattr(new._control.texts.role, "other", gone)
        assert counts(new.transfer.take_in(export)) == (6, PARTS, 0)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"probes": encoded(np.roll(np.eye(16, 49), 3, axis=1))}, "gives others here.*comes out differently"),
        ({"probes": ""}, "does not say what 'turned' answered to the probes"),
        ({"fingerprint": "e" * 64}, "cannot be compared"),
    ],
)
def test_a_text_encoder_that_gives_other_vectors_than_it_gave_is_refused(
    tmp_path: Path, export: Path, source: Path, changed: dict[str, Any], match: str
) -> None:
    sign(export, text_passport=manifest_of(export)["text_passport"] | changed)
    with opened(tmp_path / "new") as new:
        nothing_written(new, export, PassportMismatch, f"{match}.*Nothing was written.*--embed.*--text-encoder none")
        assert new.transfer.take_in(export, embed=True).embedded == PARTS + TEXTS
        assert stored(new) == built(tmp_path / "anew", source, TURNED)


def test_a_text_passport_that_tells_other_things_than_are_so_here_is_refused(
    tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "new") as new:
        weighed = GridEncoder()
        weighed.space = replace(new._control.whole.other(TURNED).space, made_of={"weights": "these"})
        monkeypatch.setattr(weighed, "encode_documents", new._control.whole.other(TURNED).encode_documents)
        monkeypatch.setattr(new._control.texts.role, "other", lambda spec: texts_only(weighed))
        for weights in ("others", "these"):
            sign(export, text_passport=manifest_of(export)["text_passport"] | {"made_of": {"weights": weights}})
            if weights == "others":
                nothing_written(new, export, PassportMismatch, "tells other things of 'turned'.*--text-encoder none")
        assert new.transfer.take_in(export).embedded == 0


@pytest.mark.parametrize("asked", [None, "none", BACK])
def test_with_embed_texts_are_embedded_by_the_text_encoder_too(
    tmp_path: Path, export: Path, source: Path, asked: str | None
) -> None:
    with opened(tmp_path / "new", text_encoder=asked) as new:
        report = new.transfer.take_in(export, embed=True)
        assert (counts(report), report.notes) == ((6, 0, PARTS + (0 if asked == "none" else TEXTS)), ())
        assert stored(new) == built(tmp_path / "anew", source, asked or TURNED)
        assert new.add(source).unchanged == 6


# -- what the manifest says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"dim": 0}, "0 numbers a vector"),
        ({"dim": 7}, "encoder that gives 7|probes of another width"),
        ({"probes": "!"}, "probes that are not base64"),
        ({"probes": encoded(np.full((16, 49), np.nan))}, "probes that are not finite"),
        ({"probes": encoded(np.zeros((300, 49)))}, "more than 256"),
        ({"probes": "", "dim": 48}, "vectors of 49 numbers, of an encoder that gives 48"),
        ({"space": 7}, "'7' where there should be a text"),
        ({"fingerprint": SPACES["grid"]}, "a text encoder that is the encoder"),
        (None, "TypeError"),
    ],
)
def test_a_text_passport_that_makes_no_sense_is_refused(
    tmp_path: Path, export: Path, changed: dict[str, Any] | None, reason: str
) -> None:
    told = manifest_of(export)["text_passport"]
    sign(export, text_passport=None if changed is None else told | changed)
    with opened(tmp_path / "new") as new:
        match = f"{manifest.FILE}: makes no sense: .*({reason}).*Nothing was written"
        nothing_written(new, export, UnreadableSource, match)


def test_an_export_without_a_text_encoder_says_nothing_of_one(plain: Path) -> None:
    assert "text_passport" not in manifest_of(plain)


# -- in the middle, and whole ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("embed", [False, True])
def test_an_import_whose_text_encoder_fails_goes_on_from_there(
    tmp_path: Path, plain: Path, source: Path, monkeypatch: pytest.MonkeyPatch, embed: bool
) -> None:
    with opened(tmp_path / "new", text_encoder=TURNED, batch_size=1) as new:
        new.add({"id": "mine", "title": "A thing of my own"})
        encoder = new._control.texts.role.other(TURNED).plain  # type: ignore[attr-defined]
        embeds, done = encoder.encode_documents, list[object]()

        def failing(contents: Sequence[Content]) -> Vectors:
            done.extend(contents)
            if len(done) == TEXTS:
                raise EngineError("out of memory")
            return embeds(contents)  # type: ignore[no-any-return]

        monkeypatch.setattr(encoder, "encode_documents", failing)
        with pytest.raises(EngineError, match="out of memory"):
            new.transfer.take_in(plain, embed=embed)
        doubted = {name for name, (_, _, record, _) in contents(new).items() if record and not record.digest}
        assert doubted == {f"{n}.{kind}" for n in range(3) for kind in (["txt", "png"] if embed else ["txt"])}
        assert counts(new.transfer.take_in(plain, embed=embed)) == (6, 0 if embed else PARTS, 1)
        got, expected = stored(new), built(tmp_path / "anew", source, TURNED)
        assert {name: got[name] for name in expected} == expected
        assert new.add(source).unchanged == 6


def import_it(folder: Path) -> None:
    with opened(folder / "index") as index:
        index.transfer.take_in(folder / "export")


@pytest.mark.parametrize("empty", [True, False])
def test_a_killed_import_that_embeds_texts_goes_on(tmp_path: Path, plain: Path, export: Path, empty: bool) -> None:
    """Until their vectors are there, no text counts as unchanged."""
    shutil.copytree(plain if not empty else export, tmp_path / "export")
    with opened(tmp_path / "index", text_encoder=TURNED) as index:
        if empty:
            edit(tmp_path / "export", "vectors-2", lambda rows: rows.pop(0))
        else:
            index.add({"id": "mine", "title": "A thing of my own"})
    expected: dict[str, Any] = {}
    for folder, moment in kills(import_it, tmp_path):
        if not expected:
            with opened(tmp_path / "whole" / "index") as index:
                expected = contents(index)
        with opened(folder / "index") as index:
            left = contents(index)
            for name, (item, vectors, record, _) in left.items():
                whole = vectors == expected[name][1]
                assert whole or record is None or record.digest != item.digest, (moment, name)
        import_it(folder)
        with opened(folder / "index") as index:
            assert contents(index) == expected
            assert text_encoder_of(index) == TURNED


def test_a_restored_snapshot_has_the_text_encoder_that_it_had(tmp_path: Path, filled: Opened, source: Path) -> None:
    before, asked, index = contents(filled), filled.search("note number 1").hits, filled.settings.index
    filled.transfer.snapshot("first")
    filled.migrate(text_encoder="none")
    assert text_encoder_of(filled) is None
    filled.close()
    restore(index, "default", "first", force=True)
    restore(index, "default", "first", into="beside")
    for name in ("default", "beside"):
        with opened(index, collection=name) as again:
            assert contents(again) == before
            assert (again.info()["text_encoder"], again.info()["migration"]) == (TURNED, None)
            assert again.search("note number 1").hits == asked
            assert again.add(source).unchanged == 6
