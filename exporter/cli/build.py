"""`exporter build`: the published JSON files, in a folder (spec 6)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command, content_options, json_option, plan_option

if TYPE_CHECKING:
    from exporter.content.reading import Content
    from exporter.core.findings import Finding

__all__ = ["command"]


@dataclass(frozen=True, slots=True)
class _Made:
    """What a build made; `plans` names those of which the files are there."""

    commit: str | None
    """None for a work tree."""
    out: Path
    files: int
    bytes: int
    plans: Sequence[str]
    findings: Sequence[Finding]
    held: Mapping[str, Sequence[Finding]]


@click.command(
    "build",
    cls=Command,
    examples={
        "exporter build": "Write to ./build what students' apps would read:",
        "exporter build --plan GRADE-12-SCI-2026 --out /tmp/files": "Write one plan elsewhere:",
        "exporter build --site site --compare HEAD~1": "Write a preview page for a web server:",
    },
    ends={1: "A plan is left out, as an error holds it back."},
)
@content_options
@plan_option
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default="build",
    show_default=True,
    help="Where to; the folder is replaced as a whole.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many processes share a large build; default: one for each core on Linux.",
)
@click.option(
    "--site",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the files with their preview page to this folder, to be served as they are.",
)
@click.option("--compare", metavar="REF", help="What the site shows changes since.")
@json_option
@pass_session
def command(
    session: Session,
    *,
    ref: str | None,
    worktree: bool,
    plans: tuple[str, ...],
    out: Path,
    jobs: int | None,
    site: Path | None,
    compare: str | None,
    as_json: bool,
) -> int:
    """Write the published JSON files to a folder; no target is needed.

    A plan that an error holds back is left out; a page made with --site shows it all the same.
    """
    from exporter.cli.workbench import find_content, read_content
    from exporter.errors import UsageError

    if compare and not site:
        raise UsageError("--compare needs a --site", hint="name the folder that the page goes to")
    if site:
        if plans:
            raise UsageError("--plan and --site exclude each other", hint="leave --plan out")
        find_content(session, ref, worktree=worktree)
        made = _made_site(session, (ref, compare), site)
    else:
        content = read_content(session, ref, worktree=worktree, jobs=jobs)
        made = _made_files(session, content, plans, (out, jobs))
    _tell(session, made, as_json=as_json)
    return 1 if made.held or any(found.severity == "error" for found in made.findings) else 0


def _made_site(session: Session, refs: tuple[str | None, str | None], site: Path) -> _Made:
    """Write what a ref, compared with another, shows, with the page."""
    from exporter.cli.preview import write_site
    from exporter.cli.reporting import held_back

    edition, sizes = write_site(session, refs, site)
    inspection, commit = edition.inspection, edition.content.commit
    held = held_back(inspection.findings, inspection.broken_plans)
    findings, plans = inspection.findings, sorted(inspection.views)
    sha = commit.sha if commit else None
    return _Made(sha, site, len(sizes), sum(sizes), plans, findings, held)


def _made_files(
    session: Session, content: Content, plans: tuple[str, ...], how: tuple[Path, int | None]
) -> _Made:
    """Write the files of some plans, or all, to a folder with a number of processes."""
    from exporter.build.folder import Staging
    from exporter.build.inspection import inspect
    from exporter.cli.reporting import held_back
    from exporter.cli.workbench import make_files, plan_of

    out, jobs = how
    for name in plans:
        if not plan_of(content, name).flag("is_published"):
            session.say(f"plan {name} is not published, so it has no files")
    workers = session.workers(jobs)
    inspection = inspect(content, session.check_rules, set(plans) or None, workers)
    with Staging(session.folder / out) as staging:
        built = make_files(session, content, inspection, staging.add, jobs)
        staging.keep_only(built.keys())
        staging.replace()
    found = (*inspection.findings, *built.findings)
    findings = [one for one in found if one.plans or not plans]
    held = held_back(findings, () if plans else inspection.broken_plans)
    commit, plans_made = content.commit, sorted(built.plans)
    sha = commit.sha if commit else None
    sizes = [entry.size for entry in built.entries().values()]
    return _Made(sha, out, len(sizes), sum(sizes), plans_made, findings, held)


def _tell(session: Session, made: _Made, *, as_json: bool) -> None:
    from exporter.cli.reporting import finding_json, held_by_json, tell_findings, tell_held
    from exporter.cli.workbench import findings_folder
    from exporter.core.wording import counted

    folder = findings_folder(session)
    if as_json:
        severities = [found.severity for found in made.findings]
        report = {
            "commit": made.commit,
            "out": str(made.out),
            "files": made.files,
            "bytes": made.bytes,
            "plans": made.plans,
            "held_plans": list(made.held),
            "held_by": held_by_json(made.held, folder),
            "errors": severities.count("error"),
            "warnings": severities.count("warning"),
            "findings": [finding_json(found, folder) for found in made.findings],
        }
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
        return
    if made.findings:
        tell_findings(session, made.findings, folder)
    counts = (
        counted(made.files, "file"),
        counted(made.bytes, "byte"),
        counted(len(made.plans), "plan"),
    )
    session.out(f"{', '.join(counts)} in {made.out}", bold=True)
    tell_held(session, made.held, folder)
