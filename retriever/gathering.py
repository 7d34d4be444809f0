"""From a plan to fused hits: ask the channels, fuse their lists by rank, read the items, and say what was found.

Knows the channels and the store; knows nothing of what is done with the hits.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from retriever import evidence as proof
from retriever.accounts import Account, Pool
from retriever.channels import SEES, nearest
from retriever.cursors import MOST_SHOWN
from retriever.evidence import Evidence
from retriever.feedback import FIELDS, by_fields
from retriever.fusion import PEERS, RRF_K, Fused, Vote, fuse, lent
from retriever.regions import located
from retriever.terms import Aim, Terms, emphasis, unsupported
from retriever.words import ALL, SAID, SAYS, Said, by_words, said, saying_all
from sightline.filters import And, Compare, HasId, Or, matches, same, values_of
from sightline.protocols import Encoder, Store
from sightline.types import Hit, Item, Modality, Part, Query

# Items each channel puts forward, at least: those beyond the first 100 hardly move a sum of 1 / (60 + place). Deeper
# hits come from larger pools and stand behind those of smaller ones, so that fewer hits are always the first of more.
POOLS = (100, 1_000, 10_000, MOST_SHOWN)
TELLING = 3  # items, of those that say the words best, that are read to know the fields of such items
PARTS_SHOWN = 8  # parts a hit carries at most
MOST = 0.999  # of the emphasis of what is wanted most: those words are what is asked for


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked, of what, and how much each channel counts."""

    query: Query
    terms: Terms
    weights: Mapping[str, float]
    aims: Mapping[Modality, Aim]  # none: no wanted term has a vector
    store: Store
    encoder: Encoder
    proven: bool = False  # whether evidence is wanted
    count: int = 0  # hits to come out of fusion
    account: Account = field(default_factory=Account)

    def located(self, hits: Sequence[Hit]) -> tuple[Hit, ...]:
        """The hits, their pictures with the box of the region that answers best."""
        return located(hits, self.aims, self.store)


@dataclass(frozen=True, slots=True)
class Found:
    """What the channels put forward: each one's list, those that found nothing left out, and who says the words."""

    rankings: Mapping[str, list[Vote]]
    said: Said | None = None  # None: words were not asked


def gather(plan: Plan) -> tuple[list[Hit], bool, Evidence | None]:
    """The first `plan.count` hits, or all, whether there may be more, and the evidence of the first pool."""
    hits: list[Hit] = []
    evidence: Evidence | None = None
    plan.account.pools.clear()
    for pool in POOLS:
        deep = replace(plan, count=min(plan.count, pool))
        asked = _asked_channels(deep, pool)
        rankings, plan.account.said = asked.rankings, asked.said
        if plan.proven and evidence is None:
            with plan.account.timing("relevance"):
                evidence = _evidence(plan, asked)
        known = {hit.id for hit in hits}
        with plan.account.timing("fusion"):
            found = [hit for hit in _hits(deep, rankings) if hit.id not in known][: deep.count - len(hits)]
        plan.account.pools[-1].hits.extend(hit.id for hit in found)
        lowest = hits[-1].score if hits else math.inf
        hits += [
            replace(hit, rank=rank, score=min(hit.score, lowest)) for rank, hit in enumerate(found, start=len(hits) + 1)
        ]
        put_forward = {channel: {vote.item_id for vote in votes} for channel, votes in rankings.items()}
        full = any(len(items) >= pool for channel, items in put_forward.items() if channel in SEES)
        more = full or len(frozenset().union(*put_forward.values())) > len(hits)
        if plan.count <= pool or not more:
            break
    return hits, more, evidence


