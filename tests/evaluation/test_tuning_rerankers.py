"""How far a reranker is believed: by gains on queries held out, never where it is shown to lose."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from retriever.reranking import KINDS, Kind, Trust
from sightline.engine import Sightline
from sightline.errors import EngineTimeout, InputError
from sightline.evaluation import Case
from sightline.evaluation.reranking import FEWEST, Believed, Read, read, tune
from sightline.reranking import Rerankers
from sightline.types import Hit, Query
from tests.extras import needs

needs("pytrec_eval", extra="eval")
ITEMS = tuple(str(at) for at in range(50))


def reads(
    count: int, odds: Callable[[bool, random.Random], float], kind: Kind = "composed", seed: int = 0
) -> list[Read]:
    """Queries whose right item is anywhere among the first fifteen, and what is said of each hit."""
    draw, made = random.Random(seed), []
    for at in range(count):
        right = ITEMS[draw.randrange(15)]
        told = tuple(odds(item == right, draw) for item in ITEMS)
        judged = {depth: told[:depth] for depth in (10, 20, 50)}
        ms = {depth: float(depth) for depth in judged}
        made.append(Read(Case(f"{kind}-{at}", {right: 1}, text="x"), kind, ITEMS, (0.5,) * 50, judged, ms))
    return made


def knows(right: bool, draw: random.Random) -> float:
    return (2.0 if right else -2.0) + draw.gauss(0, 1)


def guesses(right: bool, draw: random.Random) -> float:
    return draw.gauss(0, 3)


def errs(right: bool, draw: random.Random) -> float:
    return -knows(right, draw)


def of(kind: Kind, some: list[Read], before: Trust | None = None) -> Believed:
    tuned = tune("judge", some, before=before or Trust())
    return next(one for one in tuned.kinds if one.kind == kind)


def test_who_gains_is_believed_and_the_interval_says_so() -> None:
    found = of("composed", reads(80, knows))
    assert found.after >= 0.5
    assert found.gained is not None
    assert found.gained.low > 0
    assert found.why == ""


def test_who_errs_is_not_asked() -> None:
    found = of("composed", reads(80, errs))
    assert (found.before, found.after) == (1.0, 0.0)
    assert "not asked" in found.why


@pytest.mark.parametrize("seed", range(6))
def test_who_guesses_is_never_shown_to_gain(seed: int) -> None:
    found = of("composed", reads(60, guesses, seed=seed))
    assert found.after in (0.0, 1.0)  # not asked, or left as it was: the default
    assert found.gained is not None
    assert found.gained.low <= 0


def test_few_queries_say_nothing_and_kinds_are_apart() -> None:
    some = [*reads(80, knows), *reads(FEWEST - 1, errs, "simple"), *reads(80, errs, "attributes", seed=1)]
    tuned = tune("judge", some, before=Trust())
    after = {one.kind: one.after for one in tuned.kinds}
    assert after["composed"] > 0
    assert after["attributes"] == 0
    assert after["simple"] == 1.0  # left
    assert after["clear"] == 0.0  # left: nothing was asked
    assert tuned.trust.weights == after
    assert set(after) == set(KINDS)


def test_rare_kinds_are_tried_together() -> None:
    some = [*reads(15, errs, "composed"), *reads(15, errs, "simple", seed=1), *reads(5, errs, "clear", seed=2)]
    after = {one.kind: one for one in tune("judge", some, before=Trust()).kinds}
    assert after["composed"].after == after["simple"].after == 0
    assert "tried with 15 of other rare kinds" in after["simple"].why
    assert after["attributes"].after == 1.0  # nothing was asked
    assert after["clear"].why.startswith("fewer")


def test_quality_against_time() -> None:
    tuned = tune("judge", reads(80, knows), before=Trust())
    assert [one.depth for one in tuned.depths] == [10, 20, 50]
    assert [one.ms for one in tuned.depths] == [10.0, 20.0, 50.0]
    assert tuned.depths[0].gained.mean < tuned.depths[1].gained.mean  # the right one may stand behind the first ten
    assert tune("judge", reads(80, errs), before=Trust()).depths == ()


def test_nothing_read_is_said() -> None:
    with pytest.raises(InputError, match="no query can be used"):
        tune("judge", [], before=Trust())


class Moody:
    """Judges by the length of an id, and fails at queries that say "bad"."""

    name = "moody"

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        if "bad" in query.text:
            raise EngineTimeout("too slow")
        return [float(len(hit.id)) for hit in hits]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sightline]:
    monkeypatch.setattr(Rerankers, "open", lambda self, spec: Moody())
    with Sightline.open(tmp_path / "index") as index:
        index.add(*({"id": f"mug-{at}", "title": f"a plain mug number {at}"} for at in range(12)))
        yield index


def test_a_query_that_cannot_be_read_is_left_out(opened: Sightline) -> None:
    cases = [
        Case(f"q{at}", {"mug-3": 1}, text=f"{said} mug") for at, said in enumerate(("plain", "bad", "plain", "bad"))
    ]
    found, left_out = read(opened, [*cases, Case("none", {"nowhere": 1}, text="mug")], "moody")
    assert [one.case.id for one in found] == ["q0", "q2"]
    assert left_out == 3
    assert found[0].judged[20] == tuple(float(len(item)) for item in found[0].first)
    assert len(found[0].relevances) == len(found[0].first) == 12


def test_a_reranker_that_only_fails_is_told_as_it_failed(opened: Sightline) -> None:
    cases = [Case(f"q{at}", {"mug-3": 1}, text="a bad mug") for at in range(9)]
    with pytest.raises(EngineTimeout, match="too slow"):
        read(opened, cases, "moody")


def test_what_cannot_be_asked_is_left_out_and_told_where_nothing_can_be(opened: Sightline, tmp_path: Path) -> None:
    bad = Case("bad", {"mug-3": 1}, image=tmp_path / "nowhere.png")
    found, left_out = read(opened, [Case("good", {"mug-3": 1}, text="plain mug"), bad], "moody")
    assert ([one.case.id for one in found], left_out) == (["good"], 1)
    with pytest.raises(InputError, match="nowhere"):
        read(opened, [bad], "moody")


class Lister:
    """Gives places in an order of all that it is shown, and takes a time for each depth that is too long for 50."""

    name, alone = "lister", False

    def __init__(self) -> None:
        self.shown: list[int] = []

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        self.shown.append(len(hits))
        if len(hits) > 20:
            raise EngineTimeout("too many")
        return [float(-at) for at in range(len(hits))]


def test_each_depth_is_read_as_a_search_reads_it(opened: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    opened.add(*({"id": f"cup-{at}", "title": f"a plain mug of tin number {at}"} for at in range(40)))
    lister = Lister()
    monkeypatch.setattr(Rerankers, "open", lambda self, spec: lister)
    found, _ = read(opened, [Case(f"q{at}", {"mug-3": 1}, text="plain mug") for at in range(FEWEST)], "lister")
    assert lister.shown[:3] == [10, 20, 50]
    assert found[0].judged.keys() == found[0].ms.keys() == {10, 20}
    assert len(found[0].judged[10]) == 10
    assert found[0].order(1.0, 50) == list(found[0].first)  # it failed there, and the first order stands
    tuned = tune("lister", found, before=Trust(dict.fromkeys(KINDS, 1.0)))
    assert [(one.depth, one.ms is None) for one in tuned.depths] in ([], [(10, False), (20, False), (50, True)])


def test_what_was_tuned_by_another_encoder_is_not_proved(opened: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    trust = Trust(dict.fromkeys(KINDS, 2.0), tuned=True)
    opened.rerankers.set_trust("moody", trust)
    assert opened.rerankers.trust("moody") == trust
    monkeypatch.setattr(type(opened.rerankers), "_of", lambda self: "another")
    assert opened.rerankers.trust("moody") == Trust()
