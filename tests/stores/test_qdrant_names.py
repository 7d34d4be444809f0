"""Collections of several index folders on one Qdrant server: none is another's, whatever they are called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline import Sightline
from sightline.errors import ConfigError
from sightline.protocols import Store
from sightline.stores import open_store
from sightline.stores.qdrant.server_name import FILE, LOCK, server_name
from tests.contracts.catalogs import SPACE, found, pictures, unit
from tests.stores.qdrant_rest import Server, serving

pytestmark = pytest.mark.network
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def _filled(server: Server, folder: Path, seed: int) -> Store:
    store = open_store(f"qdrant:{server.address}", folder, collection="default")
    items, vectors, _ = pictures(5, seed=seed, fields=[{"made in": f"place {seed}", "n": n} for n in range(5)])
    store.upsert(items, vectors)
    return store


def test_two_folders_with_a_collection_of_one_name_share_nothing(server: Server, tmp_path: Path) -> None:
    one, two = _filled(server, tmp_path / "one", 1), _filled(server, tmp_path / "two", 2)
    assert len(server.names) == 2
    assert all(re.fullmatch(r"default-[0-9a-f]{12}", name) for name in server.names)
    assert one.get(["item-001"])[0].fields == {"made in": "place 1", "n": 1}
    two.delete(["item-001"])
    assert (one.stats().items, two.stats().items) == (5, 4)
    assert found(one, unit(5, seed=1)[1], 1) == ["item-001"]
    two.drop()
    assert len(server.names) == 1
    assert one.search(SPACE, unit(1), 9)[0]
    one.drop()
    assert server.names == []


def test_a_collection_of_that_name_by_another_program_is_left_alone(server: Server, tmp_path: Path) -> None:
    server.answer("PUT", "/collections/default", {"vectors": {"size": 3, "distance": "Dot"}})
    store = _filled(server, tmp_path, 1)
    assert server.names[0] == "default"
    store.drop()
    assert server.names == ["default"]


def test_a_folder_keeps_its_collection_when_it_moves(server: Server, tmp_path: Path) -> None:
    _filled(server, tmp_path / "here", 1).close()
    (tmp_path / "here").rename(tmp_path / "there")
    for _ in range(2):
        store = open_store(f"qdrant:{server.address}", tmp_path / "there", collection="default")
        assert store.stats().items == 5
        store.close()
    assert len(server.names) == 1


def test_a_copy_of_a_folder_is_refused_while_the_other_is_there(server: Server, tmp_path: Path) -> None:
    _filled(server, tmp_path / "here", 1).close()
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    with pytest.raises(
        ConfigError, match=r"copy is a copy of .*here, and both would write to the collection 'default-"
    ):
        open_store(f"qdrant:{server.address}", tmp_path / "copy", collection="default")
    (tmp_path / "link").symlink_to(tmp_path / "here")
    assert server_name(tmp_path / "link", "default") == server_name(tmp_path / "here", "default")
    shutil.rmtree(tmp_path / "here")
    store = open_store(f"qdrant:{server.address}", tmp_path / "copy", collection="default")
    assert store.stats().items == 5
    store.close()


def test_a_damaged_note_of_the_name_is_said_to_be(tmp_path: Path) -> None:
    assert server_name(tmp_path, "shop").startswith("shop-")
    assert {path.name for path in tmp_path.iterdir()} == {FILE, LOCK}
    for torn in ("", "[]", '{"collection": "shop"}', "\x00"):
        (tmp_path / FILE).write_text(torn)
        with pytest.raises(ConfigError, match="damaged; it named the collection on the Qdrant server"):
            server_name(tmp_path, "shop")


def test_an_index_finds_its_collection_and_its_settings_again(server: Server, tmp_path: Path) -> None:
    """By `Sightline`: what follows the `?` is no other store, and is said by `info`; a dropped one is gone there."""
    spec = f"qdrant:{server.address}"
    rows = [{"id": "a", "title": "a red mug"}, {"id": "b", "title": "a blue kettle"}]
    for folder in ("one", "two"):
        with Sightline.open(tmp_path / folder, store=f"{spec}?replicas=1&quantization=int8") as index:
            index.add(*rows)
    with Sightline.open(tmp_path / "one") as index:
        told = index.info()
        assert told["store"] == spec
        assert told["why"] == "asked for: replicas=1&quantization=int8"
        assert index.search("kettle", channels=["words"]).hits[0].id == "b"
    with Sightline.open(tmp_path / "one", store=f"{spec}/?m=8") as index:
        assert index.info()["why"] == "asked for: replicas=1&quantization=int8&m=8"
    Sightline.drop(tmp_path / "one", "default")
    assert len(server.names) == 1
    with Sightline.open(tmp_path / "two") as index:
        assert index.info()["items"] == 2


def test_the_suite_of_stores_runs_on_the_server_it_is_told_and_leaves_nothing_there(server: Server) -> None:
    """`QDRANT_URL` is how anybody runs the whole of tests/contracts on a real one."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "server", "-rA"]
    command += [
        "tests/contracts/test_store_spaces.py",
        "tests/contracts/test_store_contract.py::test_a_closed_store_says_so",
    ]
    told_to = {"QDRANT_URL": server.address, "QDRANT_API_KEY": "a key, for a server that wants one"}
    said = subprocess.run(command, check=False, cwd=ROOT, env=os.environ | told_to, capture_output=True)
    told = said.stdout.decode()
    assert said.returncode == 0, told[-2000:]
    assert len(re.findall(r"^PASSED .*\[server", told, re.MULTILINE)) == 7
    names = {at.split("/")[2] for _, at, _ in server.asked}
    assert all(re.fullmatch(r"test-[0-9a-f]{8}-default-[0-9a-f]{12}", name) for name in names), names
    assert server.names == []