def _evidence(plan: Plan, found: Found) -> Evidence:
    """What the collection holds of what is sought."""
    query, cosines = plan.query, {}
    hidden = frozenset(query.exclude)
    for channel, kind in SEES.items():
        if channel not in found.rankings:
            continue
        aim = plan.aims[kind]
        if len(aim.unwanted):  # the list is in the order of a compromise
            cosines[kind] = proof.likest(
                plan.store, aim.space, aim.wanted, kind, where=query.where, hidden=hidden, parts=POOLS[0]
            )
        else:
            cosines[kind] = proof.best_of_items([(vote.item_id, vote.score) for vote in found.rankings[channel]])
    if plan.terms.text_share < 1:
        return Evidence(cosines, sought={kind: proof.sought(plan.aims[kind]) for kind in cosines})
    if found.said is None:
        return Evidence(cosines)
    meant = emphasis(query)  # what is wanted less than the most orders hits, and nothing is denied for lacking it
    required = found.said.of({word for word in found.said.words if meant.get(word, 1.0) > MOST})
    asked = required if required.words else found.said  # what is wanted most says nothing: "something"
    words = proof.of_words(plan.store, asked, where=query.where, hidden=hidden)
    return replace(words, cosines=cosines)


def _asked_channels(plan: Plan, pool: int) -> Found:
    """Ask each channel for its list."""
    query, aims = plan.query, plan.aims
    hidden = frozenset(query.exclude)
    rankings: dict[str, list[Vote]] = {}
    spoken: Said | None = None
    asked = [
        channel
        for channel, kind in SEES.items()
        if plan.weights.get(channel)
        and query.target in (None, kind)
        and kind in aims
        and kind in aims[kind].space.modalities
    ]
    for channel in asked:
        kind = SEES[channel]
        with plan.account.timing(channel):
            rankings[channel] = nearest(
                plan.store, aims[kind], modality=kind, pool=pool, where=query.where, hidden=hidden
            )
    if plan.terms.text and plan.weights.get("words") and query.target != "image":
        with plan.account.timing("words"):
            wide, meant = 2 * (pool + len(hidden)), emphasis(query)
            spoken = said(plan.store, plan.terms.text, pool=wide, where=query.where, emphasis=meant)
            rankings["words"] = [vote for vote in by_words(spoken) if vote.item_id not in hidden]
    elif not asked:
        only = () if plan.weights.keys() >= SEES.keys() else tuple(plan.weights)
        raise unsupported(plan.terms, plan.encoder, query.target, only=only)
    if plan.weights.get(FIELDS) and query.target != "image":
        put_forward = {vote.item_id for votes in rankings.values() for vote in votes}
        rankings[FIELDS] = by_fields(put_forward, query, plan.store)
    return Found({channel: votes for channel, votes in rankings.items() if votes}, spoken)


def _hits(plan: Plan, rankings: Mapping[str, Sequence[Vote]]) -> list[Hit]:
    """The first items of the fused lists, with their parts."""
    fused = fuse(rankings, plan.weights)
    text = plan.terms.text.strip() if plan.terms.text_share == 1 and plan.query.target != "image" else ""
    items = _read(plan, {*_contenders(plan, rankings, fused), text} - {""})
    if text:
        namesakes = _namesakes(plan, text, items, rankings)
        of_them = _contenders(plan, rankings, [one for one in fused if one.item_id in namesakes])
        items |= _read(plan, of_them - items.keys())
    saying = {vote.item_id for vote in rankings.get("words", ())} | {text}
    first = frozenset(item.id for item in items.values() if text and item.id in saying and _is_named(item, text))
    lists, without = dict(rankings), _without(items, rankings)
    if without and plan.terms.picture_share == 1:  # picture beside picture says more than picture beside text
        lists["dense"] = [vote for vote in lists["dense"] if vote.item_id in without["clip"]]
    last = _refused(plan, frozenset(items))
    fused = fuse(lists, plan.weights, without=without, first=first, last=last)
    plan.account.pools.append(Pool(lists, fused))
    read = [one for one in fused if one.item_id in items]
    return [
        _hit(one, items[one.item_id], rank, plan, exact=one.item_id in first)
        for rank, one in enumerate(read[: plan.count], start=1)
    ]


def _read(plan: Plan, ids: Collection[str]) -> dict[str, Item]:
    """The items of these ids that may be shown."""
    chosen = sorted(set(ids) - set(plan.query.exclude))
    return {item.id: item for item in plan.store.get(chosen) if _allowed(item, plan.query)} if chosen else {}


