"""A small shop drawn on the spot, its index, and the two doors to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from service.app import create_app
from service.cli import main
from sightline.engine import Sightline
from sightline.settings import Settings

COLOURS = {"red": (200, 40, 40), "blue": (40, 70, 200), "green": (30, 150, 60), "white": (240, 240, 235)}
KINDS = {"bowl": "A bowl for soup, fired twice.", "cushion": "A soft cushion filled with wool."}


def draw(path: Path, kind: str, colour: tuple[int, int, int]) -> None:
    """A picture of 96 × 96 pixels."""
    image = Image.new("RGB", (96, 96), (205, 200, 190))
    pen = ImageDraw.Draw(image)
    shape = pen.pieslice if kind == "bowl" else pen.rounded_rectangle
    shape((16, 24, 80, 80), *((0, 180) if kind == "bowl" else (14,)), fill=colour)  # type: ignore[operator]
    image.save(path)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: `catalog.jsonl` of eight items with pictures, and `docs/returns.md`."""
    folder = tmp_path_factory.mktemp("shop")
    rows = []
    for kind, text in KINDS.items():
        for number, (colour, rgb) in enumerate(COLOURS.items()):
            name = f"{kind}-{colour}.png"
            draw(folder / name, kind, rgb)
            row = {"id": f"{kind}-{colour}", "title": f"{colour.title()} {kind}", "text": text, "images": [name]}
            rows.append(row | {"colour": colour, "kind": kind, "price": 10 * (number + 1), "note": "<b>hand made</b>"})
    (folder / "catalog.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    (folder / "docs").mkdir()
    text = "# Returns\n\nYou can send anything back within 30 days. We pay the postage.\n"
    (folder / "docs" / "returns.md").write_text(text, encoding="utf-8")
    return folder


def fill(index: Path, shop: Path) -> None:
    """Index the whole shop into the default collection."""
    with Sightline.open(index) as opened:
        report = opened.add(shop / "catalog.jsonl", shop / "docs")
    assert report.added == 9
    assert not report.skipped


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory, shop: Path) -> Path:
    """The shop's index. Nothing may write to it."""
    folder = tmp_path_factory.mktemp("index")
    fill(folder, shop)
    return folder


@pytest.fixture
def own_index(tmp_path: Path, shop: Path) -> Path:
    """An index of the shop that the test may change."""
    fill(tmp_path / "own", shop)
    return tmp_path / "own"


@pytest.fixture
def client(index: Path) -> Iterator[TestClient]:
    """The service over the shared index."""
    with TestClient(create_app(Settings.read(index=index)), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def own_client(own_index: Path) -> Iterator[TestClient]:
    """The service over an index that the test may change."""
    with TestClient(create_app(Settings.read(index=own_index)), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def sightline(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: (exit code, stdout, stderr)."""

    def run(*argv: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(one) for one in argv])
        captured = capsys.readouterr()
        code = stopped.value.code
        return code if isinstance(code, int) else 0, captured.out, captured.err

    return run
