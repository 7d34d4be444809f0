"""The page in a real browser: what a person types, drops, clicks and sees, on a desktop and on a phone."""

from __future__ import annotations

import base64
import html
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image, ImageDraw

from service.app import create_app
from sightline.engine import Sightline
from sightline.settings import Settings

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install 'sightline[dev]'"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
EVIL = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    rows: list[dict[str, Any]] = []
    for number, (colour, rgb) in enumerate(
        {"red": (200, 40, 40), "blue": (40, 70, 200), "green": (30, 150, 60)}.items()
    ):
        for kind in ("bowl", "cushion"):
            image = Image.new("RGB", (160, 160), (205, 200, 190))
            pen = ImageDraw.Draw(image)
            (pen.ellipse if kind == "bowl" else pen.rectangle)((30, 40, 130, 130), fill=rgb)
            image.save(folder / f"{kind}-{colour}.png")
            row = {"id": f"{kind}-{colour}", "title": f"{colour.title()} {kind}", "images": [f"{kind}-{colour}.png"]}
            rows.append(
                row | {"colour": colour, "price": 10 * (number + 1), "text": f"A {kind} made by hand in Porto."}
            )
    evil = html.escape(EVIL)  # markup is read as text on the way in: so it is what a browser would show
    rows.append({"id": "evil", "title": f"Teapot {evil}", "text": evil, "note": evil, "site": "javascript:alert(1)"})
    (folder / "catalog.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The application on a free port of this machine."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the service did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture(scope="module")
def index(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    with Sightline.open(folder) as opened:
        assert opened.add(shop / "catalog.jsonl").added == 7
    return folder


@pytest.fixture(scope="module")
def url(index: Path) -> Iterator[str]:
    with served(Settings.read(index=index)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page_at(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page of a size; at the end of the test, nothing may have been complained about in its console."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def heard(message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def open_page(address: str, size: str = "desktop", *, wait: str = "#facts:not(:empty)") -> Any:
        contexts.append(browser.new_context(viewport=SIZES[size]))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.wait_for_selector(wait)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def until(page: Any, condition: str) -> None:
    """Wait for a condition on the page (Playwright's own waiting evaluates text, which the page's policy forbids)."""
    deadline = time.monotonic() + 15
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"still not so: {condition}"
        page.wait_for_timeout(30)


def search(page: Any, words: str) -> None:
    page.fill("#query", words)
    page.press("#query", "Enter")
    page.wait_for_selector("#results:not([aria-busy]) .card")


def titles(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".card .title").all_text_contents()]


def drop(page: Any, picture: Path) -> None:
    """Drop a file on the page, as a person's drag does."""
    page.evaluate(
        """(content) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
            for (const kind of ["dragover", "drop"]) {
                document.body.dispatchEvent(
                    new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
            }
        }""",
        base64.b64encode(picture.read_bytes()).decode(),
    )


@pytest.mark.parametrize("size", SIZES)
def test_words_give_a_gallery_whose_pictures_load(page_at: Callable[..., Any], url: str, size: str) -> None:
    page = page_at(url, size)
    assert page.locator("#facts").inner_text() == "7 items"
    search(page, "red bowl")
    assert titles(page)[0] == "Red bowl"
    until(page, "[...document.querySelectorAll('.card img')].slice(0, 4).every((img) => img.naturalWidth > 0)")
    assert page.locator(".card").first.locator(".facts").inner_text() == "red · price 10"
    assert "item" in page.locator("#status").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".card").first.click()
    page.wait_for_selector("dialog[open] dl")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_a_dropped_picture_finds_its_item_and_more_like_another(
    page_at: Callable[..., Any], url: str, shop: Path
) -> None:
    page = page_at(url)
    drop(page, shop / "cushion-blue.png")
    page.wait_for_selector(".card")
    assert titles(page)[0] == "Blue cushion"
    assert page.locator("#picture-name").inner_text() == "dropped.png"
    page.locator(".card").first.click()
    page.locator("dialog[open] .primary").click()
    until(page, "document.querySelector('#picture-name').textContent === 'like Blue cushion'")
    until(page, "!document.querySelector('#results').hasAttribute('aria-busy')")
    assert titles(page)
    assert "Blue cushion" not in titles(page)
    page.go_back()
    page.wait_for_selector("body.landing")


def test_an_answer_cites_what_can_be_opened(page_at: Callable[..., Any], url: str) -> None:
    page = page_at(url, "phone")
    page.fill("#query", "How much does the green bowl cost?")
    page.press("#query", "Control+Enter")
    page.wait_for_selector(".evidence")
    assert "30" in page.locator("#answer .text").inner_text()
    page.locator(".cite").first.click()
    page.wait_for_selector("dialog[open] mark")
    assert page.locator("dialog[open] mark").first.inner_text() == "30"
    assert page.locator("#detail-title").inner_text() == "Green bowl"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    page.fill("#query", "How much does the violin cost?")
    page.click("#ask")
    page.wait_for_selector("#answer .abstained")
    assert page.locator(".evidence").count() == 0


def test_filter_target_mistake_and_nothing_found(page_at: Callable[..., Any], url: str) -> None:
    page = page_at(url)
    page.locator(".hint", has_text="price").click()
    assert page.input_value("#where") == "price < "
    page.fill("#where", "price < 15")
    search(page, "bowl")
    assert set(titles(page)) == {"Red bowl", "Red cushion"}
    page.fill("#where", "prise < 15")
    page.press("#where", "Enter")
    page.wait_for_selector("[role=alert]")
    assert "'price'" in page.locator("[role=alert]").inner_text()
    page.fill("#where", "price > 1000")
    page.press("#where", "Enter")
    page.wait_for_selector("text=Nothing matches")
    address = page.url
    again = page_at(address, wait="text=Nothing matches")
    assert again.input_value("#where") == "price > 1000"


def test_what_is_nearest_can_be_seen_where_nothing_matches(page_at: Callable[..., Any], url: str) -> None:
    page = page_at(url)
    page.fill("#query", "nuclear submarine")
    page.press("#query", "Enter")
    page.wait_for_selector("text=Nothing matches")
    page.locator("button", has_text="Show what is nearest").click()
    page.wait_for_selector(".card .score")
    assert {score.strip()[-1] for score in page.locator(".card .score").all_inner_texts()} == {"%"}


def test_what_a_catalog_says_is_shown_as_text(page_at: Callable[..., Any], url: str) -> None:
    page = page_at(url)
    search(page, "teapot")
    assert titles(page)[0] == f"Teapot {EVIL}"
    page.locator(".card").first.click()
    page.wait_for_selector("dialog[open] dl")
    assert EVIL in page.locator("dialog[open] dl").inner_text()
    assert page.locator("dialog[open] a").count() == 0
    assert page.locator("[onerror]").count() == 0
    assert "Sightline" in page.title()


def test_an_empty_index_says_how_to_fill_it(page_at: Callable[..., Any], tmp_path: Path) -> None:
    with served(Settings.read(index=tmp_path / "none")) as address:
        page = page_at(address, wait="text=Nothing is indexed yet")
        assert "sightline index" in page.locator("pre").inner_text()


def test_a_keyed_service_asks_once_and_shows_pictures(page_at: Callable[..., Any], index: Path) -> None:
    with served(Settings.read(index=index, api_key="open sesame")) as address:
        page = page_at(address, wait="#key[open]")
        for given in ("wrong", "open sesame"):
            page.fill("#key-value", given)
            page.press("#key-value", "Enter")
            if given == "wrong":
                page.wait_for_selector("text=That key was not right")
        page.wait_for_selector("#facts:not(:empty)")
        search(page, "red bowl")
        until(page, "document.querySelector('.card img').naturalWidth > 0")
        page.reload()
        page.wait_for_selector(".card")


def test_the_keyboard_alone_is_enough(page_at: Callable[..., Any], url: str) -> None:
    page = page_at(url)
    search(page, "red bowl")
    page.locator(".card").first.focus()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.locator(".card").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Close"
    page.keyboard.press("Enter")
    assert page.locator("dialog[open]").count() == 0
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, select')].filter((control) => !control.closest('dialog') &&
            !(control.textContent.trim() || control.getAttribute('aria-label') || control.labels?.length)).length"""
    )
    assert unnamed == 0


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page over thirty pictures of jars and two copies of one of them."""
    folder = tmp_path_factory.mktemp("stock")
    rows: list[dict[str, Any]] = []
    for number in range(30):
        brand, side = ("Alta", "Bravo", "Cord")[number % 3], 20 + 4 * number
        image = Image.new("RGB", (160, 160), (205, 200, 190))
        ImageDraw.Draw(image).ellipse((10, 150 - side, 10 + side, 150), fill=(8 * number, 90, 200 - 5 * number))
        image.save(folder / f"{number}.png")
        row = {"id": f"jar-{number}", "title": f"Jar number {number}", "images": [f"{number}.png"]}
        rows.append(row | {"brand": brand, "price": (7 * number) % 30 + 1})
    for number in range(2):
        image.resize((120 - number, 120)).save(folder / f"copy-{number}.png")
        rows.append({"id": f"copy-{number}", "title": "Jar number 29", "images": [f"copy-{number}.png"]})
    (folder / "catalog.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with Sightline.open(folder / "index") as opened:
        assert opened.add(folder / "catalog.jsonl").added == 32
    with served(Settings.read(index=folder / "index")) as address:
        yield address


def settled(page: Any) -> None:
    page.wait_for_selector("#results:not([aria-busy]) .card")


@pytest.mark.parametrize("size", SIZES)
def test_more_hits_come_below_without_repeating(page_at: Callable[..., Any], stock: str, size: str) -> None:
    page = page_at(stock, size)
    search(page, "jar")
    first = titles(page)
    assert len(first) == 24
    page.fill("#query", "typed but not sought")
    page.locator(".more").click()
    until(page, "document.querySelectorAll('.card').length === 30")
    assert titles(page)[:24] == first
    assert len(set(titles(page))) == 30  # two copies are folded
    assert page.locator(".more").count() == 0
    assert "30 items" in page.locator("#status").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_values_are_counted_and_narrow_the_search(page_at: Callable[..., Any], stock: str) -> None:
    page = page_at(stock)
    search(page, "jar")
    brand = page.locator("select[aria-label='Only one brand']")
    brand.wait_for()
    assert brand.inner_text().split("\n") == ["Any brand", "Alta (10)", "Bravo (10)", "Cord (10)"]
    brand.select_option(label="Bravo (10)")
    until(page, "document.querySelectorAll('.card').length === 10")
    assert page.input_value("#where") == 'brand = "Bravo"'
    until(page, "document.querySelector('select[aria-label=\"Only one brand\"]').className.includes('chosen')")
    assert "Cord (10)" in brand.inner_text()  # the others are still counted
    price = page.locator("select[aria-label='Only one price']")
    if price.count():
        price.select_option(index=1)
        settled(page)
        assert page.input_value("#where").startswith('brand = "Bravo" and price')
    page.fill("#where", "price < 6 or price > 25")
    page.press("#where", "Enter")
    until(page, "document.querySelectorAll('.card').length === 10")
    until(page, "document.querySelector('select[aria-label=\"Only one brand\"]').value === ''")
    page.locator("select[aria-label='Only one brand']").select_option(value='brand = "Alta"')
    until(page, "document.querySelector('#where').value === '(price < 6 or price > 25) and brand = \"Alta\"'")
    settled(page)
    page.locator("select[aria-label='Only one brand']").select_option(label="Any brand")
    until(page, "document.querySelector('#where').value === '(price < 6 or price > 25)'")


def test_an_order_is_kept_in_the_address(page_at: Callable[..., Any], stock: str) -> None:
    page = page_at(stock)
    page.fill("#where", "price < 6")
    search(page, "jar")
    page.select_option("#sort", label="price, highest first")
    until(page, "location.search.includes('sort=-price')")
    settled(page)
    prices = page.locator(".card .facts").all_inner_texts()
    assert [text.split("price ")[1].split(" ")[0] for text in prices] == ["5", "4", "3", "2", "1"]
    again = page_at(page.url, wait="#results:not([aria-busy]) .card")
    assert again.locator(".card .facts").all_inner_texts() == prices
    assert again.input_value("#sort") == "-price"
    page.fill("#where", "")
    page.select_option("#sort", label="Varied")
    until(page, "document.querySelectorAll('.card').length === 24")
    assert len(set(titles(page))) == 24


def test_copies_are_folded_told_and_opened(page_at: Callable[..., Any], stock: str) -> None:
    page = page_at(stock)
    page.fill("#where", 'title = "Jar number 29" or price = 1')
    search(page, "jar")
    assert len(titles(page)) == 2
    page.locator(".card", has=page.locator(".alike")).click()
    page.wait_for_selector("dialog[open] .copies")
    assert page.locator(".copies .hint").count() == 2
    name = page.locator(".copies .hint").first.inner_text()
    page.locator(".copies .hint").first.click()
    until(page, f"document.querySelector('#detail .id')?.textContent === {json.dumps(name)}")
    page.keyboard.press("Escape")
    page.uncheck("#fold")
    until(page, "document.querySelectorAll('.card').length === 4")
    assert page.locator(".alike").count() == 0
