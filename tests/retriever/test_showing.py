"""Pages, sorting, diversity, folding and facets over a real store: the same hits, shown as asked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest

import retriever
from retriever.arranging import sorted_by, varied
from retriever.cursors import Place
from sightline.errors import InputError
from sightline.filters import Compare
from sightline.protocols import Store
from sightline.showing import Show
from sightline.types import Hit, Item, Part, Pixels, Query, Results, Term
from tests.retriever.colours import ColourEncoder, picture

Find: TypeAlias = Callable[..., Results]
Shelve: TypeAlias = Callable[..., Item]
WORDS = ("red", "green", "blue", "tall", "wide", "jar", "lid", "oak", "tin")


@pytest.fixture
def find(store: Store, encoder: ColourEncoder) -> Find:
    def run(
        query: str | Query, *, k: int = 10, picture: object = None, where: object = None, **show: object
    ) -> Results:
        asked = Query((Term(query),)) if isinstance(query, str) else query
        asked = replace(asked, where=where) if where else asked  # type: ignore[arg-type]
        options = {"picture": picture} if picture else {}
        return retriever.search(asked, k=k, store=store, encoder=encoder, show=Show(**show), **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def fill(shelve_all: Callable[..., None]) -> Callable[[int], None]:
    """`fill(n)` puts n items into the store, each a draw of pictures, texts, and a price for most."""

    def put(count: int) -> None:
        draw = random.Random(7)
        rows = []
        for n in range(count):
            pictures = [" ".join(draw.sample(WORDS[:5], 2)) for _ in range(draw.choice((0, 0, 1, 2)))]
            texts = [" ".join(draw.sample(WORDS, 4)) for _ in range(draw.choice((1, 1, 3)))]
            fields = {"colour": draw.choice(WORDS[:3])} | (
                {"price": draw.randrange(100)} if draw.random() < 0.8 else {}
            )
            rows.append({"id": f"item-{n:03}", "pictures": pictures, "texts": texts, "fields": fields})
        shelve_all(rows)

    return put


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def pages(
    find: Find, query: str | Query, *, k: int, between: Callable[[], None] | None = None, **show: object
) -> Iterator[Results]:
    """All pages by their cursors."""
    page = find(query, k=k, **show)
    yield page
    while page.cursor:
        if between:
            between()
        page = find(query, k=k, cursor=page.cursor, **show)
        yield page


# -- pages


@pytest.mark.parametrize(
    "query", ["red tall jar", "green", Query((Term("oak lid"), Term(picture("red", "wide"), 0.5)))]
)
def test_all_pages_together_are_the_one_ranking(find: Find, fill: Callable[[int], None], query: str | Query) -> None:
    fill(260)
    whole = find(query, k=250)
    assert len(whole) == 250
    turned = [hit for page in pages(find, query, k=35) for hit in page]
    assert ids(turned)[:250] == ids(whole)
    assert len(set(ids(turned))) == len(turned) == 260
    assert [hit.rank for hit in turned] == list(range(1, 261))
    assert [hit.score for hit in whole] == sorted((hit.score for hit in whole), reverse=True)
    assert ids(find(query, k=20)) == ids(whole)[:20]
    assert ids(find(query, k=30, offset=90)) == ids(whole)[90:120]
    assert find(query, k=30, offset=90)[0].rank == 91


def test_nothing_is_repeated_or_lost_while_items_come_and_go(
    find: Find, fill: Callable[[int], None], store: Store, shelve: Shelve
) -> None:
    fill(60)
    there, new = {f"item-{n:03}" for n in range(60)}, iter(range(99))

    def change() -> None:
        for _ in range(3):
            shelve(f"new-{next(new)}", pictures=["red tall"], texts=["a red tall jar"])
        gone = f"item-{next(new) % 60:03}"
        store.delete([gone])
        there.discard(gone)

    turned = [ids(page) for page in pages(find, "red tall jar", k=7, between=change)]
    shown = [one for page in turned for one in page]
    assert len(shown) == len(set(shown))
    assert there <= set(shown)
    assert turned[1][0].startswith("new-")  # what was added and is better comes as soon as it can


def test_the_last_page_has_no_cursor_and_is_no_failure(find: Find, fill: Callable[[int], None]) -> None:
    fill(12)
    first = find("red", k=10)
    last = find("red", k=10, cursor=first.cursor)
    assert (len(first), len(last), last.cursor, last.no_match) == (10, 2, None, False)
    assert find("red", k=12).cursor is None
    beyond = find("red", k=5, offset=50)
    assert (len(beyond), beyond.cursor, beyond.no_match) == (0, None, False)


def test_a_cursor_of_another_search_or_a_changed_one_is_refused(find: Find, fill: Callable[[int], None]) -> None:
    fill(30)
    cursor = find("red tall", k=5).cursor
    assert cursor
    assert len(find("red tall", k=9, cursor=cursor)) == 9  # a page may be larger than the one before
    for other in (
        {"query": "red wide"},
        {"query": "red tall", "where": Compare("price", "<", 50)},
        {"query": "red tall", "sort": "price"},
        {"query": "red tall", "fold": True},
        {"query": Query((Term("red tall", 2.0),))},
        {"query": Query((Term(picture("red")),))},
    ):
        with pytest.raises(InputError, match=r"another search, or to an earlier version: .* or search again"):
            find(**other, cursor=cursor)
    middle = len(cursor) // 2
    changed = cursor[:middle] + ("A" if cursor[middle] != "A" else "B") + cursor[middle + 1 :]
    for forged in (changed, cursor[:-4], cursor + "AAAA", "x", "not base64 ☃", "AAAA", "A" * 4000):
        with pytest.raises(InputError, match=r"no cursor.* or search again"):
            find("red tall", cursor=forged)
    with pytest.raises(InputError, match="not both"):
        find("red tall", cursor=cursor, offset=3)


def test_a_cursor_does_not_outlive_the_vectors_it_came_from() -> None:
    query, before = Query((Term("red"),)), Place.of(Show(), Query((Term("red"),)), asked=(), encoder="one", k=5)
    cursor = before.after([])
    assert Place.of(Show(cursor=cursor), query, asked=(), encoder="one", k=5) == before
    with pytest.raises(InputError, match="embedded anew"):
        Place.of(Show(cursor=cursor), query, asked=(), encoder="two", k=5)


# -- sorting


def test_sorted_hits_are_those_found_by_value_then_rank_and_without_it_last(
    find: Find, fill: Callable[[int], None]
) -> None:
    fill(80)
    best = find("red tall jar", k=40)
    for sort, falling in (("price", False), ("-price", True), ("Price", False)):
        hits = [hit for page in pages(find, "red tall jar", k=40, sort=sort) for hit in page]
        assert set(ids(best)) <= set(ids(hits))
        priced = [hit for hit in hits if "price" in hit.item.fields]
        assert hits[: len(priced)] == priced
        values = [float(hit.item.fields["price"]) for hit in priced]  # type: ignore[arg-type]
        assert values == sorted(values, reverse=falling)
        assert 0 < len(priced) < len(hits)
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    by_rank = {one: at for at, one in enumerate(ids(find("red tall jar", k=80)))}
    equal = [by_rank[hit.id] for hit in hits if "price" not in hit.item.fields]
    assert equal == sorted(equal)


def test_what_is_hardly_relevant_is_not_sorted_to_the_front(find: Find, shelve_all: Callable[..., None]) -> None:
    jars = [{"id": f"jar-{n}", "texts": [f"a red tall jar number {n}"], "fields": {"price": 50 + n}} for n in range(5)]
    lids = [{"id": f"lid-{n}", "texts": ["an oak lid"], "fields": {"price": n % 7}} for n in range(60)]
    shelve_all([*jars, *lids])
    for k in (3, 5):
        assert ids(find("red tall jar", k=k, sort="price")) == [f"jar-{n}" for n in range(k)]


def test_where_relevance_is_told_it_decides_what_is_sorted(store: Store, shelve: Shelve) -> None:
    told = {
        "jar": (0.9, 0.03),
        "vase": (0.5, 0.029),
        "lid": (0.04, 0.028),
        "unwanted": (0.9, -0.97),
        "far": (0.9, 0.01),
    }
    hits = [
        Hit(shelve(name, texts=["x"], price=10 - at), (), score, at + 1, ("words",), relevance=share)
        for at, (name, (share, score)) in enumerate(told.items())
    ]
    assert ids(sorted_by(hits, "price", store, least=5)) == ["vase", "jar"]
    refused = [replace(hit, score=hit.score - 1) for hit in hits[:3]]  # each says what is not wanted
    assert ids(sorted_by(refused, "price", store, least=5)) == ["vase", "jar"]
    bare = [replace(hit, relevance=None) for hit in hits]
    assert ids(sorted_by(bare, "price", store, least=1)) == ["lid", "vase", "jar"]


def test_texts_sort_without_regard_to_case_and_after_numbers(find: Find, shelve: Shelve) -> None:
    for n, size in enumerate(["b", "A", "c", 7, 10]):
        shelve(f"jar-{n}", texts=["a red jar"], size=size)
    assert [hit.item.fields["size"] for hit in find("red jar", sort="size")] == [7, 10, "A", "b", "c"]
    assert [hit.item.fields["size"] for hit in find("red jar", sort="-size")] == ["c", "b", "A", 10, 7]
    with pytest.raises(InputError, match="Did you mean 'size'"):
        find("red jar", sort="sise")


# -- diversity


def test_diversity_brings_unlike_hits_forward_and_loses_none(find: Find, shelve: Shelve) -> None:
    for n in range(6):
        shelve(f"red-{n}", pictures=["red tall"])
    for n in range(3):
        shelve(f"wide-{n}", pictures=["red wide"])
    shelve("plain", pictures=["red"])
    plain = find("red tall")
    assert {one.split("-")[0] for one in ids(plain)[:3]} == {"red"}
    diverse = find("red tall", diversity=0.6)
    assert ids(diverse)[0] == ids(plain)[0]
    assert {one.split("-")[0] for one in ids(diverse)[:3]} == {"red", "wide", "plain"}
    assert sorted(ids(diverse)) == sorted(ids(plain))
    assert ids(find("red tall", diversity=0.0)) == ids(plain)
    turned = [hit for page in pages(find, "red tall", k=4, diversity=0.6) for hit in page]
    assert ids(turned) == ids(diverse)


@pytest.mark.parametrize("show", [Show(diversity=0.9), Show(diversify="brand")])
def test_what_is_hardly_relevant_is_not_brought_forward(store: Store, shelve: Shelve, show: Show) -> None:
    told = {"jar": 0.9, "lid": 0.01, "vase": 0.5, "cap": 0.02, "pot": 0.3}
    hits = [
        Hit(
            shelve(name, texts=["x"], brand="a" if share > 0.1 else name), (), 0.03, at + 1, ("words",), relevance=share
        )
        for at, (name, share) in enumerate(told.items())
    ]
    place = Place.of(show, Query((Term("x"),)), asked=[], encoder="", k=2)
    encoder = ColourEncoder()
    found = ids(varied(hits, show, place, k=2, store=store, encoder=encoder))
    assert (set(found[:3]), found[3:]) == ({"jar", "vase", "pot"}, ["lid", "cap"])
    bare = [replace(hit, relevance=None) for hit in hits]
    assert set(ids(varied(bare, show, place, k=2, store=store, encoder=encoder))) == told.keys()
    if show.diversify:
        assert ids(varied(bare, show, place, k=2, store=store, encoder=encoder))[:2] == ["jar", "lid"]


def test_at_most_so_many_of_a_value_on_a_page_as_far_as_there_are_others(find: Find, shelve: Shelve) -> None:
    for n in range(8):
        shelve(f"a-{n}", texts=["a red tall jar"], brand="Alta")
    for n in range(4):
        shelve(f"b-{n}", texts=["a red jar"], brand="BRAVO" if n % 2 else "Bravo")
    for n in range(2):
        shelve(f"none-{n}", texts=["a jar"])
    turned = list(pages(find, "red tall jar", k=6, diversify="brand"))
    assert ids(find("red tall jar", k=4)) == ["a-0", "a-1", "a-2", "a-3"]
    assert [one.split("-")[0] for one in ids(turned[0])] == ["a", "a", "b", "b", "none", "none"]
    assert [one.split("-")[0] for one in ids(turned[1])] == ["a", "a", "b", "b", "a", "a"]  # no others are left
    assert len({one for page in turned for one in ids(page)}) == 14
    three = Counter(one.split("-")[0] for one in ids(find("red tall jar", k=6, diversify="brand", at_most=3)))
    assert three == {"a": 3, "b": 3}


@pytest.mark.parametrize(
    ("show", "said"),
    [
        ({"diversity": 1.5}, "from 0 to 1"),
        ({"sort": "price", "diversity": 0.5}, "sort and diversity"),
        ({"sort": "price", "diversify": "brand"}, "sort and diversify"),
        ({"diversify": "brand", "at_most": 0}, "at_most"),
        ({"offset": -1}, "offset"),
    ],
)
def test_what_contradicts_itself_is_refused(show: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Show(**show)  # type: ignore[arg-type]


# -- folding


def blobs(seed: int) -> Pixels:
    """A picture of its own for every seed, soft enough to have light and dark."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3))
    return np.kron(small, np.ones((16, 16, 1))).astype(np.uint8)


