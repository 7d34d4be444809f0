"""The search command: reads what is sought and how it is to be shown, makes one call and prints what comes back.

Knows its own options; those it shares with other commands are `service.options`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from typing import Annotated, Any, Literal

import typer

from service.options import AsJson, Collection, EncoderSpec, IndexDir, Picture, StoreSpec, Where, open_index, print_json
from sightline.written import nearest, parse, path_of, pictures


def search_command(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="words, or an expression as below")] = None,
    *,
    image: Picture = None,
    negative: Annotated[
        list[str] | None, typer.Option("--not", metavar="TEXT", help="what hits should not show; repeatable")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="ID", help="an item never to show; repeatable")
    ] = None,
    liked: Annotated[
        list[str] | None, typer.Option("--liked", metavar="ID", help="an item that hits should be like; repeatable")
    ] = None,
    disliked: Annotated[
        list[str] | None,
        typer.Option("--disliked", metavar="ID", help="an item that hits should be unlike, shown no more; repeatable"),
    ] = None,
    where: Where = None,
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, max=1000, help="how many hits")] = 10,
    target: Annotated[
        Literal["image", "text", "any"], typer.Option(help="match pictures, texts, or whichever is better")
    ] = "any",
    rerank: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="looks at the first hits again and re-orders them: vlm:starter, or another of docs/reranking.md",
        ),
    ] = None,
    as_typed: Annotated[
        bool, typer.Option("--as-typed", help="search for the words as typed, misspelt or not; so are words in quotes")
    ] = False,
    rewrite: Annotated[
        str | None, typer.Option(metavar="SPEC", help="chat model that puts short queries in other words as well")
    ] = None,
    gate: Annotated[
        bool | None,
        typer.Option("--gate/--no-gate", help="ask the reranker of queries that it helps, the default, or of all"),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help='order the relevant hits by a field; "-FIELD" from the largest down'),
    ] = None,
    fold: Annotated[bool, typer.Option("--fold", help="put near-duplicates under the better hit")] = False,
    diversity: Annotated[
        float, typer.Option(min=0, max=1, metavar="0-1", help="how much hits should differ from those before them")
    ] = 0.0,
    diversify: Annotated[
        str | None,
        typer.Option(metavar="FIELD[=N]", help="at most N (2) hits of one value a page, as far as there are others"),
    ] = None,
    facet: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="count the values of a field over all items that --where keeps, hits or not; repeatable",
        ),
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="0-1",
            help="leave out less relevant hits; 0 shows what is nearest, come what may",
        ),
    ] = None,
    offset: Annotated[int, typer.Option(min=0, metavar="N", help="skip the first N hits")] = 0,
    cursor: Annotated[
        str | None, typer.Option(metavar="TEXT", help="the next page: `cursor` of --json, the search being the same")
    ] = None,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    store: StoreSpec = None,
    as_json: AsJson = False,
) -> None:
    """Find items by words, by a picture, or by both together.

    Examples:

      sightline search "waterproof hiking boots" --where "price < 150"

      sightline search --image sofa.jpg --not leather -k 5

      sightline search "in blue" --image mug.jpg --target image

      sightline search boots --sort price --facet brand --fold

      sightline search boots --liked boot-003 --disliked boot-001 --disliked boot-007

      sightline search '2:"red dress" + photo.jpg - stripes'

      sightline search 'like:mug-003 + room.jpg[0.1,0.2,0.5,0.6] - "made of wood"'
    """
    from service import tables
    from sightline.showing import Show

    asked = parse(text) if text else None
    with open_index(index, collection, encoder=encoder, store=store, create=False) as opened:
        results = opened.search(
            asked,
            image=image,
            negative=negative or (),
            exclude=exclude or (),
            liked=liked or (),
            disliked=disliked or (),
            k=k,
            where=where,
            target=None if target == "any" else target,
            rerank=rerank,
            as_typed=as_typed,
            rewrite=rewrite,
            gate=gate,
            least=least,
            show=Show(
                sort=sort or "", fold=fold, diversity=diversity, facets=tuple(facet or ()),
                offset=offset, cursor=cursor or "", **_few_of(diversify),
            ),
        )  # fmt: skip
    if isinstance(asked, str) and (told := _as_words(asked, [hit.id for hit in results])):
        results = replace(results, warnings=(*results.warnings, *told))
    if as_json:
        print_json(results.to_json())
    else:
        tables.show_results(tables.console(), results, filtered=bool(where), least=least)


def _as_words(text: str, found: Sequence[str]) -> list[str]:
    """What to tell of a text that was read as its words, but may be meant otherwise; `found`: ids of the hits."""
    told = []
    if meant := nearest(text):
        told.append(f"read as words, the signs too; an expression is {quote(meant)}")
    path = next((one for one in pictures(text) if _is_file(one)), None)
    if path is not None and path not in found:  # else it is an item's id
        told.append(f"{path} was read as words; with what that picture shows: --image {quote(path)}")
    return told


def _is_file(path: str) -> bool:
    try:
        return path_of(path).is_file()
    except OSError:  # words longer than any name of a file
        return False


def _few_of(diversify: str | None) -> dict[str, Any]:
    """`brand` or `brand=3` as what `Show` takes."""
    name, _, count = (diversify or "").rpartition("=")
    return {"diversify": name, "at_most": int(count)} if name and count.isdecimal() else {"diversify": diversify or ""}
