"""What content means before anything is built: plans' views, all findings, and who is held back."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from exporter.build.rules import CheckRules
from exporter.content.reading import Content
from exporter.core.access import PlanView, Viewer, listed_subjects, view_plan
from exporter.core.artifacts import Rules
from exporter.core.checks import (
    DEFAULT_SECRET_PATTERNS,
    check_documents,
    in_path_order,
    with_breadcrumb,
)
from exporter.core.findings import Finding
from exporter.core.keys import PlanKeys, SharedKeys, lesson_keys, plan_keys, unit_keys
from exporter.core.model import CURRICULUM, LESSON, PLAN, SUBJECT, UNIT, Document, Ref
from exporter.core.monolithic import shown_by
from exporter.core.plan_checks import (
    check_bits,
    check_plan,
    clash_findings,
    held_plans,
    may_hide_content,
    plan_of_path,
    with_broken_plans,
    with_plans,
)
from exporter.core.segments import assign, segment
from exporter.core.standing import Standing, fits
from exporter.core.tree import Snapshot
from exporter.workers import IN_PROCESS, Workers

__all__ = [
    "CheckRules",
    "Inspection",
    "can_tell_from_part",
    "inspect",
    "inspect_part",
    "shared_keys",
]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A snapshot, what its published plans show, and every finding.

    `views` and `keys` hold the published plans that were asked for; `held` those that an error
    keeps at their last release.
    """

    snapshot: Snapshot
    views: Mapping[str, PlanView]
    keys: Mapping[str, PlanKeys]
    lessons: SharedKeys
    units: SharedKeys
    findings: tuple[Finding, ...]
    held: Mapping[str, Sequence[Finding]]
    broken_plans: frozenset[str]
    """Paths of plan files that cannot be read."""
    neighbours: tuple[PlanView, ...]
    """Sound plans that were not asked for, of which the subjects are partly the same.

    The shared units of the layout `monolithic` show what they show too; else there are none here.
    """
    located: Callable[[Iterable[Finding]], list[Finding]]
    """Gives findings their lines."""
    standing: Mapping[str, Mapping[str, Standing]] = field(default_factory=dict)
    """By plan and subject, the live files that stand: below such a subject nothing was read."""

    @property
    def buildable(self) -> list[PlanView]:
        """Return the views of the plans that nothing holds back, by name."""
        return [self.views[name] for name in sorted(self.views) if name not in self.held]

    @property
    def unread(self) -> frozenset[str]:
        """Return the plans that are held back because a file of theirs cannot be read, by name."""
        held = {name for name, found in self.held.items() if any(map(may_hide_content, found))}
        return frozenset(held.union(map(plan_of_path, self.broken_plans)))


def inspect(
    content: Content,
    rules: CheckRules,
    plans: set[str] | None = None,
    workers: Workers = IN_PROCESS,
) -> Inspection:
    """Compute views and findings of a snapshot, for some plans or all of them."""
    return _Inspector(content, rules, workers=workers).inspect(plans)


def inspect_part(
    content: Content, rules: CheckRules, standing: Mapping[str, Mapping[str, Standing]]
) -> Inspection | None:
    """Compute the same for some plans of content of which not every subject was read.

    Each plan of `standing` comes with those of its subjects that were not. None is returned where
    the rest may decide what becomes of these plans: then everything has to be read.
    """
    inspection = _Inspector(content, rules, standing).inspect(set(standing))
    views, keys = inspection.views, inspection.keys
    told = all(fits(views[n], keys[n], one) for n, one in standing.items() if one and n in views)
    exact = told and not any(found.code in _OF_THE_WHOLE for found in inspection.findings)
    return inspection if exact else None


def can_tell_from_part(rules: CheckRules) -> bool:
    """Tell whether what becomes of a plan can be told without the subjects that it does not list.

    The shared files of the layout `monolithic` show what other plans show. And these checks look
    at other subjects; usually what they find is an error or holds nothing.
    """
    severity = rules.severities.of
    is_usual = (
        all(severity(code) == "error" for code in _OF_THE_WHOLE) and severity("W202") != "error"
    )
    return is_usual and not rules.rules.monolithic


CHUNK = 500
"""Documents that a worker checks at a time."""
_OF_THE_WHOLE = frozenset({"E102", "E106", "E107"})
"""Checks that look at documents of different subjects together."""


