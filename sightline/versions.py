"""Which versions a figure comes from: of Python, of Sightline, of the packages that compute.

Imports none of them.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

ALWAYS = ("sightline", "numpy", "pillow", "pytrec-eval-terrier")
BY_ENGINE = {
    "starter": ("onnxruntime", "tokenizers"),
    "onnx": ("onnxruntime", "tokenizers"),
    "open_clip": ("open_clip_torch", "torch"),
    "sentence-transformers": ("sentence-transformers", "torch"),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "qdrant": ("qdrant-client", "qdrant-edge-py"),
    "cross-encoder": ("sentence-transformers", "transformers", "torch"),
    "vlm": ("transformers", "torch"),
    "openai": ("langchain-openai",),
    "ollama": ("langchain-ollama",),
}


def versions(specs: Iterable[str]) -> dict[str, str]:
    """Package -> version, for what the specs of encoders, stores and rerankers use and is installed."""
    engines = (spec.partition(":")[0] for spec in specs)
    packages = (*ALWAYS, *(package for engine in engines for package in BY_ENGINE.get(engine, ())))
    found = {"python": platform.python_version()}
    for package in dict.fromkeys(packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
