"""Checks of what plans show, and the plans that a finding holds back (spec 3, spec 4).

E106 to E111, W202 and W206. An error in or under a document holds back the published plans that
would show it, and only those.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import unquote

from exporter.core.access import PlanView, listed_subjects
from exporter.core.checks import Problem, finding_at
from exporter.core.findings import Finding, Severities
from exporter.core.keys import KeyClash, PlanKeys, SharedKeys
from exporter.core.loading import UNREAD
from exporter.core.model import GRADE, LESSON, SEASON, STREAM, SUBJECT, Document, Ref
from exporter.core.overrides import Action, RowFault
from exporter.core.segments import segment
from exporter.core.tree import Snapshot

__all__ = [
    "check_bits",
    "check_plan",
    "clash_findings",
    "held_plans",
    "may_hide_content",
    "plan_of_path",
    "with_broken_plans",
    "with_plans",
]

_LINKED = ((SEASON, "season"), (GRADE, "grade"), (STREAM, "stream"))


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a finding would be in what a plan shows."""

    view: PlanView
    is_published: bool
    visible: tuple[frozenset[Ref], ...]
    """What it shows, by subject."""
    linked: frozenset[Ref]
    """Season, grade and stream, as files name them."""
    listed: frozenset[Ref]
    """The plan's subjects, as files name them."""


def check_plan(
    snapshot: Snapshot, view: PlanView, lost: Container[Ref] = frozenset()
) -> Iterator[Finding]:
    """Yield what is wrong with a plan, published or not.

    `lost` tells by DocType and segment where something cannot be read: that is reported at its own
    file, and holds the plan back, so nothing is said of what may only follow from it.
    """
    yield from _subject_findings(snapshot, view, lost)
    faults = _override_faults(snapshot, view, lost)
    for fault in sorted(faults, key=lambda fault: fault.position):
        yield _override_finding(snapshot, view.plan, fault)
    if not view.plan.flag("is_published"):
        return
    yield from _unpriced(snapshot, view)
    absent = (n for n in listed_subjects(view.plan) if not snapshot.find(SUBJECT, n))
    if not view.subjects and not any(_as_filed((SUBJECT, name)) in lost for name in absent):
        hint = "publish one of its subjects, or unpublish the plan"
        problem = Problem("W206", "the plan shows no subject", hint)
        yield finding_at(snapshot, view.plan, problem)


