"""Maps of pictures: they point at what is sought, whether it stands beside something else or alone."""

from __future__ import annotations

import numpy as np
import pytest

from retriever.patches import GRID, patch_map
from sightline.types import Pixels
from tests.retriever.colours import ColourEncoder, picture


def halves(left: str, right: str) -> Pixels:
    return np.concatenate([np.repeat(np.repeat(picture(one), 8, 0), 4, 1) for one in (left, right)], axis=1)


@pytest.mark.parametrize(("shown", "hidden"), [((3, 4), (2,)), ((3,), ()), ((), (2,))])
def test_the_map_points_at_what_is_sought(shown: tuple[int, ...], hidden: tuple[int, ...]) -> None:
    encoder = ColourEncoder()
    sought = encoder.encode_queries([("red",), ("blue",)])
    found = patch_map(halves("red", "blue"), encoder, sought, shown=shown, hidden=hidden)
    assert found.values.shape == (2, GRID, GRID)
    red, blue = found.values
    assert red[:, :3].mean() > 0 > red[:, 4:].mean()
    assert blue[:, 4:].mean() > 0 > blue[:, :3].mean()
    assert np.abs(found.values).max(axis=(1, 2)) == pytest.approx([1, 1])


def test_it_says_how_much_the_cosine_moves() -> None:
    encoder = ColourEncoder()
    pixels = halves("red", "blue")
    sought = encoder.encode_queries([("red",)])
    found = patch_map(pixels, encoder, sought)
    assert found.cosines[0] == pytest.approx(float((encoder.encode_documents([(pixels,)]) @ sought.T)[0, 0]))
    assert found.gains[0] > 0
    assert found.falls[0] > 0


def test_a_picture_of_one_colour_has_no_place_that_answers_better() -> None:
    encoder = ColourEncoder()
    found = patch_map(np.full((28, 28, 3), (200, 0, 0), np.uint8), encoder, encoder.encode_queries([("red",)]))
    assert np.abs(found.gains).max() < 1e-6
    assert np.abs(found.falls).max() < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (3, 11), (7, 2), (50, 320)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    encoder = ColourEncoder()
    pixels = np.random.default_rng(0).integers(255, size=(*size, 3), dtype=np.uint8)
    found = patch_map(pixels, encoder, encoder.encode_queries([("red",)]))
    assert np.isfinite(found.values).all()
    assert np.abs(found.values).max() <= 1
