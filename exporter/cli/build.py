"""`exporter build`: the published JSON files, in a folder (spec 6)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session

if TYPE_CHECKING:
    from exporter.core.findings import Finding
    from exporter.core.tree import Snapshot

__all__ = ["command"]


@dataclass(frozen=True, slots=True)
class _Made:
    """What a build made; `plans` names those of which the files are there."""

    out: Path
    files: int
    bytes: int
    plans: Sequence[str]
    findings: Sequence[Finding]
    held: Mapping[str, Sequence[Finding]]


@click.command("build")
@click.option("--ref", default=None, help="A commit, branch or tag; default: the work tree.")
@click.option("--worktree", is_flag=True, help="The files as they stand on disk (the default).")
@click.option("--plan", "plans", multiple=True, help="Only this plan; may be given again.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="build",
    show_default=True,
    help="Where to; the folder is replaced as a whole.",
)
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
    from exporter.cli.reporting import held_back
    from exporter.cli.workbench import make_files, read_content

    content = read_content(session, ref, worktree=worktree)
    _refuse_unknown(plans, content.loaded.snapshot)
    inspection = inspect(content, session.check_rules, set(plans) or None)
    with Staging(session.folder / out) as staging:
        built = make_files(session, content, inspection, staging.add)
        staging.keep_only(built.keys())
        staging.replace()
    findings = (*inspection.findings, *built.findings)
    held = held_back(findings, () if plans else inspection.broken_plans)
    made = _Made(out, staging.files, staging.bytes, sorted(built.plans), findings, held)
    _tell(session, made, as_json=as_json)
    return 1 if held or any(found.severity == "error" for found in findings) else 0


def _tell(session: Session, made: _Made, *, as_json: bool) -> None:
    from exporter.cli.reporting import finding_json, held_by_json, tell_findings, tell_held
    from exporter.cli.workbench import findings_folder

    folder = findings_folder(session)
    if as_json:
        report = {
            "out": str(made.out),
            "files": made.files,
            "bytes": made.bytes,
            "plans": made.plans,
            "held": list(made.held),
            "held_by": held_by_json(made.held, folder),
            "findings": [finding_json(found, folder) for found in made.findings],
        }
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
        return
    if made.findings:
        tell_findings(session, made.findings, folder)
    plans = f"{len(made.plans)} plan{'s'[: len(made.plans) != 1]}"
    session.out(f"{made.files} files, {made.bytes:,} bytes, {plans} in {made.out}", bold=True)
    tell_held(session, made.held, folder)


def _refuse_unknown(plans: Sequence[str], snapshot: Snapshot) -> None:
    from exporter.core.model import PLAN
    from exporter.errors import UsageError

    unknown = [name for name in plans if snapshot.find(PLAN, name) is None]
    if unknown:
        raise UsageError(
            f"there is no plan {', '.join(map(repr, unknown))} in this content",
            hint="a plan is named by its `name`, as in content-snapshot/plans/",
        )
