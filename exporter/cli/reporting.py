"""How findings, steps and outcomes are told: to people, to programs, to GitHub Actions (spec 6)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.core.findings import CODES, Finding
from exporter.core.steps import DeleteFile, PurgeUrls, PutFile, SaveRelease, Step

if TYPE_CHECKING:
    from exporter.cli.session import Session
    from exporter.core.release import Outcome

__all__ = ["annotate", "finding_json", "step_json", "step_line", "tell_findings", "tell_outcomes", "write_outputs", "write_summary"]

_SHOWN_STEPS = 40


def tell_findings(session: Session, findings: Sequence[Finding], folder: str) -> None:
    """Print every finding, grouped by file, then the counts."""
    ordered = sorted(findings, key=lambda found: (found.path, found.line, found.code))
    path = None
    for found in ordered:
        if found.path != path:
            path = found.path
            crumbs = " › ".join(found.breadcrumb)
            session.out(f"{folder}/{path}" + (f"  ({crumbs})" if crumbs else ""), bold=True)
        colour = "red" if found.severity == "error" else "yellow"
        session.out(f"  {found.line}: {found.severity} {found.code} {found.message}", fg=colour)
        if found.hint:
            session.out(f"     {found.hint}")
        if found.plans and found.severity == "error":
            session.out(f"     holds back: {', '.join(found.plans)}")
    errors = sum(found.severity == "error" for found in findings)
    session.out(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}")


def finding_json(found: Finding, folder: str) -> dict[str, Any]:
    """Return a finding as documented JSON."""
    return {
        "code": found.code,
        "title": CODES[found.code],
        "severity": found.severity,
        "file": f"{folder}/{found.path}",
        "line": found.line,
        "pointer": list(found.pointer),
        "doctype": found.ref[0] if found.ref else None,
        "name": found.ref[1] if found.ref else None,
        "breadcrumb": list(found.breadcrumb),
        "message": found.message,
        "hint": found.hint,
        "plans": list(found.plans),
    }


def step_line(step: Step) -> str:
    """Return a step as one line."""
    match step:
        case PutFile():
            return f"put     {step.key}  ({step.reason}, {step.size:,} bytes)"
        case DeleteFile():
            return f"delete  {step.key}  ({step.reason})"
        case SaveRelease():
            return f"record  the release and {_count(step.indexes, 'index', 'indexes')}, then swap the head"
        case PurgeUrls():
            return f"purge   {_count(step.files, 'file')} from the CDN's cache"


def step_json(step: Step) -> dict[str, Any]:
    """Return a step as documented JSON."""
    match step:
        case PutFile():
            names = ("key", "kind", "phase", "plan", "reason", "size")
            return {"step": "put", **{name: getattr(step, name) for name in names}}
        case DeleteFile():
            return {"step": "delete", "key": step.key, "reason": step.reason}
        case SaveRelease():
            return {"step": "record", "indexes": step.indexes}
        case PurgeUrls():
            return {"step": "purge", "files": step.files}


def tell_steps(session: Session, steps: Sequence[Step]) -> None:
    """Print steps, the middle of a long list left out unless `--verbose` asks for it."""
    shown = len(steps) if session.verbose else _SHOWN_STEPS
    files = [step for step in steps if isinstance(step, PutFile | DeleteFile)]
    for step in files[:shown]:
        session.out(step_line(step))
    if len(files) > shown:
        session.out(f"… and {len(files) - shown} more files (--verbose lists them)")
    for step in steps:
        if not isinstance(step, PutFile | DeleteFile):
            session.out(step_line(step))


def tell_outcomes(session: Session, outcomes: Mapping[str, Outcome]) -> None:
    """Print what becomes of each plan, with the error of one that is held back."""
    for name, outcome in sorted(outcomes.items()):
        bad = outcome.state.value in ("failed", "held back")
        session.out(f"  {name}: {outcome.state.value}", fg="red" if bad else None)
        if outcome.error:
            session.out(f"     {outcome.error}")


def annotate(session: Session, findings: Iterable[Finding], folder: str) -> None:
    """Show findings as annotations where GitHub Actions runs this; ten of a kind at most."""
    if not os.environ.get("GITHUB_ACTIONS"):
        return
    for severity in ("error", "warning"):
        for found in [f for f in findings if f.severity == severity][:10]:
            place = f"file={_property(f'{folder}/{found.path}')},line={found.line}"
            title = _property(f"{found.code} {CODES[found.code]}")
            session.out(f"::{severity} {place},title={title}::{_data(found.message)}")


def write_summary(markdown: str) -> None:
    """Append to the job summary where there is one."""
    _append("GITHUB_STEP_SUMMARY", markdown)


def write_outputs(outputs: Mapping[str, object]) -> None:
    """Set the step's outputs where GitHub Actions runs this; values are single lines."""
    _append("GITHUB_OUTPUT", "".join(f"{k}={' '.join(str(v).split())}\n" for k, v in outputs.items()))


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable) if os.environ.get("GITHUB_ACTIONS") else None
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
