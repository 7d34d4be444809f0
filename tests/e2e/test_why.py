"""Why a hit is where it is, in a real browser: channels, words said and not said, and the map over the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.test_page import (  # noqa: F401 - fixtures
    SIZES,
    browser,
    index,
    page_at,
    pytestmark,
    search,
    shop,
    url,
)


@pytest.mark.parametrize("size", SIZES)
def test_why_tells_channels_words_and_places(page_at: Callable[..., Any], url: str, size: str) -> None:  # noqa: F811 - fixtures
    page = page_at(url, size)
    search(page, "red bowl hat")
    page.click('.why[aria-label="Why Red bowl"]')
    page.wait_for_selector("#detail .layer")
    channels = page.locator(".channel > :first-child").all_text_contents()
    assert channels == ["Words", "Picture", "Meaning"]
    assert page.locator(".word:not(.unsaid) span").all_text_contents() == ["red", "bowl"]
    assert page.locator(".unsaid span").all_text_contents() == ["hat"]
    page.click("#detail >> text=No map")
    assert page.locator("#detail .layer").is_hidden()
    assert page.evaluate("document.querySelector('#detail').scrollWidth <= innerWidth")
