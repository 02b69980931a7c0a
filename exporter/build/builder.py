"""Making the published files: encoded, versioned, checked against their schemas (spec 4).

Shared files are made first and once, then each plan's own phase by phase, so that a link always
knows the version it points to. A file that fails its schema holds back the plans that need it; the
others go on. Work comes in chunks that know nothing of one another, so it can be shared out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from exporter.build.bench import Bench, Order, Sink, Stamps, targets_of
from exporter.build.inspection import CheckRules, Inspection
from exporter.core.access import Node, PlanView
from exporter.core.artifacts import Artifact, Draft, Entry, Index
from exporter.core.atomic import PlanFiles, lesson_draft
from exporter.core.findings import Finding
from exporter.core.layouts import plan_drafts
from exporter.core.model import LESSON, UNIT, Document, Ref
from exporter.core.monolithic import SharedFiles, shared_nodes, shown_by
from exporter.core.steps import shared_reach
from exporter.workers import IN_PROCESS, Workers

__all__ = ["Built", "Stamps", "build", "check_held"]

CHUNK = 250
"""Lessons that a worker makes at a time."""


@dataclass(frozen=True, slots=True)
class Built:
    """The indexes of what was made; `plans` has only the plans of which every file is sound."""

    plans: dict[str, Index]
    lessons: Index
    """The shared files, lessons and units, that these plans lead to."""
    findings: tuple[Finding, ...]

    def entries(self) -> dict[str, Entry]:
        """Return all files that belong to the outcome, by key."""
        own = (index.items() for index in self.plans.values())
        return dict(chain(self.lessons.items(), *own))

    def keys(self) -> set[str]:
        """Return the keys of all files that belong to the outcome."""
        return set(self.entries())


def build(
    inspection: Inspection,
    rules: CheckRules,
    stamps: Stamps,
    sink: Sink,
    workers: Workers = IN_PROCESS,
) -> Built:
    """Make the files of every plan that nothing holds back, and the shared ones they lead to.

    With several workers, all arguments are to be fit for theirs; what comes out is the same.
    """
    views = inspection.buildable
    order = Order(replace(inspection, located=list), rules, stamps, sink, _showing(views))
    made = [*_build_shared(order, workers)]
    shared = {key: entry for one in made for key, entry in one.entries.items()}
    order = replace(order, shared=targets_of(shared, rules.rules))
    made_plans = _made_plans(order, workers)
    plans: dict[str, Index] = {
        name: one.entries for name, one in made_plans.items() if one.is_sound
    }
    needed = shared_reach(plans.values(), shared)
    kept = {key: entry for key, entry in shared.items() if key in needed}
    findings = [finding for one in (*made, *made_plans.values()) for finding in one.findings]
    return Built(plans, kept, tuple(inspection.located(findings)))


def check_held(
    inspection: Inspection, rules: CheckRules, stamps: Stamps, workers: Workers = IN_PROCESS
) -> list[Finding]:
    """Return what is wrong with the files of lessons that only plans held back would show."""
    held = [inspection.views[name] for name in sorted(inspection.views.keys() & inspection.held)]
    showing, built = _showing(held), _showing(inspection.buildable)
    order = Order(replace(inspection, located=list), rules, stamps, _nowhere, showing)
    names = sorted(name for doctype, name in showing.keys() - built if doctype == LESSON)
    made = workers.run("lessons", partial(_make_lessons, order), _chunks(names))
    return inspection.located([finding for one in made for finding in one.findings])


def _nowhere(_artifact: Artifact) -> None:
    """Take a file and forget it."""


@dataclass(frozen=True, slots=True)
class _Made:
    """What a bench made: index entries by key, and what is wrong with it."""

    entries: dict[str, Entry]
    findings: list[Finding]
    is_sound: bool = True
    """Whether a plan's own files are all there and right."""


def _build_shared(order: Order, workers: Workers) -> Iterator[_Made]:
    """Make the shared files that the plans to be built lead to; a faulty one is left out."""
    inspection, rules = order.inspection, order.rules.rules
    if not rules.monolithic:
        names = sorted(name for doctype, name in order.showing if doctype == LESSON)
        yield from workers.run("lessons", partial(_make_lessons, order), _chunks(names))
        return
    shown = shown_by([*inspection.buildable, *inspection.neighbours])
    lessons = sorted(name for doctype, name in shown if doctype == LESSON)
    faulty: set[Ref] = set()
    for findings, refs in workers.run("lessons", partial(_check_lessons, order), _chunks(lessons)):
        faulty |= refs
        yield _Made({}, findings)
    subjects = shared_nodes(inspection.snapshot, shown - faulty, rules.default_access)
    chunks = [(subject,) for subject in subjects]
    yield from workers.run("subjects", partial(_make_subject, order), chunks, _lessons_below)


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]


