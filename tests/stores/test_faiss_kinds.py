"""Built indexes of the `faiss` store: what they find, what is promised of it, and when they are not trusted."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest

from sightline.certificate import Certificate, Probes, Truth
from sightline.errors import ConfigError, InputError
from sightline.filters import parse
from sightline.stores import faiss_built, faiss_kinds
from sightline.stores.faiss import FaissStore
from sightline.stores.faiss_build import Plan
from sightline.types import PartHit, PartVectors, Vectors
from tests.contracts.catalogs import DIM, SPACE, found, item, pictures, unit

N = 3000
KINDS = ["flat", "int8", "int4", "hnsw", "ivf-int8", "ivf-int4"]
NEVER = Plan(build_from=10**9)  # builds when told to, and then only


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection of N pictures without an index; every hundredth costs the same."""
    items, vectors, _ = pictures(N, fields=[{"price": i % 100, "row": i} for i in range(N)])
    store = FaissStore(tmp_path, plan=NEVER)
    store.upsert(items, vectors)
    store.close()
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[FaissStore]:
    opened = FaissStore(folder, plan=NEVER)
    yield opened
    opened.close()


def answers(store: FaissStore, **how: object) -> list[list[PartHit]]:
    return store.search(SPACE, unit(20, seed=1), 10, **how)  # type: ignore[arg-type]


