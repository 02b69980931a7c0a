"""How findings, steps and outcomes are told: to people, to programs, to GitHub Actions (spec 6)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from exporter.core.findings import CODES, Finding
from exporter.core.plan_checks import held_plans
from exporter.core.steps import DeleteFile, PurgeUrls, PutFile, SaveRelease, Step

if TYPE_CHECKING:
    from exporter.cli.session import Session
    from exporter.core.release import Outcome

__all__ = [
    "annotate",
    "annotation_lines",
    "by_importance",
    "count_findings",
    "finding_json",
    "findings_summary",
    "held_back",
    "held_by_json",
    "step_json",
    "step_line",
    "tell_findings",
    "tell_held",
    "tell_outcomes",
    "write_outputs",
    "write_summary",
]

MAX_ANNOTATIONS = 10
"""GitHub shows this many of a kind a step."""
MAX_SUMMARY_BYTES = 900_000
"""GitHub takes 1 MiB a step, other commands' summaries included."""
_SHOWN_STEPS = 40
_SHOWN_REASONS = 5


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
        session.out(f"{_count(len(held), 'plan')} would stay at the last release:", bold=True)
    for name, errors in sorted(held.items()):
        reasons = [f"{found.code} {folder}/{found.path}:{found.line}" for found in errors]
        more = f", and {len(reasons) - _SHOWN_REASONS} more" * (len(reasons) > _SHOWN_REASONS)
        session.out(f"  {name}: {', '.join(reasons[:_SHOWN_REASONS])}{more}", fg="red")


def held_back(findings: Iterable[Finding], broken_plans: Iterable[str]) -> dict[str, list[Finding]]:
    """Return the plans that errors hold back, with these errors, by name.

    `broken_plans` are the paths of plan files that cannot be read: such a plan is held back too.
    """
    known = list(findings)
    held = held_plans(known)
    for path in broken_plans:
        name = unquote(path.rpartition("/")[2].removesuffix(".yaml"))
        held.setdefault(name, []).extend(found for found in known if found.path == path)
    return dict(sorted(held.items()))


def count_findings(findings: Iterable[Finding]) -> str:
    """Return how many errors and warnings there are, in words."""
    severities = [found.severity for found in findings]
    errors = severities.count("error")
    return f"{_count(errors, 'error')}, {_count(len(severities) - errors, 'warning')}"


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
            indexes = _count(step.indexes, "index", "indexes")
            return f"record  the release and {indexes}, then swap the head"
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
    for other in steps:
        if not isinstance(other, PutFile | DeleteFile):
            session.out(step_line(other))


def tell_outcomes(session: Session, outcomes: Mapping[str, Outcome]) -> None:
    """Print what becomes of each plan, with the error of one that is held back."""
    for name, outcome in sorted(outcomes.items()):
        bad = outcome.state.value in ("failed", "held back")
        session.out(f"  {name}: {outcome.state.value}", fg="red" if bad else None)
        if outcome.error:
            session.out(f"     {outcome.error}")


def annotate(session: Session, findings: Iterable[Finding], folder: str) -> None:
    """Show findings as annotations where GitHub Actions runs this."""
    if os.environ.get("GITHUB_ACTIONS"):
        for line in annotation_lines(findings, folder):
            session.out(line)


def annotation_lines(findings: Iterable[Finding], folder: str) -> Iterator[str]:
    """Yield workflow commands, the most important first; GitHub shows ten of a kind (spec 7)."""
    places: dict[tuple[str, str, int], Finding] = {}
    for found in by_importance(findings):  # one place is shown once, for whichever plans
        places.setdefault((found.code, found.path, found.line), found)
    for severity in ("error", "warning"):
        for found in [f for f in places.values() if f.severity == severity][:MAX_ANNOTATIONS]:
            place = f"file={_property(f'{folder}/{found.path}')},line={found.line}"
            title = _property(f"{found.code} {CODES[found.code]}")
            text = f"{found.message}\n{found.hint}" if found.hint else found.message
            yield f"::{severity} {place},title={title}::{_data(text)}"


def by_importance(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with what holds back or concerns the most plans first, errors before all."""
    return sorted(
        findings,
        key=lambda f: (f.severity != "error", -len(f.plans), f.code, f.path, f.line),
    )


def findings_summary(
    findings: Sequence[Finding], held: Mapping[str, Sequence[Finding]], folder: str
) -> str:
    """Return a job summary with every finding that fits, the most important first."""
    head = f"### Content: {count_findings(findings)}\n\n"
    if held:
        head += f"Held back: {', '.join(_markdown(name) for name in held)}\n\n"
    lines = [
        f"- **{found.severity} {found.code}** `{folder}/{found.path}` line {found.line}: "
        f"{_markdown(found.message)}. {_markdown(found.hint)}\n"
        for found in by_importance(findings)
    ]
    kept = list(_within(lines, MAX_SUMMARY_BYTES - len(head.encode())))
    rest = len(lines) - len(kept)
    return head + "".join(kept) + (f"\n… and {rest} more: see the log\n" if rest else "\n")


def write_summary(markdown: str) -> None:
    """Append to the job summary where there is one."""
    _append("GITHUB_STEP_SUMMARY", markdown)


def write_outputs(outputs: Mapping[str, object]) -> None:
    """Set the step's outputs where GitHub Actions runs this; values are single lines."""
    _append(
        "GITHUB_OUTPUT", "".join(f"{k}={' '.join(str(v).split())}\n" for k, v in outputs.items())
    )


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable) if os.environ.get("GITHUB_ACTIONS") else None
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _tell_finding(session: Session, found: Finding) -> None:
    is_error = found.severity == "error"
    session.out(
        f"  {found.line}: {found.severity} {found.code} {found.message}",
        fg="red" if is_error else "yellow",
    )
    if found.hint:
        session.out(f"     {found.hint}")
    if is_error:
        shown = ", ".join(found.plans)
        session.out(f"     holds back: {shown or 'nothing, as no published plan shows it'}")


def _within(lines: Iterable[str], limit: int) -> Iterator[str]:
    """Yield lines while they stay within a number of bytes."""
    room = limit
    for line in lines:
        room -= len(line.encode())
        if room < 0:
            return
        yield line


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
