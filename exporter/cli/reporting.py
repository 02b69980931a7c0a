"""How findings, steps and outcomes are told: to people and to programs (spec 6).

What GitHub Actions shows is the business of `actions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import click

from exporter.core.findings import CODES, Finding
from exporter.core.plan_checks import held_plans, plan_of_path
from exporter.core.steps import DeleteFile, PurgeUrls, PutFile, SaveRelease, Step
from exporter.core.wording import counted
from exporter.errors import (
    ConfigError,
    ContentProblem,
    ExporterError,
    GitError,
    OutsideError,
    PurgeError,
    Refused,
    SourceError,
    StoreError,
    UsageError,
)

if TYPE_CHECKING:
    from exporter.cli.session import Session
    from exporter.core.release import Outcome

__all__ = [
    "asked_for_json",
    "count_findings",
    "failure_json",
    "finding_json",
    "held_back",
    "held_by_json",
    "step_json",
    "step_line",
    "tell_findings",
    "tell_held",
    "tell_outcomes",
]

_FAILURES: Mapping[type[BaseException], str] = {
    ConfigError: "configuration",
    UsageError: "usage",
    ContentProblem: "content",
    Refused: "refused",
    SourceError: "database",
    GitError: "git",
    StoreError: "store",
    PurgeError: "purge",
    OutsideError: "outside",
    click.Abort: "interrupted",
}
"""What each kind of failure is called in JSON, the narrower ones first; all others are bugs."""
_SHOWN_STEPS = 40
_SHOWN_REASONS = 5
_SHOWN_PLANS = 10


def asked_for_json(arguments: Sequence[str]) -> bool:
    """Tell whether a command line asks for JSON, also one that is wrong in some other way."""
    asked = "--json" in arguments or "--format=json" in arguments
    return asked or ("--format", "json") in pairwise(arguments)


def failure_json(error: BaseException, exit_status: int) -> dict[str, Any]:
    """Return a failure as documented JSON: what `--json` prints instead of a command's report."""
    kind = next((name for cls, name in _FAILURES.items() if isinstance(error, cls)), "bug")
    match error:
        case ExporterError():
            message, hint = error.message, error.hint
        case click.Abort():
            message, hint = "interrupted", ""
        case _:
            message = "the exporter has a bug"
            hint = "please report the lines on standard error"
    told = {"kind": kind, "message": message, "hint": hint, "exit_status": exit_status}
    return {"error": told}


def tell_findings(session: Session, findings: Sequence[Finding], folder: str) -> None:
    """Print every finding, grouped by file, then the counts."""
    ordered = sorted(findings, key=lambda found: (found.path, found.line, found.code))
    for path, group in groupby(ordered, key=lambda found: found.path):
        in_file = list(group)
        crumbs = " › ".join(next((f.breadcrumb for f in in_file if f.breadcrumb), ()))
        session.out(f"{folder}/{path}" + (f"  ({crumbs})" if crumbs else ""), bold=True)
        for found in in_file:
            _tell_finding(session, found)
        session.out()
    session.out(count_findings(findings))


def tell_held(session: Session, held: Mapping[str, Sequence[Finding]], folder: str) -> None:
    """Print the plans that are held back, each with the errors that hold it."""
    if held:
        session.out(f"{counted(len(held), 'plan')} would stay at the last release:", bold=True)
    for name, errors in sorted(held.items()):
        reasons = [f"{found.code} {folder}/{found.path}:{found.line}" for found in errors]
        more = f", and {len(reasons) - _SHOWN_REASONS} more" * (len(reasons) > _SHOWN_REASONS)
        shown = ", ".join(reasons[:_SHOWN_REASONS]) or "its own file cannot be read"
        session.out(f"  {name}: {shown}{more}", fg="red")


def held_back(findings: Iterable[Finding], broken_plans: Iterable[str]) -> dict[str, list[Finding]]:
    """Return the plans that errors hold back, with these errors, by name.

    `broken_plans` are the paths of plan files that cannot be read: such a plan is held back too,
    also where the configuration makes no error of that.
    """
    held = held_plans(findings)
    for path in broken_plans:
        held.setdefault(plan_of_path(path), [])
    return dict(sorted(held.items()))


def count_findings(findings: Iterable[Finding]) -> str:
    """Return how many errors and warnings there are, in words."""
    severities = [found.severity for found in findings]
    errors = severities.count("error")
    return f"{counted(errors, 'error')}, {counted(len(severities) - errors, 'warning')}"


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


def held_by_json(held: Mapping[str, Sequence[Finding]], folder: str) -> dict[str, Any]:
    """Return the plans that are held back, each with its errors, as documented JSON."""
    return {
        name: [
            {
                "code": found.code,
                "file": f"{folder}/{found.path}",
                "line": found.line,
                "message": found.message,
            }
            for found in errors
        ]
        for name, errors in held.items()
    }


def step_line(step: Step) -> str:
    """Return a step as one line."""
    match step:
        case PutFile():
            return f"put     {step.key}  ({step.reason}, {step.size:,} bytes)"
        case DeleteFile():
            return f"delete  {step.key}  ({step.reason})"
        case SaveRelease():
            indexes = counted(step.indexes, "index", "indexes")
            return f"record  the release and {indexes}, then swap the head"
        case PurgeUrls():
            return f"purge   {counted(step.files, 'file')} from the CDN's cache"


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
    if files:
        session.out(_total(files))
    for other in steps:
        if not isinstance(other, PutFile | DeleteFile):
            session.out(step_line(other))


def _total(files: Sequence[PutFile | DeleteFile]) -> str:
    put = [step for step in files if isinstance(step, PutFile)]
    size = sum(step.size for step in put)
    gone = counted(len(files) - len(put), "file")
    return f"in all: put {counted(len(put), 'file')} ({size:,} bytes), delete {gone}"


def tell_outcomes(session: Session, outcomes: Mapping[str, Outcome]) -> None:
    """Print what becomes of each plan, with why one stays behind."""
    for name, outcome in sorted(outcomes.items()):
        if outcome.is_behind and not outcome.is_bad:
            session.out(f"  {name}: stays as it was, {outcome.error}")
            continue
        session.out(f"  {name}: {outcome.state.value}", fg="red" if outcome.is_bad else None)
        if outcome.error:
            session.out(f"     {outcome.error}")


def _tell_finding(session: Session, found: Finding) -> None:
    is_error = found.severity == "error"
    session.out(
        f"  {found.line}: {found.severity} {found.code} {found.message}",
        fg="red" if is_error else "yellow",
    )
    if found.hint:
        session.out(f"     {found.hint}")
    if is_error:
        more = f" and {len(found.plans) - _SHOWN_PLANS} more" * (len(found.plans) > _SHOWN_PLANS)
        shown = ", ".join(found.plans[:_SHOWN_PLANS]) + more
        session.out(f"     holds back: {shown or 'nothing, as no published plan shows it'}")
