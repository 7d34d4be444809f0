"""Many questions about one picture in one row: each sees the picture and itself, none sees another.

So the picture's places are read once a row, not once a question. Knows tokens and masks; knows nothing of sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from sightline.mllms.asking import match_question
from training.mllm.questions import Lesson


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch of b rows, each a picture's places (p) and then its questions with answers (t tokens, padded)."""

    tokens: Tensor  # (b, t) int64
    positions: Tensor  # (b, p + t): every question begins right after the picture
    bias: Tensor  # (b, 1, p + t, p + t): 0 where a token may look, far below it elsewhere
    rows: Tensor  # (m,) of the m tokens to be foretold: which row
    places: Tensor  # (m,) the place, in p + t, of the token before each
    wanted: Tensor  # (m,) the token
    first: Tensor  # (m,) bool: whether it is an answer's first
    heard: Tensor  # (m,) bool: whether it is a word of a true text that is asked about, not of an answer
    so_far: Tensor  # (s, 3): row, place in p + t, and whether the text asked about is true up to there


class Tongue:
    """Turns lessons into tokens and keeps what it has turned."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.end = tokenizer, int(tokenizer.eos_token_id)
        self._known: dict[str, list[int]] = {}

    def question(self, text: str) -> list[int]:
        return self._ids(text + "\n")

    def asked(self, lesson: Lesson) -> tuple[int, int]:
        """Where the text asked about begins and ends among the question's tokens; (0, 0) where there is none."""
        if not lesson.text:
            return 0, 0
        tokens, frame = self.question(lesson.question), self.question(match_question(""))
        begin, end = _alike(tokens, frame), _alike(tokens[::-1], frame[::-1])
        return begin, len(tokens) - end

    def true_until(self, lesson: Lesson) -> int:
        """How many of the question's tokens, from its start, agree with a true text."""
        tokens = self.question(lesson.question)
        return max((_alike(tokens, self.question(match_question(text))) for text in lesson.truths), default=0)

    def answer(self, text: str) -> list[int]:
        return [*self._ids(text), self.end]

    def words(self, text: str) -> list[int]:
        return self._ids(" " + text)

    def _ids(self, text: str) -> list[int]:
        if text not in self._known:
            if len(self._known) > 400_000:
                self._known.clear()
            self._known[text] = self.tokenizer.encode(text, add_special_tokens=False)
        return self._known[text]


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def pack(tongue: Tongue, lessons: Sequence[Sequence[Lesson]], places: int) -> Packed:
    """One row a picture. A row's questions are padded at its end to the longest row of the batch."""
    turned = [[(one, tongue.question(one.question), tongue.answer(one.answer)) for one in own] for own in lessons]
    length = max(sum(len(asked) + len(said) for _, asked, said in own) for own in turned)
    b, whole = len(turned), places + length
    tokens = torch.zeros(b, length, dtype=torch.int64)
    positions = torch.arange(whole).repeat(b, 1)
    group = torch.full((b, whole), -1)  # which question a token belongs to; 0 is the picture, -1 padding
    group[:, :places] = 0
    foretold: list[tuple[int, int, int, bool, bool]] = []  # row, place before, token, first, heard
    so_far: list[tuple[int, int, bool]] = []
    for row, own in enumerate(turned):
        at = 0
        for number, (lesson, asked, said) in enumerate(own, start=1):
            both = asked + said
            span = slice(places + at, places + at + len(both))
            tokens[row, at : at + len(both)] = torch.tensor(both)
            positions[row, span] = torch.arange(places, places + len(both))
            group[row, span] = number
            begins = places + at
            end = begins + len(asked)
            foretold += [(row, end + i - 1, token, i == 0, False) for i, token in enumerate(said)]
            start, stop = tongue.asked(lesson)
            if lesson.answer == "yes":
                foretold += [(row, begins + i - 1, asked[i], False, True) for i in range(start, stop)]
                so_far += [(row, begins + i, True) for i in range(start, stop)]
            elif lesson.truths:
                true = tongue.true_until(lesson)
                so_far += [(row, begins + i, i < true) for i in range(start, stop)]
            at += len(both)
    causal = torch.ones(whole, whole, dtype=torch.bool).tril()
    same = (group[:, :, None] == group[:, None, :]) | (group[:, None, :] == 0)
    bias = torch.where(causal & same, 0.0, -1e4)[:, None]
    row_of, before, wanted = torch.tensor([one[:3] for one in foretold]).T
    first, heard = torch.tensor([one[3:] for one in foretold]).T
    told = torch.tensor(so_far, dtype=torch.int64).reshape(-1, 3)
    return Packed(tokens, positions, bias, row_of, before, wanted, first, heard, told)