def check_bits(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield lessons without a `bit_index`, and lessons of one subject that share one (`E109`)."""
    for subject in snapshot.of_type(SUBJECT):
        users: dict[int, list[Document]] = {}
        for document in snapshot.below(subject):
            if document.doctype == LESSON:
                users.setdefault(document.integer("bit_index"), []).append(document)
        for bit, lessons in users.items():
            if bit < 0 or len(lessons) > 1:
                yield from _bit_findings(snapshot, bit, lessons)


def clash_findings(
    snapshot: Snapshot, views: Iterable[tuple[PlanView, PlanKeys]], *shared: SharedKeys
) -> Iterator[Finding]:
    """Yield documents that want one key, or clash in one folder of keys (`E106`, `E107`)."""
    known = [frozenset(group) for group in snapshot.clashes]
    common = [(clash, clash.refs) for keys in shared for clash in keys.clashes]
    own = [(clash, (view.plan.ref,)) for view, keys in views for clash in keys.clashes]
    for clash, anchors in (*common, *own):
        if not any(group.issuperset(clash.refs) for group in known):
            yield from _clash(snapshot, clash, anchors)


def with_plans(
    findings: Iterable[Finding], views: Sequence[PlanView], severities: Severities
) -> Iterator[Finding]:
    """Give findings their severity and the plans that show them; leave out what is switched off."""
    scopes: list[_Scope] = []
    for finding in findings:
        severity = severities.of(finding.code)
        if severity != "off":
            scopes = scopes or _scopes(views)
            plans = tuple(scope.view.plan.name for scope in scopes if _shows(scope, finding))
            yield replace(finding, severity=severity, plans=plans)


def held_plans(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Return the plans that errors hold back, each with its errors."""
    held: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.severity == "error":
            for plan in finding.plans:
                held.setdefault(plan, []).append(finding)
    return held


def with_broken_plans(findings: Iterable[Finding], paths: Container[str]) -> Iterator[Finding]:
    """Give findings in plan files that cannot be read the plan that they hold back: that one."""
    for found in findings:
        yield replace(found, plans=(plan_of_path(found.path),)) if found.path in paths else found


def plan_of_path(path: str) -> str:
    """Return the name of a plan by its file's path; the cut form of a name that was too long."""
    return unquote(path.rpartition("/")[2].removesuffix(".yaml"))


def _scopes(views: Sequence[PlanView]) -> list[_Scope]:
    """Return the scope of each plan; a subject that several plans show alike is walked once."""
    subjects = {id(subject): subject for view in views for subject in view.subjects}
    shown = {
        one: frozenset(node.document.ref for node in subject.walk())
        for one, subject in subjects.items()
    }
    return [_scope(view, tuple(shown[id(subject)] for subject in view.subjects)) for view in views]


def _scope(view: PlanView, visible: tuple[frozenset[Ref], ...]) -> _Scope:
    plan = view.plan
    return _Scope(
        view,
        is_published=plan.flag("is_published"),
        visible=visible,
        linked=frozenset(_as_filed((doctype, plan.text(field))) for doctype, field in _LINKED),
        listed=frozenset(_as_filed((SUBJECT, name)) for name in listed_subjects(plan)),
    )


def _shows(scope: _Scope, finding: Finding) -> bool:
    """Tell whether a published plan shows a finding's document, or would if it could be read."""
    view, may_hide = scope.view, may_hide_content(finding)
    if view.plan.ref in finding.anchors:
        return scope.is_published or may_hide
    if not scope.is_published or (finding.ref and view.overrides.of(finding.ref).hide):
        return False
    seen = (view.reached,) if may_hide else scope.visible
    filed = scope.linked | scope.listed if may_hide else scope.linked
    return any(
        any(ref in part for part in seen) or _as_filed(ref) in filed for ref in finding.anchors
    )


def may_hide_content(finding: Finding) -> bool:
    """Tell whether a document could not be read, so that nobody knows who should see it."""
    match finding.code:
        case "E101" | "E104":
            return True
        case "E102":
            return not finding.pointer
        case "E103":
            return finding.pointer in UNREAD
        case _:
            return False


def _as_filed(ref: Ref) -> Ref:
    """Return what a path can tell of a document: its segment in the place of its name."""
    return (ref[0], segment(ref[1]))


def _subject_findings(
    snapshot: Snapshot, view: PlanView, lost: Container[Ref]
) -> Iterator[Finding]:
    seen: set[str] = set()
    for position, row in enumerate(view.plan.rows.get("subjects", ())):
        name = str(row.get("subject", ""))
        problem = ""
        if not snapshot.find(SUBJECT, name) and _as_filed((SUBJECT, name)) not in lost:
            problem = f"the plan lists subject {name!r}, which does not exist"
        elif name in seen:
            problem = f"the plan lists subject {name!r} twice"
        seen.add(name)
        if problem:
            hint = "remove the row from the plan, or bring the subject back"
            at = ("subjects", position, "subject")
            yield finding_at(snapshot, view.plan, Problem("E111", problem, hint, at))


def _override_faults(
    snapshot: Snapshot, view: PlanView, lost: Container[Ref]
) -> Iterator[RowFault]:
    yield from view.overrides.faults
    faulty = {fault.position for fault in view.overrides.faults}
    inside = set(listed_subjects(view.plan))
    for position, target, action in view.overrides.rows:
        document = snapshot.documents.get(target)
        is_lost = _as_filed(target) in lost
        if position in faulty:
            continue
        if document is None:
            message = "" if is_lost else f"{target[0]} {target[1]!r} does not exist"
        elif snapshot.lineage(document)[0].name not in inside or snapshot.is_orphan(document):
            message = f"{target[0]} {target[1]!r} is outside the plan's subjects"
        elif is_lost:
            message = ""
        elif action is Action.HIDE:
            message = _hide_fault(snapshot, view, document)
        else:
            shown = _shows_document(snapshot, view, document)
            message = "" if shown else _effect_fault(view, target, action)
        if message:
            yield RowFault("W202", position, target, message)


def _shows_document(snapshot: Snapshot, view: PlanView, document: Document) -> bool:
    """Tell whether a plan shows a document."""
    level = view.subjects
    for above in snapshot.lineage(document):
        node = next((node for node in level if node.document.ref == above.ref), None)
        if node is None:
            return False
        level = node.children
    return True


def _effect_fault(view: PlanView, target: Ref, action: Action) -> str:
    if view.overrides.of(target).hide:
        return f"{action.value!r} has no effect: another row hides {target[1]}"
    return f"{action.value!r} has no effect: the plan does not show {target[1]}"


def _hide_fault(snapshot: Snapshot, view: PlanView, document: Document) -> str:
    """Return why hiding a node changes nothing, or empty text; rows below it do not matter."""
    above = snapshot.parent_of(document)
    reachable = above is None or above.ref in view.reached
    if reachable and _has_published_lessons(snapshot, document):
        return ""
    return f"'Hide' has no effect: the plan would not show {document.name} anyway"


def _has_published_lessons(snapshot: Snapshot, document: Document) -> bool:
    """Tell whether a node is published and not empty; a subject may be empty."""
    if not document.flag("is_published"):
        return False
    return document.doctype in (SUBJECT, LESSON) or any(
        _has_published_lessons(snapshot, child) for child in snapshot.children_of(document)
    )


def _override_finding(snapshot: Snapshot, plan: Document, fault: RowFault) -> Finding:
    hint = "correct or remove the override row in Frappe"
    at = ("overrides", fault.position)
    return finding_at(snapshot, plan, Problem(fault.code, fault.message, hint, at))


def _unpriced(snapshot: Snapshot, view: PlanView) -> Iterator[Finding]:
    for node in view.walk():
        access = node.access
        if access.level == "paid" and not access.required_item and access.rule != 9:
            message = f"paid in plan {view.plan.title}, but nothing says which item to buy"
            hint = "set required_item here or above, or the override's value"
            at = ("is_sold_separately",) if access.rule == 5 else ()
            found = finding_at(snapshot, node.document, Problem("E110", message, hint, at))
            yield replace(found, anchors=(view.plan.ref,))


def _bit_findings(snapshot: Snapshot, bit: int, lessons: list[Document]) -> Iterator[Finding]:
    hint = "give every lesson of the subject a bit_index of its own; never reuse one"
    together = tuple(lesson.ref for lesson in lessons)
    for lesson in lessons:
        found = partial(Problem, "E109", hint=hint, pointer=("bit_index",))
        if bit < 0:
            yield finding_at(snapshot, lesson, found("bit_index is missing"))
            continue
        other = lessons[1] if lesson is lessons[0] else lessons[0]
        shared = found(f"bit_index {bit} is also that of {other.name}")
        yield replace(finding_at(snapshot, lesson, shared), anchors=together)


def _clash(snapshot: Snapshot, clash: KeyClash, anchors: tuple[Ref, ...]) -> Iterator[Finding]:
    names = " and ".join(f"{doctype} {name!r}" for doctype, name in clash.refs)
    message = f"{names} want the key {clash.key}"
    if len(clash.refs) == 1:
        message = f"{names} wants the key {clash.key}, which is the plan's own"
    problem = Problem(clash.code, message, "rename one of them in Frappe", ("name",))
    for ref in clash.refs if clash.code == "E107" else clash.refs[:1]:
        found = finding_at(snapshot, snapshot.documents[ref], problem)
        yield replace(found, anchors=anchors)
