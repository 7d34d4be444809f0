"""What the terminal's commands share: their options, their exit codes, opening an index and printing JSON.

Knows no command: each of those is in `service.cli` or in a module of its own that `service.cli` registers.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from service.advice import copyable
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.engine import Sightline


def _awaited(picture: Path | None) -> Path | None:
    """Begin what decodes a picture while everything else still loads."""
    if picture is not None:
        from sightline import decoding

        decoding.begin()
    return picture


DONE, REPORTED, ACT = 0, 1, 2  # done; done with failures reported; the user must act

WHERE_HELP = 'keep only items whose fields pass, as "price < 50 and colour in (red, blue)"'
IndexDir = Annotated[Path | None, typer.Option("--index", metavar="DIR", help="index folder (default: .sightline)")]
Collection = Annotated[str | None, typer.Option("--collection", metavar="NAME", help="collection (default: default)")]
EncoderSpec = Annotated[
    str | None, typer.Option("--encoder", metavar="SPEC", help="encoder; `sightline models` lists some")
]
TextEncoderSpec = Annotated[
    str | None,
    typer.Option("--text-encoder", metavar="SPEC", help="one more encoder, of texts alone; none: without"),
]
StoreSpec = Annotated[str | None, typer.Option("--store", metavar="SPEC", help="faiss, qdrant or qdrant:URL")]
MllmSpec = Annotated[
    str | None, typer.Option("--mllm", metavar="SPEC", help="chat model, as ollama:MODEL or openai:MODEL@BASE_URL")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, and nothing else, on stdout")]
Mapping = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="NAME=KEY", help="read id, title, text or image from another key; repeatable"),
]
Picture = Annotated[
    Path | None,
    typer.Option("--image", metavar="PATH", help="a picture to search with", callback=_awaited),
]
Where = Annotated[str | None, typer.Option("--where", metavar="EXPR", help=WHERE_HELP)]


@contextmanager
def open_index(
    index: Path | None, collection: str | None, *, create: bool = True, **settings: str | None
) -> Iterator[Sightline]:
    """Open the index a command was pointed at; where it must be waited for at the end, that is said on stderr."""
    from sightline.engine import Sightline

    with Sightline.open(index, collection=collection, create=create, **settings) as opened:
        try:
            yield opened
        finally:
            opened.compactions.finish(_Said())


class _Said:
    """Says once, on stderr, why a command does not end yet."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, what: str, _done: int, _total: int | None) -> None:
        if not self._said:
            by_itself = copyable("SIGHTLINE_AUTO_COMPACT=0 leaves that to `sightline compact`")
            print(f"sightline: {what} … ({by_itself})", file=sys.stderr, flush=True)
        self._said = True


def needing(what: str = "") -> type[TyperCommand]:
    """A command that says `what` is missing where nothing was given, and the name of an option with a dash too many."""

    class Needing(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            if what and not args:
                ctx.fail(f"Missing {what}.")
            known = {name for one in self.params for name in one.opts}
            for name in (one.partition("=")[0] for one in takewhile(lambda one: one != "--", args)):
                if len(name) == 3 and name.startswith("--") and name not in known and name[1:] in known:
                    ctx.fail(f"No such option: {name} (it is {name[1:]})")
            return super().parse_args(ctx, args)

    return Needing


def trying(index: Path | None, collection: str | None) -> AbstractContextManager[None]:
    """What a command makes here goes again where it fails and left nothing in it."""
    from sightline.places import on_trial
    from sightline.settings import Settings

    settings = Settings.read(index=index, collection=collection)
    return on_trial(settings.index, settings.collection)


def mapping_of(pairs: Sequence[str]) -> dict[str, str]:
    """`id=sku` as {"id": "sku"}; `id=sku,title=name` is two of them."""
    pairs = [one for pair in pairs for one in re.split(r",(?=(?:id|title|text|images?)=)", pair)]
    split = [pair.partition("=") for pair in pairs]
    wrong = next((pair for pair, (name, _, key) in zip(pairs, split, strict=True) if not name or not key), None)
    if wrong is not None:
        raise InputError(f"--map takes NAME=KEY, as id=sku, not {wrong!r}")
    return {name: key for name, _, key in split}


def print_json(data: Any) -> None:
    """Print one JSON document on stdout, whatever letters that takes."""
    whole = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
    print(json.dumps(data, ensure_ascii=not whole, indent=2))
