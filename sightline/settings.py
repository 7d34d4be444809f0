"""Every setting, read once from arguments and the environment (SIGHTLINE_*), then frozen.

Does not know what the settings do: the engine and the service read them.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sightline.complaints import complaint
from sightline.decoding import Limits
from sightline.errors import ConfigError
from sightline.suggesting import did_you_mean
from sightline.types import RegionKind

NAMES = "is a name of 1 to 64 letters a to z, digits, - and _"


class Settings(BaseSettings):
    """One frozen model. An argument wins over SIGHTLINE_<NAME>, which wins over the default here."""

    model_config = SettingsConfigDict(env_prefix="SIGHTLINE_", frozen=True, extra="forbid", env_ignore_empty=True)

    index: Path = Field(Path(".sightline"), description="folder that holds the index")
    collection: str = Field(
        "default", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="which collection of the index to use"
    )
    encoder: str | None = Field(None, description="encoder spec; unset: the one that built the index, else `starter`")
    text_encoder: str | None = Field(
        None, description="second encoder, of texts alone, for what is asked in words; unset: as it was built"
    )
    store: str | None = Field(None, description="store spec; unset: the one that built the index, else `faiss`")
    mllm: str | None = Field(None, description="chat model that writes answers; unset: sentences and facts are quoted")
    rerank: str | None = Field(
        None, description="re-orders the first hits: vlm:starter or any spec of `docs/reranking.md`; unset: none"
    )
    rerank_depth: int = Field(20, ge=1, le=200, description="how many hits are re-ordered")
    rerank_gate: bool = Field(True, description="a reranker is asked only of queries of a kind that it helps")
    rerank_timeout_s: float = Field(30.0, gt=0, description="time for one reranking; past it the first order stands")
    rerank_tokens: int = Field(
        50_000, ge=1000, description="most tokens a chat model is sent for one reranking; hits beyond are not read"
    )
    rewrite: str | None = Field(
        None, description="chat model that puts short queries in other words as well; unset: none"
    )
    rewrite_timeout_s: float = Field(5.0, gt=0, description="time for one rewriting; past it the query stays as it is")
    mllm_timeout_s: float = Field(120.0, gt=0, description="time for one answer of the chat model")
    batch_size: int = Field(32, ge=1, le=4096, description="parts embedded and stored at a time")
    regions: RegionKind | None = Field(
        None, description="parts of pictures with vectors of their own: none, grid, salient; unset: as it was built"
    )
    threads: int | None = Field(None, ge=1, description="threads an encoder may use; unset: all cores")
    max_pixels: int = Field(64_000_000, ge=1, description="pictures with more pixels are skipped with a reason")
    decode_timeout_s: float = Field(
        30.0, gt=0, description="computing time for one picture; past it the picture is skipped with a reason"
    )
    decode_memory_bytes: int = Field(
        1_500_000_000,
        ge=300_000_000,
        description="memory to decode one picture; past it the picture is skipped (Linux)",
    )
    auto_compact: bool = Field(
        True, description="compact after writing where a quarter was deleted or replaced, 32 MB at least, 1 GB in all"
    )
    allow_urls: bool = Field(False, description="fetch http(s) pictures named in catalogs; private addresses never")
    api_key: SecretStr | None = Field(None, description="key the service asks for; needed to serve beyond this machine")
    max_upload_bytes: int = Field(32_000_000, ge=1, description="largest request body the service reads")

    @property
    def limits(self) -> Limits:
        """What decoding one picture may take."""
        return Limits(self.max_pixels, self.decode_timeout_s, self.decode_memory_bytes)

    @classmethod
    def read(cls, **given: object) -> Settings:
        """Settings from the arguments that are not None and the environment. Raises ConfigError naming the setting."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        except ValidationError as exc:
            first = exc.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":
                meant = did_you_mean(name, cls.model_fields)
                raise ConfigError(
                    f"there is no setting {name!r}.{meant} They are: {', '.join(cls.model_fields)}"
                ) from exc
            said = NAMES if name == "collection" else complaint(first, secret=name == "api_key")
            raise ConfigError(f"setting {name!r} (SIGHTLINE_{name.upper()}) {said}") from exc
