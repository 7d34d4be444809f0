"""Stores shared between threads, as a web service shares them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sightline.stores import open_store
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
