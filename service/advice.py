"""Commands that the terminal advises, pointed where the one that advises them was pointed: to be copied as they are.

Knows which options say where; not what is advised, nor when.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from shlex import quote

_given: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("given", default=())
_ADVISED = re.compile(r"`(sightline (?!models|demo)[^`]*)`")


def point(argv: Sequence[str]) -> None:
    """From now on advise for the index and the collection that these arguments name."""
    found: dict[str, str] = {}
    names = ("--index",) if "restore" in argv[:1] else ("--index", "--collection")  # a restored one is another
    for at, argument in enumerate(argv):
        name, told, value = argument.partition("=")
        if name == "--":
            break
        if name in names and (told or at + 1 < len(argv)):
            found[name] = value if told else argv[at + 1]
    _given.set(tuple(sorted(found.items(), reverse=True)))  # the index first


def command(what: str, *, collection: bool = True) -> str:
    """`what` as it is typed, from `sightline` on; without the collection where that option means another thing."""
    said = (f" {name} {quote(value)}" for name, value in _given.get() if collection or name == "--index")
    return f"sightline {what}{''.join(one for one in said if one.split()[0] not in what.split())}"


def copyable(told: str) -> str:
    """A sentence with every command in it, between backticks, as it is typed here."""
    return _ADVISED.sub(lambda found: f"`{command(found[1].removeprefix('sightline '))}`", told)
