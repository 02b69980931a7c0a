"""A finding: one problem of the content, where it is, and what it holds back (spec 4, "Checks")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.core.model import Ref

__all__ = ["CODES", "Finding", "Pointer", "Severities", "Severity"]

Pointer = tuple[str | int, ...]
"""A place inside a file: keys and list positions from the top."""

Severity = str
"""`error`, `warning` or `off`."""

CODES: Mapping[str, str] = {
    "E101": "unreadable YAML",
    "E102": "file where the layout has no place for it",
    "E103": "schema of a snapshot file",
    "E104": "missing parent file",
    "E105": "stage config is not JSON or not an object",
    "E106": "two documents want one key",
    "E107": "names that clash as segments",
    "E108": "override action or value",
    "E109": "bit_index missing or twice in a subject",
    "E110": "paid without an item",
    "E111": "plan lists a subject that does not exist, or twice",
    "E112": "generated file fails its schema",
    "E113": "a signed URL or credential in what is published",
    "W201": "orphan",
    "W202": "override without effect",
    "W203": "bad colour",
    "W204": "very large file",
    "W205": "stage without what its type needs",
    "W206": "plan without a visible subject",
    "W207": "a private file in what is published",
    "W208": "a hidden character or a script link in what is published",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem; `path` is relative to the snapshot folder, `line` from 1, or 0 if unknown."""

    code: str
    path: str
    message: str
    hint: str = ""
    pointer: Pointer = ()
    line: int = 0
    ref: Ref | None = None
    anchors: tuple[Ref, ...] = ()
    """The documents that the finding is in or above: plans that reach one would show it."""
    breadcrumb: tuple[str, ...] = ()
    severity: Severity = "error"
    plans: tuple[str, ...] = ()
    """The published plans that show it; an error holds them back."""


@dataclass(frozen=True, slots=True)
class Severities:
    """The severity of each code: by its letter, unless configured (spec 6, `checks`)."""

    configured: Mapping[str, Severity] = field(default_factory=dict)

    def of(self, code: str) -> Severity:
        """Return `error`, `warning` or `off`."""
        return self.configured.get(code, "error" if code.startswith("E") else "warning")
