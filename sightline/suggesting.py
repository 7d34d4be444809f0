"""What was probably meant by a spec that names nothing: "Did you mean vlm:starter?".

Knows no engine: what there is to choose from is handed in.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

WHOLE, KIND = 0.7, 0.6  # of 1: how alike two specs, or what stands before their colons, must be


def did_you_mean(spec: str, known: Iterable[str]) -> str:
    """ " Did you mean …?" with the nearest of the known specs, or the nearest of their kinds before what was said.

    "" where none is near. A known spec that ends with a colon stands for its kind alone.
    """
    known = list(known)
    kind, colon, rest = spec.partition(":")
    if colon:
        kinds = {one.partition(":")[0] for one in known if ":" in one}
        kind = kind if kind in kinds else _nearest(kind, kinds, KIND) or ""
        meant = f"{kind}:{rest}" if kind and rest else ""
        known = [one for one in known if kind and one.startswith(f"{kind}:")]
    else:
        meant = spec
    near = _nearest(meant, [one for one in known if not one.endswith(":")], WHOLE) or meant
    return f" Did you mean {near}?" if near not in ("", spec) else ""


def _nearest(name: str, known: Iterable[str], cutoff: float) -> str | None:
    folded = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None
