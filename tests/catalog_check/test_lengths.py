"""Texts that an encoder cuts, or reads in pieces, are found by asking it; those it reads at once are not."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from sightline.catalog_check.lengths import ENOUGH, TESTED, long_texts
from sightline.encoders import open_encoder
from sightline.types import Content, Part, Space, Vectors


class Forgetful:
    """Embeds the first so many words of a text, hashed, and no more."""

    space = Space("forgetful", 64, "7" * 64, frozenset({"text"}))

    def __init__(self, words: int) -> None:
        self.words = words
        self.asked = 0

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        self.asked += len(contents)
        rows = np.full((len(contents), 64), 0.1, np.float32)
        for row, (text,) in zip(rows, contents, strict=True):
            assert isinstance(text, str)
            for word in text.split()[: self.words]:
                row[zlib.crc32(word.encode()) % 64] += 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        return self.encode_documents(contents)


def part(item: str, count: int) -> Part:
    """A text of `count` different words."""
    text = " ".join(f"{item}{number}" for number in range(count))
    return Part(f"{item}#text-0", item, "text", f"digest of {item}", text=text)


def silent(done: int, total: int) -> None:
    assert done <= max(total, 16)


def test_the_texts_that_are_cut_and_how_much_of_them_is_read() -> None:
    found = long_texts([part("long", 90), part("exact", 20), part("short", 8), part("more", 21)], Forgetful(20), silent)
    assert [(one.item_id, one.words) for one in found.cut] == [("long", 90), ("exact", 20), ("more", 21)] or [
        (one.item_id, one.words) for one in found.cut
    ] == [("long", 90), ("more", 21), ("exact", 20)]
    assert found.read == 20
    assert found.untested == 0


def test_an_encoder_that_reads_everything_cuts_nothing() -> None:
    found = long_texts([part(f"item{number}", 30 + number) for number in range(20)], Forgetful(10_000), silent)
    assert (found.cut, found.read, found.untested) == ((), None, 0)


def test_pictures_fields_and_equal_texts() -> None:
    same = part("a", 40)
    other = Part("b#text-0", "b", "text", same.digest, text=same.text)
    fields = Part("a#fields", "a", "fields", "f", text=" ".join(f"w{n}" for n in range(400)))
    found = long_texts([same, other, fields, Part("a#image-0", "a", "image", "i")], Forgetful(20), silent)
    assert [one.item_id for one in found.cut] == ["a", "b"]


def test_it_stops_asking_where_all_are_read_whole_and_says_what_it_did_not_ask() -> None:
    encoder = Forgetful(200)
    long_texts([part(f"item{number}", 5 + number % 50) for number in range(1000)], encoder, silent)
    assert encoder.asked < 6 * ENOUGH  # five times for each: whole, in halves, with more and without
    found = long_texts([part(f"item{number}", 60) for number in range(TESTED + 50)], Forgetful(20), silent)
    assert len(found.cut) >= TESTED
    assert found.untested == TESTED + 50 - len(found.cut)


def test_texts_read_in_pieces_by_the_starter_are_those_longer_than_its_window() -> None:
    encoder = open_encoder("starter")
    counts = {"a": 3, "b": 12, "c": 60, "d": 200}
    words = ("green", "tent", "for", "four", "people", "with", "two", "doors")
    texts = {item: " ".join(words[number % 8] for number in range(count)) for item, count in counts.items()}
    parts = [Part(f"{item}#text-0", item, "text", item, text=text) for item, text in texts.items()]
    found = long_texts(parts, encoder, silent)
    assert found.cut == ()
    assert [(one.item_id, one.words) for one in found.pieces] == [("d", 200), ("c", 60)]
    assert found.read is not None
    assert 40 <= found.read <= 46  # of 48 tokens, two of which are its own; each of these words is one


class Bag(Forgetful):
    """The mean of its words, as static embeddings are: no text is long for it."""

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        rows = np.zeros((len(contents), 64), np.float32)
        for row, (text,) in zip(rows, contents, strict=True):
            for word in str(text).split():
                row[zlib.crc32(word.encode()) % 64] += 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_an_encoder_that_is_the_mean_of_its_words_reads_nothing_in_pieces() -> None:
    found = long_texts([part("long", 90), part("short", 8)], Bag(0), silent)
    assert (found.cut, found.pieces, found.read) == ((), (), None)
