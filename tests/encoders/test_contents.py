"""What every encoder does alike: checks, long texts, batches, several pieces in one vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightline.encoders.content import BATCH, embed, in_batches, normalised, split_long
from sightline.errors import EngineError, InputError, UnsupportedModality
from sightline.types import Content, Pixels, Space, Vectors

SPACE = Space("letters", 26, "0" * 64)
PICTURE = np.full((4, 6, 3), 7, dtype=np.uint8)


def letters(texts: Sequence[str]) -> NDArray[np.float32]:
    """Counts of a to z: an encoder whose vectors can be told in advance."""
    return np.asarray([[t.count(chr(97 + i)) for i in range(26)] for t in texts], dtype=np.float32)


def last_letter(pictures: Sequence[Pixels]) -> NDArray[np.float32]:
    return np.tile(np.eye(26, dtype=np.float32)[25], (len(pictures), 1))


def encoded(contents: Sequence[Content], *, limit: int = 100, space: Space = SPACE) -> Vectors:
    def windows(text: str) -> list[tuple[str, int]]:
        return split_long(text, limit=limit, count=len)

    return embed(contents, space=space, texts=letters, pictures=last_letter, windows=windows)


@given(st.text(min_size=1, max_size=200), st.integers(4, 40))
def test_windows_fit_and_lose_no_word(text: str, limit: int) -> None:
    windows = split_long(text, limit=limit, count=len)
    assert all(size == len(window) <= limit for window, size in windows)
    assert "".join("".join(window for window, _ in windows).split()) == "".join(text.split())


@given(st.lists(st.text("abc", min_size=1, max_size=8), min_size=1, max_size=40))
def test_windows_cut_between_words(words: list[str]) -> None:
    windows = split_long(" ".join(words), limit=20, count=len)
    assert [word for window, _ in windows for word in window.split()] == words


def test_a_text_that_fits_is_left_as_it_is() -> None:
    assert split_long(" as it is ", limit=10, count=len) == [(" as it is ", 10)]


def test_a_token_larger_than_the_limit_ends_the_cutting() -> None:
    assert split_long("xy", limit=1, count=lambda _: 5) == [("x", 5), ("y", 5)]


@given(st.lists(st.integers(0, 99), min_size=1, max_size=3 * BATCH))
def test_batches_keep_the_order(numbers: list[int]) -> None:
    seen: list[int] = []

    def encode(batch: Sequence[int]) -> NDArray[np.float32]:
        seen.append(len(batch))
        return np.asarray(batch, dtype=np.float32)[:, None]

    for size in (None, int):
        assert in_batches(numbers, encode, size=size)[:, 0].tolist() == numbers
    assert max(seen) <= BATCH


def test_a_long_text_is_the_mean_of_its_windows_by_tokens() -> None:
    row = encoded([("aaaa bbbb bbbb",)], limit=5)[0]
    windows = split_long("aaaa bbbb bbbb", limit=5, count=len)
    mean = sum(size * letters([window])[0] / np.linalg.norm(letters([window])[0]) for window, size in windows)
    assert len(windows) > 2
    np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-6)
    assert row[1] > row[0] > 0


def test_pieces_count_alike_however_long_they_are() -> None:
    row = encoded([("aaaa aaaa aaaa aaaa", "b", PICTURE)], limit=5)[0]
    np.testing.assert_allclose(row[[0, 1, 25]], [3**-0.5] * 3, atol=1e-6)


def test_pictures_and_texts_keep_their_places() -> None:
    rows = encoded([("a",), (PICTURE,), ("b",), (PICTURE, "b")])
    assert rows.argmax(axis=1)[:3].tolist() == [0, 25, 1]
    np.testing.assert_allclose(rows[3, [1, 25]], [0.5**0.5] * 2, atol=1e-6)


def test_nothing_in_nothing_out() -> None:
    assert encoded([]).shape == (0, 26)
    assert encoded([]).dtype == np.float32


@pytest.mark.parametrize(
    "content",
    [(), ("",), ("a", " \n"), (PICTURE[..., 0],), (PICTURE.astype(np.float32),), (PICTURE[:0],)],
    ids=["no piece", "empty", "blank", "grey", "floats", "no pixels"],
)
def test_what_cannot_be_embedded_is_refused(content: Content) -> None:
    with pytest.raises(InputError):
        encoded([("a",), content])


def test_a_modality_the_space_lacks_is_named() -> None:
    space = Space("words only", 26, "0" * 64, frozenset({"text"}))
    with pytest.raises(UnsupportedModality, match="words only embeds text only, not image"):
        encoded([(PICTURE,)], space=space)


def test_a_vector_without_direction_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="without a direction"):
        encoded([("1234",)])


def test_normalised_is_channels_first_and_scaled() -> None:
    pixels = np.zeros((2, 3, 3), dtype=np.uint8)
    pixels[..., 1] = 255
    made = normalised([pixels], mean=(0.5, 0.5, 0.0), std=(0.5, 0.25, 1.0))
    assert made.shape == (1, 3, 2, 3)
    assert made.dtype == np.float32
    assert [float(made[0, c].max()) for c in range(3)] == [-1.0, 2.0, 0.0]
