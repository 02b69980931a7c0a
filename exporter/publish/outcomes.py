"""What becomes of every plan in a release (spec 5, the release record)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from exporter.build.builder import Built
from exporter.core.findings import Finding
from exporter.core.release import Outcome, PlanState
from exporter.core.segments import possible_segments, segment

__all__ = ["Found", "Verdicts", "plan_path", "possible_paths", "why_held"]

NOT_ASKED = "not selected by --plan"


class Found(Protocol):
    """What was found out about the plans of a publish."""

    @property
    def built(self) -> Built:
        """The plans that were built."""

    @property
    def removed(self) -> frozenset[str]:
        """Live plans that are published no more."""

    @property
    def held(self) -> Mapping[str, str]:
        """Plans that should have been built and could not, each with why."""

    @property
    def unselected(self) -> frozenset[str]:
        """Affected plans that were not asked for."""

    @property
    def renewed(self) -> frozenset[str]:
        """Plans whose attempts start anew."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All that decides on the plans; digests are those of the new indexes."""

    commit: str
    before: Mapping[str, Outcome]
    found: Found
    indexes: Mapping[str, str]
    shared: str
    failed: Mapping[str, str]

    def all(self) -> dict[str, Outcome]:
        """Return every plan's outcome."""
        found = self.found
        names = {*self.before, *found.built.plans, *found.held, *found.unselected}
        return {name: self.of(name) for name in sorted(names)}

    def of(self, name: str) -> Outcome:
        """Return a plan's outcome."""
        found = self.found
        before = self.before.get(name, Outcome(PlanState.UNCHANGED))
        if name in self.failed:
            return self._behind(name, PlanState.FAILED, self.failed[name])
        if name in self.indexes:
            return self._published(name)
        if name in found.removed:
            return Outcome(PlanState.REMOVED)
        if name in found.held:
            return self._behind(name, PlanState.HELD, found.held[name])
        if name in found.unselected:
            return replace(before, state=PlanState.HELD, attempts=0, error=NOT_ASKED)
        if before.is_behind:
            return before
        return replace(before, state=PlanState.UNCHANGED, commit=self.commit, lessons=self.shared)

    def _published(self, name: str) -> Outcome:
        before, index = self.before.get(name), self.indexes[name]
        same = before is not None and before.index == index
        state = PlanState.UNCHANGED if same else PlanState.PUBLISHED
        files = len(self.found.built.plans[name])
        return Outcome(state, index, commit=self.commit, lessons=self.shared, files=files)

    def _behind(self, name: str, state: PlanState, error: str) -> Outcome:
        before = self.before.get(name, Outcome(state))
        tried = 0 if name in self.found.renewed else before.attempts
        return replace(before, state=state, attempts=tried + 1, error=error)


def why_held(plan: str, findings: Iterable[Finding], folder: str) -> str:
    """Return the first error that holds a plan back; `folder` is that of the snapshot."""
    paths = possible_paths(plan)
    for found in findings:
        if found.severity == "error" and (plan in found.plans or found.path in paths):
            return f"{found.code} {folder}/{found.path}:{found.line}: {found.message}"
    return ""


def plan_path(plan: str) -> str:
    """Return the path of a plan's snapshot file, where its name clashes with no other."""
    return f"plans/{segment(plan)}.yaml"


def possible_paths(plan: str) -> list[str]:
    """Return the paths that a plan's snapshot file may have, whatever other plans there are."""
    return [f"plans/{written}.yaml" for written in possible_segments(plan)]
