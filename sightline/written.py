"""The algebra of queries as written on a command line: `2:"red dress" + photo.jpg - stripes`.

    expression = ["= "] [sign] operand { sign operand }          sign = "+" or "-" with a space on each side
    operand    = words | [weight ":"] marked                     weight = 2, 0.5, …
    marked     = "quoted words" | picture ["[" x0 "," y0 "," x1 "," y1 "]"] | like:ID
    picture    = a path without spaces that ends as pictures do | image:PATH; quoted where it has spaces, so ID

A text is read so when it begins with `= ` or has a marked operand (a picture's path alone is none: it may be an id).
Two marked operands without a sign between them are refused.
Every other text means its words: "t-shirt", "C++", "size: M", "16:9 screen - black". Knows nothing of files.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from sightline.algebra import Box, Clipped, Expression, image, like, text
from sightline.errors import InputError

FLAG = "= "
SHOWN = 30  # characters of the text that an error quotes from where it went wrong

_SIGN = re.compile(r"\s+([+-])(?=\s|$)\s*")
_FIRST_SIGN = re.compile(r"([+-])\s+")
_WEIGHT = re.compile(r"(\d+(?:\.\d+)?|\.\d+|[-+]?(?:nan|inf|infinity|\d+(?:\.\d+)?)(?=:\")):(?=\S)", re.IGNORECASE)
_KIND = re.compile(r"(like|image):(?=\S)")
LONGEST_MEANT = 1_000  # characters of a text that may have been meant as an expression
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BOX = re.compile(r"\[([^\[\]]*)\]")
_PICTURE = re.compile(r"\S+\.(?:jpe?g|png|webp|gif|bmp|tiff?|heic|heif|avif)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Read:
    """An operand, where the text goes on after it, and whether it can be nothing else: 2 surely, 1 beside another."""

    expression: Expression
    end: int
    marked: int


class _Amiss(Exception):
    """The text is no expression: where and why, and whether it surely was to be one."""

    def __init__(self, at: int, why: str, *, meant: bool = False) -> None:
        self.at, self.why, self.meant = at, why, meant


def parse(query: str) -> Expression | str:
    """The expression that a text writes, or the text itself where it means its words.

    Raises InputError, naming the place, for one that is meant as an expression and is none.
    """
    whole = query.strip()
    flagged = whole.startswith(FLAG)
    at = len(FLAG) if flagged else 0
    found: list[_Read] = []
    total = Expression(())
    try:
        sign, at = _sign(whole, at, _FIRST_SIGN)
        while True:
            found.append(_operand(whole, at))
            total = total - found[-1].expression if sign == "-" else total + found[-1].expression
            if found[-1].end == len(whole):
                break
            sign, at = _sign(whole, found[-1].end, _SIGN)
    except _Amiss as exc:
        if flagged or exc.meant or _is_expression(found) or _goes_on_marked(whole, exc.at):
            place = f"at its end, after {whole[-SHOWN:]!r}" if exc.at >= len(whole) else _place(whole, exc.at)
            raise InputError(f"the query cannot be read {place}: {exc.why}") from exc
        return query
    return total if flagged or _is_expression(found) else query


def clip(path: str, box: Box) -> str:
    """What a box of a picture holds, as `parse` reads it; quoted where the path alone would be read otherwise."""
    held = edges(box)
    if _names(path + held, path):
        return path + held
    escaped = re.sub(r'(["\\\\])', r"\\\1", path)
    return f'image:"{escaped}"{held}'


def edges(box: Box) -> str:
    """A box as it is written: rounded outwards to two decimals."""
    x0, y0, x1, y1 = (round(100 * edge, 6) for edge in box)
    outer = (math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
    return f"[{','.join(f'{edge / 100:.2f}' for edge in outer)}]"


def _names(query: str, path: str) -> bool:
    """Whether a text is read as a clip of the picture of this path, and nothing else."""
    try:
        read = parse(query)
    except InputError:
        return False
    sought = read.operands[0].sought if isinstance(read, Expression) else None
    return isinstance(sought, Clipped) and sought.box is not None and sought.picture == path_of(path)


def nearest(query: str) -> str | None:
    """The expression that a text read as its words may have been meant as: quoted words go on without a sign, and
    another sign follows. None for every other text.
    """
    if len(query) > LONGEST_MEANT:
        return None
    for quoted in _QUOTED.finditer(query):
        before, after = query[: quoted.start()], query[quoted.end() :]
        if re.fullmatch(r"\s*|.*\s[+-]\s+", before) and re.match(r"\s+[^\s+-]", after) and _SIGN.search(query):
            meant = f"{before}{quoted[0]} + {after.lstrip()}"
            try:
                return meant if isinstance(parse(meant), Expression) else None
            except InputError:
                return None
    return None


def pictures(query: str) -> list[str]:
    """What in a text may be a picture's path: all of it, spaces or not, then words of it."""
    words = query.split()
    named = [one for one in words if _PICTURE.fullmatch(one)]
    return [query.strip(), *named] if len(words) > 1 and words[-1:] == named[-1:] else named


