"""Collections of one index folder do not see each other, by `Sightline` and over HTTP, on each store.

Every route of the service is called here: one that is new fails this test until it is, too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from service.app import create_app
from sightline.settings import Settings
from tests.contracts.test_tenants import FEW, IDS, TENANTS, content, quick_server, said
from tests.indexer.indexing import png
from tests.soak.shop import GRID, TURNED, Opened
from tests.stores.qdrant_rest import serving

pytestmark = pytest.mark.network
__all__ = ["quick_server"]  # a fixture
STORES = ["faiss", "qdrant", "qdrant:server"]
SHARED = 1  # the picture that all collections show


def catalog_row(tenant: str, name: str, version: int) -> dict[str, Any]:
    """A row; ids, names of fields and the first picture are those of every collection."""
    return {
        "id": name,
        "title": f"{name} {said(tenant)}",
        "text": f"The {name} by {said(tenant)} is of version {version}.",
        "images": [f"{SHARED}.png", f"{tenant}-{version % 2}.png"],
        "maker": said(tenant),
        "price": version,
        f"{said(tenant)}_note": "own",
    }


class Index:
    """Three collections of one index folder, opened and kept open."""

    def __init__(self, store: str, folder: Path) -> None:
        self.folder, self._store = folder, store
        (folder / f"{SHARED}.png").write_bytes(png(SHARED))
        for number, tenant in enumerate(TENANTS):
            for version in range(2):
                (folder / f"{tenant}-{version}.png").write_bytes(png(100 + 2 * number + version))
        self.opened = {tenant: self._open(tenant) for tenant in TENANTS}

    def _open(self, tenant: str) -> Opened:
        return Opened.open(self.folder / "index", collection=tenant, store=self._store)

    def write(self, tenant: str, rows: dict[str, int], *, prune: bool = False) -> None:
        file = self.folder / "catalog.jsonl"  # one name for all of them
        file.write_text("".join(json.dumps(catalog_row(tenant, *row)) + "\n" for row in rows.items()))
        report = self.opened[tenant].add(file, prune=prune)
        assert not report.skipped

    def do(self, tenant: str, what: str, name: str, version: int) -> None:
        """One operation on one collection."""
        index = self.opened[tenant]
        match what:
            case "add":
                self.write(tenant, {name: version})
            case "prune":
                self.write(tenant, dict.fromkeys(IDS[:2], version), prune=True)
            case "delete":
                index.delete([name])
            case "verify":
                index.verify()
            case "compact":
                index.compact()
            case "migrate":
                if index.info()["items"]:
                    index.migrate(TURNED if index.info()["encoder"] == GRID else GRID)
            case "drop":
                index.erase()
                index.close()
                self.opened[tenant] = self._open(tenant)
            case "again":
                index.close()
                self.opened[tenant] = self._open(tenant)

    def ask(self, tenant: str) -> dict[str, object]:
        """Everything one can ask a collection."""
        index = self.opened[tenant]
        items = index._store.get(IDS)
        told: dict[str, object] = {"info": index.info() | {"collections": ()}, "items": items}
        told["skipped"] = index.skipped()
        told["pictures"] = [index.picture(part.id) for one in items for part in one.parts if part.modality == "image"]
        queries: list[str | Path] = [IDS[0], *map(said, TENANTS), self.folder / f"{SHARED}.png"]
        if items:
            told["found"] = [
                index.search(query, where=where, k=20).to_json() | {"took_ms": 0}
                for query, where in zip(queries, (None, "price >= 0", None, None, None), strict=True)
            ]
            told["answers"] = [
                index.ask(question).to_json() | {"took_ms": 0}
                for question in ("Who makes the mug?", "How many items are there?", said(TENANTS[0]))
            ]
        return told

    def files(self, tenant: str) -> dict[str, object]:
        """Every file of a collection and what is in it."""
        folder = self.folder / "index" / "collections" / tenant
        return {
            str(path): content(path) for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")
        }


@pytest.fixture(scope="module", params=STORES)
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with ExitStack() as stack:
        spec = request.param
        if spec == "qdrant:server":
            spec = f"qdrant:{stack.enter_context(serving()).address}"
        made = Index(spec, tmp_path_factory.mktemp("tenants"))
        yield made
        for one in made.opened.values():
            one.close()


OPERATIONS = ("add", "add", "prune", "delete", "verify", "compact", "migrate", "drop", "again")
STEPS = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(IDS), st.integers(0, 3)), min_size=2, max_size=5
)


@settings(FEW, max_examples=3)
@given(busy=st.sampled_from(TENANTS), steps=STEPS)
def test_what_is_done_to_one_collection_is_seen_in_no_other(
    index: Index, busy: str, steps: list[tuple[str, str, int]]
) -> None:
    quiet = [tenant for tenant in TENANTS if tenant != busy]
    for tenant in TENANTS:
        index.write(tenant, dict.fromkeys(IDS, 0))
    before = {tenant: index.ask(tenant) for tenant in quiet}
    files = {tenant: index.files(tenant) for tenant in quiet}
    for what, name, version in steps:
        index.do(busy, what, name, version)
    mine = repr(index.ask(busy))
    assert [tenant for tenant in quiet if said(tenant) in mine.replace(f"'{said(tenant)}'", "")] == []
    for tenant in quiet:
        assert index.files(tenant) == files[tenant]
        assert index.ask(tenant) == before[tenant]


QUESTIONS = (
    "Who makes the {}?",
    "What is the price of the {} by {other}?",
    "{}",
    "{other}",
    "How many items are there?",
)
CONDITIONS = (None, "price >= 0", "maker = {other}", "not maker = {other}", "id in (mug, lamp)")
asked = st.builds(
    lambda text, name, other: text.format(name, other=said(other)),
    st.sampled_from(QUESTIONS), st.sampled_from(IDS), st.sampled_from(TENANTS),
)  # fmt: skip
conditions = st.builds(
    lambda text, other: text and text.format(other=said(other)), st.sampled_from(CONDITIONS), st.sampled_from(TENANTS)
)


@settings(FEW, max_examples=6)
@given(tenant=st.sampled_from(TENANTS), question=asked, where=conditions)
def test_no_hit_and_no_citation_is_of_another(index: Index, tenant: str, question: str, where: str | None) -> None:
    """Each opens in its own collection, to its own words and pictures."""
    for one in TENANTS:
        index.write(one, dict.fromkeys(IDS, 0))
    opened = index.opened[tenant]
    hits = opened.search(question, where=where, k=100, least=0)
    cited = [citation.part for citation in opened.ask(question, where=where).citations]
    nobody = {f"not maker = {said(tenant)}", *(f"maker = {said(other)}" for other in TENANTS if other != tenant)}
    assert bool(hits) == (where not in nobody)
    assert hits or not cited
    own = {part.id: part for item in opened._store.get(IDS) for part in item.parts}
    for part in [*cited, *(part for hit in hits for part in hit.parts)]:
        assert part.digest == own[part.id].digest
        assert part.text == own[part.id].text
        assert part.text is None or said(tenant) in part.text
        assert part.uri == own[part.id].uri
    for hit in hits:
        assert hit.item.fields["maker"] == said(tenant)


def test_an_answer_cites_the_own_words(index: Index) -> None:
    for tenant in TENANTS:
        index.write(tenant, dict.fromkeys(IDS, 0))
    for tenant in TENANTS:
        (citation,) = index.opened[tenant].ask("Who makes the mug?").citations
        assert said(tenant) in str(citation.quote)


# -- over HTTP ----------------------------------------------------------------------------------------------------

Call: TypeAlias = Callable[[TestClient, str, str], list[Any]]  # of one collection, for what another has


def _sideways(other: str) -> list[str]:
    """Ids and names that would be of the other collection if a path were put together carelessly."""
    up = "%2E%2E"  # else the client goes up by itself, which is to ask for the other collection by its name
    return [
        f"{up}/{other}/items/mug",
        f"{up}%2F{other}%2Fitems%2Fmug",
        f"/{other}/mug",
        said(other),
        f"{up}/{up}/{other}",
    ]


def _each(method: str, path: str, client: TestClient, mine: str, other: str) -> list[Any]:
    """A path with each id of ours and each that would be theirs."""
    return [client.request(method, path.format(name=mine, id=name)) for name in ("mug", *_sideways(other))]


def _search(client: TestClient, mine: str, other: str) -> list[Any]:
    picture = base64.b64encode(png(SHARED)).decode()
    asked: list[dict[str, Any]] = [
        {"query": "mug", "k": 100},
        {"image": picture, "k": 100},
        {"query": said(other)},
        {"query": "mug", "where": f"maker = {said(other)}"},
        {"query": "mug", "where": f"{said(other)[:-1]}_note = own"},  # the nearest name is told: of ours only
        {"query": "mug", "filter": {"must": [{"key": "maker", "match": {"value": said(other)}}]}},
    ]
    return [client.post(f"/v1/collections/{mine}/search", json=one) for one in asked]


def _explain(client: TestClient, mine: str, other: str) -> list[Any]:
    asked = [
        {"query": "mug", "id": "mug", "trace": True},
        {"query": "mug", "id": f"../{other}/mug"},
        {"query": said(other), "id": IDS[0]},
        {"query": "mug", "id": IDS[1], "liked": [IDS[0]], "disliked": [f"{other}#mug"]},
    ]
    return [client.post(f"/v1/collections/{mine}/explain", json=one) for one in asked]


def _ask(client: TestClient, mine: str, other: str) -> list[Any]:
    questions = (
        "Who makes the mug?",
        f"What does {other} make?",
        "How many items are there?",
        "Which is the cheapest?",
    )
    bodies = [{"question": question, "stream": stream} for question in questions for stream in (False, True)]
    return [client.post(f"/v1/collections/{mine}/ask", json=one) for one in bodies]


def _upsert(client: TestClient, mine: str, other: str) -> list[Any]:
    rows = [catalog_row(mine, name, 7) | {"images": []} for name in (*IDS, f"../{other}/mug", f"/{other}")]
    stolen = {"id": "stolen", "images": [f"../{other}/1.png", f"{other}#image-0", "mug#image-1"]}
    return [client.post(f"/v1/collections/{mine}/items", json={"items": one}) for one in (rows, [stolen])]


_C = "/v1/collections/{name}"
CALLS: dict[tuple[str, str], Call] = {
    ("GET", _C): lambda client, mine, _other: [client.get(f"/v1/collections/{mine}")],
    ("PUT", _C): lambda client, mine, _other: [client.put(f"/v1/collections/{mine}")],
    ("GET", _C + "/items/{item_id}"): partial(_each, "GET", _C + "/items/{id}"),
    ("GET", _C + "/parts/{part_id}/picture"): partial(_each, "GET", _C + "/parts/{id}%23image-1/picture"),
    ("POST", _C + "/search"): _search,
    ("POST", _C + "/explain"): _explain,
    ("POST", _C + "/ask"): _ask,
    ("POST", _C + "/items"): _upsert,
    ("DELETE", _C + "/items/{item_id}"): partial(_each, "DELETE", _C + "/items/{id}"),
    ("DELETE", _C): lambda client, mine, _other: [client.delete(f"/v1/collections/{mine}")],
}
OF_NONE = {"/healthz", "/readyz", "/v1/collections"}  # which tell names at most


def _told(client: TestClient, tenant: str) -> dict[str, object]:
    place = f"/v1/collections/{tenant}"
    info = client.get(place).json() | {"collections": ()}
    pictures = [client.get(f"{place}/parts/{name}%23image-{n}/picture").content for name in IDS for n in range(2)]
    found = client.post(f"{place}/search", json={"query": "mug", "k": 100}).json() | {"took_ms": 0}
    return {"info": info, "items": [client.get(f"{place}/items/{name}").json() for name in IDS], "pictures": pictures,
            "found": found}  # fmt: skip


@pytest.fixture(params=STORES)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    with ExitStack() as stack:
        spec = request.param
        if spec == "qdrant:server":
            spec = f"qdrant:{stack.enter_context(serving()).address}"
        app = create_app(Settings.read(index=tmp_path / "index", store=spec))
        yield stack.enter_context(TestClient(app, base_url="http://127.0.0.1:8000"))


def test_no_route_of_one_collection_shows_or_changes_another(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    there = {(method.upper(), path) for path, methods in paths.items() for method in methods if "{name}" in path}
    assert there == set(CALLS), "every route of a collection is called here"
    assert {path for path in paths if "{name}" not in path} == OF_NONE
    for number, tenant in enumerate(TENANTS):
        client.put(f"/v1/collections/{tenant}")
        files = {f"{SHARED}.png": png(SHARED), **{f"{tenant}-{v}.png": png(100 + 2 * number + v) for v in range(2)}}
        rows = json.dumps([catalog_row(tenant, name, 0) for name in IDS])
        sent = client.post(
            f"/v1/collections/{tenant}/items", data={"items": rows}, files=[(n, (n, b)) for n, b in files.items()]
        )
        assert sent.json()["added"] == len(IDS), sent.text
    mine, *others = TENANTS
    before = {tenant: _told(client, tenant) for tenant in others}
    theirs = {picture for tenant in others for picture in before[tenant]["pictures"][1::2]}  # type: ignore[index]
    for call in CALLS.values():
        for other in others:
            for answer in call(client, mine, other):
                asked = answer.request.content.decode(errors="replace") + str(answer.request.url)
                echo = said(other) in asked  # an error or an answer may repeat it; nothing of theirs is found by it
                shown = json.dumps(answer.json().get("hits")) if echo else answer.text
                assert said(other) not in shown, answer.request.url
                assert answer.content not in theirs
        assert {tenant: _told(client, tenant) for tenant in others} == before
    assert client.put(f"/v1/collections/{mine}").json()["items"] == 0  # deleted above: nothing of it is remembered
    assert client.get(f"/v1/collections/{mine}/items/mug").status_code == 404
    assert client.get(f"/v1/collections/{mine}/parts/mug%23image-1/picture").status_code == 404
    assert {tenant: _told(client, tenant) for tenant in others} == before
