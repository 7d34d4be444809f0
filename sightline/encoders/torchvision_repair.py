"""Makes `import torchvision` work beside a torch build whose operators its wheel was not compiled for.

Such a pair fails with "operator torchvision::nms does not exist", and every library that imports torchvision fails with
it. Call `repair` before importing open_clip, timm, transformers or sentence_transformers. Changes nothing else.
"""

from __future__ import annotations

import importlib
import sys
from threading import Lock
from typing import Any

# Operators that torchvision describes at import. Without their compiled code they may be named, never called.
_OPERATORS = tuple(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms"))

_once = Lock()
_kept: list[Any] = []  # a torch Library takes its definitions back when it is collected


def repair() -> None:
    """Import torchvision, declaring its missing operators if, and only if, that is why the import fails.

    Without torchvision, or with a healthy one, nothing happens. Raises MissingExtra's cause, ImportError, for no torch.
    """
    with _once:
        try:
            importlib.import_module("torchvision")
        except ModuleNotFoundError as exc:
            if exc.name != "torchvision":
                raise
        except RuntimeError as exc:
            if "torchvision::" not in str(exc):
                raise
            _declare()
            importlib.import_module("torchvision")


def _declare() -> None:
    import torch

    for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[module]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in _OPERATORS:
        library.define(operator)
    _kept.append(library)
