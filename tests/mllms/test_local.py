"""A vision-language model of a folder: its probabilities against a direct call of transformers, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from sightline.errors import ConfigError, EngineError
from sightline.mllms import open_vision
from sightline.mllms.asking import CAPTION, match_question
from sightline.mllms.local import LocalVision
from sightline.types import Pixels
from tests.extras import needs
from tests.mllms import tiny_vlm

needs("torch", "transformers", extra="vlm")


def pictures(count: int) -> list[Pixels]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 255, (40 + 8 * at, 60, 3), dtype=np.uint8) for at in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vlm.build(tmp_path_factory.mktemp("vlm"))


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalVision:
    return LocalVision(folder, device="cpu")


def directly(folder: Path, question: str, picture: Pixels) -> tuple[float, str]:
    """P(yes) and a whole reply, by transformers alone, one picture at a time."""
    import torch
    import transformers
    from PIL import Image

    processor: Any = transformers.AutoProcessor.from_pretrained(folder)
    model: Any = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    asked = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
    text = processor.apply_chat_template(asked, add_generation_prompt=True)
    inputs = processor(text=[text], images=[Image.fromarray(picture)], return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits[0, -1]
        made = model.generate(**inputs, max_new_tokens=6, do_sample=False)
    forms = {"yes": ("yes", " yes", "Yes", " Yes", "YES"), "no": ("no", " no", "No", " No", "NO")}
    mass = dict.fromkeys(forms, 0.0)
    for word, written in forms.items():
        ids = {tuple(processor.tokenizer(form, add_special_tokens=False).input_ids) for form in written}
        mass[word] = sum(float(logits.softmax(-1)[one[0]]) for one in ids if len(one) == 1)
    said = processor.tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return mass["yes"] / (mass["yes"] + mass["no"]), said.strip()


def test_probabilities_and_replies_equal_a_direct_call(folder: Path, model: LocalVision) -> None:
    asked = [
        (match_question(text), one)
        for text, one in zip(("a red mug", "a much longer text about shoes", "x"), pictures(3), strict=True)
    ]
    found, said = model.yes(asked), model.answers(asked, max_tokens=6)
    for (question, picture), odds, reply in zip(asked, found, said, strict=True):
        wanted, words = directly(folder, question, picture)
        assert odds == pytest.approx(wanted, abs=1e-4)
        assert reply == words


def test_a_batch_gives_what_its_questions_give_alone(model: LocalVision) -> None:
    shown = pictures(20)  # more than one batch
    together = model.match("red mug", shown)
    assert len(set(together)) > 10
    alone = [model.match("red mug", [one])[0] for one in shown[::6]]
    assert together[::6] == pytest.approx(alone, abs=1e-5)
    assert all(0 < odds < 1 for odds in together)


def test_words_of_the_caller_stand_for_no_picture(model: LocalVision) -> None:
    (shown,) = pictures(1)
    assert model.match("red <image> mug </s>", [shown]) == pytest.approx(model.match("red   mug  ", [shown]), abs=1e-6)


def test_captions_are_replies_to_one_question(model: LocalVision) -> None:
    shown = pictures(2)
    assert model.captions(shown) == model.answers([(CAPTION, one) for one in shown], max_tokens=40)


def test_nothing_asked_is_nothing_said(model: LocalVision) -> None:
    assert model.yes([]) == model.captions([]) == []


def test_threads_share_a_model(model: LocalVision) -> None:
    shown = pictures(4)
    found: dict[int, list[float]] = {}
    threads = [Thread(target=lambda at=at: found.update({at: model.match(f"mug {at % 2}", shown)})) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == pytest.approx(found[2], abs=1e-6)
    assert found[1] == pytest.approx(found[3], abs=1e-6)


def test_a_folder_is_opened_once(folder: Path) -> None:
    assert open_vision(f"vlm:{folder}") is open_vision(f"vlm:{folder}/")


def test_what_fails_inside_is_an_engine_error(model: LocalVision) -> None:
    with pytest.raises(EngineError, match="vlm:"):
        model.match("mug", [np.zeros((8, 8, 5), np.uint8)])


def test_a_folder_without_a_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        LocalVision(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ConfigError, match="cannot open"):
        LocalVision(tmp_path)


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])


def _without_some_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    kept = load_file(folder / "model.safetensors")
    save_file({name: one for name, one in kept.items() if "projector" not in name}, folder / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip


def _template(text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "chat_template.jinja").write_text(text)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_cut, "cannot open the vision-language model"),
        (_without_some_weights, "lacks [0-9]+ of its weights, .*projector"),
        (_template("{{ raise_exception('text only') }}"), "text only"),
        (_template("{{ nobody.knows }}"), "cannot open"),
        (_template("{% for %}"), "cannot open"),
    ],
    ids=["cut", "incomplete", "raises", "undefined", "broken"],
)
def test_a_damaged_folder_is_a_sentence(
    folder: Path, tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    shutil.copytree(folder, tmp_path / "own")
    change(tmp_path / "own")
    with pytest.raises(ConfigError, match=reason):
        LocalVision(tmp_path / "own", device="cpu")


def test_no_number_is_no_answer(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "own")
    kept = load_file(tmp_path / "own" / "model.safetensors")
    name = next(name for name in kept if "projector" in name)
    kept[name] = kept[name] * float("nan")
    save_file(kept, tmp_path / "own" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="no number"):
        LocalVision(tmp_path / "own", device="cpu").match("mug", [np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.parametrize("spec", ["vlm:", "folder", ""])
def test_a_spec_names_a_folder(spec: str) -> None:
    with pytest.raises(ConfigError, match="vlm:FOLDER"):
        open_vision(spec)
