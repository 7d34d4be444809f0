"""Reads the words out of HTML, as shops export it in descriptions: blocks become lines, list items points.

Leaves every other text as it is, `a < b` and `R&D` too; does not know what the words are for.
"""

from __future__ import annotations

import html
import re

_BLOCKS = "p div section article blockquote pre table tr ul ol dl dt dd h1 h2 h3 h4 h5 h6 hr br li"
_INLINE = "a b i u em strong span small sup sub font center code img td th thead tbody s mark label"
_SILENT = "script style"
_TAG = re.compile(rf"</?(?:{'|'.join(f'{_BLOCKS} {_INLINE} {_SILENT}'.split())})(?:\s[^<>]*+)?/?+>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d?);", re.IGNORECASE)
# What a browser does not show: comments, scripts and styles, declarations, tags. Python's own parser takes time with
# the square of what is left open, and gives up at some texts; this takes as long as the text, whatever it is.
_UNSEEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(script|style)\b[^<>]*+>.*?(?:</\1\b[^<>]*+>|\Z)"
    r"""|<(/?)([a-z][^\s<>/]*+)(?:[^<>"']++|"[^"<]{0,999}+"|'[^'<]{0,999}+'|["'])*+>"""
    r"|<[!?][^<>]*+>",
    re.IGNORECASE | re.DOTALL,
)
_LINES = frozenset(_BLOCKS.split())


def plain(text: str) -> str:
    """The text without tags and entities if it has any, otherwise unchanged."""
    if _TAG.search(text):
        shown = html.unescape(_UNSEEN.sub(_instead, text)).replace("\xa0", " ")
        lines = (" ".join(line.split()) for line in shown.split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return html.unescape(text).replace("\xa0", " ") if _ENTITY.search(text) else text


def _instead(found: re.Match[str]) -> str:
    """What stands for a tag: the end of a line, a point, the gap between two cells, or nothing."""
    ends, name = found.group(2), (found.group(3) or "").lower()
    if name == "li":
        return "" if ends else "\n- "
    if name == "br":
        return "" if ends else "\n"
    if name in ("td", "th"):
        return "" if ends else " "
    return "\n" if name in _LINES else ""
