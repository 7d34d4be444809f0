"""What reading a Parquet file would take, by its footer and the headers of its pages, which bind whoever decodes them.

Decodes nothing. Reads both itself: of a footer that makes no sense, pyarrow's own view can end the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sightline.transfer.thrift import Compact, Structure, ThriftFault, Wanted

MOST_FOOTER_BYTES = 32_000_000  # a footer has some 4 kB for each group of rows, and takes ten times its size
_TAIL_BYTES = 8  # of a file: how long its footer is, and PAR1
_HEADER_BYTES = 16_384  # read at first; those written here have some hundreds
_LONG_HEADER_BYTES = 1_000_000  # one that holds whole values as statistics

# Numbers of fields in parquet.thrift: what of a footer and of a page's header is looked at
_GROUPS, _COLUMNS, _ROWS, _OF_COLUMN = 4, 1, 3, 3
_PATH, _VALUES, _SIZE, _DATA_AT, _DICTIONARY_AT = 3, 5, 7, 9, 11
_CHUNK: Wanted = {_PATH: {}, _VALUES: {}, _SIZE: {}, _DATA_AT: {}, _DICTIONARY_AT: {}}
_FOOTER: Wanted = {_GROUPS: {_COLUMNS: {_OF_COLUMN: _CHUNK}, _ROWS: {}}}
_KIND, _UNPACKED, _PACKED = 1, 2, 3
_DATA, _INDEX, _DICTIONARY, _DATA_2 = range(4)  # kinds of pages
_OF_PAGE = {_DATA: (5, 1, 2), _DICTIONARY: (7, 1, 2), _DATA_2: (8, 1, 4)}  # kind -> field, in it: values, encoding
_HEADER: Wanted = {
    _KIND: {},
    _UNPACKED: {},
    _PACKED: {},
    **{one[0]: {one[1]: {}, one[2]: {}} for one in _OF_PAGE.values()},
}
# Plain, dictionary and run lengths. The delta encodings are left out: a few bytes of them stand for megabytes.
_ENCODINGS = {_DATA: {0, 2, 3, 8}, _DICTIONARY: {0, 2}, _DATA_2: {0, 2, 3, 8}}
_POINTER_BYTES = 16  # that Arrow keeps for each value of a dictionary
_LEAST_VALUE_BYTES = 4  # of a value in a dictionary: the length of a text, or half a number


class PageFault(Exception):
    """What is wrong with a file, fit to show."""

    def __init__(self, reason: str = "the header of a page makes no sense") -> None:
        super().__init__(f"not a whole Parquet file: {reason}")


@dataclass(frozen=True, slots=True)
class Group:
    """A row group. `bytes_unpacked` of all its pages; `bytes_dictionary` may stand in every row of it."""

    rows: int
    bytes_unpacked: int
    bytes_dictionary: int


def groups(path: Path, widths: Mapping[str, tuple[int, int]]) -> list[Group]:
    """The row groups of a file. `widths`: column -> how many values a row has in it, at least and at most.

    Only these columns are looked at. Raises PageFault for pages that do not hold what the footer says; OSError.
    """
    names = {name.encode(): width for name, width in widths.items()}
    with path.open("rb") as file:
        return [_group(file, one, names) for one in _footer(file).several(_GROUPS)]


def _footer(file: BinaryIO) -> Structure:
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length + _TAIL_BYTES > size:
        raise PageFault("it does not end as one")
    if length > MOST_FOOTER_BYTES:
        raise PageFault(f"its footer has {length:,} bytes, of which it may have {MOST_FOOTER_BYTES:,}")
    file.seek(size - _TAIL_BYTES - length)
    try:
        return Compact(file.read(length)).structure(_FOOTER)
    except (IndexError, ThriftFault) as exc:
        raise PageFault("its footer makes no sense") from exc


def _group(file: BinaryIO, group: Structure, names: Mapping[bytes, tuple[int, int]]) -> Group:
    rows = group.i64(_ROWS)
    unpacked = dictionary = 0
    for column in (one.one(_OF_COLUMN) for one in group.several(_COLUMNS)):
        least, most = names.get(next(iter(column.texts(_PATH)), b""), (0, -1))
        if most < 0:
            continue
        values = 0
        for kind, size, count in _pages(file, column):
            unpacked += size
            if kind == _DICTIONARY:
                dictionary += size + count * _POINTER_BYTES
            elif kind != _INDEX:
                values += count
        if values != column.i64(_VALUES) or not least * rows <= values <= most * rows:
            raise PageFault(f"a column has {values:,} values in {rows:,} rows")
    return Group(rows, unpacked, dictionary)


def _pages(file: BinaryIO, column: Structure) -> Iterator[tuple[int, int, int]]:
    """Kind, bytes unpacked and number of values of every page of a column, where Arrow looks for them."""
    at = column.i64(_DATA_AT)
    if 0 < column.i64(_DICTIONARY_AT) < at:
        at = column.i64(_DICTIONARY_AT)
    end = at + column.i64(_SIZE)
    if at < 0 or end < at:
        raise PageFault("its footer makes no sense")
    while at < end:
        header, length = _header(file, at)
        kind, unpacked, packed = header.i32(_KIND), header.i32(_UNPACKED), header.i32(_PACKED)
        if min(unpacked, packed) < 0 or not 0 <= kind <= _DATA_2:
            raise PageFault
        count = 0
        if kind != _INDEX:
            which, values, encoding = _OF_PAGE[kind]
            count = header.one(which).i32(values)
            if count < 0 or (kind == _DICTIONARY and count * _LEAST_VALUE_BYTES > unpacked):
                raise PageFault
            if header.one(which).i32(encoding) not in _ENCODINGS[kind]:
                raise PageFault("only plain pages and dictionaries are read")
        yield kind, max(unpacked, packed), count
        at += length + packed
    if at != end:
        raise PageFault("a page ends elsewhere than its column")


def _header(file: BinaryIO, at: int) -> tuple[Structure, int]:
    """The header that begins at a place, and its length."""
    for most in (_HEADER_BYTES, _LONG_HEADER_BYTES):
        file.seek(at)
        reader = Compact(file.read(most))
        try:
            return reader.structure(_HEADER), reader.at
        except IndexError:
            continue
        except ThriftFault as exc:
            raise PageFault from exc
    raise PageFault
