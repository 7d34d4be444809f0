"""An item of more parts than a Qdrant server takes in one request, whose upsert fails at any of them: old or new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import EngineError
from sightline.stores import open_store
from sightline.stores.qdrant import QdrantStore, writing
from sightline.types import Item, Part, PartVectors
from tests.contracts.catalogs import OTHER, SPACE, unit
from tests.stores.qdrant_rest import Server, serving

pytestmark = pytest.mark.network
WRITES = {("PUT", "points"), ("POST", "points/delete")}


class Failing:
    """Counts the writes that a server is asked for, and fails one: before it is done, or after, its answer lost."""

    def __init__(self, server: Server) -> None:
        self._answer = server.answer
        self.seen, self.at, self.after = 0, 0, False

    def __call__(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        failed = False
        if (method, "/".join(path.split("/")[3:])) in WRITES:
            self.seen += 1
            failed = self.seen == self.at
        if not failed or self.after:
            answer = self._answer(method, path, body)
        return (500, {"status": {"error": "the disk is on fire"}}) if failed else answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(writing, "MOST_POINTS", 6)
    monkeypatch.setattr("sightline.stores.qdrant.client.PAGE", 10)
    with serving() as one:
        yield one


def _large(edition: str, parts: range) -> tuple[list[Item], list[PartVectors]]:
    """An item with a picture or a text for each number: vectors in two spaces, some parts with several."""
    made, vectors = [], []
    for number in parts:
        name, seed = f"large#{number}", number + 100 * len(edition)
        text = f"{edition} page {number}" if number % 2 else None
        digest = f"{edition} {number}"
        made.append(Part(name, "large", "text" if text else "image", digest, text=text))
        vectors.append(PartVectors(name, SPACE, unit(1 + number % 3, seed=seed)))
        if text:
            vectors.append(PartVectors(name, OTHER, unit(1, OTHER.dim, seed=seed)))
    return [Item("large", fields={"edition": edition, "n": len(made)}, parts=tuple(made), digest=edition)], vectors


OLD, NEW = _large("old", range(17)), _large("newer", range(9, 32))
SMALL = [Item("small", parts=(Part("small#0", "small", "text", "s", text="a small page"),), digest="s")]


def _open(server: Server, folder: Path) -> QdrantStore:
    store = open_store(f"qdrant:{server.address}", folder, collection="shop")
    assert isinstance(store, QdrantStore)
    return store


def _read(store: QdrantStore) -> tuple[Any, ...]:
    """All that can be read of the large item without writing, by every way of reading."""
    stats = store.stats()
    return (
        store.get(["large"]),
        [[(hit.part_id, round(hit.score, 5)) for hit in found] for found in store.search(SPACE, unit(2, seed=9), 99)],
        [(hit.part_id, round(hit.score, 5)) for hit in store.search(OTHER, unit(1, OTHER.dim, seed=9), 99)[0]],
        sorted((hit.part_id, round(hit.score, 4)) for hit in store.search_text("newer old page", 99)),
        (stats.items, stats.parts, stats.vectors),
        store.fields(),
        sorted((digest, rows.tolist()) for digest, rows in store.known(SPACE, ["old 10", "newer 10"]).items()),
    )


@pytest.fixture
def states(server: Server, tmp_path: Path) -> tuple[Any, Any]:
    """What is read of the old item and of the new one, with a small one beside each."""
    found = []
    for name, large in (("old", OLD), ("new", NEW)):
        store = _open(server, tmp_path / name)
        store.upsert(SMALL, [])
        store.upsert(*OLD)
        assert store.stats().removed == 18  # what was put aside leaves as much behind as what is deleted
        store.upsert(*large)
        found.append(_read(store))
        store.drop()
    return found[0], found[1]


def _there(server: Server) -> set[str]:
    """The kinds of points in the one collection there is."""
    (name,) = server.names
    points = server.answer("POST", f"/collections/{name}/points/scroll", {"limit": 9999})[1]["result"]["points"]
    return {one["payload"]["kind"] for one in points}


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done, its answer lost"])
def test_a_request_that_fails_leaves_the_old_item_or_the_new_one(
    after: bool, server: Server, tmp_path: Path, states: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = states
    failing = Failing(server)
    monkeypatch.setattr(server, "answer", failing)
    outcomes = []
    for at in range(1, 99):
        failing.at = 0
        store = _open(server, tmp_path / "index")
        store.upsert(SMALL, [])
        store.upsert(*OLD)
        failing.seen, failing.at, failing.after = 0, at, after
        try:
            store.upsert(*NEW)
        except EngineError:
            failing.at = 0
        else:
            break
        read = _read(store)  # before anybody has written again
        store.upsert(SMALL, [])
        ended = _read(store)
        assert ended in (old, new)
        assert _there(server) == {"owner", "space", "removed", "item", "part"}
        if ended == old:
            assert read == old  # nothing of the new one was ever seen
        outcomes.append(ended == new)
        store.upsert(*NEW)
        assert _read(store) == new
        store.drop()
    assert _read(store) == new
    assert outcomes == sorted(outcomes)  # once it is new it stays so
    assert len(outcomes) == failing.seen > 8
    assert 5 <= sum(outcomes) < len(outcomes)
    store.drop()


@pytest.mark.parametrize("end", [0, 1], ids=["put aside in part", "put aside whole"])
def test_what_was_put_aside_does_not_come_back_after_a_deletion(
    end: int, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _open(server, tmp_path)
    store.upsert(SMALL, [])
    store.upsert(*OLD)
    failing = Failing(server)
    monkeypatch.setattr(server, "answer", failing)
    failing.at = (3, 7)[end]
    with pytest.raises(EngineError, match="the disk is on fire"):
        store.upsert(*NEW)
    monkeypatch.undo()
    assert "aside" in _there(server)
    assert store.delete(["large"]) == 1
    store.upsert(SMALL, [])
    assert store.get(["large"]) == []
    stats = store.stats()
    assert (stats.items, stats.parts, stats.vectors) == (1, 1, 0)
    assert _there(server) == {"owner", "space", "removed", "item", "part"}
    store.close()


def test_another_process_ends_it_and_has_the_spaces_again(
    server: Server, tmp_path: Path, states: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _open(server, tmp_path / "index")
    store.upsert(SMALL, [])
    store.upsert(*OLD)
    failing = Failing(server)
    monkeypatch.setattr(server, "answer", failing)
    failing.at = 7
    with pytest.raises(EngineError):
        store.upsert(*NEW)
    monkeypatch.undo()
    store.close()
    store = _open(server, tmp_path / "index")
    with store.moment() as moment:  # which waits for whole items
        assert {stored.item.id: stored.item.digest for stored in moment.items()} == {"small": "s", "large": "newer"}
        assert sum(len(stored.vectors) for stored in moment.items()) == len(NEW[1])
    assert _read(store) == states[1]
    store.close()
