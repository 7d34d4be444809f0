"""Words, sentences and questions: the small parts, and the properties that the answers rest on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import generator
from benchmarks.answers import sound
from generator.compose import NOTHING, readable
from generator.question import read
from generator.sentences import sentences
from generator.words import name_words, nearest, numbers, parse_number, stem, stems
from sightline.errors import InputError
from sightline.types import Answer, Results
from tests.generator.shelf import Shelf, document, product


@pytest.mark.parametrize(
    "alike",
    [
        "hike hikes hiking hiked", "boot boots", "insulated insulation", "battery batteries", "people person",
        "colour color colours",
        "grey gray", "waterproof waterproofing", "return returns returned returning", "glass glasses",
        "watch watches", "dry dried",
    ],
)  # fmt: skip
def test_inflections_share_a_stem(alike: str) -> None:
    assert len({stem(word) for word in alike.split()}) == 1


def test_different_words_keep_apart() -> None:
    apart = [
        "boot",
        "book",
        "tent",
        "tend",
        "price",
        "prize",
        "bed",
        "need",
        "lens",
        "lense",
        "dress",
        "red",
        "ring",
        "rope",
        "robe",
    ]
    assert len({stem(word) for word in apart}) >= len(apart) - 1


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("unitPrice", "unit Price"),
        ("cost_eur", "cost eur"),
        ("madeIn", "made In"),
        ("EANCode", "EAN Code"),
        ("a.b-c", "a b c"),
    ],
)
def test_the_words_of_a_field_name(name: str, spoken: str) -> None:
    assert " ".join(name_words(name)) == spoken


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("109.99", 109.99),
        ("109,99 €", 109.99),
        ("1,299.00", 1299),
        ("1.299,00", 1299),
        ("EUR 7", 7),
        ("1,299", 1299),
        ("none", None),
    ],
)
def test_numbers_are_read_as_written_anywhere(text: str, value: float | None) -> None:
    assert parse_number(text) == value


def test_numbers_in_words_and_digits_are_one() -> None:
    assert numbers("two tents at 1,299.00 with 45L") == {"2", "1299", "45"}


def test_only_small_slips_are_mended() -> None:
    names = ["wanderer", "boots", "jacket", "explorer"]
    assert nearest("wandrer", names) == "wanderer"
    assert nearest("jakcet", names) == "jacket"
    assert nearest("books", names) is None
    assert nearest("warranty", names) is None
    assert nearest("packet", names) is None


def test_sentences_know_markdown_and_abbreviations() -> None:
    text = (
        "# Care\n\nUse approx. 2.5 l. Then wait!\n\n- one\n- two\n\n| a | b |\n\n"
        "## More\nLine wrapped over a good sixty characters so it is prose\nand goes on.\n"
    )
    found = sentences(text)
    assert [(s.text, s.heading) for s in found] == [
        ("Use approx. 2.5 l.", "Care"), ("Then wait!", "Care"), ("one", "Care"), ("two", "Care"), ("a | b", "Care"),
        ("Line wrapped over a good sixty characters so it is prose\nand goes on.", "More"),
    ]  # fmt: skip


@given(st.text(max_size=300))
def test_sentences_are_exact_spans_in_order(text: str) -> None:
    end = 0
    for sentence in sentences(text):
        assert text[sentence.start : sentence.end] == sentence.text
        assert sentence.start >= end
        end = sentence.end


@pytest.mark.parametrize(
    ("question", "form", "concepts", "words"),
    [
        ("How much does the Wanderer cost?", "ask", ["money"], "wanderer"),
        ("What is the tent made of?", "ask", ["material"], "tent"),
        ("What is the warranty of the tent?", "ask", [], "tent"),
        ("Which jackets cost less than 100?", "list", ["money"], "jacket"),
        ("What is the cheapest tent?", "extreme", [], "tent"),
        ("How many tents are there?", "count", [], "tent"),
        ("Do you have waterproof boots?", "list", [], "waterproof boot"),
        ("What is a satsuma?", "describe", [], "satsuma"),
        ("Who makes the harness?", "ask", ["maker"], "harness"),
        ("WHAT DOES THE TENT WEIGH?", "ask", ["weight"], "tent"),
    ],
)
def test_questions_are_read(question: str, form: str, concepts: list[str], words: str) -> None:
    [asked] = read(question)
    assert asked.form == form
    assert [concept.name for ask in asked.asks for concept in ask.concepts] == concepts
    assert [word.stem for word in asked.words] == words.split()


def test_bounds_are_read() -> None:
    [under] = read("tents under 200 euros")
    [between] = read("Which tents cost between 1,000 and 2,000?")
    assert under.bound is not None
    assert (under.bound.most, under.bound.strict, under.bound.concept.name) == (200.0, True, "money")
    assert between.bound is not None
    assert (between.bound.least, between.bound.most) == (1000.0, 2000.0)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("price", "9.5", "price 9.5"),
        ("cost_eur", "9.5", "cost 9.5 EUR"),
        ("weightG", "940", "weight 940 g"),
        ("price_eur", "9 EUR", "price 9 EUR"),
    ],
)
def test_facts_read_well_and_keep_their_value(name: str, value: str, shown: str) -> None:
    assert readable(name, value).casefold() == shown.casefold()


def test_an_empty_question_is_the_callers_mistake() -> None:
    with pytest.raises(InputError):
        generator.answer("  ", search=lambda query, k: Results(()), picture=lambda part: None)


def test_an_empty_collection_abstains_and_passes_warnings_on() -> None:
    answer = generator.answer(
        "How much is it?", search=lambda query, k: Results((), ("slow",)), picture=lambda part: None
    )
    assert (answer.text, answer.abstained, answer.warnings) == (NOTHING, True, ("slow",))


plain = st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=40)
names = st.from_regex(r"[A-Za-z][A-Za-z_]{0,10}", fullmatch=True).filter(
    lambda name: name not in ("id", "text", "image", "title")
)
values = st.one_of(plain.filter(str.strip), st.integers(-10, 10**6), st.floats(0, 10**4), st.booleans())
rows = st.fixed_dictionaries({"title": plain.map(lambda t: " ".join(t.split())), "text": plain}).flatmap(
    lambda row: st.dictionaries(names, values, max_size=4).map(lambda fields: {**row, **fields})
)


@settings(max_examples=120, deadline=None)
@given(st.lists(rows, min_size=1, max_size=4), plain, st.data())
def test_any_catalog_and_any_question_give_a_sound_answer(
    catalog: list[dict[str, object]], text: str, data: st.DataObject
) -> None:
    items = [product({"id": f"i{n}", **row}) for n, row in enumerate(catalog)] + [document("d.md", text)]
    shelf = Shelf(items)
    known = [str(value) for row in catalog for value in (*row.values(), *row.keys())]
    template = data.draw(
        st.sampled_from(
            [
                "How much is the {}?",
                "{}",
                "What is the {} made of?",
                "Which {}?",
                "How many {} are there?",
                "What is the {0} of the {0}?",
                "cheapest {}",
                "Is {} {}?",
            ]
        )
    )
    question = template.replace("{0}", "{}").replace("{}", data.draw(st.sampled_from(known)))
    if not question.strip():
        return
    pieces = list(generator.stream(question, search=shelf.search, picture=lambda part: None))
    answer = pieces[-1]
    assert isinstance(answer, Answer)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == answer.text
    assert sound(answer), answer
    parts = {part.id: part for item in items for part in item.parts}
    for citation in answer.citations:
        whole, chars = parts[citation.part.id], citation.part.locator.chars
        if chars is not None and whole.text is not None and whole.locator.chars is not None:
            offset = whole.locator.chars[0]
            assert whole.text[chars[0] - offset : chars[1] - offset] == citation.quote


def test_stems_of_a_text() -> None:
    assert stems("B&R's 2-Person tents") == {"b&r", "2", "person", "tent"}
