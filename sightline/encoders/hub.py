"""Files of models on the Hugging Face hub: from the cache if they are there, else fetched once.

The cache is asked first and alone, so a model that was fetched before opens at once and without a network. Knows
nothing of encoders; turns every failure into one sentence that says what to do instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from sightline.errors import ConfigError, MissingExtra

PROBE_S = 5.0  # a hub that has not answered by then counts as unreachable; its own client would retry for 23 s a file


def fetch(repo: str, names: Sequence[str], *, spec: str, instead: str, revision: str | None = None) -> Path:
    """The path of the first of `names` that `repo` has.

    `spec` is what the user asked for and `instead` what can be given in its place: both are named when the hub cannot
    be reached or lacks the file (ConfigError).
    """
    hub = _hub()
    cached = _cached(repo, names, revision)
    if cached is not None:
        return cached
    reach(endpoint(), spec=spec, instead=instead)
    for name in names:
        try:
            return Path(hub.hf_hub_download(repo, name, revision=revision))
        except hub.errors.LocalEntryNotFoundError as exc:
            raise ConfigError(_unreachable(endpoint(), spec, instead)) from exc
        except hub.errors.EntryNotFoundError:
            continue
        except (hub.errors.HfHubHTTPError, hub.errors.HFValidationError, httpx.HTTPError, OSError) as exc:
            raise ConfigError(f"cannot load {spec!r}: {_sentence(exc)}. {instead}") from exc
    raise ConfigError(f"cannot load {spec!r}: {repo} has no {' or '.join(names)}. {instead}")


def folder(repo: str, marker: str, patterns: Sequence[str], *, spec: str, instead: str) -> Path:
    """A folder with the files of `repo` that match `patterns`; complete once it has `marker`. Raises ConfigError."""
    hub = _hub()
    cached = _cached(repo, [marker], None)
    if cached is not None:
        return cached.parent
    reach(endpoint(), spec=spec, instead=instead)
    try:
        return Path(hub.snapshot_download(repo, allow_patterns=[*patterns]))
    except (hub.errors.HfHubHTTPError, hub.errors.HFValidationError, httpx.HTTPError, OSError) as exc:
        raise ConfigError(f"cannot load {spec!r}: {_sentence(exc)}. {instead}") from exc


def fetched(repo: str, names: Sequence[str], *, cache: str | None = None) -> Path | None:
    """The folder of a repository that was fetched before and has one of `names`; None where there is none."""
    found = _cached(repo, names, None, cache)
    return found.parent if found else None


def is_model(folder: Path) -> bool:
    """Whether a folder is laid out as sentence-transformers or transformers leave a model."""
    return any((folder / name).is_file() for name in ("modules.json", "config.json"))


def reach(url: str, *, spec: str, instead: str) -> None:
    """Return if the server at `url` answers anything at all. Raises ConfigError."""
    if _hub().constants.is_offline_mode():
        raise ConfigError(f"cannot load {spec!r}: it is not in the cache and HF_HUB_OFFLINE is set. {instead}")
    try:
        httpx.head(url, timeout=PROBE_S)
    except (httpx.TransportError, OSError) as exc:
        raise ConfigError(_unreachable(url, spec, instead)) from exc


def endpoint() -> str:
    """The address of the hub, HF_ENDPOINT's where that is set."""
    return str(_hub().constants.ENDPOINT)


def _cached(repo: str, names: Sequence[str], revision: str | None, cache: str | None = None) -> Path | None:
    hub = _hub()
    try:
        paths = (hub.try_to_load_from_cache(repo, name, cache_dir=cache, revision=revision) for name in names)
        return next((Path(path) for path in paths if isinstance(path, str)), None)
    except hub.errors.HFValidationError as exc:
        raise ConfigError(f"{repo!r} is no name of a model on the hub: it reads organisation/model") from exc


def _hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as exc:
        raise MissingExtra("huggingface_hub", "clip") from exc
    return huggingface_hub


def _unreachable(url: str, spec: str, instead: str) -> str:
    return f"cannot load {spec!r}: it is not in the cache and {url} cannot be reached. {instead}"


def _sentence(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[0].rstrip(".")[:200] if lines else type(exc).__name__
