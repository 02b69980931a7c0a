"""What a target's ledger says of it now: live release, what waits, what is owed (`status`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.core.release import Outcome, Release
from exporter.errors import UsageError
from exporter.publish.journal import Journal
from exporter.publish.lease import Lease, read_lease
from exporter.publish.ledger import Ledger
from exporter.publish.signatures import SignedLesson, read_signed

__all__ = ["TargetState", "find_release", "read_target"]


@dataclass(frozen=True, slots=True)
class TargetState:
    """A target as its ledger describes it."""

    live: Release | None
    journal: Journal
    lease: Lease | None
    """The lease of a run that has not given it back."""
    owed: Mapping[str, int]
    """Purge requests that the CDN has not accepted, by the run that owes them."""
    signed: Mapping[str, SignedLesson]

    @property
    def behind(self) -> dict[str, Outcome]:
        """Return the plans that stay at an earlier release, by name."""
        plans = self.live.plans if self.live else {}
        return {name: plans[name] for name in sorted(plans) if plans[name].is_behind}

    def next_expiries(self, count: int) -> list[tuple[str, int]]:
        """Return the signed lessons of which URLs expire next, with the Unix second."""
        found = [(key, lesson.expires) for key, lesson in self.signed.items()]
        return sorted(found, key=lambda one: (one[1], one[0]))[:count]


def read_target(ledger: Ledger) -> TargetState:
    """Read all that `status` tells of a target, without looking at the CDN store."""
    state = ledger.live()
    journal = ledger.journal().journal
    held = read_lease(ledger.store)
    signed = read_signed(ledger.store).lessons
    return TargetState(
        state.release,
        journal,
        held[0] if held and not held[0].is_free else None,
        {run: found for run in journal.owed if (found := len(ledger.pending_purge(run)))},
        _live_lessons(ledger, state.release, signed),
    )


def find_release(ledger: Ledger, named: str) -> Release:
    """Return the release of an id, of the only id that starts so, or the one called `live`.

    Raises:
        UsageError: there is none, or more than one.
    """
    head = ledger.head()
    if head is None:
        raise UsageError(
            f"nothing was published yet (state store {ledger.store.label})",
            hint="publish first: `exporter publish`",
        )
    if named == "live":
        return ledger.release(head[0].release)
    listed = ledger.store.list(f"releases/{named}") if "/" not in named else ()
    ids = [info.key.removeprefix("releases/").removesuffix(".json") for info in listed]
    chosen = [named] if named in ids else ids
    if len(chosen) == 1:
        return ledger.release(chosen[0])
    if chosen:
        raise UsageError(
            f"{len(chosen)} releases start with {named!r}: {', '.join(chosen[:5])}",
            hint="write more of the id",
        )
    raise UsageError(
        f"there is no release {named!r} in {ledger.store.label}",
        hint="`exporter releases` lists them; `live` names the live one",
    )


def _live_lessons(
    ledger: Ledger, live: Release | None, signed: Mapping[str, SignedLesson]
) -> dict[str, SignedLesson]:
    """Leave out what an earlier release had signed."""
    if not signed or live is None:
        return {}
    index = ledger.index(live.lessons)
    return {key: one for key, one in signed.items() if key in index and one.is_of(index[key])}
