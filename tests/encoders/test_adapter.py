"""The adapter: identity changes nothing, rows stay unit rows, bytes are exact, and another encoder is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.encoders import open_encoder
from sightline.encoders.adapter import AdaptedEncoder, Adapter, apply, unit
from sightline.errors import ConfigError, InputError
from sightline.protocols import Encoder
from sightline.types import Content

TEXTS = ("a red mug", "two dogs on a beach", "waterproof boots", "x")
PICTURE = np.full((40, 30, 3), (200, 40, 40), np.uint8)


@cache
def starter() -> Encoder:
    return open_encoder("starter", threads=1)


def adapter(*kinds: str, seed: int = 0, strength: float = 0.05) -> Adapter:
    """Maps that do something, for the starter."""
    rng, space = np.random.default_rng(seed), starter().space
    made = {
        kind: (np.eye(space.dim) + strength * rng.standard_normal((space.dim, space.dim))).astype(np.float32)
        for kind in kinds
    }
    return Adapter(space.fingerprint, made, {"pairs": 3})  # type: ignore[arg-type]


def contents(*pieces: object) -> Sequence[Content]:
    return [(piece,) for piece in pieces]  # type: ignore[misc]


def test_the_identity_changes_nothing() -> None:
    asked = contents(*TEXTS, PICTURE)
    same = AdaptedEncoder(starter(), adapter("text", "image", strength=0.0))
    np.testing.assert_allclose(same.encode_queries(asked), starter().encode_queries(asked), atol=1e-6)


def test_queries_of_its_kind_are_mapped_and_nothing_else() -> None:
    made = adapter("text")
    adapted, asked = AdaptedEncoder(starter(), made), contents(*TEXTS, PICTURE)
    before, after = starter().encode_queries(asked), adapted.encode_queries(asked)
    np.testing.assert_allclose(after[:-1], unit(before[:-1] @ made.maps["text"].T), atol=1e-6)
    assert np.abs(after[:-1] - before[:-1]).max() > 0.01
    np.testing.assert_array_equal(after[-1], before[-1])
    np.testing.assert_array_equal(adapted.encode_documents(asked), starter().encode_documents(asked))
    assert adapted.space == starter().space


def test_a_batch_equals_its_rows_one_by_one() -> None:
    adapted = AdaptedEncoder(starter(), adapter("text", "image"))
    asked = contents(*TEXTS, PICTURE)
    together = adapted.encode_queries(asked)
    alone = np.concatenate([adapted.encode_queries([one]) for one in asked])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_pieces_of_one_query_go_through_the_map_of_their_kind() -> None:
    adapted = AdaptedEncoder(starter(), adapter("text", "image"))
    text, picture = adapted.encode_queries(contents("a red mug", PICTURE))
    (both, alone) = adapted.encode_queries([("a red mug", PICTURE), ("a red mug",)])
    np.testing.assert_allclose(both, unit((text + picture)[None])[0], atol=1e-5)
    np.testing.assert_allclose(alone, text, atol=1e-5)
    with pytest.raises(InputError, match="nothing to embed"):
        adapted.encode_queries([("a", "b"), ()])
    assert adapted.encode_queries([]).shape == (0, starter().space.dim)


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(2, 40))
def test_mapped_rows_are_unit_rows(seed: int, n: int, dim: int) -> None:
    rng = np.random.default_rng(seed)
    rows = unit(rng.standard_normal((n, dim)).astype(np.float32))
    made = rng.standard_normal((dim, dim)).astype(np.float32)
    mapped = apply(made, rows)
    assert mapped.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(mapped[:1], apply(made, rows[:1]))


def test_bytes_keep_everything_and_equal_adapters_give_equal_bytes() -> None:
    made = adapter("text", "image")
    again = Adapter.from_bytes(made.to_bytes())
    assert again.digest == made.digest
    assert (again.encoder, dict(again.facts), set(again.maps)) == (made.encoder, {"pairs": 3}, {"text", "image"})
    for kind, numbers in made.maps.items():
        np.testing.assert_array_equal(again.maps[kind], numbers)
    assert made.to_bytes() == adapter("image", "text").to_bytes() or adapter("text", "image").to_bytes()
    assert adapter("text", "image").to_bytes() == made.to_bytes()


def test_the_digest_follows_the_numbers_the_encoder_and_the_kinds_but_not_what_is_told() -> None:
    made = adapter("text")
    nudged = {"text": made.maps["text"].copy()}
    nudged["text"][3, 5] = np.nextafter(nudged["text"][3, 5], 9)
    others = [
        replace(made, maps=nudged),
        replace(made, encoder="0" * 64),
        replace(made, maps={"image": made.maps["text"]}),
    ]
    assert len({made.digest, *(other.digest for other in others)}) == 4
    assert replace(made, facts={}).digest == made.digest


@pytest.mark.parametrize("damage", [lambda b: b[:-40], lambda b: b"", lambda b: b"x" * 100, lambda b: b[:90] + b[95:]])
def test_damaged_bytes_are_refused(damage: object) -> None:
    with pytest.raises(ConfigError, match="adapter"):
        Adapter.from_bytes(damage(adapter("text").to_bytes()))  # type: ignore[operator]


def test_numbers_that_are_no_map_are_refused() -> None:
    wrong = np.ones((3, 4), np.float32), np.full((4, 4), np.nan, np.float32), np.eye(4)
    for made in wrong:
        with pytest.raises(ConfigError, match="square of finite float32"):
            Adapter.from_bytes(Adapter("f", {"text": made}).to_bytes())


def test_an_adapter_of_another_encoder_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"fitted on an encoder of fingerprint 000000000000, not on 'starter'"):
        AdaptedEncoder(starter(), replace(adapter("text"), encoder="0" * 64))
    with pytest.raises(ConfigError, match="not on 'starter'"):
        AdaptedEncoder(starter(), replace(adapter("text"), maps={"text": np.eye(5, dtype=np.float32)}))