def path_of(said: str) -> Path:
    """A path as a shell would read it: `~` is the home folder, where there is one."""
    try:
        return Path(said).expanduser()
    except RuntimeError:  # nobody's home: then it is a name like others
        return Path(said)


def _is_expression(found: list[_Read]) -> bool:
    least = 2 if len(found) == 1 else 1
    return any(one.marked >= least for one in found)


def _goes_on_marked(whole: str, at: int) -> bool:
    """Whether a marked operand follows on what cannot be read."""
    for sign in _SIGN.finditer(whole, at):
        try:
            if _operand(whole, sign.end()).marked:
                return True
        except _Amiss as exc:
            if exc.meant:
                return True
    return False


def _place(whole: str, at: int) -> str:
    rest = whole[at : at + SHOWN]
    return f"at character {at + 1}, {rest + ('…' if at + SHOWN < len(whole) else '')!r}"


def _sign(whole: str, at: int, pattern: re.Pattern[str]) -> tuple[str, int]:
    """The sign before the next operand, and where that begins; an expression may begin without one."""
    if match := pattern.match(whole, at):
        return match[1], match.end()
    return "+", at


def _operand(whole: str, start: int) -> _Read:
    """The operand that begins at `start`."""
    weight = _WEIGHT.match(whole, start)
    kind = _KIND.match(whole, weight.end() if weight else start)
    last = kind or weight
    at, named = last.end() if last else start, kind[1] if kind else ""
    read = _quoted(whole, at, named, meant=bool(last)) if whole[at : at + 1] == '"' else _bare(whole, at, named)
    if not _ends(whole, read.end):
        if last or _next_is_marked(whole, read.end):
            raise _Amiss(read.end, "+ or - with a space on each side belongs here", meant=True)
        read = _bare(whole, start, "")
    if not weight:
        return read
    if not 0 < float(weight[1]) < math.inf:
        raise _Amiss(start, "a weight is a number above zero", meant=read.marked > 0)
    if not read.marked:
        raise _Amiss(start, f'what has a weight is quoted, {weight[1]}:"like this", or else the whole of it is')
    return _Read(float(weight[1]) * read.expression, read.end, 2)


def _next_is_marked(whole: str, at: int) -> bool:
    """Whether quoted words go on without a sign, and with what is no word: a picture's path, `like:ID`, a weight."""
    following = re.compile(r"\s+(\S+)").match(whole, at)
    try:
        return following is not None and following[1][0] != '"' and _operand(following[1], 0).marked > 0
    except _Amiss as exc:
        return exc.meant


def _ends(whole: str, at: int) -> bool:
    return at == len(whole) or _SIGN.match(whole, at) is not None


def _quoted(whole: str, at: int, kind: str, *, meant: bool) -> _Read:
    """Quoted words, or a quoted path or id; a backslash keeps a quote from being one."""
    match = _QUOTED.match(whole, at)
    if not match:
        raise _Amiss(at, "this quote is not closed", meant=meant)
    said, end = re.sub(r"\\(.)", r"\1", match[1]), match.end()
    if not said.strip():
        raise _Amiss(at, "nothing is quoted here", meant=meant)
    if kind == "image":
        box = _BOX.match(whole, end)
        return _Read(_image(said, box, end), box.end() if box else end, 2)
    return _Read(like(said) if kind == "like" else text(said), end, 2)


def _bare(whole: str, at: int, kind: str) -> _Read:
    """Words, a path or an id that is not quoted: up to the next sign."""
    sign = _SIGN.search(whole, at)
    end = sign.start() if sign else len(whole)
    said = whole[at:end]
    if not said.strip() or _FIRST_SIGN.match(said):
        raise _Amiss(at, "a text, a picture or like:ID belongs here")
    if kind and re.search(r'[\s"]', said):
        raise _Amiss(at, f'with spaces in it, it is quoted: {kind}:"…"')
    if kind == "like":
        return _Read(like(said), end, 2)
    box = _BOX.search(said) if said.endswith("]") else None
    path = said[: box.start()] if box else said
    if kind == "image" or _PICTURE.fullmatch(path):
        return _Read(_image(path, box, at + len(path)), end, 2 if box or kind else 1)
    if '"' in said:
        raise _Amiss(at + said.index('"'), "quotes go around the whole of what is added or taken away")
    return _Read(text(said), end, 0)


def _image(path: str, box: re.Match[str] | None, at: int) -> Expression:
    try:
        numbers = [float(number) for number in box[1].split(",")] if box else None
        return image(path_of(path), box=numbers)
    except (ValueError, InputError) as exc:
        why = str(exc) if isinstance(exc, InputError) else "a box is four numbers: [x0,y0,x1,y1]"
        raise _Amiss(at, why, meant=True) from exc
