"""`exporter check`: every problem of the content, at once (spec 4, "Checks")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command, content_options, json_option

if TYPE_CHECKING:
    from exporter.core.findings import Finding

__all__ = ["command"]

Format = Literal["text", "json", "github", "sarif"]


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a check found; `held` names the plans that are held back, each with its errors."""

    findings: Sequence[Finding]
    held: Mapping[str, Sequence[Finding]]
    folder: str
    commit: str | None
    """None for a work tree."""

    @property
    def errors(self) -> int:
        """Return the number of errors."""
        return sum(found.severity == "error" for found in self.findings)

    @property
    def warnings(self) -> int:
        """Return the number of warnings."""
        return len(self.findings) - self.errors


@click.command(
    "check",
    cls=Command,
    examples={
        "exporter check": "Check the files on disk:",
        "exporter check --ref HEAD --json": "Check a commit, for a program:",
        "exporter check --format sarif > findings.sarif": "Write a file for code scanning:",
    },
    ends={1: "There is an error."},
)
@content_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="For people, for programs, as annotations of a pull request, for code scanning.",
)
@json_option
@pass_session
def command(
    session: Session, *, ref: str | None, worktree: bool, form: Format, as_json: bool
) -> int:
    """Report every problem of the content, with file and line.

    An error holds back the plans that would show it.
    """
    from exporter.cli.actions import findings_summary, write_outputs, write_summary

    checked = _check(session, ref, worktree=worktree)
    _tell(session, checked, "json" if as_json else form)
    write_summary(findings_summary(checked.findings, checked.held, checked.folder))
    write_outputs(
        {"errors": checked.errors, "warnings": checked.warnings, "held": len(checked.held)}
    )
    return 1 if checked.errors or checked.held else 0


def _check(session: Session, ref: str | None, *, worktree: bool) -> _Checked:
    from exporter.build.inspection import inspect
    from exporter.cli.reporting import held_back
    from exporter.cli.workbench import build_findings, findings_folder, read_content

    content = read_content(session, ref, worktree=worktree, jobs=None)
    inspection = inspect(content, session.check_rules, workers=session.workers(None))
    findings = [*inspection.findings, *build_findings(session, content, inspection)]
    held = held_back(findings, inspection.broken_plans)
    commit = content.commit.sha if content.commit else None
    return _Checked(findings, held, findings_folder(session), commit)


def _tell(session: Session, checked: _Checked, form: Format) -> None:
    from exporter.cli.actions import annotate, annotation_lines
    from exporter.cli.reporting import tell_findings, tell_held
    from exporter.cli.sarif import sarif_log

    findings, folder = checked.findings, checked.folder
    match form:
        case "json":
            session.out(json.dumps(_report(checked), ensure_ascii=False, indent=2))
        case "sarif":
            severities = session.check_rules.severities
            log = sarif_log(findings, folder, severities, checked.commit)
            session.out(json.dumps(log, ensure_ascii=False, indent=2))
        case "github":
            for line in annotation_lines(findings, folder):
                click.echo(line)
        case "text":
            tell_findings(session, findings, folder)
            tell_held(session, checked.held, folder)
            annotate(findings, folder)


def _report(checked: _Checked) -> dict[str, Any]:
    from exporter.cli.reporting import finding_json, held_by_json

    return {
        "commit": checked.commit,
        "errors": checked.errors,
        "warnings": checked.warnings,
        "held_plans": list(checked.held),
        "held_by": held_by_json(checked.held, checked.folder),
        "findings": [finding_json(found, checked.folder) for found in checked.findings],
    }
