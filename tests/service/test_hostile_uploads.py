"""What a stranger uploads is decoded elsewhere: it may cost the stranger an answer, never the service."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from sightline.settings import Settings
from tests.service.conftest import fill
from tests.sightline.test_decoding import GOOD, scans
from tests.sightline.test_media import bomb

SEARCH = "/v1/collections/default/search"
ITEMS = "/v1/collections/default/items"
HOSTILE = {
    "slow": (scans(2000), "decoding it takes longer than the 1 s allowed"),
    "bomb": (bomb(10_000, 10_000), "more than the 64.0 million allowed"),
    "words": (b"no picture", "not a picture"),
    "none": (b"", "the file is empty"),
}


def uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.fixture
def client(tmp_path: Path, shop: Path) -> Iterator[TestClient]:
    fill(tmp_path / "index", shop)
    settings = Settings.read(index=tmp_path / "index", decode_timeout_s=1)
    with TestClient(create_app(settings), base_url="http://localhost", raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize("name", ["slow", "bomb", "words"])
def test_a_hostile_query_picture_is_the_callers_mistake(client: TestClient, name: str) -> None:
    data, reason = HOSTILE[name]
    answers = []
    asking = threading.Thread(target=lambda: answers.append(client.post(SEARCH, json={"image": uri(data)})))
    asking.start()
    assert client.post(SEARCH, json={"image": uri(GOOD)}).status_code == 200  # others are served meanwhile
    asking.join()
    assert answers[0].status_code == 422
    assert reason in answers[0].json()["error"]["message"]


def test_of_rows_with_hostile_pictures_the_rest_is_kept(client: TestClient) -> None:
    rows = [{"id": name, "title": name, "image": uri(data)} for name, (data, _) in HOSTILE.items() if data]
    answer = client.post(ITEMS, json={"items": [*rows, {"id": "good", "title": "good", "image": uri(GOOD)}]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["added"] == 4
    assert len(told["skipped"]) == 3
    for name in ("slow", "bomb", "words"):
        assert any(HOSTILE[name][1] in skipped["reason"] for skipped in told["skipped"])


def test_a_query_is_short_whichever_way_it_is_put(client: TestClient) -> None:
    for asked in ({"query": "a" * 4001}, {"query": "mug", "negative": ["stripes", "a" * 4001]}):
        assert client.post(SEARCH, json=asked).status_code == 422
    assert client.post(SEARCH, json={"query": "mug", "negative": ["stripes", "a" * 4000]}).status_code == 200
