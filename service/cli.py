"""The terminal door: each command reads its arguments, makes one call on `Sightline` and prints what comes back.

Knows which stream a thing belongs on; options and exit codes are `service.options`, how it looks is `service.tables`,
what it means is the engine's.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

import typer

from service import (
    adapting,
    advice,
    compacting,
    explaining,
    informing,
    measure,
    migrating,
    searching,
    transfer,
    tuning,
    verifying,
)
from service.options import (
    ACT,
    DONE,
    REPORTED,
    AsJson,
    Collection,
    EncoderSpec,
    IndexDir,
    Mapping,
    MllmSpec,
    Picture,
    StoreSpec,
    TextEncoderSpec,
    Where,
    mapping_of,
    needing,
    open_index,
    print_json,
    trying,
)
from sightline.errors import InputError, NotFound, SightlineError

INTERRUPTED = 130  # what a shell expects after Ctrl-C

app = typer.Typer(
    name="sightline",
    help="Find things in pictures and words, and answer questions with evidence that can be opened.",
    epilog="Start with: sightline demo. Then: sightline index FOLDER, sightline search 'red shoes', sightline serve.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="print the version and exit", is_eager=True)] = False,
) -> None:
    if version:
        from sightline import __version__

        print(__version__)
        raise typer.Exit


@app.command("index")
def index_command(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="folders, files, or JSONL/CSV/JSON/Parquet catalogs")
    ],
    *,
    mapping: Mapping = None,
    prefix: Annotated[str, typer.Option(help="put before every item id, to keep sources apart")] = "",
    prune: Annotated[
        bool, typer.Option("--prune", help="remove items of this SOURCE that are no longer there")
    ] = False,
    allow_urls: Annotated[
        bool, typer.Option("--allow-urls", help="fetch pictures that catalogs name by URL (never private addresses)")
    ] = False,
    regions: Annotated[
        Literal["none", "grid", "salient"] | None,
        typer.Option(help="parts of pictures that get vectors of their own; kept with the collection"),
    ] = None,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    text_encoder: TextEncoderSpec = None,
    store: StoreSpec = None,
    as_json: AsJson = False,
) -> None:
    """Add pictures, texts and catalogs to an index. Run it again any time: what is unchanged is not embedded again.

    Examples:

      sightline index ~/Pictures

      sightline index catalog.csv --map id=sku --map "image=photos/{sku}.jpg" --prune

      sightline index shelves/ --regions salient

      sightline index shop.csv --text-encoder sentence-transformers:sentence-transformers/all-MiniLM-L6-v2
    """
    from service import progress, tables

    for source in sources:  # before an index is made, and an encoder loaded, for nothing
        if not os.path.lexists(source):
            raise InputError(f"{source} does not exist")
    with (
        trying(index, collection),
        open_index(index, collection, encoder=encoder, text_encoder=text_encoder, store=store) as opened,
    ):
        with progress.shown(tables.console(stderr=True)) as show:
            report = opened.add(
                *sources,
                prefix=prefix,
                prune=prune,
                mapping=mapping_of(mapping or ()),
                allow_urls=allow_urls or None,
                regions=regions,
                progress=show,
            )
        folder = str(opened.settings.index)
    if as_json:
        print_json(report.to_json())
    else:
        tables.show_report(tables.console(), report, where=folder)
    if report.skipped:
        raise typer.Exit(REPORTED)


app.command("search", cls=needing("argument 'TEXT' or option '--image'"))(searching.search_command)
app.command("explain", cls=needing("argument 'ID' or option '--replay'"))(explaining.explain_command)


@app.command(cls=needing())
def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="what you want to know")],
    *,
    image: Picture = None,
    where: Where = None,
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, max=100, help="how many items to read")] = 8,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    store: StoreSpec = None,
    mllm: MllmSpec = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from what is indexed, with numbered markers that say where each statement stands.

    Without --mllm the answer is quoted, not written. What the index does not say is not answered.

    Examples:

      sightline ask "How much does the camping stove cost?"

      sightline ask "Which of these tents is the lightest?" --where "category = tents" --mllm ollama:qwen3-vl
    """
    from service import tables

    with open_index(index, collection, encoder=encoder, store=store, mllm=mllm, create=False) as opened:
        answer = opened.ask(question, image=image, where=where, k=k)
    if as_json:
        print_json(answer.to_json())
    else:
        tables.show_answer(tables.console(), answer)


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="address to listen on; others than this machine need SIGHTLINE_API_KEY")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="port to listen on")] = 8000,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    store: StoreSpec = None,
    mllm: MllmSpec = None,
    rerank: Annotated[
        str | None, typer.Option(metavar="SPEC", help="re-orders hits: vlm:starter, or another of docs/reranking.md")
    ] = None,
    rewrite: Annotated[
        str | None, typer.Option(metavar="SPEC", help="chat model that puts short queries in other words as well")
    ] = None,
    allow_urls: Annotated[bool, typer.Option("--allow-urls", help="let callers upsert pictures by URL")] = False,
) -> None:
    """Serve the page at / and the HTTP interface at /v1 (described at /docs).

    Example: sightline serve --index .sightline --port 8000
    """
    from service.app import run
    from sightline.settings import Settings

    run(
        Settings.read(
            index=index,
            collection=collection,
            encoder=encoder,
            store=store,
            mllm=mllm,
            rerank=rerank,
            rewrite=rewrite,
            allow_urls=allow_urls or None,
        ),
        host=host,
        port=port,
        announce=lambda url: print(f"The page: {url}   The HTTP interface: {url}docs   Ctrl-C stops.", file=sys.stderr),
    )


