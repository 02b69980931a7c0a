"""Making the published files: encoded, versioned, checked against their schemas (spec 4).

Lessons are made first and once, then each plan's own files phase by phase, so that a link always
knows the version it points to. A file that fails its schema holds back the plans that need it; the
others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from exporter.build.encoding import body_digest, encode, with_stamp
from exporter.build.inspection import Inspection
from exporter.build.schemas import validator
from exporter.core.access import PlanView
from exporter.core.artifacts import Artifact, Draft, Entry, Index, Rules, next_version, url_of
from exporter.core.atomic import PlanFiles, lesson_draft, plan_drafts
from exporter.core.findings import Finding, Severities
from exporter.core.model import PLAN, Document

__all__ = ["Built", "Stamps", "build"]

LARGE_FILE_BYTES = 10_000_000

Sink = Callable[[Artifact], None]
"""Takes each file as it is made; the builder keeps only what the index says of it."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """What versions are decided from: the live files, and the commit's time in Unix seconds."""

    live: Callable[[str], Entry | None]
    commit_time: int


@dataclass(frozen=True, slots=True)
class Built:
    """The indexes of what was made; `plans` has only the plans of which every file is sound."""

    plans: dict[str, Index]
    lessons: Index
    findings: tuple[Finding, ...]


def build(
    inspection: Inspection, rules: Rules, severities: Severities, stamps: Stamps, sink: Sink
) -> Built:
    """Make the files of every plan that nothing holds back, and the lessons that they show."""
    workshop = _Workshop(inspection, rules, severities, stamps)
    lessons = _build_lessons(workshop, sink)
    plans: dict[str, Index] = {}
    for view in inspection.buildable:
        index = _build_plan(workshop, view, lessons, sink)
        if index is not None:
            plans[view.plan.name] = index
    needed = {link for index in plans.values() for entry in index.values() for link in entry.links}
    kept = {key: entry for key, entry in lessons.items() if key in needed}
    return Built(plans, kept, tuple(workshop.findings))


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

    def make(self, draft: Draft, plan: str | None) -> tuple[Artifact, list[tuple[str, str]]]:
        """Return a draft's file, with the problems (code, message) that it shows."""
        links: list[str] = []

        def link(key: str) -> str:
            links.append(key)
            return url_of(key, self.versions[key], self.rules)

        payload = draft.make(link)
        digest = body_digest(payload)
        version = next_version(digest, self.stamps.live(draft.key), self.stamps.commit_time)
        complete = with_stamp(payload, version)
        data = encode(complete)
        self.versions[draft.key] = version
        entry = Entry(digest, len(data), version, tuple(links))
        problems = [
            ("E112", f"{draft.key}: {_where(found.pointer)}{found.message}")
            for found in validator(draft.kind.value)(complete)
        ]
        if len(data) > LARGE_FILE_BYTES:
            problems.append(("W204", f"{draft.key} has {len(data):,} bytes"))
        return Artifact(draft.key, draft.kind, plan, entry, data), problems

    def report(
        self, document: Document, problems: Sequence[tuple[str, str]], plans: tuple[str, ...]
    ) -> bool:
        """Record problems at a document; tell whether one of them is an error."""
        found = [_finding(self.inspection, document, *problem, plans) for problem in problems]
        known = [replace(f, severity=self.severities.of(f.code)) for f in found]
        self.findings += [finding for finding in known if finding.severity != "off"]
        return any(finding.severity == "error" for finding in known)


def _build_lessons(workshop: _Workshop, sink: Sink) -> dict[str, Entry]:
    """Make the lessons that the plans show; a faulty one is left out."""
    entries: dict[str, Entry] = {}
    for lesson, plans in sorted(_shown(workshop.inspection.buildable), key=lambda s: s[0].name):
        draft = lesson_draft(lesson, workshop.inspection.lessons, workshop.rules)
        artifact, problems = workshop.make(draft, None)
        if not workshop.report(lesson, problems, plans):
            entries[artifact.key] = artifact.entry
            sink(artifact)
    return entries


def _build_plan(
    workshop: _Workshop, view: PlanView, lessons: Index, sink: Sink
) -> dict[str, Entry] | None:
    """Make a plan's own files; None where one of them, or a lesson of it, is not sound."""
    inspection = workshop.inspection
    name = view.plan.name
    files = PlanFiles(
        inspection.snapshot, view, inspection.keys[name], inspection.lessons, workshop.rules
    )
    shown = (lesson for subject in view.subjects for lesson in subject.lessons())
    sound = all(inspection.lessons.key(lesson.name) in lessons for lesson in shown)
    entries: dict[str, Entry] = {}
    for draft in plan_drafts(files) if sound else ():
        artifact, problems = workshop.make(draft, name)
        sound = not workshop.report(view.plan, problems, (name,)) and sound
        entries[artifact.key] = artifact.entry
        sink(artifact)
    return entries if sound else None


def _shown(views: Sequence[PlanView]) -> Iterator[tuple[Document, tuple[str, ...]]]:
    """Yield every lesson that some plan shows, with the plans that do."""
    lessons: dict[str, Document] = {}
    plans: dict[str, list[str]] = {}
    for view in views:
        for subject in view.subjects:
            for lesson in subject.lessons():
                lessons[lesson.name] = lesson.document
                plans.setdefault(lesson.name, []).append(view.plan.name)
    return ((lessons[name], tuple(plans[name])) for name in lessons)


def _where(pointer: tuple[str | int, ...]) -> str:
    return "/".join(map(str, pointer)) + ": " if pointer else ""


def _finding(
    inspection: Inspection, document: Document, code: str, message: str, plans: tuple[str, ...]
) -> Finding:
    hint = "correct the document's field in Frappe" if document.doctype != PLAN else (
        "correct the document that the message names in Frappe"
    )
    return Finding(
        code,
        inspection.snapshot.paths[document.ref],
        message,
        hint,
        line=1,
        ref=document.ref,
        anchors=(document.ref,),
        plans=plans,
    )
