"""The values around a publish: what it is given, what it will do, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from exporter.core.release import Kind, PlanState
from exporter.core.steps import steps_of
from exporter.publish.journal import Journal, Written, newest

if TYPE_CHECKING:
    from exporter.build.rules import CheckRules
    from exporter.content.repository import Commit, Repository
    from exporter.core.artifacts import Artifact, Entry, Index
    from exporter.core.findings import Finding
    from exporter.core.model import ExtraFields
    from exporter.core.release import Kept, Outcome, Release
    from exporter.core.steps import Delta, Step
    from exporter.publish.ledger import LiveState, Noted, PackedIndex

__all__ = ["Prepared", "PublishOptions", "Published", "Rework", "Workspace"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where content comes from and how it is built; `folder` is relative to the repository."""

    repository: Repository
    folder: str
    check_rules: CheckRules
    extra_fields: ExtraFields
    fingerprint: str
    signed: tuple[bytes, ...] = ()
    """Prefixes of media URLs that are signed on upload: such a lesson does not stand for long."""
    exporter: str = ""
    """The exporter's version."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What a person asked of one publish."""

    plans: frozenset[str] = frozenset()
    """Only these; empty for all that are affected."""
    allow_older: bool = False
    allow_mass_delete: bool = False
    max_delete_ratio: float = 0.3
    retry: frozenset[str] = frozenset()
    """Dead letters that are tried again."""
    retry_all: bool = False
    shards: int = 0
    """How many machines have prepared this publish; 0 where it is built here."""

    def retries(self, plan: str) -> bool:
        """Tell whether a plan is tried again although it is a dead letter."""
        return self.retry_all or plan in self.retry or plan in self.plans


class Rework(Protocol):
    """Works out the rest of a publish anew after something went wrong."""

    def without(self, failed: Mapping[str, str], spoilt: Mapping[str, Written]) -> Prepared:
        """Return the publish without plans that failed (each with why).

        `spoilt` names what was put already and may have to be put back.
        """

    def undo(self) -> Prepared:
        """Return what makes the CDN store as the release says that is live now."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a publish will do."""

    commit: Commit
    live: LiveState
    noted: Noted
    delta: Delta
    outcomes: Mapping[str, Outcome]
    lessons: str
    """Digest of the shared files' index."""
    fingerprint: str
    indexes: tuple[PackedIndex, ...] = ()
    """The indexes that are not stored yet."""
    findings: tuple[Finding, ...] = ()
    kind: Kind = Kind.PUBLISH
    plans: frozenset[str] = frozenset()
    """The plans whose files are touched."""
    readers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For each shared file that was built, the plans that need it."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """For each file that is put back as it was, the commit that it is of."""
    stuck: Mapping[str, Written] = field(default_factory=dict)
    """What cannot be put back now, and stays in the journal."""
    kept: Mapping[str, Kept] = field(default_factory=dict)
    """What stood on before and still does, besides what this release retires."""
    forgotten: frozenset[str] = frozenset()
    """What others counted on and is deleted, as what is there is not sure."""
    earlier: Index = field(default_factory=dict)
    """What shards put for this publish before it began, and goes live with it."""
    precedent: str = ""
    """The earlier release of which files are taken as they stand; empty where all were made."""
    rework: Rework | None = None

    @property
    def makes_release(self) -> bool:
        """Tell whether there will be a new release; else the live one is put right at most."""
        if self.kind in (Kind.REPAIR, Kind.REFRESH, Kind.GC):
            return self.delta.touches
        head, release = self.live.head, self.live.release
        if head is None or release is None:
            return True
        same = (head.commit, head.fingerprint) == (self.commit.sha, self.fingerprint)
        plans = _states(release.plans) == _states(self.outcomes)
        return bool(self.forgotten) or not (same and plans and release.lessons == self.lessons)

    @property
    def is_nothing(self) -> bool:
        """Tell whether the target is live already, in full."""
        return not (self.makes_release or self.delta.touches) and self.noted.journal.is_clean

    @property
    def uploading(self) -> set[str]:
        """Return the plans of which something is uploaded."""
        return {plan for artifact in self.delta.put.values() for plan in self.needing(artifact)}

    def needing(self, artifact: Artifact) -> frozenset[str]:
        """Return the plans of this publish that need a file; none for what is put back."""
        if artifact.key in self.origins:
            return frozenset()
        if artifact.plan is not None:
            return frozenset({artifact.plan})
        return self.readers.get(artifact.key, frozenset())

    def steps(self, *, purges: bool) -> list[Step]:
        """Return the steps, in the order in which they are run."""
        if self.is_nothing:
            return []
        records = self.makes_release
        return list(steps_of(self.delta, indexes=len(self.indexes), purges=purges, records=records))

    def journal(self, run: str) -> Journal:
        """Return what is noted before anything is touched: this publish, and what it inherits."""
        before, delta, unseen = self.noted.journal, self.delta, self.delta.unseen
        dirty = before.dirty(self.live.head.release if self.live.head else "")
        put = {
            key: Written(
                one.entry.digest,
                one.entry.version,
                delta.before[key].version if key in delta.before else None,
                key in unseen,
            )
            for key, one in delta.put.items()
        }
        return Journal(
            run,
            self.commit.sha,
            self.live.head.release if self.live.head else "",
            tuple(sorted({*self.plans, *(before.plans if dirty else ())})),
            newest(dirty, put),
            {**{key: entry.version for key, entry in delta.delete.items()}, **delta.leftovers},
            self.stuck,
            before.unpurged(),
            tuple(dict.fromkeys((*before.owed, run))),
        )

    def rejournal(self, earlier: Journal) -> Journal:
        """Return the journal after a rework: all that the earlier one names stays named."""
        mine = self.journal(earlier.run)
        return replace(
            mine, put=newest(earlier.put, mine.put), purge={**earlier.unpurged(), **mine.purge}
        )


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did; `purge_error` says what the CDN did not accept."""

    release: Release
    """The live release now."""
    purge_error: str = ""
    is_new: bool = True
    """False where the live release was only put right."""
    put: Mapping[str, Entry] = field(default_factory=dict)
    """What was really put."""
    files_deleted: int = 0

    @property
    def files_put(self) -> int:
        """Return how many files were put."""
        return len(self.put)


def _states(outcomes: Mapping[str, Outcome]) -> dict[str, tuple[str, int, str, str]]:
    """Return what tells one state of the plans from another; a removed plan leaves no state."""
    return {
        name: (one.index, one.attempts, one.error, one.commit)
        for name, one in outcomes.items()
        if one.state is not PlanState.REMOVED
    }
