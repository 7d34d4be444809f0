"""Why a hit is where it is, through Python, the terminal and HTTP, over a real index with the starter encoder."""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.drawing import AGAINST, FOR, _coloured, drawn, overlay
from service.explaining import weight_of
from sightline import Show, Sightline, like, text
from sightline.errors import InputError, NotFound
from sightline.explaining import Explainer

Run = Callable[..., tuple[int, str, str]]
EXPLAIN = "/v1/collections/default/explain"


@pytest.fixture
def opened(index: Path) -> Iterator[Sightline]:
    with Sightline.open(index, create=False) as opened:
        yield opened


# -- in Python


def test_it_takes_what_a_search_takes() -> None:
    search = dict(inspect.signature(Sightline.search).parameters)
    explained = dict(inspect.signature(Explainer.__call__).parameters)
    assert search.keys() - explained.keys() == {"account"}
    assert explained.keys() - search.keys() == {"item_id", "maps"}
    for name in (search.keys() & explained.keys()) - {"self", "query"}:
        assert search[name] == explained[name]


@pytest.mark.parametrize("item_id", ["bowl-red", "cushion-blue", "returns.md"])
def test_a_trace_gives_the_same_answer(opened: Sightline, shop: Path, item_id: str) -> None:
    queries = (
        {"query": "red bowl"},
        {"query": 2 * text("bowl") + like("bowl-blue") - text("white"), "where": "price > 5"},
        {"query": "soft", "image": shop / "cushion-red.png", "show": Show(fold=True, facets=("colour",)), "k": 3},
        {
            "query": "red bowl",
            "channels": {"words", "dense"},
            "target": "text",
            "exclude": ["bowl-white"],
            "least": 0.0,
        },
    )
    for asked in queries:
        found = opened.explain(item_id=item_id, **asked)  # type: ignore[arg-type]
        again = opened.explain.replay(json.loads(json.dumps(found.trace)))
        assert again.same, again.changed
        assert again.circumstances == ()
        assert again.explanation.to_json() == found.to_json()
        assert json.loads(json.dumps(found.to_json()))


def test_a_trace_says_what_changed(own_index: Path) -> None:
    with Sightline.open(own_index) as opened:
        trace = opened.explain("red bowl", "bowl-blue").trace
        opened.delete(["bowl-red"])
        again = opened.explain.replay(trace)
        assert not again.same
        assert any("hits differ from place 1" in one for one in again.changed)
        assert any(one.startswith("rank is") for one in again.changed)
        assert "items is 8, was 9" in again.circumstances
        elsewhere = {**trace, "circumstances": {**trace["circumstances"], "fingerprint": "0" * 64}}
        assert any("fingerprint is" in one for one in opened.explain.replay(elsewhere).circumstances)
        opened.delete(["bowl-blue"])
        with pytest.raises(NotFound):
            opened.explain.replay(trace)


@pytest.mark.parametrize(
    "trace", [{}, {"version": 2}, {"version": 1, "query": []}, [], {"version": 1, "options": {}}, 7]
)
def test_what_is_no_trace_is_refused(opened: Sightline, trace: object) -> None:
    with pytest.raises(InputError, match="trace"):
        opened.explain.replay(trace)  # type: ignore[arg-type]


def test_a_map_for_all_and_for_each_term(opened: Sightline) -> None:
    found = opened.explain(text("bowl") + like("bowl-blue") - text("red"), "bowl-green", maps=True)
    assert [one.term for one in found.maps] == ["", "bowl", "bowl-blue", "- red"]
    assert {one.part for one in found.maps} == {"bowl-green#image-0"}
    picture = opened.explain.picture(found)
    assert picture is not None
    assert picture.shape == (96, 96, 3)
    cosine = next(one.cosine for one in found.channels if one.channel == "clip")
    assert found.maps[0].cosine == pytest.approx(cosine, abs=0.05)  # of the picture as it is kept for showing
    assert opened.explain("bowl", "returns.md", maps=True).maps == ()
    with pytest.raises(NotFound):
        opened.explain("bowl", "nowhere")


def test_a_broken_picture_in_a_trace_is_refused(opened: Sightline, shop: Path) -> None:
    trace = json.loads(json.dumps(opened.explain(None, "bowl-red", image=shop / "bowl-red.png").trace))
    assert opened.explain.replay(trace).same
    trace["query"]["terms"][0]["image"] = "data:image/png;base64,AAA"
    with pytest.raises(InputError, match="trace"):
        opened.explain.replay(trace)


# -- on the terminal


