"""What is done to a collection while its process is killed: a table, one line each.

Does not know when anything is killed, nor how what is left is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sightline.stores.faiss import FaissStore
from tests.soak.shop import ROWS, VERSIONS, Opened, Rows, Shop, name

SOME = 12  # rows an operation is about, at most


@dataclass(frozen=True, slots=True)
class Operation:
    """`plan` says which rows there shall be afterwards, None: no collection; `run` is what is killed.

    `ready` is called before the first attempt, so that the same is attempted again after a kill.
    """

    plan: Callable[[Rows, Random], Rows | None]
    run: Callable[[Opened, Shop, list[str]], object]  # the ids are those of the rows that go
    needs: int = 0  # rows there must be before
    ready: Callable[[Shop], None] | None = None
    stores: tuple[str, ...] = ("faiss", "qdrant")
    reads: bool = False  # whether it is the catalog that says what there shall be


def _grown(rows: Rows, rng: Random) -> Rows:
    absent = [number for number in range(ROWS) if number not in rows]
    return {**rows, **{number: rng.randrange(VERSIONS) for number in rng.sample(absent, min(SOME, len(absent)))}}


def _changed(rows: Rows, rng: Random) -> Rows:
    chosen = rng.sample(sorted(rows), min(SOME, len(rows)))
    return {**rows, **{number: (rows[number] + rng.randrange(1, VERSIONS)) % VERSIONS for number in chosen}}


def _shrunk(rows: Rows, rng: Random) -> Rows:
    gone = set(rng.sample(sorted(rows), min(SOME, len(rows))))
    return {number: version for number, version in rows.items() if number not in gone}


def _mixed(rows: Rows, rng: Random) -> Rows:
    return _shrunk(_changed(_grown(rows, rng), rng), rng)


def _dropped(_rows: Rows, _rng: Random) -> None:
    return None


def _same(rows: Rows, _rng: Random) -> Rows:
    return rows


def _index(index: Opened, shop: Shop, _gone: list[str]) -> object:
    return index.add(shop.catalog)


def _prune(index: Opened, shop: Shop, _gone: list[str]) -> object:
    return index.add(shop.catalog, prune=True)


def _delete(index: Opened, _shop: Shop, gone: list[str]) -> object:
    return index.delete(gone)


def _drop(index: Opened, _shop: Shop, _gone: list[str]) -> object:
    return index.erase()


def _migrate(index: Opened, shop: Shop, _gone: list[str]) -> object:
    return index.migrate(shop.encoder)


def _compact(index: Opened, _shop: Shop, _gone: list[str]) -> object:
    return index.compact()


def _build(index: Opened, _shop: Shop, _gone: list[str]) -> object:
    assert isinstance(index._store, FaissStore)
    return index._store.build(index.plain_encoder.space, kind="int8")


OPERATIONS: dict[str, Operation] = {
    "add": Operation(_grown, _index, reads=True),
    "update": Operation(_changed, _index, needs=SOME, reads=True),
    "delete": Operation(_shrunk, _delete, needs=SOME),
    "prune": Operation(_mixed, _prune, needs=SOME, reads=True),
    "migrate": Operation(_same, _migrate, needs=SOME, ready=Shop.turn),
    "compact": Operation(_same, _compact, needs=SOME),
    "build": Operation(_same, _build, needs=SOME, stores=("faiss",)),
    "drop": Operation(_dropped, _drop, needs=1),
}


def gone(before: Rows, after: Rows | None) -> list[str]:
    """Ids of the rows that go."""
    return [name(number) for number in sorted(before) if number not in (after or {})]
