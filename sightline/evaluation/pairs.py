"""Reads image-caption pairs: rows of JSONL or CSV, the Karpathy JSON, WebDataset tars; each becomes judged queries.

Does not open a picture; a tar is unpacked, for what is asked and indexed is a file.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.readers import PICTURE_SUFFIXES
from indexer.records import Row
from sightline.errors import InputError
from sightline.evaluation.cases import Case, Document, Task
from sightline.evaluation.chosen import chosen
from sightline.evaluation.files import rows, unreadable
from sightline.types import Skipped

PICTURES = ("image", "image_path", "filepath", "file_name", "filename", "path", "img")
CAPTIONS = ("captions", "caption", "sentences", "texts", "text", "title", "raw")
ROLES = ("image", "caption")
MAX_WORDS_BYTES = 1_000_000  # of a caption file in a tar


@dataclass(slots=True)
class _Shown:
    """One picture with what is said of it."""

    name: str
    image: Path
    label: str
    captions: list[str] = field(default_factory=list)
    facts: Mapping[str, str] = field(default_factory=dict)


def read_pairs(
    paths: Sequence[Path],
    *,
    work: Path,
    images: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    where: str = "",
) -> Task:
    """Captions that should find their picture, and pictures that should find their captions.

    A row names a picture ("image", "filename", …; relative to the file, or to `images`) and one caption or several;
    rows of one picture are one. `where` keeps rows whose other keys pass. Tars are unpacked into `work`.
    Raises InputError when there is no pair.
    """
    mapping = mapping or {}
    if unknown := sorted(set(mapping) - set(ROLES)):
        raise InputError(f"--map knows {', '.join(ROLES)} for pairs; not {unknown[0]!r}")
    read: list[Row | Skipped] = []
    folders: dict[str, Path] = {}
    for number, path in enumerate(paths):
        if not path.is_file():
            raise InputError(f"{path} does not exist" if not path.exists() else f"{path} is not a file of pairs")
        unpacked = _unpacked(path, work / f"shard-{number}") if path.suffix.lower() == ".tar" else rows(path)
        for row in unpacked:
            read.append(row)
            folders[row.where if isinstance(row, Row) else row.source] = images or path.parent
    shown, left_out = _shown(read, folders, mapping, where)
    if not shown:
        first = next((f": {one.source}: {one.reason}" for one in left_out), "")
        raise InputError(f"{paths[0]}: there is no pair of a picture and a caption in it{first}")
    return _task(shown, left_out)


def _task(shown: Sequence[_Shown], left_out: Sequence[Skipped]) -> Task:
    documents: list[Document] = []
    cases: list[Case] = []
    said: list[str] = []
    for one in shown:
        name = " ".join(one.name.split())  # as an id is written in an index
        documents.append(Document(one.label, {"id": name, "image": one.image}))
        spoken = {f"{name}:{number}": text for number, text in enumerate(one.captions)}
        documents += [Document(one.label, {"id": caption, "text": text}) for caption, text in spoken.items()]
        told: dict[str, Any] = {"group": name, "facts": one.facts, "label": one.label}
        cases += [
            Case(caption, {name: 1}, text=text, target="image", own=caption, **told) for caption, text in spoken.items()
        ]
        cases.append(Case(name, dict.fromkeys(spoken, 1), image=one.image, target="text", own=name, **told))
        said += one.captions
    notes = [f"{len(shown):,} pictures with {len(said):,} captions; only its own count as right"]
    if equal := len(said) - len(set(said)):
        notes.append(f"{equal:,} captions are equal to one of another picture, and only one of both can be first")
    return Task("pairs", tuple(cases), tuple(documents), tuple(left_out), tuple(notes))


def _shown(
    read: Sequence[Row | Skipped], folders: Mapping[str, Path], mapping: Mapping[str, str], where: str
) -> tuple[list[_Shown], list[Skipped]]:
    """One entry a picture, in order, and what of the rows cannot be used."""
    left_out = [row for row in read if isinstance(row, Skipped)]
    found: dict[str, _Shown] = {}
    kept = chosen([(row, row.where, row.values) for row in read if isinstance(row, Row)], where)
    for row in kept:
        name, captions = _picture(row, mapping), _captions(row, mapping)
        if name is None or not captions:
            keys = ", ".join(list(map(str, row.values))[:8])
            lacking = "names no picture" if name is None else "has no caption"
            left_out.append(Skipped(row.where, f"the row {lacking} (its keys: {keys}); --map names other keys"))
            continue
        image = folders[row.where] / name
        one = found.setdefault(name, _Shown(name, image, f"{row.where} {name}", facts=_facts(row)))
        one.captions += [text for text in captions if text not in one.captions]
    return list(found.values()), left_out


def _picture(row: Row, mapping: Mapping[str, str]) -> str | None:
    """The path of the row's picture; the Karpathy JSON of COCO keeps folder and name apart."""
    keys = [mapping["image"]] if "image" in mapping else PICTURES
    named = next((row.values[key] for key in keys if isinstance(row.values.get(key), str) and row.values[key]), None)
    filename = row.values.get("filename")
    if named is not None and "image" not in mapping and named == row.values.get("filepath") and filename:
        return f"{named}/{filename}"
    return named


