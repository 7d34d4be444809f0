"""Stores shared between threads, as a web service shares them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqlite3 import Connection

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.filters import Compare, Filter
from sightline.stores import open_store
from sightline.stores.faiss import FaissStore
from tests.stores.writer import SPACE, numbered


@pytest.mark.parametrize("spec", ["faiss", "qdrant"])
def test_many_threads_read_while_others_write(spec: str, tmp_path: Path) -> None:
    store = open_store(spec, tmp_path, collection="shared")
    for i in range(10):
        store.upsert(*numbered(i))

    def write(i: int) -> None:
        store.upsert(*numbered(i))
        if i % 3 == 0:
            store.delete([f"item-{i:05d}"])

    def read(i: int) -> None:
        (item,), vectors = numbered(i % 10)
        assert store.search(SPACE, vectors[1].vectors, 3)[0][0].part_id == f"{item.id}#image-1"
        assert store.get([item.id]) == [item]
        assert store.search_text(f"number {i % 10}", 1)[0].item_id == item.id

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(write if i % 4 == 0 else read, i) for i in range(20, 140)]
        for one in done:
            one.result()
    assert store.stats().items == 10 + 30 - 10
    store.close()


def test_a_filter_never_passes_an_item_that_took_the_row_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store("faiss", tmp_path, collection="shared")
    assert isinstance(store, FaissStore)
    store.upsert(*numbered(0))
    query, passing = numbered(1)[1][0].vectors, store._passing

    def overtaken(connection: Connection, where: Filter) -> NDArray[np.int64]:
        found = passing(connection, where)
        monkeypatch.undo()
        store.delete(["item-00000"])
        store.upsert(*numbered(1))
        assert len(store.search(SPACE, query, 9)[0]) == 3  # another thread's search loads the change first
        return found

    monkeypatch.setattr(store, "_passing", overtaken)
    assert store.search(SPACE, query, 9, where=Compare("number", "=", 0)) == [[]]
    store.close()
