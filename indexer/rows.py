"""From a catalog row to a record: which key is id, title, text or picture, and which are fields.

Does not open what a row points at.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from indexer import markup
from indexer.records import Picture, Record, Row
from sightline.errors import InputError, UnreadableSource
from sightline.types import FieldValue, Scalar, Skipped

ROLES = ("id", "title", "text", "image", "images")

_KEY = re.compile(r"\{([^{}]+)\}")
_ID = re.compile(
    r"(?:.*[_\W])?id|sku|upc|ean|gtin|asin|isbn|handle|art(?:icle|ikel)?[_\W]?(?:no|nr|num|number|nummer)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DATA = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Raise InputError unless every name mapped is one that a row can have."""
    for role in mapping:
        if role not in ROLES:
            raise InputError(f"--map knows {', '.join(ROLES)}; not {role!r}")


def record_of(row: Row, *, mapping: Mapping[str, str], folder: Path, uri: str | None) -> Record:
    """Read one row. Paths of pictures are relative to `folder`. Raises UnreadableSource for a row without id."""
    keys = {role: _key(role, row.values, mapping) for role in ROLES}
    said = {role: _said(keys[role], row, role in mapping) for role in ROLES}
    try:
        item_id = _one_line(said["id"])
        if not item_id:
            raise UnreadableSource(row.where, _no_id(mapping.get("id", "id"), row.values))
        title = _one_line(markup.plain(_one_line(said["title"])))
        text = _joined(said["text"])
        used = {key for key in keys.values() if key is not None}
        rest = {key: value for key, value in row.values.items() if key not in used}
        fields = {**({"title": title} if title else {}), **_fields(rest, row.numeric)}
        pictures, skipped = _pictures(row.where, _listed(said["image"], plural=False), _listed(said["images"]), folder)
    except RecursionError as exc:
        raise UnreadableSource(row.where, "the row is nested too deeply") from exc
    if not (fields or text or pictures or skipped):
        empty = [str(key) for key in rest][:8]
        told = f" that can be kept ({', '.join(empty)}: empty, or no finite number)" if empty else ""
        raise UnreadableSource(row.where, f"the row has an id and nothing else{told}")
    return Record(item_id, row.where, fields, title, text, pictures, uri=uri, skipped=skipped)


def id_of(row: Row, *, mapping: Mapping[str, str]) -> str:
    """The id of a row that cannot be read whole; "" where not even that can."""
    try:
        return _one_line(_said(_key("id", row.values, mapping), row, "id" in mapping))
    except RecursionError:
        return ""


def _no_id(wanted: str, values: Mapping[str, Any]) -> str:
    if wanted in values:
        return f"the row has no {wanted!r}: it is empty, or neither a text nor a number"
    keys = [str(key) for key in values]
    like = next((key for key in keys if _ID.fullmatch(key)), None)
    named = f"try: --map id={like}" if like else "--map id=KEY names another"
    return f"the row has no {wanted!r} (its keys: {', '.join(keys[:8])}); {named}"


# -- keys and roles ----------------------------------------------------------------------------------------------------


def _key(role: str, values: Mapping[str, Any], mapping: Mapping[str, str]) -> str | None:
    """The row's own key for a role, or the template mapped to it; case does not matter."""
    wanted = mapping.get(role, role)
    if _KEY.search(wanted) or wanted in values:
        return wanted
    return next((key for key in values if key.casefold() == wanted.casefold()), wanted if role in mapping else None)


def _said(key: str | None, row: Row, mapped: bool) -> Any:
    """The value a role has in a row, a template filled in; None where there is nothing."""
    if key is None:
        return None
    if not (mapped and _KEY.search(key)):
        return row.values.get(key)
    parts = {name: row.values.get(_key("", row.values, {"": name}) or name) for name in _KEY.findall(key)}
    if any(value is None or value == "" for value in parts.values()):
        return None
    return _KEY.sub(lambda found: str(parts[found.group(1)]), key)


def _one_line(value: Any) -> str:
    """An id or a title: text, or a number written out."""
    value = _plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split()) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _joined(value: Any) -> str:
    """Text, or several texts as paragraphs."""
    several = value if isinstance(value, list | tuple) else [value]
    plain = (_plain(one) for one in several)
    told = (markup.plain(str(one)).strip() for one in plain if isinstance(one, str | int | float))
    return "\n\n".join(one for one in told if one)


# -- fields ------------------------------------------------------------------------------------------------------------


