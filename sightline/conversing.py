"""`Conversation`: a search that goes on: what is said next, liked or disliked is read against the hits before.

Knows `Sightline` and the turns of `retriever.refining`; keeps nothing anywhere, for a turn is all there is to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from retriever import Turn
from sightline import filters
from sightline.decoding import Picture
from sightline.engine import Sightline
from sightline.filters import And, Filter
from sightline.queries import Where, tree_of
from sightline.showing import Show
from sightline.types import Results

__all__ = ["Conversation", "Turn"]


class Conversation:
    """A search in several turns. `turn` is what it has come to: hand it to another Conversation to go on there.

        talk = Conversation(index)
        talk.say("red mug")
        talk.say("the same but in blue")
        talk.like("mug-014")
        talk.say("cheaper")

    The options are those of `Sightline.search`, the same for every turn.
    """

    def __init__(
        self,
        index: Sightline,
        before: Turn | None = None,
        *,
        image: Picture | None = None,
        exclude: Sequence[str] = (),
        k: int = 10,
        where: Where = None,
        target: Literal["image", "text"] | None = None,
        rerank: str | None = None,
        gate: bool | None = None,
        show: Show | None = None,
        least: float | None = None,
        as_typed: bool = False,
        rewrite: str | None = None,
    ) -> None:
        self.turn = before or Turn()
        self._index = index
        self._image = image
        self._exclude = exclude
        self._k = k
        self._where = where
        self._target = target
        self._rerank, self._gate = rerank, gate
        self._show = show or Show()
        self._least = least
        self._as_typed, self._rewrite = as_typed, rewrite

    def say(self, text: str) -> Results:
        """The hits after this is said: "cheaper", "under 50", "in blue", "without stripes", "not the third", …

        What is not understood starts a new search, and the results warn of it. Raises InputError as a search does.
        """
        refined = self._index.refine(text, self.turn)
        found = self._search(refined.turn)
        return replace(found, warnings=(*refined.warnings, *found.warnings))

    def like(self, *ids: str) -> Results:
        """The hits after these items were liked."""
        return self._search(self.turn.judged(liked=ids))

    def dislike(self, *ids: str) -> Results:
        """The hits after these items were disliked; they are shown no more."""
        return self._search(self.turn.judged(disliked=ids))

    def again(self) -> Results:
        """The hits of the turn as it stands."""
        return self._search(self.turn)

    def _search(self, turn: Turn) -> Results:
        """The hits of a turn, which becomes that of the conversation once they are found."""
        found = self._index.search(
            turn.query or None,
            image=self._image,
            negative=turn.negative,
            exclude=self._exclude,
            liked=turn.liked,
            disliked=turn.disliked,
            k=self._k,
            where=self._within(turn),
            target=self._target,
            rerank=self._rerank,
            gate=self._gate,
            show=replace(self._show, sort=turn.sort) if turn.sort else self._show,
            least=self._least,
            as_typed=self._as_typed,
            rewrite=self._rewrite,
        )
        self.turn = replace(turn, shown=tuple(hit.id for hit in found))
        return found

    def _within(self, turn: Turn) -> Filter | None:
        """The caller's filter and the turn's bounds of prices, all of them."""
        bounds = tuple(filters.parse(bound) for bound in (turn.above, turn.below) if bound)
        given = tree_of(self._where)
        every = bounds if given is None else (given, *bounds)
        return And(every) if len(every) > 1 else every[0] if every else None
