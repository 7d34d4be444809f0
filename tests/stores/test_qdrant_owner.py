"""One collection on a Qdrant server and several folders, copies of each other: one has it, the others are told."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sightline import Sightline
from sightline.errors import ConfigError, EngineTimeout, NotFound
from sightline.stores import open_store
from sightline.stores.owned import OwnedElsewhere
from sightline.stores.qdrant import QdrantStore, owner
from sightline.stores.qdrant.client import ClientEngine
from sightline.stores.qdrant.points import Json, point_id
from sightline.stores.qdrant.server_name import FILE, Note, read_note, write_note
from tests.contracts.catalogs import SPACE, found, item, pictures, unit
from tests.stores.qdrant_rest import Server, serving

pytestmark = pytest.mark.network
ITEMS = 5
OWNER = point_id("owner", "collection")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def _open(server: Server, folder: Path, settings: str = "") -> QdrantStore:
    store = open_store(f"qdrant:{server.address}{settings}", folder, collection="shop")
    assert isinstance(store, QdrantStore)
    return store


def _made(server: Server, folder: Path) -> Path:
    store = _open(server, folder)
    items, vectors, _ = pictures(ITEMS)
    store.upsert(items, vectors)
    store.close()
    return folder


def _opens(server: Server, folder: Path, settings: str = "") -> bool:
    try:
        store = _open(server, folder, settings)
    except OwnedElsewhere:
        return False
    assert store.stats().items == ITEMS
    store.close()
    return True


def _note(folder: Path) -> Note:
    note = read_note(folder)
    assert note is not None
    return note


def _points(server: Server, name: str, filter: Json) -> list[Json]:
    """Payloads of what is in a collection, by the server's own door."""
    body = {"filter": filter, "limit": 10_000, "with_payload": True}
    points = server.answer("POST", f"/collections/{name}/points/scroll", body)[1]["result"]["points"]
    return [one["payload"] for one in points]


def _told(server: Server, folder: Path) -> Json:
    """Whose the collection of a folder is, as the server keeps it."""
    (payload,) = _points(server, _note(folder).collection, {"must": [{"has_id": [OWNER]}]})
    return payload