def seen(part: Part) -> Pixels:
    """What the pictures of `copies` look like: the number after "look" in the item's id."""
    return blobs(int(part.item_id.split("look")[1].split("-")[0]))


def test_near_duplicates_go_under_the_better_hit(find: Find, shelve: Shelve) -> None:
    shelve("look1-a", pictures=["red tall"], texts=["a red jar"])
    shelve("look1-b", pictures=["red tall", "red tall"], texts=["a red jar, sold twice"])
    shelve("look2-a", pictures=["red tall lid"], texts=["a red jar"])  # an equal vector, another light and dark
    shelve("look1-c", pictures=["red tall"], texts=["something else altogether behind one placeholder"])
    plain = find("a red jar", picture=seen)
    assert len(plain) == 4
    assert all(hit.folded == () for hit in plain)
    folded = find("a red jar", picture=seen, fold=True)
    told = {hit.id: hit.folded for hit in folded}
    assert told == {"look1-a": ("look1-b",), "look2-a": (), "look1-c": ()}
    assert [hit.rank for hit in folded] == [1, 2, 3]


def test_equal_items_fold_without_pictures_and_other_prices_do_not(find: Find, shelve: Shelve) -> None:
    shelve("a", texts=["an oak lid"], price=3)
    shelve("b", texts=["an oak lid"], price=3)
    shelve("c", texts=["an oak lid"], price=4)
    assert {hit.id: hit.folded for hit in find("oak lid", fold=True)} == {"a": ("b",), "c": ()}
    assert [hit.folded for hit in find("oak lid", fold=True, sort="-price")] == [(), ("b",)]


