"""Settings of a Qdrant collection behind a spec's `?`: read, refused in words, sent to a server, kept, and changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from sightline.errors import ConfigError
from sightline.protocols import Store
from sightline.stores import open_store
from sightline.stores.qdrant.settings import CollectionSettings
from tests.contracts.catalogs import DIM, OTHER, SPACE, found, pictures, unit
from tests.contracts.test_store_several import Truth, agrees, write
from tests.stores.qdrant_rest import Server, serving

EVERYTHING = (
    "shards=2&replicas=3&write_consistency=2&quantization=product&compression=x8&always_ram=true&oversampling=3.0"
    "&on_disk=true&on_disk_payload=false&m=8&ef_construct=64&ef=200&indexing_threshold=5000"
)
COLLECTION = r"/collections/shop-[0-9a-f]{12}"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def _open(spec: str, folder: Path, *, n: int = 0) -> Store:
    store = open_store(spec, folder, collection="shop")
    if n:
        items, vectors, _ = pictures(n)
        store.upsert(items, vectors)
    return store


def test_every_setting_is_read_and_written_the_same() -> None:
    settings = CollectionSettings.parse(EVERYTHING)
    assert str(settings) == EVERYTHING
    assert set(settings.to_json()) == {field.name for field in fields(CollectionSettings)}
    assert CollectionSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert not CollectionSettings.parse("")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("shard=2", "unknown setting 'shard' of a Qdrant collection. Did you mean shards?"),
        ("quantisation=int8", "Did you mean quantization?"),
        ("ondisk=true", "Did you mean on_disk?"),
        ("zzz=1", r"unknown setting 'zzz' of a Qdrant collection. Known are: shards, replicas, .*indexing_threshold"),
        ("shards=0", "shards is a whole number from 1, not '0'"),
        ("replicas=two", "replicas is a whole number from 1, not 'two'"),
        ("quantization=int4", "quantization is one of none, int8, product, binary, not 'int4'"),
        ("quantization=product&compression=x5", "compression is one of x4, x8, x16, x32, x64, not 'x5'"),
        ("oversampling=0.5&quantization=int8", "oversampling is a number from 1 to 100, not '0.5'"),
        ("oversampling=nan&quantization=int8", "oversampling is a number from 1 to 100"),
        ("on_disk=yes", "on_disk is true or false, not 'yes'"),
        ("m=1", "m is 0 .no graph. or a whole number from 2 to 1000, not '1'"),
        ("m=8&m=9", "m is set twice"),
        ("int8", "int8.* is written name=value|unknown setting|name=value&name=value, not 'int8'"),
        ("oversampling=2", "oversampling needs quantization=int8 or product or binary"),
        ("quantization=int8&compression=x8", "compression needs quantization=product"),
        ("quantization=none&always_ram=true", "always_ram needs quantization="),
        ("replicas=2&write_consistency=3", "write_consistency=3 is more than replicas=2"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        CollectionSettings.parse(given).over(CollectionSettings())


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("faiss?m=8", "the faiss store has no settings"),
        ("qdrant::memory:?quantization=int8", "in memory is for tests and has no settings"),
        ("qdrant?shards=2", "shards is a setting of a Qdrant server: an embedded one is one copy in one piece"),
        ("qdrant?on_disk=true", "on_disk is a setting of a Qdrant server: an embedded one always reads its vectors"),
        ("qdrant?quantisation=int8", "Did you mean quantization?"),
    ],
)
def test_what_an_engine_has_not_is_refused_and_nothing_is_left_open(spec: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        _open(spec, tmp_path)
    _open(spec.partition("?")[0], tmp_path).close()


# -- a server, as asked over HTTP --------------------------------------------------------------------------------


@pytest.mark.network
def test_a_collection_is_made_as_asked(server: Server, tmp_path: Path) -> None:
    store = _open(f"qdrant:{server.address}?{EVERYTHING}", tmp_path, n=3)
    (made,) = server.bodies("PUT", COLLECTION)
    assert made == {
        "vectors": {},
        "sparse_vectors": {"words": {"modifier": "idf"}},
        "shard_number": 2,
        "replication_factor": 3,
        "write_consistency_factor": 2,
        "on_disk_payload": False,
        "hnsw_config": {"m": 8, "ef_construct": 64},
        "optimizers_config": {"indexing_threshold": 5000},
        "quantization_config": {"product": {"compression": "x8", "always_ram": True}},
    }
    (placed,) = server.bodies("PATCH", COLLECTION)  # of the vectors, whose names come later
    assert list(placed) == ["vectors"]
    assert list(placed["vectors"].values()) == [{"on_disk": True}] * 2
    assert store.search(SPACE, unit(1), 2)[0]
    (asked, *_), *_ = [one["searches"] for one in server.bodies("POST", f"{COLLECTION}/points/query/batch")]
    assert asked["params"] == {"hnsw_ef": 200, "quantization": {"rescore": True, "oversampling": 3.0}}
    stats = store.stats()
    assert "product codes, scored again from the vectors" in stats.kind
    assert stats.why == f"asked for: {EVERYTHING}"
    store.close()


@pytest.mark.network
def test_without_settings_everything_is_left_to_the_server(server: Server, tmp_path: Path) -> None:
    store = _open(f"qdrant:{server.address}", tmp_path, n=3)
    assert server.bodies("PUT", COLLECTION) == [{"vectors": {}, "sparse_vectors": {"words": {"modifier": "idf"}}}]
    assert server.bodies("PATCH", COLLECTION) == []
    assert found(store, unit(1)[0], 2)
    (searches,) = [one["searches"] for one in server.bodies("POST", f"{COLLECTION}/points/query/batch")]
    assert all(one.get("params") is None for one in searches)
    assert store.stats().why == ""
    store.close()


@pytest.mark.network
@pytest.mark.parametrize(("codes", "times"), [("int8", 2), ("product", 4), ("binary", 32)])
def test_codes_are_scored_again_even_where_nobody_says_how_many(
    server: Server, tmp_path: Path, codes: str, times: float
) -> None:
    store = _open(f"qdrant:{server.address}?quantization={codes}", tmp_path, n=3)
    assert found(store, unit(1)[0], 2)
    store.verify(SPACE)
    searches = [one for body in server.bodies("POST", f"{COLLECTION}/points/query/batch") for one in body["searches"]]
    told = [one["params"] for one in searches]
    assert told[0] == {"quantization": {"rescore": True, "oversampling": times}}
    exact = {"exact": True, "quantization": {"ignore": True}}
    assert [one for one in told if one not in (told[0], exact)] == []
    assert exact in told  # the truth of the certificate
    store.close()


@pytest.mark.network
def test_settings_stay_and_what_changes_is_sent(server: Server, tmp_path: Path) -> None:
    place = f"qdrant:{server.address}"
    _open(f"{place}?quantization=int8&oversampling=2&m=8", tmp_path, n=3).close()
    _open(place, tmp_path).close()
    _open(f"{place}?m=8&quantization=int8", tmp_path).close()
    assert server.bodies("PATCH", COLLECTION) == []  # nothing is new
    for asked, sent in (
        ("m=16", {"hnsw_config": {"m": 16}}),
        ("replicas=2", {"params": {"replication_factor": 2}}),
        ("on_disk_payload=true", {"params": {"on_disk_payload": True}}),
        ("indexing_threshold=0", {"optimizers_config": {"indexing_threshold": 0}}),
        ("always_ram=true", {"quantization_config": {"scalar": {"type": "int8", "always_ram": True}}}),
        ("quantization=binary", {"quantization_config": {"binary": {}}}),
        ("quantization=none", {"quantization_config": "Disabled"}),
    ):
        _open(f"{place}?{asked}", tmp_path).close()
        assert server.bodies("PATCH", COLLECTION)[-1] == sent
    count = len(server.bodies("PATCH", COLLECTION))
    _open(f"{place}?ef=99", tmp_path).close()  # of searches only
    assert len(server.bodies("PATCH", COLLECTION)) == count
    _open(f"{place}?on_disk=true", tmp_path).close()
    assert list(server.bodies("PATCH", COLLECTION)[-1]["vectors"].values()) == [{"on_disk": True}] * 2
    store = _open(place, tmp_path)
    kept = "replicas=2&quantization=none&on_disk=true&on_disk_payload=true&m=16&ef=99&indexing_threshold=0"
    assert store.stats().why == f"asked for: {kept}"
    store.upsert([], [])
    items, vectors, _ = pictures(2)
    store.upsert(items, [type(one)(one.part_id, OTHER, unit(1, dim=OTHER.dim)) for one in vectors])
    assert list(server.bodies("PATCH", COLLECTION)[-1]["vectors"].values()) == [{"on_disk": True}] * 2  # the new names
    store.close()


@pytest.mark.network
def test_pieces_cannot_be_changed_later(server: Server, tmp_path: Path) -> None:
    place = f"qdrant:{server.address}"
    _open(f"{place}?shards=2", tmp_path).close()
    _open(f"{place}?shards=2", tmp_path).close()
    with pytest.raises(ConfigError, match=r"shards=3: the collection 'shop-.*' at http.* was made with 2, .* another"):
        _open(f"{place}?shards=3", tmp_path)
    _open(f"{place}?m=4", tmp_path / "else").close()
    with pytest.raises(ConfigError, match="was made with 1, and that cannot be changed"):
        _open(f"{place}?shards=2", tmp_path / "else")


# -- embedded ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", ["int8", "product&compression=x4", "binary&oversampling=8"])
def test_embedded_codes_are_made_and_scores_stay_those_of_the_vectors(codes: str, tmp_path: Path) -> None:
    spec = f"qdrant?quantization={codes}&m=0&indexing_threshold=10"
    _open(spec, tmp_path, n=400).close()  # which makes the codes
    assert list(tmp_path.rglob("quantized*"))
    store = _open("qdrant", tmp_path)
    _, vectors, rows = pictures(400)
    for number in (3, 77, 399):
        best = store.search(SPACE, rows[number : number + 1], 5)[0]
        assert best[0].part_id == vectors[number].part_id
        mine = {one.part_id: float(one.vectors[0] @ rows[number]) for one in vectors}
        assert [hit.score for hit in best] == pytest.approx([mine[hit.part_id] for hit in best], abs=1e-5)
    stats = store.stats()
    assert "codes, scored again from the vectors" in stats.kind
    assert stats.why.startswith(f"asked for: quantization={codes}")
    store.close()
    with pytest.raises(ConfigError, match=r"cannot take its .* codes away again"):
        _open("qdrant?quantization=none", tmp_path)


def test_embedded_codes_of_several_vectors_in_several_spaces(tmp_path: Path) -> None:
    store = _open("qdrant?quantization=int8&m=0&oversampling=8&indexing_threshold=1", tmp_path)
    truth: Truth = {SPACE: {}, OTHER: {}}
    write(store, truth, range(24))
    agrees(store, truth)
    store.close()
    store = _open("qdrant", tmp_path)
    assert list(tmp_path.rglob("quantized*"))
    agrees(store, truth)
    write(store, truth, range(4, 30), seed=1)
    agrees(store, truth)
    store.close()


def test_embedded_codes_are_made_when_there_is_room_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _open("qdrant?quantization=int8&indexing_threshold=10", tmp_path, n=300)
    with monkeypatch.context() as full:
        full.setattr("sightline.stores.qdrant.edge.SPARE_BYTES", 2**62)
        store.close()
    assert not list(tmp_path.rglob("quantized*"))
    store = _open("qdrant", tmp_path)
    assert list(tmp_path.rglob("quantized*"))
    assert store.stats().items == 300
    store.close()


def test_embedded_settings_change_and_the_rest_stays(tmp_path: Path) -> None:
    _open("qdrant?quantization=int8&m=8&indexing_threshold=10", tmp_path, n=200).close()
    store = _open("qdrant?ef=50&on_disk_payload=false", tmp_path)
    assert store.stats().why == ("asked for: quantization=int8&on_disk_payload=false&m=8&ef=50&indexing_threshold=10")
    assert store.stats().vectors == 200
    store.close()
    config = json.loads((tmp_path / "qdrant" / "edge_config.json").read_text())
    assert config["quantization_config"] == {"scalar": {"type": "int8"}}
    assert config["optimizers"]["indexing_threshold"] == 10
    assert config["hnsw_config"]["m"] == 8


def test_embedded_without_settings_is_exact(tmp_path: Path) -> None:
    store = _open("qdrant", tmp_path, n=200)
    assert store.stats().kind == "Qdrant embedded, exact"
    store.close()
    assert not list(tmp_path.rglob("quantized*"))


@pytest.mark.parametrize(("codes", "finds"), [("int8", 0.95), ("binary", 0.0)])
def test_the_certificate_measures_what_codes_find(codes: str, finds: float, tmp_path: Path) -> None:
    """Binary codes of 16 numbers tell few pictures apart: the certificate must say so, int8 must be near exact."""
    _open(f"qdrant?quantization={codes}&m=0&oversampling=1&indexing_threshold=10", tmp_path, n=2000).close()
    store = _open("qdrant", tmp_path)
    (told,) = [one for one in store.verify(SPACE, {"text": unit(60, DIM, seed=5)}) if one.parts == "image"]
    assert codes in told.kind
    recalls = {one.queries: one.recall for one in told.measured}
    if codes == "binary":
        assert recalls["text"] < 0.9
        assert not told.holds
    else:
        assert min(recalls.values()) >= finds
    store.close()
