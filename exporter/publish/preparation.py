"""Working out a publish: what is affected is read, checked and built once (spec 5).

What follows from it is worked out by `settling`, and again where a plan's upload fails for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from exporter.build.bench import Stamps
from exporter.build.builder import Built, build
from exporter.build.inspection import (
    Inspection,
    can_tell_from_part,
    inspect,
    inspect_part,
)
from exporter.content.reading import plans_at, read_tree
from exporter.content.repository import Commit
from exporter.core.addressing import is_manifest, plain_key
from exporter.core.artifacts import Artifact, Entry, Index
from exporter.core.changes import affected_plans, clashing_types, with_neighbours
from exporter.core.holds import Mark, mark_of
from exporter.core.model import LESSON, UNIT, Document
from exporter.core.release import Kind
from exporter.core.shares import share_out
from exporter.core.steps import Delta
from exporter.errors import StoreError
from exporter.publish.extent import Extent, Part
from exporter.publish.gathering import Gathered, gather
from exporter.publish.guarding import (
    refuse_empty,
    refuse_mass_delete,
    refuse_unknown_plans,
    refuse_unsure_files,
)
from exporter.publish.journal import Written
from exporter.publish.ledger import Ledger
from exporter.publish.outcomes import possible_paths, why_held
from exporter.publish.precedent import Precedent, find_precedent
from exporter.publish.prepared import Prepared, PublishOptions, Workspace
from exporter.publish.settling import State, Work, settle
from exporter.publish.shards import Binding
from exporter.publish.spool import Spool

__all__ = ["Preparation"]


class Preparation:
    """One publish being worked out; it stays at hand to work out the rest anew."""

    def __init__(
        self,
        workspace: Workspace,
        ledger: Ledger,
        commit: Commit,
        state: State,
        options: PublishOptions,
    ) -> None:
        self.workspace = workspace
        self.ledger = ledger
        self.commit = commit
        self.state = state
        self.options = options
        self.work = Work()
        self.kind = Kind.PUBLISH
        self.gathered = Gathered()
        """What other machines made and put already."""
        self.extent: Extent | None = None
        """What changed, where that can be told apart by subject."""

    def publish(self) -> Prepared:
        """Read, check, build and compare.

        Raises:
            Refused: a guard stands against it.
        """
        if mark_of(self._message) is Mark.ROLLBACK:  # some commits say that they go back
            self.kind = Kind.ROLLBACK
        self.work = self._worked()
        prepared = self._settled({}, {})
        old, before = self.work.old, self.state.before
        refuse_empty(self.commit, prepared.outcomes.values(), self.options)
        own = sum(len(old[name]) if name in old else one.files for name, one in before.items())
        live_files = own + len(self.state.shared)
        refuse_mass_delete(len(self._lost(prepared.delta)), live_files, self.options)
        return prepared

    def _lost(self, delta: Delta) -> set[str]:
        """Return the files that readers lose; another form of a file is no loss."""
        gone = {plain_key(key) for key in (*delta.delete, *delta.retired)}
        if not gone:
            return gone
        plans = self.work.built.plans.values()
        stay = {*delta.lessons, *(key for index in plans for key in index)}
        return gone - {plain_key(key) for key in stay}

    def without(self, failed: Mapping[str, str], spoilt: Mapping[str, Written]) -> Prepared:
        """Return the publish without plans that failed; what they spoilt goes back."""
        return self._settled(failed, spoilt)

    def undo(self) -> Prepared:
        """Return what makes the CDN store as the release says that is live now."""
        state = State.read(self.ledger)
        head = state.live.head
        commit = Commit(head.commit, 0) if head else self.commit
        same = replace(self.workspace, fingerprint=head.fingerprint if head else "")
        return Preparation(same, self.ledger, commit, state, self.options).mend()

    def mend(self) -> Prepared:
        """Return what puts unsure files back as they are live, building nothing new."""
        touched = self.state.before.keys() & self.state.unsure
        self.work = Work(old=self.state.indexes(touched))
        prepared = self._settled({}, {})
        release = self.state.live.release
        if release is None:
            return prepared
        left, dirty = prepared.forgotten, self.state.dirty
        leftovers = {k: v for k, v in prepared.delta.leftovers.items() if k not in left}
        return replace(
            prepared,
            outcomes=release.plans,
            lessons=release.lessons,
            indexes=(),
            delta=replace(prepared.delta, leftovers=leftovers),
            stuck={**prepared.stuck, **{key: dirty[key] for key in left}},
            forgotten=frozenset(),  # that takes a release: the next publish makes it
        )

    def _settled(self, failed: Mapping[str, str], spoilt: Mapping[str, Written]) -> Prepared:
        failed, spoilt, earlier = self.gathered.without(failed, spoilt)
        prepared = settle(self.workspace, self.commit, self.state, self.work, (failed, spoilt))
        return replace(prepared, kind=self.kind, rework=self, earlier=earlier)

    def _worked(self) -> Work:
        chosen, work = self.wanted()
        touched = chosen | self.state.unsure
        work = replace(work, old=self.state.indexes(touched & self.state.before.keys()))
        if self.options.shards:
            return self._gathered(chosen, work)
        return self.make(chosen, work) if chosen else work

    @property
    def binding(self) -> Binding:
        """Return what shards of this publish are prepared for."""
        return Binding.to(self.commit.sha, self.state.live.head, self.workspace.fingerprint)

    @property
    def can_be_shared(self) -> bool:
        """Tell whether several machines may prepare this: no file but manifests is unsure."""
        return all(map(is_manifest, self.state.dirty))

    def shares(self, chosen: set[str], count: int) -> list[frozenset[str]]:
        """Return the plans of each of so many shards."""
        tree = self._tree
        plans = [plan for _, plan in self._plans(self.commit)]
        return share_out(chosen, plans, tree, count)

    def _gathered(self, chosen: set[str], work: Work) -> Work:
        """Take what the shards of this publish made."""
        state, shares = self.state, self.shares(chosen, self.options.shards)
        refuse_unsure_files(state.noted, state.dirty)
        found = gather(self.ledger.store, self.binding, shares, self._stamps(work.old))
        self.gathered = found
        return replace(
            work,
            built=found.built,
            made=found.manifests,
            removed=found.removed,
            held=found.held,
            findings=found.built.findings,
        )

    def wanted(self) -> tuple[set[str], Work]:
        """Return the plans that have to be built, and what is known of the publish before that."""
        before = self.state.before
        after = self._plans(self.commit)
        known = {plan.name for _, plan in after} | before.keys()
        refuse_unknown_plans(self.options.plans, known)
        affected, renewed = self._affected(after, known)
        chosen = affected & self.options.plans if self.options.plans else affected
        published = {plan.name for _, plan in after if plan.flag("is_published")}
        return chosen, Work(
            unselected=frozenset((affected - chosen) & (published | before.keys())),
            renewed=frozenset(renewed),
        )

    def make(self, chosen: set[str], work: Work) -> Work:
        """Build plans; keep what differs from the live files or is unsure, and all manifests.

        `work` has the live indexes of these plans. Those made apart add up to those made at once.
        """
        stamps = self._stamps(work.old)
        inspection, part = self._inspected(chosen, work.old, stamps)
        spool = Spool()
        built = self._build(inspection, work.old, stamps, spool)
        built = replace(built, lessons={**part.shared, **built.lessons})
        gone = self._removed(inspection, chosen)
        wanted = {*inspection.views, *inspection.held, *(chosen & self.state.before.keys())}
        findings = (*inspection.findings, *built.findings)
        held = wanted - gone - built.plans.keys()
        return replace(
            work,
            built=built,
            made=tuple(spool.artifacts),
            removed=frozenset(gone),
            held={name: why_held(name, findings, self.workspace.folder) for name in held},
            findings=findings,
            precedent=part.precedent,
        )

    def _inspected(
        self, chosen: set[str], old: Mapping[str, Index], stamps: Stamps
    ) -> tuple[Inspection, Part]:
        """Read and check what the chosen plans show; where that can be told, only what changed."""
        workspace = self.workspace
        repository, extra, rules = (
            workspace.repository,
            workspace.extra_fields,
            workspace.check_rules,
        )
        tree = self._tree
        if self.extent and not self.state.dirty and can_tell_from_part(rules):
            precedent = self._precedent(sorted(chosen), old, stamps)
            part = self.extent.part(chosen, self.state, old, precedent)
            content = read_tree(repository, self.commit, part.files(tree), extra)
            if found := inspect_part(content, rules, part.standing):
                return found, part
        content = read_tree(repository, self.commit, tree, extra)
        return inspect(content, rules, chosen), Part()

    def _precedent(
        self, chosen: Sequence[str], old: Mapping[str, Index], stamps: Stamps
    ) -> Precedent | None:
        """Return the release that this commit goes back to, where its files may stand."""
        live, ledger = self.state.live.release, self.ledger
        if live is None or self.kind is not Kind.ROLLBACK:
            return None
        found = find_precedent(self.workspace, ledger, live, self.commit, self._message)
        standing = self.state.standing(old)

        def stands(key: str) -> Entry | None:
            entry = standing.get(key)
            known = entry and stamps.known(plain_key(key), entry.digest)
            return entry if entry and entry.version == known else None

        with suppress(StoreError):  # an old index is gone or damaged: then everything is made
            return Precedent(ledger, found, chosen, stands) if found else None
        return None

    def _affected(
        self, after: Iterable[tuple[str, Document]], known: set[str]
    ) -> tuple[set[str], set[str]]:
        """Return the plans that have to be built (spec 5), and those to which something is new."""
        workspace, repository = self.workspace, self.workspace.repository
        head, before = self.state.live.head, self.state.before
        base = repository.find(head.commit) if head else None
        if head is None or base is None or head.fingerprint != workspace.fingerprint:
            return known, known
        changed = repository.changed_paths(base.sha, self.commit.sha, workspace.folder)
        plans = [*self._plans(base), *after]
        renewed = affected_plans(changed, plans)
        renewed |= {name for name in before if not changed.isdisjoint(possible_paths(name))}
        renewed |= {n for n, one in before.items() if one.is_dead and self.options.retries(n)}
        waiting = {name for name, outcome in before.items() if outcome.is_waiting}
        unsure = self.state.unsure & known
        dead = {name for name, outcome in before.items() if outcome.is_dead}
        affected = renewed | waiting | (unsure - dead) | self.options.plans
        if workspace.check_rules.rules.monolithic:
            affected = with_neighbours(affected, [plan for _, plan in plans])
        clashing = self._clashing(base, changed)
        if not clashing.isdisjoint((LESSON, UNIT)):  # shared keys depend on what all plans show
            affected |= known - dead
        elif not clashing:
            self.extent = Extent(changed, {plan.name: plan for _, plan in after})
        return affected, renewed

    def _clashing(self, base: Commit, changed: set[str]) -> set[str]:
        """Return the DocTypes of which names may clash, on either side."""
        found = clashing_types(self._tree)
        if changed <= self._tree.keys():  # nothing is gone, so the base has no other names
            return found
        before = self.workspace.repository.tree(base.sha, self.workspace.folder)
        return found | clashing_types(before)

    @cached_property
    def _tree(self) -> Mapping[str, str]:
        return self.workspace.repository.tree(self.commit.sha, self.workspace.folder)

    def _plans(self, commit: Commit) -> list[tuple[str, Document]]:
        workspace = self.workspace
        return plans_at(workspace.repository, commit, workspace.folder, workspace.extra_fields)

    def _removed(self, inspection: Inspection, chosen: set[str]) -> set[str]:
        """Return live plans that the target publishes no more; a broken file removes nothing."""
        return {
            name
            for name in chosen & self.state.before.keys()
            if name not in inspection.views
            and name not in inspection.held
            and inspection.broken_plans.isdisjoint(possible_paths(name))
        }

    def _build(
        self, inspection: Inspection, old: Mapping[str, Index], stamps: Stamps, spool: Spool
    ) -> Built:
        live, rules = self.state.files_of(old), self.workspace.check_rules
        standing = self.state.standing(old) if rules.rules.hashed else live

        def keep(artifact: Artifact) -> None:
            key, signed = artifact.key, self.workspace.signed
            expired = key not in live and any(prefix in artifact.data for prefix in signed)
            changed = standing.get(key) != artifact.entry
            if changed or key in self.state.dirty or expired or is_manifest(key):
                spool.add(artifact)

        return build(inspection, rules, stamps, keep)

    def _stamps(self, old: Mapping[str, Index]) -> Stamps:
        return self.state.stamps(old, self.commit, self.workspace.check_rules.rules)

    @cached_property
    def _message(self) -> str:
        show = ("show", "-s", "--format=%B", self.commit.sha)
        return self.workspace.repository.git(*show).decode(errors="replace")
