"""How the starter vision-language model is trained, at tiny size: every step, resumed, exported, opened again."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.extras import needs

needs("torch", "transformers", extra="vlm")

from sightline.mllms.local import CAPTION, LocalVision, match_question  # noqa: E402
from training.mllm import swaps  # noqa: E402
from training.mllm.questions import SHARES, Lessons, other_colour, said_of  # noqa: E402
from training.starter.sentences import describe  # noqa: E402
from training.starter.sources import Picture  # noqa: E402

PHOTOS = [
    ["Two dogs run through snow .", "Two black dogs play ."],
    ["A man in a red shirt rides a bike .", "A man cycles ."],
]
FRUIT = [("Granny-Smith", "Apple"), ("Banana", "Banana"), ("Golden-Delicious", "Apple")]


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Caches like the starter encoder's, of five pictures, the last of them held out."""
    folder = tmp_path_factory.mktemp("starter")
    pictures = [Picture("flickr8k", f"p{n}.webp", "train", {"captions": said}) for n, said in enumerate(PHOTOS)]
    pictures += [Picture("grocery", f"g{n}.webp", "train", {"fine": f, "coarse": c}) for n, (f, c) in enumerate(FRUIT)]
    pictures.append(Picture("grocery", "v.webp", "val", {"fine": "Banana", "coarse": "Banana"}))
    index: dict[str, int] = {}
    needed, links = {}, {"facts": [], "linked": []}  # type: ignore[var-annotated]
    for picture in pictures:
        facts, sentences = describe(picture)
        links["facts"].append(sorted(facts))
        for sentence in sentences:
            needed.setdefault(index.setdefault(sentence.text, len(index)), sentence.needs)
        links["linked"].append([(index[s.text], s.weight) for s in sentences] if picture.split == "train" else [])
    links |= {"known": len(index), "needs": [needed[row] for row in range(len(index))]}  # type: ignore[dict-item]
    shown = [{"source": p.source, "name": p.name, "split": p.split, "labels": p.labels} for p in pictures]
    for name, value in (("pictures", shown), ("links", links), ("texts", list(index))):
        (folder / f"{name}.json").write_text(json.dumps(value))
    views = np.random.default_rng(0).integers(0, 255, (len(pictures), 112, 112, 3), dtype=np.uint8)
    np.save(folder / "views_0.npy", views)
    np.save(folder / "rendered_views.npy", np.zeros((0, 2, 112, 112, 3), np.uint8))
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with drawn swaps and an eye that copies a tower's blocks."""
    import torch

    from training.mllm import eye
    from training.starter.towers import ImageTower

    folder = tmp_path_factory.mktemp("mllm")
    swaps.draw(folder, 2, 1)
    torch.manual_seed(1)
    made = eye.stock()
    eye.copy_blocks(ImageTower(), made)
    torch.save(made.state_dict(), folder / "eye.pt")
    return folder


@pytest.fixture(scope="module")
def lessons(starter: Path, work: Path) -> Lessons:
    return Lessons(starter, work)


def options(starter: Path, work: Path, **changed: Any) -> Namespace:
    plain = {"starter": starter, "work": work, "minutes": 5.0, "steps": 2, "batch": 4, "rate": 1e-3, "eye_rate": 0.0,
             "cool": 0.5, "words": 0.5, "seen": 0.5, "shares": SHARES, "vocabulary": 420, "inner": 32, "layers": 1,
             "seed": 0}  # fmt: skip
    return Namespace(**(plain | changed))


# -- what is held out, and what is true


def test_kinds_and_colour_pairs_are_held_out_together() -> None:
    tested, trained = swaps.choose("test", 20), swaps.choose("train", 60)
    kinds = {one.product.kind for one in tested}
    pairs = {frozenset(one.product.colours) for one in tested}
    assert not kinds & {one.product.kind for one in trained}
    assert not pairs & {frozenset(one.product.colours) for one in trained}
    for one, other in zip(tested[::2], tested[1::2], strict=True):
        assert other.product == swaps.swapped(one.product)
        assert one.seed != other.seed
    saw = swaps._starter_saw()
    assert not saw & {swaps._combination(one.product) for one in tested}


