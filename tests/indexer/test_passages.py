"""Passages are exact spans, cover every word once, and break where a reader would."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import passages

SENTENCE = "The jacket is washed cold, with a mild soap, and hung up to dry in the shade. "
WORDS = re.compile(r"\w+")


@given(st.text(alphabet=st.sampled_from("ab .!?\n#-=`~\t。字é\r"), max_size=900), st.booleans())
def test_spans_are_exact_ordered_and_lose_no_word(text: str, markdown: bool) -> None:
    cut = passages.split(text, markdown=markdown)
    assert all(text[one.start : one.end] == one.text for one in cut)
    assert all(a.end <= b.start for a, b in pairwise(cut))
    if not (markdown and text.startswith("---")):
        assert WORDS.findall(" ".join(one.text for one in cut)) == WORDS.findall(text)


def test_a_short_text_is_one_passage() -> None:
    (only,) = passages.split("  Hand wash only.\n")
    assert only == passages.Passage(2, 17, "Hand wash only.")


@pytest.mark.parametrize("text", ["", "   \n", "---\n***", "!?"])
def test_no_words_no_passage(text: str) -> None:
    assert passages.split(text) == []


def test_long_texts_break_between_sentences_at_a_readable_size() -> None:
    cut = passages.split(SENTENCE * 40)
    assert len(cut) > 4
    assert all(one.text.endswith(".") for one in cut)
    assert all(passages.ENOUGH <= len(one.text.split()) <= passages.MOST for one in cut[:-1])


def test_paragraphs_stay_whole_and_small_ones_share_a_passage() -> None:
    small, large = SENTENCE * 2, SENTENCE * 5
    cut = [one.text for one in passages.split("\n\n".join([small, small, large, small]))]
    assert [text.count("jacket") for text in cut] == [4, 5, 2]


def test_abbreviations_and_decimals_end_no_sentence() -> None:
    text = ("It weighs approx. 3.5 kg incl. the bag, i.e. less than before " * 3 + "and more. ") * 9
    assert all(one.text.endswith("more.") for one in passages.split(text))


def test_a_sentence_without_end_breaks_between_words() -> None:
    cut = passages.split("word " * 1000)
    assert all(len(one.text.split()) <= passages.MOST for one in cut)


def test_scripts_without_spaces_break_too() -> None:
    cut = passages.split("这件夹克防水，适合徒步旅行和露营使用。" * 60)
    assert len(cut) > 5
    assert all(one.text.endswith("。") for one in cut)


MARKDOWN = f"""Some words before.

# Care & washing #

Short introduction.

## Wool

{SENTENCE}

## Down

### Loft

{SENTENCE}

```
# not a heading
```

Sizes
-----

From S to XL.
"""


def test_markdown_headings_start_a_passage_and_stay_with_it() -> None:
    starts = [one.text.splitlines()[0] for one in passages.split(MARKDOWN, markdown=True)]
    assert starts == ["Some words before.", "# Care & washing #", "## Wool", "## Down", "Sizes"]


def test_front_matter_names_the_text_and_is_not_part_of_it() -> None:
    text = f'---\ntitle: "Wool: a guide"\ntags: [a, b]\n---\n\n# Wool\n\n{SENTENCE}'
    assert passages.title(text) == "Wool: a guide"
    (only,) = passages.split(text, markdown=True)
    assert only.text.startswith("# Wool")
    assert passages.title("---\ndate: 2024\n---\n# Down\n") == "Down"


def test_windows_line_ends_change_nothing() -> None:
    unix = [one.text for one in passages.split(MARKDOWN, markdown=True)]
    dos = passages.split(MARKDOWN.replace("\n", "\r\n"), markdown=True)
    assert [one.text.replace("\r\n", "\n") for one in dos] == unix
    assert passages.title("# Care #\r\n\r\nText") == "Care"


def test_the_title_is_the_first_heading() -> None:
    assert passages.title(MARKDOWN) == "Care & washing"
    assert passages.title("Sizes\n=====\n\n# Other") == "Sizes"
    assert passages.title("```\n# code\n```\nno heading") == ""


MANY = "word " * 200
SLOW = {
    "dots": MANY + "." * 200_000,
    "spaces": MANY + ". " + " " * 200_000 + "5",
    "heading": "# a" + " " * 200_000 + "b",
    "hashes": "# a" + "#" * 200_000 + "b",
    "title": "---\ntitle: a" + " " * 200_000 + "b\n---\n",
    "headings": "# A\n" * 50_000,
    "underlined": "a\n===\n" * 30_000,
    "rules": "---\n" * 50_000,
    "fences": "```\n```\n# a\n\n" * 15_000,
    "open fence": "```\n" + "# a\n" * 50_000,
}


@pytest.mark.parametrize("name", SLOW)
def test_text_made_to_be_slow_is_cut_as_fast_as_any(name: str) -> None:
    started = time.process_time()
    passages.split(SLOW[name], markdown=True)
    passages.title(SLOW[name])
    assert time.process_time() - started < 3