def test_folded_pages_are_full_and_every_item_is_told_once(find: Find, shelve_all: Callable[..., None]) -> None:
    copies = [{"id": f"look1-{n:03}", "pictures": ["red tall"]} for n in range(150)]
    others = [{"id": f"look{n}-x", "pictures": ["red wide"], "texts": [f"jar {n}"]} for n in range(2, 14)]
    shelve_all([*copies, *others])
    opened: list[str] = []

    def look(part: Part) -> Pixels:
        opened.append(part.id)
        return blobs(int(part.item_id.split("look")[1].split("-")[0]))

    turned = list(pages(find, "red tall", k=4, fold=True, picture=look))
    assert [len(page) for page in turned] == [4, 4, 4, 1]  # one of 150 copies, and twelve others
    heads = [hit for page in turned for hit in page]
    told = [one for hit in heads for one in (hit.id, *hit.folded)]
    late = [one for page in turned for warning in page.warnings for one in warning.split(": ")[1].split(", ")]
    assert len(told) == len(set(told))
    assert sorted([*told, *late]) == sorted([one["id"] for one in (*copies, *others)])
    assert [hit.rank for hit in heads] == list(range(1, 14))


def test_pictures_are_opened_only_where_vectors_are_near(find: Find, shelve: Shelve) -> None:
    for n, colour in enumerate(("red", "green", "blue")):
        shelve(f"look{n}-a", pictures=[colour])

    def never(part: Part) -> Pixels:
        raise AssertionError(part.id)

    assert len(find("red", fold=True, picture=never)) == 3


