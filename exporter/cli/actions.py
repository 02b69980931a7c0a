"""What GitHub Actions shows of a run: annotations, the job summary, outputs (spec 6, spec 7).

Outside GitHub Actions nothing here does anything. The runner reads commands from what a job prints,
on both streams; so what comes from content is printed such that it never is one, and annotations
are printed on standard error, which leaves `--json` alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.core.diff_safe import inert

if TYPE_CHECKING:
    from exporter.core.findings import Finding
    from exporter.core.release import Outcome
    from exporter.errors import ExporterError

__all__ = [
    "annotate",
    "annotate_outcomes",
    "annotate_unseen",
    "annotation_lines",
    "findings_summary",
    "harmless",
    "in_actions",
    "outcomes_summary",
    "run_url",
    "tell_failure",
    "write_outputs",
    "write_summary",
]

MAX_ANNOTATIONS = 10
"""GitHub shows this many of a kind a step."""
MAX_SUMMARY_BYTES = 900_000
"""GitHub takes 1 MiB a step, other commands' summaries included."""


def in_actions() -> bool:
    """Tell whether GitHub Actions runs this."""
    return bool(os.environ.get("GITHUB_ACTIONS"))


def run_url() -> str:
    """Return where the run can be looked at; nothing outside GitHub Actions."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (os.environ.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{run}" if in_actions() and run else ""


def harmless(text: str, *, is_inert: bool = False) -> str:
    """Return text that acts on nothing: neither on a terminal nor, as a command, on the runner.

    `is_inert` says that only the product itself put into it what a terminal obeys.
    """
    is_json = text.startswith("{")  # it stays the same value
    text = text if is_inert else inert(text, is_json=is_json)
    if not in_actions():
        return text
    if is_json:
        return text.replace("##[", "##\\u005b")
    return text.replace("::", ":\u200b:").replace("##[", "##\u200b[")


def annotate(findings: Iterable[Finding], folder: str) -> None:
    """Show findings as annotations."""
    _print(annotation_lines(findings, folder))


def annotate_outcomes(outcomes: Mapping[str, Outcome]) -> None:
    """Show the plans that stayed behind as annotations."""
    bad = [(name, outcome) for name, outcome in sorted(outcomes.items()) if outcome.is_bad]
    _print(
        f"::error title={_property(f'Plan {name} {outcome.state.value}')}::{_data(outcome.error)}"
        for name, outcome in bad[:MAX_ANNOTATIONS]
    )


def annotate_unseen(folder: str) -> None:
    """Warn that a folder on a runner of GitHub's is thrown away with the runner."""
    if os.environ.get("RUNNER_ENVIRONMENT") == "github-hosted":
        text = (
            f"{folder} is a folder on this runner; nobody will see it. "
            "Give the target an s3:// store in exporter.yaml"
        )
        _print([f"::warning title=Published where nobody looks::{_data(text)}"])


def annotation_lines(findings: Iterable[Finding], folder: str) -> Iterator[str]:
    """Yield workflow commands, the most important first; GitHub shows ten of a kind (spec 7)."""
    from exporter.core.findings import CODES

    places: dict[tuple[str, str, int], Finding] = {}
    for found in _by_importance(findings):  # one place is shown once, for whichever plans
        places.setdefault((found.code, found.path, found.line), found)
    for severity in ("error", "warning"):
        for found in [f for f in places.values() if f.severity == severity][:MAX_ANNOTATIONS]:
            place = f"file={_property(f'{folder}/{found.path}')},line={found.line}"
            title = _property(f"{found.code} {CODES[found.code]}")
            text = f"{found.message}\n{found.hint}" if found.hint else found.message
            yield f"::{severity} {place},title={title}::{_data(text)}"


def findings_summary(
    findings: Sequence[Finding], held: Mapping[str, Sequence[Finding]], folder: str
) -> str:
    """Return a job summary with every finding that fits, the most important first."""
    from exporter.cli.reporting import count_findings
    from exporter.core.diff_markdown import escape

    head = f"### Content: {count_findings(findings)}\n\n"
    if held:
        head += f"Held back: {', '.join(escape(name) for name in held)}\n\n"
    lines = [
        f"- **{found.severity} {found.code}** <code>{escape(f'{folder}/{found.path}')}</code> "
        f"line {found.line}: {escape(found.message)}. {escape(found.hint)}\n"
        for found in _by_importance(findings)
    ]
    kept = list(_within(lines, MAX_SUMMARY_BYTES - len(head.encode())))
    rest = len(lines) - len(kept)
    return head + "".join(kept) + (f"\n… and {rest} more: see the log\n" if rest else "\n")


def outcomes_summary(title: str, lines: Iterable[str], outcomes: Mapping[str, Outcome]) -> str:
    """Return a job summary of what was done, with each plan that stayed behind and why."""
    from exporter.core.diff_markdown import escape

    told = "".join(f"{escape(line)}\n\n" for line in lines if line)
    bad = [
        f"- ⚠️ **{escape(name)}** {outcome.state.value}: {escape(outcome.error)}\n"
        for name, outcome in sorted(outcomes.items())
        if outcome.is_bad
    ]
    return f"### {escape(title)}\n\n{told}" + "".join(_within(bad, MAX_SUMMARY_BYTES)) + "\n"


def tell_failure(command: str, error: ExporterError) -> None:
    """Show why a command failed, as an annotation and in the job summary."""
    from exporter.core.diff_markdown import escape

    text = f"{error.message}\n{error.hint}" if error.hint else error.message
    _print([f"::error title={_property(f'exporter {command} failed')}::{_data(text)}"])
    hint = f"{escape(error.hint)}\n\n" if error.hint else ""
    write_summary(f"### ❌ exporter {escape(command)} failed\n\n{escape(error.message)}\n\n{hint}")


def write_summary(markdown: str) -> None:
    """Append to the job summary where there is one."""
    _append("GITHUB_STEP_SUMMARY", markdown)


def write_outputs(outputs: Mapping[str, object]) -> None:
    """Set the step's outputs; values are single lines."""
    _append(
        "GITHUB_OUTPUT", "".join(f"{k}={' '.join(str(v).split())}\n" for k, v in outputs.items())
    )


def _print(lines: Iterable[str]) -> None:
    if in_actions():
        for line in lines:
            click.echo(line, err=True)


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable) if in_actions() else None
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _by_importance(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with what holds back or concerns the most plans first, errors before all."""
    return sorted(
        findings,
        key=lambda f: (f.severity != "error", -len(f.plans), f.code, f.path, f.line),
    )


def _within(lines: Iterable[str], limit: int) -> Iterator[str]:
    """Yield lines while they stay within a number of bytes."""
    room = limit
    for line in lines:
        room -= len(line.encode())
        if room < 0:
            return
        yield line


def _data(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace("##[", "##\u200b[")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
