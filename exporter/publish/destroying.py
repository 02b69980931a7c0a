"""Taking a throw-away target down: its published files, then its ledger (spec 6, `destroy`).

Manifests go first, so that no reader who follows links meets a missing file; the head goes before
everything else, so that a run that dies half-way leaves a target on which nothing is live and which
can be destroyed or published again. Only objects where the exporter puts objects are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from exporter.core.steps import deletion_phases
from exporter.core.wording import counted
from exporter.publish.debts import Purger, send_all
from exporter.publish.guarding import refuse_other_store
from exporter.publish.lease import LeaseHolder
from exporter.publish.ledger import Ledger
from exporter.publish.run import Run
from exporter.publish.verifying import FOLDERS
from exporter.stores.base import ObjectStore

__all__ = ["Destroyed", "destroy"]

_LEDGER = ("journal.json", "signed.json", "indexes/", "probes/", "purges/", "releases/", "shards/")
_HEAD = "head.json"
_LEASE = "lease.json"


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was deleted; `purge_error` says what the CDN did not accept."""

    files: int
    records: int
    purge_error: str = ""


def destroy(
    cdn: ObjectStore,
    ledger: Ledger,
    purger: Purger | None,
    run: Run,
    progress: Callable[[str], None],
) -> Destroyed:
    """Delete all that was published to a target, and its ledger.

    Raises:
        Refused: somebody else is publishing to it, or its live files are in another store.
        StoreError: a store failed; run it again.
    """
    state = ledger.store
    with LeaseHolder(state, run) as lease:
        refuse_other_store(
            ledger,
            ledger.live(),
            hint="set `store` back to take that one down; to publish to the new one, give it a "
            "`state` of its own",
        )
        state.delete([_HEAD])
        keys = _listed(cdn, FOLDERS)
        for batch in deletion_phases(keys):
            lease.keep()
            progress(f"deleting {counted(len(batch), 'published file')}")
            cdn.delete(batch)
        error = _purge(purger, keys)
        records = _listed(state, _LEDGER)
        state.delete(records)
    state.delete([_LEASE])
    return Destroyed(len(keys), len(records), error)


def _listed(store: ObjectStore, prefixes: Iterable[str]) -> list[str]:
    return [info.key for prefix in prefixes for info in store.list(prefix)]


def _purge(purger: Purger | None, keys: Iterable[str]) -> str:
    """Tell the CDN to forget what is gone; its caches forget by themselves where that fails."""
    if purger is None:
        return ""
    return send_all(purger, purger.requests(dict.fromkeys(keys)), lambda: None)[1]
