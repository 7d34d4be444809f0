"""What an index folder keeps of its collection on a Qdrant server: the name, drawn once, and whose it said it is.

Does not know the server. Two index folders may both have a collection `default`, and other programs too: on the server
none of them is another's. The note moves with its folder.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from sightline.disk import make_folder, move, sync
from sightline.errors import ConfigError
from sightline.lock import locked

FILE = "qdrant_server.json"
LOCK = "qdrant_server.lock"
WAIT_S = 60.0  # another process that opens the same folder is done within this


@dataclass(frozen=True, slots=True)
class Note:
    """What `FILE` says. Earlier versions wrote the first two only."""

    collection: str  # its name on the server
    folder: str  # where the folder was when it was last opened
    place: str = ""  # which folder of which machine that was, whatever it is called
    words: tuple[str, ...] = ()  # by which this folder has said that the collection is its own, the latest last
    opened: int = 0  # how often; the server may have heard of one time less


def server_name(folder: Path, collection: str) -> str:
    """The name for the collection of this folder, drawn at the first call. Raises ConfigError."""
    note = read_note(folder)
    if note is not None:
        return note.collection
    try:
        make_folder(folder)
    except OSError as exc:
        raise ConfigError(f"cannot use the folder {folder}: {exc.strerror}") from exc
    with locked(folder / LOCK, wait_s=WAIT_S):
        note = read_note(folder)  # another process may have been quicker
        if note is None:
            note = Note(f"{collection}-{uuid.uuid4().hex[:12]}", str(folder.resolve()))
            write_note(folder, note)
        return note.collection


def read_note(folder: Path) -> Note | None:
    """The note of a folder; None where there is none. Raises ConfigError."""
    file = folder / FILE
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Note(
            str(kept["collection"]),
            str(kept["folder"]),
            str(kept.get("place", "")),
            tuple(map(str, kept.get("words", ()))),
            int(kept.get("opened", 0)),
        )
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ConfigError(f"cannot use the folder {folder}: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"{file} is damaged; it named the collection on the Qdrant server") from exc


def write_note(folder: Path, note: Note) -> None:
    """Put a note in place of the one there, on disk afterwards; call with the lock held. Raises ConfigError."""
    new = folder / f"{FILE}.new"
    try:
        new.write_text(json.dumps(asdict(note)), encoding="utf-8")
        sync(new)
        move(new, folder / FILE)
    except OSError as exc:
        raise ConfigError(f"cannot write in {folder}: {exc.strerror}") from exc
