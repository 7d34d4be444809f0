"""The box of a region in the page: over the card, over the item in full, and nowhere where all of it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sightline.engine import Sightline
from sightline.settings import Settings
from tests.e2e.test_page import CHROMIUM, browser, page_at, served  # noqa: F401 - fixtures

SAMPLE = Path(__file__).parents[2] / "service" / "sample"
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wide picture with a small mug to the right of its middle, and an empty one."""
    folder = tmp_path_factory.mktemp("wall")
    empty = Image.new("RGB", (640, 400), (205, 200, 190))
    empty.save(folder / "plain.png")
    with Image.open(SAMPLE / "images" / "mug-001-1.webp") as mug:
        empty.paste(mug.convert("RGB").resize((128, 128)), (368, 120))
    empty.save(folder / "thing.png")
    return folder


def test_the_box_lies_over_the_thing(wall: Path, tmp_path: Path, page_at: Callable[..., Any]) -> None:  # noqa: F811
    with Sightline.open(tmp_path) as opened:
        titles = {"thing": "Wall with a mug", "plain": "Wall without a mug"}
        rows = [{"id": name, "title": said, "image": str(wall / f"{name}.png")} for name, said in titles.items()]
        assert opened.add(*rows, regions="salient").regions > 0
        hits = opened.search("a mug", least=0)
        boxes = {hit.id: next(part.locator.box for part in hit.parts if part.modality == "image") for hit in hits}
        assert boxes["plain"] is None
        x0, y0, x1, y1 = boxes["thing"] or (0, 0, 0, 0)
        assert (x0 + x1) / 2 == pytest.approx(432 / 640, abs=0.08)
        assert (y0 + y1) / 2 == pytest.approx(184 / 400, abs=0.08)
    with served(Settings.read(index=tmp_path)) as url:
        page = page_at(url)
        page.fill("#query", "a mug")
        page.press("#query", "Enter")
        page.wait_for_selector(".card .frame img.there")
        if page.locator(".card").count() < 2:  # what is nearest is held back where nothing answers
            pytest.fail("both pictures should be among the hits")
        region = page.locator(".card .region")
        assert region.count() == 1
        frame = page.locator(".card .frame", has=page.locator(".region")).bounding_box()
        drawn = region.bounding_box()
        # the square frame shows the middle 400 of 640 pixels
        middle = (drawn["x"] + drawn["width"] / 2 - frame["x"]) / frame["width"]
        assert middle == pytest.approx(((x0 + x1) / 2 * 640 - 120) / 400, abs=0.03)
        assert drawn["height"] / frame["height"] == pytest.approx(y1 - y0, abs=0.03)
        page.locator(".card", has=page.locator(".region")).click()
        page.wait_for_selector("dialog .region")
        large, inside = page.locator("dialog .large").bounding_box(), page.locator("dialog .region").bounding_box()
        assert (inside["x"] - large["x"]) / large["width"] == pytest.approx(x0, abs=0.02)
        assert inside["height"] / large["height"] == pytest.approx(y1 - y0, abs=0.03)


def test_why_outlines_the_region_under_its_map_and_without(
    wall: Path,
    tmp_path: Path,
    page_at: Callable[..., Any],  # noqa: F811
) -> None:
    with Sightline.open(tmp_path) as opened:
        titles = {"thing": "Wall with a mug", "plain": "Wall without a mug"}
        rows = [{"id": name, "title": said, "image": str(wall / f"{name}.png")} for name, said in titles.items()]
        assert opened.add(*rows, regions="salient").regions > 0
        hits = opened.search("a mug", least=0)
        x0, y0, x1, _ = next(part.locator.box for hit in hits for part in hit.parts if part.locator.box)
    with served(Settings.read(index=tmp_path)) as url:
        page = page_at(url)
        page.fill("#query", "a mug")
        page.press("#query", "Enter")
        page.wait_for_selector(".card .frame img.there")
        page.click('.why[aria-label="Why Wall with a mug"]')
        page.wait_for_selector("#detail .layer")
        assert "by the region outlined" in page.locator("#detail .channel", has_text="Picture").text_content()
        for _ in ("with the map", "without"):
            large, inside = (page.locator(f"#detail .{name}").bounding_box() for name in ("large", "region"))
            assert (inside["x"] - large["x"]) / large["width"] == pytest.approx(x0, abs=0.02)
            assert (inside["y"] - large["y"]) / large["height"] == pytest.approx(y0, abs=0.02)
            assert inside["width"] / large["width"] == pytest.approx(x1 - x0, abs=0.03)
            page.click("#detail >> text=No map")
        page.keyboard.press("Escape")
        page.click('.why[aria-label="Why Wall without a mug"]')
        page.wait_for_selector("#detail .layer")
        assert page.locator("#detail .region").count() == 0
