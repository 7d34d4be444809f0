"""Stored vectors that no pair speaks of, for the judge: answers have to be found among them too.

Knows the index's items and its stored vectors; nothing is embedded, and nothing here is learnt from.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import numpy as np

import indexer
from sightline.engine import Sightline
from sightline.types import Modality, Vectors

MOST = 5000  # items looked at, drawn by seed
_EQUAL = 0.9999  # cosine from which a stored vector is that of an answer, however the pair names it
_AT_ONCE = 500  # digests asked for, and rows compared, at a time


def rivals(
    index: Sightline, named: Iterable[str], answers: Vectors, *, seed: int = 0, most: int = MOST
) -> dict[Modality, Vectors]:
    """(n, dim) by modality: the first picture and the first text of items that are not `named`.

    Without those that equal a row of `answers` (r, dim). At most `most` vectors, of items drawn by `seed`.
    """
    with closing(indexer.Ledger(index.folder)) as ledger:
        ids = sorted(set(ledger.ids()).difference(named))
    order = np.random.default_rng(seed).permutation(len(ids))[:most]
    found: dict[Modality, list[Vectors]] = {"image": [], "text": []}
    digests: dict[str, Modality] = {}
    for item in (index.get(ids[at]) for at in order):
        first = {part.modality: part.digest for part in reversed(item.parts)}
        digests |= {digest: modality for modality, digest in first.items() if modality in found}
    wanted = list(digests)
    for at in range(0, len(wanted), _AT_ONCE):
        for digest, rows in index.known(wanted[at : at + _AT_ONCE]).items():
            found[digests[digest]].append(rows[:1])
    left, kept = most, {}
    for modality, parts in found.items():
        if parts:
            rows = np.concatenate(parts)
            new = [(rows[at : at + _AT_ONCE] @ answers.T).max(axis=1) < _EQUAL for at in range(0, len(rows), _AT_ONCE)]
            kept[modality] = rows[np.concatenate(new)][:left]
            left -= len(kept[modality])
    return {modality: rows for modality, rows in kept.items() if len(rows)}
