"""Live files as they were: their bytes rebuilt from the commits that made them (spec 5, step 5).

The builder makes them, with the live indexes as the source of versions; what does not come out
exactly as an index says (digest, size, version) is reported as missing, never used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from exporter.build.bench import Stamps
from exporter.build.builder import build
from exporter.build.inspection import CheckRules, Inspection, inspect
from exporter.content.deepening import find_or_fetch
from exporter.content.reading import read_commit
from exporter.core.addressing import Forms
from exporter.core.artifacts import Artifact, Index
from exporter.core.findings import CODES, Severities
from exporter.core.steps import shared_reach
from exporter.publish.ledger import Ledger, LiveState
from exporter.publish.prepared import Workspace

__all__ = ["LENIENT", "SHARED", "Rebuilt", "rebuild"]

SHARED = ""
"""Stands for "no plan" where files are named by plan."""

LENIENT = Severities(dict.fromkeys(CODES, "off"))
"""What is live was checked when it was published; today's rules may be stricter."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The files that came out as their indexes say, each with its commit, and the others."""

    found: dict[str, Artifact] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()


def rebuild(
    workspace: Workspace, ledger: Ledger, live: LiveState, wanted: Mapping[str, Collection[str]]
) -> Rebuilt:
    """Return live files as they were put; `wanted` names keys by plan, shared ones by `SHARED`."""
    keys = {key for found in wanted.values() for key in found}
    if not keys or live.release is None:
        return Rebuilt(missing=frozenset(keys))
    return _Rebuilding(workspace, ledger, live).run(wanted, keys)


class _Rebuilding:
    def __init__(self, workspace: Workspace, ledger: Ledger, live: LiveState) -> None:
        self.workspace = workspace
        self.ledger = ledger
        self.outcomes = live.release.plans if live.release else {}
        self.shared: Index = ledger.index(live.release.lessons) if live.release else {}
        self.rebuilt = Rebuilt()

    def run(self, wanted: Mapping[str, Collection[str]], keys: set[str]) -> Rebuilt:
        makers = self._makers(wanted)
        by_commit: dict[str, list[str]] = {}
        for plan in makers:
            by_commit.setdefault(self.outcomes[plan].commit, []).append(plan)
        for sha, plans in sorted(by_commit.items(), key=lambda found: -len(found[1])):
            if any(makers[plan] - self.rebuilt.found.keys() for plan in plans):
                self._rebuild_at(sha, {plan: makers[plan] for plan in plans})
        return replace(self.rebuilt, missing=frozenset(keys - self.rebuilt.found.keys()))

    def _makers(self, wanted: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
        """Return the plans of which the build may make something wanted, each with that."""
        shared = set(wanted.get(SHARED, ()))
        makers = {}
        for name, outcome in sorted(self.outcomes.items()):
            own = set(wanted.get(name, ()))
            if outcome.index and shared:
                own |= shared & shared_reach([self.ledger.index(outcome.index)], self.shared)
            if outcome.index and own:
                makers[name] = own
        return makers

    def _rebuild_at(self, sha: str, makers: Mapping[str, set[str]]) -> None:
        workspace = self.workspace
        commit = find_or_fetch(workspace.repository, sha) if sha else None
        if commit is None:
            return
        content = read_commit(
            workspace.repository, commit, workspace.folder, workspace.extra_fields
        )
        rules = replace(workspace.check_rules, severities=LENIENT)
        inspection = inspect(content, rules, set(makers))
        for plan, keys in makers.items():
            if plan in inspection.views and keys - self.rebuilt.found.keys():
                self._rebuild_plan(inspection, plan, rules, keys)

    def _rebuild_plan(
        self, inspection: Inspection, plan: str, rules: CheckRules, keys: set[str]
    ) -> None:
        outcome = self.outcomes[plan]
        own = self.ledger.index(outcome.index)
        lessons = self.ledger.index(outcome.lessons)
        reached = {key: lessons[key] for key in shared_reach([own], lessons)}
        forms = Forms({**reached, **own})
        rules = replace(rules, rules=replace(rules.rules, addressing=_addressing(own)))
        expected = {**self.shared, **own}

        def keep(artifact: Artifact) -> None:
            if artifact.key in keys and expected.get(artifact.key) == artifact.entry:
                self.rebuilt.found[artifact.key] = artifact
                self.rebuilt.commits[artifact.key] = outcome.commit

        stamps = Stamps(forms.newest, 0)
        build(_alone(inspection, plan, rules), rules, stamps, keep)


def _addressing(index: Index) -> str:
    """Return how a plan's files were addressed: the key of its one search index tells."""
    stable = any(key.endswith("/search_index.json") for key in index)
    return "stable" if stable else "hashed"


def _alone(inspection: Inspection, plan: str, rules: CheckRules) -> Inspection:
    """Return an inspection in which one plan is built; shared units show what the others do too."""
    others = (view for name, view in inspection.views.items() if name != plan)
    neighbours = (*inspection.neighbours, *others) if rules.rules.monolithic else ()
    return replace(inspection, views={plan: inspection.views[plan]}, held={}, neighbours=neighbours)
