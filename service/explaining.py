"""The explain command: why an item is where it is among the hits, told, drawn over its picture, kept and asked again.

Knows its own options and how an explanation looks on a terminal; what it says is `retriever.reasons`'s.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.options import (
    REPORTED,
    AsJson,
    Collection,
    EncoderSpec,
    IndexDir,
    Picture,
    StoreSpec,
    Where,
    open_index,
    print_json,
)
from service.tables import bar, channel, console, hanging, plain
from sightline.errors import InputError
from sightline.written import edges

if TYPE_CHECKING:
    from retriever.calibration import Reason
    from retriever.mentions import Mention
    from retriever.reasons import Explanation, Judgement, WordReason
    from sightline.engine import Sightline
    from sightline.explaining import Replay

ADJUSTED = {
    "first": "the query is its id or the whole of a field",
    "last": "it says what is not wanted",
    "deeper": "found further down, and behind what was found before",
}
LONG = 60  # characters of a term that say which it is


def explain_command(
    item: Annotated[str | None, typer.Argument(metavar="ID", help="the item, as search shows it")] = None,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="words, or an expression, as for search")] = None,
    *,
    image: Picture = None,
    negative: Annotated[
        list[str] | None, typer.Option("--not", metavar="TEXT", help="what hits should not show; repeatable")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="ID", help="an item never to show; repeatable")
    ] = None,
    where: Where = None,
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, max=1000, help="how many hits")] = 10,
    target: Annotated[
        Literal["image", "text", "any"], typer.Option(help="match pictures, texts, or whichever is better")
    ] = "any",
    rerank: Annotated[str | None, typer.Option(metavar="SPEC", help="as for search")] = None,
    as_typed: Annotated[bool, typer.Option("--as-typed", help="as for search")] = False,
    rewrite: Annotated[str | None, typer.Option(metavar="SPEC", help="as for search")] = None,
    gate: Annotated[bool | None, typer.Option("--gate/--no-gate", help="as for search")] = None,
    sort: Annotated[str | None, typer.Option(metavar="FIELD", help="as for search")] = None,
    fold: Annotated[bool, typer.Option("--fold", help="put near-duplicates under the better hit")] = False,
    least: Annotated[
        float | None, typer.Option(min=0, max=1, metavar="0-1", help="leave out less relevant hits, as for search")
    ] = None,
    drawing: Annotated[
        Path | None, typer.Option("--map", metavar="PNG", help="draw where in its picture the query is answered")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="write down all it takes to ask the same again")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="ask what a trace asked, and say what changed")
    ] = None,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    store: StoreSpec = None,
    as_json: AsJson = False,
) -> None:
    """Say why an item is where it is among the hits of a search, or why it is none.

    Examples:

      sightline explain mug-003 "red mug" --map mug.png

      sightline explain mug-003 '2:mug - red' --trace mug.json

      sightline explain --replay mug.json
    """
    from sightline.showing import Show
    from sightline.written import parse

    if bool(item) == bool(replay):
        raise InputError("say which item is to be explained: its ID, or --replay FILE")
    with open_index(index, collection, encoder=encoder, store=store, create=False) as opened:
        if replay:
            return _replayed(opened.explain.replay(_read(replay)), as_json=as_json)
        found = opened.explain(
            parse(text) if text else None,
            item or "",
            image=image,
            negative=negative or (),
            exclude=exclude or (),
            k=k,
            where=where,
            target=None if target == "any" else target,
            rerank=rerank,
            as_typed=as_typed,
            rewrite=rewrite,
            gate=gate,
            least=least,
            show=Show(sort=sort or "", fold=fold),
            maps=drawing is not None,
        )
        drawn = _draw(opened, found, drawing) if drawing else False
    if trace:
        trace.write_text(json.dumps(found.trace, ensure_ascii=False), encoding="utf-8")
    if as_json:
        print_json(found.to_json())
    else:
        out = console()
        show_explanation(out, found)
        for path, about in ((drawing if drawn else None, "the map"), (trace, "the trace")):
            if path:
                out.print(Text(f"{about}: {path}", style="dim"))
    if drawing and not drawn:
        raise typer.Exit(REPORTED)
    return None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise InputError(f"{path} is no trace: {exc}") from exc


def _draw(opened: Sightline, found: Explanation, path: Path) -> bool:
    """Draw the map over the picture; False, and a word on stderr, where there is nothing to draw."""
    from service.drawing import drawn

    pixels = opened.explain.picture(found) if found.maps else None
    if pixels is None:
        console(stderr=True).print(
            Text("No map: the item has no picture, or nothing of the query is looked for in it.")
        )
        return False
    path.write_bytes(drawn(pixels, found.maps[0].values))
    return True


def _replayed(replay: Replay, *, as_json: bool) -> None:
    if as_json:
        print_json(replay.to_json())
    else:
        out = console()
        show_explanation(out, replay.explanation)
        verdict = ("The answer is the same.", "green") if replay.same else ("The answer changed:", "yellow")
        out.print(Text.assemble(verdict))
        for line in (*replay.changed, *(f"not as it was: {one}" for one in replay.circumstances)):
            out.print(Text(f"  {plain(line)}"))
    if not replay.same:
        raise typer.Exit(REPORTED)


def show_explanation(out: Console, found: Explanation) -> None:
    """Print an explanation: where the item is, then channel by channel, word by word, term by term."""
    place = f"hit {found.rank}" if found.rank else f"not shown: {plain(found.absent)}"
    out.print(Text.assemble((plain(found.title), "bold"), (f"  {plain(found.item)}", "dim"), f"  {place}"))
    for warning in found.warnings:
        out.print(Text(f"! {plain(warning)}", style="yellow"))
    out.print(_channels(found))
    encoders = {one.channel: one.encoder for one in found.channels if one.encoder}
    if len({*encoders.values()}) > 1:  # their cosines are not of one scale
        told = "; ".join(f"{channel(name)} by {plain(by)}" for name, by in encoders.items())
        hanging(out, Text(f"cosines: {told}", style="dim"))
    for one in found.channels:
        if one.box:
            told = f"{channel(one.channel)}: found by the region {plain(one.part)}{edges(one.box)}"
            out.print(Text(told, style="dim"))
    for line in (*map(_word, found.words), *_terms(found), *_pushes(found)):
        out.print(line)
    if found.reranked:
        out.print(_judgement(found.reranked))
    if found.folded:
        out.print(Text(f"copies under it: {', '.join(map(plain, found.folded))}", style="dim"))
    if found.relevance is not None:
        out.print(_odds("relevance", found.relevance, found.relevance_of))
    if found.answered is not None:
        out.print(_odds("something here answers", found.answered, found.answered_of))


def _channels(found: Explanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold dim")
    for name in ("Channel", "Place", "Score", "Cosine", "Weight", "Added", ""):
        table.add_column(name, justify="left" if name in ("Channel", "") else "right")
    most = max((one.added for one in found.channels), default=0.0)
    for one in found.channels:
        lent = f"+{one.lent:.2g} lent" if one.lent else ""
        table.add_row(
            Text(channel(one.channel), style="cyan"),
            "–" if one.place is None else f"{one.place:,}",
            "–" if one.score is None else f"{one.score:.3f}",
            "–" if one.cosine is None else f"{one.cosine:.3f}",
            f"{one.weight:.2g}{lent}",
            f"{one.added:.5f}",
            bar(one.added / most if most else 0.0),
        )
    for name, value in found.adjustments.items():
        table.add_row(Text(ADJUSTED[name], style="dim"), "", "", "", "", f"{value:+.5f}", "")
    table.add_row(Text("score", style="bold"), "", "", "", "", "–" if found.score is None else f"{found.score:.5f}", "")
    return table


def _word(one: WordReason) -> Text:
    instead = [f"but field {plain(name)} is “{plain(value)}”" for name, value in one.instead.items()]
    said = "; ".join([*(map(_mention, one.said) if one.said else ["not said"]), *instead])
    sure = one.said and not instead
    return Text.assemble((plain(one.word), "bold"), (f" {one.share:.0%} ", "dim"), (said, "" if sure else "yellow"))


def _mention(one: Mention) -> str:
    where = f"field {plain(one.field)}" if one.field else one.place
    return f"{where} “{plain(one.written)}”" if one.written else where


def _terms(found: Explanation) -> list[Text]:
    if len(found.terms) < 2:
        return []
    lines = []
    for one in found.terms:
        named = plain(one.term.get("text") or one.term.get("id") or "picture")
        named = f"{named[:LONG].rstrip()} …" if len(named) > LONG else named
        sign = "" if one.weight > 0 else "not wanted, "
        told = [
            f"{kind} {cosine:.3f}" + (f" (adds {one.added[kind]:.3f})" if kind in one.added else "")
            for kind, cosine in one.cosines.items()
        ]
        lines.append(
            Text.assemble((named, "bold"), (f" {sign}weight {weight_of(one.weight)} ", "dim"), ", ".join(told))
        )
    return lines


def weight_of(weight: float) -> str:
    """A weight as people write it: two digits behind the point at most, but never 0 for what is none."""
    rounded = f"{weight:.2f}".rstrip("0").rstrip(".")
    return rounded if float(rounded) or not weight else f"{weight:.1g}"


def _pushes(found: Explanation) -> list[Text]:
    lines = []
    for one in found.pushed:
        said = "; ".join(map(_mention, one.said))
        why = (
            f"{channel(one.channel)}: back by {one.cost:.2f} deviations"
            if one.channel
            else f"behind all others: {said}"
        )
        lines.append(Text.assemble("pushed back by ", (plain(one.term), "bold"), f" ({why})", style="yellow"))
    return lines


def _judgement(one: Judgement) -> Text:
    """What a reranker added to what the hit was ordered by."""
    if one.first is None or one.said is None:
        return Text.assemble("not judged by ", (plain(one.by), "bold"), (f"  {plain(one.why)}", "dim"))
    told = f"log-odds {one.first:+.2f} before, {weight_of(one.weight)} × {one.said:+.2f} by it"
    return Text.assemble("judged by ", (plain(one.by), "bold"), (f"  {told}; {plain(one.why)}", "dim"))


def _odds(name: str, share: float, reasons: tuple[Reason, ...], most: int = 4) -> Text:
    """A probability, and the features that moved it most."""
    first = sorted(reasons, key=lambda one: -abs(one.added))[:most]
    told = ", ".join(f"{one.name} {one.added:+.2f}" for one in first)
    return Text.assemble((f"{name} ", "bold"), f"{share:.0%}", (f"  log-odds: {told}, …" if told else "", "dim"))
