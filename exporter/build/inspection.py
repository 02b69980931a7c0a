"""What content means before anything is built: plans' views, all findings, and who is held back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.content.reading import Content
from exporter.core.access import PlanView, view_plan
from exporter.core.artifacts import Rules
from exporter.core.checks import DEFAULT_SECRET_PATTERNS, check_documents, with_breadcrumb
from exporter.core.findings import Finding, Severities
from exporter.core.keys import LessonKeys, PlanKeys, lesson_keys, plan_keys
from exporter.core.model import LESSON, PLAN, Document
from exporter.core.plan_checks import (
    check_bits,
    check_plan,
    clash_findings,
    held_plans,
    with_plans,
)
from exporter.core.segments import assign
from exporter.core.tree import Snapshot

__all__ = ["CheckRules", "Inspection", "inspect"]


@dataclass(frozen=True, slots=True)
class CheckRules:
    """The configuration that checks and builds go by."""

    rules: Rules = field(default_factory=Rules)
    severities: Severities = field(default_factory=Severities)
    credential_patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """A snapshot, what its published plans show, and every finding.

    `views` and `keys` hold the published plans that were asked for; `held` those that an error
    keeps at their last release.
    """

    snapshot: Snapshot
    views: Mapping[str, PlanView]
    keys: Mapping[str, PlanKeys]
    lessons: LessonKeys
    findings: tuple[Finding, ...]
    held: Mapping[str, Sequence[Finding]]
    broken_plans: frozenset[str]
    """Paths of plan files that cannot be read."""

    @property
    def buildable(self) -> list[PlanView]:
        """Return the views of the plans that nothing holds back, by name."""
        return [self.views[name] for name in sorted(self.views) if name not in self.held]


def inspect(content: Content, rules: CheckRules, plans: set[str] | None = None) -> Inspection:
    """Compute views and findings of a snapshot, for some plans or all of them."""
    snapshot = content.loaded.snapshot
    documents = [p for p in snapshot.of_type(PLAN) if plans is None or p.name in plans]
    views = [view_plan(snapshot, plan, rules.rules.default_access) for plan in documents]
    published = {view.plan.name: view for view in views if view.plan.flag("is_published")}
    keys = {name: plan_keys(snapshot, view) for name, view in published.items()}
    lessons = _lesson_keys(snapshot, rules.rules)
    raw = _findings(content, views, [(published[name], keys[name]) for name in published], lessons, rules)
    known = (with_breadcrumb(snapshot, finding) for finding in raw)
    findings = content.located(with_plans(known, views, rules.severities))
    held = held_plans(findings)
    return Inspection(
        snapshot, published, keys, lessons, tuple(findings), held, content.loaded.broken_plans
    )


def _findings(
    content: Content,
    views: Sequence[PlanView],
    published: Sequence[tuple[PlanView, PlanKeys]],
    lessons: LessonKeys,
    rules: CheckRules,
) -> Iterator[Finding]:
    snapshot = content.loaded.snapshot
    yield from content.loaded.findings
    yield from check_documents(snapshot, (*DEFAULT_SECRET_PATTERNS, *rules.credential_patterns))
    yield from check_bits(snapshot)
    for view in views:
        yield from check_plan(snapshot, view)
    yield from clash_findings(snapshot, published, lessons)


def _lesson_keys(snapshot: Snapshot, rules: Rules) -> LessonKeys:
    """Return the keys of shared lessons; who shows what matters only where segments clash."""
    names = [name for doctype, name in snapshot.documents if doctype == LESSON]
    if not assign(names).clashes:
        return lesson_keys(names)
    shown: set[str] = set()
    for plan in _published(snapshot):
        for subject in view_plan(snapshot, plan, rules.default_access).subjects:
            shown.update(lesson.name for lesson in subject.lessons())
    return lesson_keys(shown)


def _published(snapshot: Snapshot) -> Iterable[Document]:
    return (plan for plan in snapshot.of_type(PLAN) if plan.flag("is_published"))
