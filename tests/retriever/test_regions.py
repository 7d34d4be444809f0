"""The box of a hit: of the region that answers best, on every store; and what goes by the whole picture alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import retriever
from retriever.background import measured
from retriever.explaining import explain
from retriever.likeness import vectors_of
from retriever.reranking import KINDS, Reranking, Trust
from sightline.protocols import Store
from sightline.showing import Show
from sightline.stores import open_store
from sightline.stores.chance import Chance
from sightline.types import Box, Hit, Item, Like, Locator, Part, PartVectors, Query, Results, Term
from tests.retriever.colours import ColourEncoder, picture

LEFT: Box = (0.0, 0.0, 0.5, 1.0)
RIGHT: Box = (0.5, 0.25, 1.0, 0.75)
WHOLE = Locator()


@pytest.fixture(params=["faiss", "qdrant"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A green picture with something red to the left and something blue to the right of it, and a plain red one."""
    opened = open_store(request.param, tmp_path / "store", collection="shelf")
    put(opened, "scene", "green wide", ("red tall", LEFT), ("blue tall", RIGHT))
    put(opened, "plain", "red wide")
    yield opened
    opened.close()


def put(store: Store, item_id: str, whole: str, *regions: tuple[str, Box], place: Locator = WHOLE) -> Item:
    encoder = ColourEncoder()
    part = Part(f"{item_id}#image-0", item_id, "image", f"digest of {item_id}", locator=place)
    rows = encoder.encode_documents([(picture(*words.split()),) for words in (whole, *(said for said, _ in regions))])
    item = Item(item_id, {}, (part,), item_id)
    store.upsert([item], [PartVectors(part.id, encoder.space, rows, tuple(box for _, box in regions))])
    return item


def found(store: Store, *terms: Term, **how: object) -> dict[str, Hit]:
    hits: Results = retriever.search(Query(terms), k=5, store=store, encoder=ColourEncoder(), **how)  # type: ignore[arg-type]
    return {hit.id: hit for hit in hits}


@pytest.mark.parametrize(("said", "box"), [("red", LEFT), ("blue", RIGHT), ("green wide", None)])
def test_a_hit_says_where_it_answers(store: Store, said: str, box: Box | None) -> None:
    hits = found(store, Term(said))
    assert hits["scene"].parts[0].locator.box == box
    assert hits["scene"].to_json()["parts"][0]["locator"] == ({"box": list(box)} if box else {})
    assert hits["plain"].parts[0].locator.box is None
    assert hits["scene"].item.parts[0].locator == Locator()  # the item itself is as it was


class Reader:
    """Judges as it is told, and keeps what it was shown."""

    name = "reader"

    def __init__(self, **odds: float) -> None:
        self.odds = odds
        self.boxes: list[dict[str, Box | None]] = []

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        self.boxes.append({hit.id: hit.parts[0].locator.box for hit in hits})
        return [self.odds.get(hit.id, 0.0) for hit in hits]


@pytest.mark.parametrize(("said", "box"), [("blue", RIGHT), ("green wide", None)])
def test_a_reranker_sees_where_a_hit_answers(store: Store, said: str, box: Box | None) -> None:
    reader = Reader(plain=9.0)
    hits = found(store, Term(said), reranking=Reranking(reader, gated=False))
    assert reader.boxes == [{"scene": box, "plain": None}]
    assert list(hits) == ["plain", "scene"]
    assert hits["scene"].parts[0].locator.box == box  # and not the box of the box


def test_who_is_not_asked_is_shown_nothing(store: Store) -> None:
    reader = Reader()
    hits = found(store, Term("blue"), reranking=Reranking(reader, trust=Trust(dict.fromkeys(KINDS, 0.0))))
    assert reader.boxes == []
    assert hits["scene"].parts[0].locator.box == RIGHT


def test_a_picture_is_found_where_it_is_shown(store: Store) -> None:
    hits = found(store, Term(picture("blue", "tall")))
    assert next(iter(hits)) == "scene"
    assert hits["scene"].parts[0].locator.box == RIGHT


def test_the_box_lies_within_the_part(store: Store) -> None:
    put(store, "page", "green wide", ("red tall", LEFT), place=Locator(page=3, box=(0.5, 0.5, 1.0, 1.0)))
    place = found(store, Term("red"))["page"].parts[0].locator
    assert (place.page, place.box) == (3, (0.5, 0.5, 0.75, 1.0))


def test_boxes_come_with_what_is_folded_sorted_and_paged(store: Store) -> None:
    hits = found(store, Term("blue"), show=Show(fold=True, diversity=0.3))
    assert hits["scene"].parts[0].locator.box == RIGHT


def test_more_like_this_is_like_the_whole_picture(store: Store) -> None:
    encoder = ColourEncoder()
    (item,) = store.get(["scene"])
    (whole,) = encoder.encode_documents([(picture("green", "wide"),)])
    np.testing.assert_allclose(vectors_of(item, store, encoder.space)["image"], whole, atol=1e-6)
    put(store, "green", "green wide")
    assert next(iter(found(store, Term(Like("scene"))))) == "green"