def named(model: Any, tongue: Tongue, maps: Tensor, texts: Sequence[str]) -> Tensor:
    """How badly the places of each picture, straight from the projector, name the words of a text true of it.

    A place that names a word best speaks for the picture. It costs next to nothing, and a place comes to look like the
    words for what it shows; a small decoder that has to find this out by answering alone stays blind for long.
    """
    seen = model.model.multi_modal_projector(maps.flatten(2).permute(0, 2, 1))  # (b, p, width)
    spoken = model.lm_head(seen).float().logsumexp(1).log_softmax(-1)  # (b, vocabulary)
    wanted = torch.zeros_like(spoken)
    for row, text in enumerate(texts):
        wanted[row, list(set(tongue.words(text)))] = 1.0
    return -(spoken * wanted / wanted.sum(1, keepdim=True)).sum(1).mean()


class Facets(torch.nn.Module):
    """Reads the facets of a picture off its places; needed in training only.

    A drawn product's two colours are both in its picture whichever way round they are. Told which is which, the
    projector keeps it in its places; left to find out from yes and no alone, it does not for very long.
    """

    def __init__(self, width: int, known: Mapping[str, Sequence[str]]) -> None:
        """`known`: facet -> its words."""
        super().__init__()
        self.known = {facet: {word: at for at, word in enumerate(words)} for facet, words in known.items()}
        self.heads = torch.nn.ModuleDict(
            {facet: torch.nn.Linear(2 * width, len(words)) for facet, words in known.items()}
        )

    def loss(self, model: Any, maps: Tensor, facets: Sequence[Mapping[str, str]]) -> Tensor:
        """Mean over the facets of maps (b, width, side, side)."""
        seen = model.model.multi_modal_projector(maps.flatten(2).permute(0, 2, 1))  # (b, p, width)
        pooled = torch.cat([seen.mean(1), seen.amax(1)], 1)
        found = []
        for facet, words in self.known.items():
            rows = [row for row, own in enumerate(facets) if own.get(facet) in words]
            if rows:
                wanted = torch.tensor([words[facets[row][facet]] for row in rows])
                found.append(fn.cross_entropy(self.heads[facet](pooled[rows]).float(), wanted))
        return torch.stack(found).mean() if found else pooled.sum() * 0


def foretold(model: Any, packed: Packed, maps: Tensor) -> Tensor:
    """Logits (m, vocabulary) for the wanted tokens; `maps` are the eye's (b, width, side, side)."""
    states = thought(model, packed, maps)
    logits: Tensor = model.lm_head(states[packed.rows, packed.places])
    return logits


def thought(model: Any, packed: Packed, maps: Tensor) -> Tensor:
    """The decoder's last states (b, p + t, width)."""
    seen = model.model.multi_modal_projector(maps.flatten(2).permute(0, 2, 1))  # (b, p, width)
    words = model.model.language_model.embed_tokens(packed.tokens)
    states: Tensor = model.model.language_model(
        inputs_embeds=torch.cat([seen.to(words.dtype), words], 1),
        attention_mask=packed.bias.to(words.dtype),
        position_ids=packed.positions,
        use_cache=False,
    ).last_hidden_state
    return states
