"""Adaptation: a small map on top of an encoder, fitted from pairs and installed only when it proves to help.

Reads pairs, judges on those held out, fits with numpy; goes through the public door of an index.
"""

from __future__ import annotations

from sightline.adaptation.adapting import Adapted, adapt
from sightline.adaptation.judging import Gain, Verdict

__all__ = ["Adapted", "Gain", "Verdict", "adapt"]
