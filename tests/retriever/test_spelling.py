"""Misspelt words: put right where nobody knows them, and left alone wherever they may be meant."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever import english
from retriever.spelling import Vocabulary, corrected, rewritten, slips

SHELF = Vocabulary.of(
    ["A red mug with a handle for the kitchen, glazed.", "The blue backpack has padded straps, for hiking in the rain."]
    + ["Striped chair of wood, with a brown seat."] * 3
    + ["SKU: AX-220\ncolour: turquoise\nprice: 14.5"]
)


def put_right(text: str, vocabulary: Vocabulary = SHELF, *, knows: Callable[[str], bool] = lambda word: False) -> str:
    found = corrected(
        text, vocabulary=lambda: vocabulary, says=lambda word: bool(vocabulary.counts.get(word)), knows=knows
    )
    return rewritten(text, found)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("red mug with a hadnle", "red mug with a handle"),  # two letters changed places
        ("blue bakpack", "blue backpack"),  # one left out
        ("blue backkpack", "blue backpack"),  # one doubled
        ("stroped chair", "striped chair"),  # one beside it on the keyboard
        ("turquose mug", "turquoise mug"),
        ("stirped chiar", "striped chair"),  # both words, both said here
        ("Stirped CHAIR", "Striped CHAIR"),
        ("STIRPED CHAIR", "STRIPED CHAIR"),
        ("a stirped, bronw chair!", "a striped, brown chair!"),
        ("elephnt", "elephant"),  # nobody says it here, but it is everyday English
        ("redmug", "red mug"),
        ("a van in a den with a stirped chair", "a van in a den with a striped chair"),
        ("woodchair with straps", "wood chair with straps"),
    ],
)
def test_a_slip_is_put_right(typed: str, meant: str) -> None:
    assert put_right(typed) == meant


@pytest.mark.parametrize(
    "text",
    [
        "red mug", "a goat on a boat", "armchairs", "dancing", "happiest", "running shoes",  # right, said here or not
        "mgu", "rde mgu", "cha",  # too short to tell
        '"stirped" chair', "“stirped” chair", '"stirped chair"',  # quoted
        "AX-22O", "stirped-22", "mug_stirped", "ax220", "stirped@shop", "a/stirped", "14,5O",  # ids and numbers
        "red XQJWZ", "XJ-QWRT mug",  # codes in capitals
        "chair by Marx", "sofa of Elephnt",  # a name that nothing here says
        "don't", "kitchen's",
    ],
)  # fmt: skip
def test_what_may_be_meant_stays(text: str) -> None:
    assert put_right(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "rote Tasse", "eine blaue Tasse mit Henkel", "silla de madera", "chaussures rouges", "une chaise rayée",
        "tazza blu", "zapatos rojos para niños", "krzesło", "röd mugg", "sedia a strisce", "rode mok met oor",
        "красная кружка", "红色的杯子", "赤いマグカップ", "빨간 머그", "كوب أحمر",
        "כוס אדומה", "लाल मग", "κόκκινη κούπα",
        "red 杯子 stirped", "un mug stirped", "cafetière stirped",
    ],
)  # fmt: skip
def test_other_languages_pass_unchanged(text: str) -> None:
    assert put_right(text) == text


def test_what_the_encoder_knows_in_one_piece_is_right() -> None:
    assert put_right("chait with straps") == "chair with straps"
    assert put_right("chait with straps", knows=lambda word: word == "chait") == "chait with straps"


def test_a_collection_of_another_language_changes_nothing() -> None:
    german = Vocabulary.of(["Der rote Rucksack ist für die Berge und mit Gurten", "Eine Tasse aus dem Norden"] * 5)
    assert not german.english
    assert put_right("Rucksak", german) == "Rucksak"
    greek = Vocabulary.of(["κόκκινη κούπα", "μπλε σακίδιο", "ξύλινη καρέκλα"])
    assert put_right("elephnt", greek) == "elephnt"


def test_pictures_without_a_word_are_asked_in_everyday_english() -> None:
    silent = Vocabulary.of([])
    assert silent.silent
    assert put_right("a dog on a skatboard", silent) == "a dog on a skateboard"
    assert put_right("twodogs on grass", silent) == "two dogs on grass"
    assert put_right("blackdog and whitecat on grass", silent) == "black dog and white cat on grass"


def test_more_unknown_than_slips_explain_is_left_alone() -> None:
    assert put_right("zorblax hadnle") == "zorblax hadnle"
    assert put_right("zorblax mug with a hadnle on the chair") == "zorblax mug with a handle on the chair"


def test_of_words_equally_near_the_one_said_most_is_taken() -> None:
    often = Vocabulary.of(["The lamps are here"] * 5 + ["Camps for the summer"])
    assert put_right("the xamps here and there", often) == "the xamps here and there"  # the first letter of a short one
    rarely = Vocabulary.of(["the barrel of a barren field"] + ["a barrel"] * 3)
    assert put_right("a barrep", rarely) == "a barrel"


def test_a_vocabulary_is_asked_for_only_when_a_word_is_unknown() -> None:
    def never() -> Vocabulary:
        raise AssertionError("asked for")

    assert corrected("a red chair for the garden", vocabulary=never, says=lambda _: False, knows=lambda _: False) == {}


def test_long_texts_and_long_words_are_bounded() -> None:
    assert put_right("q" * 5_000) == "q" * 5_000
    assert put_right("the chair " + "stirped " * 3_000).startswith("the chair striped")


@pytest.mark.parametrize(
    ("typed", "meant", "count"),
    [
        ("mug", "mug", 0), ("mgu", "mug", 1), ("muug", "mug", 1), ("mg", "mug", 1), ("nug", "mug", 1),
        ("mugh", "mug", 1), ("mxug", "mug", 2), ("bug", "mug", 2), ("mog", "mug", 2), ("seperate", "separate", 1),
        ("withstand", "withstands", 2), ("bottles", "bottle", 2), ("ceramc", "ceramic", 1), ("gum", "mug", 2),
        ("", "a", 1), ("a", "", 2),
    ],
)  # fmt: skip
def test_slips_are_those_of_fingers(typed: str, meant: str, count: int) -> None:
    assert slips(typed, meant, 1) == count


WORDS = st.text(alphabet="asdm", max_size=6)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_slips_are_never_fewer_than_edits(typed: str, meant: str) -> None:
    assert slips(typed, meant, 2) >= min(_edits(typed, meant), 3)
    assert slips(typed, typed, 2) == 0


def _edits(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    ways = [_edits(a[:-1], b) + 1, _edits(a, b[:-1]) + 1, _edits(a[:-1], b[:-1]) + (a[-1] != b[-1])]
    if len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]:
        ways.append(_edits(a[:-2], b[:-2]) + 1)
    return min(ways)


def test_the_candidates_are_all_that_are_near() -> None:
    """What is passed over quickly would not have been near: compared with looking at every word."""
    draw = random.Random(3)
    words = ["".join(draw.choices("aeioustrn", k=draw.randint(3, 13))) for _ in range(1_000)]
    vocabulary = Vocabulary.of([" ".join(words)])
    for word in draw.sample(words, 12):
        at = draw.randrange(len(word))
        typed = word[:at] + draw.choice(string.ascii_lowercase) + word[at + 1 :]
        most = 2 if len(typed) >= 10 else 1
        allowed = {other: most if other[0] == typed[0] else 1 for other in vocabulary.counts}
        near = {other for other in allowed if slips(typed, other, allowed[other]) <= allowed[other]}
        assert {other for _, other in vocabulary.near(typed)} == near


def test_the_list_of_everyday_words_is_clean() -> None:
    words = english.words()
    assert len(words) > 5_000
    assert all(word.isascii() and word.isalpha() and word.islower() and len(word) >= 3 for word in words)
    assert {"mug", "chair", "backpack", "elephant", "kitchen"} <= words.keys()
    assert words["dog"] < words["zucchini"]  # the commonest first
