"""A school's files and findings, from its documents, without a disk or a git repository."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from exporter.core.access import view_plan
from exporter.core.checks import DEFAULT_SECRET_PATTERNS, check_documents, with_breadcrumb
from exporter.core.files import to_mapping
from exporter.core.findings import Finding, Severities
from exporter.core.keys import lesson_keys, plan_keys
from exporter.core.loading import Loaded, ParsedFile, assemble
from exporter.core.model import PLAN, Document, Json
from exporter.core.plan_checks import check_bits, check_plan, clash_findings, with_plans
from exporter.core.tree import grow

__all__ = ["broken", "files_of", "findings_in", "findings_of", "load", "with_field"]

Files = dict[str, ParsedFile]


def files_of(*documents: Document) -> Files:
    """Return the files of a snapshot by path, as a YAML reader would give them."""
    snapshot = grow(documents)
    return {
        snapshot.paths[one.ref]: ParsedFile(
            snapshot.paths[one.ref], _mapping(one, orphan=snapshot.is_orphan(one))
        )
        for one in documents
    }


def broken(files: Files, path: str) -> Files:
    """Return the files with one that cannot be read."""
    if path not in files:
        raise KeyError(path)
    return {**files, path: ParsedFile(path, None, "not YAML", 3)}


def with_field(files: Files, path: str, field: str, value: Json) -> Files:
    """Return the files with one in which a field is something else."""
    mapping = files[path].mapping or {}
    return {**files, path: ParsedFile(path, {**mapping, field: value})}


def load(files: Files) -> Loaded:
    return assemble(files.values(), {})


def findings_of(*documents: Document, severities: Severities | None = None) -> list[Finding]:
    """Return every finding of a school, with its plans."""
    return findings_in(files_of(*documents), severities)


def findings_in(files: Files, severities: Severities | None = None) -> list[Finding]:
    """Return every finding of a snapshot's files, with its plans."""
    loaded = load(files)
    snapshot = loaded.snapshot
    views = [view_plan(snapshot, plan, "authenticated") for plan in snapshot.of_type(PLAN)]
    published = [view for view in views if view.plan.flag("is_published")]
    shown = {lesson.name for view in published for top in view.subjects for lesson in top.lessons()}
    found: Iterable[Finding] = [
        *loaded.findings,
        *check_documents(snapshot, DEFAULT_SECRET_PATTERNS),
        *check_bits(snapshot),
        *(finding for view in views for finding in check_plan(snapshot, view)),
        *clash_findings(
            snapshot, [(view, plan_keys(snapshot, view)) for view in published], lesson_keys(shown)
        ),
    ]
    known = (with_breadcrumb(snapshot, finding) for finding in found)
    return list(with_plans(known, views, severities or Severities()))


def _mapping(document: Document, *, orphan: bool) -> dict[str, Json]:
    """Return what a reader of the document's file would return."""
    return cast("dict[str, Json]", to_mapping(document, orphan=orphan))
