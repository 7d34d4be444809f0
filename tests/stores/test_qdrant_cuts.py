"""An embedded Qdrant after a kill between its two writes, and after a power cut that took all that was not fsynced."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sightline import disk
from sightline.errors import EngineTimeout
from sightline.stores import open_store
from sightline.stores.qdrant import QdrantStore, edge, writing
from sightline.types import Item, Part, PartVectors
from tests.stores.writer import SPACE, numbered


def _shorter(number: int) -> tuple[list[Item], list[PartVectors]]:
    """The same item with one picture instead of three."""
    (item,), vectors = numbered(number)
    return [replace(item, parts=(item.parts[0],), digest="shorter")], vectors[:1]


def _open(folder: Path) -> QdrantStore:
    store = open_store("qdrant", folder, collection="written")
    assert isinstance(store, QdrantStore)
    return store


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("written", ["all of it", "some of it"])
def test_a_kill_between_the_two_writes_of_an_upsert_leaves_it_whole_or_absent(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _open(tmp_path)
    for number in (0, 1):
        store.upsert(*numbered(number))
    upsert = store._engine.upsert

    def part_of_it(points: list[edge.Point]) -> None:
        upsert(points if written == "all of it" else points[:2])  # as a server may, which takes them in pages
        raise _Killed

    monkeypatch.setattr(store._engine, "upsert", part_of_it)
    with pytest.raises(_Killed):
        store.upsert(*_shorter(0))
    store.close()

    store = _open(tmp_path)
    there = {item.id: item.digest for item in store.get(["item-00000", "item-00001"])}
    stats = store.stats()
    if written == "all of it":
        assert there == {"item-00000": "shorter", "item-00001": "1"}
        assert (stats.items, stats.parts, stats.vectors) == (2, 1 + 4, 1 + 3)
    else:
        assert there == {"item-00001": "1"}
        assert (stats.items, stats.parts, stats.vectors) == (1, 4, 3)
    assert store.search_text("0", 9) == []  # the old title is gone
    store.upsert(*numbered(0))
    assert len(store.search(SPACE, numbered(0)[1][0].vectors, 9)[0]) == 6
    store.close()


def test_what_was_acknowledged_is_on_disk_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all that is written, what is left is the files as they were flushed once and, later, the log as fsynced."""
    folder, left = tmp_path / "written", tmp_path / "left"
    _open(folder).close()  # which flushes
    shutil.copytree(folder, left)
    monkeypatch.setattr(edge, "FLUSH_EVERY_S", float("inf"))

    def sync(path: Path) -> None:
        disk.sync(path)
        if path.is_file():
            shutil.copyfile(path, left / path.relative_to(folder))

    monkeypatch.setattr(edge, "sync", sync)
    store = _open(folder)
    for number in range(5):
        store.upsert(*numbered(number))
    assert store.delete(["item-00003"]) == 1
    shutil.copytree(left, tmp_path / "cut")
    store.close()

    store = _open(tmp_path / "cut")
    ids = [f"item-{number:05d}" for number in (0, 1, 2, 4)]
    assert [item.id for item in store.get(ids)] == ids
    stats = store.stats()
    assert (stats.items, stats.parts, stats.vectors) == (4, 16, 12)
    for number in (0, 4):
        (item,), vectors = numbered(number)
        assert store.search(SPACE, vectors[1].vectors, 1)[0][0].part_id == f"{item.id}#image-1"
    store.close()


def test_a_request_that_fails_costs_nothing_that_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_POINTS", 9)  # of items of five points each: one goes into a request
    store = _open(tmp_path)
    all_of_them = [numbered(number) for number in range(4)]
    items, vectors = [one for each, _ in all_of_them for one in each], [one for _, each in all_of_them for one in each]
    store.upsert(items, vectors)
    upsert, asked = store._engine.upsert, list[int]()

    def failing(points: list[edge.Point]) -> None:
        asked.append(len(points))
        if len(asked) == 3:
            raise EngineTimeout("no answer")
        upsert(points)

    monkeypatch.setattr(store._engine, "upsert", failing)
    with pytest.raises(EngineTimeout):
        store.upsert(items, vectors)
    monkeypatch.undo()
    store.upsert(*numbered(9))
    assert max(asked) < 12
    assert store.stats().items == 5
    assert len(store.get([item.id for item in items])) == 4
    store.close()


@pytest.mark.parametrize(("sizes", "requests"), [([], []), ([3, 5, 1], [[3, 5], [1]]), ([30, 1], [[30], [1]])])
def test_items_are_cut_into_requests_between_items(
    sizes: list[int], requests: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_POINTS", 10)
    items = [
        Item(f"i{at}", parts=tuple(Part(f"i{at}#{n}", f"i{at}", "text", f"{n}") for n in range(size)))
        for at, size in enumerate(sizes)
    ]
    assert [[len(item.parts) for item in some] for some in writing.in_requests(items)] == requests