# -- facets


def test_facets_count_what_the_filter_passes_found_or_not(find: Find, shelve_all: Callable[..., None]) -> None:
    rows = [
        {"id": f"jar-{n}", "texts": ["a jar"], "fields": {"brand": "alta" if n % 3 else "Alta", "price": n % 5}}
        for n in range(30)
    ]
    tags = [
        {"id": f"lid-{n}", "texts": ["a lid"], "fields": {"tags": ("oak", "tin") if n else ("oak",)}} for n in range(4)
    ]
    shelve_all([*rows, *tags])
    found = find("jar", k=2, facets=["brand", "Tags", "price"])
    assert len(found) == 2
    brand, tagged, price = found.facets
    assert (brand.field, brand.values, brand.more, brand.ranges) == ("brand", (("Alta", 30),), 0, ())
    assert (tagged.field, tagged.values) == ("tags", (("oak", 4), ("tin", 3)))
    assert price.values == tuple((n, 6) for n in range(5))
    (cheap,) = find("jar", facets=("price",), where=Compare("price", "<", 2)).facets
    assert cheap.values == ((0, 6), (1, 6))
    assert find("jar").facets == ()
    with pytest.raises(InputError, match="Did you mean 'brand'"):
        find("jar", facets=["brant"])


def test_many_values_are_cut_short_and_many_numbers_become_ranges(find: Find, shelve_all: Callable[..., None]) -> None:
    draw = random.Random(3)
    prices = [round(draw.lognormvariate(3, 1), 2) for _ in range(200)]
    shelve_all([
        {"id": f"jar-{n}", "texts": ["a jar"], "fields": {"price": price, "code": f"c{n % 50}"}}
        for n, price in enumerate(prices)
    ])  # fmt: skip
    price, code = find("jar", facets=["price", "code"]).facets
    assert len(code.values) == 20
    assert code.more == 30
    assert price.values == ()
    assert price.ranges[0].start is None
    assert price.ranges[-1].end is None
    assert [one.end for one in price.ranges[:-1]] == [one.start for one in price.ranges[1:]]
    for one in price.ranges:
        low, high = one.start or 0.0, one.end or float("inf")
        assert one.count == sum(low <= price < high for price in prices)
        assert 0 < one.count <= 80
    assert sum(one.count for one in price.ranges) == 200
    assert Show(facets="price").facets == ("price",)  # type: ignore[arg-type]


