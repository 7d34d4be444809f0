"""Reads the words out of HTML, as shops export it in descriptions: blocks become lines, list items points.

Leaves every other text as it is, `a < b` and `R&D` too; does not know what the words are for.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_BLOCKS = "p div section article blockquote pre table tr ul ol dl dt dd h1 h2 h3 h4 h5 h6 hr br li"
_INLINE = "a b i u em strong span small sup sub font center code img td th thead tbody s mark label"
_SILENT = frozenset({"script", "style"})
_TAG = re.compile(rf"</?(?:{'|'.join((*_BLOCKS.split(), *_INLINE.split(), *_SILENT))})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d?);", re.IGNORECASE)
_BREAKS = frozenset(_BLOCKS.split())


def plain(text: str) -> str:
    """The text without tags and entities if it has any, otherwise unchanged."""
    if _TAG.search(text):
        reader = _Words()
        reader.feed(text)
        reader.close()
        lines = (" ".join(line.split()) for line in "".join(reader.found).replace("\xa0", " ").split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return html.unescape(text).replace("\xa0", " ") if _ENTITY.search(text) else text


class _Words(HTMLParser):
    """Collects what a browser would show as text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in _SILENT
        if tag in _BREAKS:
            self.found.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.found.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in _SILENT and self.silent > 0
        if tag in _BREAKS - {"li", "br"}:
            self.found.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data)
