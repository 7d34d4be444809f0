"""Builds of the `faiss` store beside others who write, delete and build: nothing is missed, nobody's files are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.disk import make_folder
from sightline.errors import ConfigError, EngineError
from sightline.lock import locked
from sightline.stores import faiss_background, faiss_build, faiss_built, faiss_exact, faiss_files, faiss_measure, sqlite
from sightline.stores.faiss import FaissStore
from sightline.stores.faiss_build import Plan
from sightline.types import PartVectors
from tests.contracts.catalogs import OTHER, SPACE, found, item, pictures, unit

N = 1500
NEVER = Plan(build_from=10**9)  # builds when told to, and then only


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaissStore]:
    """A collection of N pictures without an index."""
    opened = FaissStore(tmp_path, plan=NEVER)
    opened.upsert(*pictures(N)[:2])
    yield opened
    opened.close()


def before(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, do: Callable[[], object]) -> None:
    """Have something done before the first call of a function."""
    real, waiting = getattr(owner, name), [do]

    def call(*given: Any, **how: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*given, **how)

    monkeypatch.setattr(owner, name, call)


def change(store: FaissStore, what: str) -> None:
    """Delete every tenth picture, or write it again as it is."""
    items, vectors, _ = pictures(N)
    if what == "delete":
        store.delete([one.id for one in items[::10]])
    else:
        store.upsert(items[::10], vectors[::10])


@pytest.mark.parametrize("what", ["delete", "update"])
def test_what_changes_between_reading_and_measuring_is_not_held_against_the_index(
    store: FaissStore, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    before(monkeypatch, faiss_build, "recalls", lambda: change(store, what))
    (built,) = store.build(SPACE, kind="int8")
    assert (built.kind, built.measured[0].recall) == ("int8", 1.0)


@pytest.mark.parametrize("what", ["delete", "update"])
def test_nor_against_the_searches_that_verify_asks(
    store: FaissStore, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    store.build(SPACE, kind="int8")
    before(monkeypatch, faiss_measure, "Held", lambda: change(store, what))
    (told,) = store.verify(SPACE)
    assert told.measured[0].recall == 1.0
    assert told.measured[0].probes > 150


def test_what_was_all_written_again_meanwhile_is_measured_as_it_is_now(
    store: FaissStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, faiss_measure, "Held", lambda: store.upsert(*pictures(N)[:2]))
    (told,) = store.verify(SPACE)
    assert (told.measured[0].recall, told.measured[0].probes) == (1.0, 200)


def test_files_of_one_build_outlast_another_process_that_builds_meanwhile(
    store: FaissStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [item(f"text-{i:03d}", ("title", "text", f"w {i}")) for i in range(300)]
    rows = unit(300, seed=3)
    store.upsert(texts, [PartVectors(one.parts[0].id, SPACE, rows[i : i + 1]) for i, one in enumerate(texts)])
    other, real = FaissStore(tmp_path, plan=NEVER), faiss_files.finished
    calls = []

    def finished(folder: Path, name: str) -> tuple[int, str]:
        told = real(folder, name)
        calls.append(name)
        if len(calls) == 1:  # pictures are done, texts are not
            faiss_build.build(other._database, tmp_path / "indexes", SPACE, NEVER, {})  # one that takes no lock
        return told

    monkeypatch.setattr(faiss_files, "finished", finished)
    store.build(SPACE)
    with store._database.reading() as connection:
        records = faiss_files.records(connection)
    assert [(one.modality, faiss_files.is_sound(one, tmp_path / "indexes")) for one in records] == [
        ("image", True), ("text", True)
    ]  # fmt: skip
    assert found(other, unit(N)[7], 1) == ["item-007"]
    assert "damaged" not in other.stats().why
    other.close()


def test_a_build_waits_for_other_writers_longer_than_a_write_does(
    store: FaissStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, refusals = faiss_build._put, [True] * 5

    def busy(*given: Any) -> None:
        if refusals:
            refusals.pop()
            raise ConfigError("it is being written by another process")
        put(*given)

    monkeypatch.setattr(faiss_build, "_put", busy)
    store.build(SPACE)
    assert len(store.certificates()) == 1
    refusals.extend([True] * (faiss_build.PATIENCE + 1))
    with pytest.raises(ConfigError, match="being written"):
        store.build(SPACE)
    assert len(refusals) == 1


def test_of_two_processes_one_builds(store: FaissStore, tmp_path: Path) -> None:
    make_folder(tmp_path / "indexes")
    other = FaissStore(tmp_path, plan=Plan(build_from=N, background=False))
    with locked(tmp_path / "indexes" / "building"):
        other.upsert([item("new", ("x", "image", None))], [PartVectors("new#x", SPACE, unit(1, seed=9))])
        assert other.certificates() == []
    other.upsert([item("new", ("x", "image", None))], [PartVectors("new#x", SPACE, unit(1, seed=9))])
    assert [one.vectors for one in other.certificates()] == [N + 1]
    other.close()


def test_what_is_written_while_a_build_runs_is_built_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items, vectors, _ = pictures(900)
    store = FaissStore(tmp_path, plan=Plan(build_from=200))
    before(monkeypatch, faiss_build, "_put", lambda: store.upsert(items[300:], vectors[300:]))
    store.upsert(items[:300], vectors[:300])
    store._builds.wait()
    assert [one.vectors for one in store.certificates()] == [900]
    store.close()


def test_closing_looks_once_more(tmp_path: Path) -> None:
    items, vectors, _ = pictures(400)
    store = FaissStore(tmp_path, plan=Plan(build_from=300))
    store.upsert(items[:200], vectors[:200])  # too few
    store.upsert(items[200:], vectors[200:])  # too soon to look again
    assert store.certificates() == []
    store.close()
    again = FaissStore(tmp_path, plan=NEVER)
    assert [one.vectors for one in again.certificates()] == [400]
    again.close()


def test_an_index_is_dropped_when_too_few_are_left_for_one(tmp_path: Path) -> None:
    items, vectors, rows = pictures(400)
    store = FaissStore(tmp_path, plan=Plan(build_from=300, background=False))
    store.upsert(items, vectors)
    store.delete([one.id for one in items[:90]])
    assert [one.vectors for one in store.certificates()] == [400]
    store.delete([one.id for one in items[90:120]])
    assert store.certificates() == []
    assert found(store, rows[200], 1) == ["item-200"]
    store.close()


@pytest.mark.parametrize("left", [0, 3])
def test_a_build_whose_vectors_go_meanwhile_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    items, vectors, rows = pictures(600)
    store = FaissStore(tmp_path, plan=Plan("ivf-int8", build_from=500))
    before(monkeypatch, faiss_build, "asked_of", lambda: store.delete([one.id for one in items[left:]]))
    store.upsert(items, vectors)
    store._builds.wait()
    assert store._builds.problem == ""
    store.close()
    again = FaissStore(tmp_path, plan=NEVER)
    assert len(found(again, rows[0], 10)) == left
    again.close()


def test_a_build_that_faiss_refuses_is_told_and_searches_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("Error in faiss::Clustering\nError: 'nx >= k' failed")

    monkeypatch.setattr(faiss_build, "trained", refuse)
    items, vectors, rows = pictures(400)
    store = FaissStore(tmp_path, plan=Plan(build_from=300))
    store.upsert(items, vectors)
    store._builds.wait()
    assert "FAISS cannot build an index" in store.stats().why
    assert found(store, rows[3], 1) == ["item-003"]
    with pytest.raises(EngineError, match="'nx >= k' failed"):
        store.build(SPACE)
    store.close()


def test_a_space_that_another_process_forgot_leaves_memory_and_disk(store: FaissStore, tmp_path: Path) -> None:
    parts, rows = [one.part_id for one in pictures(N)[1]], unit(N, seed=5, dim=OTHER.dim)
    store.add_vectors([PartVectors(part, OTHER, rows[i : i + 1]) for i, part in enumerate(parts)])
    store.build(SPACE)
    assert found(store, unit(N)[7], 1) == ["item-007"]
    other = FaissStore(tmp_path, plan=NEVER)
    other.forget_space(SPACE.fingerprint)
    assert list((tmp_path / "indexes").glob("*.faiss")) == []
    store.search(OTHER, rows[:1], 1)
    assert list(store._spaces) == [OTHER.fingerprint]
    other.close()


def test_a_space_forgotten_during_its_build_gets_no_index(
    store: FaissStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, faiss_build, "_put", lambda: store.forget_space(SPACE.fingerprint))
    store.build(SPACE)
    assert store.certificates() == []
    assert list((tmp_path / "indexes").glob("*.*")) == []


def test_a_certificate_says_when_it_is_of_other_vectors_than_there_are(store: FaissStore) -> None:
    store.build(SPACE, kind="int8")
    assert "measured when" not in store.certificates()[0].told()
    store.delete(["item-001"])
    (told,) = store.certificates()
    assert told.told().endswith("measured when there were 1,500 vectors of the encoder, now 1,499")
    assert "measured when" not in store.verify(SPACE)[0].told()
    assert "measured when" not in store.certificates()[0].told()


@pytest.mark.parametrize("kind", [None, "int8"])
def test_a_placeholder_that_half_of_them_show_is_not_read_for_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    monkeypatch.setattr(faiss_exact, "MOST_TIES", 50)
    monkeypatch.setattr(faiss_built, "MOST_TIES", 50)
    items, _, rows = pictures(3000)
    rows[:1500] = rows[0]
    store = FaissStore(tmp_path, plan=NEVER)
    store.upsert(items, [PartVectors(one.parts[0].id, SPACE, rows[i : i + 1]) for i, one in enumerate(items)])
    if kind:
        store.build(SPACE, kind=kind)
    looked = 0
    ties, vectors_of = faiss_exact.ties, sqlite.vectors_of

    def counted(scores: Any, with_this: float) -> int:
        nonlocal looked
        known = list(scores)
        looked = max(looked, len(known))
        return ties(known, with_this)

    def read(connection: Any, ids: np.ndarray, dim: int) -> Any:
        nonlocal looked
        looked = max(looked, len(ids))
        return vectors_of(connection, ids, dim)

    monkeypatch.setattr(faiss_exact, "ties", counted)
    monkeypatch.setattr(sqlite, "vectors_of", read)
    (hits,) = store.search(SPACE, rows[:1], 10)
    assert len({hit.part_id for hit in hits}) == 10
    np.testing.assert_allclose([hit.score for hit in hits], 1.0, atol=1e-5)
    assert 10 < looked < 500
    store.close()


def test_a_look_begins_with_the_first_change_and_then_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    due = faiss_build.is_due
    monkeypatch.setattr(faiss_build, "is_due", lambda *given: looks.append(1) or due(*given))
    monkeypatch.setattr(faiss_background, "LOOK_EVERY", 100)
    store = FaissStore(tmp_path, plan=Plan(build_from=10**6))
    items, vectors, _ = pictures(160)
    for start in range(0, 160, 40):
        store.upsert(items[start : start + 40], vectors[start : start + 40])
    assert len(looks) == 2
    store.delete(["nobody"])
    assert len(looks) == 2
    store.close()
