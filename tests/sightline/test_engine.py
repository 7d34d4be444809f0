"""`Sightline` end to end in process: the starter, FAISS, real pictures drawn here."""

from __future__ import annotations

import json
import multiprocessing
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sightline import Query, Sightline, Term
from sightline.errors import ConfigError, InputError, NotFound, PassportMismatch, UnreadableSource

COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "green": (30, 150, 60)}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A catalog of three balls, with pictures, prices and texts."""
    rows = []
    for number, (name, rgb) in enumerate(COLOURS.items()):
        picture = Image.new("RGB", (160, 120), (235, 235, 235))
        ImageDraw.Draw(picture).ellipse((40, 20, 120, 100), fill=rgb)
        picture.save(tmp_path / f"{name}.png")
        rows.append(
            {
                "id": f"ball-{name}",
                "title": f"{name.capitalize()} ball",
                "text": f"A bouncy {name} rubber ball for the garden.",
                "image": f"{name}.png",
                "colour": name,
                "price": 5.0 + number,
            }
        )
    path = tmp_path / "catalog.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture
def opened(shop: Path, tmp_path: Path) -> Sightline:
    index = Sightline.open(tmp_path / "index")
    assert index.add(shop).added == 3
    return index


def test_words_find_the_item_and_a_picture_finds_itself(opened: Sightline, shop: Path) -> None:
    assert opened.search("blue ball")[0].id == "ball-blue"
    assert opened.search(shop.parent / "green.png")[0].id == "ball-green"
    assert opened.search(image=(shop.parent / "red.png").read_bytes())[0].id == "ball-red"
    assert opened.search(np.asarray(Image.open(shop.parent / "red.png").convert("RGB")))[0].id == "ball-red"
    assert opened.search(Query((Term("blue ball"),)))[0].id == "ball-blue"


def test_filters_apply_before_k(opened: Sightline) -> None:
    assert [hit.id for hit in opened.search("ball", k=1, where="price > 6 and not colour = blue")] == ["ball-green"]
    by_json = opened.search("ball", where={"must": [{"key": "colour", "match": {"any": ["red", "blue"]}}]})
    assert {hit.id for hit in by_json} == {"ball-red", "ball-blue"}


def test_the_filter_of_a_query_object_is_checked_too(opened: Sightline) -> None:
    from sightline.filters import parse

    with pytest.raises(InputError, match="price"):
        opened.search(Query((Term("ball"),), where=parse("prise < 3")))


def test_an_unknown_field_names_the_nearest(opened: Sightline) -> None:
    with pytest.raises(InputError, match="price"):
        opened.search("ball", where="prise < 3")


@pytest.mark.parametrize("query", ["", "   ", None])
def test_an_empty_query_is_refused(opened: Sightline, query: str | None) -> None:
    with pytest.raises(InputError, match="empty"):
        opened.search(query)


def test_an_unreadable_query_picture_is_refused(opened: Sightline, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    with pytest.raises(UnreadableSource, match=r"broken\.jpg"):
        opened.search(tmp_path / "broken.jpg")
    with pytest.raises(InputError, match="nowhere"):
        opened.search(tmp_path / "nowhere.jpg")


def test_ask_answers_with_a_citation_that_opens(opened: Sightline) -> None:
    answer = opened.ask("How much does the blue ball cost?")
    assert not answer.abstained
    assert "6" in answer.text
    assert "[1]" in answer.text
    assert opened.get(answer.citations[0].item_id).id == "ball-blue"
    assert opened.ask("How much does the submarine cost?").abstained
    pieces = list(opened.stream("How much does the blue ball cost?"))
    assert pieces[-1].text == answer.text  # type: ignore[union-attr]


def test_the_picture_of_a_part_is_a_jpeg(opened: Sightline) -> None:
    assert opened.picture("ball-red#image-0")[:3] == b"\xff\xd8\xff"
    for wrong in ("ball-red#image-9", "nobody#image-0", "nonsense"):
        with pytest.raises(NotFound):
            opened.picture(wrong)


def test_a_second_add_embeds_nothing_and_delete_removes(opened: Sightline, shop: Path) -> None:
    again = opened.add(shop)
    assert (again.added, again.updated, again.unchanged, again.images) == (0, 0, 3, 0)
    assert opened.delete(["ball-red", "nobody"]) == 1
    assert "ball-red" not in {hit.id for hit in opened.search("red ball")}
    with pytest.raises(NotFound):
        opened.get("ball-red")


def test_it_reopens_with_what_it_had(opened: Sightline, tmp_path: Path) -> None:
    opened.close()
    with Sightline.open(tmp_path / "index", create=False) as again:
        assert again.info()["items"] == 3
        assert again.search("green ball")[0].id == "ball-green"


def test_a_missing_index_or_collection_says_what_to_do(opened: Sightline, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="sightline index"):
        Sightline.open(tmp_path / "elsewhere", create=False)
    with pytest.raises(NotFound, match="default"):
        Sightline.open(tmp_path / "index", collection="other", create=False)
    assert not (tmp_path / "elsewhere").exists()


def test_collections_are_apart(opened: Sightline, tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index", collection="other") as other:
        other.add({"id": "x", "title": "A yellow kite"})
        assert {hit.id for hit in other.search("ball kite")} == {"x"}
    assert Sightline.collections(tmp_path / "index") == ["default", "other"]
    Sightline.drop(tmp_path / "index", "other")
    assert Sightline.collections(tmp_path / "index") == ["default"]


def test_another_encoder_is_refused_by_name(opened: Sightline, tmp_path: Path) -> None:
    import shutil

    from sightline.encoders import open_encoder

    starter = Path(open_encoder.__code__.co_filename).parent / "starter"
    shutil.copytree(starter, tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    config["image"]["mean"] = [0.1, 0.2, 0.3]
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    spec = f"onnx:{tmp_path / 'other'}"
    with Sightline.open(tmp_path / "index", encoder=spec) as other, pytest.raises(PassportMismatch, match="starter"):
        other.search("ball")


def test_another_store_is_refused_by_name(opened: Sightline, tmp_path: Path) -> None:
    with pytest.raises(PassportMismatch, match="faiss"):
        Sightline.open(tmp_path / "index", store="qdrant")


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SIGHTLINE_COLLECTION"):
        Sightline.open(tmp_path, collection="../up")
    with pytest.raises(ConfigError, match="SIGHTLINE_BATCH_SIZE"):
        Sightline.open(tmp_path, batch_size=0)


def _hold(folder: str, ready: multiprocessing.synchronize.Event, done: multiprocessing.synchronize.Event) -> None:
    with Sightline.open(folder) as index, index._write():
        ready.set()
        done.wait(30)


def test_a_second_writer_is_told_and_nothing_is_lost(opened: Sightline, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path / "index"), ready, done))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(ConfigError, match=f"pid {other.pid}"):
            opened.add({"id": "late", "title": "Late"})
        assert opened.search("red ball")[0].id == "ball-red"  # reading goes on
    finally:
        done.set()
        other.join(30)
    assert opened.add({"id": "late", "title": "Late"}).added == 1


def test_threads_may_share_it(opened: Sightline) -> None:
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            opened.add({"id": f"t-{number}", "title": f"Thing {number}"})
            assert opened.search("ball", k=2)
        except BaseException as exc:  # noqa: BLE001 - collected and raised below
            problems.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert opened.info()["items"] == 9


def test_info_says_what_built_it(opened: Sightline) -> None:
    info = opened.info()
    assert (info["items"], info["encoder"], info["store"], info["collections"]) == (3, "starter", "faiss", ["default"])
    assert {"name": "price", "count": 3, "numeric": True} in info["fields"]
    assert info["bytes_disk"] > 0
    assert info["licence"]
