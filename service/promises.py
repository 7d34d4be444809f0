"""Whether an index keeps what it promises: the encoder that built it, and how much of exact search it finds.

Knows how each is measured through an index's public calls, and how the verdict looks on a terminal; mends nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.advice import copyable
from service.tables import plain
from sightline.errors import ConfigError, PassportMismatch

if TYPE_CHECKING:
    from sightline.certificate import Certificate
    from sightline.engine import Sightline

Tell: TypeAlias = Callable[[str, int, int | None], None]
Verdict: TypeAlias = Literal[
    "kept", "broken", "not compacted", "not measured", "not looked at", "nothing found", "found"
]

TITLES = 200  # asked as text queries: a certificate counts no more
LOOKED_AT = 2000  # items, drawn from all, to find that many titles among
_LOOKS: dict[Verdict, str] = {"kept": "green", "nothing found": "green", "broken": "red", "found": "red"}


@dataclass(frozen=True, slots=True)
class Undone:
    """A check that could not be made, because the encoder of the index is not there or is another one."""

    reason: str
    clean: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"clean": self.clean, "not_looked_at": self.reason}


@dataclass(frozen=True, slots=True)
class PassportReport:
    """Whether the encoder is the one that built the index. `problem` says what differs, "" where nothing does."""

    built_by: str | None  # None: nothing was indexed yet
    problem: str = ""
    probes: int = 0  # embedded again now; 0 where the index keeps none
    least: float | None = None  # cosine of the probe that differs most

    @property
    def clean(self) -> bool:
        return not self.problem

    def to_json(self) -> dict[str, Any]:
        told = {"built_by": self.built_by, "problem": self.problem or None, "probes": self.probes}
        return {"clean": self.clean, **told, "least_cosine": self.least}


class PassportCheck:
    """The encoder: its name, weights, settings and adapter against those on record, and its answers to the probes."""

    def run(self, index: Sightline, seed: int, tell: Tell) -> PassportReport | Undone:
        from indexer import Ledger
        from sightline import probes

        with closing(Ledger(index.folder)) as ledger:
            passport, texts = ledger.passport(), ledger.text_passport()
        if passport is None:
            return PassportReport(None)
        built_by = passport.space + (f" and {texts.space}" if texts else "")
        tell("embedding the probes", 0, None)
        try:
            _ = index.encoder  # also the adapter, where there is one
            encoders = [index.plain_encoder, *([index.text_encoder] if index.text_encoder else [])]
            answers = [probes.answers(encoder) for encoder in encoders]
        except PassportMismatch as exc:
            return PassportReport(built_by, str(exc))
        except ConfigError as exc:
            return Undone(f"the encoder cannot be opened: {exc}")
        cosines = []
        for kept, now in zip((passport, texts), answers, strict=False):
            before = np.frombuffer(kept.probes if kept else b"", "<f4").reshape(-1, now.shape[1])  # (16, dim); or fewer
            cosines += [float(one @ other) for one, other in zip(before, now, strict=False) if one.any()]
        return PassportReport(built_by, "", len(cosines), round(min(cosines), 6) if cosines else None)

    def show(self, out: Console, report: PassportReport) -> None:
        if report.built_by is None:
            say(out, "passport", "not measured", "nothing was indexed yet")
        elif report.problem:
            say(out, "passport", "broken", report.problem)
        elif report.least is None:
            told = f"weights and settings are those of {report.built_by}; probes were not kept when it was built"
            say(out, "passport", "kept", f"{told}, so its answers were not measured")
        else:
            told = f"weights and settings are those of {report.built_by}, and so are its answers"
            say(out, "passport", "kept", f"{told}: least cosine of {report.probes} probes {report.least:.4f}")


@dataclass(frozen=True, slots=True)
class RecallReport:
    """What was measured against exact search, one certificate for each kind of part."""

    certificates: tuple[Certificate, ...]

    @property
    def clean(self) -> bool:
        return all(one.holds is not False for one in self.certificates)

    def to_json(self) -> dict[str, Any]:
        return {"clean": self.clean, "certificates": [one.to_json() for one in self.certificates]}


class RecallCheck:
    """Recall@10 against exact search, for text queries (titles of the collection) and picture queries apart."""

    def run(self, index: Sightline, seed: int, tell: Tell) -> RecallReport:
        titles = titles_of(index, tell)
        tell("measuring recall against exact search", 0, None)
        return RecallReport(tuple(index.verify(titles)))

    def show(self, out: Console, report: RecallReport) -> None:
        if not report.certificates:
            say(out, "recall", "not measured", "there are no vectors")
        for one in report.certificates:
            verdict: Verdict = "not measured" if one.holds is None else "kept" if one.holds else "broken"
            by = f" (by {one.space})" * (len({other.space for other in report.certificates}) > 1)
            say(out, "recall", verdict, one.told() + by)


def titles_of(index: Sightline, tell: Tell) -> list[str]:
    """At most TITLES different titles, of items drawn from all; none where items have no title of their own."""
    from indexer import Ledger

    with closing(Ledger(index.folder)) as ledger:
        ids = ledger.ids()
    titles: dict[str, None] = {}
    chosen = np.random.default_rng(0).permutation(len(ids))[:LOOKED_AT].tolist()
    for done, at in enumerate(chosen):
        tell("reading titles", done, len(chosen))
        item = index.get(ids[at])
        if item.fields.get("title"):
            titles[item.title] = None
        if len(titles) == TITLES:
            break
    return sorted(titles)


def show_undone(out: Console, name: str, report: Undone) -> None:
    """Say that a check was not made."""
    say(out, name, "not looked at", report.reason)


def say(out: Console, name: str, verdict: Verdict, told: str) -> None:
    """What was looked at, whether the promise is kept, and what was measured: on a pipe one line."""
    told = copyable(plain(told))
    if not out.is_terminal:
        out.print(Text(f"{name:<8}  {verdict:<13}  {told}"), soft_wrap=True)
        return
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=8, style="bold")
    line.add_column(width=13)
    line.add_column(overflow="fold")
    line.add_row(name, Text(verdict, style=_LOOKS.get(verdict, "yellow")), Text(told))
    out.print(line)
