"""Collections do not see each other: equal ids, digests and field names, other content, whatever is done to one.

Each collection says a word of its own in everything it holds. Rows of operations, drawn by hypothesis, are done to one:
the others stay as they are to the byte, and nothing that one is ever asked answers with the word of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.filters import Among, And, Compare, Exists, Filter, HasId, Not, Or, matches
from sightline.protocols import Store
from sightline.stores import open_store
from sightline.stores.faiss import FaissStore
from sightline.stores.faiss_build import Plan
from sightline.stores.qdrant import client
from sightline.types import Aggregate, FieldValue, Item, Locator, Part, PartVectors, Vectors
from tests.contracts.catalogs import DIM, OTHER, SPACE, unit
from tests.contracts.conftest import URL
from tests.stores.qdrant_rest import serving

TENANTS = ("alder", "birch", "cedar")
IDS = ("mug", "kettle", "lamp", "chair")
FEW = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
LARGE = 1_000_000  # bytes
EVERYWHERE = ["faiss", "faiss int8", "qdrant", "qdrant::memory:", "qdrant:server"]


def said(tenant: str) -> str:
    """The word that is only in this collection."""
    return f"only{tenant}"


def row(tenant: str, name: str, version: int) -> tuple[Item, list[PartVectors]]:
    """An item whose ids, digests and field names are those of every collection; its content is this one's."""
    seed = int.from_bytes(hashlib.sha256(f"{tenant}/{name}/{version}".encode()).digest()[:4])
    rows = unit(4, seed=seed)
    parts = (
        Part(f"{name}#image-0", name, "image", f"picture {name}", uri=f"{said(tenant)}/{name}.jpg"),
        Part(f"{name}#text-0", name, "text", f"text {name}", text=f"{said(tenant)} {name} v{version}",
             locator=Locator(page=version + 1)),
        Part(f"{name}#fields", name, "fields", f"fields {name}", text=f"maker: {said(tenant)}"),
    )  # fmt: skip
    fields: dict[str, FieldValue] = {
        "maker": said(tenant),
        "price": seed % 1000,
        f"{said(tenant)}_note": version,
        "tags": (said(tenant), name),
    }
    item = Item(name, fields=fields, parts=parts, digest=f"item {name} v{version}")
    return item, [PartVectors(parts[0].id, SPACE, rows[:2]), PartVectors(parts[1].id, SPACE, rows[2:3])]


def ask(store: Store, queries: Vectors) -> dict[str, object]:
    """What a store answers to every question there is."""
    digests = [f"{kind} {name}" for kind in ("picture", "text") for name in IDS]
    known = store.known(SPACE, digests) if SPACE.fingerprint in store.spaces() else {}
    fields = store.fields()
    return {
        "items": store.get(IDS),
        "near": [[(hit.part_id, round(hit.score, 6)) for hit in found] for found in store.search(SPACE, queries, 20)],
        "words": [
            [(hit.part_id, round(hit.score, 6)) for hit in store.search_text(word, 20)]
            for word in (*map(said, TENANTS), *IDS)
        ],
        "known": {digest: rows.tobytes() for digest, rows in sorted(known.items())},
        "fields": fields,
        "counts": [store.aggregate(Aggregate("count", by=one.name)).rows for one in fields],
        "prices": store.aggregate(Aggregate("mean", field="price")).rows if store.get(IDS) else (),
        "spaces": store.spaces(),
        "unembedded": [store.unembedded(space) for space in (SPACE, OTHER)],
        "stats": (store.stats().items, store.stats().parts, store.stats().vectors),
        "certificates": [(one.parts, one.vectors) for one in store.certificates()],
    }


def content(path: Path) -> object:
    """The bytes of a file; of one that Qdrant lays out for tens of megabytes to come, when it was written last."""
    there = path.stat()
    return path.read_bytes() if there.st_size < LARGE else (there.st_ino, there.st_size, there.st_mtime_ns)


