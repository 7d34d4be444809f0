"""What the indexer's tests share: an empty collection, a folder of pictures, and files that count as old."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.indexer.indexing import Collection, png


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    opened = Collection(tmp_path / "index")
    yield opened
    opened.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five different pictures in two folders."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number in range(5):
        name = f"sub/{number}.png" if number > 2 else f"{number}.png"
        (folder / name).write_bytes(png(number))
    return folder


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets files count as old at once, so that the quick check by size and time is used."""

    def settle() -> None:
        monkeypatch.setattr("indexer.items._SETTLED_NS", -1)

    return settle
