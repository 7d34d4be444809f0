"""Relevance through the front door: learned when something is added, kept, and honest about what is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from indexer.ledger import Claim, Outcome
from retriever.calibration import LEAST
from sightline import calibrating, image, like, text
from sightline.engine import Sightline
from sightline.errors import InputError

SAMPLE = Path(__file__).parents[2] / "service" / "sample" / "catalog.jsonl"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty products of the sample catalog, words and no pictures: quick to embed."""
    folder = tmp_path_factory.mktemp("shop")
    rows = [json.loads(line) for line in SAMPLE.read_text().splitlines()][::6]
    with Sightline.open(folder) as index:
        index.add(*({key: value for key, value in row.items() if key != "images"} for row in rows))
    return folder


def test_a_thing_by_its_name_is_sure_and_what_is_not_there_is_not_shown(shop: Path) -> None:
    with Sightline.open(shop) as index:
        kind = str(index.get("mug-001").fields["kind"])
        found = index.search(kind)
        assert found[0].relevance == 1.0
        assert found.answered == 1.0
        nothing = index.search("nuclear submarine")
        assert (nothing.hits, nothing.no_match) == ((), True)
        assert nothing.answered is not None
        assert nothing.answered < 0.3
        assert nothing.to_json()["no_match"] is True


def test_zero_shows_what_is_nearest_come_what_may(shop: Path) -> None:
    with Sightline.open(shop) as index:
        nearest = index.search("nuclear submarine", least=0, k=3)
        assert len(nearest) == 3
        assert not nearest.no_match
        assert all(hit.relevance is not None and 0 <= hit.relevance < 0.5 for hit in nearest)


def test_what_is_wanted_less_is_a_wish_that_hides_nothing(shop: Path) -> None:
    with Sightline.open(shop) as index:
        plain = index.search("mug")
        assert plain.hits
        for wish in (2 * text("mug") + text("submarine"), 0.3 * text("submarine") + 0.9 * text("mug")):
            found = index.search(wish)
            assert found.hits[0].id in {hit.id for hit in plain}
        assert index.search(text("mug") + 2 * text("submarine")).no_match, "and this is not there"
        both = index.search(2 * text("something for you") + text("mug"), least=0)
        assert (both.answered or 0) > 0.5, "where what is wanted most says nothing, the rest is asked for"