class Shelves:
    """The collections of three tenants in stores of one kind, the same rows in each."""

    def __init__(self, spec: str, folder: Path, address: str) -> None:
        self._spec, self._folder, self._address = spec, folder, address
        self.stores = {tenant: self._open(tenant) for tenant in TENANTS}
        self.queries = np.vstack([unit(3, DIM, seed=11), *(row(tenant, "mug", 0)[1][0].vectors for tenant in TENANTS)])

    def _open(self, tenant: str) -> Store:
        folder = self._folder / "collections" / tenant
        if self._spec == "faiss int8":
            return FaissStore(folder, plan=Plan("int8", build_from=1, background=False))
        spec = f"qdrant:{self._address}" if self._spec == "qdrant:server" else self._spec
        return open_store(spec, folder, collection="default" if spec != self._spec else tenant)

    def fill(self, tenant: str, version: int = 0) -> None:
        rows = [row(tenant, name, version) for name in IDS]
        self.stores[tenant].upsert([item for item, _ in rows], [one for _, vectors in rows for one in vectors])

    def do(self, tenant: str, what: str, name: str, version: int) -> None:
        """One operation on one collection."""
        store = self.stores[tenant]
        match what:
            case "upsert":
                item, vectors = row(tenant, name, version)
                store.upsert([item], vectors)
            case "without vectors":
                store.upsert([row(tenant, name, version)[0]], [])
            case "delete":
                store.delete([name])
            case "add vectors":
                store.add_vectors([PartVectors(f"{name}#text-0", OTHER, unit(1, dim=OTHER.dim, seed=version))])
            case "forget":
                store.forget_space(OTHER.fingerprint if version % 2 else SPACE.fingerprint)
            case "verify":
                store.verify(SPACE)
            case "compact":
                store.compact()
            case "again":
                if self._spec != "qdrant::memory:":  # which is gone then
                    store.close()
                    self.stores[tenant] = self._open(tenant)
            case "drop":
                store.drop()
                store.close()
                self.stores[tenant] = self._open(tenant)

    def files(self, tenant: str) -> Mapping[str, object]:
        """Every file of a collection and what is in it."""
        folder = self._folder / "collections" / tenant
        return {
            str(path.relative_to(folder)): content(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.endswith("-shm")  # SQLite's notes of who reads
        }


@pytest.fixture(scope="module", autouse=True)
def quick_server() -> Iterator[None]:
    """Wait for nothing when a server is told to compact: it is no real one."""
    with pytest.MonkeyPatch.context() as patched:
        if not URL:
            patched.setattr(client, "SETTLE_S", 0.0)
        yield


@pytest.fixture(scope="module", params=EVERYWHERE)
def shelves(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelves]:
    with ExitStack() as stack:
        on_a_server = request.param == "qdrant:server"
        address = URL or stack.enter_context(serving()).address if on_a_server else ""
        made = Shelves(request.param, tmp_path_factory.mktemp("tenants"), address)
        yield made
        for store in made.stores.values():
            if on_a_server:
                store.drop()
            store.close()


OPERATIONS = ("upsert", "without vectors", "delete", "add vectors", "forget", "verify", "compact", "again", "drop")
STEPS = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(IDS), st.integers(0, 3)), min_size=3, max_size=6
)


@pytest.mark.network
@FEW
@given(busy=st.sampled_from(TENANTS), steps=STEPS)
def test_what_is_done_to_one_collection_is_seen_in_no_other(
    shelves: Shelves, busy: str, steps: list[tuple[str, str, int]]
) -> None:
    quiet = [tenant for tenant in TENANTS if tenant != busy]
    for tenant in TENANTS:
        shelves.fill(tenant)
    before = {tenant: ask(shelves.stores[tenant], shelves.queries) for tenant in quiet}
    files = {tenant: shelves.files(tenant) for tenant in quiet}
    for what, name, version in steps:
        shelves.do(busy, what, name, version)
    mine = repr(ask(shelves.stores[busy], shelves.queries))
    assert [tenant for tenant in quiet if said(tenant) in mine] == []
    for tenant in quiet:
        assert shelves.files(tenant) == files[tenant]
        assert ask(shelves.stores[tenant], shelves.queries) == before[tenant]
        assert said(tenant) in repr(before[tenant])


