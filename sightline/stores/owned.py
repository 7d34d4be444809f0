"""The refusal of a collection that is kept elsewhere than in its folder, and belongs to another folder.

Does not know how a store tells whose it is.
"""

from __future__ import annotations

from sightline.errors import ConfigError


class OwnedElsewhere(ConfigError):
    """The folder is a copy, or was copied: another one has the collection. Its files are nobody's but its own."""
