"""The HTTP interface over a real index: shapes, statuses, uploads, streams, and collections apart."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from sightline.engine import Sightline
from sightline.settings import Settings

SEARCH = "/v1/collections/default/search"
ASK = "/v1/collections/default/ask"
ITEMS = "/v1/collections/default/items"


def data_uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [hit["id"] for hit in response.json()["hits"]]


def error(response: Any) -> tuple[int, str, str]:
    told = response.json()["error"]
    assert told.keys() == {"type", "message"}
    return response.status_code, told["type"], told["message"]


def events(text: str) -> list[tuple[str, Any]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_health_and_readiness(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    with TestClient(create_app(Settings.read(index=tmp_path / "none")), base_url="http://localhost") as empty:
        assert empty.get("/readyz").status_code == 200
        assert empty.get("/v1/collections").json()["collections"] == []
        assert error(empty.post(SEARCH, json={"query": "x"}))[:2] == (404, "NotFound")


def test_search_by_words_picture_and_both(client: TestClient, shop: Path) -> None:
    found = client.post(SEARCH, json={"query": "red bowl", "k": 2}).json()
    assert found.keys() == {
        *("hits", "no_match", "answered", "reranked", "searched", "rewrites", "warnings", "cursor", "facets"),
        "took_ms",
    }
    hit = found["hits"][0]
    assert (hit["id"], hit["title"], hit["picture"]) == ("bowl-red", "Red bowl", "bowl-red#image-0")
    picture = {"image": data_uri(shop / "cushion-blue.png"), "target": "image", "k": 1}
    assert ids(client.post(SEARCH, json=picture)) == ["cushion-blue"]
    bare = {"image": picture["image"].partition(",")[2], "target": "image", "k": 1}
    assert ids(client.post(SEARCH, json=bare)) == ["cushion-blue"]
    with (shop / "cushion-blue.png").open("rb") as file:
        form = {"target": "image", "k": "1", "where": "", "query": ""}
        assert ids(client.post(SEARCH, data=form, files={"image": file})) == ["cushion-blue"]
    both = {"query": "cushion", "image": data_uri(shop / "bowl-red.png"), "negative": ["bowl"]}
    assert client.post(SEARCH, json=both).status_code == 200


def test_terms_are_weighed_beside_words(client: TestClient, shop: Path) -> None:
    terms = [
        {"type": "image", "image": data_uri(shop / "cushion-blue.png"), "box": [0, 0, 1, 1], "weight": 2},
        {"type": "text", "text": "cushion"},
    ]
    assert ids(client.post(SEARCH, json={"terms": terms, "k": 1})) == ["cushion-blue"]
    alike = ids(client.post(SEARCH, json={"terms": [{"type": "item", "id": "bowl-red"}], "target": "image"}))
    assert alike
    assert "bowl-red" not in alike
    without = {"query": "bowl", "terms": [{"type": "text", "text": "red", "weight": -1}], "exclude": ["bowl-blue"]}
    found = ids(client.post(SEARCH, json=without))
    assert "bowl-blue" not in found
    assert found.index("bowl-green") < found.index("bowl-red")
    with (shop / "cushion-blue.png").open("rb") as file:
        named = json.dumps([{"type": "image", "image": "blue.png"}])
        form = {"terms": named, "exclude": ["bowl-red", "bowl-blue"], "target": "image", "k": "1"}
        assert ids(client.post(SEARCH, data=form, files={"blue": ("blue.png", file)})) == ["cushion-blue"]


@pytest.mark.parametrize(
    ("term", "status", "said"),
    [
        ({"type": "sound"}, 422, "type"),
        ({"type": "text"}, 422, "terms[0]: a term of type 'text' needs 'text'"),
        ({"type": "text", "text": "a", "id": "b"}, 422, "terms[0]: a term of type 'text' has no 'id'"),
        ({"type": "text", "text": "a", "weight": -1}, 422, "not wanted"),
        ({"type": "text", "text": "a", "weight": "heavy"}, 422, "weight"),
        ({"type": "image", "image": "no!"}, 422, "the picture of terms[0]: not valid base64"),
        ({"type": "image", "image": "/etc/hostname"}, 422, "picture"),
        ({"type": "image", "image": "iVBO", "box": [0, 0, 2, 1]}, 422, "terms[0]: a box is"),
        ({"type": "image", "image": "iVBO", "box": [0, 0, 1]}, 422, "box"),
        ({"type": "item", "id": "nowhere"}, 404, "'nowhere'"),
    ],
)
def test_a_term_that_means_nothing_is_refused(client: TestClient, term: dict[str, Any], status: int, said: str) -> None:
    found, _, message = error(client.post(SEARCH, json={"terms": [term]}))
    assert found == status
    assert said in message


def test_filters_in_both_languages_agree(client: TestClient) -> None:
    expression = ids(client.post(SEARCH, json={"query": "bowl", "where": "price < 30 and colour in (red, blue)"}))
    qdrant = {
        "must": [{"key": "price", "range": {"lt": 30}}],
        "should": [{"key": "colour", "match": {"value": colour}} for colour in ("red", "blue")],
    }
    assert expression
    assert ids(client.post(SEARCH, json={"query": "bowl", "filter": qdrant})) == expression
    assert set(expression) <= {"bowl-red", "bowl-blue", "cushion-red", "cushion-blue"}
    without = ids(client.post(SEARCH, json={"query": "bowl", "filter": {"must_not": [{"has_id": ["bowl-red"]}]}}))
    assert without
    assert "bowl-red" not in without


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "empty"),
        ({"query": 7}, "query is a text, not 7"),
        ({"query": "x", "k": 0}, "k is at least 1, not 0"),
        ({"query": "x", "target": "sound"}, "target"),
        ({"query": "x", "where": "prise < 3"}, "price"),
        ({"query": "x", "where": "price <"}, "filter"),
        ({"query": "x", "where": "price < 3", "filter": {"must": []}}, "not both"),
        ({"query": "x", "where": {"must": []}}, "must, should and must_not go under the key `filter`"),
        ({"query": "x", "where": "colour < 3"}, "'colour' holds texts here"),
        ({"query": "x", "filter": {"must": [{"key": "price"}]}}, "must"),
        ({"query": "x", "unknown": 1}, "unknown"),
        ({"image": "not base64!"}, "base64"),
        ({"image": "data:image/png,abc"}, "base64"),
        ({"image": "https://example.org/a.png"}, "not its address"),
        ({"image": base64.b64encode(b"no picture").decode()}, "picture"),
        ({"query": "x", "rerank": True}, "reranker"),
        ([1], "the request is an object"),
    ],
)
def test_what_the_caller_can_mend_is_422(client: TestClient, body: Any, said: str) -> None:
    status, _, message = error(client.post(SEARCH, json=body))
    assert status == 422
    assert said in message


def test_bodies_that_are_no_json(client: TestClient) -> None:
    for content, kind in ((b"{", "application/json"), (b"x", "text/plain"), (b"[" * 100_000, "application/json")):
        assert error(client.post(SEARCH, content=content, headers={"content-type": kind}))[0] == 422
    assert error(client.get("/v1/collections/default/nowhere"))[:2] == (404, "NotFound")
    assert error(client.get(SEARCH))[:2] == (405, "MethodNotAllowed")


def test_upsert_by_data_uri_is_found_at_once_and_deleted_for_good(own_client: TestClient, shop: Path) -> None:
    row = {"id": "new/äpfel 1", "title": "Crimson tray", "images": [data_uri(shop / "bowl-red.png")], "price": 5}
    report = own_client.post(ITEMS, json={"items": [row]}).json()
    assert (report["added"], report["skipped"]) == (1, [])
    assert "new/äpfel 1" in ids(own_client.post(SEARCH, json={"query": "crimson tray"}))
    item = own_client.get(f"{ITEMS}/new/äpfel 1").json()
    assert item["fields"]["price"] == 5
    picture = next(part["id"] for part in item["parts"] if part["modality"] == "image")
    url = f"/v1/collections/default/parts/{picture.replace('#', '%23')}/picture"
    jpeg = own_client.get(url)
    assert (jpeg.headers["content-type"], jpeg.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert own_client.get(url, headers={"If-None-Match": jpeg.headers["etag"]}).status_code == 304
    assert own_client.post(ITEMS, json={"items": [row | {"price": 6}]}).json()["updated"] == 1
    assert own_client.delete(f"{ITEMS}/new/äpfel 1").json() == {"deleted": 1}
    assert error(own_client.delete(f"{ITEMS}/new/äpfel 1"))[0] == 404
    assert error(own_client.get(f"{ITEMS}/new/äpfel 1"))[0] == 404
    assert error(own_client.get(url))[0] == 404
    assert "new/äpfel 1" not in ids(own_client.post(SEARCH, json={"query": "crimson tray"}))


def test_upsert_by_form_takes_files_by_name(own_client: TestClient, shop: Path) -> None:
    rows = [{"id": "f1", "title": "Filed", "images": ["a.png", "b.png"]}]
    sent = {"a.png": "bowl-blue.png", "b.png": "bowl-red.png"}
    files = [(f"file-{name}", (name, (shop / source).read_bytes())) for name, source in sent.items()]
    report = own_client.post(ITEMS, data={"items": json.dumps(rows)}, files=files).json()
    assert (report["added"], report["skipped"]) == (1, [])
    kinds = [part["modality"] for part in own_client.get(f"{ITEMS}/f1").json()["parts"]]
    assert kinds.count("image") == 2


@pytest.mark.parametrize("key", ["image", "Image", "IMAGES", "images"])
@pytest.mark.parametrize("named", ["/etc/hostname", "bowl-red.png", "file:///etc/hostname"])
def test_a_row_cannot_name_a_file_of_the_server(client: TestClient, key: str, named: str) -> None:
    value = [named] if key == "images" else named
    status, _, message = error(client.post(ITEMS, json={"items": [{"id": "x", "title": "x", key: value}]}))
    assert status == 422
    assert "opens no files" in message


def test_urls_in_rows_are_skipped_with_a_reason(own_client: TestClient) -> None:
    row = {"id": "u", "title": "By address", "image": "https://example.org/a.png"}
    report = own_client.post(ITEMS, json={"items": [row]}).json()
    assert "https://example.org/a.png" in report["skipped"][0]["source"]
    assert "allow" in report["skipped"][0]["reason"]


def test_ask_as_json_and_as_a_stream(client: TestClient) -> None:
    question = {"question": "How much does the blue bowl cost?"}
    answer = client.post(ASK, json=question).json()
    assert answer.keys() == {"answer", "abstained", "citations", "warnings", "took_ms"}
    assert "20" in answer["answer"]
    assert [citation["marker"] for citation in answer["citations"]] == [1]
    streams = (
        client.post(ASK, json=question | {"stream": True}),
        client.post(ASK, json=question, headers={"Accept": "text/event-stream"}),
        client.post(ASK, data=question | {"stream": "true"}, files={"unused": b"1"}),
    )
    for response in streams:
        assert response.headers["content-type"].startswith("text/event-stream")
        told = events(response.text)
        assert {"sentence", "citation"} <= {name for name, _ in told}
        assert told[-1][0] == "answer"
        assert told[-1][1]["answer"] == answer["answer"]
    absent = client.post(ASK, json={"question": "How much does the violin cost?"}).json()
    assert (absent["abstained"], absent["citations"]) == (True, [])


def test_a_stream_that_breaks_says_so_without_details(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaking(*_: object, **__: object) -> Any:
        yield "A sentence."
        raise RuntimeError("secret")

    monkeypatch.setattr(Sightline, "stream", breaking)
    response = client.post(ASK, json={"question": "what?", "stream": True})
    assert [name for name, _ in events(response.text)] == ["sentence", "error"]
    assert "secret" not in response.text


def test_a_wrong_filter_of_a_stream_still_has_its_status(client: TestClient) -> None:
    body = {"question": "what?", "stream": True, "where": "prise < 3"}
    assert error(client.post(ASK, json=body))[:2] == (422, "InputError")


def test_the_unforeseen_is_500_without_details(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Sightline, "search", broken)
    app = create_app(Settings.read(index=index))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        response = client.post(SEARCH, json={"query": "x"})
    assert error(response)[:2] == (500, "InternalError")
    assert "secret" not in response.text


def test_collections_come_and_go_and_cannot_see_each_other(own_client: TestClient, own_index: Path) -> None:
    assert own_client.put("/v1/collections/other").status_code == 201
    assert own_client.put("/v1/collections/other").status_code == 200
    assert own_client.get("/v1/collections").json() == {"collections": ["default", "other"], "default": "default"}
    row = {"id": "bowl-red", "title": "Red secret", "text": "Only in the other collection."}
    own_client.post("/v1/collections/other/items", json={"items": [row]})
    assert ids(own_client.post("/v1/collections/other/search", json={"query": "secret"})) == ["bowl-red"]
    assert own_client.get(f"{ITEMS}/bowl-red").json()["title"] == "Red bowl"
    assert own_client.get("/v1/collections/other").json()["items"] == 1
    assert own_client.delete("/v1/collections/other").json() == {"deleted": "other"}
    for response in (own_client.get("/v1/collections/other"), own_client.delete("/v1/collections/other")):
        assert error(response)[:2] == (404, "NotFound")
    assert not (own_index / "collections" / "other").exists()
    assert own_client.get("/v1/collections/default").json()["items"] == 9


@pytest.mark.parametrize("store", ["faiss", "qdrant"])
def test_a_collection_deleted_while_it_is_searched_is_not_found(tmp_path: Path, store: str) -> None:
    settings = Settings.read(index=tmp_path / "index", store=store)
    found: list[Counter[int]] = []
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:

        def search_on(stop: threading.Event) -> Counter[int]:
            codes: Counter[int] = Counter()
            while not stop.is_set():
                codes[client.post("/v1/collections/shop/search", json={"query": "mug"}).status_code] += 1
            return codes

        for _ in range(4):
            assert client.put("/v1/collections/shop").status_code == 201
            rows = [{"id": f"mug-{i}", "title": f"Mug {i}", "text": "a mug"} for i in range(20)]
            assert client.post("/v1/collections/shop/items", json={"items": rows}).status_code == 200
            stop = threading.Event()
            with ThreadPoolExecutor(4) as pool:
                running = [pool.submit(search_on, stop) for _ in range(4)]
                time.sleep(0.2)
                assert client.delete("/v1/collections/shop").status_code == 200
                time.sleep(0.1)
                stop.set()
                found += [future.result() for future in running]
    seen = sum(found, Counter())
    assert set(seen) == {200, 404}, seen


@pytest.mark.parametrize("name", ["a b", "..", "%2e%2e", "x" * 65, "ä", "a%2Fb"])
def test_a_collection_has_a_plain_name(client: TestClient, index: Path, name: str) -> None:
    assert client.put(f"/v1/collections/{name}").status_code in (404, 405, 422)
    assert [one.name for one in (index / "collections").iterdir()] == ["default"]


def test_what_the_terminal_adds_is_served_without_restart(own_client: TestClient, own_index: Path, shop: Path) -> None:
    assert ids(own_client.post(SEARCH, json={"query": "walnut"})) != ["walnut"]
    with Sightline.open(own_index) as beside:
        beside.add({"id": "walnut", "title": "Walnut desk", "image": shop / "bowl-green.png"})
    assert ids(own_client.post(SEARCH, json={"query": "walnut desk"}))[0] == "walnut"
    Sightline.drop(own_index, "default")
    assert own_client.get("/v1/collections/default").status_code == 404
    with Sightline.open(own_index) as beside:
        beside.add({"id": "oak", "title": "Oak desk"})
    assert ids(own_client.post(SEARCH, json={"query": "oak desk"})) == ["oak"]


def test_the_description_names_every_body(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    for path, model in ((SEARCH, "query"), (ASK, "question"), (ITEMS, "items")):
        operation = described["paths"][path.replace("default", "{name}")]["post"]
        content = operation["requestBody"]["content"]
        assert set(content) == {"application/json", "multipart/form-data"}
        assert model in content["application/json"]["schema"]["properties"]
    assert "$ref" not in json.dumps(described["paths"][ITEMS.replace("default", "{name}")]["post"]["requestBody"])
