"""Reads Thrift's compact protocol, in which Parquet writes footers and headers, from bytes of anybody.

Keeps what it is asked for and passes over the rest; knows nothing of Parquet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Wanted: TypeAlias = Mapping[
    int, Any
]  # number of a field -> what is wanted of the structures in it, {} where it has none

MOST_STRUCTURES = 300_000  # kept, of some 300 bytes of memory each
_DEPTH = 16
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


class ThriftFault(Exception):
    """Bytes that make no sense."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The wanted fields of one, each by its type and number: of another type than asked for, a field is not there."""

    values: dict[tuple[int, int], Any] = field(default_factory=dict)

    def i32(self, at: int) -> int:
        """A number; -1 where there is none."""
        return int(self.values.get((_I32, at), -1))

    def i64(self, at: int) -> int:
        """A number; -1 where there is none."""
        return int(self.values.get((_I64, at), -1))

    def one(self, at: int) -> Structure:
        """A structure; an empty one where there is none."""
        found: Structure = self.values.get((_STRUCT, at), _NOTHING)
        return found

    def several(self, at: int) -> list[Structure]:
        """The structures in a list."""
        return [one for one in self.values.get((_LIST, at), ()) if isinstance(one, Structure)]

    def texts(self, at: int) -> list[bytes]:
        """The texts in a list."""
        return [one for one in self.values.get((_LIST, at), ()) if isinstance(one, bytes)]


_NOTHING = Structure()


class Compact:
    """Structures one after another. Raises IndexError past the end, ThriftFault for what makes no sense."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at, self._kept = data, 0, 0

    def structure(self, wanted: Wanted, depth: int = 0) -> Structure:
        """The one that begins here; where a field is there twice, its last value."""
        if depth > _DEPTH or self._kept >= MOST_STRUCTURES:
            raise ThriftFault
        self._kept += 1
        found = Structure()
        at = 0
        while head := self._byte():
            at = at + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            if kind in (_TRUE, _FALSE):
                continue
            if at in wanted and kind in (_I32, _I64, _STRUCT, _LIST):
                found.values[kind, at] = self._value(kind, wanted[at], depth)
            else:
                self._pass(kind, depth)
        return found

    def _value(self, kind: int, wanted: Wanted, depth: int) -> Any:
        if kind == _STRUCT:
            return self.structure(wanted, depth + 1)
        if kind == _BINARY:
            length = self._varint()
            start = self.at
            self._skip(length)
            return self._data[start : self.at]
        if kind == _LIST:
            kind, count = self._list(depth)
            if kind in (_STRUCT, _BINARY):
                return [self._value(kind, wanted, depth + 1) for _ in range(count)]
            for _ in range(count):
                self._pass(kind, depth + 1)
            return ()
        value = self._zigzag()
        if kind == _I32 and not -(2**31) <= value < 2**31:
            raise ThriftFault
        return value

    def _pass(self, kind: int, depth: int) -> None:
        """Go past a value; in a list, a boolean takes a byte."""
        if kind in (_TRUE, _FALSE, _BYTE):
            self._skip(1)
        elif kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _DOUBLE:
            self._skip(8)
        elif kind == _BINARY:
            self._skip(self._varint())
        elif kind == _STRUCT and depth < _DEPTH:
            while head := self._byte():
                if not head >> 4:
                    self._varint()
                if head & 15 not in (_TRUE, _FALSE):
                    self._pass(head & 15, depth + 1)
        elif kind in (_LIST, _SET):
            kind, count = self._list(depth)
            for _ in range(count):
                self._pass(kind, depth + 1)
        else:
            raise ThriftFault

    def _list(self, depth: int) -> tuple[int, int]:
        """Type and number of what follows."""
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        if depth >= _DEPTH or count > len(self._data):
            raise ThriftFault
        return head & 15, count

    def _byte(self) -> int:
        value = self._data[self.at]
        self.at += 1
        return value

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self._data):
            raise IndexError

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ThriftFault
        return value | byte << shift
