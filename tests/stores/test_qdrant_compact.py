"""What a Qdrant server is told to compact by, and what is said of what cannot be seen there."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.stores import open_store
from tests.contracts.catalogs import found, pictures
from tests.stores.qdrant_rest import serving


@pytest.mark.network
def test_a_server_is_told_to_rewrite_what_holds_anything_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.stores.qdrant.client.SETTLE_S", 0.0)
    with serving() as server:
        store = open_store(f"qdrant:{server.address}", tmp_path, collection="shop")
        items, vectors, rows = pictures(9)
        store.upsert(items, vectors)
        store.delete([items[0].id])
        assert store.remains().left == ("2 points were deleted or replaced since the last compaction",)
        seen = store.compact()
        told = [body["optimizers_config"] for body in server.bodies("PATCH", "/collections/shop-[0-9a-f]{12}")]
        assert told[0]["deleted_threshold"] == 0.0
        assert told[0]["vacuum_min_vector_number"] == 100
        assert len(told) == 2  # and afterwards what there was before
        assert told[1] != told[0]
        assert "cannot be seen from here" in seen.unseen[0]
        assert (store.remains().left, store.remains().unseen) == ((), seen.unseen)
        assert found(store, rows[4], 1) == [items[4].id]
        store.close()