def _make_lessons(order: Order, names: Sequence[str]) -> _Made:
    inspection, rules = order.inspection, order.rules.rules
    lessons = (inspection.snapshot.documents[LESSON, name] for name in names)
    drafts = ((one, lesson_draft(one, inspection.lessons, rules)) for one in lessons)
    return _make_shared(order, drafts)


def _make_subject(order: Order, subjects: Sequence[Node]) -> _Made:
    """Make the units of a subject and their lessons, for the layout `monolithic`."""
    inspection = order.inspection
    files = SharedFiles(inspection.units, inspection.lessons, order.rules.rules)
    return _make_shared(order, files.drafts(subjects[0], order.showing))


def _make_shared(order: Order, drafts: Iterable[tuple[Document, Draft]]) -> _Made:
    bench = Bench(order)
    made: dict[str, Entry] = {}
    for document, draft in drafts:
        artifact, problems = bench.make(draft, None)
        sound = not bench.report(document, problems, order.showing.get(document.ref, ()))
        if document.doctype == UNIT:
            sound = sound and made.keys() >= set(artifact.entry.links)
        if sound:
            made[artifact.key] = artifact.entry
            order.sink(artifact)
    return _Made(made, bench.findings)


def _check_lessons(order: Order, names: Sequence[str]) -> tuple[list[Finding], set[Ref]]:
    """Return the lessons that cannot be published, with why: no unit may list them."""
    inspection, bench = order.inspection, Bench(order)
    faulty: set[Ref] = set()
    for name in names:
        lesson = inspection.snapshot.documents[LESSON, name]
        draft = lesson_draft(lesson, inspection.lessons, order.rules.rules)
        problems = [one for one in bench.problems(draft) if bench.is_error(one)]
        if bench.report(lesson, problems, order.showing.get(lesson.ref, ())):
            faulty.add(lesson.ref)
    return bench.findings, faulty


def _made_plans(order: Order, workers: Workers) -> dict[str, _Made]:
    """Make the files of all plans; those that list the same subjects one after another."""
    views = order.inspection.buildable
    near = sorted(views, key=lambda view: sorted(one.name for one in view.subjects))
    make = partial(_make_plan, order)
    made = workers.run("plans", make, [(one,) for one in near], _weight, are_alike=True)
    by_name = {view.plan.name: one for view, one in zip(near, made, strict=True)}
    return {view.plan.name: by_name[view.plan.name] for view in views}


def _make_plan(order: Order, views: Sequence[PlanView]) -> _Made:
    """Make a plan's own files; none where a shared one that it leads to is not sound."""
    (view,), inspection, bench = views, order.inspection, Bench(order)
    name = view.plan.name
    files = PlanFiles(
        inspection.snapshot,
        view,
        inspection.keys[name],
        inspection.lessons,
        order.rules.rules,
        inspection.units,
        inspection.standing.get(name, {}),
        order.entries,
    )
    entries = {key: one for stands in files.standing.values() for key, one in stands.files.items()}
    bench.add(entries)
    sound = all(_leads_to_sound(order, files, subject) for subject in view.subjects)
    for draft in plan_drafts(files) if sound else ():
        artifact, problems = bench.make(draft, name)
        sound = not bench.report(view.plan, problems, (name,)) and sound
        entries[artifact.key] = artifact.entry
        order.sink(artifact)
    return _Made(entries, bench.findings, sound)


def _weight(views: Sequence[PlanView]) -> int:
    """Return a plan's work: what it says of a lesson is a small part of the lesson's own file."""
    return sum(view.lessons for view in views) // 20


def _lessons_below(subjects: Sequence[Node]) -> int:
    return sum(1 for subject in subjects for _ in subject.lessons())


def _leads_to_sound(order: Order, files: PlanFiles, subject: Node) -> bool:
    """Tell whether all shared files that a subject leads to are there; asked once of each."""
    known = order.sound.get(id(subject))
    if known is None:
        known = all(key in order.shared for key in _shared_keys(files, subject))
        order.sound[id(subject)] = known
    return known


def _shared_keys(files: PlanFiles, subject: Node) -> Iterator[str]:
    """Yield the keys of the shared files that a subject leads to."""
    for node in subject.walk():
        if node.document.doctype == LESSON:
            yield files.lessons.key(node.name)
        elif node.document.doctype == UNIT and files.rules.monolithic:
            yield files.units.key(node.name)


def _showing(views: Sequence[PlanView]) -> dict[Ref, tuple[str, ...]]:
    """Return the plans that show each document; subjects that plans show alike are walked once."""
    subjects = {id(subject): subject for view in views for subject in view.subjects}
    plans: dict[int, list[str]] = {one: [] for one in subjects}
    for view in views:
        for subject in view.subjects:
            plans[id(subject)].append(view.plan.name)
    showing: dict[Ref, tuple[str, ...]] = {}
    for one, subject in subjects.items():
        names = tuple(plans[one])
        for node in subject.walk():
            known = showing.get(node.document.ref)
            showing[node.document.ref] = tuple(sorted((*known, *names))) if known else names
    return showing
