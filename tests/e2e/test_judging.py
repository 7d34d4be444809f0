"""More like this, less like this: what a person clicks on hits, and what the next hits are."""

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


def titles(page: Any) -> list[str]:
    found: list[str] = page.locator(".card .title").all_text_contents()
    return found


def clicked(page: Any, label: str) -> None:
    with page.expect_response(lambda response: response.url.endswith("/search")):
        page.click(f'button[aria-label="{label}"]')
    page.wait_for_selector("#results:not([aria-busy])")


@pytest.mark.parametrize("size", SIZES)
def test_liked_and_disliked_hits_turn_the_search(page_at: Callable[..., Any], url: str, size: str) -> None:  # noqa: F811 - fixtures
    page = page_at(url, size)
    search(page, "made by hand in Porto")
    assert len(titles(page)) >= 6
    clicked(page, "More like Blue cushion")
    clicked(page, "Less like Red bowl")
    assert "Red bowl" not in titles(page)
    assert titles(page)[0] == "Blue cushion"
    assert page.locator('button[aria-label="More like Blue cushion"]').get_attribute("aria-pressed") == "true"
    assert page.locator("#judged button").all_text_contents() == ["more like Blue cushion ✕", "less like Red bowl ✕"]
    assert "liked=cushion-blue" in page.url
    assert page.evaluate("document.body.scrollWidth <= innerWidth")
    page.reload()
    page.wait_for_selector(".card")
    assert "Red bowl" not in titles(page)
    with page.expect_response(lambda response: response.url.endswith("/search")):
        page.click("#judged .disliked")
    page.wait_for_selector("#results:not([aria-busy])")
    assert "Red bowl" in titles(page)
    clicked(page, "More like Blue cushion")  # again: it is taken back
    assert page.locator("#judged").is_hidden()


def test_another_search_is_another_wish(page_at: Callable[..., Any], url: str) -> None:  # noqa: F811 - fixtures
    page = page_at(url)
    search(page, "made by hand in Porto")
    clicked(page, "Less like Red bowl")
    search(page, "red bowl")
    assert titles(page)[0] == "Red bowl"
    assert page.locator("#judged").is_hidden()
    page.go_back()
    page.wait_for_selector("#judged .disliked")
    assert "Red bowl" not in titles(page)
