"""The rules of the house that a linter does not hold: what is public, what is light, what the docs promise."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sightline import errors
from sightline.settings import Settings

ROOT = Path(__file__).parents[2]
HEAVY = "torch faiss onnxruntime qdrant_client qdrant_edge open_clip sentence_transformers transformers langchain"
PUBLIC = {
    "sightline": "AddReport Answer Citation Conversation Hit Item Locator Part Query Results Show Sightline "
    "SightlineError Term Turn image like text",
    "indexer": "IndexOptions Ledger Passport Reembedding RegionPlan add delete plan planned",
    "retriever": "Account Refined Turn refine search",
    "generator": "answer stream",
}


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_pinned(package: str) -> None:
    assert sorted(importlib.import_module(package).__all__) == sorted(PUBLIC[package].split())


@pytest.mark.parametrize("module", [*PUBLIC, "sightline.engine", "service.cli"])
def test_import_loads_no_engine(module: str) -> None:
    code = f"import {module}, sys; print([m for m in {HEAVY.split()!r} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed.strip() == "[]"


def test_import_sightline_takes_less_than_300_ms() -> None:
    code = "import time; t=time.process_time(); import sightline; print(time.process_time()-t)"
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for _ in range(3)
    ]
    assert min(seconds) < 0.3


def test_the_error_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = set(re.findall(r"[A-Z][A-Za-z]+(?=\s{2,}|$)", errors.__doc__ or "", re.MULTILINE))
    ours = (thing for thing in vars(errors).values() if inspect.isclass(thing))
    defined = {thing.__name__ for thing in ours if thing.__module__ == errors.__name__}
    assert defined == drawn


def test_every_setting_is_in_the_readme_table() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [name for name in Settings.model_fields if f"`SIGHTLINE_{name.upper()}`" not in readme]
    assert not missing


def test_every_setting_says_what_it_does() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_no_file_is_too_long_and_none_has_a_name_that_means_nothing() -> None:
    folders = ("sightline", "indexer", "retriever", "generator", "service")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert not [p for p in files if len(p.read_text().splitlines()) > 400]
    assert not [p for p in files if p.stem in {"utils", "helpers", "common", "manager", "base", "handler"}]


def test_the_repository_stays_small() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    if not files:  # an sdist has no git
        files = [p for p in ROOT.rglob("*") if p.is_file() and ".venv" not in p.parts]
    assert sum(p.stat().st_size for p in files if p.exists()) < 50_000_000
