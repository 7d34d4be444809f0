"""What is in a collection, what built it and how large it is, as one document for people and programs.

Knows which figures are told; every one of them is the store's, the ledger's or the passport's.
"""

from __future__ import annotations

from typing import Any

import indexer
from sightline import places
from sightline.compacting import share
from sightline.encoders import licence_of
from sightline.errors import ConfigError
from sightline.migrating import halfway
from sightline.passport import PassportControl
from sightline.protocols import Store
from sightline.settings import Settings
from sightline.transfer.snapshots import snapshots


def describe(control: PassportControl, store: Store, ledger: indexer.Ledger, settings: Settings) -> dict[str, Any]:
    """The document of `Sightline.info` and `sightline info --json`. Loads no encoder."""
    stats, passport, encoder, texts = store.stats(), control.passport, control.encoder_spec, control.texts.name
    migration, regions = halfway(store, ledger), indexer.planned(ledger)
    return {
        "items": stats.items,
        "parts": stats.parts,
        "vectors": stats.vectors - (migration.done if migration else 0),  # of the encoders that are searched by
        "collection": settings.collection,
        "collections": places.collection_names(settings.index),
        "encoder": encoder,
        "text_encoder": texts,
        "dim": passport.dim if passport else None,
        "adapter": control.adaptation.told(),
        "migration": migration.to_json() if migration else None,
        "licence": _licence(encoder),
        "text_licence": _licence(texts) if texts else None,
        "regions": {"kind": regions.kind, "finished": regions.is_done},
        "store": control.store_spec,
        "kind": stats.kind,
        "why": stats.why,
        "recall": [certificate.to_json() for certificate in store.certificates()],
        "bytes_memory": stats.bytes_memory,
        "bytes_mapped": stats.bytes_mapped,
        "bytes_disk": stats.bytes_disk + ledger.bytes_disk(),
        "removed": stats.removed,
        "bytes_removed": round(stats.bytes_disk * share(stats)),
        "fields": [{"name": f.name, "count": f.count, "numeric": f.numeric} for f in store.fields()],
        "skipped": len(ledger.skipped()),
        "snapshots": [one.to_json() for one in snapshots(settings.index, settings.collection)],
    }


def _licence(encoder: str) -> str:
    """The licence of an encoder, or why it cannot be told: an index is there to be looked at without its encoder."""
    try:
        return licence_of(encoder)
    except ConfigError as exc:
        return f"not known: {exc}"