# -- what it costs


class Counting:
    """A store that counts what is asked of it, and how many items are read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()
        self.read = 0

    def __getattr__(self, name: str) -> object:
        self.calls[name] += 1
        if name != "get":
            return getattr(self._store, name)

        def get(asked: Sequence[str]) -> list[Item]:
            self.read += len(asked)
            return self._store.get(asked)

        return get


def test_nothing_is_paid_for_what_was_not_asked(
    store: Store, encoder: ColourEncoder, fill: Callable[[int], None]
) -> None:
    fill(260)

    def cost(**show: object) -> Counting:
        counting = Counting(store)
        query = Query((Term("red tall jar"),))
        retriever.search(query, k=10, store=counting, encoder=encoder, show=Show(**show))  # type: ignore[arg-type]
        return counting

    plain, third = cost(), cost(offset=20)
    assert plain.calls.keys() == {"search", "search_text", "get", "places"}
    assert third.calls == plain.calls
    assert plain.read < third.read < 130  # of 260: what may be among the first thirty
    assert cost(fold=True).calls - plain.calls == Counter(known=1)
    assert cost(diversity=0.5).calls - plain.calls == Counter(known=1)
    assert cost(facets=("price",)).read == plain.read
    assert all(cost(**show).read <= 260 for show in ({"fold": True}, {"sort": "price"}, {"diversity": 1.0}))
