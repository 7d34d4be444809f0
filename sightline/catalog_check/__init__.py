"""A look over a catalog: pictures and words that disagree, pictures that are missing, what is there twice or cut.

Compares what an index holds with itself; goes through its public door and changes nothing.
"""

from __future__ import annotations

from sightline.catalog_check.checking import CatalogReport, check
from sightline.catalog_check.disagreements import Disagreement, Suspect
from sightline.catalog_check.duplicates import Group, duplicates

__all__ = ["CatalogReport", "Disagreement", "Group", "Suspect", "check", "duplicates"]
