"""Everything Sightline raises on purpose, as one tree; knows nothing of HTTP or exit codes.

SightlineError
├── ConfigError            the operator acts: a setting, a path, a lock, a missing package
│   └── MissingExtra       says what to pip-install
├── InputError             the caller acts: an empty query, an unknown field, a row without id
│   ├── UnreadableSource   collected in the report; raised where a single source was asked for
│   └── UnsupportedModality
├── PassportMismatch       the index was built by another encoder
├── NotFound               no such item or collection
├── Unauthorized           no key, or a wrong one
└── EngineError            a model, a store or a chat model failed
    └── EngineTimeout
"""

from __future__ import annotations


class SightlineError(Exception):
    """The root: catch it to catch everything Sightline raises on purpose. Its text is fit to show a user."""


class ConfigError(SightlineError):
    """The operator must change a setting, a path or an installation."""


class MissingExtra(ConfigError):
    """A package that belongs to an extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed. In Sightline's folder: pip install '.[{extra}]'")
        self.package = package
        self.extra = extra


class InputError(SightlineError):
    """The caller must change what was asked."""


class UnreadableSource(InputError):
    """A file, row or URL that cannot be read; `reason` says why, without the source's name."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class UnsupportedModality(InputError):
    """The encoder of this index cannot embed this kind of content."""


class PassportMismatch(SightlineError):
    """The index was built by another encoder than the one asked for."""


class NotFound(SightlineError):
    """There is no such item or collection."""


class Unauthorized(SightlineError):
    """The request carries no valid key."""


class EngineError(SightlineError):
    """A model, a store or a remote server failed."""


class EngineTimeout(EngineError):
    """An engine did not answer in time."""
