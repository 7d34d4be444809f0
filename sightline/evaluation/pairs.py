"""Reads image-caption pairs: rows of JSONL or CSV, the Karpathy JSON, WebDataset tars; each becomes judged queries.

Does not open a picture; a tar is unpacked, for what is asked and indexed is a file.
"""

from __future__ import annotations

import json
import posixpath
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


@dataclass(frozen=True, slots=True)
class _Found:
    """A row, and where the picture it names lies."""

    row: Row
    folder: Path
    source: str  # which of the files given it is in: "1"
    packed: tuple[str, Path] | None = None  # of a tar: how reports call its picture, and the unpacked copy


@dataclass(slots=True)
class _Shown:
    """One picture with what is said of it."""

    name: str  # told in reports: no two pictures share one
    image: Path
    label: str
    packed: bool  # in a tar: `image` is a copy that is gone after the measurement
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
    read: list[_Found] = []
    left_out: list[Skipped] = []
    for number, path in enumerate(paths):
        if not path.is_file():
            raise InputError(f"{path} does not exist" if not path.exists() else f"{path} is not a file of pairs")
        if path.suffix.lower() == ".tar":
            several = _unpacked(path, work / f"shard-{number}", str(number + 1))
        else:
            folder = images or path.parent
            several = (one if isinstance(one, Skipped) else _Found(one, folder, str(number + 1)) for one in rows(path))
        for one in several:
            if isinstance(one, Skipped):
                left_out.append(one)
            else:
                read.append(one)
    shown = _shown(read, left_out, mapping, where)
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
        if one.packed:  # saved queries name the file in the tar: a fact is written over the path of the copy
            told["facts"] = {**one.facts, "image": one.name}
        cases.append(Case(name, dict.fromkeys(spoken, 1), image=one.image, target="text", own=name, **told))
        said += one.captions
    notes = [f"{len(shown):,} pictures with {len(said):,} captions; only its own count as right"]
    if equal := len(said) - len(set(said)):
        notes.append(f"{equal:,} captions are equal to one of another picture, and only one of both can be first")
    return Task("pairs", tuple(cases), tuple(documents), tuple(left_out), tuple(notes))


def _shown(read: Sequence[_Found], left_out: list[Skipped], mapping: Mapping[str, str], where: str) -> list[_Shown]:
    """One entry a picture file, in order; adds to `left_out` what of the rows cannot be used."""
    found: dict[Path, _Shown] = {}
    names: set[str] = set()
    for one in chosen([(one, one.row.where, one.row.values) for one in read], where):
        row, captions = one.row, _captions(one.row, mapping)
        name, image = one.packed or _named(one, mapping)
        if not name or not captions:
            keys = ", ".join(list(map(str, row.values))[:8])
            lacking = "has no caption" if name else "names no picture"
            left_out.append(Skipped(row.where, f"the row {lacking} (its keys: {keys}); --map names other keys"))
            continue
        file = image.resolve()
        if file not in found:
            name = _free(name, one.source, names)
            found[file] = _Shown(name, image, f"{row.where} {name}", one.packed is not None, facts=_facts(row))
        known = found[file].captions
        known += [text for text in captions if text not in known]
    return list(found.values())


def _named(one: _Found, mapping: Mapping[str, str]) -> tuple[str, Path]:
    """How the row's picture is called, however its path is spelt, and where it lies; "" where the row names none."""
    written = _picture(one.row, mapping)
    return (posixpath.normpath(written), one.folder / written) if written else ("", one.folder)


def _free(name: str, source: str, names: set[str]) -> str:
    """The name; where another picture is called so already, with the number of its file before it."""
    free = name
    while " ".join(free.split()) in names:
        free = f"{source}:{free}"
    names.add(" ".join(free.split()))  # as an id is written in an index
    return free


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


def _unpacked(tar: Path, folder: Path, source: str) -> Iterator[_Found | Skipped]:
    """A row a sample: its picture as a file in `folder`, its words from KEY.txt, KEY.caption or KEY.json."""
    samples: dict[str, dict[str, Any]] = {}
    pictures: dict[str, Path] = {}  # by sample
    folder.mkdir(parents=True)
    try:
        with tarfile.open(tar) as opened:
            for number, member in enumerate(opened):
                if member.isfile():
                    _member(opened, member, folder / f"{number:06}", samples, pictures)
    except tarfile.TarError as exc:
        raise InputError(f"{tar} is not a readable tar") from exc
    except OSError as exc:
        raise unreadable(tar, exc) from exc
    for key, values in samples.items():
        where = f"{tar.name}:{key}"
        reason = values.pop("unreadable", None)
        if reason or key not in pictures:
            yield Skipped(where, reason or "the sample has no picture")
            continue
        place = pictures[key]
        yield _Found(Row(where, values), folder, source, (f"{where}{place.suffix}", place))


def _member(
    opened: tarfile.TarFile,
    member: tarfile.TarInfo,
    place: Path,
    samples: dict[str, dict[str, Any]],
    pictures: dict[str, Path],
) -> None:
    folder, _, name = member.name.rpartition("/")
    stem, _, kind = name.partition(".")
    data = opened.extractfile(member)
    if data is None or not stem:
        return
    sample = f"{folder}/{stem}" if folder else stem
    values = samples.setdefault(sample, {})
    suffix = f".{kind.lower().rpartition('.')[2]}"
    if suffix in PICTURE_SUFFIXES:
        path = place.with_suffix(suffix)
        with path.open("wb") as file:
            shutil.copyfileobj(data, file)
        pictures[sample] = path  # whatever KEY.json says: it names no file of this machine
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
