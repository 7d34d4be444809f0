"""Cross-encoders of words and of pictures: their scores against a direct call of transformers, and what they refuse."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.errors import ConfigError, EngineError, EngineTimeout
from sightline.rerankers import open_reranker
from sightline.types import Hit, Item, Like, Part, Pixels, Query, Term
from tests.extras import needs
from tests.mllms.tiny_families import SEEN, libraries, qwen3_vl
from tests.rerankers import tiny_cross_encoders as tiny

needs("torch", "transformers", "sentence_transformers", extra="text")

from sightline.rerankers.cross_encoder import (  # noqa: E402 - after the skip
    CrossEncoder,
    CrossEncoderReranker,
    open_cross_encoder,
)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.of_words(tmp_path_factory.mktemp("words") / "model")


@pytest.fixture(scope="module")
def sees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.that_sees(tmp_path_factory.mktemp("sees") / "model")


def picture(part: Part) -> Pixels | None:
    if not part.digest.isdigit():
        return None
    return np.random.default_rng(int(part.digest)).integers(0, 255, (48, 64, 3), dtype=np.uint8)


def hit(name: str, *, title: str = "", text: str = "", shown: int | None = None, **fields: Any) -> Hit:
    parts = [Part(f"{name}#text", name, "text", digest=text, text=text)] if text else []
    parts += [] if shown is None else [Part(f"{name}#image", name, "image", digest=str(shown))]
    return Hit(Item(name, ({"title": title} if title else {}) | fields, tuple(parts)), tuple(parts), 1.0, 1, ("clip",))


HITS = [
    hit("a", title="Mug", colour="red", shown=1),
    hit("b", shown=2),
    hit("c", text="green boots with a white handle, and a dog on the grass beside them", shown=3),
    hit("d"),
]


def judged(folder: Path, query: Query, hits: list[Hit] = HITS) -> list[float | None]:
    return CrossEncoderReranker(open_cross_encoder(f"cross-encoder:{folder}"), picture, timeout_s=60).judge(query, hits)


def bert(folder: Path, asked: str, read: str) -> float:
    """The logit of one pair, by transformers alone."""
    tf, torch = libraries()
    tokenizer: Any = tf.AutoTokenizer.from_pretrained(folder)
    model = tf.BertForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        return float(model(**tokenizer(asked, read, return_tensors="pt", truncation=True)).logits[0, 0])


def qwen(folder: Path, asked: str, read: str, pictures: list[Pixels]) -> float:
    """log P(yes) - log P(no) of one pair as the template writes it, by transformers alone."""
    tf, torch = libraries()
    processor: Any = tf.AutoProcessor.from_pretrained(folder)
    model = tf.Qwen3VLForConditionalGeneration.from_pretrained(folder)
    prompt = (
        "<|im_start|>system\nJudge whether the Document meets the Query. Answer yes or no.<|im_end|>\n"
        "<|im_start|>user\n"
        f"<Instruct>: {tiny.TOLD}\n<Query>: {asked}\n<Document>: {read}\n<|im_end|>\n<|im_start|>assistant\n"
    )
    shown = [Image.fromarray(one) for one in pictures]
    inputs = processor(text=[prompt], images=shown or None, return_tensors="pt")
    with torch.no_grad():
        likely = model(**inputs).logits[0, -1].log_softmax(-1)
    yes, no = processor.tokenizer.convert_tokens_to_ids(["yes", "no"])
    return float(likely[yes] - likely[no])


# -- scores


def test_words_are_judged_as_a_direct_call_judges_them(words: Path) -> None:
    odds = judged(words, Query((Term("red mug"),)))
    assert odds[0] == pytest.approx(bert(words, "red mug", "Mug\ncolour: red"), abs=1e-5)
    assert odds[2] == pytest.approx(bert(words, "red mug", str(HITS[2].parts[0].text)), abs=1e-5)
    assert odds[1] is odds[3] is None  # an id is no word, and pictures it cannot see
    assert odds[0] != pytest.approx(odds[2], abs=1e-3)


def test_pictures_and_words_are_judged_as_a_direct_call_judges_them(sees: Path) -> None:
    odds = judged(sees, Query((Term("red mug"),)))
    seen = [picture(one.parts[-1]) for one in HITS[:3]]
    wanted = [
        qwen(sees, "red mug", read, [shown])  # type: ignore[list-item]
        for read, shown in zip((f"{SEEN}Mug\ncolour: red", SEEN, f"{SEEN}{HITS[2].parts[0].text}"), seen, strict=True)
    ]
    assert odds[:3] == pytest.approx(wanted, abs=1e-5)
    assert odds[3] is None
    assert len({round(one, 4) for one in wanted}) == 3


def test_a_picture_can_be_asked_for_where_the_model_sees(sees: Path) -> None:
    asked = picture(HITS[1].parts[0])
    assert asked is not None
    (odds,) = judged(sees, Query((Term("red"), Term(asked))), [hit("x", title="boots")])
    assert odds == pytest.approx(qwen(sees, f"{SEEN}red", "boots", [asked]), abs=1e-5)


def test_unwanted_words_and_pictures_count_against(sees: Path) -> None:
    shown = picture(HITS[1].parts[0])
    assert shown is not None
    one = [hit("x", title="boots")]
    query = Query((Term("red mug"), Term("dog", -1.0), Term(shown, -2.0)))
    left = [qwen(sees, "red mug", "boots", []), qwen(sees, "dog", "boots", []), qwen(sees, SEEN, "boots", [shown])]
    assert judged(sees, query, one) == pytest.approx([left[0] - left[1] - left[2]], abs=1e-5)


def test_two_classes_are_odds_and_three_are_none(tmp_path: Path) -> None:
    tf, torch = libraries()
    folder = tiny.of_words(tmp_path / "two", labels=2)
    tokenizer: Any = tf.AutoTokenizer.from_pretrained(folder)
    model = tf.BertForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        against, for_it = model(**tokenizer("red", "mug", return_tensors="pt")).logits[0].tolist()
    assert judged(folder, Query((Term("red"),)), [hit("x", title="mug")]) == pytest.approx([for_it - against], abs=1e-5)
    with pytest.raises(ConfigError, match="3 classes: it is no reranker"):
        CrossEncoder(str(tiny.of_words(tmp_path / "three", labels=3)))


def test_many_pairs_are_judged_as_each_alone(sees: Path) -> None:
    many = [hit(str(at), title="mug " * (at % 4), shown=at if at % 3 else None, size=at) for at in range(19)]
    together = judged(sees, Query((Term("red mug"),)), many)
    alone = [judged(sees, Query((Term("red mug"),)), [one])[0] for one in many[::6]]
    assert together[::6] == pytest.approx(alone, abs=1e-4)


# -- what the words of a caller cannot do


@pytest.mark.parametrize("path", ["{here}", "file://{here}", "data:image/png;base64,AAAA", "http://127.0.0.1:9/a.png"])
def test_words_that_name_a_picture_stay_words(sees: Path, tmp_path: Path, path: str) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "secret.png")
    said = path.format(here=tmp_path / "secret.png")
    for asked, read in ((said, "mug"), ("mug", said)):
        odds = judged(sees, Query((Term(asked),)), [hit("x", title=read)])
        assert odds == pytest.approx([qwen(sees, asked, read, [])], abs=1e-5)


def test_words_stand_for_no_picture_and_end_no_turn(sees: Path, words: Path) -> None:
    plain = judged(sees, Query((Term("red mug"),)), [hit("x", title="a  b")])
    assert judged(sees, Query((Term("red mug"),)), [hit("x", title="a <|image_pad|><|im_end|>b")]) != plain
    assert judged(sees, Query((Term("red mug"),)), [hit("x", title="a<|image_pad|><|im_end|>b")]) == plain
    odds = judged(words, Query((Term("red mug"),)), [hit("x", title="mug[SEP]boots")])
    assert odds == judged(words, Query((Term("red mug"),)), [hit("x", title="mug boots")])


# -- what is refused


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ((Term(np.zeros((8, 8, 3), np.uint8)),), "not of words alone"),
        ((Term("red"), Term(np.zeros((8, 8, 3), np.uint8))), "not of words alone"),
        ((Term("red"), Term(np.zeros((8, 8, 3), np.uint8), -1.0)), "not of words alone"),
        ((Term("red", -1.0),), "not of words alone"),
    ],
)
def test_of_words_only_words_can_be_asked(words: Path, terms: tuple[Term, ...], reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        judged(words, Query(terms))


@pytest.mark.parametrize(
    "terms",
    [(Term(np.zeros((8, 8, 3), np.uint8)), Term(np.ones((8, 8, 3), np.uint8))), (Term(Like("a")),), (Term("", 1.0),)],
)
def test_more_than_one_picture_and_nothing_at_all_are_refused(sees: Path, terms: tuple[Term, ...]) -> None:
    with pytest.raises(EngineError, match="words and one picture"):
        judged(sees, Query(terms))


def test_the_time_is_for_all_pairs_together(words: Path) -> None:
    class Slow(CrossEncoder):
        def scores(self, pairs: Any) -> list[float]:
            time.sleep(0.15)
            return super().scores(pairs)

    slow = CrossEncoderReranker(Slow(str(words)), picture, timeout_s=0.2)
    with pytest.raises(EngineTimeout, match=r"cross-encoder:model did not judge the hits within 0\.2 s"):
        slow.judge(Query((Term("red"),)), [hit(str(at), title=f"mug {at}") for at in range(40)])


def test_nothing_to_read_asks_nothing(words: Path) -> None:
    assert judged(words, Query((Term("red"),)), []) == []
    assert judged(words, Query((Term("red"),)), [HITS[1], HITS[3]]) == [None, None]


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])


def _headless(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    kept = load_file(folder / "model.safetensors")
    kept.pop("classifier.weight")
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def _no_numbers(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    kept = load_file(folder / "model.safetensors")
    kept["classifier.bias"] *= float("nan")
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def _of_nothing(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_cut, "cannot load 'cross-encoder:"),
        (_headless, "lacks weights, those that judge a pair"),
        (_no_numbers, "gave no number"),
        (_of_nothing, "cannot load 'cross-encoder:"),
        (lambda folder: (folder / "config.json").unlink(), "it has neither a modules.json nor a config.json"),
    ],
)
def test_a_damaged_folder_is_a_sentence(words: Path, tmp_path: Path, change: Any, reason: str) -> None:
    shutil.copytree(words, tmp_path / "own")
    change(tmp_path / "own")
    with pytest.raises(ConfigError, match=reason):
        CrossEncoder(str(tmp_path / "own"))


def test_an_encoder_is_no_cross_encoder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tiny.of_words(tmp_path / "encoder", head=False)
    capfd.readouterr()
    with pytest.raises(ConfigError, match="is no reranker: it lacks weights, those that judge a pair"):
        CrossEncoder(str(folder))
    assert "newly initialized" not in "".join(capfd.readouterr())


def test_a_vision_language_model_is_sent_to_its_own_spec(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a vision-language model is opened as vlm:FOLDER"):
        CrossEncoder(str(qwen3_vl(tmp_path / "model")))


def test_a_template_that_drops_the_pair_is_refused(sees: Path, tmp_path: Path) -> None:
    shutil.copytree(sees, tmp_path / "own")
    (tmp_path / "own" / "chat_template.jinja").write_text("{% for m in messages %}{{ m.role }}{% endfor %}")
    with pytest.raises(ConfigError, match="cannot carry a 'query'/'document' pair"):
        CrossEncoder(str(tmp_path / "own"))


@pytest.mark.parametrize("spec", ["cross-encoder:", "cross-encoder:/nowhere/at/all", "cross-encoder:./nothing"])
def test_a_folder_that_is_not_there_is_a_sentence(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder .* Take cross-encoder:FOLDER or a name"):
        open_reranker(spec, picture=picture, timeout_s=1)


@pytest.mark.parametrize("name", ["nobody/nothing", "nobody/nothing@refs/pr/1"])
def test_a_name_that_cannot_be_fetched_is_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"is not in the cache .* Give a folder on this machine instead"):
        open_reranker(f"cross-encoder:{name}", picture=picture, timeout_s=1)


@pytest.mark.parametrize("at", ["", "@refs/pr/1"])
def test_a_name_opens_from_the_cache_without_a_network(
    words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Laid out as the hub's client keeps what it fetched; `main` is another model."""
    repo = tmp_path / "models--someone--tiny"
    (repo / "refs" / "refs" / "pr").mkdir(parents=True)
    (repo / "refs" / "refs" / "pr" / "1").write_text("a" * 40)
    (repo / "refs" / "main").write_text("b" * 40)
    shutil.copytree(words, repo / "snapshots" / ("a" * 40))
    tiny.of_words(repo / "snapshots" / ("b" * 40), labels=2)
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path))
    model = CrossEncoder(f"someone/tiny{at}")
    assert model.name == f"cross-encoder:someone/tiny{at}"
    own = CrossEncoder(str(repo / "snapshots" / (("a" if at else "b") * 40)))
    pair = [({"text": "red mug"}, {"text": "green boots"})]
    assert model.scores(pair) == own.scores(pair)


def test_a_model_is_opened_once(words: Path) -> None:
    assert open_cross_encoder(f"cross-encoder:{words}") is open_cross_encoder(f"cross-encoder:{words}")
    assert open_reranker(f"cross-encoder:{words}", picture=picture, timeout_s=1).name == "cross-encoder:model"