def _captions(row: Row, mapping: Mapping[str, str]) -> list[str]:
    keys = [mapping["caption"]] if "caption" in mapping else CAPTIONS
    said: Any = next((row.values[key] for key in keys if row.values.get(key)), [])
    several = said if isinstance(said, list) else [said]
    texts = [one.get("raw") if isinstance(one, Mapping) else one for one in several]
    return list(dict.fromkeys(" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()))


def _facts(row: Row) -> dict[str, str]:
    plain = {key: value for key, value in row.values.items() if key not in {*PICTURES, *CAPTIONS}}
    return {key: str(value) for key, value in plain.items() if isinstance(value, str | int | float)}


# -- WebDataset: files of one sample share a name up to the first dot --------------------------------------------------


def _unpacked(tar: Path, folder: Path) -> Iterator[Row | Skipped]:
    """A row a sample: its picture as a file in `folder`, its words from KEY.txt, KEY.caption or KEY.json."""
    samples: dict[str, dict[str, Any]] = {}
    folder.mkdir(parents=True)
    try:
        with tarfile.open(tar) as opened:
            for number, member in enumerate(opened):
                if member.isfile():
                    _member(opened, member, folder / f"{number:06}", samples)
    except tarfile.TarError as exc:
        raise InputError(f"{tar} is not a readable tar") from exc
    except OSError as exc:
        raise unreadable(tar, exc) from exc
    for key, values in samples.items():
        where = f"{tar.name}:{key}"
        reason = values.pop("unreadable", None)
        yield Skipped(where, reason) if reason else Row(where, values)


def _member(opened: tarfile.TarFile, member: tarfile.TarInfo, place: Path, samples: dict[str, dict[str, Any]]) -> None:
    folder, _, name = member.name.rpartition("/")
    stem, _, kind = name.partition(".")
    data = opened.extractfile(member)
    if data is None or not stem:
        return
    values = samples.setdefault(f"{folder}/{stem}" if folder else stem, {})
    suffix = f".{kind.lower().rpartition('.')[2]}"
    if suffix in PICTURE_SUFFIXES:
        path = place.with_suffix(suffix)
        with path.open("wb") as file:
            shutil.copyfileobj(data, file)
        values.setdefault("image", str(path))
    elif suffix in (".txt", ".caption", ".json"):
        try:
            text = data.read(MAX_WORDS_BYTES).decode("utf-8-sig")
            said: Any = json.loads(text) if suffix == ".json" else {"caption": text.strip()}
        except ValueError:
            values["unreadable"] = f"{name} is not readable {'JSON' if suffix == '.json' else 'UTF-8 text'}"
            return
        if isinstance(said, Mapping):
            for key, value in said.items():
                values.setdefault(key, value)
