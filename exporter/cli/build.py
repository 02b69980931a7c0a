"""`exporter build`: the published JSON files, in a folder (spec 6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session

if TYPE_CHECKING:
    from exporter.build.builder import Built
    from exporter.build.inspection import Inspection

__all__ = ["command"]


@click.command("build")
@click.option("--ref", default=None, help="A commit, branch or tag; default: the work tree.")
@click.option("--worktree", is_flag=True, help="The files as they stand on disk (the default).")
@click.option("--plan", "plans", multiple=True, help="Only this plan; may be given again.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default="build", show_default=True, help="Where to; the folder is replaced as a whole.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(
    session: Session,
    *,
    ref: str | None,
    worktree: bool,
    plans: tuple[str, ...],
    out: Path,
    as_json: bool,
) -> int:
    """Write the published JSON files to a folder; no target is needed.

    A plan that an error holds back is left out, and the exit status is then 1.
    """
    from exporter.build.folder import Staging
    from exporter.build.inspection import inspect
    from exporter.cli.reporting import finding_json, tell_findings
    from exporter.cli.workbench import make_files, read_content

    content = read_content(session, ref, worktree=worktree)
    _refuse_unknown(plans, [name for _, name in content.loaded.snapshot.documents])
    inspection = inspect(content, session.check_rules, set(plans) or None)
    with Staging(session.folder / out) as staging:
        built = make_files(session, content, inspection, staging.add)
        staging.keep_only({*built.lessons, *(key for index in built.plans.values() for key in index)})
        staging.replace()
    findings = [*inspection.findings, *built.findings]
    held = _held(inspection, built)
    folder = session.config.snapshot.path
    if as_json:
        report = {
            "out": str(out),
            "files": staging.files,
            "bytes": staging.bytes,
            "plans": sorted(built.plans),
            "held": held,
            "findings": [finding_json(found, folder) for found in findings],
        }
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        if findings:
            tell_findings(session, findings, folder)
        session.out(f"{staging.files} files, {staging.bytes:,} bytes, {len(built.plans)} plans in {out}")
        for name in held:
            session.out(f"held back: {name}", fg="red")
    return 1 if held or any(found.severity == "error" for found in findings) else 0


def _held(inspection: Inspection, built: Built) -> list[str]:
    return sorted({*inspection.held, *(set(inspection.views) - set(built.plans))})


def _refuse_unknown(plans: tuple[str, ...], known: list[str]) -> None:
    from exporter.errors import UsageError

    unknown = [name for name in plans if name not in known]
    if unknown:
        raise UsageError(
            f"there is no plan {', '.join(map(repr, unknown))} in this content",
            hint="a plan is named by its `name`, as in content-snapshot/plans/",
        )