def index_files(folder: Path) -> list[Path]:
    return sorted((folder / "indexes").glob("*.faiss"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", [None, "row < 15", "price = 7", "price < 40", "price < 95"])
def test_every_kind_finds_what_exact_search_finds_with_its_scores(
    store: FaissStore, kind: str, where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = parse(where) if where else None
    expected = answers(store, where=asked)
    (certificate,) = store.build(SPACE, kind=kind)
    assert certificate.kind == kind
    monkeypatch.setattr(faiss_built, "FEW", 20)
    got = answers(store, where=asked)
    scores = [[hit.score for hit in hits] for hits in expected]
    assert [len(hits) for hits in got] == [10] * 20
    same = [len({*one} & {*other}) for one, other in zip(got, expected, strict=True)]
    assert sum(same) >= 198  # of 200, and below, whatever was found has the score that exact search gives it
    truth = {hit.part_id: hit.score for hits in store.search(SPACE, unit(1, seed=1), N) for hit in hits}
    assert [hit.score for hit in got[0]] == [truth[hit.part_id] for hit in got[0]]
    assert [hits[0].score for hits in got] == [hits[0] for hits in scores]


def test_what_is_new_or_gone_is_so_at_once_without_a_build(store: FaissStore, folder: Path) -> None:
    rows = unit(N)
    store.build(SPACE)
    before = index_files(folder)
    store.upsert([item("new", ("image-0", "image", None))], [PartVectors("new#image-0", SPACE, rows[5:6])])
    assert found(store, rows[5], 2) == ["item-005", "new"]
    store.delete(["item-005"])
    assert found(store, rows[5], 1) == ["new"]
    changed = item("item-007", ("image-0", "image", None), digest="2", price=1)
    store.upsert([changed], [PartVectors("item-007#image-0", SPACE, rows[5:6])])
    assert found(store, rows[5], 2) == ["item-007", "new"]
    assert found(store, rows[7], 1) != ["item-007"]
    assert found(store, rows[5], 1, where=parse("price = 1")) == ["item-007"]
    assert index_files(folder) == before


@pytest.mark.parametrize("harm", ["torn", "gone", "swapped"])
def test_a_file_that_is_not_whole_is_not_trusted_and_built_again(folder: Path, harm: str) -> None:
    plan = Plan(build_from=N, background=False)
    first = FaissStore(folder, plan=plan)
    expected = answers(first)
    first.build(SPACE)
    first.close()
    (path,) = index_files(folder)
    if harm == "torn":
        path.write_bytes(path.read_bytes()[:-100])
    elif harm == "gone":
        shutil.rmtree(folder / "indexes")
    else:
        path.write_bytes(bytes(path.stat().st_size))
    again = FaissStore(folder, plan=plan)
    assert answers(again) == expected
    assert "missing or damaged" in again.stats().why
    again.upsert(*([one] for one in (item("new", ("x", "image", None)), PartVectors("new#x", SPACE, unit(1, seed=9)))))
    assert len(answers(again)[0]) == 10
    assert "damaged" not in again.stats().why
    assert index_files(folder)
    again.close()


def test_a_database_of_an_earlier_day_finds_no_index_rather_than_a_wrong_one(folder: Path) -> None:
    earlier = folder / "earlier.sqlite"
    shutil.copy(folder / "items.sqlite", earlier)
    first = FaissStore(folder, plan=NEVER)
    first.delete([f"item-{i:03d}" for i in range(100)])
    first.build(SPACE)
    first.close()
    for path in folder.glob("items.sqlite*"):
        path.unlink()
    earlier.rename(folder / "items.sqlite")
    again = FaissStore(folder, plan=NEVER)
    assert again.certificates() == []
    assert found(again, unit(N)[50], 1) == ["item-050"]
    again.build(SPACE)  # and the files that nobody names are removed
    assert len(index_files(folder)) == 1
    again.close()


def test_a_reader_goes_on_while_indexes_come_and_go(folder: Path) -> None:
    rows, reader, writer = unit(N), FaissStore(folder, plan=NEVER), FaissStore(folder, plan=NEVER)
    problems: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            if found(reader, rows[9], 1) != ["item-009"] or found(reader, rows[9], 1, where=parse("price = 9")) != [
                "item-009"
            ]:
                problems.append("item-009 was not found")

    thread = threading.Thread(target=read)
    thread.start()
    for kind in ("int8", "ivf-int8", "int4"):
        writer.delete([f"item-{2000 + len(kind)}"])
        writer.build(SPACE, kind=kind)
    done.set()
    thread.join()
    assert problems == []
    assert "int4" in reader.stats().kind
    reader.close()
    writer.close()


def test_a_kind_that_finds_too_little_gives_way_to_a_finer_one(
    store: FaissStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ivf-int4", "ivf-int8"):  # one list of 256 is not enough for pictures that lie anywhere
        monkeypatch.setitem(faiss_kinds.KINDS, name, replace(faiss_kinds.KINDS[name], effort=(1,)))
    (certificate,) = store.build(SPACE, kind="ivf-int4")
    assert certificate.kind == "int8"
    assert certificate.measured[0].recall >= certificate.promised
    assert "ivf-int8 found 0." in store.stats().why
    monkeypatch.setitem(faiss_kinds.KINDS, "ivf-int8", replace(faiss_kinds.KINDS["ivf-int8"], effort=(1, 64, 256)))
    (certificate,) = store.build(SPACE, kind="ivf-int4")
    assert certificate.kind == "ivf-int8"  # by visiting more lists


def test_equal_codes_are_told_apart_by_the_stored_vectors(tmp_path: Path) -> None:
    n = 1200
    noise = np.random.default_rng(0).standard_normal((n, DIM)).astype(np.float32)
    rows = np.full((n, DIM), 0.25, np.float32) + 5e-3 * noise  # half a byte a number says the same of all of them
    rows[0], rows[0, 0], rows[1] = 0, 1, -0.25
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    items, _, _ = pictures(n)
    store = FaissStore(tmp_path, plan=NEVER)
    store.upsert(items, [PartVectors(one.parts[0].id, SPACE, rows[i : i + 1]) for i, one in enumerate(items)])
    (certificate,) = store.build(SPACE, kind="int4")
    assert (certificate.kind, certificate.measured[0].recall) == ("int4", 1.0)
    store.close()


def test_a_certificate_says_what_was_measured_and_what_was_not(store: FaissStore) -> None:
    assert store.certificates() == []
    (exact,) = store.verify(SPACE)
    assert (exact.kind, exact.measured[0].recall) == ("exact", 1.0)
    (built,) = store.build(SPACE, kind="int8")
    assert [one.queries for one in built.measured] == ["image"]
    assert "text queries not measured" in built.told()
    texts = unit(30, seed=4)
    (told,) = store.verify(SPACE, {"text": texts})
    assert [(one.queries, one.probes) for one in told.measured] == [("text", 30), ("image", 200)]
    assert all(one.low <= one.recall <= one.high for one in told.measured)
    assert store.certificates() == [replace(told, now=N)]
    assert Certificate.from_json(told.to_json()) == told
    (later,) = store.build(SPACE, kind="int4")  # the queries that were handed in are kept
    assert [one.probes for one in later.measured] == [30, 200]
    assert later.engine == f"faiss {faiss.__version__}"


def test_text_and_picture_queries_are_measured_against_each_kind_of_part(tmp_path: Path) -> None:
    rows = unit(400)
    items = [item(f"i{i:03d}", ("image-0", "image", None), ("title", "text", "a mug")) for i in range(200)]
    store = FaissStore(tmp_path, plan=Plan("int8", build_from=1, background=False))
    store.upsert(
        items,
        [
            PartVectors(one.parts[i].id, SPACE, rows[2 * n + i : 2 * n + i + 1])
            for n, one in enumerate(items)
            for i in (0, 1)
        ],
    )
    told = store.certificates()
    assert [(one.parts, [each.queries for each in one.measured]) for one in told] == [
        ("image", ["text", "image"]), ("text", ["text", "image"])
    ]  # fmt: skip
    texts = store.search(SPACE, rows[:1], 3, modalities=frozenset({"text"}))[0]
    assert {hit.part_id.partition("#")[2] for hit in texts} == {"title"}
    assert store.search(SPACE, rows[1:2], 1)[0][0].part_id == "i000#title"
    store.close()


def test_verify_sees_an_index_that_finds_the_wrong_neighbours(
    store: FaissStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.build(SPACE, {"text": unit(30, seed=4)}, kind="int8")
    assert store.verify(SPACE)[0].holds

    def wrong(index: faiss.Index, queries: Vectors, pool: int, **_: object) -> tuple[np.ndarray, np.ndarray]:
        at = np.stack(
            [np.random.default_rng(row).choice(index.ntotal, pool, replace=False) for row in range(len(queries))]
        )
        return np.tile(np.linspace(1, 0, pool, dtype=np.float32), (len(queries), 1)), at

    monkeypatch.setattr(faiss_built, "nearest", wrong)
    (told,) = store.verify(SPACE)
    assert told.holds is False
    assert told.measured[0].recall < 0.5
    assert store.certificates() == [replace(told, now=N)]


def test_the_truth_is_the_same_however_it_is_read() -> None:
    rows, queries = unit(100), unit(5, seed=2)
    probes = Probes(queries, tuple(f"p{i}" for i in range(5)))  # each taken from the part of its number
    truth = Truth({"image": probes}, most=2)
    parts = np.repeat(np.arange(50), 2)  # two vectors a part
    for start in range(0, 100, 7):
        truth.add(np.arange(100)[start : start + 7], parts[start : start + 7], rows[start : start + 7])
    best = (queries @ rows.T).reshape(5, 50, 2).max(axis=2)

    def search(vectors: Vectors, k: int) -> list[list[PartHit]]:
        return [[PartHit(f"p{part}", "", float(row[part])) for part in np.argsort(-row)[:k]] for row in best]

    numbers = {f"p{i}": i for i in range(5)}
    (recall,) = truth.recalls(search, numbers)
    assert (recall.recall, recall.probes) == (1.0, 5)
    (half,) = truth.recalls(lambda vectors, k: [hits[:3] + hits[8:] for hits in search(vectors, 11)], numbers)
    assert 0.4 <= half.recall <= 0.7


def test_an_index_is_built_beside_the_writer_and_there_when_it_closes(tmp_path: Path) -> None:
    items, vectors, rows = pictures(400)
    store = FaissStore(tmp_path, plan=Plan(build_from=300))
    assert "an index is built from 300" in store.stats().why
    store.upsert(items, vectors)
    assert found(store, rows[3], 1) == ["item-003"]
    store.close()
    again = FaissStore(tmp_path, plan=NEVER)
    assert [one.vectors for one in again.certificates()] == [400]
    assert found(again, rows[3], 1) == ["item-003"]
    again.drop()
    assert not (tmp_path / "indexes").exists()


def test_a_build_is_due_again_when_a_quarter_changed(folder: Path) -> None:
    store = FaissStore(folder, plan=Plan(build_from=1000, background=False))
    items, vectors, _ = pictures(10)
    store.upsert(items, vectors)
    built = index_files(folder)
    store.delete([f"item-{i:03d}" for i in range(100, 700)])
    store.upsert(items, vectors)
    assert index_files(folder) == built
    store.delete([f"item-{i:03d}" for i in range(700, 1000)])  # nothing need be written for it
    assert index_files(folder) != built
    assert store.certificates()[0].vectors == N - 900
    store.close()


def test_bad_wishes_are_refused(store: FaissStore) -> None:
    with pytest.raises(ConfigError, match=r"unknown index kind 'int3'\. Known are: flat, int8"):
        store.build(SPACE, kind="int3")
    with pytest.raises(InputError, match="of the kinds text and image, not 'sound'"):
        store.verify(SPACE, {"sound": unit(1)})  # type: ignore[dict-item]
    with pytest.raises(InputError, match=r"the text queries must have the shape \(n, 16\)"):
        store.build(SPACE, {"text": unit(1, 8)})


def test_small_and_large_collections_get_other_kinds() -> None:
    assert faiss_kinds.chosen(100_000)[0].name == "int8"
    assert faiss_kinds.chosen(1_000_000)[0].name == "ivf-int8"
    assert faiss_kinds.lists(1_000_000) == 4096


class Card:
    """What faiss-gpu adds to the module, with a card that is this processor."""

    copies = 0

    def to_gpu(self, resources: object, device: int, index: faiss.Index) -> faiss.Index:
        self.copies += 1
        return faiss.clone_index(index)


def test_a_graphics_card_is_used_where_there_is_one(store: FaissStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert faiss_kinds.on_gpu(faiss.IndexFlatIP(4)) is None
    expected, card, searched = answers(store), Card(), []
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", card.to_gpu, raising=False)
    search = faiss_kinds.gpu_search
    monkeypatch.setattr(faiss_built, "gpu_search", lambda *given: searched.append(1) or search(*given))
    store.build(SPACE, kind="int8")
    assert answers(store) == expected
    assert (card.copies > 0, len(searched) > 0) == (True, True)
    assert store.stats().kind.endswith(", on a graphics card where there is no filter")
    before = len(searched)
    answers(store, where=parse("price < 95"))  # a filter is for the processor
    assert len(searched) == before


def test_faiss_gpu_without_a_card_is_said_and_works(store: FaissStore, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = answers(store)
    assert "card" not in store.stats().kind
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0, raising=False)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    assert store.stats().kind == "exact (IndexFlatIP), on the processor: faiss-gpu sees no card"
    store.build(SPACE, kind="int8")
    assert store.stats().kind.endswith("faiss-gpu sees no card")
    assert [[hit.part_id for hit in hits] for hits in answers(store)] == [
        [hit.part_id for hit in hits] for hits in expected
    ]


def test_what_a_graphics_card_does_not_take_stays_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> faiss.Index:
        raise RuntimeError("Error in index_cpu_to_gpu: this index is not supported\nstack")

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", refuse, raising=False)
    assert faiss_kinds.on_gpu(faiss.IndexFlatIP(4)) is None


@pytest.mark.parametrize("kind", ["hnsw", "ivf-int8"])
def test_a_part_found_by_a_lesser_vector_scores_by_its_best(tmp_path: Path, kind: str) -> None:
    count, each = 400, 9
    rows = unit(count * each)
    items = [item(f"item-{i:03d}", ("image-0", "image", None)) for i in range(count)]
    vectors = [PartVectors(f"item-{i:03d}#image-0", SPACE, rows[each * i : each * (i + 1)]) for i in range(count)]
    opened = FaissStore(tmp_path, plan=NEVER)
    opened.upsert(items, vectors)
    opened.build(SPACE, kind=kind)
    opened.delete([items[3].id])
    with opened._database.reading() as connection:
        held = opened._current(connection, SPACE)
        built = held._built[0]
        lesser = np.arange(0, count * each, each)  # as if a graph had led to the first vector of each part only
        for query in unit(5, seed=2):
            hits, *_ = built._best(
                connection,
                query,
                count,
                built._asked(None, "all"),
                at=lesser[::-1],
                approximate=np.zeros(count, np.float32),
            )
            truth = (rows @ query).reshape(count, each).max(axis=1)
            assert len(hits) == count - 1
            best = {f"item-{i:03d}#image-0": truth[i] for i in range(count) if i != 3}
            assert {hit.part_id: hit.score for hit in hits} == pytest.approx(best, abs=1e-5)
    opened.close()
