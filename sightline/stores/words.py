"""The words of a query, as every store's lexical search reads them.

Does not know how a store ranks them; stemming and the folding of accents are the engine's.
"""

from __future__ import annotations

import re
import unicodedata

# Words so common that they say nothing about what is meant. A query of nothing else finds nothing.
_COMMON = """
    a an and any are as at be but by do does for from had has have how i if in into is it its me my no not of on or
    our so than that the their them then there these they this those to was we were what when where which who whom whose
    why will with would you your
"""
STOP_WORDS = frozenset(_COMMON.split())


def words_of(text: str) -> list[str]:
    """Runs of letters, digits and their combining marks, lower case, each once, in order, without stop words."""
    folded = re.sub(r"['’]s\b", "", unicodedata.normalize("NFC", text).lower())
    spaced = "".join(char if unicodedata.category(char)[0] in "LNM" else " " for char in folded)
    return [word for word in dict.fromkeys(spaced.split()) if word not in STOP_WORDS]
