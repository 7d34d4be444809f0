"""A cross-encoder that reads a query and a hit together and says whether they belong together: by words, or by
pictures too.

Knows nothing of indexes or of how hits are ordered. What a model is told beside the two, its own folder says.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image

from sightline.encoders import hub
from sightline.encoders.torchvision_repair import repair
from sightline.errors import ConfigError, EngineError, EngineTimeout, MissingExtra
from sightline.rerankers.reading import Asked, PictureOf, asked_of, pictures_of, words_of
from sightline.types import Hit, Pixels, Query

STEP = 8  # pairs in one batch, and between two looks at the clock
WORDS_CHARS = 2000  # of a hit and of a query: some 500 tokens, which is all that most of them read
INSTEAD = "Give a folder on this machine instead: cross-encoder:/path/to/model"

Side = Mapping[str, Any]  # what stands on one side of a pair: "text", "image", or both


@lru_cache(maxsize=2)
def open_cross_encoder(spec: str) -> CrossEncoder:
    """The model of `cross-encoder:FOLDER`, or of a name on the hub, loaded once a process.

    A name may be followed by `@REVISION`. Raises ConfigError, MissingExtra.
    """
    return CrossEncoder(spec.removeprefix("cross-encoder:"))


class CrossEncoder:
    """One cross-encoder. Safe to share between threads: one batch runs at a time."""

    def __init__(self, reference: str, *, device: str | None = None) -> None:
        """`reference` is a folder or a name on the hub; `device` None means the GPU where there is one.

        Raises ConfigError for what is no cross-encoder, MissingExtra.
        """
        folder = Path(reference).expanduser()
        self._name = f"cross-encoder:{folder.name if folder.is_dir() else reference}"  # no path: callers see it
        self._model = _loaded(reference, device)
        self._pictures = "message" in self._model.modalities and self._model.supports("image")
        if self._model.num_labels > 2:
            raise ConfigError(f"{self._name} sorts pairs into {self._model.num_labels} classes: it is no reranker")
        self._marks = _marks(self._model)
        self._one_at_a_time = Lock()
        with _refusing(reference):
            self.scores([({"text": "a"}, {"text": "b"})])

    @property
    def name(self) -> str:
        return self._name

    @property
    def sees(self) -> bool:
        """Whether it reads pictures as well as words."""
        return self._pictures

    def scores(self, pairs: Sequence[tuple[Side, Side]]) -> list[float]:
        """For each pair of a query's side and a hit's, the log-odds that they belong together. Raises EngineError."""
        import torch

        given = [(self._side(asked), self._side(read)) for asked, read in pairs]
        try:
            with self._one_at_a_time:
                made = self._model.predict(
                    given, batch_size=STEP, activation_fn=torch.nn.Identity(), show_progress_bar=False
                )
        except Exception as exc:  # models, templates and tokenizers share no error of their own
            raise EngineError(f"{self._name} failed: {_sentence(exc)}") from exc
        scores = [float(row[1] - row[0] if getattr(row, "ndim", 0) and len(row) == 2 else row) for row in made]
        if not all(map(math.isfinite, scores)):
            raise EngineError(f"{self._name} failed: it gave no number")
        return scores

    def _side(self, side: Side) -> Any:
        """A side as the model takes it: in a plain string it might take a path or an address for a picture to open."""
        plain = {kind: self._unmarked(value) if kind == "text" else value for kind, value in side.items()}
        return plain if self._pictures else plain["text"]

    def _unmarked(self, text: str) -> str:
        """The text, in which no word of the caller stands for a picture, a turn or an end."""
        for mark in self._marks:
            text = text.replace(mark, " ")
        return text


class CrossEncoderReranker:
    """Judges hits by their words, and by their pictures where the model sees; says nothing of a hit without either."""

    def __init__(self, model: CrossEncoder, picture: PictureOf, *, timeout_s: float) -> None:
        """`timeout_s` is for all hits of one query; it is held to a few pairs."""
        self._model, self._picture, self._timeout_s = model, picture, timeout_s

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def alone(self) -> bool:
        """Each hit is judged by itself, whatever stands beside it."""
        return True

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        """By hit the log-odds of belonging together, less those of what is unwanted.

        Where a region answers and the model sees, the mean of the two with the picture and with the region; what is
        unwanted is held against the whole picture alone.
        Raises EngineTimeout; EngineError for a query with a picture where the model reads words only, for one with
        several pictures or with nothing that is wanted, and when the model fails.
        """
        wanted, unwanted = self._sides(asked_of(query))
        until = time.monotonic() + self._timeout_s
        read = {at: sides for at, hit in enumerate(hits) if (sides := self._read(hit))}
        odds = dict.fromkeys(read, 0.0)
        each = [(at, side) for at, sides in read.items() for side in sides]
        for (at, _), one in zip(each, self._scores(wanted, [side for _, side in each], until), strict=True):
            odds[at] += one / len(read[at])
        for against in unwanted:
            for at, one in zip(read, self._scores(against, [sides[0] for sides in read.values()], until), strict=True):
                odds[at] -= one
        return [odds.get(at) for at in range(len(hits))]

    def _sides(self, asked: Asked) -> tuple[Side, list[Side]]:
        if not asked.of_words and not self._model.sees:
            raise EngineError(f"{self.name} reads words, and this query is not of words alone")
        if len(asked.pictures) > 1 or not (asked.text.strip() or asked.pictures):
            raise EngineError(f"{self.name} reads words and one picture, and this query asks for something else")
        against = [_side(text, None) for text in asked.unwanted]
        against += [_side("", shown) for shown in asked.unwanted_pictures]
        return _side(asked.text, asked.pictures[0] if asked.pictures else None), against

    def _read(self, hit: Hit) -> list[Side]:
        """The hit's side of a pair, and again with the region that answers for its picture; [] with nothing to read."""
        words, seen = words_of(hit, chars=WORDS_CHARS), pictures_of(hit, self._picture) if self._model.sees else ()
        return [side for one in seen or (None,) if (side := _side(words, one))]

    def _scores(self, asked: Side, read: Sequence[Side], until: float) -> list[float]:
        scores: list[float] = []
        for start in range(0, len(read), STEP):
            if time.monotonic() >= until:
                raise EngineTimeout(f"{self.name} did not judge the hits within {self._timeout_s:g} s")
            scores += self._model.scores([(asked, one) for one in read[start : start + STEP]])
        return scores


