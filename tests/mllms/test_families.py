"""Families of vision-language models behind `vlm:FOLDER`: they open, and say what transformers alone says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.mllms.asking import match_question
from sightline.mllms.local import LocalVision
from sightline.types import Pixels
from tests.extras import needs
from tests.mllms.tiny_families import FAMILIES, libraries

needs("torch", "transformers", extra="vlm")


def pictures() -> list[Pixels]:
    """Of several sizes, so that a batch has to be filled up."""
    rng = np.random.default_rng(3)
    return [rng.integers(0, 255, (high, wide, 3), dtype=np.uint8) for high, wide in ((90, 60), (40, 200), (64, 64))]


@pytest.mark.parametrize("family", FAMILIES)
def test_its_answer_is_that_of_a_direct_call(family: str, tmp_path: Path) -> None:
    """One picture at a time, unpadded, template and processor by hand: no code of ours but the question."""
    tf, torch = libraries()
    from PIL import Image

    folder = FAMILIES[family](tmp_path / "model")
    asked = list(zip(("a red mug", "a much longer text about green shoes", "x"), pictures(), strict=True))
    found = LocalVision(folder, device="cpu").yes([(match_question(text), shown) for text, shown in asked])

    processor = tf.AutoProcessor.from_pretrained(folder)
    model = tf.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    for (text, shown), odds in zip(asked, found, strict=True):
        said = f'Does this picture match "{text}"? Answer yes or no.'
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": said}]}
        prompt = processor.apply_chat_template([turn], add_generation_prompt=True)
        inputs = processor(text=[prompt], images=[[Image.fromarray(shown)]], return_tensors="pt")
        with torch.no_grad():
            likely = model(**inputs).logits[0, -1].softmax(-1)
        mass = {}
        for word in ("yes", "no"):
            forms = {processor.tokenizer(form, add_special_tokens=False).input_ids[0]
                     for form in (word, word.title(), f" {word}", f" {word.title()}", word.upper())
                     if len(processor.tokenizer(form, add_special_tokens=False).input_ids) == 1}  # fmt: skip
            mass[word] = float(likely[sorted(forms)].sum())
        assert odds == pytest.approx(mass["yes"] / (mass["yes"] + mass["no"]), abs=2e-5)
    assert len({round(one, 5) for one in found}) == len(found)  # it looked


@pytest.mark.parametrize("family", FAMILIES)
def test_the_picture_matters(family: str, tmp_path: Path) -> None:
    model = LocalVision(FAMILIES[family](tmp_path / "model"), device="cpu")
    dark, bright = (np.full((64, 64, 3), grey, np.uint8) for grey in (0, 255))
    odds = model.match("mug", [dark, bright])
    assert odds[0] != pytest.approx(odds[1], abs=1e-6)
