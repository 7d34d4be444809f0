"""Search: gather hits, let a reranker read the first, tell how relevant they are, and show a page of them.

Knows the order of these steps, and engines by their protocols only.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from retriever.accounts import Account, Asked
from retriever.calibration import Calibration, manner
from retriever.channels import SEES
from retriever.cursors import MOST_SHOWN, Place
from retriever.evidence import Evidence
from retriever.facets import facets
from retriever.feedback import FIELDS, LEARNING, Learning, learned
from retriever.folding import Picture
from retriever.fusion import TEXT_WEIGHTS, weights_for
from retriever.gathering import Plan, gather
from retriever.lengths import fitted
from retriever.likeness import hiding, likenesses
from retriever.paging import Ranked, turned
from retriever.reranking import Reranking
from retriever.rewriting import further
from retriever.terms import Terms, aim, read
from retriever.words import is_said
from sightline.errors import InputError
from sightline.protocols import Encoder, Store
from sightline.showing import Show
from sightline.types import Hit, Query, Results


@dataclass(frozen=True, slots=True)
class Judging:
    """What decides, beside the channels, which hits come back and in which order."""

    reranking: Reranking | None
    calibration: Calibration | None  # none: not made, or not made for such a query
    least: float | None


def search(
    query: Query,
    *,
    k: int,
    store: Store,
    encoder: Encoder,
    texts: Encoder | None = None,
    reranking: Reranking | None = None,
    weights: Mapping[str, float] | None = None,
    channels: Collection[str] | None = None,
    show: Show | None = None,
    picture: Picture = lambda part: None,
    calibration: Calibration | None = None,
    least: float | None = None,
    learning: Learning = LEARNING,
    account: Account | None = None,
) -> Results:
    """The k items that answer a query best, one hit an item, its matching parts best first; all n when k is over n.

    `target` in the query limits what is searched and shown: with "image" the pictures alone decide and words do not
    vote, with "text" texts and fields alone. An item that says an unwanted text word for word goes behind all others.
    Words are compared with texts by the encoder `texts`, where the collection has one for them alone (`terms.aim`).
    `weights` ("clip", "dense", "words") replaces the chosen ones; a channel of weight 0 is not asked, nor is one that
    `channels` does not name. `show` says how they are shown, `picture` opens a part for folding. `reranking` lets a
    reranker read the first hits; those that are sorted are not read. `calibration` gives hits their relevance, and none
    at all where nothing here answers; `least` (0-1) leaves out hits that are less relevant: 0 shows what is nearest,
    come what may. `learning` is how much liked and disliked items turn the search; what they turned is not reranked and
    has no relevance. `account` is told what was done.
    Raises InputError for an empty query, k < 1, an unknown channel or a cursor that is not of this search,
    UnsupportedModality when the encoder can serve no part of the query.
    """
    started = time.perf_counter()
    show = show or Show()
    if not 1 <= k <= MOST_SHOWN - show.offset:
        raise InputError(f"k must be from 1 to {MOST_SHOWN:,} with what is skipped, not {k}")
    if query.target not in (None, *SEES.values()):
        raise InputError(f"a target is one of {', '.join(SEES.values())}, not {query.target!r}")
    terms, long = fitted(read(query), encoder)
    if least is not None and not 0 <= least <= 1:
        raise InputError(f"the least relevance is from 0 to 1, not {least:g}")
    query = hiding(query, terms)
    also, plain = further(query), replace(query, rewrites=())  # a cursor is good whatever a model says the next time
    account = account or Account()
    if query.target == "image" or (channels is not None and "dense" not in channels):
        texts = None
    with account.timing("query"):
        known, refused = likenesses(terms, store, encoder, texts), _said(query, terms, store)
        aims, warnings = aim(terms, encoder, known, texts=texts, said=refused, also=also)
    worded = texts is not None and "text" in aims and aims["text"].space == texts.space
    counted = _asked(weights or weights_for(terms.text_share, terms.like_share, worded=worded), channels)
    if query.judged and learning.fields and weights is None and channels is None:
        counted = {**counted, FIELDS: learning.fields}
    spaces = " ".join(one.space.fingerprint for one in (encoder, texts) if one)
    place = Place.of(show, plain, asked=sorted(counted.items()), encoder=spaces, k=k)
    warnings += long
    if query.judged:
        told = learned(aims, query, store=store, learning=learning)
        aims, warnings = told.aims, warnings + told.warnings
    idle = _unread(show, terms, query)
    if reranking and idle:
        account.reranked = reranking.unasked(idle)
    judging = Judging(None if idle else reranking, None if query.judged else calibration, least)
    account.asked = Asked(query, terms, counted, aims, also)
    plan = Plan(query, terms, counted, aims, store, encoder, proven=judging.calibration is not None, account=account)
    page = turned(
        lambda depth: _ranked(plan, judging, depth, place),
        show, place, k=k, store=store, encoder=encoder, picture=picture,
    )  # fmt: skip
    return Results(
        plan.located(page.hits), warnings + page.warnings,
        cursor=page.cursor, offset=place.shown + show.offset,
        facets=facets(store, show.facets, query.where) if show.facets else (), reranked=account.reranked,
        answered=page.answered, rewrites=query.rewrites, took_ms=(time.perf_counter() - started) * 1000,
    )  # fmt: skip


def _unread(show: Show, terms: Terms, query: Query) -> str:
    """Why no reranker can read what is asked for; "" where it can."""
    if show.sort:
        return "sorted hits are not read"
    if query.judged:
        return "what is liked and disliked decides"
    return "it cannot tell what an item is like" if terms.items else ""


def _ranked(plan: Plan, judging: Judging, depth: int, place: Place) -> Ranked:
    """The first `depth` hits, those a reranker reads in its order; none is read that was shown with all before it."""
    reranking, calibration, least = judging.reranking, judging.calibration, judging.least
    hits, more, evidence = gather(replace(plan, count=max(depth, reranking.depth) if reranking else depth))
    answered = _answered(calibration, evidence, hits)
    account = plan.account
    account.evidence, account.answered, account.fusion, account.ranking = evidence, answered, tuple(hits), ()
    put = manner(plan.terms.text) if plan.terms.text_share == 1 else "picture"
    account.bar = (calibration.bar(put) if least is None else least) if calibration else None
    if answered is not None and account.bar is not None and answered < account.bar:
        account.reranked = reranking.unasked("nothing matches") if reranking else None
        return Ranked([], False, answered=answered)
    if calibration and evidence and answered is not None:
        with account.timing("relevance"):
            told = calibration.relevance(evidence, [hit.id for hit in hits])
        hits = [
            replace(hit, relevance=1.0 if "id" in hit.via else share) for hit, share in zip(hits, told, strict=True)
        ]
        account.fusion = tuple(hits)
    failed: tuple[str, ...] = ()
    if reranking and not all(place.has(hit.id) for hit in hits[: reranking.depth]):
        with account.timing("rerank"):
            made = reranking.rerank(plan.query, plan.terms, hits, seen=plan.located)
        hits, failed, account.reranked, account.judged = made.hits, made.warnings, made.told, made.judged
    kept = hits
    if least and answered is not None:
        kept = [hit for hit in hits if (hit.relevance or 0.0) >= least]
    elif least:
        failed += ("How relevant these hits are is not known, so none was left out for it.",)
    account.ranking = tuple(kept)
    return Ranked(kept, more, failed, answered, left_out=len(kept) < len(hits))


def _answered(calibration: Calibration | None, evidence: Evidence | None, hits: Sequence[Hit]) -> float | None:
    """0-1: the probability that anything here answers; None where nobody can say."""
    if calibration is None or evidence is None:
        return None
    answered = calibration.answered(evidence)
    return 1.0 if answered is not None and any("id" in hit.via for hit in hits) else answered


def _asked(weights: Mapping[str, float], channels: Collection[str] | None) -> Mapping[str, float]:
    """The weights of the channels that are to be asked; None: all."""
    if channels is None:
        return weights
    if unknown := sorted(set(channels) - set(TEXT_WEIGHTS)):
        raise InputError(f"a channel is one of {', '.join(TEXT_WEIGHTS)}, not {unknown[0]!r}")
    return {name: weight for name, weight in weights.items() if name in channels}


def _said(query: Query, terms: Terms, store: Store) -> frozenset[str]:
    """The unwanted texts that some item says; where pictures alone decide, none."""
    texts = () if query.target == "image" else terms.unwanted_texts
    return frozenset(text for text in texts if is_said(store, text, where=query.where))
