"""A small vision-language model from ONNX files, run by onnxruntime on the CPU: the starter's, without torch.

The folder is laid out as `save_pretrained` leaves it, with two graphs beside it that read their weights from the same
`model.safetensors`: `eye.onnx` (`pixels` (n, 3, S, S) -> `places` (n, p, width)) and `words.onnx` (`places`, `tokens`
(n, t) padded at the end, `last` (n,) -> `logits` (n, vocabulary) after each row's token `last`). Does not know how any
of them was made, nor why a question is asked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.encoders.content import normalised
from sightline.encoders.onnx import session_of, tokenizer_of
from sightline.errors import ConfigError, EngineError
from sightline.mllms.asking import ANSWER_TOKENS, CAPTION, CAPTION_TOKENS, match_question, portions
from sightline.types import Pixels

FILES = ("eye.onnx", "words.onnx", "model.safetensors", "tokenizer.json", "processor_config.json", "config.json")


@lru_cache(maxsize=1)
def open_starter() -> OnnxVision:
    """The model that ships with Sightline, loaded once a process."""
    return OnnxVision(Path(str(files("sightline.mllms") / "starter")), name="vlm:starter")


class OnnxVision:
    """One vision-language model. Safe to share between threads."""

    def __init__(self, folder: Path, *, name: str, threads: int | None = None) -> None:
        """`threads` None means all cores. Raises ConfigError for a folder that holds no such model."""
        missing = [file for file in FILES if not (folder / file).is_file()]
        if missing:
            raise ConfigError(f"no vision-language model for onnxruntime in {folder}: {', '.join(missing)} missing")
        self._folder, self._name = folder, name
        self._tokenizer = tokenizer_of(folder / "tokenizer.json")
        self._eye, self._words = (session_of(folder / f"{part}.onnx", threads) for part in ("eye", "words"))
        seen = _read(folder / "processor_config.json")["image_processor"]
        self._side = int(seen["size"]["height"])
        self._mean, self._std = tuple(seen["image_mean"]), tuple(seen["image_std"])
        told = _read(folder / "config.json")
        self._end = int(told["text_config"]["eos_token_id"])
        self._longest = int(told["text_config"]["max_position_embeddings"]) - int(told["image_seq_length"])
        self._special = [token for token in self._tokenizer.get_added_tokens_decoder().values() if token.special]
        self._yes, self._no = (self._ids(word) for word in ("yes", "no"))

    @property
    def name(self) -> str:
        return self._name

    def yes(self, asked: Sequence[tuple[str, Pixels]]) -> list[float]:
        """For each question and picture, P(yes) of P(yes) + P(no) as its answer's first word. Raises EngineError."""
        found: list[float] = []
        for batch in portions(asked):
            logits = self._next(self._seen(batch), [self._question(text) for text, _ in batch])
            yes, no = (np.logaddexp.reduce(logits[:, ids], axis=1) for ids in (self._yes, self._no))
            found += (1 / (1 + np.exp(no - yes))).tolist()
        return found

    def match(self, text: str, pictures: Sequence[Pixels]) -> list[float]:
        """How likely each picture matches a text, 0-1. Raises EngineError."""
        return self.yes([(match_question(text), picture) for picture in pictures])

    def answers(self, asked: Sequence[tuple[str, Pixels]], *, max_tokens: int = ANSWER_TOKENS) -> list[str]:
        """A short answer to each question about its picture, by the likeliest next word. Raises EngineError."""
        said: list[str] = []
        for batch in portions(asked):
            places, rows = self._seen(batch), [self._question(text) for text, _ in batch]
            begun = [len(row) for row in rows]
            open_ones = list(range(len(rows)))
            for _ in range(max_tokens):
                following = self._next(places[open_ones], [rows[at] for at in open_ones]).argmax(axis=1)
                for at, token in zip(open_ones, following.tolist(), strict=True):
                    rows[at] = [*rows[at], token]
                open_ones = [at for at in open_ones if rows[at][-1] != self._end]
                if not open_ones:
                    break
            said += [self._tokenizer.decode(row[start:]).strip() for row, start in zip(rows, begun, strict=True)]
        return said

    def captions(self, pictures: Sequence[Pixels]) -> list[str]:
        """One line about each picture. Raises EngineError."""
        return self.answers([(CAPTION, picture) for picture in pictures], max_tokens=CAPTION_TOKENS)

    def _question(self, text: str) -> list[int]:
        """Tokens of a question, cut where it is too long; no word of the caller stands for anything special."""
        for token in self._special:
            text = text.replace(token.content, " ")
        return list(self._tokenizer.encode(f"{text}\n", add_special_tokens=False).ids[: self._longest - CAPTION_TOKENS])

    def _seen(self, asked: Sequence[tuple[str, Pixels]]) -> NDArray[np.float32]:
        side = self._side
        shown = [media.resize(picture, side, mode="squash", interpolation="bicubic") for _, picture in asked]
        return self._run(self._eye, "places", {"pixels": normalised(shown, mean=self._mean, std=self._std)})

    def _next(self, places: NDArray[np.float32], rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(n, vocabulary): how likely each token comes after each row, as logits."""
        tokens = np.zeros((len(rows), max(map(len, rows))), np.int64)
        for at, row in enumerate(rows):
            tokens[at, : len(row)] = row
        last = np.array([len(row) - 1 for row in rows], np.int64)
        return self._run(self._words, "logits", {"places": places, "tokens": tokens, "last": last})

    def _run(self, session: Any, output: str, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        try:
            made: NDArray[np.float32] = session.run([output], inputs)[0]
        except Exception as exc:  # onnxruntime's errors share no ancestor of their own
            raise EngineError(f"{self._name} failed: {str(exc).strip().partition(chr(10))[0][:200]}") from exc
        if not np.isfinite(made).all():
            raise EngineError(f"{self._name} failed: it gave no numbers")
        return made

    def _ids(self, word: str) -> list[int]:
        """The forms of a word that are one token, as `sightline.mllms.local` counts them."""
        forms = (word, word.capitalize(), f" {word}", f" {word.capitalize()}", word.upper())
        encoded = [self._tokenizer.encode(form, add_special_tokens=False).ids for form in forms]
        found = sorted({ids[0] for ids in encoded if len(ids) == 1})
        if not found:
            raise ConfigError(f'the model in {self._folder} has no single token for "{word}"')
        return found


def _read(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc
    return told