@pytest.fixture
def two(server: Server, tmp_path: Path) -> tuple[Path, Path]:
    """A folder and its copy, neither of which is where the first was opened last."""
    _made(server, tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    return (tmp_path / "here").rename(tmp_path / "moved"), tmp_path / "copy"


@pytest.mark.parametrize("first", [0, 1])
def test_of_a_folder_and_its_copy_the_first_to_be_opened_has_the_collection(
    first: int, server: Server, two: tuple[Path, Path]
) -> None:
    mine, other = two[first], two[1 - first]
    assert _opens(server, mine)
    before = (other / FILE).read_bytes()
    for _ in range(2):
        with pytest.raises(OwnedElsewhere, match=f"belongs to {mine} on .* and no longer to {other}:") as caught:
            _open(server, other)
        told = str(caught.value)
        assert "Nothing was changed. Use that one, and for a second catalog index into a folder of its own." in told
        assert (other / FILE).read_bytes() == before
        assert _opens(server, mine)


def test_a_folder_takes_over_by_naming_whom_from_and_only_once(server: Server, two: tuple[Path, Path]) -> None:
    mine, other = two
    assert _opens(server, mine)
    with pytest.raises(OwnedElsewhere, match="and index again: the other is refused from then on") as caught:
        _open(server, other)
    (settings,) = re.findall(r"\?take_over=\w+", str(caught.value))
    assert not _opens(server, other, "?take_over=another")
    assert _opens(server, other, f"{settings}&m=8")
    assert not _opens(server, mine)
    assert not _opens(server, mine, settings)  # of the owner before: it says nothing of the one now
    assert _opens(server, other, settings)  # left in some file of settings, it does nothing more
    assert not _opens(server, mine)
    with pytest.raises(OwnedElsewhere) as caught:
        _open(server, mine)
    assert _opens(server, mine, re.findall(r"\?take_over=\w+", str(caught.value))[0])
    assert not _opens(server, other)


def test_a_folder_moves_and_its_machine_starts_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _made(server, tmp_path / "0")
    for number in range(1, 4):
        folder = folder.rename(tmp_path / f"{number}")
        assert _opens(server, folder)
        monkeypatch.setattr(owner, "_machine", lambda number=number: f"started {number}")
        assert _opens(server, folder)
        assert _opens(server, folder)
    shutil.copytree(folder, tmp_path / "other disk")
    shutil.rmtree(folder)
    assert _opens(server, tmp_path / "other disk")
    assert len(set(_note(tmp_path / "other disk").words)) == 8


def test_a_copy_that_was_refused_is_in_nobodys_way(server: Server, two: tuple[Path, Path]) -> None:
    """It lies where the folder was opened last, and that is no longer there."""
    mine, other = two
    assert _opens(server, mine)
    last = mine.rename(mine.with_name("further"))
    other.rename(mine)
    assert _opens(server, last)
    assert not _opens(server, mine)


def test_one_folder_is_used_from_two_machines_at_once(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a service in a container and a command beside it."""
    _made(server, tmp_path)
    monkeypatch.setattr(owner, "RECHECK_S", 0.0)
    stores = []
    for machine in ("host", "container", "host"):
        monkeypatch.setattr(owner, "_machine", lambda machine=machine: machine)
        stores.append(_open(server, tmp_path))
    items, vectors, rows = pictures(ITEMS)
    for store, vector, one in zip(stores, vectors, items, strict=False):
        store.upsert([one], [vector])
        assert found(store, rows[2], 1) == [items[2].id]
    for store in stores:
        store.close()


def test_a_copy_of_what_was_opened_since_is_refused_even_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _made(server, tmp_path / "here")
    shutil.copytree(folder, tmp_path / "copy")
    assert _opens(server, folder)
    folder.rename(tmp_path / "unseen")
    monkeypatch.setattr(owner, "_machine", lambda: "another")
    with pytest.raises(OwnedElsewhere, match=rf"copy is a copy of {folder} on .*, which was opened since it was made"):
        _open(server, tmp_path / "copy")
    assert _opens(server, tmp_path / "unseen")


def test_who_has_it_open_is_refused_once_another_has_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _open(server, _made(server, tmp_path / "here"))
    items, vectors, rows = pictures(ITEMS)
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    (tmp_path / "here").rename(tmp_path / "moved")  # as if on another machine, from where it cannot be seen
    monkeypatch.setattr(owner, "_machine", lambda: "another")
    assert _opens(server, tmp_path / "copy")
    (tmp_path / "moved").rename(tmp_path / "here")
    assert found(store, rows[2], 1) == [items[2].id]  # looked at a moment ago
    before = _points(server, _note(tmp_path / "here").collection, {})
    for write in (
        lambda: store.upsert(items, vectors),
        lambda: store.upsert([item("new", ("image-0", "image", None), colour="blue")], []),
        lambda: store.delete([items[0].id]),
        lambda: store.add_vectors(vectors),
        lambda: store.forget_space(SPACE.fingerprint),
        lambda: store.verify(SPACE),
        store.compact,
    ):
        with pytest.raises(OwnedElsewhere, match=f"belongs to {tmp_path / 'copy'} on"):
            write()
    monkeypatch.setattr(owner, "RECHECK_S", 0.0)
    for read in (
        lambda: store.search(SPACE, rows[:1], 1),
        lambda: store.search_text("x", 1),
        lambda: store.get([items[0].id]),
        store.fields,
        store.stats,
        store.spaces,
    ):
        with pytest.raises(OwnedElsewhere):
            read()
    store.drop()  # its folder is about to go; the collection is not its own
    assert _points(server, _note(tmp_path / "here").collection, {}) == before
    assert _opens(server, tmp_path / "copy")


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("at", ["before the note", "before the server", "after the server"])
@pytest.mark.parametrize(("killed", "first"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_kill_while_it_changes_hands_never_refuses_both(
    at: str, killed: int, first: int, two: tuple[Path, Path], request: pytest.FixtureRequest
) -> None:
    server, monkeypatch = request.getfixturevalue("server"), request.getfixturevalue("monkeypatch")
    order = (first, 1 - first)
    give = ClientEngine.give

    def dying(engine: ClientEngine, to: owner.Owner, *, over: str) -> None:
        if at == "after the server":
            give(engine, to, over=over)
        raise _Killed

    def unwritten(folder: Path, note: Note) -> None:
        raise _Killed

    if at == "before the note":
        monkeypatch.setattr(owner, "write_note", unwritten)
    else:
        monkeypatch.setattr(ClientEngine, "give", dying)
    with pytest.raises(_Killed):
        _open(server, two[killed])
    monkeypatch.undo()
    opened = [_opens(server, two[number]) for number in order]
    assert sorted(opened) == [False, True]
    if at == "after the server":
        assert opened[order.index(killed)]
    assert [_opens(server, two[number]) for number in order] == opened


@pytest.mark.parametrize("known", [True, False], ids=["a word is there", "nobody has said anything"])
def test_two_that_open_at_once_are_never_both_refused_and_never_both_let_in(
    known: bool, server: Server, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    give = ClientEngine.give
    if not known:
        _forget(server, *two)

    def second(engine: ClientEngine, to: owner.Owner, *, over: str) -> None:
        monkeypatch.undo()
        assert _opens(server, two[1])  # which was quicker, by all that is between looking and telling
        give(engine, to, over=over)

    monkeypatch.setattr(ClientEngine, "give", second)
    with pytest.raises(OwnedElsewhere, match=f"belongs to {two[1]} on "):
        _open(server, two[0])
    assert _opens(server, two[1])


def _forget(server: Server, *folders: Path) -> None:
    """Make folders and their collection what they were in earlier versions."""
    for folder in folders:
        old = {key: value for key, value in asdict(_note(folder)).items() if key in ("collection", "folder")}
        (folder / FILE).write_text(json.dumps(old), encoding="utf-8")
    name = _note(folders[0]).collection
    server.answer("POST", f"/collections/{name}/points/delete", {"filter": {"must": [{"has_id": [OWNER]}]}})


@pytest.mark.parametrize("moved", [False, True])
def test_a_folder_of_an_earlier_version_goes_on_and_its_copy_is_told(
    moved: bool, server: Server, tmp_path: Path
) -> None:
    folder = _made(server, tmp_path / "here")
    _forget(server, folder)
    shutil.copytree(folder, tmp_path / "copy")
    if moved:
        folder = folder.rename(tmp_path / "moved")
    else:
        with pytest.raises(OwnedElsewhere, match=r"is a copy of .*here, and both would write") as caught:
            _open(server, tmp_path / "copy")
        assert "take_over" not in str(caught.value)  # of whom?
    assert _opens(server, folder)
    assert _opens(server, folder)
    assert _told(server, folder)["word"] == _note(folder).words[-1]
    with pytest.raises(OwnedElsewhere, match=f"belongs to {folder} on "):
        _open(server, tmp_path / "copy")


def test_a_collection_put_back_by_the_server_to_an_earlier_state_still_belongs_to_its_folder(
    server: Server, tmp_path: Path
) -> None:
    folder = _made(server, tmp_path / "here")
    early = _told(server, folder)
    for name in ("there", "anywhere"):
        folder = folder.rename(tmp_path / name)
        assert _opens(server, folder)
    assert _told(server, folder)["word"] != early["word"]
    put = {"points": [{"id": OWNER, "vector": {}, "payload": early}]}
    server.answer("PUT", f"/collections/{_note(folder).collection}/points", put)
    store = _open(server, folder)
    store.delete(["none"])
    store.close()
    assert _told(server, folder)["word"] == _note(folder).words[-1] != early["word"]
    server.answer(
        "POST", f"/collections/{_note(folder).collection}/points/delete", {"filter": {"must": [{"has_id": [OWNER]}]}}
    )
    assert _opens(server, folder)
    server.answer("DELETE", f"/collections/{_note(folder).collection}", {})
    _open(server, folder).close()
    assert _told(server, folder)["folder"] == str(folder)


def test_a_word_is_no_item_and_in_no_answer(server: Server, tmp_path: Path) -> None:
    _made(server, tmp_path / "on a server")
    there, here = (
        _open(server, tmp_path / "on a server"),
        open_store("qdrant", tmp_path / "embedded", collection="shop"),
    )
    items, vectors, _ = pictures(ITEMS)
    here.upsert(items, vectors)
    for one in (there, here):
        assert len(one.search(SPACE, unit(1), 99)[0]) == ITEMS
        assert one.search_text(f"{_told(server, tmp_path / 'on a server')['word']} owner shop", 9) == []
        assert one.fields() == []
        assert one.unembedded(SPACE) == []
        with one.moment() as moment:
            assert sorted(stored.item.id for stored in moment.items()) == [each.id for each in items]
        stats = one.stats()
        assert (stats.items, stats.parts, stats.vectors, stats.removed) == (ITEMS, ITEMS, ITEMS, 0)
        assert [told.vectors for told in one.verify(SPACE)] == [ITEMS]
        one.close()


def test_a_server_that_fails_is_no_other_owner(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _open(server, _made(server, tmp_path / "here"))

    def silent(engine: ClientEngine) -> None:
        raise EngineTimeout("no answer")

    monkeypatch.setattr(ClientEngine, "owner", silent)
    with pytest.raises(EngineTimeout):
        store.drop()
    monkeypatch.undo()
    assert _opens(server, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert _opens(server, tmp_path / "there")  # with a word of its own
    with pytest.raises(NotFound, match="here is gone"):
        store.delete(["item-000"])
    with pytest.raises(NotFound, match="here is gone"):
        store.drop()
    store.close()
    assert _opens(server, tmp_path / "there")


def test_a_note_that_cannot_be_written_says_so(server: Server, tmp_path: Path) -> None:
    folder = _made(server, tmp_path / "here")
    (folder / f"{FILE}.new").mkdir()
    with pytest.raises(ConfigError, match=f"cannot write in {folder}: Is a directory"):
        _open(server, folder)
    (folder / f"{FILE}.new").rmdir()
    write_note(folder, replace(_note(folder), opened=9))
    assert _opens(server, folder)
    assert (_note(folder).opened, _told(server, folder)["opened"]) == (10, 10)


def test_two_indexes_of_one_collection_by_the_door_of_the_engine(server: Server, tmp_path: Path) -> None:
    """Copied and renamed before either is opened again; then each is deleted."""
    rows = [{"id": "a", "title": "a red mug"}, {"id": "b", "title": "a blue kettle"}]
    with Sightline.open(tmp_path / "prod", store=f"qdrant:{server.address}") as index:
        index.add(*rows)
    shutil.copytree(tmp_path / "prod", tmp_path / "staging")
    (tmp_path / "prod").rename(tmp_path / "prod2")
    with Sightline.open(tmp_path / "prod2") as prod:
        with pytest.raises(OwnedElsewhere):
            Sightline.open(tmp_path / "staging")
        with pytest.raises(OwnedElsewhere):
            Sightline.drop(tmp_path / "staging", "default")
        copied = tmp_path / "staging" / "collections" / "default"
        copied.rename(copied.with_name(".deleted-default-1"))  # killed while it was deleted, before this was refused
        with Sightline.open(tmp_path / "staging", store=f"qdrant:{server.address}") as fresh:
            assert (fresh.info()["items"], len(server.names)) == (0, 2)
            assert not copied.with_name(".deleted-default-1").exists()
            fresh.erase()
        assert prod.search("kettle", channels=["words"]).hits[0].id == "b"
        assert prod.info()["items"] == 2
        assert prod.add(*rows).unchanged == 2
    Sightline.drop(tmp_path / "prod2", "default")
    assert server.names == []