def test_the_command_tells_draws_and_replays(sightline: Run, index: Path, tmp_path: Path) -> None:
    png, trace = tmp_path / "map.png", tmp_path / "trace.json"
    code, out, _ = sightline("explain", "bowl-red", "red bowl", "--index", index, "--map", png, "--trace", trace)
    assert code == 0
    for said in ("hit 1", "words", "picture", "meaning", "score", "title “Red”", "relevance"):
        assert said in out
    with Image.open(png) as picture:
        assert picture.size == (96, 96)
    code, out, _ = sightline("explain", "--replay", trace, "--index", index)
    assert code == 0
    assert "The answer is the same." in out
    changed = json.loads(trace.read_text(encoding="utf-8"))
    changed["answer"]["hits"].reverse()
    trace.write_text(json.dumps(changed), encoding="utf-8")
    code, out, _ = sightline("explain", "--replay", trace, "--index", index, "--json")
    assert code == 1
    assert json.loads(out)["same"] is False


def test_the_command_says_why_an_item_is_no_hit(sightline: Run, index: Path) -> None:
    code, out, _ = sightline("explain", "bowl-red", "bowl", "--not", "red", "-k", 2, "--index", index)
    assert code == 0
    assert "not shown" in out
    assert "pushed back by red" in out
    code, out, _ = sightline("explain", "bowl-red", "bowl", "--where", "colour = blue", "--index", index, "--json")
    assert json.loads(out)["absent"] == "it does not pass the filter colour = 'blue'"


def test_terms_and_weights_are_told_short(sightline: Run, index: Path) -> None:
    sentences = ("a red bowl for hot soup that was fired twice and is made by hand", "soft wool", "for the kitchen")
    query = ". ".join(one for _ in range(4) for one in sentences)
    code, out, _ = sightline("explain", "bowl-red", query, "--index", index)
    (told,) = {line for line in out.splitlines() if line.startswith(sentences[0][:40])}
    assert code == 0
    assert told.startswith(f"{sentences[0][:60].rstrip()} … weight 0.")
    out = sightline("explain", "bowl-red", '0.333333:"red" - 0.004:"wool"', "--index", index)[1]
    assert "red weight 0.33 " in out
    assert "wool not wanted, weight -0.004 " in out


@pytest.mark.parametrize(
    ("weight", "told"), [(2, "2"), (0.238532, "0.24"), (-1.0, "-1"), (100, "100"), (0.001, "0.001")]
)
def test_weights_have_two_digits_and_are_never_nothing(weight: float, told: str) -> None:
    assert weight_of(weight) == told


def test_what_the_command_refuses(sightline: Run, index: Path, tmp_path: Path) -> None:
    assert sightline("explain", "--map", tmp_path / "x.png", "--index", index)[0] == 2
    (tmp_path / "t.json").write_text("{")
    assert sightline("explain", "--replay", tmp_path / "t.json", "--index", index)[0] == 2
    assert sightline("explain", "nowhere", "bowl", "--index", index)[0] == 2
    code, _, err = sightline("explain", "returns.md", "postage", "--map", tmp_path / "x.png", "--index", index)
    assert code == 1
    assert "No map" in err


# -- over HTTP


def test_http_explains_as_python_does(client: TestClient, opened: Sightline) -> None:
    asked = {"id": "bowl-red", "query": "red bowl", "map": True, "trace": True}
    told = client.post(EXPLAIN, json=asked).json()
    trace, (one,) = told.pop("trace"), told["maps"]
    assert one.pop("layer").startswith("data:image/png;base64,")
    assert told == json.loads(json.dumps(opened.explain("red bowl", "bowl-red", maps=True).to_json()))
    assert opened.explain.replay(trace).same


def test_http_draws_the_map(client: TestClient) -> None:
    asked = {"id": "bowl-red", "query": "red bowl"}
    found = client.post(EXPLAIN, json=asked, headers={"Accept": "image/png"})
    assert found.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(found.content)).size == (96, 96)
    nothing = client.post(EXPLAIN, json={**asked, "id": "returns.md"}, headers={"Accept": "image/png"})
    assert nothing.status_code == 404
    assert client.post(EXPLAIN, json={**asked, "id": "nowhere"}).status_code == 404
    assert client.post(EXPLAIN, json={"query": "red bowl"}).status_code == 422


# -- the colours of the map


@pytest.mark.parametrize("ramp", [FOR, AGAINST])
def test_colours_get_lighter_with_the_value(ramp: tuple[tuple[float, float, float], ...]) -> None:
    rgb = _coloured(np.linspace(0, 1, 33, dtype=np.float32), ramp) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance) > 0).all()


def test_what_says_nothing_is_left_clear() -> None:
    values = [[0.0, 0.0], [0.0, 1.0]]
    layer = np.asarray(overlay(values, 40, 40))
    assert layer.shape == (40, 40, 4)
    assert layer[5, 5, 3] == 0
    assert layer[35, 35, 3] > 150
    plain = np.full((40, 40, 3), 128, np.uint8)
    picture = np.asarray(Image.open(io.BytesIO(drawn(plain, values))))
    assert (picture[5, 5] == 128).all()
    assert picture[35, 35, 0] > picture[35, 35, 2]
