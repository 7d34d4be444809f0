"""Which text queries an index is measured by: titles as the encoder says them, else phrases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sightline import Sightline
from sightline.asking import PHRASES, spoken
from sightline.certificate import LEAST_PROBES
from sightline.encoders.adapter import Adapter
from sightline.stores.faiss import FaissStore
from sightline.stores.faiss_files import kept_probes
from sightline.types import Space
from tests.service.conftest import draw


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Sightline]:
    """Two pictures and no word."""
    (tmp_path / "photos").mkdir()
    draw(tmp_path / "photos" / "a.png", "bowl", (200, 30, 30))
    draw(tmp_path / "photos" / "b.png", "cup", (30, 200, 30))
    with Sightline.open(tmp_path / "i") as opened:
        opened.add(tmp_path / "photos")
        yield opened


def test_there_are_enough_phrases_and_none_twice() -> None:
    assert len(set(PHRASES)) == len(PHRASES) >= LEAST_PROBES


def test_a_build_over_pictures_alone_asks_phrases(index: Sightline) -> None:
    store = index._store
    assert isinstance(store, FaissStore)
    (built,) = store.build(index.plain_encoder.space, kind="int8")
    assert [(one.queries, one.probes) for one in built.measured] == [("text", len(PHRASES)), ("image", 2)]


def test_phrases_of_another_encoder_are_not_asked(index: Sightline) -> None:
    space = index.plain_encoder.space
    made = spoken(index._control, space)
    assert made is not None
    assert made.shape == (len(PHRASES), space.dim)
    assert spoken(index._control, Space("another", space.dim, "f" * 64)) is None


def test_what_later_builds_ask_went_through_no_adapter(index: Sightline) -> None:
    store, space = index._store, index.plain_encoder.space
    assert isinstance(store, FaissStore)
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(space.dim, space.dim)))
    index.install(Adapter(space.fingerprint, {"text": turned.astype(np.float32)}))
    index.verify(["oak table"])
    (plain,) = index.plain_encoder.encode_queries([("oak table",)])
    with store._database.reading() as connection:
        (kept,) = kept_probes(connection, space)["text"]
    np.testing.assert_allclose(kept, plain, atol=1e-6)
