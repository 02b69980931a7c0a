"""Making the published files: encoded, versioned, checked against their schemas (spec 4).

Lessons are made first and once, then each plan's own files phase by phase, so that a link always
knows the version it points to. A file that fails its schema holds back the plans that need it; the
others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.build.encoding import body_digest, encode, with_stamp
from exporter.build.inspection import Inspection
from exporter.build.schemas import validator
from exporter.core.access import PlanView
from exporter.core.artifacts import (
    Artifact,
    Draft,
    Entry,
    Index,
    Rules,
    next_version,
    url_of,
)
from exporter.core.atomic import PlanFiles, lesson_draft
from exporter.core.checks import breadcrumb
from exporter.core.findings import Finding, Pointer, Severities
from exporter.core.layouts import plan_drafts
from exporter.core.model import LESSON, PLAN, UNIT, Document, Ref
from exporter.core.monolithic import SharedFiles, shared_nodes, shown_by
from exporter.core.steps import shared_reach

__all__ = ["Built", "Stamps", "build"]

LARGE_FILE_BYTES = 10_000_000

Sink = Callable[[Artifact], None]
"""Takes each file as it is made; the builder keeps only what the index says of it."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """What versions are decided from: the live files, and the commit's time in Unix seconds."""

    live: Callable[[str], Entry | None]
    commit_time: int
    written: Callable[[str], tuple[str, int] | None] = lambda _key: None
    """Digest and version of what a publish that died may have put under a key."""

    def version(self, key: str, digest: str) -> int:
        """Return the version of a file with that body digest (spec 4).

        No version is given twice for one key unless the content is the same, since a cache may
        hold what a publish that died has put.
        """
        live, written = self.live(key), self.written(key)
        version = next_version(digest, live, self.commit_time)
        if written is None or (live and live.digest == digest):
            return version
        return written[1] if written[0] == digest else max(version, written[1] + 1)


@dataclass(frozen=True, slots=True)
class Built:
    """The indexes of what was made; `plans` has only the plans of which every file is sound."""

    plans: dict[str, Index]
    lessons: Index
    """The shared files, lessons and units, that these plans lead to."""
    findings: tuple[Finding, ...]

    def keys(self) -> set[str]:
        """Return the keys of all files that belong to the outcome."""
        return {*self.lessons, *(key for index in self.plans.values() for key in index)}


def build(
    inspection: Inspection, rules: Rules, severities: Severities, stamps: Stamps, sink: Sink
) -> Built:
    """Make the files of every plan that nothing holds back, and the shared ones they lead to."""
    workshop = _Workshop(inspection, rules, severities, stamps)
    shared = dict(_build_shared(workshop, sink))
    plans: dict[str, Index] = {}
    for view in inspection.buildable:
        index = _build_plan(workshop, view, shared, sink)
        if index is not None:
            plans[view.plan.name] = index
    needed = shared_reach(plans.values(), shared)
    kept = {key: entry for key, entry in shared.items() if key in needed}
    return Built(plans, kept, tuple(inspection.located(workshop.findings)))


