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

from sightline.mllms.asking import CAPTION, match_question  # noqa: E402
from sightline.mllms.local import LocalVision  # noqa: E402
from training.mllm import swaps  # noqa: E402
from training.mllm.model import learn_tokenizer  # noqa: E402
from training.mllm.packing import Tongue, pack  # noqa: E402
from training.mllm.questions import SHARES, Lesson, Lessons, other_colour, said_of  # noqa: E402
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
             "cool": 0.5, "words": 0.5, "seen": 0.5, "facets": 0.5, "shares": SHARES, "vocabulary": 420,
             "inner": 32, "layers": 1, "seed": 0}  # fmt: skip
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


def test_every_word_of_a_text_is_told_true_or_wrong_as_far_as_it_goes() -> None:
    truths = ("a red mug with blue stripes", "blue stripes", "red mug")
    asked = [
        Lesson(match_question(truths[0]), "yes", truths[0]),
        Lesson(match_question("a red mug with red stripes"), "no", "a red mug with red stripes", truths),
        Lesson(match_question("blue mug"), "no", "blue mug", truths),
        Lesson("What is this?", "mug"),
    ]
    tongue = Tongue(learn_tokenizer([one.question for one in asked] * 3 + list(truths) * 3, 400))
    packed = pack(tongue, [asked], 4)
    assert tongue.tokenizer.decode(packed.wanted[packed.heard]).strip(' "') == f"{truths[0]}"
    marks = packed.so_far[:, 2].tolist()
    lengths = [stop - start for start, stop in map(tongue.asked, asked)]
    assert lengths[3] == 0
    assert sum(lengths) == len(marks)
    first, second = marks[: lengths[0]], marks[lengths[0] : lengths[0] + lengths[1]]
    assert set(first) == {1}
    assert second == sorted(second, reverse=True)  # true at first, wrong from "red" before "stripes" on
    assert 0 < sum(second) < len(second)
    third = marks[lengths[0] + lengths[1] :]
    assert third == sorted(third, reverse=True)
    assert third[-1] == 0
    assert int(packed.first.sum()) == 4


def test_graphs_without_torch_give_what_the_model_gives(starter: Path, work: Path, tmp_path: Path) -> None:
    import torch

    from sightline.mllms.onnx import OnnxVision
    from training.mllm import graphs
    from training.mllm.model import Size, build, save

    torch.manual_seed(3)
    tokenizer = learn_tokenizer(["a red mug", "what is this?", "yes and no"] * 9, 400)
    model = build(tokenizer, Size(vocabulary=400, width=32, inner=48, layers=2, heads=2))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2) if parameter.ndim > 1 else None
    save(model, tokenizer, tmp_path / "own")
    graphs.write(LocalVision(tmp_path / "own", device="cpu")._model, tmp_path / "own")
    graph_bytes = sum((tmp_path / "own" / name).stat().st_size for name in ("eye.onnx", "words.onnx"))
    assert graph_bytes < 200_000  # the weights are read from the file beside them
    by_torch, by_graph = LocalVision(tmp_path / "own", device="cpu"), OnnxVision(tmp_path / "own", name="vlm:own")
    pictures = [np.random.default_rng(at).integers(0, 255, (80 + at, 120, 3), dtype=np.uint8) for at in range(18)]
    asked = [(match_question("a red mug " * (1 + at % 5)), picture) for at, picture in enumerate(pictures)]
    assert by_graph.yes(asked) == pytest.approx(by_torch.yes(asked), abs=2e-3)
    assert np.std(by_graph.yes(asked)) > 0
    assert by_graph.captions(pictures[:5]) == by_torch.captions(pictures[:5])
    assert by_graph.answers([("what <image> is </s> this?", pictures[0])], max_tokens=3) == by_torch.answers(
        [("what <image> is </s> this?", pictures[0])], max_tokens=3
    )
