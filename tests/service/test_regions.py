"""Regions through the doors: the command line and HTTP index them, tell of them, and answer with their boxes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from sightline.settings import Settings

Run = Callable[..., tuple[int, str, str]]
SAMPLE = Path(__file__).parents[2] / "service" / "sample" / "images" / "mug-001-1.webp"


@pytest.fixture
def walls(tmp_path: Path) -> Path:
    """A wide picture with a small mug to the right of its middle, and an empty one."""
    folder = tmp_path / "walls"
    folder.mkdir()
    wall = Image.new("RGB", (640, 400), (205, 200, 190))
    wall.save(folder / "empty.png")
    with Image.open(SAMPLE) as mug:
        wall.paste(mug.convert("RGB").resize((128, 128)), (368, 120))
    wall.save(folder / "mug.png")
    return folder


def lies_on_the_mug(hits: list[dict[str, Any]]) -> bool:
    boxes = {hit["id"]: hit["parts"][0]["locator"].get("box") for hit in hits}
    assert boxes.pop("empty.png") is None
    (box,) = boxes.values()
    return box is not None and 368 / 640 < (box[0] + box[2]) / 2 < 496 / 640 and 0.3 < (box[1] + box[3]) / 2 < 0.62


def test_the_command_line_indexes_regions_and_tells_where_it_found(sightline: Run, walls: Path, tmp_path: Path) -> None:
    where = ("--index", tmp_path / "i")
    code, out, _ = sightline("index", walls, *where, "--json")
    assert (code, json.loads(out)["regions"]) == (0, 0)
    assert "regions" not in sightline("info", *where)[1]
    code, out, _ = sightline("index", walls, "--regions", "salient", *where)
    assert code == 0
    assert "embedded again for their salient regions: 2 of them" in " ".join(out.split())
    info = json.loads(sightline("info", *where, "--json")[1])
    assert info["regions"] == {"kind": "salient", "finished": True}
    assert "salient" in sightline("info", *where)[1]
    hits = json.loads(sightline("search", "a mug", "--least", 0, "--target", "image", *where, "--json")[1])["hits"]
    assert lies_on_the_mug(hits)
    told = json.loads(sightline("explain", "mug.png", "a mug", *where, "--json")[1])
    assert any(channel["box"] for channel in told["channels"])
    said = sightline("explain", "mug.png", "a mug", *where)[1]
    assert re.search(r"picture: found by the region mug\.png#image-0\[0\.\d\d,0", said)
    code, _, err = sightline("index", walls, "--regions", "everywhere", *where)
    assert code == 2
    assert "grid" in err


def test_the_terminal_tells_the_box_and_takes_it_as_a_query(
    sightline: Run, walls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--index", tmp_path / "i")
    assert sightline("index", walls, "--regions", "salient", *where)[0] == 0
    monkeypatch.chdir(tmp_path)
    out = sightline("search", "a mug", "--least", 0, "--target", "image", *where)[1]
    assert re.search(r"walls/empty\.png(?!\[)", out)
    (clip,) = re.findall(r"walls/mug\.png\[[\d.,]+\]", out)
    code, out, _ = sightline("search", clip, "--least", 0, "--target", "image", *where, "--json")
    assert code == 0
    assert json.loads(out)["hits"][0]["id"] == "mug.png"
    assert lies_on_the_mug(json.loads(out)["hits"])


def test_http_indexes_regions_and_keeps_to_them(walls: Path, tmp_path: Path) -> None:
    def row(name: str) -> dict[str, str]:
        data = base64.b64encode((walls / name).read_bytes()).decode()
        return {"id": name, "image": f"data:image/png;base64,{data}"}

    with TestClient(create_app(Settings.read(index=tmp_path / "i")), base_url="http://localhost") as client:
        assert client.put("/v1/collections/walls").status_code == 201
        items = "/v1/collections/walls/items"
        answer = client.post(items, json={"items": [row("mug.png")], "regions": "salient"})
        assert answer.status_code == 200, answer.text
        first = answer.json()
        assert first["regions"] > 0
        second = client.post(items, json={"items": [row("empty.png")]}).json()
        assert second["added"] == 1
        assert client.get("/v1/collections/walls").json()["regions"] == {"kind": "salient", "finished": True}
        asked = {"query": "a mug", "target": "image", "least": 0}
        assert lies_on_the_mug(client.post("/v1/collections/walls/search", json=asked).json()["hits"])
        refused = client.post(items, json={"items": [row("mug.png")], "regions": "everywhere"})
        assert refused.status_code == 422
