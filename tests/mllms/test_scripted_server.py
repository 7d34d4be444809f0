"""The scripted server's rules: what they make of a request, without the wire."""

from __future__ import annotations

import numpy as np
import pytest

from tests.mllms.scripted_server import Turn, cites_first_evidence, orders_by_redness, red_is_yes, redness_by_logprobs

RED = np.zeros((4, 4, 3), dtype=np.uint8) + np.asarray((200, 0, 0), dtype=np.uint8)
BLUE = np.ascontiguousarray(RED[..., ::-1])


def said(rule, *pieces, **body):  # type: ignore[no-untyped-def]
    return "".join(rule(Turn(pieces, body, {})).pieces)


@pytest.mark.parametrize("evidence", ["[2] It is red.", 'x\n<evidence number="2">\nIt is red\nIt is big\n</evidence>'])
def test_the_first_evidence_is_cited(evidence: str) -> None:
    assert said(cites_first_evidence, evidence, "[3] It is blue") == "It is red [2]."


def test_colours_are_seen() -> None:
    assert [said(red_is_yes, BLUE, last) for last in (RED, BLUE)] == ["Yes.", "No."]
    assert said(orders_by_redness, "[1]", BLUE, "[2]", RED, "[3] no picture") == "[2] > [1]"


def test_logprobs_are_given_when_asked_for() -> None:
    turns = [Turn((RED,), body, {}) for body in ({}, {"logprobs": True})]
    assert [redness_by_logprobs(turn).logprobs is None for turn in turns] == [True, False]
