"""`exporter diff`: a change in people's words, access first (spec 5)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command, json_option

if TYPE_CHECKING:
    from exporter.build.diffing import CountPurges, Side
    from exporter.content.reading import Content
    from exporter.core.diff_report import DiffReport
    from exporter.core.release import Release

__all__ = ["command", "diff_report", "show_diff", "side_of"]

LIVE = "live"
WORKTREE = "worktree"

Format = Literal["text", "markdown", "json"]


@click.command(
    "diff",
    cls=Command,
    examples={
        "exporter diff": "See what is on disk and not live yet:",
        "exporter diff HEAD~1 HEAD": "See what the last commit changes:",
        "exporter diff live HEAD --format markdown --full changes.md": "Write that for reviewers:",
    },
)
@click.argument("base", default=LIVE)
@click.argument("target", default=WORKTREE)
@click.option(
    "--target",
    "site",
    metavar="NAME",
    help="Whose live release `live` is; may be left out where there is one target.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="For people, for pull requests (never over 65,536 characters), for programs.",
)
@json_option
@click.option(
    "--full",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write everything, however long, as markdown to this file.",
)
@pass_session
def command(
    session: Session,
    *,
    base: str,
    target: str,
    site: str | None,
    form: Format,
    as_json: bool,
    full: Path | None,
) -> None:
    """Show what changes from BASE to TARGET: what students will notice, and every document.

    BASE and TARGET are commits, branches or tags; `live` is the live release of a target and
    `worktree` the files as they stand on disk. Default: from live to worktree.
    """
    report = diff_report(session, base, target, site=site)
    if full:
        _write_full(session, report, session.folder / full)
    _show_in_actions(report)
    show_diff(session, report, "json" if as_json else form)


def diff_report(
    session: Session, base: str, target: str = WORKTREE, *, site: str | None = None
) -> DiffReport:
    """Return what changes between two refs, of which either may be `live` or `worktree`."""
    from exporter.build.diffing import diff_contents
    from exporter.cli.workbench import findings_folder

    session.say(f"comparing {base} with {target}")
    sides = (side_of(session, base, site), side_of(session, target, site))
    purges = _count_purges(session, site)
    holds = _holds(session, sides[1])
    report = diff_contents(*sides, session.check_rules, holds, purges)
    return replace(report, folder=findings_folder(session))


def show_diff(session: Session, report: DiffReport, form: Format) -> None:
    """Print a report."""
    match form:
        case "json":
            from exporter.core.diff_report import report_json

            session.out(json.dumps(report_json(report), ensure_ascii=False, indent=2))
        case "markdown":
            from exporter.core.diff_markdown import markdown_summary

            session.out(markdown_summary(report).rstrip("\n"), is_inert=True)
        case "text":
            from rich.console import Console

            from exporter.cli.diff_rendering import terminal_text

            console = Console(no_color=not session.color, highlight=False, soft_wrap=True)
            with console.capture() as told:
                console.print(terminal_text(report), end="")
            session.out(told.get().rstrip("\n"), is_inert=True)


def _show_in_actions(report: DiffReport) -> None:
    """Write the job summary, where GitHub Actions runs this: all that a comment would say."""
    from exporter.cli.actions import in_actions, write_summary

    if in_actions():
        from exporter.core.diff_markdown import markdown_summary

        write_summary(markdown_summary(report))


def side_of(session: Session, name: str, site: str | None) -> Side:
    """Return the content that a ref names, or `live`, or `worktree`, and what people call it."""
    from exporter.build.diffing import Side
    from exporter.cli.workbench import read_content

    if name == WORKTREE:
        return Side(read_content(session, None, worktree=True), "the work tree")
    if name == LIVE:
        return _live(session, site)
    commit = session.resolve(name)
    label = f"commit {commit.sha[:12]}"
    return Side(
        read_content(session, commit.sha, worktree=False),
        label if commit.sha.startswith(name) else f"{name} ({label})",
    )


def _live(session: Session, site: str | None) -> Side:
    """Return the content of the live release; nothing before the first one."""
    from exporter.build.diffing import NOTHING, Side
    from exporter.cli.workbench import read_content
    from exporter.content.deepening import find_or_fetch
    from exporter.errors import UsageError

    opened = session.open_target(site)
    head = opened.ledger.head()
    if head is None:
        return Side(NOTHING, f"nothing (no release of {opened.target.name} yet)")
    live = head[0]
    if find_or_fetch(session.repository, live.commit) is None:
        raise UsageError(
            f"the live release {live.release} is of commit {live.commit[:12]}, "
            "which is not in this clone",
            hint="run `git fetch --unshallow`, or name another BASE",
        )
    label = f"release {live.release} (commit {live.commit[:12]})"
    content = read_content(session, live.commit, worktree=False)
    is_of_other = live.fingerprint != session.workspace.fingerprint
    return Side(content, label, _behind(session, opened.ledger.release(live.release)), is_of_other)


def _behind(session: Session, live: Release) -> dict[str, Content]:
    """Return what students still see of plans that a release left at an older commit."""
    from exporter.build.diffing import NOTHING
    from exporter.cli.workbench import read_content
    from exporter.content.deepening import find_or_fetch

    contents = {"": NOTHING}
    for outcome in live.plans.values():
        commit = outcome.commit if outcome.index else ""
        if outcome.is_behind and commit not in contents:
            known = find_or_fetch(session.repository, commit)
            contents[commit] = read_content(session, commit, worktree=False) if known else NOTHING
    return {
        name: contents[outcome.commit if outcome.index else ""]
        for name, outcome in live.plans.items()
        if outcome.is_behind
    }


def _count_purges(session: Session, site: str | None) -> CountPurges | None:
    """Return what counts the URLs to purge; nothing without a target whose settings are known.

    A reviewer's machine has no credentials of the target, so its section may be unreadable there;
    and of several targets none is meant where none is named.
    """
    from exporter.errors import UsageError
    from exporter.publish.edge import edge_of

    try:
        edge = edge_of(session.config.target(site))
    except UsageError:
        if site:
            raise
        return None
    return edge.count if edge else None


def _holds(session: Session, target: Side) -> list[str]:
    """Return what is held in the target's history; for a work tree, in HEAD's."""
    from exporter.content.holding import all_holds

    commit = target.content.commit or session.repository.head()
    if commit is None:
        return []
    extra = session.config.source.extra_fields
    held = all_holds(session.repository, commit, session.content_path, extra)
    return [f'{one.ref[1]} "{one.title}" (rolled back in {one.commit[:7]})' for one in held]


def _write_full(session: Session, report: DiffReport, file: Path) -> None:
    from exporter.core.diff_markdown import markdown_full
    from exporter.errors import UsageError

    try:
        file.write_text(markdown_full(report), encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        hint = "name a file in a folder that is there and may be written to"
        raise UsageError(f"{file} cannot be written: {reason}", hint=hint) from error
    session.say(f"everything is in {file}")
