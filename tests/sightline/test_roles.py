"""Which encoder has a role: what was asked for holds until another is on record; a record that fails is as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from indexer import Passport
from sightline.errors import ConfigError
from sightline.roles import Record, Role
from tests.sightline.topics import TopicEncoder

OLD = Passport("/models/old", 4, "a" * 64, "faiss")
MOVED = replace(OLD, space="/models/new")  # the same encoder in another folder
OTHER = Passport("/models/other", 4, "b" * 64, "faiss")


class Kept:
    """A record in memory, which keeps the place of an encoder that it has already, and may fail."""

    def __init__(self, passport: Passport | None) -> None:
        self.passport, self.fails = passport, False

    def write(self, passport: Passport) -> None:
        if self.fails:
            raise ConfigError("the disk is full")
        if self.passport is None or self.passport.fingerprint != passport.fingerprint:
            self.passport = passport

    def record(self) -> Record:
        return Record(lambda: self.passport, lambda: self.passport.fingerprint if self.passport else "", self.write)


def role(kept: Kept, asked: str | None) -> Role:
    return Role("--encoder", kept.record(), lambda _: TopicEncoder(), Path("index"), store="faiss", asked=asked)


def test_what_is_on_record_is_used_whichever_was_asked_for() -> None:
    kept = Kept(OLD)
    one = role(kept, "/models/old")
    one.put(OTHER)
    assert (one.passport, one.asked, one.fingerprint) == (OTHER, None, OTHER.fingerprint)
    kept.passport = OLD  # another process
    assert one.passport == OLD


def test_an_encoder_that_moved_is_used_where_it_is_now() -> None:
    one = role(Kept(OLD), "/models/new")
    one.put(MOVED)
    assert one.passport == OLD
    assert one.asked == "/models/new"


@pytest.mark.parametrize("asked", [None, "/models/other"])
def test_a_record_that_fails_leaves_an_empty_collection_what_was_asked_for(asked: str | None) -> None:
    kept = Kept(None)
    one = role(kept, asked)
    kept.fails = True
    with pytest.raises(ConfigError, match="full"):
        one.put(OTHER)
    assert (one.passport, one.asked, one.fingerprint) == (None, asked, "")
    kept.fails = False
    one.put(OTHER)
    assert (one.passport, one.asked) == (OTHER, None)