app.command("info")(informing.info_command)
app.command("verify")(verifying.verify_command)
app.command("compact")(compacting.compact_command)


@app.command()
def delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="ids of items, as search shows them")],
    index: IndexDir = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """Remove items, with their pictures, texts and vectors, from an index.

    The sources are not touched: what one of them still holds comes back when it is indexed again.
    """
    with open_index(index, collection, create=False) as opened:
        missing = []
        for one in dict.fromkeys(ids):
            try:
                opened.get(one)
            except NotFound:
                missing.append(one)
        count = opened.delete(ids)
    if as_json:
        print_json({"deleted": count, "missing": missing})
    else:
        print(f"{count:,} deleted" + (f"; not there: {', '.join(missing)}" if missing else ""))
    if missing:
        raise typer.Exit(REPORTED)


@app.command()
def models(as_json: AsJson = False) -> None:
    """List encoders and rerankers to choose from, their size and what their licences allow."""
    from service import tables
    from sightline.encoders import model_cards
    from sightline.rerankers import reranker_cards

    cards, rerankers = model_cards(), reranker_cards()
    if as_json:
        print_json({"models": [asdict(card) for card in cards], "rerankers": [asdict(card) for card in rerankers]})
        return
    out = tables.console()
    out.print("Encoders: --encoder SPEC", style="bold")
    tables.show_models(out, cards)
    out.print("Rerankers: --rerank SPEC, where a chat model's spec will do as well", style="bold")
    tables.show_models(out, rerankers)


app.command("eval", cls=needing("option '--pairs', '--catalog' or '--queries'"))(measure.eval_command)
app.command("adapt", cls=needing("option '--pairs' or '--remove'"))(adapting.adapt_command)
app.command("tune")(tuning.tune_command)
app.command("migrate", cls=needing("option '--encoder', '--text-encoder' or '--cancel'"))(migrating.migrate_command)
app.command("export")(transfer.export_command)
app.command("import")(transfer.import_command)
app.command("snapshot")(transfer.snapshot_command)
app.command("restore")(transfer.restore_command)


@app.command("export-clip")
def export_clip(folder: Annotated[Path, typer.Argument(metavar="DIR")], encoder: EncoderSpec = None) -> None:
    """Write the starter as an open_clip checkpoint into a new folder, to train it further or to compare code paths."""
    from sightline.encoders.starter_open_clip import export_clip as export

    cosine = export(encoder or "starter", folder)
    print(f"wrote {folder}; open it as open_clip:local-dir:{folder} (cosine to the starter: {cosine:.6f})")


@app.command()
def demo(
    catalog: Annotated[
        str | None, typer.Argument(metavar="CATALOG", help="your own folder or catalog; the sample shop without it")
    ] = None,
    question: Annotated[str | None, typer.Option("--question", metavar="Q", help="what to ask it")] = None,
    mapping: Mapping = None,
    index: Annotated[Path, typer.Option("--index", metavar="DIR", help="where to keep the demo's index")] = Path(
        ".sightline-demo"
    ),
) -> None:
    """Index a catalog, search it in four ways and ask it a question, showing every command on the way.

    Examples:

      sightline demo

      sightline demo my_products.csv --question "Which lamp is made of brass?"
    """
    from service.demo import play

    play(
        catalog,
        question=question,
        mapping=mapping or (),
        index=index,
        run=_played,
    )


def _played(argv: list[str]) -> None:
    advice.point(argv)
    app(argv, standalone_mode=False)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: a failure is one sentence on stderr, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    advice.point(sys.argv[1:] if argv is None else argv)
    try:
        app(list(argv) if argv is not None else None)
    except SightlineError as exc:
        _fail(advice.copyable(str(exc)))
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader has gone: let the exit flush go nowhere
        sys.exit(DONE)
    except SystemExit as exc:
        if isinstance(exc.__context__, BrokenPipeError):  # Rich's word for a reader that has gone
            sys.exit(DONE)
        if exc.code == INTERRUPTED:  # Typer's word for Ctrl-C, which came of it
            said = getattr(getattr(exc.__context__, "__cause__", None), "args", ())
            print(f"sightline: interrupted; {''.join(said) or 'what was done so far is kept'}", file=sys.stderr)
        raise
    except OSError as exc:
        _fail(f"{exc.strerror or exc}" + (f": {exc.filename}" if exc.filename else ""))
    except Exception as exc:  # noqa: BLE001 - the outermost door: whatever it is, the user gets a sentence
        _fail(f"unexpected {type(exc).__name__}: {exc} (this is a fault of Sightline; SIGHTLINE_DEBUG=1 shows where)")


def _fail(sentence: str) -> None:
    """Print a sentence (with SIGHTLINE_DEBUG the traceback too) and exit as the user's turn to act."""
    if os.environ.get("SIGHTLINE_DEBUG"):
        traceback.print_exc()
    from service import tables

    print(tables.folded(f"sightline: {' '.join(sentence.split())}", tables.console(stderr=True)), file=sys.stderr)
    sys.exit(ACT)


if __name__ == "__main__":
    main()