def test_hits_below_the_least_are_left_out(shop: Path) -> None:
    with Sightline.open(shop) as index:
        kind = str(index.get("mug-001").fields["kind"])
        every, some = index.search(kind, k=20, least=0), index.search(kind, k=20, least=0.6)
        assert 0 < len(some) < len(every)
        assert all(hit.relevance is not None and hit.relevance >= 0.6 for hit in some)
        assert some.cursor is None
        for wrong in (-0.1, 1.5, float("nan")):
            with pytest.raises(InputError, match="0 to 1"):
                index.search(kind, least=wrong)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four products with their first pictures: of eight kinds, three each."""
    folder = tmp_path_factory.mktemp("shown")
    rows = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))[4:40:5]
    with Sightline.open(folder) as index:
        for kind in kinds:
            some = [row for row in rows if row["kind"] == kind]
            index.add(*({**row, "images": [str(SAMPLE.parent / row["images"][0])]} for row in some))
    return folder


def first_of(folder: Path) -> tuple[str, Path]:
    """An item, and the file of its only picture."""
    with Sightline.open(folder) as index:
        item = next(iter(index.search("a", least=0))).item
        row = next(row for row in map(json.loads, SAMPLE.read_text().splitlines()) if row["id"] == item.id)
        return item.id, SAMPLE.parent / row["images"][0]


def test_a_stored_picture_is_found_for_certain(shown: Path) -> None:
    item, picture = first_of(shown)
    with Sightline.open(shown) as index:
        found = index.search(picture)
        assert (found[0].id, found[0].relevance, found.answered) == (item, 1.0, 1.0)
        assert all(hit.relevance is not None and hit.relevance < 1 for hit in found.hits[1:])


def test_what_looks_like_nothing_here_matches_nothing(shown: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    with Sightline.open(shown) as index:
        found = index.search(noise)
        assert found.no_match
        assert found.answered is not None
        assert found.answered < LEAST["picture"]
        nearest = index.search(noise, least=0, k=3)
        assert len(nearest) == 3
        assert all(hit.relevance is not None and hit.relevance < 0.5 for hit in nearest)


def test_more_like_this_mixtures_and_texts_are_told_too(shown: Path) -> None:
    item, picture = first_of(shown)
    with Sightline.open(shown) as index:
        for query, target in (
            (like(item), None), (like(item), "text"), (image(picture) + text("blue"), None), (picture, "text"),
        ):  # fmt: skip
            found = index.search(query, target=target, least=0)  # type: ignore[arg-type]
            assert found.answered is not None
            assert all(hit.relevance is not None and 0 <= hit.relevance < 1 for hit in found)
        assert item not in {hit.id for hit in index.search(like(item), least=0)}


def test_among_too_few_pictures_none_is_held_back(shown: Path, tmp_path: Path) -> None:
    _, picture = first_of(shown)
    with Sightline.open(tmp_path) as index:
        index.add({"id": "a", "title": "red mug", "image": str(picture)}, {"id": "b", "title": "blue plate"})
        found = index.search(picture)
        assert found[0].id == "a"
        assert (found.answered, found[0].relevance) == (None, None)


def test_pictures_beside_texts_alone_are_told_by_texts(shop: Path) -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    with Sightline.open(shop) as index:
        for query in (image(grey), text("mug") + image(grey)):
            found = index.search(query, least=0)
            assert found.answered is not None
            assert found.hits
            assert all(hit.relevance is not None for hit in found)


def test_one_that_an_earlier_version_kept_tells_of_words_until_it_is_made_again(shown: Path) -> None:
    _, picture = first_of(shown)
    with Sightline.open(shown) as index:
        found = index.calibrations.current()
        assert found is not None
        kept = json.loads(found.to_json())
        before = {"version": 2, "background": kept["background"]["words"], "least": {"name": 0.6, "description": 0.1}}
        for name in ("weights", "gaps"):
            before[name] = {sight: [1.0] for sight in kept[name] if ":" not in sight}  # of other features
        told = {**kept["told"], "set": True}
        index._ledger.note("calibration", json.dumps({**kept, **before, "told": told}))
        assert index.search("mug", least=0).answered is not None
        assert index.search(picture, least=0).answered is None
        again = index.calibrations.now()
        assert again is not None
        assert again.least["name"] == 0.6  # what was set stays
        assert index.search(picture).answered == 1.0


def test_a_question_is_answered_from_what_is_nearest(shop: Path) -> None:
    with Sightline.open(shop) as index:
        assert index.ask("What is the mug made of?").text


def test_another_process_sees_what_was_learned_and_what_was_set(shop: Path) -> None:
    with Sightline.open(shop) as reader, Sightline.open(shop) as writer:
        before = reader.calibrations.current()
        assert before is not None
        writer.calibrations.set_least({"name": 0.9})
        after = reader.calibrations.current()
        assert after is not None
        assert after.least == {**before.least, "name": 0.9}
        assert writer.calibrations.now() is not None
        kept = reader.calibrations.current()
        assert kept is not None
        assert kept.least["name"] == 0.9  # learning anew moves no bar
        writer.calibrations.set_least(before.least)


def test_items_in_doubt_are_no_reason_to_learn_anew(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    with Sightline.open(shop) as index:
        index._ledger.doubt()  # as after a store was put back
        monkeypatch.setattr(calibrating, "calibrated", lambda *_, key, **__: made.append(key))
        index.add({"id": "one more", "title": "One more"})
        index.delete(["one more"])
        assert made == []


def test_items_that_never_reached_the_store_are_a_reason_once(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sightline.open(shop) as index:
        index.calibrations.now()
        learned = calibrating.calibrated
        made: list[str] = []
        monkeypatch.setattr(
            calibrating, "calibrated", lambda *a, key, **k: made.append(key) or learned(*a, key=key, **k)
        )
        lost = [Outcome(f"lost-{n}", Claim("shop", "d", ""), {}) for n in range(2 * index.info()["items"])]
        index._ledger.begin(lost)  # and then the store was gone
        for title in ("one", "two", "three"):
            index.add({"id": "more", "title": title})
        index.delete(["more"])
        index._ledger.forget([one.item_id for one in lost])
        assert len(made) == 1


def test_a_bar_is_a_probability(shop: Path) -> None:
    with Sightline.open(shop) as index, pytest.raises(InputError, match="from 0 to 1, not 2"):
        index.calibrations.set_least({"name": 2.0})


def test_it_is_made_again_when_the_collection_has_grown_by_half(tmp_path: Path) -> None:
    def rows(first: int, last: int) -> list[dict[str, str]]:
        return [{"id": f"{n}", "title": f"thing {n}", "text": "a thing of wood"} for n in range(first, last)]

    with Sightline.open(tmp_path) as index:
        seen = []
        for first, last in ((0, 20), (20, 25), (25, 35)):
            index.add(*rows(first, last))
            found = index.calibrations.current()
            assert found is not None
            seen.append(found.items)
        index.delete([str(n) for n in range(5, 35)])
        index.add(*rows(0, 1))
        found = index.calibrations.current()
        assert found is not None
        assert [*seen, found.items] == [20, 20, 35, 5]


def test_what_another_encoder_or_adapter_taught_is_not_believed(shop: Path, tmp_path: Path) -> None:
    with Sightline.open(tmp_path) as index:
        index.add({"id": "a", "title": "red mug"}, {"id": "b", "title": "blue plate"})
        assert index.calibrations.current() is not None
        found = index.calibrations._kept()
        assert found is not None
        index.calibrations._keep(type(found)("another encoder", found.background, found.weights, found.gaps))
        assert index.calibrations.current() is None
        assert index.search("mug")[0].relevance is None
        index.add({"id": "c", "title": "green bowl"})
        assert index.calibrations.current() is not None


def test_nothing_indexed_nothing_learned(tmp_path: Path) -> None:
    with Sightline.open(tmp_path) as index:
        assert index.calibrations.now() is None
        with pytest.raises(InputError, match="nothing is calibrated"):
            index.calibrations.set_least({"name": 0.5})
        assert index.search("anything").no_match
