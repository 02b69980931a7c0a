"""`exporter check`: every problem of the content, at once (spec 4, "Checks")."""

from __future__ import annotations

import json

import click

from exporter.cli.session import Session, pass_session

__all__ = ["command"]


@click.command("check")
@click.option("--ref", default=None, help="A commit, branch or tag; default: the work tree.")
@click.option("--worktree", is_flag=True, help="The files as they stand on disk (the default).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(session: Session, *, ref: str | None, worktree: bool, as_json: bool) -> int:
    """Report every problem of the content, with file and line.

    Errors hold back the plans that would show them; the exit status is then 1.
    """
    from exporter.cli.reporting import annotate, finding_json, tell_findings
    from exporter.cli.workbench import build_findings, read_content
    from exporter.build.inspection import inspect

    content = read_content(session, ref, worktree=worktree)
    inspection = inspect(content, session.check_rules)
    findings = [*inspection.findings, *build_findings(session, content, inspection)]
    held = sorted({plan for f in findings if f.severity == "error" for plan in f.plans})
    folder = session.config.snapshot.path
    if as_json:
        report = {"findings": [finding_json(found, folder) for found in findings], "held": held}
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        tell_findings(session, findings, folder)
        annotate(session, findings, folder)
    return 1 if any(found.severity == "error" for found in findings) else 0
