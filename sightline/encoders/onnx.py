"""An encoder from a folder of ONNX files, run by onnxruntime on the CPU: the starter, and any folder laid out alike.

The folder holds `image.onnx` (`pixels` float32 (n, 3, S, S) -> `vectors` (n, dim)), `text.onnx` (`tokens` int64 (n, L),
padded -> `vectors`), `tokenizer.json` and `config.json`. Does not know how any of them was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from sightline import media
from sightline.complaints import complaint
from sightline.encoders import fingerprint
from sightline.encoders.content import embed, in_batches, normalised, split_long
from sightline.errors import ConfigError, EngineError
from sightline.types import DEVICE, Content, Pixels, Space, Vectors

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

FILES = ("image.onnx", "text.onnx", "tokenizer.json", "config.json")


class ImageConfig(BaseModel):
    """How a picture becomes `pixels`."""

    size: int = Field(gt=0)  # pixels a side
    resize: Literal["squash", "shortest"]
    interpolation: Literal["bicubic", "bilinear"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class TextConfig(BaseModel):
    """How a text becomes `tokens`."""

    context: int = Field(gt=2)  # tokens, special ones included
    pad_id: int = Field(ge=0)


class OnnxConfig(BaseModel):
    """`config.json`. What is not listed here is for people to read."""

    name: str
    version: str | int
    dim: int = Field(gt=0)
    image: ImageConfig
    text: TextConfig
    licence: str
    trained_on: str | list[str] = ""
    figures: dict[str, Any] = {}

    @classmethod
    def read(cls, folder: Path) -> OnnxConfig:
        """Raises ConfigError when the file is not there or a key of it is wrong."""
        path = folder / "config.json"
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as exc:
            raise ConfigError(f"{path} cannot be read: {exc.strerror}") from exc
        except ValidationError as exc:
            first = exc.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the file"
            raise ConfigError(f"{path} is no encoder configuration: {key} {complaint(first)}") from exc


class OnnxEncoder:
    """Pictures and texts in one space. Safe to share between threads; loads each model when it is first needed."""

    def __init__(self, folder: Path, *, name: str, threads: int | None = None) -> None:
        """`name` is the spec that opens it again; `threads` None means all cores. Raises ConfigError."""
        missing = [file for file in FILES if not (folder / file).is_file()]
        if missing:
            raise ConfigError(f"no encoder in {folder}: {', '.join(missing)} missing")
        self._folder, self._threads = folder, threads
        self._config = OnnxConfig.read(folder)
        self._tokenizer = tokenizer_of(folder / "tokenizer.json")
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._loading = Lock()
        settings = self._config.model_dump(include={"dim", "image", "text"})
        printed = self._fingerprint(settings)
        made_of = {**printed.made_of, DEVICE: "cpu"}
        self._space = Space(name, self._config.dim, printed.fingerprint, made_of=made_of)

    @property
    def space(self) -> Space:
        return self._space

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._folder

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        """(n, dim) unit rows, one a content, in order. Raises InputError, EngineError; see `content.embed`."""
        return embed(contents, space=self._space, texts=self._texts, pictures=self._pictures, windows=self._windows)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        """Like `encode_documents`: such an encoder knows no prompts, an instruction changes nothing."""
        return self.encode_documents(contents)

    def _fingerprint(self, settings: dict[str, Any]) -> fingerprint.Printed:
        try:
            return fingerprint.of_files([self._folder / name for name in FILES[:3]], settings)
        except OSError as exc:
            raise ConfigError(f"{exc.filename} cannot be read: {exc.strerror}") from exc

    @property
    def most_tokens(self) -> int | None:
        """Of one text, special ones included; longer ones are read in windows."""
        return self._config.text.context

    def count_tokens(self, text: str) -> int:
        """Of a whole text, special ones included."""
        return len(self._tokenizer.encode(text).ids)

    def _windows(self, text: str) -> list[tuple[str, int]]:
        return split_long(text, limit=self._config.text.context, count=self.count_tokens)

    def _texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        ids = [encoding.ids[: self._config.text.context] for encoding in self._tokenizer.encode_batch(list(texts))]
        return in_batches(ids, self._text_batch, size=len)

    def _text_batch(self, ids: Sequence[list[int]]) -> NDArray[np.float32]:
        tokens = np.full((len(ids), max(map(len, ids))), self._config.text.pad_id, dtype=np.int64)  # (n, L)
        for row, line in zip(tokens, ids, strict=True):
            row[: len(line)] = line
        return self._run("text", {"tokens": tokens})

    def _pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        return in_batches(pictures, self._picture_batch)

    def _picture_batch(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        to = self._config.image
        resized = [media.resize(p, to.size, mode=to.resize, interpolation=to.interpolation) for p in pictures]
        return self._run("image", {"pixels": normalised(resized, mean=to.mean, std=to.std)})

    def _run(self, tower: Literal["image", "text"], inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        session = self._session(tower)
        try:
            vectors: NDArray[np.float32] = session.run(["vectors"], inputs)[0]
        except Exception as exc:  # onnxruntime's errors share no ancestor of their own
            raise EngineError(f"{self._folder / tower}.onnx could not embed its input: {_first_line(exc)}") from exc
        if vectors.shape[1:] != (self._config.dim,):
            raise ConfigError(f"{tower}.onnx gives {vectors.shape[1:]}, config.json says dim {self._config.dim}")
        return vectors

    def _session(self, tower: str) -> onnxruntime.InferenceSession:
        with self._loading:
            if tower not in self._sessions:
                self._sessions[tower] = session_of(self._folder / f"{tower}.onnx", self._threads)
            return self._sessions[tower]


def session_of(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """A graph ready to run; `threads` None means one a core. Raises ConfigError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: one a core
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # 1.5 times as fast on a busy machine
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime's errors share no ancestor of their own
        raise ConfigError(f"{path} is damaged or no ONNX model: {_first_line(exc)}") from exc


def tokenizer_of(path: Path) -> Tokenizer:
    """A tokenizer that neither pads nor cuts. Raises ConfigError."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises plain Exception
        raise ConfigError(f"{path} is damaged or no tokenizer: {_first_line(exc)}") from exc
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _first_line(exc: Exception) -> str:
    return str(exc).strip().partition("\n")[0][:200]