def _contenders(plan: Plan, rankings: Mapping[str, Sequence[Vote]], fused: Sequence[Fused]) -> frozenset[str]:
    """Ids of those of `fused` that can be among the first of them, so that no others are read from the store.

    Whether an item lacks a picture is not known before it is read; if it did, it would be lent its other place. Items
    that would be behind even then cannot come in.
    """
    if plan.terms.unwanted_texts or plan.terms.text_share == 0 or len(fused) <= plan.count:
        return frozenset(one.item_id for one in fused)
    both = all(channel in rankings for channel in SEES)

    def most(one: Fused) -> float:
        seen = [channel for channel in SEES if channel in one.places]
        if not both or len(seen) != 1:
            return one.score
        return one.score + lent(PEERS[seen[0]], plan.weights) / (RRF_K + one.places[seen[0]])

    least = fused[plan.count - 1].score
    return frozenset(one.item_id for one in fused if most(one) >= least)


def _namesakes(
    plan: Plan, text: str, items: Mapping[str, Item], rankings: Mapping[str, Sequence[Vote]]
) -> frozenset[str]:
    """Ids of the items that bear the text as the whole of a field, of those that say its words.

    The store is asked for them, for they may be many and far behind: an item that is "red" by colour says little else
    of "red". Which fields may hold a text is told by the items read so far and by those that say the words best.
    """
    saying = dict.fromkeys(vote.item_id for vote in rankings.get("words", ()) if vote.score >= SAYS)
    if not saying.keys() - items.keys():
        return frozenset(items)
    told = {**items, **_read(plan, set(list(saying)[:TELLING]) - items.keys())}.values()
    texts = {
        name for one in told for name in one.fields if any(isinstance(v, str) for v in values_of(one.fields, name))
    }
    if not texts:
        return frozenset(items)
    bearing = Or(tuple(Compare(name, "=", text) for name in sorted(texts)))
    found = plan.store.search_text(text, ALL, where=And((HasId(tuple(saying)), bearing)), modalities=SAID)
    return frozenset(hit.item_id for hit in found)


def _is_named(item: Item, text: str) -> bool:
    """Whether a text is exactly the id, or the whole of a field: a SKU, a title, a brand."""
    return item.id == text or any(same(text, value) for name in item.fields for value in values_of(item.fields, name))


def _allowed(item: Item, query: Query) -> bool:
    """Whether an item passes what is asked of the store: it may have changed since, or been found by its id alone."""
    passes = query.where is None or matches(query.where, item.id, item.fields)
    return passes and bool(_shown(item, query.target))


def _refused(plan: Plan, items: frozenset[str]) -> frozenset[str]:
    """The items that say one of the unwanted texts word for word; where pictures alone decide, none does."""
    texts = plan.terms.unwanted_texts
    if not texts or not items or plan.query.target == "image":
        return frozenset()
    chosen = HasId(tuple(sorted(items)))
    where = chosen if plan.query.where is None else And((plan.query.where, chosen))
    return frozenset().union(*(saying_all(plan.store, text, items, where=where) for text in texts))


def _without(items: Mapping[str, Item], rankings: Mapping[str, Sequence[Vote]]) -> dict[str, frozenset[str]]:
    """By vector channel, the items that have no part it could see; none unless both channels had something to say."""
    if not all(channel in rankings for channel in SEES):
        return {}
    return {
        channel: frozenset(item.id for item in items.values() if all(part.modality != kind for part in item.parts))
        for channel, kind in SEES.items()
    }


def _hit(one: Fused, item: Item, rank: int, plan: Plan, *, exact: bool) -> Hit:
    """`via` names the channels that alone would have returned the item, the best first; if none would, the nearest."""
    by_place = sorted(one.places, key=lambda channel: (one.places[channel], channel))
    via = [channel for channel in by_place if one.places[channel] <= plan.count] or by_place[:1]
    parts = {part.id: part for part in item.parts}
    shown = [parts[part_id] for part_id in one.parts if part_id in parts] or _shown(item, plan.query.target)
    return Hit(item, tuple(shown[:PARTS_SHOWN]), one.score, rank, ("id", *via) if exact else tuple(via))


def _shown(item: Item, target: str | None) -> list[Part]:
    """The parts of an item that a target lets through."""
    kinds = {None: ("image", "text", "fields"), "image": ("image",), "text": ("text", "fields")}[target]
    return [part for part in item.parts if part.modality in kinds]