def _fields(values: Mapping[str, Any], numeric: frozenset[str]) -> dict[str, FieldValue]:
    """Every other key. Objects are flattened with dots, lists become tuples, nulls and empty texts are dropped."""
    found: dict[str, list[Scalar]] = {}
    many: set[str] = set()
    for key, value in values.items():
        for name, scalar, in_list in _flat(_clean(str(key)).strip(), value, False):
            found.setdefault(name, []).append(_number(scalar) if key in numeric and isinstance(scalar, str) else scalar)
            if in_list or len(found[name]) > 1:
                many.add(name)
    return {name: tuple(scalars) if name in many else scalars[0] for name, scalars in found.items() if name}


def _flat(name: str, value: Any, in_list: bool) -> Iterator[tuple[str, Scalar, bool]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{_clean(str(key)).strip()}", inner, in_list)
    elif isinstance(value, list | tuple | set | frozenset | np.ndarray):
        for inner in value:
            yield from _flat(name, inner, True)
    else:
        plain = _plain(value)
        plain = markup.plain(plain) if isinstance(plain, str) else plain
        if plain is not None and plain != "":
            yield name, plain, in_list


def _plain(value: Any) -> Scalar | None:
    """A text, number or boolean, or None for what is neither nor can be written as one."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):  # beyond 64 bits it is a code, not a quantity
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() and abs(value) < 2**53 else float(value)
    if isinstance(value, float | int):
        return value if math.isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta | Path) else None


def _clean(text: str) -> str:
    """Without NUL and halves of surrogate pairs, which no database takes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _number(text: str) -> int | float:
    text = text.strip()  # of more than float() knows as white space
    try:
        return int(text)
    except ValueError:
        return float(text)


# -- pictures ----------------------------------------------------------------------------------------------------------


def _listed(value: Any, *, plural: bool = True) -> list[Any]:
    """The pictures a cell names: one, a list, or, in the plural key of a CSV, several with | ; , between them."""
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple | np.ndarray):
        return [one for one in value if one is not None and str(one) not in ("", "b''")]
    if not isinstance(value, str) or not plural or _DATA.match(value):
        return [value]
    if value.lstrip().startswith("["):
        try:
            listed = json.loads(value)
        except ValueError:
            return [value]
        return [one for one in listed if one]
    pieces = re.split(r"[|\n]|[;,]\s+|\s+(?=[A-Za-z]+://)" if _SCHEME.search(value) else r"[|;,\n]", value)
    return [piece.strip() for piece in pieces if piece.strip()]


def _pictures(
    where: str, image: list[Any], images: list[Any], folder: Path
) -> tuple[tuple[Picture, ...], tuple[Skipped, ...]]:
    """Pictures in the order named, each once, and those that are no picture at all."""
    pictures: dict[Any, Picture] = {}
    skipped: list[Skipped] = []
    for number, value in enumerate([*image, *images]):
        try:
            picture = _picture(f"{where} ", number, value, folder)
        except UnreadableSource as exc:
            skipped.append(Skipped(exc.source, exc.reason))
        else:
            pictures.setdefault(picture.place, picture)
    return tuple(pictures.values()), tuple(skipped)


def _picture(prefix: str, number: int, value: Any, folder: Path) -> Picture:
    """One picture: bytes, {"bytes"} or {"path"} (as data sets in Parquet write it), a data URI, a URL or a path."""
    inline = f"{prefix}image {number}"
    if isinstance(value, Mapping):
        named = next((value[key] for key in ("bytes", "path", "url") if value.get(key)), None)
        value = named if isinstance(named, str | bytes) else None
    if isinstance(value, bytes | bytearray | memoryview):
        return Picture(inline, bytes(value))
    if isinstance(value, Path):
        if _clean(str(value)) != str(value):
            raise UnreadableSource(inline, "the name is not valid Unicode")
        return Picture(f"{prefix}{value}", folder / value)
    if not isinstance(value, str):
        raise UnreadableSource(inline, "a picture is named by a path, a URL or a data URI")
    if found := _DATA.match(value):
        try:
            return Picture(inline, base64.b64decode(re.sub(r"\s+", "", value[found.end() :]), validate=True))
        except (binascii.Error, ValueError) as exc:
            raise UnreadableSource(inline, "the data URI is not valid base64") from exc
    if value[:5].lower() == "data:":
        raise UnreadableSource(inline, "a data URI must be base64")
    if _SCHEME.match(value):
        return Picture(f"{prefix}{_clean(value)}", _clean(value))
    return Picture(f"{prefix}{_clean(value)}", folder / _clean(value))
