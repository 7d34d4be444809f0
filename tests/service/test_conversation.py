"""Liked and disliked hits, and searches in several turns, from Python, the terminal and HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sightline import Conversation, Sightline, Turn
from sightline.errors import InputError

SEARCH = "/v1/collections/default/search"
Run = Callable[..., tuple[int, str, str]]


def ids(hits: Any) -> list[str]:
    return [hit["id"] if isinstance(hit, dict) else hit.id for hit in hits]


def test_a_conversation_goes_on_from_what_it_showed(index: Path) -> None:
    with Sightline.open(index, create=False) as opened:
        talk = Conversation(opened, k=4)
        assert ids(talk.say("red bowl"))[0] == "bowl-red"
        assert ids(talk.say("the same but in blue"))[0] == "bowl-blue"
        assert talk.turn.query == "blue bowl"
        found = talk.dislike("bowl-red")
        assert "bowl-red" not in ids(found)
        cheaper = talk.say("under 25")
        assert cheaper.hits
        assert {hit.item.fields["price"] for hit in cheaper} <= {10, 20}
        assert "bowl-red" not in ids(cheaper)  # still
        assert ids(talk.again()) == ids(cheaper)
        went_on = Conversation(opened, Turn.from_json(json.loads(json.dumps(talk.turn.to_json()))), k=4)
        assert ids(went_on.again()) == ids(cheaper)
        found = talk.say("white cushion")
        assert found.warnings[0].startswith("This was read as a new search.")
        assert ids(found)[0] == "cushion-white"
        assert talk.turn == Turn(query="white cushion", shown=tuple(ids(found)))


def test_a_conversation_keeps_within_its_filter(index: Path) -> None:
    with Sightline.open(index, create=False) as opened:
        for where in ("kind = cushion", {"must": [{"key": "kind", "match": {"value": "cushion"}}]}):
            talk = Conversation(opened, where=where, least=0)
            talk.say("red")
            found = talk.say("between 10 and 20")
            assert set(ids(found)) == {"cushion-red", "cushion-blue"}


def test_a_conversation_about_a_picture(index: Path, shop: Path) -> None:
    with Sightline.open(index, create=False) as opened:
        talk = Conversation(opened, image=shop / "bowl-red.png", target="image", k=3)
        first = ids(talk.again())
        assert first[0] == "bowl-red"
        assert first[0] not in ids(talk.say("not the first"))


def test_liked_items_alone_ask_for_more_like_them(index: Path) -> None:
    with Sightline.open(index, create=False) as opened:
        found = ids(opened.search(liked=["bowl-red"]))
        assert found
        assert "bowl-red" not in found
        with pytest.raises(InputError, match="both liked and disliked"):
            opened.search("bowl", liked=["bowl-red"], disliked="bowl-red")
        with pytest.raises(InputError, match="empty"):
            opened.search(disliked=["bowl-red"])


def test_the_terminal_takes_what_is_liked_and_disliked(sightline: Run, index: Path) -> None:
    judged = ("--liked", "bowl-blue", "--disliked", "bowl-red", "--disliked", "gone")
    code, out, _ = sightline("search", "bowl", *judged, "--index", index, "--json")
    assert code == 0
    told = json.loads(out)
    assert ids(told["hits"])[0] == "bowl-blue"
    assert "bowl-red" not in ids(told["hits"])
    assert told["warnings"] == ["nothing is learned from gone: not in this collection"]


def test_http_takes_what_is_liked_and_disliked(client: TestClient) -> None:
    judged = {"query": "bowl", "liked": ["bowl-blue"], "disliked": ["bowl-red"]}
    found = client.post(SEARCH, json=judged).json()
    assert ids(found["hits"])[0] == "bowl-blue"
    assert "bowl-red" not in ids(found["hits"])
    assert "turn" not in found
    assert client.post(SEARCH, data=judged, files={"x": b""}).json()["hits"] == found["hits"]
    assert client.post(SEARCH, json={"liked": ["bowl-blue"]}).status_code == 200
    assert client.post(SEARCH, json={"query": "bowl", "liked": ["a"], "disliked": ["a"]}).status_code == 422


def test_http_keeps_nothing_and_is_sent_the_turn(client: TestClient) -> None:
    found = client.post(SEARCH, json={"query": "red bowl", "before": {}, "k": 4}).json()
    assert found["turn"]["shown"] == ids(found["hits"])
    found = client.post(SEARCH, json={"query": "but in blue", "before": found["turn"], "k": 4}).json()
    assert (found["turn"]["query"], ids(found["hits"])[0]) == ("blue bowl", "bowl-blue")
    found = client.post(SEARCH, json={"disliked": ["bowl-blue"], "before": found["turn"], "k": 4}).json()
    assert "bowl-blue" not in ids(found["hits"])
    assert found["turn"]["disliked"] == ["bowl-blue"]
    form = {"query": "cheaper", "before": json.dumps(found["turn"]), "k": "4"}
    found = client.post(SEARCH, data=form, files={"x": b""}).json()
    assert found["turn"]["below"].startswith("price < ")
    assert "bowl-blue" not in ids(found["hits"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"query": "x", "before": {"asked": "y"}}, "asked"),
        ({"query": "x", "before": {"below": "price <"}}, "filter"),
        ({"query": "x", "before": {"below": "prise < 3"}}, "price"),
        ({"query": "x", "before": {}, "negative": ["y"]}, "do not go with"),
        ({"query": "x", "before": {}, "terms": [{"type": "text", "text": "y"}]}, "do not go with"),
        ({"before": {}}, "empty"),
        ({"query": "x", "before": {"liked": ["a"] * 1001}}, "1000"),
    ],
)
def test_http_refuses_turns_that_are_none(client: TestClient, body: dict[str, Any], said: str) -> None:
    answer = client.post(SEARCH, json=body)
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]


def test_the_next_page_of_a_turn(client: TestClient) -> None:
    first = client.post(SEARCH, json={"query": "bowl", "before": {}, "k": 3}).json()
    second = client.post(SEARCH, json={"before": first["turn"], "cursor": first["cursor"], "k": 3}).json()
    assert second["hits"]
    assert not set(ids(first["hits"])).intersection(ids(second["hits"]))
