"""From what was built to what will be done: the comparison with the live state (spec 5).

Plans that are held back, not selected, or of which the upload failed, stay as they are live. Where
an unfinished publish, or this one, may have put other files in place of theirs, these go back; so
do shared files that no successful plan puts. What cannot be rebuilt stays noted in the journal,
and then nothing is deleted, since what stands there may still lead to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from exporter.build.bench import Stamps
from exporter.build.builder import Built
from exporter.content.repository import Commit
from exporter.core.addressing import Forms, has_digest
from exporter.core.artifacts import Artifact, Entry, Index, Rules
from exporter.core.findings import Finding
from exporter.core.release import Kept, Outcome, PlanState
from exporter.core.segments import possible_segments
from exporter.core.steps import Delta, Sides, difference, shared_reach
from exporter.publish.gathering import prepared_files
from exporter.publish.journal import Written, newest
from exporter.publish.ledger import Ledger, LiveState, Noted, pack_index
from exporter.publish.outcomes import Verdicts
from exporter.publish.prepared import Prepared, Workspace
from exporter.publish.restoring import SHARED, Rebuilt, rebuild

__all__ = ["State", "Work", "readers", "settle"]

Trouble = tuple[Mapping[str, str], Mapping[str, Written]]
"""The plans that failed with why, and what was put already and may have to go back."""


@dataclass(frozen=True, slots=True)
class State:
    """A target as its ledger describes it."""

    ledger: Ledger
    live: LiveState
    noted: Noted
    before: Mapping[str, Outcome]
    """The live plans, and those that wait to be."""
    shared: Index
    dirty: Mapping[str, Written]
    """Where the CDN store may hold something else."""
    kept: Mapping[str, Kept] = field(default_factory=dict)
    """What stands on although it is live no more."""

    @classmethod
    def read(cls, ledger: Ledger) -> State:
        """Read it."""
        return cls.of(ledger, ledger.live(), ledger.journal())

    @classmethod
    def of(cls, ledger: Ledger, live: LiveState, noted: Noted) -> State:
        """Complete what was read already."""
        release = live.release
        outcomes = release.plans if release else {}
        return cls(
            ledger,
            live,
            noted,
            {n: one for n, one in outcomes.items() if one.state is not PlanState.REMOVED},
            ledger.index(release.lessons if release else ""),
            noted.journal.dirty(release.id if release else ""),
            ledger.kept(release),
        )

    @property
    def unsure(self) -> set[str]:
        """Return the plans of which a file may be another than the ledger says.

        The journal names the plans of a publish, a key the plan in whose folder it is: what a `gc`
        was about to delete may be live again.
        """
        if not self.dirty:
            return set()
        folders = {key.split("/")[1] for key in self.dirty if key.startswith("plans/")}
        inside = {name for name in self.before if folders & set(possible_segments(name))}
        return inside | set(self.noted.journal.plans)

    def files_of(self, old: Mapping[str, Index]) -> dict[str, Entry]:
        """Return the live shared files, and those of plans, given their live indexes."""
        return {**self.shared, **{key: e for index in old.values() for key, e in index.items()}}

    def standing(self, old: Mapping[str, Index]) -> dict[str, Entry]:
        """Return all that stands: the live files, and what is kept though it is live no more."""
        return {**{key: one.entry for key, one in self.kept.items()}, **self.files_of(old)}

    def stamps(self, old: Mapping[str, Index], commit: Commit, rules: Rules) -> Stamps:
        """Return what the versions of a commit's files are decided from.

        `old` has the live indexes of the plans that are built.
        """
        kept = {key: one.entry for key, one in self.kept.items()}
        forms = Forms(self.files_of(old), kept)

        def written(key: str) -> tuple[str, int] | None:
            found = self.dirty.get(key) or kept.get(key)
            return (found.digest, found.version) if found else None

        stamps = Stamps(forms.newest, commit.time, written)
        return replace(stamps, known=forms.version) if rules.hashed else stamps

    def indexes(self, plans: Collection[str]) -> dict[str, Index]:
        """Return the live indexes of plans."""
        names = sorted(plans)
        found = self.ledger.indexes(self.before[name].index for name in names)
        return dict(zip(names, found, strict=True))


@dataclass(frozen=True, slots=True)
class Work:
    """What was found and made for a publish."""

    built: Built = field(default_factory=lambda: Built({}, {}, ()))
    made: tuple[Artifact, ...] = ()
    old: Mapping[str, Index] = field(default_factory=dict)
    """The live indexes of the plans that are touched."""
    removed: frozenset[str] = frozenset()
    held: Mapping[str, str] = field(default_factory=dict)
    """Plans that should have been built and could not, each with why."""
    unselected: frozenset[str] = frozenset()
    renewed: frozenset[str] = frozenset()
    """Plans of which the content changed, or that are tried again on request."""
    findings: tuple[Finding, ...] = ()
    precedent: str = ""
    """The earlier release of which files are taken as they stand."""


def settle(
    workspace: Workspace, commit: Commit, state: State, work: Work, trouble: Trouble
) -> Prepared:
    """Return what a publish will do, the plans that failed left out."""
    return _Settling(workspace, commit, state, work, trouble).result()


class _Settling:
    def __init__(
        self, workspace: Workspace, commit: Commit, state: State, work: Work, trouble: Trouble
    ) -> None:
        self.workspace = workspace
        self.commit = commit
        self.state = state
        self.work = work
        self.failed, spoilt = trouble
        self.dirty = newest(state.dirty, spoilt)
        self.plans = {n: index for n, index in work.built.plans.items() if n not in self.failed}
        self.replaced = {
            n: index for n, index in work.old.items() if n in self.plans or n in work.removed
        }

        self.readers = readers(self.plans, work.built.lessons)

    def result(self) -> Prepared:
        built = self.work.built.lessons
        shared = {key: entry for key, entry in built.items() if key in self.readers}
        delta = difference(
            self.work.made,
            Sides(
                self.replaced,
                self.plans,
                self.state.shared,
                shared,
                hashed=self.workspace.check_rules.rules.hashed,
            ),
            self._other_indexes,
            {key: written.version for key, written in self.dirty.items()},
        )
        rebuilt = self._rebuilt(delta)
        delta, stuck = self._with_restored(delta, rebuilt)
        return replace(self._prepared(delta), origins=rebuilt.commits, stuck=stuck)

    def _other_indexes(self) -> Iterator[Index]:
        """Yield the live indexes of the plans that stay as they are."""
        others = self.state.before.keys() - self.replaced.keys()
        yield from (self.work.old[name] for name in sorted(others & self.work.old.keys()))
        unread = sorted(others - self.work.old.keys())
        yield from self.state.ledger.indexes(self.state.before[name].index for name in unread)

    def _rebuilt(self, delta: Delta) -> Rebuilt:
        """Rebuild the unsure files that stay live as they are and are not put anyway."""
        wanted: dict[str, Collection[str]] = {
            name: index.keys() & self.dirty.keys()
            for name, index in self.work.old.items()
            if name not in self.replaced
        }
        wanted[SHARED] = (delta.lessons.keys() & self.dirty.keys()) - delta.put.keys()
        return rebuild(self.workspace, self.state.ledger, self.state.live, wanted)

    def _with_restored(self, delta: Delta, rebuilt: Rebuilt) -> tuple[Delta, dict[str, Written]]:
        """Add the files that go back; where one cannot, delete nothing and note it all."""
        own = {key: entry for index in self.work.old.values() for key, entry in index.items()}
        live = {**self.state.shared, **own}
        put = {**delta.put, **rebuilt.found}
        leftovers = {key: v for key, v in delta.leftovers.items() if key not in own}
        delta = replace(
            delta,
            put=put,
            before={key: live[key] for key in put if key in live},
            leftovers=leftovers,
        )
        if not rebuilt.missing:
            return delta, {}
        stuck = {key: self.dirty[key] for key in (*rebuilt.missing, *leftovers)}
        stuck.update({key: Written("", entry.version) for key, entry in delta.delete.items()})
        return replace(delta, delete={}, leftovers={}), stuck

    def _prepared(self, delta: Delta) -> Prepared:
        work, state = self.work, self.state
        packed = {name: pack_index(index, name) for name, index in self.plans.items()}
        shared = pack_index(delta.lessons, None)
        verdicts = Verdicts(
            self.commit.sha,
            state.before,
            work,
            {name: one.digest for name, one in packed.items()},
            shared.digest,
            self.failed,
        )
        revived = {*delta.lessons, *(key for index in self.plans.values() for key in index)}
        gone = revived | delta.leftovers.keys()
        known = {outcome.index for outcome in state.before.values()}
        known.add(state.live.release.lessons if state.live.release else "")
        return Prepared(
            self.commit,
            state.live,
            state.noted,
            delta,
            verdicts.all(),
            shared.digest,
            self.workspace.fingerprint,
            tuple(one for one in (*packed.values(), shared) if one.digest not in known),
            work.findings,
            precedent=work.precedent,
            plans=frozenset({*work.built.plans, *work.old}),
            readers=self.readers,
            kept={key: one for key, one in state.kept.items() if key not in gone},
            forgotten=frozenset(self._counted_on(delta.leftovers) & delta.leftovers.keys()),
        )

    def _counted_on(self, leftovers: Collection[str]) -> set[str]:
        """Return files that others count on: to delete them takes a release, which says so.

        A publish counts on what stands on, and whoever finishes a shared one on what shards put.
        """
        shared = any(map(has_digest, leftovers))
        return {*self.state.kept, *(prepared_files(self.state.ledger.store) if shared else ())}


def readers(plans: Mapping[str, Index], shared: Index) -> dict[str, frozenset[str]]:
    """Return for each shared file the plans that lead to it; equal sets are one object.

    There are as many shared files as lessons, and only so many sets as subjects that plans share.
    """
    found: dict[str, frozenset[str]] = {}
    for name, index in plans.items():
        joined: dict[frozenset[str], frozenset[str]] = {}
        for key in shared_reach([index], shared):
            others = found.get(key, frozenset())
            if others not in joined:
                joined[others] = others | {name}
            found[key] = joined[others]
    return found
