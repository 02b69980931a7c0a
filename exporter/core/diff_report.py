"""All that `exporter diff` found out, as one value and as its documented JSON (spec 5, spec 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from exporter.core.diff import DocumentDiff
from exporter.core.diff_access import ACCESS_SIGNS, Notice, Terms
from exporter.core.diff_values import Detail, ItemName
from exporter.core.findings import Finding
from exporter.core.model import Ref

__all__ = ["DiffReport", "FileCounts", "FindingCounts", "report_json"]


@dataclass(frozen=True, slots=True)
class FileCounts:
    """The files that a release of the target would put and delete, were the base live in full."""

    new: int = 0
    changed: int = 0
    bytes_put: int = 0
    deleted: int = 0
    urls_to_purge: int | None = None
    """URLs or prefixes that the CDN is asked to forget; None where no purge is configured."""

    @property
    def put(self) -> int:
        """Return how many files are put."""
        return self.new + self.changed


@dataclass(frozen=True, slots=True)
class FindingCounts:
    """The target's findings, and how they compare with the base's."""

    errors: int = 0
    warnings: int = 0
    new: tuple[Finding, ...] = ()
    mended: int = 0


@dataclass(frozen=True, slots=True)
class DiffReport:
    """The change from `base` to `target`, which are told in words such as `commit 3f2a1bc9`."""

    base: str
    target: str
    documents: Sequence[DocumentDiff]
    notices: Sequence[Notice]
    plans: Mapping[str, str]
    """The titles of all plans by name, as they are now or were."""
    files: FileCounts | None = field(default_factory=FileCounts)
    """None where what is live was built by other settings: only `exporter plan` can count then."""
    findings: FindingCounts = field(default_factory=FindingCounts)
    held_plans: Sequence[str] = ()
    """Plans that errors would hold back at their last release."""
    holds: Sequence[str] = ()
    """What snapshots leave out because people rolled it back, a line a document."""
    folder: str = ""
    """The snapshot folder as people name it, for the paths of findings."""

    @property
    def access(self) -> list[Notice]:
        """Return what changes in who may open what."""
        return [notice for notice in self.notices if notice.sign in ACCESS_SIGNS]

    @property
    def otherwise(self) -> list[Notice]:
        """Return what else students will notice."""
        return [notice for notice in self.notices if notice.sign not in ACCESS_SIGNS]


def report_json(report: DiffReport) -> dict[str, Any]:
    """Return the report as its documented JSON; nothing is left out."""
    files = report.files or FileCounts()
    return {
        "base": report.base,
        "target": report.target,
        "access": [_notice_json(notice) for notice in report.access],
        "notices": [_notice_json(notice) for notice in report.otherwise],
        "files": {**asdict(files), "put": files.put},
        "files_known": report.files is not None,
        "held_plans": list(report.held_plans),
        "findings": {
            "errors": report.findings.errors,
            "warnings": report.findings.warnings,
            "mended": report.findings.mended,
            "new": [
                {"code": found.code, "path": found.path, "message": found.message}
                for found in report.findings.new
            ],
        },
        "hold_lines": list(report.holds),
        "documents": [_document_json(document) for document in report.documents],
    }


def _notice_json(notice: Notice) -> dict[str, Any]:
    return {
        "sign": notice.sign.value,
        "plans": list(notice.plans),
        "where": list(notice.where),
        "lessons": notice.lessons,
        "nodes": [
            {
                **_ref_json(node.ref),
                "title": node.title,
                "before": _terms_json(node.terms_before),
                "after": _terms_json(node.terms_after),
            }
            for node in notice.nodes
        ],
    }


def _terms_json(terms: Terms | None) -> dict[str, Any] | None:
    """Return terms by the names that published files use; None where the node is not shown."""
    if terms is None:
        return None
    named = asdict(terms)
    return {"access_level": named.pop("level"), **named}


def _ref_json(ref: Ref) -> dict[str, str]:
    return {"doctype": ref[0], "name": ref[1]}


def _document_json(found: DocumentDiff) -> dict[str, Any]:
    before, after = found.before, found.after
    return {
        "kind": found.kind.value,
        **_ref_json(found.document.ref),
        "name_before": before.name if before and after and before.name != after.name else None,
        "title": found.document.title,
        "breadcrumb": list(found.above),
        "breadcrumb_before": list(found.above_before),
        "details": [_detail_json(detail) for detail in found.details],
    }


def _detail_json(detail: Detail) -> dict[str, Any]:
    return {
        "effect": detail.effect.value,
        "path": [one.number if isinstance(one, ItemName) else one for one in detail.path],
        "before": detail.before,
        "after": detail.after,
        "words": [[piece.op, piece.text] for piece in detail.words],
    }
