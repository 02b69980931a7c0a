"""Deciding what a publish will do, without doing any of it (spec 5, "What has to be built").

The base is always the live release's commit. What comes out, a `Plan of work` in other tools'
words, is here a `Prepared`: the difference to the live indexes, the new indexes, and what becomes
of every plan. `exporter plan` shows it; `publisher` carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.build.builder import Built, Stamps, build
from exporter.build.inspection import CheckRules, Inspection, inspect
from exporter.content.reading import plans_at, read_commit
from exporter.content.repository import Commit, Repository
from exporter.core.artifacts import Artifact, Entry
from exporter.core.changes import affected_plans
from exporter.core.findings import Finding
from exporter.core.model import Document, ExtraFields
from exporter.core.release import Outcome, PlanState
from exporter.core.segments import segment
from exporter.core.steps import Delta, Step, difference, steps_of
from exporter.errors import Refused
from exporter.publish.ledger import Ledger, LiveState, PackedIndex, pack_index

__all__ = ["Prepared", "PublishOptions", "Workspace", "prepare"]

MASS_DELETE_FLOOR = 100
"""The guard looks at a live state of more files than this."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where content comes from and how it is built; `folder` is relative to the repository."""

    repository: Repository
    folder: str
    check_rules: CheckRules
    extra_fields: ExtraFields
    fingerprint: str


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What a person asked of one publish."""

    plans: frozenset[str] = frozenset()
    """Only these; empty for all that are affected."""
    allow_older: bool = False
    allow_mass_delete: bool = False
    max_delete_ratio: float = 0.3


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a publish will do."""

    commit: Commit
    live: LiveState
    delta: Delta
    outcomes: Mapping[str, Outcome]
    indexes: tuple[PackedIndex, ...]
    """The indexes that are not stored yet."""
    lessons: str
    """Digest of the shared lessons' index."""
    fingerprint: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Tell whether the target is live already, in full."""
        head = self.live.head
        waits = any(outcome.is_waiting for outcome in self.outcomes.values())
        return (
            head is not None
            and (head.commit, head.fingerprint) == (self.commit.sha, self.fingerprint)
            and not waits
            and not (self.delta.put or self.delta.delete or self.indexes)
        )

    def steps(self, *, purges: bool) -> list[Step]:
        """Return the steps, in the order in which they are run."""
        if self.is_nothing:
            return []
        return list(steps_of(self.delta, indexes=len(self.indexes), purges=purges))


def prepare(
    workspace: Workspace, ledger: Ledger, commit: Commit, options: PublishOptions
) -> Prepared:
    """Work out what publishing a commit means.

    Raises:
        Refused: the commit is older than the live one, or too much would be deleted.
    """
    live = ledger.live()
    _refuse_older(workspace.repository, live, commit, options)
    if _is_settled(workspace, live, commit):
        outcomes = live.release.plans if live.release else {}
        nothing = Delta({}, {}, {}, {})
        return Prepared(commit, live, nothing, outcomes, (), "", workspace.fingerprint)
    return _Preparation(workspace, ledger, commit, live, options).result()


def _is_settled(workspace: Workspace, live: LiveState, commit: Commit) -> bool:
    """Tell from the live release alone that there is nothing to do."""
    if live.head is None or live.release is None:
        return False
    same = (live.head.commit, live.head.fingerprint) == (commit.sha, workspace.fingerprint)
    return same and not any(outcome.is_waiting for outcome in live.release.plans.values())


def _refuse_older(
    repository: Repository, live: LiveState, commit: Commit, options: PublishOptions
) -> None:
    if live.head is None or options.allow_older or live.head.commit == commit.sha:
        return
    known = repository.find(live.head.commit)
    if known is None or not repository.is_ancestor(live.head.commit, commit.sha):
        why = "is not among its ancestors" if known else "is not in this clone, so that cannot be told"
        raise Refused(
            f"commit {commit.sha[:12]} may be older than what is live: the live commit "
            f"{live.head.commit[:12]} (release {live.head.release}) {why}",
            hint="publish a newer commit (`git pull`, `git fetch --unshallow`), "
            "or go back on purpose with --allow-older",
        )


class _Preparation:
    """One run of `prepare`: what it reads once and needs in several places."""

    def __init__(
        self,
        workspace: Workspace,
        ledger: Ledger,
        commit: Commit,
        live: LiveState,
        options: PublishOptions,
    ) -> None:
        self.workspace = workspace
        self.ledger = ledger
        self.commit = commit
        self.live = live
        self.options = options
        self.after = self._plans(commit)
        self.before: dict[str, Outcome] = {
            name: outcome
            for name, outcome in (live.release.plans if live.release else {}).items()
            if outcome.state is not PlanState.REMOVED
        }

    def result(self) -> Prepared:
        """Read, check, build and compare."""
        affected = self._affected()
        content = read_commit(
            self.workspace.repository,
            self.commit,
            self.workspace.folder,
            self.workspace.extra_fields,
        )
        chosen = affected & self.options.plans if self.options.plans else affected
        inspection = inspect(content, self.workspace.check_rules, chosen)
        removed = self._removed(inspection, chosen)
        old = {
            name: self.ledger.index(self.before[name].index)
            for name in sorted((chosen & self.before.keys()) | removed)
        }
        live_lessons = self.ledger.index(self.live.release.lessons if self.live.release else "")
        made: list[Artifact] = []
        built = self._build(inspection, old, live_lessons, made)
        replaced = {name: old[name] for name in old if name in built.plans or name in removed}
        delta = difference(
            made,
            replaced,
            built.plans,
            (live_lessons, built.lessons),
            lambda: (
                self.ledger.index(outcome.index)
                for name, outcome in self.before.items()
                if name not in replaced
            ),
        )
        self._refuse_mass_delete(delta, len(live_lessons) + sum(map(len, old.values())))
        published = {plan.name for _, plan in self.after if plan.flag("is_published")}
        unselected = (affected - chosen) & (published | self.before.keys())
        return self._prepared(inspection, built, delta, removed, unselected)

    def _affected(self) -> set[str]:
        """Return the names of the plans that have to be built (spec 5)."""
        workspace, repository = self.workspace, self.workspace.repository
        every = {plan.name for _, plan in self.after} | self.before.keys()
        base = repository.find(self.live.head.commit) if self.live.head else None
        if base is None or (self.live.head and self.live.head.fingerprint != workspace.fingerprint):
            return every
        changed = repository.changed_paths(base.sha, self.commit.sha, workspace.folder)
        waiting = {name for name, outcome in self.before.items() if outcome.is_waiting}
        unreadable = {name for name in self.before if _path(name) in changed}
        return affected_plans(changed, [*self._plans(base), *self.after]) | waiting | unreadable

    def _plans(self, commit: Commit) -> list[tuple[str, Document]]:
        workspace = self.workspace
        return plans_at(workspace.repository, commit, workspace.folder, workspace.extra_fields)

    def _removed(self, inspection: Inspection, chosen: set[str]) -> set[str]:
        """Return live plans that the target publishes no more; a broken file removes nothing."""
        return {
            name
            for name in chosen & self.before.keys()
            if name not in inspection.views
            and name not in inspection.held
            and _path(name) not in inspection.broken_plans
        }

    def _build(
        self,
        inspection: Inspection,
        old: Mapping[str, Mapping[str, Entry]],
        live_lessons: Mapping[str, Entry],
        made: list[Artifact],
    ) -> Built:
        live = {**live_lessons, **{k: e for index in old.values() for k, e in index.items()}}
        rules = self.workspace.check_rules

        def keep(artifact: Artifact) -> None:
            if live.get(artifact.key) != artifact.entry:
                made.append(artifact)

        stamps = Stamps(live.get, self.commit.time)
        return build(inspection, rules.rules, rules.severities, stamps, keep)

    def _refuse_mass_delete(self, delta: Delta, live_files: int) -> None:
        options = self.options
        if options.allow_mass_delete or live_files <= MASS_DELETE_FLOOR:
            return
        if len(delta.delete) > options.max_delete_ratio * live_files:
            raise Refused(
                f"{len(delta.delete)} of {live_files} live files would be deleted; "
                f"the limit is {options.max_delete_ratio:.0%}",
                hint="look at `exporter plan`; if it is meant, publish with --allow-mass-delete",
            )

    def _prepared(
        self,
        inspection: Inspection,
        built: Built,
        delta: Delta,
        removed: set[str],
        unselected: set[str],
    ) -> Prepared:
        packed = {name: pack_index(index, name) for name, index in built.plans.items()}
        lessons = pack_index(delta.lessons, None)
        outcomes: dict[str, Outcome] = {}
        for name in sorted({*self.before, *inspection.views, *inspection.held, *unselected}):
            outcomes[name] = self._outcome(name, inspection, built, packed, removed, unselected)
        known = {outcome.index for outcome in self.before.values()}
        known.add(self.live.release.lessons if self.live.release else "")
        fresh = tuple(p for p in (*packed.values(), lessons) if p.digest not in known)
        findings = (*inspection.findings, *built.findings)
        return Prepared(
            self.commit,
            self.live,
            delta,
            outcomes,
            fresh,
            lessons.digest,
            self.workspace.fingerprint,
            findings,
        )

    def _outcome(
        self,
        name: str,
        inspection: Inspection,
        built: Built,
        packed: Mapping[str, PackedIndex],
        removed: set[str],
        unselected: set[str],
    ) -> Outcome:
        before = self.before.get(name, Outcome(PlanState.UNCHANGED))
        if name in packed:
            same = packed[name].digest == before.index
            state = PlanState.UNCHANGED if same else PlanState.PUBLISHED
            return Outcome(state, packed[name].digest)
        if name in removed:
            return Outcome(PlanState.REMOVED)
        if name in unselected:
            return Outcome(PlanState.HELD, before.index, 0, "not selected by --plan")
        found = (*inspection.findings, *built.findings)
        errors = [f for f in found if f.severity == "error" and _concerns(f, name)]
        broken = _path(name) in inspection.broken_plans
        if name in inspection.views or name in inspection.held or broken:
            error = f"{errors[0].code} {errors[0].path}: {errors[0].message}" if errors else ""
            return Outcome(PlanState.HELD, before.index, before.attempts + 1, error)
        return before


def _path(plan: str) -> str:
    """Return the path of a plan's snapshot file."""
    return f"plans/{segment(plan)}.yaml"


def _concerns(finding: Finding, plan: str) -> bool:
    return plan in finding.plans or finding.path == _path(plan)
