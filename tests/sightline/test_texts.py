"""A text encoder beside the encoder of everything: words are compared with texts by it, and it is on record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline import Show, Sightline, admission, image, like, text
from sightline.errors import ConfigError, EngineError, InputError, PassportMismatch, UnsupportedModality
from sightline.types import Content, Progress, Vectors
from tests.sightline.topics import TopicEncoder

ROWS: list[dict[str, Any]] = [
    {"id": "rain", "text": "A quibbet for wet days.", "price": 3},
    {"id": "glass", "text": "A florn of green glass.", "price": 2},
    {"id": "book", "text": "A folio bound in cloth.", "price": 1},
]


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> TopicEncoder:
    """The encoder that the spec "topics" opens."""
    made, opened = TopicEncoder(), admission.opened
    monkeypatch.setattr(admission, "opened", lambda spec, threads: made if spec == "topics" else opened(spec, threads))
    return made


@pytest.fixture(params=["faiss", "qdrant"])
def index(request: pytest.FixtureRequest, tmp_path: Path, topics: TopicEncoder) -> Path:
    """An index of three texts, one of which has a picture, with the text encoder."""
    with Sightline.open(tmp_path / "index", store=request.param, text_encoder="topics") as opened:
        opened.add(*_rows(tmp_path))
    return tmp_path / "index"


def _rows(folder: Path) -> list[dict[str, Any]]:
    Image.new("RGB", (60, 60), (200, 20, 20)).save(folder / "red.png")
    return [ROWS[0], {**ROWS[1], "image": str(folder / "red.png")}, ROWS[2]]


def _dense(opened: Sightline, query: Any, **options: Any) -> list[str]:
    return [hit.id for hit in opened.search(query, channels=["dense"], least=0, as_typed=True, **options)]


# -- what it is for


def test_words_are_compared_with_texts_by_it(index: Path) -> None:
    with Sightline.open(index) as opened:
        assert [_dense(opened, word)[0] for word in ("drizzle", "goblet", "ledger")] == ["rain", "glass", "book"]
        assert _dense(opened, text("drizzle") + 3 * text("ledger"))[0] == "book"
        assert _dense(opened, "drizzle", negative=["quibbet"])[-1] == "rain"
        assert _dense(opened, "brolly", where="price < 3")[0] != "rain"
        assert opened.search("chalice", least=0)[0].id == "glass"


def test_what_shows_something_goes_by_the_encoder_of_everything(index: Path, topics: TopicEncoder) -> None:
    with Sightline.open(index) as opened:
        before = len(topics.embedded)
        red = np.full((40, 40, 3), (200, 20, 20), np.uint8)
        assert opened.search(image=red, least=0)[0].id == "glass"
        assert _dense(opened, "drizzle", image=red), "a picture and words beside texts"
        assert _dense(opened, text("drizzle") + image(red))
        assert len(topics.embedded) == before, "no picture is put to it, nor what it would be weighed with"
        assert _dense(opened, text("drizzle") - image(red))[0] == "rain", "an unwanted picture has no say beside texts"


def test_more_like_this_compares_texts_by_it(index: Path, tmp_path: Path) -> None:
    with Sightline.open(index) as opened:
        opened.add(
            {"id": "more", "text": "The tome of a ledger."},
            {"id": "shown", "image": str(tmp_path / "red.png")},
        )
        assert _dense(opened, like("book"))[0] == "more"
        assert _dense(opened, like("book") + text("drizzle"))[:2] in (["more", "rain"], ["rain", "more"])
        assert _dense(opened, like("shown")), "of an item without texts its picture is compared"
        liked = opened.search("something", liked=["book"], channels=["dense"], least=0)
        assert liked[0].id in ("book", "more")


def test_an_explanation_tells_its_cosines(index: Path, topics: TopicEncoder) -> None:
    with Sightline.open(index) as opened:
        found = opened.explain("drizzle", "rain", least=0, as_typed=True)
        dense = next(one for one in found.channels if one.channel == "dense")
        (query,), (passage,) = topics.encode_queries([("drizzle",)]), topics.encode_documents([(ROWS[0]["text"],)])
        assert dense.cosine == pytest.approx(float(query @ passage), abs=1e-4)
        assert found.score == pytest.approx(
            sum(one.added or 0 for one in found.channels) + sum(found.adjustments.values())
        )
        shown = opened.explain("drizzle", "glass", least=0)
        told = [{one.channel: one.encoder for one in about.channels} for about in (found, shown)]
        assert told == [{"clip": one, "dense": "topics", "words": None} for one in (None, "starter")]
        assert found.trace["circumstances"]["text encoder"] == "topics"
        assert opened.explain.replay(found.trace).same


@pytest.fixture
def seeing(monkeypatch: pytest.MonkeyPatch, topics: TopicEncoder) -> str:
    """The spec of an encoder of pictures alone."""
    starter, opened = admission.opened("starter", None), admission.opened

    class Seeing:
        space = type(starter.space)("seeing", starter.space.dim, "5" * 64, frozenset({"image"}))

        def encode_documents(self, contents: Sequence[Content]) -> Vectors:
            assert not any(isinstance(one, str) for content in contents for one in content), "it takes no words"
            return starter.encode_documents(contents)

        def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
            return self.encode_documents(contents)

    made = Seeing()
    monkeypatch.setattr(admission, "opened", lambda spec, threads: made if spec == "seeing" else opened(spec, threads))
    return "seeing"


def test_an_encoder_of_pictures_alone_gets_words_by_it(tmp_path: Path, topics: TopicEncoder, seeing: str) -> None:
    with Sightline.open(tmp_path / "index", encoder="seeing", text_encoder="topics") as opened:
        opened.add(*_rows(tmp_path))
        assert _dense(opened, "drizzle")[0] == "rain"
        assert opened.search(image=np.full((40, 40, 3), (200, 20, 20), np.uint8), least=0)[0].id == "glass"
        assert opened.search("drizzle", least=0).warnings == ()
        assert _dense(opened, like("glass") + text("drizzle"))[0] == "rain"
        red = np.full((40, 40, 3), (200, 20, 20), np.uint8)
        assert _dense(opened, "drizzle", image=red)[0] == "rain", "what is worded of it goes by the text encoder"
        several = {"id": "more", "text": "A tome has a hard cover. A tome has many pages."}
        opened.add(several)
        assert "cover" in opened.ask("What does a tome have?").text, "which of two sentences is nearer, words can say"


# -- on record


def test_it_is_on_record_and_no_other_is_let_in(index: Path, topics: TopicEncoder, other: str) -> None:
    with Sightline.open(index) as opened:
        assert opened.info()["text_encoder"] == "topics"
        assert opened.info()["vectors"] == 3 + 3 + 1, "of each text two, and a picture"
    asks = (
        (other, f"migrate --text-encoder {other}"),
        ("none", "migrate --text-encoder none"),
        ("starter", "and was built"),
    )
    for asked, told in asks:
        with Sightline.open(index, text_encoder=asked) as opened, pytest.raises(PassportMismatch, match=told):
            opened.search("drizzle")
    with (
        Sightline.open(index, encoder="topics") as opened,
        pytest.raises(
            PassportMismatch, match="was built with 'starter', and has the text encoder 'topics': open it without"
        ),
    ):
        opened.search("drizzle")
    with Sightline.open(index, encoder="topics") as opened:
        opened.migrate(text_encoder="none")  # the encoder of everything is not opened for that
        assert opened.info()["text_encoder"] is None


def test_one_that_answers_otherwise_is_refused(index: Path, topics: TopicEncoder) -> None:
    admission.probed.cache_clear()
    topics.backwards = True
    with Sightline.open(index) as opened, pytest.raises(PassportMismatch, match="no longer gives the same vectors"):
        opened.search("drizzle")
    admission.probed.cache_clear()


def test_an_index_without_one_says_how_to_get_it(tmp_path: Path, topics: TopicEncoder) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(ROWS[0])
    with Sightline.open(tmp_path / "index", text_encoder="topics") as opened:
        with pytest.raises(PassportMismatch, match="sightline migrate --text-encoder topics"):
            opened.add(ROWS[1])
        with pytest.raises(PassportMismatch, match="was built without a text encoder"):
            opened.search("drizzle")


def test_what_embeds_everything_is_no_text_encoder(tmp_path: Path, topics: TopicEncoder) -> None:
    with (
        Sightline.open(tmp_path / "index", text_encoder="starter") as opened,
        pytest.raises(ConfigError, match="embeds everything in"),
    ):
        opened.add(ROWS[0])
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(ROWS[0])
        with pytest.raises(ConfigError, match="embeds everything in"):
            opened.migrate(text_encoder="starter")


def test_what_is_there_is_not_embedded_again(index: Path, topics: TopicEncoder, tmp_path: Path) -> None:
    with Sightline.open(index) as opened:
        topics.embedded.clear()
        report = opened.add(*_rows(tmp_path), {"id": "same", "text": ROWS[0]["text"]})
        assert (report.added, report.unchanged) == (1, 3)
        assert ROWS[0]["text"] not in topics.embedded
        assert _dense(opened, "drizzle")[:2] == ["rain", "same"]
        opened.delete(["rain"])
        assert _dense(opened, "drizzle")[0] == "same"


def test_what_a_match_is_is_learned_by_it_and_anew_without(index: Path) -> None:
    with Sightline.open(index) as opened:
        found = opened.calibrations.current()
        assert found is not None
        opened.migrate(text_encoder="none")
        after = opened.calibrations.current()
        assert after is not None
        assert found.key.split()[0] == f"{after.key.split()[0]}+{TopicEncoder().space.fingerprint}"


def test_its_recall_is_measured_too(index: Path) -> None:
    with Sightline.open(index) as opened:
        told = {(one.space, one.parts): one for one in opened.verify(["drizzle", "goblet", "tome", "quibbet"])}
        assert told.keys() == {("starter", "image"), ("starter", "text"), ("topics", "text")}
        assert [one.queries for one in told["topics", "text"].measured] == ["text"]


# -- another one, or none


def test_texts_go_to_it_and_back_while_searches_go_on(tmp_path: Path, topics: TopicEncoder) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(*_rows(tmp_path))
        vectors, cursor = opened.info()["vectors"], opened.search("a", k=1, least=0).cursor
        report = opened.migrate(text_encoder="topics")
        assert (report.before, report.after, report.texts, report.pictures) == ("none", "topics", 3, 0)
        assert _dense(opened, "drizzle")[0] == "rain"
        with pytest.raises(InputError, match="embedded anew"):
            opened.search("a", k=1, least=0, show=Show(cursor=cursor))
        assert opened.migrate(text_encoder="topics").texts == 0
        report = opened.migrate(text_encoder="none")
        assert (report.before, report.after) == ("topics", "none")
        assert opened.info()["vectors"] == vectors
        assert opened.info()["text_encoder"] is None
        for wrong in ({}, {"encoder": "starter", "text_encoder": "topics"}):
            with pytest.raises(InputError, match="one of the two"):
                opened.migrate(**wrong)


@pytest.mark.parametrize("store", ["faiss", "qdrant"])
def test_stopped_half_way_it_goes_on_or_is_given_up(
    tmp_path: Path, topics: TopicEncoder, store: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sightline.open(tmp_path / "index", store=store, batch_size=1) as opened:
        opened.add(*_rows(tmp_path))
        encode, asked = TopicEncoder.encode_documents, []

        def failing(self: TopicEncoder, contents: Any) -> Any:
            asked.append(contents)
            if any("quibbet" in content[0] for content in contents):
                raise EngineError("out of memory")
            return encode(self, contents)

        with monkeypatch.context() as patched:
            patched.setattr(TopicEncoder, "encode_documents", failing)
            with pytest.raises(EngineError):
                opened.migrate(text_encoder="topics")
        told = opened.info()["migration"]
        assert (told["to"], told["option"], told["parts"]) == ("topics", "--text-encoder", 3)
        assert 0 < told["done"] < 3
        assert opened.info()["text_encoder"] is None
        assert opened.search("folio", least=0)[0].id == "book", "as before"
        with pytest.raises(InputError, match="--text-encoder topics` goes on"):
            opened.migrate(text_encoder="none")
        with pytest.raises(InputError, match="--text-encoder topics` goes on"):
            opened.migrate(other)
        given_up = opened.cancel_migration()
        assert given_up is not None
        assert given_up.done == told["done"]
        assert opened.info()["migration"] is None
        assert opened.migrate(text_encoder="topics").texts == 3


def test_the_encoder_of_everything_changes_beneath_it(index: Path, other: str) -> None:
    with Sightline.open(index) as opened:
        opened.migrate(other)
        assert (opened.info()["encoder"], opened.info()["text_encoder"]) == (other, "topics")
        assert opened.info()["migration"] is None
        assert _dense(opened, "drizzle")[0] == "rain"
        with pytest.raises(UnsupportedModality, match="embeds no pictures: 1 of them would lose"):
            opened.migrate("topics")


def test_two_that_go_to_one_encoder_in_both_roles_are_told_apart(
    tmp_path: Path, topics: TopicEncoder, other: str
) -> None:
    with Sightline.open(tmp_path / "index", batch_size=1) as opened, Sightline.open(tmp_path / "index") as beside:
        opened.add(*_rows(tmp_path))
        told: list[str] = []

        def meanwhile(_: object) -> None:
            with pytest.raises(InputError, match="has not ended"):
                beside.migrate(other)
            told.append("refused")

        opened.migrate(text_encoder=other, progress=meanwhile)
        assert told
        with pytest.raises(ConfigError, match="first `sightline migrate --text-encoder none`"):
            beside.migrate(other)


def test_what_a_kill_left_of_it_is_not_believed(tmp_path: Path, topics: TopicEncoder) -> None:
    with Sightline.open(tmp_path / "index", text_encoder="topics") as opened:
        opened.add(*_rows(tmp_path))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(opened._store, "forget_space", lambda _: None)  # killed before it could tidy up
            opened.migrate(text_encoder="none")
        topics.backwards = True
        assert opened.migrate(text_encoder="topics").texts == 3, "embedded again: it may answer otherwise by now"
        assert _dense(opened, "drizzle")[0] == "rain"


def test_texts_that_nothing_else_embeds_are_not_lost(tmp_path: Path, topics: TopicEncoder, seeing: str) -> None:
    with Sightline.open(tmp_path / "index", encoder=seeing, text_encoder="topics") as opened:
        opened.add(*_rows(tmp_path))
        with pytest.raises(UnsupportedModality, match="embeds no texts: 3 of them"):
            opened.migrate(text_encoder="none")
    with Sightline.open(tmp_path / "other", text_encoder="topics") as opened:
        opened.add(*_rows(tmp_path))
        opened.migrate(seeing)
        assert _dense(opened, "drizzle")[0] == "rain", "the text encoder has them"


def test_it_is_opened_where_it_is_needed_and_not_before(
    index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened_by = admission.opened

    def missing(spec: str, threads: int | None) -> Any:
        if spec == "topics":
            raise ConfigError("it is not here")
        return opened_by(spec, threads)

    monkeypatch.setattr(admission, "opened", missing)
    red = np.full((40, 40, 3), (200, 20, 20), np.uint8)
    with Sightline.open(index) as opened:
        assert opened.search(image=red, least=0)[0].id == "glass"
        assert opened.search("quibbet", target="image", least=0)
        assert opened.search("quibbet", channels=["words"], least=0)[0].id == "rain"
        assert opened.add({"id": "shown", "image": str(tmp_path / "red.png")}).added == 1
        with pytest.raises(ConfigError, match="it is not here"):
            opened.search("drizzle")


def test_pictures_do_not_drown_among_texts(tmp_path: Path, topics: TopicEncoder) -> None:
    """Texts count three times as much; an item that has none is not behind for that."""
    with Sightline.open(tmp_path / "index", text_encoder="topics") as opened:
        for number in range(30):
            Image.new("RGB", (60, 60), (8 * number, 90, 20)).save(tmp_path / f"{number}.png")
        pictures = [{"id": f"picture-{number}", "image": str(tmp_path / f"{number}.png")} for number in range(30)]
        opened.add(*pictures, *({"id": f"text-{number}", "text": "tome" + " leaf" * number} for number in range(30)))
        found = opened.search("green", least=0, as_typed=True)
        assert sum(hit.id.startswith("picture") for hit in found) >= 4


def test_half_embedded_by_one_that_answers_otherwise_by_now_it_begins_anew(
    tmp_path: Path, topics: TopicEncoder
) -> None:
    with Sightline.open(tmp_path / "index", batch_size=1) as opened:
        opened.add(*_rows(tmp_path))

        def stopping(progress: Progress) -> None:
            if progress.done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            opened.migrate(text_encoder="topics", progress=stopping)
        assert opened.info()["migration"]["done"] == 2
        topics.backwards = True
        admission.probed.cache_clear()
        assert opened.migrate(text_encoder="topics").texts == 3
        assert _dense(opened, "drizzle")[0] == "rain"
    admission.probed.cache_clear()