def test_drawn_products_are_asked_only_what_is_true_or_false(lessons: Lessons) -> None:
    rng = Random(0)
    for at, drawn in enumerate(lessons.drawn):
        true = said_of(drawn.product, drawn.seed)
        said = {"yes": 0, "no": 0}
        for _ in range(20):
            for one in lessons.of(len(lessons.pictures) + at, rng):
                matched = [text for text in true if match_question(text) == one.question]
                if one.answer in said and one.question.startswith("Does"):
                    assert bool(matched) == (one.answer == "yes"), one
                    said[one.answer] += 1
        assert said == {"yes": 40, "no": 60}
        partner = match_question(swaps.phrase(swaps.swapped(drawn.product)))
        assert any(one.question == partner for _ in range(40) for one in lessons.of(len(lessons.pictures) + at, rng))


def test_real_pictures_are_asked_only_what_their_labels_prove(lessons: Lessons) -> None:
    rng = Random(1)
    seen = {one.question: one.answer for _ in range(60) for one in lessons.of(2, rng)}  # a Granny Smith apple
    assert seen["What is this?"] == "apple"
    assert seen[match_question("a photo of a banana")] == "no"
    assert seen[match_question("a photo of an apple")] == "yes"
    assert all(answer == "yes" for question, answer in seen.items() if "Granny Smith" in question)
    photo = {one.question: one.answer for _ in range(40) for one in lessons.of(0, rng)}
    assert photo["How many dogs are there?"] == "two"
    assert photo[CAPTION] in ("two dogs run through snow", "two black dogs play")
    assert photo[match_question("A man cycles")] == "no"


def test_held_out_pictures_are_never_chosen(lessons: Lessons) -> None:
    rows = set(lessons.choose(Random(0), 500))
    assert rows == {0, 1, 2, 3, 4, 6, 7, 8, 9}  # 5 is val, 6-9 are the drawn swaps


def test_a_changed_colour_is_another() -> None:
    for seed in range(20):
        changed = other_colour("A man in a red shirt", Random(seed))
        assert changed is not None
        assert "red" not in changed
    assert other_colour("A man", Random(0)) is None


# -- the eye, the packing, the training


def test_the_eye_keeps_the_towers_blocks() -> None:
    import torch

    from training.mllm import eye
    from training.starter.towers import ImageTower

    torch.manual_seed(0)
    tower, made = ImageTower().eval(), eye.stock().eval()
    eye.copy_blocks(tower, made)
    x = torch.randn(1, 64, 12, 12)
    with torch.no_grad():
        wanted = tower.blocks[: tower.early](x)
        assert torch.allclose(made.encoder(x).last_hidden_state, wanted, atol=1e-5)


def test_training_goes_on_where_it_stopped_and_ships_what_it_trained(starter: Path, work: Path, tmp_path: Path) -> None:
    import torch

    from training.mllm.export import opened
    from training.mllm.measure import matches
    from training.mllm.model import save
    from training.mllm.train import Training

    Training(options(starter, work)).run()
    again = Training(options(starter, work))
    assert again.step == 1  # the last step before the rate fell
    before = {name: value.clone() for name, value in again.eye.state_dict().items()}
    again.run()
    assert again.step == 3
    assert all(torch.equal(before[name], value) for name, value in again.eye.state_dict().items())
    live = Training(options(starter, work, eye_rate=1e-3, steps=1))
    live.run()
    after = live.eye.state_dict()
    assert not any(torch.equal(before[name], after[name]) for name in before if name.endswith("convolution.weight"))

    model, tongue = opened(work, "cooled")
    save(model, tongue.tokenizer, tmp_path / "shipped", half=False)
    shipped = LocalVision(tmp_path / "shipped", device="cpu")
    pixels = [swaps.picture(one) for one in swaps.choose("test", 2)]
    texts = [["a red mug with blue stripes", "shoes"], ["a cat"], ["x", "y", "z"], ["a red mug"]]
    packed = matches(model, tongue, pixels, texts, exact=True)
    shipped._yes, shipped._no = ([tongue.tokenizer.convert_tokens_to_ids(word)] for word in ("yes", "no"))
    for picture, asked, odds in zip(pixels, texts, packed, strict=True):
        assert shipped.yes([(match_question(text), picture) for text in asked]) == pytest.approx(odds, abs=1e-4)
    assert len(shipped.captions([pixels[0]])) == 1