class _Workshop:
    """What all files of one build have in common: known versions and findings."""

    def __init__(
        self, inspection: Inspection, rules: Rules, severities: Severities, stamps: Stamps
    ) -> None:
        self.inspection = inspection
        self.rules = rules
        self.severities = severities
        self.stamps = stamps
        self.versions: dict[str, int] = {}
        self.findings: list[Finding] = []

    def make(self, draft: Draft, plan: str | None) -> tuple[Artifact, list[_Problem]]:
        """Return a draft's file, with the problems that it shows."""
        links: list[str] = []

        def link(key: str, *, versioned: bool = True) -> str:
            links.append(key)
            return url_of(key, self.versions[key] if versioned else None, self.rules)

        payload = draft.make(link)
        digest = body_digest(payload)
        version = self.stamps.version(draft.key, digest)
        complete = with_stamp(payload, version)
        data = encode(complete)
        self.versions[draft.key] = version
        entry = Entry(digest, len(data), version, tuple(links))
        artifact = Artifact(draft.key, draft.kind, plan, entry, data)
        return artifact, list(_problems(draft, complete, len(data)))

    def problems(self, draft: Draft) -> list[_Problem]:
        """Return what is wrong with a file that links to nothing, without making it."""
        payload = with_stamp(draft.make(_no_link), self.stamps.commit_time)
        return list(_problems(draft, payload, len(encode(payload))))

    def is_error(self, problem: _Problem) -> bool:
        """Tell whether a problem holds back what shows it."""
        return self.severities.of(problem.code) == "error"

    def report(
        self, document: Document, problems: Sequence[_Problem], plans: tuple[str, ...]
    ) -> bool:
        """Record problems at a document; tell whether one of them is an error."""
        found = [_finding(self.inspection, document, problem, plans) for problem in problems]
        known = [replace(f, severity=self.severities.of(f.code)) for f in found]
        self.findings += [finding for finding in known if plans and finding.severity != "off"]
        return any(finding.severity == "error" for finding in known)


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong with a file that was made; `pointer` is the place in the file."""

    code: str
    message: str
    pointer: Pointer = ()


def _problems(draft: Draft, payload: object, size: int) -> Iterator[_Problem]:
    for found in validator(draft.schema)(payload):
        message = f"{draft.key}: {_where(found.pointer)}{found.message}"
        yield _Problem("E112", message, found.pointer)
    if size > LARGE_FILE_BYTES:
        yield _Problem("W204", f"{draft.key} has {size:,} bytes")


def _no_link(key: str, *, versioned: bool = True) -> str:  # noqa: ARG001 - a Link
    raise ValueError(f"a lesson links to nothing, not to {key}")


def _build_shared(workshop: _Workshop, sink: Sink) -> Iterator[tuple[str, Entry]]:
    """Make the shared files that the plans lead to; a faulty one is left out."""
    showing = _showing(workshop.inspection.buildable)
    made: set[str] = set()
    for document, draft in _shared_drafts(workshop, showing):
        artifact, problems = workshop.make(draft, None)
        sound = not workshop.report(document, problems, showing.get(document.ref, ()))
        if document.doctype == UNIT:
            sound = sound and made.issuperset(artifact.entry.links)
        if sound:
            made.add(artifact.key)
            yield artifact.key, artifact.entry
            sink(artifact)


def _shared_drafts(
    workshop: _Workshop, showing: Mapping[Ref, tuple[str, ...]]
) -> Iterator[tuple[Document, Draft]]:
    """Yield drafts of the shared files that the plans to be built lead to."""
    inspection, rules = workshop.inspection, workshop.rules
    if not rules.monolithic:
        for name in sorted(name for doctype, name in showing if doctype == LESSON):
            lesson = inspection.snapshot.documents[LESSON, name]
            yield lesson, lesson_draft(lesson, inspection.lessons, rules)
        return
    shown = shown_by([*inspection.buildable, *inspection.neighbours])
    shown -= set(_faulty_lessons(workshop, shown, showing))
    files = SharedFiles(inspection.units, inspection.lessons, rules)
    for subject in shared_nodes(inspection.snapshot, shown, rules.default_access):
        yield from files.drafts(subject, showing)


def _faulty_lessons(
    workshop: _Workshop, shown: Iterable[Ref], showing: Mapping[Ref, tuple[str, ...]]
) -> Iterator[Ref]:
    """Report and yield the lessons that cannot be published: no unit may list them."""
    inspection = workshop.inspection
    for ref in sorted(shown):
        if ref[0] == LESSON:
            lesson = inspection.snapshot.documents[ref]
            draft = lesson_draft(lesson, inspection.lessons, workshop.rules)
            problems = [one for one in workshop.problems(draft) if workshop.is_error(one)]
            if workshop.report(lesson, problems, showing.get(ref, ())):
                yield ref


def _build_plan(
    workshop: _Workshop, view: PlanView, shared: Index, sink: Sink
) -> dict[str, Entry] | None:
    """Make a plan's own files; None where one of them, or a shared one of it, is not sound."""
    inspection = workshop.inspection
    name = view.plan.name
    files = PlanFiles(
        inspection.snapshot,
        view,
        inspection.keys[name],
        inspection.lessons,
        workshop.rules,
        inspection.units,
    )
    sound = all(key in shared for key in _shared_keys(files))
    entries: dict[str, Entry] = {}
    for draft in plan_drafts(files) if sound else ():
        artifact, problems = workshop.make(draft, name)
        sound = not workshop.report(view.plan, problems, (name,)) and sound
        entries[artifact.key] = artifact.entry
        sink(artifact)
    return entries if sound else None


def _shared_keys(files: PlanFiles) -> Iterator[str]:
    """Yield the keys of the shared files that a plan leads to."""
    for node in files.view.walk():
        if node.document.doctype == LESSON:
            yield files.lessons.key(node.name)
        elif node.document.doctype == UNIT and files.rules.monolithic:
            yield files.units.key(node.name)


def _showing(views: Sequence[PlanView]) -> dict[Ref, tuple[str, ...]]:
    """Return the plans that show each document."""
    showing: dict[Ref, list[str]] = {}
    for view in views:
        for node in view.walk():
            showing.setdefault(node.document.ref, []).append(view.plan.name)
    return {ref: tuple(plans) for ref, plans in showing.items()}


def _where(pointer: Pointer) -> str:
    return "/".join(map(str, pointer)) + ": " if pointer else ""


def _finding(
    inspection: Inspection, document: Document, problem: _Problem, plans: tuple[str, ...]
) -> Finding:
    is_plan, is_lesson = document.doctype == PLAN, document.doctype == LESSON
    hint = f"correct the {'document that the message names' if is_plan else 'field'} in Frappe"
    return Finding(
        problem.code,
        inspection.snapshot.paths[document.ref],
        problem.message,
        hint,
        problem.pointer if is_lesson else (),  # a lesson's file has the places of its snapshot file
        line=0 if is_lesson else 1,
        ref=document.ref,
        anchors=(document.ref,),
        breadcrumb=breadcrumb(inspection.snapshot, document),
        plans=plans,
    )