def _side(text: str, picture: Pixels | None) -> Side:
    """The picture before the words, as rerankers that read both were trained."""
    shown: dict[str, Any] = {} if picture is None else {"image": Image.fromarray(picture)}
    return shown | ({"text": text[:WORDS_CHARS]} if text.strip() else {})


def _loaded(reference: str, device: str | None) -> Any:
    """The model from its folder or the cache, else fetched, if the hub can be reached."""
    try:
        import torch

        repair()
        import sentence_transformers
        from transformers.utils import logging as bars
    except ImportError as exc:
        raise MissingExtra("sentence-transformers", "text") from exc
    folder = Path(reference).expanduser()
    local = bool(reference) and folder.is_dir()
    if not reference or (reference[0] in "/.~" and not local):
        raise ConfigError(f"there is no folder {reference!r} with a cross-encoder. Take cross-encoder:FOLDER or a name")
    if local and not hub.is_model(folder):
        lacking = "it has neither a modules.json nor a config.json"
        raise ConfigError(f"cannot load 'cross-encoder:{reference}': {lacking}. {INSTEAD}")
    name, _, revision = (str(folder.resolve()), "", "") if local else reference.partition("@")
    on_cpu = (device or ("cuda" if torch.cuda.is_available() else "cpu")) == "cpu"
    build = partial(
        sentence_transformers.CrossEncoder, name, device=device, revision=revision or None,
        model_kwargs={"dtype": torch.float32 if on_cpu else "auto"},
    )  # fmt: skip
    bars.disable_progress_bar()
    with _refusing(reference), _whole(reference):
        try:
            return build(local_files_only=True).eval()
        except OSError:
            if local:
                raise
        hub.reach(hub.endpoint(), spec=f"cross-encoder:{reference}", instead=INSTEAD)
        return build().eval()


class _Heard(logging.Handler):
    """Keeps what is said instead of printing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextlib.contextmanager
def _whole(reference: str) -> Iterator[None]:
    """Refuse what lacks weights, as an encoder lacks those that judge: transformers draws them by lot, warns, goes on.

    It tells so in its log alone, which is listened to meanwhile, and not printed.
    """
    heard = _Heard()
    loggers = [logging.getLogger(name) for name in ("transformers", "sentence_transformers")]
    before = [(one, one.handlers, one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.handlers, one.propagate = [heard], False
        one.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for one, handlers, propagate, level in before:
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)
    if any("newly initialized" in line for line in heard.said):
        raise ConfigError(
            f"'cross-encoder:{reference}' is no reranker: it lacks weights, those that judge a pair as a rule. "
            "Encoders are given with --encoder, vision-language models as --rerank vlm:FOLDER"
        )


@contextlib.contextmanager
def _refusing(reference: str) -> Iterator[None]:
    try:
        yield
    except ConfigError:
        raise
    except Exception as exc:  # a folder that is no model may raise anything
        unfit = "Unrecognized configuration class" in str(exc)  # of the kind that judges pairs
        why = "it is no cross-encoder; a vision-language model is opened as vlm:FOLDER" if unfit else _sentence(exc)
        raise ConfigError(f"cannot load 'cross-encoder:{reference}': {why}. {INSTEAD}") from exc


def _marks(model: Any) -> list[str]:
    """The words that stand for something else than themselves, longest first."""
    kinds = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    found = {*model.tokenizer.all_special_tokens, *(getattr(model.processor, kind, None) for kind in kinds)}
    return sorted((str(mark) for mark in found if mark), key=len, reverse=True)


def _sentence(exc: BaseException) -> str:
    """The first line of what went wrong, cut short."""
    return (str(exc).strip() or type(exc).__name__).splitlines()[0][:200].rstrip(".")
