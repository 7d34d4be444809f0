"""The name of a collection on a Qdrant server: its own, and an end that belongs to the one folder it is used from.

Does not know the server. Two index folders may both have a collection `default`, and other programs too: on the server
none of them is another's. The end is drawn once and kept in the folder, so it moves with it.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from sightline.disk import make_folder, move, sync
from sightline.errors import ConfigError

FILE = "qdrant_server.json"


def server_name(folder: Path, collection: str) -> str:
    """The name for the collection of this folder, drawn at the first call.

    Raises ConfigError for a folder that cannot be written, and for a copy of a folder that is still there: both would
    write to one collection, each with a ledger that knows nothing of the other.
    """
    file = folder / FILE
    try:
        if file.is_file():
            kept = json.loads(file.read_text(encoding="utf-8"))
            name, home = str(kept["collection"]), Path(kept["folder"])
            if _is_copy(home, folder):
                raise ConfigError(
                    f"{folder} is a copy of {home}, and both would write to the collection {name!r} of the Qdrant "
                    f"server. Use one of them; for a second catalog, index into a folder of its own."
                )
            if home != folder.resolve():
                move(_written(file, name), file)
            return name
        make_folder(folder)
        return _draw(file, f"{collection}-{uuid.uuid4().hex[:12]}")
    except OSError as exc:
        raise ConfigError(f"cannot use the folder {folder}: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"{file} is damaged; it named the collection on the Qdrant server") from exc


def _is_copy(home: Path, folder: Path) -> bool:
    """Whether `home`, where the name was last used, is still there with it and is another folder than this one."""
    there = home / FILE
    return there.is_file() and not home.samefile(folder) and there.read_bytes() == (folder / FILE).read_bytes()


def _draw(file: Path, name: str) -> str:
    """Keep a new name, unless another process was quicker: then it is that one's."""
    new = _written(file, name)
    try:
        os.link(new, file)
        sync(file.parent)
    except FileExistsError:
        return str(json.loads(file.read_text(encoding="utf-8"))["collection"])
    finally:
        new.unlink()
    return name


def _written(file: Path, name: str) -> Path:
    new = file.with_name(f"{FILE}.{uuid.uuid4().hex}")
    new.write_text(json.dumps({"collection": name, "folder": str(file.parent.resolve())}), encoding="utf-8")
    sync(new)
    return new
