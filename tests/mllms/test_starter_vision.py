"""The vision-language model that ships: it looks, it tells colours apart, and needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import Sightline
from sightline.errors import ConfigError
from sightline.mllms import open_vision
from sightline.mllms.asking import match_question
from sightline.mllms.onnx import FILES, OnnxVision
from sightline.types import Pixels
from tests.extras import needs

FOLDER = Path(str(files("sightline.mllms") / "starter"))
GREY = np.full((112, 112, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def model() -> OnnxVision:
    made = open_vision("vlm:starter")
    assert isinstance(made, OnnxVision)
    return made


@pytest.fixture(scope="module")
def pictures(sample: Path) -> list[tuple[str, Pixels]]:
    """Forty titles of the sample catalog, each with a picture of the item."""
    rows = [json.loads(line) for line in (sample / "catalog.jsonl").read_text().splitlines()][::6][:40]
    return [(row["title"], np.asarray(Image.open(sample / row["images"][0]).convert("RGB"))) for row in rows]


def test_it_says_yes_to_what_is_there_more_than_to_what_is_not(
    model: OnnxVision, pictures: list[tuple[str, Pixels]]
) -> None:
    own = model.yes([(match_question(title), seen) for title, seen in pictures])
    others = model.yes([(match_question(pictures[at - 7][0]), seen) for at, (_, seen) in enumerate(pictures)])
    assert np.mean(own) > np.mean(others) + 0.3
    blind = np.std(model.yes([(match_question(title), GREY) for title, _ in pictures[:8]]))
    assert np.std(own + others) > blind


def test_it_tells_which_of_two_colours_is_where(model: OnnxVision) -> None:
    needs("torch", "transformers", extra="vlm")
    from training.mllm import swaps

    drawn = swaps.choose("test", 12)
    odds = np.array([
        model.match(swaps.phrase(one.product), [swaps.picture(one), swaps.picture(drawn[at ^ 1])])
        for at, one in enumerate(drawn)
    ])  # fmt: skip
    assert (odds[:, 0] > odds[:, 1]).mean() >= 0.7


def test_captions_and_answers_are_words(model: OnnxVision, pictures: list[tuple[str, Pixels]]) -> None:
    said = model.captions([seen for _, seen in pictures[:6]])
    assert len(set(said)) > 3
    assert all(3 <= len(one.split()) <= 40 for one in said)


def test_it_is_the_model_that_transformers_opens(model: OnnxVision, pictures: list[tuple[str, Pixels]]) -> None:
    needs("torch", "transformers", extra="vlm")
    from sightline.mllms.local import open_local

    asked = [(match_question(pictures[(at * 3) % 40][0]), seen) for at, (_, seen) in enumerate(pictures[:18])]
    assert model.yes(asked) == pytest.approx(open_local(FOLDER).yes(asked), abs=5e-3)


def test_without_torch_a_search_is_reranked_by_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from sightline import Sightline\n"
        "with Sightline.open(sys.argv[1]) as index:\n"
        "    found = index.search('red ball', rerank='vlm:starter', gate=False, least=0)\n"
        "    print(found.warnings, found[0].via)\n"
    )
    for name, rgb in (("red", (200, 30, 30)), ("blue", (30, 60, 200))):
        Image.new("RGB", (64, 64), rgb).save(tmp_path / f"{name}.png")
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(tmp_path / "red.png", tmp_path / "blue.png")
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "index")], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("()")
    assert "rerank" in ended.stdout


def test_it_stays_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 18_000_000
    assert {*FILES, "CARD.md", "LICENSE"} <= {file.name for file in FOLDER.iterdir()}


@pytest.mark.parametrize("missing", ["eye.onnx", "model.safetensors"])
def test_a_folder_without_its_files_is_told(tmp_path: Path, missing: str) -> None:
    for name in FILES:
        if name != missing:
            (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ConfigError, match=f"{missing} missing"):
        OnnxVision(tmp_path, name="vlm:broken")


def test_a_damaged_graph_is_told(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    (tmp_path / "words.onnx").write_bytes(b"no graph")
    with pytest.raises(ConfigError, match=r"words\.onnx is damaged"):
        OnnxVision(tmp_path, name="vlm:broken")
