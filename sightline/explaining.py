"""Explanations of an open collection: asks what a search asks, explains one item, keeps a trace and replays it.

Wires the search, the retriever's explanations and the pictures kept for showing; knows no door.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from retriever.accounts import Account
from retriever.explaining import explain, named, term_map
from retriever.patches import patch_map
from retriever.reasons import Explanation, TermMap
from sightline import decoding
from sightline.decoding import Picture
from sightline.errors import InputError
from sightline.filters import to_expression
from sightline.passport import PassportControl
from sightline.protocols import Store
from sightline.queries import Asked, Where, query_of
from sightline.rewrites import Rewrite
from sightline.showing import Show
from sightline.types import Like, Part, Pixels, Query, Results, Term
from sightline.versions import versions

if TYPE_CHECKING:
    from sightline.engine import Sightline

VERSION = 1
PLACES = 10  # of each channel's list, that a trace keeps
CLOSE = 1e-5  # of a score or a cosine: less is rounding


@dataclass(frozen=True, slots=True)
class Replay:
    """What asking again gave."""

    changed: tuple[str, ...]  # what the answer differs in; none: it is the same
    circumstances: tuple[str, ...]  # what else is not as it was: encoder, store, versions
    explanation: Explanation

    @property
    def same(self) -> bool:
        return not self.changed

    def to_json(self) -> dict[str, Any]:
        told = {"same": self.same, "changed": list(self.changed), "circumstances": list(self.circumstances)}
        return {**told, "explanation": self.explanation.to_json()}


class Explainer:
    """`index.explain(query, item_id, …)` says why an item is where it is; `index.explain.replay(trace)` asks again."""

    def __init__(
        self, index: Sightline, control: PassportControl, store: Store, pixels: Callable[[Part], Pixels | None]
    ) -> None:
        self._index, self._control, self._store, self._pixels = index, control, store, pixels

    def __call__(
        self,
        query: Asked,
        item_id: str,
        *,
        image: Picture | None = None,
        negative: Sequence[str] = (),
        exclude: Sequence[str] = (),
        liked: Sequence[str] = (),
        disliked: Sequence[str] = (),
        k: int = 10,
        where: Where = None,
        target: Literal["image", "text"] | None = None,
        rerank: str | None = None,
        gate: bool | None = None,
        channels: Collection[str] | None = None,
        show: Show | None = None,
        least: float | None = None,
        as_typed: bool = False,
        rewrite: str | None = None,
        maps: bool = False,
    ) -> Explanation:
        """Why an item is where it is among the hits of a search, or is none; the options are `Sightline.search`'s.

        `maps` looks where in the item's picture each term is answered, which embeds 77 cuts and copies of it. Raises
        what a search raises, and NotFound where there is no such item.
        """
        item = self._index.get(item_id)
        if where is None and isinstance(query, Query):
            where = query.where
        worded = self._index.wording.spelt(query, as_typed=as_typed)
        asked = query_of(
            worded.query, image=image, negative=negative, exclude=exclude, liked=liked, disliked=disliked, where=None,
            target=target, limits=self._index.settings.limits, resolve=lambda _: None,
        )  # fmt: skip
        options: dict[str, Any] = {"k": k, "rerank": rerank, "gate": gate}
        options |= {"channels": channels, "show": show, "least": least}
        account = Account()
        results = worded.told_with(self._index.search(asked, where=where, account=account, rewrite=rewrite, **options))
        found = explain(
            account, results, item,
            store=self._store, calibration=self._index.calibrations.current(),
        )  # fmt: skip
        if maps:
            found = replace(found, maps=self._maps(account, found))
        return replace(found, trace=self._trace(account, results, found, options))

    def picture(self, found: Explanation) -> Pixels | None:
        """The picture (height, width, 3) that the maps of an explanation are of; None where it has none."""
        part = next((one.part for one in found.maps), None)
        item = self._index.get(found.item)
        return next((self._pixels(one) for one in item.parts if one.id == part), None)

    def replay(self, trace: Mapping[str, Any]) -> Replay:
        """Ask again what a trace asked, and say what changed. Raises InputError for what is no trace."""
        try:
            if trace["version"] != VERSION:
                raise InputError(f"the trace is of version {trace['version']!r}, and this reads {VERSION}")
            item_id, sought, before = str(trace["item"]), trace["query"], trace["answer"]
            show, circumstances = trace["options"]["show"], dict(trace["circumstances"])
            options = {name: trace["options"][name] for name in ("k", "rerank", "channels", "least")}
            options["gate"] = trace["options"].get("gate")  # traces of before there was one lack it
            query = Query(
                tuple(self._term(one) for one in sought["terms"]),
                target=sought["target"],
                exclude=tuple(sought["exclude"]),
                liked=tuple(sought["liked"]),
                disliked=tuple(sought["disliked"]),
                rewrites=tuple(Rewrite.from_json(one) for one in sought.get("rewrites", ())),
            )
            where, shown = sought["where"], _shown(show) if show else None
            _changed(before, before)  # so that what it lacks is told before anything is asked
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise InputError(f"this is no trace of an explanation: {type(exc).__name__} {exc}") from exc
        again = self(query, item_id, where=where, show=shown, rewrite="", **options)
        changed = _changed(before, again.trace["answer"])
        return Replay(tuple(changed), tuple(_differences(circumstances, again.trace["circumstances"])), again)

    def _maps(self, account: Account, found: Explanation) -> tuple[TermMap, ...]:
        """Of the picture that is nearest to all that is wanted: one for that, one for each other term."""
        aim = account.asked.aims.get("image") if account.asked else None
        part_id = next((one.part for one in found.channels if one.channel == "clip"), None)
        if aim is None or part_id is None:
            return ()
        part = next((one for one in self._index.get(found.item).parts if one.id == part_id), None)
        pixels = self._pixels(part) if part and part.modality == "image" else None
        if pixels is None:
            return ()
        wanted = sum(term.weight > 0 for term in aim.terms)
        chosen = [at for at, term in enumerate(aim.terms) if term.weight < 0 or wanted > 1]
        maps = patch_map(pixels, self._index.encoder, np.concatenate([aim.wanted, aim.rows[chosen]]))  # (1 + t, dim)
        names = ["", *(("- " if aim.terms[at].weight < 0 else "") + named(aim.terms[at]) for at in chosen)]
        return tuple(term_map(name, part_id, maps, at) for at, name in enumerate(names))

    def _trace(
        self, account: Account, results: Results, found: Explanation, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """All of it as JSON: what was asked, of what, by what, and what came back."""
        asked, space, adapter = account.asked, self._index.encoder.space, self._index.adapter
        texts = self._index.text_encoder
        assert asked is not None
        query, show = asked.query, options["show"]
        rankings = account.pools[0].rankings if account.pools else {}
        channels = None if options["channels"] is None else sorted(options["channels"])
        stats = self._store.stats()
        return {
            "version": VERSION,
            "item": found.item,
            "query": {
                "terms": [_written(term) for term in query.terms],
                "where": None if query.where is None else to_expression(query.where),
                "target": query.target,
                "exclude": list(query.exclude),
                "liked": list(query.liked),
                "disliked": list(query.disliked),
                "rewrites": [one.to_json() for one in query.rewrites],
            },
            "options": {**options, "channels": channels, "show": asdict(show) if show else None},
            "circumstances": {
                "encoder": space.name,
                "fingerprint": space.fingerprint,
                **({"text encoder": texts.space.name, "its fingerprint": texts.space.fingerprint} if texts else {}),
                "adapter": adapter.digest if adapter else None,
                "store": f"{self._control.store_spec}, {stats.kind}",
                "items": stats.items,
                "parts": stats.parts,
                **versions([space.name, self._control.store_spec, *([texts.space.name] if texts else [])]),
            },
            "answer": {
                "hits": [{"id": hit.id, "score": hit.score} for hit in results],
                "channels": {
                    name: [{"id": one.item_id, "part": one.part_id, "score": one.score} for one in votes[:PLACES]]
                    for name, votes in sorted(rankings.items())
                },
                "explanation": json.loads(json.dumps(replace(found, maps=(), trace={}).to_json())),
            },
        }

    def _term(self, data: Mapping[str, Any]) -> Term:
        weight = float(data["weight"])
        if data["type"] == "text":
            return Term(str(data["text"]), weight)
        if data["type"] == "item":
            return Term(Like(str(data["id"])), weight)
        raw = base64.b64decode(str(data["image"]).rpartition(",")[2])
        return Term(decoding.pixels_of(raw, self._index.settings.limits), weight)


def _written(term: Term) -> dict[str, Any]:
    """A term as the typed list of queries has it; a picture as a PNG, which loses nothing."""
    if isinstance(term.content, str):
        return {"type": "text", "text": term.content, "weight": term.weight}
    if isinstance(term.content, Like):
        return {"type": "item", "id": term.content.item_id, "weight": term.weight}
    buffer = io.BytesIO()
    Image.fromarray(term.content).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image", "image": f"data:image/png;base64,{data}", "weight": term.weight}


def _shown(data: Mapping[str, Any]) -> Show:
    given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in data.items()}
    return Show(**given)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What two answers differ in, in sentences."""
    told = []
    was, are = ([hit["id"] for hit in one["hits"]] for one in (before, now))
    if was != are:
        at = next((n for n, (a, b) in enumerate(zip(was, are, strict=False)) if a != b), min(len(was), len(are)))
        told.append(f"the hits differ from place {at + 1} on: {_at(are, at)}, was {_at(was, at)}")
    for name in sorted({*before["channels"], *now["channels"]}):
        first, second = (
            [(one["part"], one["score"]) for one in side["channels"].get(name, ())] for side in (before, now)
        )
        if [part for part, _ in first] != [part for part, _ in second]:
            told.append(f"the channel {name} puts forward other parts, or in another order")
        elif any(abs(a - b) > CLOSE for (_, a), (_, b) in zip(first, second, strict=True)):
            told.append(f"the channel {name} scores its parts otherwise")
    one, other = before["explanation"], now["explanation"]
    names = [name for name in ("rank", "score", "relevance", "answered", "absent") if not _same(one[name], other[name])]
    return told + [f"{name} is {_said(other[name])}, was {_said(one[name])}" for name in names]


def _same(before: Any, now: Any) -> bool:
    if isinstance(before, float) and isinstance(now, float):
        return abs(before - now) <= CLOSE
    return bool(before == now)


def _said(value: Any) -> str:
    return "none" if value in (None, "") else f"{value:.6g}" if isinstance(value, float) else str(value)


def _at(ids: Sequence[str], at: int) -> str:
    return repr(ids[at]) if at < len(ids) else "nothing"


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {now.get(name, 'not there')}, was {before.get(name, 'not there')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
