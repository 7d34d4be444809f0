"""Relevance through the front door: learned when something is added, kept, and honest about what is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def test_pictures_and_mixtures_are_not_judged_yet(shop: Path) -> None:
    from sightline import image, text

    with Sightline.open(shop) as index:
        import numpy as np

        grey = np.full((64, 64, 3), 128, np.uint8)
        found = index.search(text("mug") + image(grey))
        assert found.answered is None
        assert all(hit.relevance is None for hit in found)


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
