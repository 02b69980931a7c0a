"""Deleting what no release of the last `publish.keep` refers to (spec 5, `exporter gc`).

A release says what stands on the CDN besides its own files, and until when each was live. So no
bucket is listed and no history is read: what was live last before the limit is deleted, never what
is live, and what the exporter did not put is not touched. Indexes and records stay in the state
store: they answer what was live on a day long gone.

A collection is a release of kind `gc`, of the same content: it first says that the files are no
longer there, then deletes them, so a publish never counts on a file that is about to go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.content.repository import Commit
from exporter.core.release import Kept, Kind
from exporter.core.steps import Delta
from exporter.errors import Refused
from exporter.publish.guarding import refuse_other_store
from exporter.publish.ledger import Ledger
from exporter.publish.livefiles import LiveFiles
from exporter.publish.planning import undoing
from exporter.publish.prepared import Prepared, Workspace

__all__ = ["Collection", "collect"]


@dataclass(frozen=True, slots=True)
class Collection:
    """What is deleted and what stays; `prepared` is None where there is nothing to delete."""

    prepared: Prepared | None
    expired: Mapping[str, Kept]
    kept: Mapping[str, Kept]


def collect(
    workspace: Workspace,
    ledger: Ledger,
    live: LiveFiles,
    limit: int,
    abandoned: Mapping[str, Kept],
) -> Collection:
    """Work out what was live last before a time in Unix seconds.

    What was prepared for a publish that nobody finished, `abandoned`, never was, and goes too.

    Raises:
        Refused: a publish is unfinished; what it put may lead to what would be deleted. Or the
            live files are in another store.
    """
    refuse_other_store(ledger, live.state)
    _refuse_unfinished(live)
    stand = {key: one for key, one in live.kept.items() if key not in live.entries}
    expired = {key: one for key, one in stand.items() if one.until < limit}
    never = {k: one for k, one in abandoned.items() if k not in live.entries and k not in stand}
    expired |= never
    unsure = live.noted.journal.dirty(live.release.id)
    known = live.entries.keys() | expired.keys()
    left = {key: one.version for key, one in unsure.items() if key not in known}
    kept = {key: one for key, one in stand.items() if key not in expired and key not in left}
    delta = Delta(
        delete={key: one.entry for key, one in expired.items()},
        lessons=live.shared,
        leftovers=left,
    )
    release = live.release
    prepared = Prepared(
        Commit(release.commit, 0),
        live.state,
        live.noted,
        delta,
        release.plans,
        release.lessons,
        release.fingerprint,
        kind=Kind.GC,
        stuck={key: one for key, one in unsure.items() if key in live.entries},
        kept=kept,
        rework=undoing(workspace, ledger, live.state, live.noted),
    )
    return Collection(prepared if delta.touches else None, expired, kept)


def _refuse_unfinished(live: LiveFiles) -> None:
    """Go on only where no manifest can be another than the live release's."""
    journal = live.noted.journal
    if journal.suspect or (journal.put and journal.run != live.release.id):
        raise Refused(
            f"run {journal.run} was left unfinished: what it put may lead to files that are not "
            "live, so none of them is deleted now",
            hint="run `exporter publish`, which ends it, then `exporter gc` again",
        )
