"""Search over a real store with a small encoder that really sees colour and shape."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pytest

import retriever
from retriever.reranking import Reranking
from sightline.errors import EngineError, EngineTimeout, InputError, UnsupportedModality
from sightline.filters import Compare
from sightline.protocols import Store
from sightline.showing import Show
from sightline.types import Hit, Item, Query, Results, Term
from tests.retriever.colours import ColourEncoder, picture

Find: TypeAlias = Callable[..., Results]
Shelve: TypeAlias = Callable[..., Item]


@pytest.fixture
def find(store: Store, encoder: ColourEncoder) -> Find:
    def run(query: str | Query, *, k: int = 10, **options: object) -> Results:
        asked = Query((Term(query),)) if isinstance(query, str) else query
        options.setdefault("encoder", encoder)
        return retriever.search(asked, k=k, store=store, **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def shop(shelve: Shelve) -> None:
    for colour in ("red", "green", "blue"):
        for shape in ("tall", "wide"):
            shelve(
                f"{colour}-{shape}",
                pictures=[f"{colour} {shape}"],
                texts=[f"A vase that stands {shape} in a room"],
                glaze=colour,
                price=10 if shape == "tall" else 20,
            )


def ids(results: Results) -> list[str]:
    return [hit.id for hit in results]


# -- what comes back


@pytest.mark.usefixtures("shop")
def test_words_find_pictures_and_pictures_find_pictures_and_texts(find: Find) -> None:
    assert ids(find("red tall"))[0] == "red-tall"
    assert ids(find(Query((Term(picture("blue", "wide")),))))[0] == "blue-wide"
    as_text = find(Query((Term(picture("tall")),), target="text"))
    assert {hit.id for hit in as_text[:3]} == {"red-tall", "green-tall", "blue-tall"}
    assert all(part.modality == "text" for hit in as_text for part in hit.parts)


@pytest.mark.usefixtures("shop")
def test_a_picture_and_words_are_composed(find: Find) -> None:
    composed = Query((Term(picture("green")), Term("wide")))
    assert ids(find(composed))[0] == "green-wide"


@pytest.mark.usefixtures("shop")
def test_one_hit_an_item_ranks_from_one_and_falling_scores(find: Find) -> None:
    results = find("red vase")
    assert len(results) == len(set(ids(results))) == 6
    assert [hit.rank for hit in results] == [1, 2, 3, 4, 5, 6]
    assert [hit.score for hit in results] == sorted((hit.score for hit in results), reverse=True)
    assert results.took_ms > 0
    assert results.hits == find("red vase").hits


@pytest.mark.usefixtures("shop")
def test_k_counts_items_after_the_filter_and_k_over_n_gives_n(find: Find) -> None:
    cheap = Query((Term("red"),), where=Compare("price", "<", 15))
    assert ids(find(cheap, k=2))[0] == "red-tall"
    assert len(find(cheap, k=2)) == 2
    assert set(ids(find(cheap, k=50))) == {"red-tall", "green-tall", "blue-tall"}


def test_fewer_hits_are_the_first_of_more(find: Find, shelve: Shelve) -> None:
    draw = random.Random(7)
    words = ("red", "green", "blue", "tall", "wide", "jar", "lid", "oak", "tin")
    for n in range(60):
        pictures = [" ".join(draw.sample(words[:5], 2)) for _ in range(draw.choice((0, 0, 1, 2)))]
        texts = [" ".join(draw.sample(words, 4)) for _ in range(draw.choice((0, 1, 3)))]
        shelve(f"item-{n:02}", pictures=pictures, texts=texts, note=draw.choice(words))
    for text in ("red tall jar", "oak lid", "green", "blue wide tin lid"):
        for query in (Query((Term(text),)), Query((Term(text), Term(picture("red", "wide"), 0.5)))):
            every = ids(find(query, k=60))
            for k in (1, 3, 10, 25):
                assert ids(find(query, k=k)) == every[:k]


def test_many_parts_of_one_item_do_not_crowd_out_the_others(find: Find, shelve: Shelve) -> None:
    shelve("album", pictures=["red tall"] * 300)
    shelve("other", pictures=["green wide"])
    results = find("red tall", k=2)
    assert ids(results) == ["album", "other"]
    assert len(results[0].parts) == 8


def test_an_empty_collection_has_no_match(find: Find) -> None:
    assert find("red").no_match


@pytest.mark.parametrize("query", ["", "  \t"])
def test_an_empty_query_is_refused(find: Find, query: str) -> None:
    with pytest.raises(InputError, match="empty query"):
        find(query)


@pytest.mark.parametrize("k", [0, -1])
def test_k_is_at_least_one(find: Find, k: int) -> None:
    with pytest.raises(InputError, match="k must be"):
        find("red", k=k)


def test_a_picture_finds_itself_first_whatever_the_texts_say(find: Find, shelve: Shelve) -> None:
    shelve("itself", pictures=["red tall"], texts=["a thing"])
    for n, seen in enumerate(
        (
            "red",
            "red green tall",
            "red wide",
            "red green",
            "tall",
            "green tall",
            "red green blue",
            "green",
            "wide",
            "blue wide",
        )
    ):
        shelve(f"near-{n}", pictures=[seen], texts=["red tall"])
    shelve("guide", texts=["red tall"])
    found = ids(find(Query((Term(picture("red", "tall")),)), k=12))
    assert found[0] == "itself"
    assert 1 < found.index("guide") < 11


# -- channels


def test_via_names_the_channels_that_alone_would_have_found_it(find: Find, shelve: Shelve) -> None:
    shelve("seen", pictures=["red tall"], texts=["a jug"])
    shelve("said", pictures=["blue"], texts=["a wide basin"], note="glazed in red")
    shelve("read", pictures=["green"], texts=["red", "tall"])
    by_id = {hit.id: hit for hit in find("a red one", k=1)}
    assert {hit.id: hit.via for hit in find("a red one", k=3, weights={"clip": 1.0})} == dict.fromkeys(
        ("seen", "said", "read"), ("clip",)
    )
    assert set(by_id["read"].via) == {"dense", "words"}
    assert by_id["read"].parts[0].text == "red"


def test_channels_that_are_named_are_the_only_ones_asked(find: Find, shelve: Shelve) -> None:
    shelve("seen", pictures=["red tall"])
    shelve("said", texts=["a wide basin"], note="glazed in red")
    assert ids(find("red", channels=("words",))) == ["said"]
    assert ids(find("red", channels=("clip",))) == ["seen"]
    assert set(ids(find("red", channels=("clip", "words")))) == {"seen", "said"}
    with pytest.raises(UnsupportedModality, match="the channel words cannot look for text among pictures"):
        find(Query((Term("red"),), target="image"), channels=("words",))
    with pytest.raises(InputError, match="'smell'"):
        find("red", channels=("smell",))


def test_a_document_is_not_behind_for_having_no_picture(find: Find, shelve: Shelve) -> None:
    shelve("poster", pictures=["red tall"], texts=["a wide green thing"])
    shelve("banner", pictures=["red"], texts=["a green thing"])
    shelve("guide", texts=["red tall"])
    assert ids(find("red tall", weights={"clip": 1.0, "dense": 1.0}))[0] == "guide"


def test_one_common_word_does_not_outrank_what_is_seen(find: Find, shelve: Shelve) -> None:
    for n in range(12):
        shelve(f"note-{n:02}", texts=["for indoor use"] if n % 2 else ["for outdoor use"], pictures=["blue wide"])
    shelve("vase", pictures=["red tall"], texts=["for the table"])
    assert ids(find("an outdoor snapshot of a red tall amphora"))[0] == "vase"


def test_the_words_of_a_query_that_mean_nothing_find_nothing(find: Find, shelve: Shelve) -> None:
    shelve("a", texts=["something to show"])
    shelve("b", texts=["a tripod"])
    hits = find("show me something like a tripod", weights={"words": 1.0})
    assert ids(hits) == ["b"]


@pytest.mark.usefixtures("shop")
def test_exactly_an_id_or_a_whole_field_comes_first(find: Find, shelve: Shelve) -> None:
    shelve("plain", texts=["SKU 77 is often asked for: SKU 77, SKU 77"])
    shelve("x-1", texts=["nothing of note"], sku="SKU 77")
    assert ids(find("green-wide"))[0] == "green-wide"
    assert "id" in find("green-wide")[0].via
    assert ids(find("sku 77"))[0] == "x-1"
    cheap = Query((Term("green-wide"),), where=Compare("price", "<", 15))
    assert "green-wide" not in ids(find(cheap))


def test_only_the_id_can_find_an_item_nothing_else_describes(find: Find, shelve: Shelve) -> None:
    shelve("p-100", price=3)
    shelve("p-200", pictures=["red"])
    assert ids(find("p-100"))[0] == "p-100"
    assert ids(find(Query((Term("p-100"),), target="image"))) == ["p-200"]


# -- target


@pytest.mark.usefixtures("shop")
def test_with_pictures_as_the_target_words_do_not_vote(find: Find, shelve: Shelve) -> None:
    shelve("liar", pictures=["blue wide"], texts=["red tall"], glaze="red tall")
    seen = find(Query((Term("red tall"),), target="image"))
    assert ids(seen)[0] == "red-tall"
    assert ids(seen).index("liar") > 2
    assert all(hit.via == ("clip",) for hit in seen)
    assert all(part.modality == "image" for hit in seen for part in hit.parts)
    told = find(Query((Term("red tall"),), target="text"))
    assert ids(told)[0] == "liar"
    assert all(part.modality != "image" for hit in told for part in hit.parts)


# -- what is not wanted


def share(results: Results, colour: str, *, of: int) -> float:
    return sum(hit.id.startswith(colour) for hit in results[:of]) / of


@pytest.mark.parametrize("target", [None, "image"])
def test_a_negative_reduces_the_share_of_what_it_names(find: Find, shelve: Shelve, target: str | None) -> None:
    for n in range(4):
        for colour in ("red", "green", "blue"):
            shelve(f"{colour}-{n}", pictures=[f"{colour} tall"])
            shelve(f"{colour}-{n}-wide", pictures=[f"{colour} wide"])
    plain = find(Query((Term("tall red green"),), target=target))  # type: ignore[arg-type]
    pushed = find(Query((Term("tall red green"), Term("red", -1.0)), target=target))  # type: ignore[arg-type]
    assert share(plain, "red", of=8) == 0.5
    assert share(pushed, "red", of=8) == 0
    assert all(not hit.id.endswith("wide") for hit in pushed[:8])


def test_a_heavier_negative_pushes_further(find: Find, shelve: Shelve) -> None:
    for n in range(3):
        shelve(f"red-{n}", pictures=["red tall"])
        shelve(f"blue-{n}", pictures=["blue wide"])
        shelve(f"none-{n}", pictures=["tall"])
    last = [
        max(hit.rank for hit in find(Query((Term("red tall"), Term("red", -w)))) if hit.id.startswith("red"))
        for w in (0.01, 3.0)
    ]
    assert last[0] < last[1]


def test_an_item_that_says_the_unwanted_words_goes_last(find: Find, shelve: Shelve) -> None:
    shelve("down", pictures=["red tall"], texts=["red tall filled with goose down"])
    shelve("goose", pictures=["blue"], texts=["a picture of a goose"])
    shelve("fleece", pictures=["blue"], texts=["a warm fleece"])
    assert ids(find("red tall"))[0] == "down"
    assert ids(find(Query((Term("red tall"), Term("goose down", -1.0)))))[-1] == "down"


# -- what the encoder cannot do


@pytest.mark.usefixtures("shop")
def test_a_picture_asked_of_a_text_encoder_is_refused_and_words_still_serve(find: Find) -> None:
    reader = ColourEncoder(frozenset({"text"}))
    with pytest.raises(UnsupportedModality, match="colours cannot look for pictures"):
        find(Query((Term(picture("red")),)), encoder=reader)
    with pytest.raises(UnsupportedModality, match="among pictures"):
        find(Query((Term("red"),), target="image"), encoder=reader)
    both = find(Query((Term("red"), Term(picture("blue")))), encoder=reader)
    assert both.warnings == ("the encoder colours cannot embed pictures",)
    seeing_only = ColourEncoder(frozenset({"image"}))
    assert {hit.id for hit in find("red", encoder=seeing_only)} == {"red-tall", "red-wide"}


# -- reranking


class Backwards:
    """Prefers what the first order liked least."""

    name = "backwards"

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        return [10.0 * at for at in range(len(hits))]


class Failing:
    """A reranker whose model is down, slow, or talks nonsense."""

    name = "failing"

    def __init__(self, failure: EngineError | None) -> None:
        self.failure = failure

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        if self.failure:
            raise self.failure
        return [1.0]


@pytest.mark.usefixtures("shop")
def test_the_first_hits_are_reordered_and_the_rest_stay_behind(find: Find) -> None:
    plain = find("red tall vase")
    again = find("red tall vase", reranking=Reranking(Backwards(), depth=4))
    assert ids(again) == [*reversed(ids(plain)[:4]), *ids(plain)[4:]]
    assert [hit.rank for hit in again] == [1, 2, 3, 4, 5, 6]
    assert [hit.score for hit in again] == [hit.score for hit in plain]
    assert ["rerank" in hit.via for hit in again] == [True] * 4 + [False] * 2


@pytest.mark.usefixtures("shop")
def test_reranking_may_bring_up_what_k_alone_would_have_cut(find: Find) -> None:
    plain = find("red tall vase")
    assert ids(find("red tall vase", k=1, reranking=Reranking(Backwards()))) == ids(plain)[-1:]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("failure", "says"),
    [(EngineError("the server hung up"), "the server hung up"), (EngineTimeout("30 s"), "too long"), (None, "did not")],
)
def test_when_reranking_fails_the_first_order_stands(find: Find, failure: EngineError | None, says: str) -> None:
    plain = find("red tall vase")
    results = find("red tall vase", reranking=Reranking(Failing(failure)))
    assert results.hits == plain.hits
    assert says in results.warnings[0]
    assert "the first order stands" in results.warnings[0]


@pytest.mark.usefixtures("shop")
def test_sorted_hits_are_not_read_and_that_is_told(find: Find) -> None:
    found = find("red tall vase", reranking=Reranking(Backwards()), show=Show(sort="price"))
    assert found.reranked is not None
    assert (found.reranked.by, found.reranked.read, found.reranked.why) == ("backwards", 0, "sorted hits are not read")