def test_regions_alike_fold_nothing(store: Store) -> None:
    put(store, "other", "blue wide", ("red tall", LEFT))
    put(store, "again", "blue wide", ("green tall", LEFT))
    shown = {name: picture(*words.split()) for name, words in {
        "scene": "green wide", "plain": "red wide", "other": "blue wide", "again": "blue wide",
    }.items()}  # fmt: skip
    hits = found(store, Term("red"), show=Show(fold=True), picture=lambda part: shown[part.item_id])
    assert {hit.id: hit.folded for hit in hits.values() if hit.folded} in (
        {"other": ("again",)},
        {"again": ("other",)},
        {},
    )
    assert {"scene", "plain"} <= hits.keys()


def test_a_background_is_of_what_regions_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = ColourEncoder()
    things = encoder.encode_queries([("red",), ("green tall",), ("wide",)])
    monkeypatch.setattr("retriever.background.everyday", lambda _: things)
    colours, shapes = ("red", "green", "blue"), ("tall", "wide")
    seen = [f"{colour} {shape}" for colour in colours for shape in shapes]
    names = [f"item-{n:02d}" for n in range(30)]
    for n, name in enumerate(names):
        put(store, name, seen[n % 6], (seen[(n + 1) % 6], LEFT), (seen[(n + 3) % 6], RIGHT))
    known = store.known(encoder.space, [f"digest of {name}" for name in names])
    chance = Chance.of([*known.values(), *store.known(encoder.space, ["digest of scene"]).values()])
    assert chance is not None
    less = chance.less(things)[:, None]
    cosines = [np.maximum(things @ rows[0][:, None], (things @ rows[1:].T).max(axis=1, keepdims=True) - less)
               for rows in known.values()]  # fmt: skip
    told = measured(store, encoder, store.get(names)).words["image"]
    assert told == pytest.approx((np.mean(cosines), np.std(cosines)), abs=1e-4)


def test_an_explanation_names_the_region(store: Store) -> None:
    account = retriever.Account()
    encoder = ColourEncoder()
    results = retriever.search(Query((Term("blue"),)), k=5, store=store, encoder=encoder, account=account)
    (item,) = store.get(["scene"])
    told = explain(account, results, item, store=store, calibration=None)
    channel = next(one for one in told.channels if one.channel == "clip")
    assert channel.box == RIGHT
    assert next(one for one in told.to_json()["channels"] if one["channel"] == "clip")["box"] == list(RIGHT)


def test_an_explanation_goes_by_what_counted(store: Store) -> None:
    encoder, rng = ColourEncoder(), np.random.default_rng(5)
    near = encoder.encode_documents([(picture("red", "tall"),)])[0]
    for n in range(40):  # two pictures each, with two regions each
        parts = tuple(Part(f"n{n}#image-{m}", f"n{n}", "image", f"digest of n{n}, {m}") for m in range(2))
        rows = near + 0.5 * rng.normal(size=(2, 3, encoder.space.dim)) / encoder.space.dim**0.5
        rows = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
        given = [
            PartVectors(part.id, encoder.space, some, (LEFT, RIGHT)) for part, some in zip(parts, rows, strict=True)
        ]
        store.upsert([Item(f"n{n}", {}, parts, f"n{n}")], given)
    account, query = retriever.Account(), Query((Term("red"),))
    results = retriever.search(query, k=42, store=store, encoder=encoder, account=account)
    wanted = encoder.encode_queries([("red",)])[0]
    seen = {"whole": 0, "region": 0, "nearer by chance": 0, "another part nearer by chance": 0}
    for item in store.get([hit.id for hit in results if hit.id.startswith("n")]):
        told = explain(account, results, item, store=store, calibration=None)
        channel = next(one for one in told.channels if one.channel == "clip")
        assert channel.cosine is not None
        assert channel.score is not None
        cosines = {part.id: store.known(encoder.space, [part.digest])[part.digest] @ wanted for part in item.parts}
        mine = cosines[channel.part or ""]
        assert channel.cosine == pytest.approx(mine[0] if channel.box is None else mine[1:].max(), abs=1e-5)
        if channel.box is None:
            assert channel.cosine == pytest.approx(channel.score, abs=1e-4)
        else:
            assert channel.cosine > channel.score + 1e-3
        (term,) = told.terms
        assert term.added["image"] == pytest.approx(channel.cosine, abs=1e-5)
        seen["whole" if channel.box is None else "region"] += 1
        seen["nearer by chance"] += channel.box is None and mine.argmax() > 0
        seen["another part nearer by chance"] += max(cosines, key=lambda one: cosines[one].max()) != channel.part
    assert all(seen.values()), seen
