"""HTML in descriptions is read as a browser shows it; every other text stays as it is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.markup import plain
from indexer.records import Row
from indexer.rows import record_of


def test_blocks_become_lines_and_list_items_points() -> None:
    text = "<p>Holds <b>1.7&nbsp;litres</b>.</p><ul><li>Works on induction</li><li>Steel</li></ul><style>p{}</style>"
    assert plain(text) == "Holds 1.7 litres.\n\n- Works on induction\n- Steel"
    assert plain("Hot &amp; cold<br>milk &#9749;") == "Hot & cold\nmilk ☕"
    assert plain("hot &amp; cold") == "hot & cold"


@pytest.mark.parametrize("text", ["a < b and c > d", "R&D; more", "<3", "x<y>z", "List<String>", "  kept  \n as is "])
def test_other_texts_are_left_alone(text: str) -> None:
    assert plain(text) == text


@given(st.text(alphabet="<>/&;apbuli =\"'\n", max_size=60))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    assert isinstance(plain(text), str)


OPEN_ENDED = ("<!--", "<a ", "<p", "</", "<![", "&#", "<?", "<p a='", '<p a="', "<script>", "</script", "<", "=", " ")


@pytest.mark.parametrize("piece", OPEN_ENDED)
def test_text_made_to_be_slow_is_read_as_fast_as_any(piece: str) -> None:
    started = time.process_time()
    assert isinstance(plain("<p>" + piece * 100_000), str)
    assert isinstance(plain("<p " + piece * 100_000 + ">"), str)
    assert time.process_time() - started < 3


def test_a_row_is_indexed_without_its_markup() -> None:
    values = {
        "id": "1",
        "title": "Tea &amp; Co",
        "text": "<p>Black tea.</p>",
        "note": "<i>new</i>",
        "link": "http://x/?a=1&b=2",
    }
    read = record_of(Row("c:1", values), mapping={}, folder=Path(), uri=None)
    assert (read.title, read.text, read.fields["note"]) == ("Tea & Co", "Black tea.", "new")
    assert read.fields["link"] == "http://x/?a=1&b=2"