class _Inspector:
    """One inspection: what is computed once and needed in several places."""

    def __init__(
        self,
        content: Content,
        rules: CheckRules,
        standing: Mapping[str, Mapping[str, Standing]] | None = None,
        workers: Workers = IN_PROCESS,
    ) -> None:
        self.content = content
        self.standing = standing or {}
        self.rules = rules
        self.snapshot = content.loaded.snapshot
        self.viewer = Viewer(self.snapshot, rules.rules.default_access)
        self.lessons, self.units = shared_keys(self.snapshot, rules.rules)
        holds = all(rules.severities.of(code) == "error" for code in ("E101", "E103", "E104"))
        self.lost: Container[Ref] = content.loaded.lost if holds else frozenset()
        if standing is not None:
            self.lost = _Unread(self.lost, frozenset(_filed(self.snapshot)))
        patterns = (*DEFAULT_SECRET_PATTERNS, *rules.credential_patterns)
        self.of_documents = (
            *content.loaded.findings,
            *_checked(self.snapshot, patterns, workers),
            *check_bits(self.snapshot),
        )

    def inspect(self, plans: set[str] | None) -> Inspection:
        """Compute everything for some plans, or for all of them."""
        every = self.snapshot.of_type(PLAN)
        asked = [plan for plan in every if plans is None or plan.name in plans]
        views = [self._view(plan) for plan in asked]
        published = {view.plan.name: view for view in views if view.plan.flag("is_published")}
        keys = {name: self._keys(view) for name, view in published.items()}
        findings = self.content.located(self._findings(views, keys))
        broken = self.content.loaded.broken_plans
        return Inspection(
            self.snapshot,
            published,
            keys,
            self.lessons,
            self.units,
            tuple(with_broken_plans(findings, broken if plans is None else ())),
            held_plans(findings),
            broken,
            self._neighbours(every, asked),
            self.content.located,
            self.standing,
        )

    def _view(self, plan: Document) -> PlanView:
        return self.viewer.view(plan, self.standing.get(plan.name, {}))

    def _keys(self, view: PlanView) -> PlanKeys:
        return plan_keys(self.snapshot, view, topic_files=self.rules.rules.atomic)

    def _findings(
        self, views: Sequence[PlanView], keys: Mapping[str, PlanKeys]
    ) -> Iterator[Finding]:
        """Yield what is wrong with the documents and with these plans."""
        pairs = [(view, keys[view.plan.name]) for view in views if view.plan.name in keys]
        found = [
            *self.of_documents,
            *(found for view in views for found in check_plan(self.snapshot, view, self.lost)),
            *clash_findings(self.snapshot, pairs, self.lessons, self.units),
        ]
        known = (with_breadcrumb(self.snapshot, finding) for finding in found)
        return with_plans(known, views, self.rules.severities)

    def _neighbours(
        self, every: Sequence[Document], asked: Sequence[Document]
    ) -> tuple[PlanView, ...]:
        if not self.rules.rules.monolithic:
            return ()
        names = {plan.name for plan in asked}
        subjects = {subject for plan in asked for subject in listed_subjects(plan)}
        views = [
            self._view(plan)
            for plan in every
            if plan.name not in names
            and plan.flag("is_published")
            and not subjects.isdisjoint(listed_subjects(plan))
        ]
        held = held_plans(self._findings(views, {v.plan.name: self._keys(v) for v in views}))
        return tuple(view for view in views if view.plan.name not in held)


def _checked(snapshot: Snapshot, patterns: Sequence[str], workers: Workers) -> Iterator[Finding]:
    """Yield what is wrong with documents by themselves; several processes look at many."""
    documents = in_path_order(snapshot)
    chunks = [documents[start : start + CHUNK] for start in range(0, len(documents), CHUNK)]
    check = partial(_check, snapshot, patterns)
    for found in workers.forked.each("documents checked", check, chunks, _share):
        yield from found


def _check(
    snapshot: Snapshot, patterns: Sequence[str], documents: Sequence[Document]
) -> list[Finding]:
    return list(check_documents(snapshot, patterns, documents))


def _share(documents: Sequence[Document]) -> int:
    """Return the work of checking documents: less than half of that of making their files."""
    return len(documents) // 3


@dataclass(frozen=True, slots=True)
class _Unread:
    """Says of every document below a subject that was not read, that it may be somewhere."""

    lost: Container[Ref]
    read: frozenset[Ref]

    def __contains__(self, ref: object) -> bool:
        if not isinstance(ref, tuple) or ref in self.lost:
            return isinstance(ref, tuple)
        return ref[0] in _BELOW_SUBJECTS and ref not in self.read


_BELOW_SUBJECTS = frozenset(CURRICULUM) - {SUBJECT}


def _filed(snapshot: Snapshot) -> Iterator[Ref]:
    return ((doctype, segment(name)) for doctype, name in snapshot.documents)


def shared_keys(snapshot: Snapshot, rules: Rules) -> tuple[SharedKeys, SharedKeys]:
    """Return the keys of lessons and units; who shows what matters only where segments clash."""
    lessons = [name for doctype, name in snapshot.documents if doctype == LESSON]
    units = [name for doctype, name in snapshot.documents if doctype == UNIT]
    if not rules.monolithic:
        units = []
    if assign(lessons).clashes or assign(units).clashes:
        shown = _shown(snapshot, rules)
        lessons = [name for name in lessons if (LESSON, name) in shown]
        units = [name for name in units if (UNIT, name) in shown]
    return lesson_keys(lessons), unit_keys(units)


def _shown(snapshot: Snapshot, rules: Rules) -> set[Ref]:
    published = (plan for plan in snapshot.of_type(PLAN) if plan.flag("is_published"))
    return shown_by(view_plan(snapshot, plan, rules.default_access) for plan in published)
