"""Any vision-language model in a folder on this machine, opened as `transformers` opens it: no server, no remote code.

Says how likely "yes" is the answer to a question about a picture, writes captions and short answers. Does not know
which questions are asked why, nor whether a reply is true.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from sightline.encoders.torchvision_repair import repair
from sightline.errors import ConfigError, EngineError, MissingExtra
from sightline.mllms.asking import ANSWER_TOKENS, CAPTION, CAPTION_TOKENS, match_question, portions
from sightline.types import Pixels

_YES, _NO = ("yes", "Yes", " yes", " Yes", "YES"), ("no", "No", " no", " No", "NO")


@lru_cache(maxsize=2)
def open_local(folder: Path) -> LocalVision:
    """The model of a folder, loaded once a process. Raises ConfigError, MissingExtra."""
    return LocalVision(folder)


class LocalVision:
    """One vision-language model. Safe to share between threads: one batch runs at a time."""

    def __init__(self, folder: Path, *, device: str | None = None) -> None:
        """`folder` is laid out as `save_pretrained` leaves it; `device` None means the GPU where there is one.

        Raises ConfigError for a folder that holds no such model, MissingExtra.
        """
        torch, transformers = _libraries()
        if not (folder / "config.json").is_file():
            raise ConfigError(f"there is no vision-language model in {folder}: it has no config.json")
        self._name, self._torch = f"vlm:{folder.name}", torch  # no path: warnings reach callers of the service
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.float32 if self._device == "cpu" else torch.bfloat16
        with _loading(folder), _no_bars(transformers.utils.logging):
            opened, loading = transformers.AutoModelForImageTextToText.from_pretrained(
                folder, dtype=dtype, local_files_only=True, trust_remote_code=False, output_loading_info=True
            )
            _refuse_incomplete(loading, folder)
            self._processor = transformers.AutoProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        self._model = opened.eval().to(self._device)
        tokenizer = self._processor.tokenizer
        if not (getattr(self._processor, "chat_template", None) or tokenizer.chat_template):
            raise ConfigError(f"the model in {folder} has no chat template, so it cannot be asked anything")
        with _loading(folder):
            self._processor.apply_chat_template(self._turn("?"), add_generation_prompt=True)
        tokenizer.padding_side = "left"  # the answer begins where every row ends
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._yes, self._no = self._words(_YES), self._words(_NO)
        if not self._yes or not self._no:
            raise ConfigError(f'the model in {folder} has no single token for "yes" and for "no"')
        self._last_only = "logits_to_keep" in inspect.signature(self._model.forward).parameters
        self._one_at_a_time = Lock()

    @property
    def name(self) -> str:
        return self._name

    def yes(self, asked: Sequence[tuple[str, Pixels]]) -> list[float]:
        """For each question and picture, P(yes) of P(yes) + P(no) as its answer's first word. Raises EngineError."""
        found: list[float] = []
        for batch in portions(asked):
            with self._running():
                inputs = self._prepared(batch)
                only = {"logits_to_keep": 1} if self._last_only else {}
                logits = self._model(**inputs, **only).logits[:, -1].float()  # (n, vocabulary)
                yes, no = (logits[:, ids].logsumexp(-1) for ids in (self._yes, self._no))
                odds = (yes - no).sigmoid()
                if not self._torch.isfinite(odds).all():
                    raise ValueError("it gave no number for yes and no")
                found += odds.tolist()
        return found

    def match(self, text: str, pictures: Sequence[Pixels]) -> list[float]:
        """How likely each picture matches a text, 0-1. Raises EngineError."""
        return self.yes([(match_question(text), picture) for picture in pictures])

    def answers(self, asked: Sequence[tuple[str, Pixels]], *, max_tokens: int = ANSWER_TOKENS) -> list[str]:
        """A short answer to each question about its picture, by the likeliest next word. Raises EngineError."""
        said: list[str] = []
        for batch in portions(asked):
            with self._running():
                inputs = self._prepared(batch)
                made = self._model.generate(
                    **inputs, max_new_tokens=max_tokens, do_sample=False,
                    pad_token_id=self._processor.tokenizer.pad_token_id,
                )  # fmt: skip
                new = made[:, inputs["input_ids"].shape[1] :]
                said += [text.strip() for text in self._processor.tokenizer.batch_decode(new, skip_special_tokens=True)]
        return said

    def captions(self, pictures: Sequence[Pixels]) -> list[str]:
        """One line about each picture. Raises EngineError."""
        return self.answers([(CAPTION, picture) for picture in pictures], max_tokens=CAPTION_TOKENS)

    def _words(self, forms: Sequence[str]) -> list[int]:
        """Ids of those forms of a word that are one token."""
        tokenizer = self._processor.tokenizer
        encoded = [tokenizer.encode(form, add_special_tokens=False) for form in forms]
        return sorted({ids[0] for ids in encoded if len(ids) == 1 and ids[0] != tokenizer.unk_token_id})

    def _prepared(self, asked: Sequence[tuple[str, Pixels]]) -> dict[str, Any]:
        from PIL import Image

        texts = [self._processor.apply_chat_template(self._turn(one), add_generation_prompt=True) for one, _ in asked]
        begins = self._processor.tokenizer.bos_token
        inputs = self._processor(
            text=texts,
            images=[[Image.fromarray(picture)] for _, picture in asked],
            padding=True,
            return_tensors="pt",
            add_special_tokens=not (begins and texts[0].startswith(begins)),
        )
        return dict(inputs.to(self._device))

    def _turn(self, question: str) -> list[dict[str, Any]]:
        """One user turn: the picture, then the question, in which no word of the caller stands for a picture."""
        tokenizer = self._processor.tokenizer
        marks = {*tokenizer.all_special_tokens, getattr(self._processor, "image_token", None)}
        for mark in marks:
            question = question.replace(mark, " ") if mark else question
        return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        try:
            with self._one_at_a_time, self._torch.inference_mode():
                yield
        except Exception as exc:  # models, templates and tokenizers share no error of their own
            raise EngineError(f"{self._name} failed: {_sentence(exc)}") from exc


def _libraries() -> tuple[Any, Any]:
    try:
        import torch

        repair()
        import transformers
    except ModuleNotFoundError as exc:
        raise MissingExtra(exc.name or "transformers", "vlm") from exc
    return torch, transformers


def _refuse_incomplete(loading: Mapping[str, Any], folder: Path) -> None:
    """Raise ConfigError where weights were not in the file: transformers draws them by lot and goes on."""
    lost = sorted({*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])})
    if lost:
        raise ConfigError(f"the model in {folder} lacks {len(lost)} of its weights, {lost[0]} among them")


@contextlib.contextmanager
def _loading(folder: Path) -> Iterator[None]:
    try:
        yield
    except ConfigError:
        raise
    except Exception as exc:  # safetensors, jinja2 and transformers share no ancestor of their own
        raise ConfigError(f"cannot open the vision-language model in {folder}: {_sentence(exc)}") from exc


@contextlib.contextmanager
def _no_bars(logging: Any) -> Iterator[None]:
    """Loading draws no progress bars meanwhile: they would run through the output of whoever called."""
    drawn = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            logging.enable_progress_bar()


def _sentence(exc: BaseException) -> str:
    """The first line of what went wrong, cut short."""
    return (str(exc).strip() or type(exc).__name__).splitlines()[0][:200]
