"""Any sentence-transformers model, from a folder or the hub: texts, and pictures where the model reads them.

Queries and documents get the prompts the model was trained with. Does not know which other encoder shares an index.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.encoders import fingerprint, hub
from sightline.encoders.content import BATCH, embed, split_long
from sightline.encoders.torchvision_repair import repair
from sightline.errors import ConfigError, EngineError, MissingExtra
from sightline.types import DEVICE, Content, Modality, Pixels, Space, Vectors

INSTEAD = "Give a folder on this machine instead: sentence-transformers:/path/to/model"
UNLIMITED = 1 << 30  # tokens: of a model that says nothing about the longest text it reads


class SentenceTransformersEncoder:
    """Texts in a space of their own, or with pictures where the model has both. Safe to share between threads."""

    def __init__(self, reference: str, *, threads: int | None = None, device: str | None = None) -> None:
        """`reference` is a folder or an id on the hub; `device` None means the GPU where there is one.

        `threads` is torch's, for the whole process. Raises ConfigError, MissingExtra.
        """
        folder = Path(reference).expanduser()
        if reference[:1] in ("/", ".", "~") and not folder.is_dir():
            raise ConfigError(
                f"there is no folder {reference!r} with a model. Take sentence-transformers:FOLDER or a name"
            )
        if folder.is_dir() and not hub.is_model(folder):
            raise _refused(f"sentence-transformers:{reference}", "it has neither a modules.json nor a config.json")
        where = str(folder.resolve()) if folder.is_dir() else reference
        self._model = _loaded(where, local=folder.is_dir(), threads=threads, device=device)
        self._alone = Lock()  # the tokenizer keeps the way it cuts in itself
        modalities: set[Modality] = {"text"}
        if self._model.supports("image"):
            modalities.add("image")
        self._limit = int(self._model.max_seq_length or UNLIMITED)
        modules = [(type(module).__name__, getattr(module, "pooling_mode", None)) for module in self._model]
        settings = {"prompts": self._model.prompts, "limit": self._limit, "modules": modules}
        printed = fingerprint.of_state(self._model.state_dict(), settings, _beside(where, local=folder.is_dir()))
        dim = int(self._model.get_embedding_dimension() or self._texts(["a"]).shape[1])
        name, kinds = f"sentence-transformers:{where}", frozenset(modalities)
        made_of = {**printed.made_of, DEVICE: str(self._model.device.type)}
        self._space = Space(name, dim, printed.fingerprint, kinds, made_of, printed.formerly)

    @property
    def space(self) -> Space:
        return self._space

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        """(n, dim) unit rows, one a content, in order, with the model's document prompt.

        Raises InputError, UnsupportedModality, EngineError; see `content.embed`.
        """
        prompt = self._prompt("document", "passage", "corpus")
        return self._embed(contents, partial(self._texts, role="document"), prompt)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        """Like `encode_documents`, with the model's query prompt, or `instruction` in its place, before each text."""
        prompt = self._prompt("query") if instruction is None else instruction
        return self._embed(contents, partial(self._texts, role="query", prompt=instruction), prompt)

    def _embed(self, contents: Sequence[Content], texts: Any, prompt: str) -> Vectors:
        room = self._limit - (self.count_tokens(prompt) if prompt else 0)
        if room < 8:
            raise ConfigError(
                f"{self._space.name} reads {self._limit} tokens, and its prompt or instruction fills them"
            )
        windows = partial(split_long, limit=room, count=self.count_tokens)
        return embed(contents, space=self._space, texts=texts, pictures=self._pictures, windows=windows)

    def _texts(self, texts: Sequence[str], *, role: str = "document", prompt: str | None = None) -> NDArray[np.float32]:
        encode = self._model.encode_query if role == "query" else self._model.encode_document
        return self._run(encode, list(texts), prompt=prompt)

    def _pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        return self._run(self._model.encode_document, [Image.fromarray(pixels) for pixels in pictures], prompt=None)

    def _run(self, encode: Any, values: list[Any], *, prompt: str | None) -> NDArray[np.float32]:
        try:
            with self._alone:
                made = encode(values, prompt=prompt, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True)
        except (RuntimeError, ValueError, MemoryError) as exc:  # torch and transformers say everything by these
            reason = str(exc).partition("\n")[0][:200]
            raise EngineError(f"{type(self._model).__name__} could not embed its input: {reason}") from exc
        return np.asarray(made, dtype=np.float32)

    def _prompt(self, *names: str) -> str:
        return next((self._model.prompts[name] for name in names if self._model.prompts.get(name)), "")

    @property
    def most_tokens(self) -> int | None:
        """Of one query's text beside the model's prompt, special ones included; None: no limit."""
        prompt = self._prompt("query")
        return None if self._limit == UNLIMITED else self._limit - (self.count_tokens(prompt) if prompt else 0)

    def count_tokens(self, text: str) -> int:
        """Of a whole text, special ones included, before the model would cut it."""
        with self._alone:
            return len(self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"])


def _loaded(where: str, *, local: bool, threads: int | None, device: str | None) -> Any:
    """The model from its folder or the cache, else fetched, if the hub can be reached."""
    try:
        import torch

        repair()
        import sentence_transformers
        from transformers.utils import logging
    except ImportError as exc:
        raise MissingExtra("sentence-transformers", "text") from exc
    if threads is not None:
        torch.set_num_threads(threads)
    logging.disable_progress_bar()
    spec = f"sentence-transformers:{where}"
    build = partial(sentence_transformers.SentenceTransformer, where, device=device)
    try:
        return build(local_files_only=True).eval()
    except Exception as exc:  # a folder that is no model may raise anything
        if local or not isinstance(exc, OSError):
            raise _refused(spec, exc) from exc
    hub.reach(hub.endpoint(), spec=spec, instead=INSTEAD)
    try:
        return build().eval()
    except Exception as exc:  # as above
        raise _refused(spec, exc) from exc


def _beside(where: str, *, local: bool) -> dict[str, Any]:
    """What the model's files say beside its weights; nothing where they are kept in a way unknown here."""
    if local:
        at: Path | None = Path(where)
    else:
        repos = [where] if "/" in where else [f"sentence-transformers/{where}", where]
        cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
        at = next((one for repo in repos if (one := hub.fetched(repo, ["config.json"], cache=cache))), None)
    try:
        return fingerprint.beside_weights(at) if at else {}
    except (OSError, ValueError) as exc:
        raise ConfigError(f"the files of 'sentence-transformers:{where}' cannot be read: {exc}") from exc


def _refused(spec: str, why: Exception | str) -> ConfigError:
    reason = str(why).strip().partition("\n")[0].rstrip(".")[:200]
    return ConfigError(f"cannot load {spec!r}: {reason or type(why).__name__}. {INSTEAD}")
