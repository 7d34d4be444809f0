"""Pages, order, folding and counts through the terminal and HTTP, over a real index with real copies of pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from sightline import Show, Sightline
from sightline.errors import InputError
from sightline.settings import Settings

Run = Callable[..., tuple[int, str, str]]
SEARCH = "/v1/collections/default/search"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, shop: Path) -> Path:
    """An index of the shop's catalog, and of copies of two of its pictures: smaller, and as JPEG."""
    folder = tmp_path_factory.mktemp("copies")
    for name in ("bowl-red", "cushion-blue"):
        with Image.open(shop / f"{name}.png") as picture:
            picture.resize((72, 72)).save(folder / f"{name}-small.png")
            picture.save(folder / f"{name}-again.jpg", quality=70)
    with Sightline.open(folder / "index") as opened:
        opened.add(shop / "catalog.jsonl")
        assert opened.add(folder).added == 4
    return folder / "index"


@pytest.fixture
def web(copied: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings.read(index=copied)), base_url="http://127.0.0.1:8000") as client:
        yield client


def test_pages_over_http_are_one_ranking(web: TestClient) -> None:
    whole = [hit["id"] for hit in web.post(SEARCH, json={"query": "red bowl", "k": 12}).json()["hits"]]
    assert len(whole) == 12
    asked: dict[str, Any] = {"query": "red bowl", "k": 5}
    turned, ranks = [], []
    while True:
        page = web.post(SEARCH, json=asked).json()
        turned += [hit["id"] for hit in page["hits"]]
        ranks += [hit["rank"] for hit in page["hits"]]
        if not page["cursor"]:
            break
        asked["cursor"] = page["cursor"]
    assert (turned, ranks) == (whole, list(range(1, 13)))
    other = web.post(SEARCH, json=asked | {"query": "blue bowl"})
    assert other.status_code == 422
    assert "another search" in other.json()["error"]["message"]
    assert web.post(SEARCH, json={"query": "x", "cursor": "x"}).status_code == 422


def test_copies_fold_in_python_and_over_http(copied: Path, web: TestClient) -> None:
    with Sightline.open(copied) as opened:
        plain = opened.search("red bowl", k=12)
        folded = opened.search("red bowl", k=12, show=Show(fold=True))
    told = {hit.id: set(hit.folded) for hit in folded}
    together = [{one, *others} for one, others in told.items() if others]
    assert {"bowl-red", "bowl-red-small.png", "bowl-red-again.jpg"} in together
    assert {"cushion-blue", "cushion-blue-small.png", "cushion-blue-again.jpg"} in together
    assert {one for hit in folded for one in (hit.id, *hit.folded)} == {hit.id for hit in plain}
    first = {hit.id: hit.rank for hit in plain}
    assert all(first[hit.id] < min(map(first.__getitem__, hit.folded)) for hit in folded if hit.folded)
    over_http = web.post(SEARCH, data={"query": "red bowl", "k": "12", "fold": "true"}, files={"x": b""}).json()["hits"]
    assert {hit["id"]: set(hit["folded"]) for hit in over_http} == told


def test_sorting_and_counting_over_http(web: TestClient) -> None:
    body = {"query": "bowl", "k": 8, "sort": "-price", "where": "kind = bowl", "facets": ["colour", "price"]}
    found = web.post(SEARCH, json=body).json()
    assert [hit["fields"]["price"] for hit in found["hits"]] == [40, 30, 20, 10]
    colour, price = found["facets"]
    assert colour["field"] == "colour"
    assert {one["value"]: one["count"] for one in colour["values"]} == dict.fromkeys(
        ("red", "blue", "green", "white"), 1
    )
    assert (price["more"], price["ranges"], len(price["values"])) == (0, [], 4)
    wrong = web.post(SEARCH, json={"query": "bowl", "sort": "prize"})
    assert wrong.status_code == 422
    assert "'price'" in wrong.json()["error"]["message"]
    both = web.post(SEARCH, json={"query": "bowl", "sort": "price", "diversity": 0.5})
    assert (both.status_code, both.json()["error"]["type"]) == (422, "InputError")


def test_the_terminal_sorts_counts_folds_and_turns_pages(sightline: Run, copied: Path) -> None:
    common = ["search", "bowl", "--index", copied]
    hits = json.loads(sightline(*common, "--sort", "-price", "--where", "kind = bowl", "--json")[1])["hits"]
    assert [hit["fields"]["price"] for hit in hits] == [40, 30, 20, 10]
    first = json.loads(sightline(*common, "-k", 3, "--json")[1])
    second = json.loads(sightline(*common, "-k", 3, "--json", "--cursor", first["cursor"])[1])
    skipped = json.loads(sightline(*common, "-k", 3, "--json", "--offset", 3)[1])
    assert [hit["rank"] for hit in second["hits"]] == [4, 5, 6]
    assert second["hits"] == skipped["hits"]
    white = ["search", "white", "--index", copied, "-k", 2, "--where", "exists kind", "--json"]
    few = json.loads(sightline(*white, "--diversify", "kind=1")[1])["hits"]
    assert {hit["fields"]["kind"] for hit in few} == {"bowl", "cushion"}
    code, out, _ = sightline(*common, "-k", 4, "--fold", "--facet", "kind", "--facet", "price")
    assert code == 0
    assert "counted over all items of the collection, hits or not:\nkind  bowl 4 · cushion 4" in out
    kept = sightline(*common, "-k", 1, "--facet", "kind", "--where", "colour = red")[1]
    assert "counted over all items that --where keeps, hits or not:\nkind  bowl 1 · cushion 1" in kept
    assert "+2 alike: " in out
    assert "more: --offset 4" in out
    code, out, _ = sightline(*common, "--offset", 90)
    assert (code, "no more hits" in out) == (0, True)
    assert sightline(*common, "--cursor", "forged")[0] == 2


def test_a_cursor_outlives_what_is_added_and_deleted(own_index: Path, shop: Path) -> None:
    with Sightline.open(own_index) as opened:
        first = opened.search(shop / "bowl-red.png", k=3)
        assert first.cursor
        opened.add({"id": "newcomer", "title": "Red bowl", "images": [str(shop / "bowl-red.png")]})
        opened.delete([first[2].id])
        rest = opened.search(shop / "bowl-red.png", k=20, show=Show(cursor=first.cursor))
        assert rest[0].id == "newcomer"
        assert {hit.id for hit in rest}.isdisjoint(hit.id for hit in first)
        assert len(rest) == opened.info()["items"] - 2
        with pytest.raises(InputError, match="another search"):
            opened.search(shop / "bowl-blue.png", k=3, show=Show(cursor=first.cursor))


def test_an_item_and_a_picture_together_are_searched_for(index: Path, shop: Path, sightline: Run) -> None:
    for written in (
        "like:bowl-red + {0}",
        "like:bowl-red + {0} - stripes",
        'like:bowl-red + {0}[0.1,0.2,0.9,0.8] + "soup"',
    ):
        code, out, err = sightline("search", written.format(shop / "bowl-blue.png"), "--json", "--index", index)
        assert code == 0, err
        assert json.loads(out)["hits"]
