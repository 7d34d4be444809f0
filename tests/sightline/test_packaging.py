"""What ships: the packages the project promises to name, the settings the compose file sets, the wheel's contents."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from sightline.settings import Settings

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMED = "faiss-gpu open_clip_torch sentence-transformers langchain qdrant-client torch fastapi pytest".split()  # noqa: SIM905


def test_every_promised_package_is_named() -> None:
    extras = PROJECT["optional-dependencies"].values()
    requirements = [*PROJECT["dependencies"], *(entry for extra in extras for entry in extra)]
    names = {re.split(r"[<>=\[; ]", requirement)[0] for requirement in requirements}
    assert not [name for name in NAMED if name not in names]


def test_the_base_needs_no_torch() -> None:
    assert not [entry for entry in PROJECT["dependencies"] if re.match(r"torch|transformers|open_clip|sentence", entry)]


def test_compose_and_dockerfile_set_only_settings_that_exist() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "Dockerfile").read_text()
    named = set(re.findall(r"SIGHTLINE_([A-Z_]+)", text))
    assert named
    assert not [name for name in named if name.lower() not in Settings.model_fields]


def test_compose_stores_in_qdrant(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = re.search(r"SIGHTLINE_STORE: (\S+)", (ROOT / "docker-compose.yml").read_text())
    assert spec is not None
    monkeypatch.setenv("SIGHTLINE_STORE", spec.group(1))
    monkeypatch.setenv("SIGHTLINE_MLLM", "")
    settings = Settings.read()
    assert settings.store == "qdrant:http://qdrant:6333"
    assert settings.mllm is None  # an empty variable is an unset one


def test_the_version_is_one_number() -> None:
    import sightline

    assert sightline.__version__ == PROJECT["version"]
    assert f"## {sightline.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_starter_and_the_page_and_the_sample_are_inside_the_packages() -> None:
    assert not [
        path
        for path in (
            "sightline/encoders/starter/image.onnx",
            "sightline/encoders/starter/text.onnx",
            "sightline/encoders/starter/CARD.md",
            "sightline/encoders/starter/LICENSE",
            "sightline/mllms/starter/model.safetensors",
            "sightline/mllms/starter/words.onnx",
            "sightline/mllms/starter/LICENSE",
            "service/web/index.html",
            "service/sample/catalog.jsonl",
        )
        if not (ROOT / path).stat().st_size
    ]
    assert (
        importlib.util.find_spec("tests") is None
        or "tests"
        not in (ROOT / "pyproject.toml").read_text().split("[tool.hatch.build.targets.wheel]")[1].split("[", 1)[0]
    )
