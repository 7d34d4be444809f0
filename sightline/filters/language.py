"""The `--where` language: one line of text to a filter, and a filter back to text.

Does not know which fields exist: `resolve` checks that.

    filter    = all { "or" all }
    all       = one { "and" one }
    one       = "not" one | "(" filter ")" | condition
    condition = field ( "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
              | field [ "not" ] "in" "(" value { "," value } ")"
              | "exists" field | "true" | "false"
    field     = bare-word | `quoted` | 'quoted' | "quoted"
    value     = bare-word | 'quoted' | "quoted" | number | true | false

Keywords ignore case. A backslash in quotes takes the next character as it is (`\n`, `\t` mean newline and tab).
A bare word may hold letters, digits and marks such as `-` and `.`; numbers are written as JSON writes them.
The bare name `id` is the item's own id; a field of that name is written in backticks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

from sightline.errors import InputError
from sightline.filters.tree import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    Among,
    And,
    Compare,
    Exists,
    Filter,
    HasId,
    Not,
    Op,
    Or,
    Value,
    fault,
)

_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<mark>[(),]) | (?P<op><=|>=|!=|==|=|<|>)
      | (?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") | (?P<name>`(?:[^`\\]|\\.)*`) | (?P<word>[^\s(),<>=!'"`]+)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_KEYWORDS = frozenset({"and", "or", "not", "in", "exists", "true", "false"})
_OPS: dict[str, Op] = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

Kind: TypeAlias = Literal["mark", "op", "quoted", "name", "word", "keyword", "end"]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Kind
    text: str  # unquoted; a keyword in lower case
    start: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def parse(expression: str) -> Filter:
    """Read a filter such as `price < 50 and colour in (red, 'dark blue')`.

    Raises InputError with the position, what stands there and what was expected.
    """
    if reason := fault(expression):
        raise InputError(f"the filter holds {reason}")
    return _Parser(expression).whole()


def to_expression(filter: Filter) -> str:  # noqa: PLR0911 - one return a node
    """The filter in the `--where` language; `parse` reads it back to a filter of equal meaning."""
    match filter:
        case And(parts) | Or(parts) if not parts:
            return "true" if isinstance(filter, And) else "false"
        case And(parts):
            return " and ".join(_bracketed(part) for part in parts)
        case Or(parts):
            return " or ".join(_bracketed(part) for part in parts)
        case Not(part):
            return f"not {_bracketed(part)}"
        case Exists(name):
            return f"exists {_written_name(name)}"
        case Compare(name, op, value):
            return f"{_written_name(name)} {op} {_written(value)}"
        case Among(_, ()) | HasId(()):
            return "false"
        case Among(name, values):
            return f"{_written_name(name)} in ({', '.join(map(_written, values))})"
        case HasId(ids):
            return f"id in ({', '.join(map(_written, ids))})"


def _bracketed(filter: Filter) -> str:
    inner = to_expression(filter)
    return f"({inner})" if isinstance(filter, And | Or) else inner


def _written(value: Value) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _written_name(name: str) -> str:
    plain = _TOKEN.fullmatch(name)
    if plain and plain.lastgroup == "word" and name.casefold() not in _KEYWORDS | {"id"}:
        return name
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = self._read()
        self._at = 0
        self._depth = 0
        self._conditions = 0

    def whole(self) -> Filter:
        found = self._any()
        if self._next.kind != "end":
            several_words = self._next.kind == "word" and self._tokens[self._at - 1].kind == "word"
            hint = " (a value of several words needs quotes)" if several_words else ""
            self._fail(f"'and', 'or' or the end{hint}")
        return found

    # -- grammar -------------------------------------------------------------------------------------------------------

    def _any(self) -> Filter:
        found = [self._all()]
        while self._take("keyword", "or"):
            found.append(self._all())
        return found[0] if len(found) == 1 else Or(tuple(found))

    def _all(self) -> Filter:
        found = [self._one()]
        while self._take("keyword", "and"):
            found.append(self._one())
        return found[0] if len(found) == 1 else And(tuple(found))

    def _one(self) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InputError(f"the filter is nested more than {MAX_DEPTH} levels deep")
        try:
            if self._take("keyword", "not"):
                return Not(self._one())
            if self._take("mark", "("):
                found = self._any()
                self._expect(")")
                return found
            return self._condition()
        finally:
            self._depth -= 1

    def _condition(self) -> Filter:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise InputError(f"the filter has more than {MAX_CONDITIONS} conditions")
        if self._take("keyword", "exists"):
            return Exists(self._field().text)
        if self._take("keyword", "true"):
            return And(())
        if self._take("keyword", "false"):
            return Or(())
        field = self._field()
        negated = self._take("keyword", "not")
        if self._take("keyword", "in"):
            return _among(field, self._values(), negated=negated)
        if negated:
            self._fail("'in'")
        if self._next.kind != "op":
            self._fail(f"a comparison after {field.text!r}, such as = or <, or 'in (…)'")
        op = self._advance()
        return _comparison(field, op, self._value())

    def _values(self) -> list[_Token]:
        self._expect("(")
        values = [self._value()]
        while self._take("mark", ","):
            values.append(self._value())
        self._expect(")", "',' or ')'")
        return values

    def _field(self) -> _Token:
        if self._next.kind not in ("word", "name", "quoted"):
            self._fail("a field's name")
        return self._advance()

    def _value(self) -> _Token:
        flag = self._next.kind == "keyword" and self._next.text in ("true", "false")
        if self._next.kind not in ("word", "quoted") and not flag:
            self._fail("a value (quote it if it is a keyword)" if self._next.kind == "keyword" else "a value")
        return self._advance()

    # -- tokens --------------------------------------------------------------------------------------------------------

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _advance(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: Kind, text: str) -> bool:
        if self._next.kind == kind and self._next.text == text:
            self._at += 1
            return True
        return False

    def _expect(self, mark: str, expected: str = "") -> None:
        if not self._take("mark", mark):
            self._fail(expected or repr(mark))

    def _fail(self, expected: str) -> NoReturn:
        _refuse(self._next.start, f"expected {expected}, found {self._next}")

    def _read(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while at < len(self._expression):
            found = _TOKEN.match(self._expression, at)
            if found is None:
                char = self._expression[at]
                unclosed = f"the quote {char} is never closed" if char in "'\"`" else f"{char!r} means nothing here"
                _refuse(at, unclosed)
            if found.lastgroup != "space":
                tokens.append(_token(found))
            at = found.end()
        tokens.append(_Token("end", "", len(self._expression)))
        return tokens


def _refuse(at: int, what: str) -> NoReturn:
    raise InputError(f"cannot read the filter at position {at + 1}: {what}")


def _token(found: re.Match[str]) -> _Token:
    kind, text = found.lastgroup, found.group()
    match kind:
        case "quoted" | "name":
            plain = re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text[1:-1], flags=re.DOTALL)
            return _Token(kind, plain, found.start())
        case "mark" | "op":
            return _Token(kind, text, found.start())
        case _:
            keyword = text.lower() in _KEYWORDS
            return _Token("keyword", text.lower(), found.start()) if keyword else _Token("word", text, found.start())


def _literal(token: _Token) -> Value:
    if token.kind == "keyword":
        return token.text == "true"
    if token.kind == "quoted" or not _NUMBER.fullmatch(token.text):
        return token.text
    number: int | float
    try:
        number = int(token.text)
    except ValueError:
        number = float(token.text)
    if fault(number):
        _refuse(token.start, f"the number {token.text[:20]} is too large")
    return number


def _is_id(field: _Token) -> bool:
    return field.kind == "word" and field.text.lower() == "id"


def _comparison(field: _Token, op: _Token, value: _Token) -> Filter:
    if not _is_id(field):
        return Compare(field.text, _OPS[op.text], _literal(value))
    if _OPS[op.text] not in ("=", "!="):
        _refuse(op.start, "an id is compared with =, != or in only")
    found = HasId((value.text,))
    return found if _OPS[op.text] == "=" else Not(found)


def _among(field: _Token, values: list[_Token], *, negated: bool) -> Filter:
    if _is_id(field):
        ids = HasId(tuple(value.text for value in values))
        return Not(ids) if negated else ids
    among = Among(field.text, tuple(map(_literal, values)))
    return And((Exists(field.text), Not(among))) if negated else among