FIELDS = ("maker", "price", "tags", *(f"{said(tenant)}_note" for tenant in TENANTS))
VALUES: tuple[str | int, ...] = (*map(said, TENANTS), *IDS, 0, 1, 500)
conditions = st.one_of(
    st.builds(Compare, st.sampled_from(FIELDS), st.sampled_from(["=", "!=", "<", ">="]), st.sampled_from(VALUES)),
    st.builds(Among, st.sampled_from(FIELDS), st.lists(st.sampled_from(VALUES), max_size=3).map(tuple)),
    st.builds(Exists, st.sampled_from(FIELDS)),
    st.builds(HasId, st.lists(st.sampled_from(IDS), max_size=3).map(tuple)),
)
filters = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=4,
)


@pytest.mark.network
@settings(FEW, max_examples=12)
@given(tenant=st.sampled_from(TENANTS), where=filters, seed=st.integers(0, 99), word=st.sampled_from(VALUES))
def test_no_query_and_no_filter_reaches_into_another(
    shelves: Shelves, tenant: str, where: Filter, seed: int, word: str | int
) -> None:
    """What is found is what passes of the own rows, by the filter's own meaning: all of that, and nothing else."""
    for one in TENANTS:
        shelves.fill(one)
    store, rows = shelves.stores[tenant], [row(tenant, name, 0) for name in IDS]
    passing = {item.id: item for item, _ in rows if matches(where, item.id, item.fields)}
    near = {one.part_id for _, vectors in rows for one in vectors if one.part_id.partition("#")[0] in passing}
    (hits,) = store.search(SPACE, unit(1, seed=seed), 100, where=where)
    assert {hit.part_id for hit in hits} == near
    own = {one.part_id: one.vectors for _, vectors in rows for one in vectors}
    for hit in hits:  # equal ids are in every collection: the score tells whose vector it was
        assert hit.score == pytest.approx(float((own[hit.part_id] @ unit(1, seed=seed)[0]).max()), abs=1e-5)
    spoken = store.search_text(str(word), 100, where=where)
    assert {hit.item_id for hit in spoken} <= set(passing)
    assert not spoken or word not in {said(other) for other in TENANTS if other != tenant}
    assert store.get([hit.item_id for hit in hits]) == [passing[hit.item_id] for hit in hits]
    assert store.aggregate(Aggregate("count"), where=where).rows == ((None, float(len(passing))),)
    makers = dict(store.aggregate(Aggregate("count", by="maker"), where=where).rows)
    assert makers == ({said(tenant): float(len(passing))} if passing else {})


@pytest.mark.network
def test_a_collection_is_as_if_it_were_alone(shelves: Shelves, tmp_path: Path) -> None:
    """The same rows of operations beside two others, and with nobody beside them."""
    alone = open_store("faiss", tmp_path, collection="alone")
    steps = [("upsert", "mug", 1), ("delete", "lamp", 0), ("add vectors", "chair", 2), ("without vectors", "kettle", 3)]
    shelves.do("alder", "drop", "mug", 0)
    shelves.fill("alder")
    for name in IDS:
        item, vectors = row("alder", name, 0)
        alone.upsert([item], vectors)
    for step in steps:
        shelves.do("alder", *step)
    others = {tenant: shelves.stores[tenant] for tenant in TENANTS}
    shelves.stores = {"alder": alone}
    try:
        for step in steps:
            shelves.do("alder", *step)
    finally:
        shelves.stores = others
    beside, lonely = ask(others["alder"], shelves.queries), ask(alone, shelves.queries)
    for told in (beside, lonely):
        told.pop("words")  # BM25 with another average length on Qdrant
        told.pop("certificates")  # some kinds of index measure by themselves
    near = [[one for one, _ in found] for found in lonely.pop("near")]  # type: ignore[attr-defined]
    assert [[one for one, _ in found] for found in beside.pop("near")] == near  # type: ignore[attr-defined]
    for told in (beside, lonely):
        told["known"] = sorted(told["known"])  # type: ignore[call-overload]
    assert beside == lonely
    alone.close()
