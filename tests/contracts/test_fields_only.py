"""An update that changes only fields embeds nothing, by `Sightline.add`, on every store; and is found as changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sightline.types import Fields
from tests.indexer.grid import GridEncoder
from tests.indexer.indexing import png
from tests.soak.shop import Opened
from tests.stores.qdrant_rest import serving

pytestmark = pytest.mark.network


@pytest.fixture(params=["faiss", "qdrant", "qdrant:server"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    with ExitStack() as stack:
        spec = request.param
        if spec == "qdrant:server":
            spec = f"qdrant:{stack.enter_context(serving()).address}"
        yield stack.enter_context(Opened.open(tmp_path / "index", store=spec))


def _write(folder: Path, **changed: Fields) -> Path:
    """A catalog of four products with pictures and texts; `changed` are other fields of some."""
    rows = [
        {"id": name, "text": f"The {name} is here.", "images": [f"{n}.png"], "price": n, "stock": "yes"}
        | dict(changed.get(name, {}))
        for n, name in enumerate(("mug", "kettle", "lamp", "chair"))
    ]
    for n in range(4):
        (folder / f"{n}.png").write_bytes(png(n))
    file = folder / "catalog.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_fields_change_without_the_encoder(index: Opened, tmp_path: Path) -> None:
    assert index.add(_write(tmp_path)).added == 4
    near = [hit.id for hit in index.search(tmp_path / "2.png", channels=["clip"])]
    assert index.add(_write(tmp_path)).unchanged == 4  # the encoder has made the passport's probes by now
    encoder = index.plain_encoder
    assert isinstance(encoder, GridEncoder)
    before, vectors = len(encoder.embedded), index.info()["vectors"]

    report = index.add(_write(tmp_path, lamp={"price": 99.5, "stock": "no", "new": True}, mug={"price": 50}))
    assert (report.added, report.updated, report.unchanged) == (0, 2, 2)
    assert len(encoder.embedded) == before
    assert index.info()["vectors"] == vectors

    assert index.get("lamp").fields["price"] == 99.5
    assert [hit.id for hit in index.search("here", where="price >= 50 and stock = no")] == ["lamp"]
    assert {hit.id for hit in index.search("here", where="stock = yes")} == {"mug", "kettle", "chair"}
    assert [hit.id for hit in index.search(tmp_path / "2.png", channels=["clip"])] == near

    assert index.add(_write(tmp_path, lamp={"text": "Another text."})).updated == 2
    assert encoder.embedded[-1] == "text"  # what is new in it is embedded
