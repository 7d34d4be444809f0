"""Three processes search without pause while a fourth writes: each sees whole items only, and what is new at once."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from tests.soak.attempts import PROCESSES, opened
from tests.soak.operations import OPERATIONS, gone
from tests.soak.shop import ROWS, VERSIONS, Opened, Rows, Shop, Truth, name, word

READERS = 3
ROUNDS = 2
Asked = tuple[Rows, Rows]  # before and after what was just acknowledged
Truths = Mapping[tuple[int, int], Truth]


def _read(shop: Shop, index: Path, truths: Truths, seed: int, line: Connection) -> None:
    """Search until there is something to look for; answer how many searches it was, and what was wrong."""
    rng, wrong, searches = Random(seed), list[str](), 0
    with opened(shop, index, "faiss", create=False) as collection:
        line.send("open")
        while True:
            while not line.poll():
                wrong += _one(collection, truths, rng)
                searches += 1
            asked = line.recv()
            if asked is None:
                return
            wrong += _sees(collection, truths, *asked)
            line.send((searches, wrong))
            wrong, searches = [], 0


def _one(collection: Opened, truths: Truths, rng: Random) -> list[str]:
    """One search as a user's, and a look at what the store has; every item in it whole."""
    number, version = rng.randrange(ROWS), rng.randrange(VERSIONS)
    hits = collection.search(word(number, version), k=3).hits
    items = [hit.item for hit in hits] + collection._store.get([name(each) for each in range(ROWS)])
    found = [(int(item.fields["number"]), int(item.fields["version"]), item) for item in items]  # type: ignore[call-overload]
    wrong = [f"{item} is not whole" for number, version, item in found if item != truths[number, version].item]
    return wrong + [f"{hit.id} without a part" for hit in hits if not set(hit.parts) <= set(hit.item.parts)]


def _sees(collection: Opened, truths: Truths, before: Rows, after: Rows) -> list[str]:
    """Whether what was acknowledged is what a reader finds, by words, by vectors and by id."""
    store, space, wrong = collection._store, collection.plain_encoder.space, []
    for number in {**before, **after}:
        version = after.get(number)
        items = [item.fields["version"] for item in store.get([name(number)])]
        if items != ([] if version is None else [version]):
            wrong.append(f"{name(number)} is {items}, not {version}")
        for each in {before.get(number), version} - {None}:
            found = {hit.item_id for hit in store.search_text(word(number, each), 3)}
            if found != ({name(number)} if each == version else set()):
                wrong.append(f"the word of {name(number)} in version {each} finds {found}")
        if version is not None:
            text = next(part for part in truths[number, version].item.parts if part.id.endswith("#text-0"))
            hits = store.search(space, truths[number, version].vectors[text.digest], 4 * ROWS)[0]
            if text.id not in {hit.part_id for hit in hits if hit.score > 0.9999}:  # it may share its vector
                wrong.append(f"the vector of {text.id} in version {version} does not find it")
    return wrong


def test_readers_in_other_processes(tmp_path: Path) -> None:
    shop, index, rng = Shop(tmp_path), tmp_path / "index", Random(11)
    truths, rows = shop.truth(), dict[int, int]()
    lines, processes = [], []
    with opened(shop, index, "faiss") as collection:
        for seed in range(READERS):
            here, there = PROCESSES.Pipe()
            process = PROCESSES.Process(target=_read, args=(shop, index, truths, seed, there))
            process.start()
            lines.append(here)
            processes.append(process)
        try:
            assert [line.recv() for line in lines] == ["open"] * READERS
            searches = 0
            for operation in ("add", "update", "delete", "add", "prune") * ROUNDS:
                after = OPERATIONS[operation].plan(rows, rng)
                assert after is not None
                shop.write(after)
                OPERATIONS[operation].run(collection, shop, gone(rows, after))
                for line in lines:
                    line.send((rows, after))
                for line in lines:
                    assert line.poll(60), "a reader hangs"
                    done, wrong = line.recv()
                    assert wrong == []
                    searches += done
                rows = dict(after)
            assert searches > READERS * ROUNDS
            for line in lines:
                line.send(None)
            for process in processes:
                process.join(60)
                assert process.exitcode == 0
        finally:
            for process in processes:
                process.kill()
