"""What to say of a catalog whose rows lack a title, a text or a picture though their keys look like having them.

Knows records as they were read; opens nothing and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice

from indexer.records import Record

SAMPLE = 50  # rows looked at
_PICTURE = re.compile(r"\S[^\n]*\.(?:jpe?g|png|webp|gif|bmp|tiff?|heic|avif)(?:\?\S*)?", re.IGNORECASE)
_TITLES = ("name", "label", "heading", "headline", "product", "bezeichnung", "titel", "titre", "nombre", "nom", "nome")
_TEXTS = ("description", "desc", "body", "details", "summary", "about", "beschreibung", "descripcion", "descrizione")
_LONG = 40  # characters on average: prose rather than a name


def proposed(records: Iterable[Record], mapping: Mapping[str, str]) -> list[str]:
    """Sentences about roles that no row of a catalog fills, each with the `--map` option that would; none for files."""
    rows = [record for record in islice(records, SAMPLE) if record.document is None]
    if not rows:
        return []
    filled = {
        "title": any(row.title for row in rows),
        "text": any(row.text for row in rows),
        "image": any(row.pictures or row.skipped for row in rows),
    }
    texts = _texts(rows)
    found: dict[str, str] = {}
    for role, guess in (("image", _picture_key), ("text", _prose_key), ("title", _name_key)):
        if filled[role] or (key := guess({k: v for k, v in texts.items() if k not in found.values()})) is None:
            continue
        found[role] = key
    said = [
        f"no row has what --map {role}={mapping[role]} names" for role, there in filled.items()
        if not there and role in mapping and role not in found
    ]  # fmt: skip
    if found:
        options = " ".join(f"--map {role}={_quoted(found[role])}" for role in filled if role in found)
        said.append(f"its rows have no {' and no '.join(role for role in filled if role in found)}; try: {options}")
    return said


def _texts(rows: list[Record]) -> dict[str, list[str]]:
    """Key -> the texts it holds, for keys that hold texts only."""
    held: dict[str, list[str]] = {}
    others: set[str] = set()
    for row in rows:
        for key, value in row.fields.items():
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, str):
                    held.setdefault(key, []).append(one)
                else:
                    others.add(key)
    return {key: values for key, values in held.items() if key not in others}


def _picture_key(texts: Mapping[str, list[str]]) -> str | None:
    return next((key for key, values in texts.items() if all(map(_PICTURE.fullmatch, values))), None)


def _prose_key(texts: Mapping[str, list[str]]) -> str | None:
    long = {key: sum(map(len, values)) / len(values) for key, values in texts.items()}
    named = _called(texts, _TEXTS)
    longest = max(long, key=lambda key: long[key], default=None)
    return named or (longest if longest is not None and long[longest] >= _LONG else None)


def _name_key(texts: Mapping[str, list[str]]) -> str | None:
    return _called(texts, _TITLES)


def _called(keys: Iterable[str], names: tuple[str, ...]) -> str | None:
    """The key that is one of `names`, or ends or begins with one as a word of its own: "productName", "name_en"."""
    words = {key: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).replace("_", " ").replace("-", " ").lower() for key in keys}
    for name in names:
        for key, said in words.items():
            if name in said.split():
                return key
    return None


def _quoted(key: str) -> str:
    return key if re.fullmatch(r"[\w.-]+", key) else f'"{key}"'
