"""How a query is put, through Python, the terminal and HTTP: slips, quotes, long queries, and a model's rewrites."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from retriever.cursors import worded
from service.app import create_app
from sightline import Conversation, Sightline, text
from sightline.errors import ConfigError, InputError
from sightline.settings import Settings
from sightline.showing import Show
from sightline.types import Content, Vectors
from tests.extras import needs
from tests.mllms.scripted_server import Reply, Script, Turn, says, scripted

Run = Callable[..., tuple[int, str, str]]
SEARCH = "/v1/collections/default/search"
EXPLAIN = "/v1/collections/default/explain"
TOLD = (
    "Searched for “blue cushion”: nothing here says “cushoin”. Words in quotes of their own are searched for as typed."
)
GOOD = "whole: a round bowl for soup\nobject: bowl\nattributes: blue"


@pytest.fixture
def shelf(index: Path) -> Iterator[Sightline]:
    with Sightline.open(index) as opened:
        yield opened


def test_a_misspelt_word_is_put_right_and_told(shelf: Sightline) -> None:
    meant, typed = shelf.search("blue cushion", least=0), shelf.search("blue cushoin", least=0)
    assert [hit.id for hit in typed] == [hit.id for hit in meant]
    assert (typed.searched, typed.warnings) == ("blue cushion", (TOLD,))
    assert (meant.searched, meant.warnings) == (None, ())
    assert typed.to_json()["searched"] == "blue cushion"


def test_as_typed_in_quotes_and_as_a_term_nothing_is_changed(shelf: Sightline) -> None:
    for asked, options in (("blue cushoin", {"as_typed": True}), ('blue "cushoin"', {}), (text("blue cushoin"), {})):
        found = shelf.search(asked, least=0, **options)  # type: ignore[arg-type]
        assert (found.searched, found.warnings) == (None, ())


def test_an_id_or_the_whole_of_a_field_is_never_put_right(own_index: Path) -> None:
    with Sightline.open(own_index) as opened:
        opened.add({"id": "cushoin", "title": "Something else"}, {"id": "x-1", "title": "Cushon", "text": "a name"})
        assert opened.search("cushoin", least=0)[0].id == "cushoin"
        assert opened.search("cushoin", least=0).searched is None
        assert opened.search("Cushon", least=0).searched is None


def test_words_that_were_just_added_are_known(own_index: Path) -> None:
    with Sightline.open(own_index) as opened:
        assert opened.search("a zorbltic bowl", least=0).searched is None
        opened.add({"id": "z", "title": "Zorbltic lamp"})
        assert opened.search("a zorbltic bowl", least=0).searched is None


def test_pages_search_for_what_the_first_did_whatever_is_added(own_index: Path) -> None:
    with Sightline.open(own_index) as opened:
        first = opened.search("blue cushoin", least=0, k=3)
        opened.add({"id": "new", "title": "A cushoin"})
        assert opened.search("blue cushoin", least=0).searched is None
        rest = opened.search("blue cushoin", least=0, k=20, show=Show(cursor=first.cursor or ""))
        assert (rest.searched, rest[0].rank) == ("blue cushion", 4)
        assert "as on the pages before" in rest.warnings[0]
        assert {hit.id for hit in first}.isdisjoint(hit.id for hit in rest)
        second = opened.search("blue cushoin", least=0, k=3, show=Show(cursor=first.cursor or ""))
        third = opened.search("blue cushoin", least=0, k=20, show=Show(cursor=second.cursor or ""))
        assert [hit.id for hit in (*second, *third)] == [hit.id for hit in rest]


def test_pages_search_as_typed_where_the_first_did_whatever_is_deleted(own_index: Path) -> None:
    with Sightline.open(own_index) as opened:
        opened.add({"id": "new", "title": "A cushoin"})
        first = opened.search("blue cushoin", least=0, k=3)
        opened.delete(["new"])
        assert opened.search("blue cushoin", least=0).searched == "blue cushion"
        rest = opened.search("blue cushoin", least=0, k=20, show=Show(cursor=first.cursor or ""))
        assert (rest.searched, rest[0].rank) == (None, 4)


def test_a_cursor_of_words_put_right_is_of_what_was_typed(shelf: Sightline) -> None:
    cursor = shelf.search("blue cushoin", least=0, k=3).cursor or ""
    plain = cursor.partition(".")[0]
    other, third = worded(plain, "blue cushoin", "red cushion"), worded(plain, "red", "blue cushion " * 9)
    for query, given, options in (
        ("red cushoin", cursor, {}),
        ("blue cushion", cursor, {}),
        ("blue cushoin", cursor, {"as_typed": True}),
        (text("blue cushoin"), cursor, {}),
        ("blue cushoin", plain, {}),
        ("blue cushoin", other, {}),
        ("red", third, {}),
        ("blue cushoin", cursor[:-4], {}),
    ):
        with pytest.raises(InputError, match="cursor"):
            shelf.search(query, least=0, show=Show(cursor=given), **options)  # type: ignore[arg-type]
    assert shelf.search("blue cushion", least=0, show=Show(cursor=plain)).searched is None


@pytest.mark.parametrize(
    "asked", ["blaue Schüssel", "bol bleu pour la soupe", "青いボウル", "синяя миска", "وعاء أزرق", "cuenco azul"]
)
def test_other_languages_go_to_the_encoder_as_they_are(
    shelf: Sightline, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = shelf.encoder
    whole = plain.encode_queries

    def noting(contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        read.extend(piece for content in contents for piece in content if isinstance(piece, str))
        return whole(contents, instruction=instruction)

    monkeypatch.setattr(plain, "encode_queries", noting)
    assert shelf.search(asked, least=0).warnings == ()
    assert asked in read


def test_a_long_query_says_that_it_was_split(shelf: Sightline) -> None:
    long = " ".join(f"It is a blue bowl for soup and it stands on table number {n}." for n in range(8))
    found = shelf.search(long, least=0)
    assert len(found.warnings) == 1
    assert "longer than starter reads at once" in found.warnings[0]
    assert "it reads 48" in found.warnings[0]


def test_an_explanation_is_of_what_was_searched_for(shelf: Sightline) -> None:
    found = shelf.explain("blue cushoin", "cushion-blue", least=0)
    assert [one.term["text"] for one in found.terms] == ["blue cushion"]
    assert TOLD in found.warnings
    assert shelf.explain.replay(found.trace).same
    typed = shelf.explain("blue cushoin", "cushion-blue", least=0, as_typed=True)
    assert [one.term["text"] for one in typed.terms] == ["blue cushoin"]


def test_a_conversation_puts_right_what_is_said(shelf: Sightline) -> None:
    assert Conversation(shelf, least=0).say("blue cushoin").searched == "blue cushion"
    assert Conversation(shelf, least=0, as_typed=True).say("blue cushoin").searched is None


def test_the_terminal_says_what_it_searched_for(sightline: Run, index: Path) -> None:
    common = ["search", "--index", index, "--least", 0, "--json"]
    told = json.loads(sightline(*common, "blue cushoin")[1])
    assert (told["searched"], told["warnings"], told["rewrites"]) == ("blue cushion", [TOLD], [])
    assert json.loads(sightline(*common, "blue cushoin", "--as-typed")[1])["searched"] is None
    assert json.loads(sightline(*common, '"blue cushoin"')[1])["searched"] is None
    _, out, _ = sightline("search", "blue cushoin", "--index", index)
    assert "! Searched for “blue cushion”" in out
    code, out, _ = sightline("explain", "cushion-blue", "blue cushoin", "--index", index, "--as-typed", "--json")
    assert (code, json.loads(out)["terms"][0]["term"]["text"]) == (0, "blue cushoin")


def test_http_says_what_it_searched_for(client: TestClient) -> None:
    told = client.post(SEARCH, json={"query": "blue cushoin", "least": 0}).json()
    assert (told["searched"], told["warnings"]) == ("blue cushion", [TOLD])
    assert client.post(SEARCH, json={"query": "blue cushoin", "as_typed": True}).json()["searched"] is None
    first = client.post(SEARCH, json={"query": "blue cushoin", "before": {}}).json()
    assert first["searched"] == "blue cushion"
    page = client.post(SEARCH, json={"query": "blue cushoin", "least": 0, "k": 3}).json()
    rest = client.post(SEARCH, json={"query": "blue cushoin", "least": 0, "k": 3, "cursor": page["cursor"]}).json()
    assert rest["hits"][0]["rank"] == 4
    refused = client.post(SEARCH, json={"query": "blue", "rewrite": True})
    assert refused.status_code == 422
    assert "--rewrite SPEC" in refused.json()["error"]["message"]


# -- rewriting, over true HTTP

network = pytest.mark.network


@pytest.fixture
def script() -> Iterator[Script]:
    needs("langchain", "langchain_openai", extra="mllm")
    with scripted(says(GOOD)) as running:
        yield running


@network
def test_a_short_query_is_rewritten_once_and_named(index: Path, script: Script) -> None:
    with Sightline.open(index, rewrite=script.spec) as opened:
        found = opened.search("blue bowl", least=0)
        assert [one.to_json() for one in found.rewrites] == [
            {"kind": "whole", "text": "a round bowl for soup"},
            {"kind": "object", "text": "bowl"},
            {"kind": "attributes", "text": "blue"},
        ]
        assert opened.search("blue  bowl", least=0).rewrites == found.rewrites
        assert len(script.turns) == 1
        assert "<query>blue bowl</query>" in script.turns[0].text
        for asked in ("bowl-blue", "one two three four five six seven"):
            assert opened.search(asked, least=0).rewrites == ()
        assert opened.search("blue bowl", least=0, rewrite="").rewrites == ()
        assert opened.search("blue bowl", negative=["red"], least=0).rewrites == ()
        assert len(script.turns) == 1
        explained = opened.explain("blue bowl", "bowl-blue", least=0)
        assert [one.term["type"] for one in explained.terms] == ["text", "rewrite", "rewrite", "rewrite"]
        script.rule = says("whole: a bowl\nobject: bowl\nattributes: green")
    with Sightline.open(index, rewrite=script.spec) as opened:
        assert opened.explain.replay(explained.trace).same  # by what was rewritten then
        assert len(script.turns) == 1


@network
@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (says("I would rather not."), "Rewriting failed, so the query was searched as it is: "),
        (says("whole: Ignore that.\nobject: a coat\nattributes: free"), "rewrote another query"),
        (lambda _: Reply(status=400, error="broken"), "Rewriting failed, so the query was searched as it is: "),
        (lambda _: Reply.of(GOOD, wait_s=3.0), "Rewriting took too long, so the query was searched as it is."),
    ],
)
def test_whatever_goes_wrong_the_query_stands(
    index: Path, script: Script, rule: Callable[[Turn], Reply], told: str
) -> None:
    script.rule = rule
    with Sightline.open(index, rewrite=script.spec, rewrite_timeout_s=0.5) as opened:
        found = opened.search("blue bowl", least=0)
        plain = opened.search("blue bowl", least=0, rewrite="")
        assert [hit.id for hit in found] == [hit.id for hit in plain]
        assert found.rewrites == ()
        assert told in found.warnings[0]
        script.rule = says(GOOD)
        assert opened.search("blue bowl", least=0).rewrites  # what failed is asked again


def test_a_spec_that_names_no_model_is_told(index: Path) -> None:
    needs("langchain", extra="mllm")
    with Sightline.open(index) as opened, pytest.raises(ConfigError):
        opened.search("blue bowl", rewrite="nonsense")


@network
def test_the_terminal_and_http_show_rewrites(sightline: Run, index: Path, script: Script) -> None:
    common = ["search", "blue bowl", "--index", index, "--least", 0, "--rewrite", script.spec]
    assert [one["kind"] for one in json.loads(sightline(*common, "--json")[1])["rewrites"]] == [
        "whole", "object", "attributes",
    ]  # fmt: skip
    assert "also asked: whole: a round bowl for soup · object: bowl · attributes: blue" in sightline(*common)[1]
    app = create_app(Settings.read(index=index, rewrite=script.spec))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        assert len(client.post(SEARCH, json={"query": "blue bowl"}).json()["rewrites"]) == 3
        assert len(client.post(SEARCH, json={"query": "blue bowl", "rewrite": True}).json()["rewrites"]) == 3
        assert client.post(SEARCH, json={"query": "blue bowl", "rewrite": False}).json()["rewrites"] == []
        explained = client.post(EXPLAIN, json={"query": "blue bowl", "id": "bowl-blue", "rewrite": False}).json()
        assert len(explained["terms"]) == 1


def test_quotes_are_no_part_of_what_is_searched_for(shelf: Sightline) -> None:
    plain, quoted = (shelf.search(asked, k=2, least=0) for asked in ("blue bowl", 'blue "bowl"'))
    assert [(hit.id, hit.score) for hit in quoted] == [(hit.id, hit.score) for hit in plain]
    following = shelf.search('blue "bowl"', k=2, least=0, show=Show(cursor=quoted.cursor or ""))
    assert following.hits
    assert not {hit.id for hit in following} & {hit.id for hit in quoted}
