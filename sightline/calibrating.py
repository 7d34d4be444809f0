"""The calibration of a collection: made when it has grown, kept in its ledger, read again when another made one.

Knows when one is due; not how one is made.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from indexer import Ledger
from retriever.calibration import VERSION, Calibration, Manner
from retriever.generated import Corpus, calibrated
from sightline.compacting import Writing
from sightline.errors import InputError
from sightline.passport import PassportControl
from sightline.protocols import Store

log = logging.getLogger("sightline.calibrating")

GROWN = 1.5  # times as many items as it was made from, or as few
LARGE = 10_000  # items: to count more takes time that not every small write should cost
LOOK_EVERY_S = 60.0
NOTE = "calibration"


class Calibrations:
    """The calibration of one open collection. Safe to share between threads."""

    def __init__(self, control: PassportControl, store: Store, ledger: Ledger, writing: Writing) -> None:
        self._control, self._store, self._ledger, self._writing = control, store, ledger, writing
        self._reading = threading.Lock()
        self._making = threading.Lock()
        self._looked = -LOOK_EVERY_S
        self._in_vain = 0  # items there were when none could be made
        self._read: tuple[str, Calibration | None] = ("", None)  # what is kept, and what it says

    def current(self) -> Calibration | None:
        """The calibration for the encoder and adapter in use; None where there is none, or none by this version."""
        found = self._kept()
        return found if found and found.key == self._key() else None

    def refresh(self) -> None:
        """Make one where it is due: none yet, another encoder or adapter, half as many items more or fewer, pictures
        where there were none, or one that an earlier version made.

        For whoever has just written, and holds no lock: what was written stands, whatever becomes of this.
        """
        if self._ledger.replaced():
            return
        found, now = self.current(), time.monotonic()
        if found and found.items >= LARGE and now < self._looked + LOOK_EVERY_S:
            return
        self._looked, items = now, self._ledger.on_record()
        made_of = found.items if found else self._in_vain
        seen = found is None or (found.version == VERSION and self._has_seen(found))
        if made_of / GROWN <= items <= made_of * GROWN and seen:
            return
        if not self._making.acquire(blocking=False):
            return  # another thread is at it
        try:
            self._make()
        except Exception as exc:  # noqa: BLE001  # of an encoder, a store or arithmetic: what was written is reported
            self._in_vain = items
            log.warning("what counts as a match was not learned (`sightline tune` tries again): %s", exc)
        finally:
            self._making.release()

    def now(self, *, bars: bool = True) -> Calibration | None:
        """Make one now, for the items there are; bars that were set stay, or without `bars` are those it begins with.

        None where nothing can be asked in words, or nothing is there.
        """
        made = self._make(bars=bars)
        return made if made and made.weights else None

    def _has_seen(self, found: Calibration) -> bool:
        """Whether there are no pictures that it knows nothing of."""
        return not found.weights or "image" in found.background.words or not self._ledger.has_pictures()

    def set_least(self, least: Mapping[Manner, float]) -> Calibration:
        """From now on nothing matches below these. Raises InputError without a calibration, or for a bar not 0-1."""
        if wrong := [bar for bar in least.values() if not 0 <= bar <= 1]:
            raise InputError(f"a bar is a probability from 0 to 1, not {wrong[0]:g}")
        with self._writing():
            found = self.current()
            if found is None:
                raise InputError("nothing is calibrated here yet: index something first")
            changed = replace(found, least={**found.least, **least}, told={**found.told, "set": True})
            self._keep(changed)
        return changed

    def saying(self, text: str) -> frozenset[str]:
        """Ids of the items that say every word of a text: without them, what it asks for is absent."""
        return Corpus(self._store, self._control.encoder, self._control.texts.encoder).saying_all(text) or frozenset()

    def _make(self, *, bars: bool = True) -> Calibration | None:
        key = self._key()
        made = calibrated(self._store, self._control.encoder, self._control.texts.encoder, key=key)
        if made is None:  # nothing is there: bars that were set are for what comes next
            return None
        made = replace(made, items=self._ledger.on_record())  # as `refresh` counts
        before = self._kept()
        if bars and before and before.told.get("set") and before.key.split()[0] == key.split()[0]:
            made = replace(made, least=before.least, told={**made.told, "set": True})
        self._keep(made)
        return made

    def _kept(self) -> Calibration | None:
        with self._reading:
            text = self._ledger.noted(NOTE)
            if text != self._read[0]:
                self._read = (text, Calibration.from_json(text) if text else None)
            return self._read[1]

    def _keep(self, made: Calibration | None) -> None:
        self._ledger.note(NOTE, made.to_json() if made else "")

    def _key(self) -> str:
        texts = self._control.texts.role.passport
        encoders = self._ledger.built_by() + (f"+{texts.fingerprint}" if texts else "")
        return f"{encoders} {self._ledger.adapter_state()[0]}"
