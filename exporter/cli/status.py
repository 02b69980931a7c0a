"""`exporter status`: what is live, what waits, and what is held (spec 5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.standing import is_forgotten, left_store, releases_report, status_report
from exporter.cli.usage import Command, json_option, target_option
from exporter.core.wording import counted
from exporter.errors import OutsideError

__all__ = ["command"]

_SHOWN = 10
_FORGOTTEN = (
    "the CDN store has files of an earlier release: run `exporter adopt` before anything is "
    "published"
)
_LEFT = (
    "the live files are in {there}, and the target's `store` is {here} now: nothing is published "
    "until it is set back, or a target with both new is added"
)


@click.command(
    "status",
    cls=Command,
    examples={
        "exporter status": "See where the target stands:",
        "exporter status --json": "Let a monitor look:",
        "exporter status --html status.html": "Make a page for others:",
    },
)
@target_option
@json_option
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page that shows it all, with the releases, as one file without scripts.",
)
@pass_session
def command(session: Session, *, target: str | None, as_json: bool, page: Path | None) -> None:
    """Show the live release, what is committed but not published, and all that waits.

    Plans held back with their errors, holds, purges owed to the CDN, who is publishing now, and
    which signed URLs expire next.
    """
    opened = session.open_target(target)
    report = status_report(session, opened)
    if page:
        from exporter.preview.dashboard import dashboard

        _write(session.folder / page, dashboard(report, releases_report(session, opened)).html)
    if as_json:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
        return
    session.out(f"target {report['target']}: {report['store']}", bold=True)
    for line, colour in _lines(report):
        session.out(f"  {line}", fg=colour)
    if there := left_store(opened, report):
        session.out(f"  {_LEFT.format(there=there, here=opened.ledger.cdn_name)}", fg="red")
    if is_forgotten(session, opened, report):
        session.out(f"  {_FORGOTTEN}", fg="red")


def _write(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise OutsideError(
            f"the page cannot be written to {file}: {error.strerror}",
            hint="name another file with --html",
        ) from error


def _lines(report: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield the report's lines for people, each with its colour."""
    yield _live_line(report), None
    yield from _commit_lines(report)
    for name in report["plans_waiting"]:
        yield from _plan_lines(report, name)
    for held in report["holds"]:
        by = f"rolled back in {held['commit'][:7]} by {held['author']}"
        yield f'held: {held["name"]} "{held["title"]}" ({by})', "yellow"
    if report["purges_pending"]:
        yield f"purge requests still owed to the CDN: {report['purges_pending']}", "yellow"
    yield from _run_lines(report)
    for one in report["signed_urls"]["next"][:1]:
        total = report["signed_urls"]["lessons"]
        next_one = f"the next to expire is {one['key']}, {one['expires']}"
        yield f"signed URLs: {counted(total, 'lesson')}; {next_one}", None


def _live_line(report: dict[str, Any]) -> str:
    """Say what is live; of a release of which no plan could be published, nothing is."""
    live = report["live"]
    if live is None:
        return "live: nothing was published yet"
    commit = f"commit {live['commit'][:12]}"
    plans = {name for name, plan in live["plans"].items() if plan["state"] != "removed"}
    if plans and plans <= report["plans_waiting"].keys():
        commit = f"nothing of {commit}, as every plan stayed behind"
    return f"live: {live['id']}, {commit}, since {live['finished_at']}"


def _plan_lines(report: dict[str, Any], name: str) -> Iterator[tuple[str, str | None]]:
    """Yield why a plan stays behind, and what of it students see instead."""
    plan = report["plans_waiting"][name]
    dead = "; no further try until `exporter retry`" if plan["dead_letter"] else ""
    times = "once" if plan["attempts"] == 1 else f"{plan['attempts']} times"
    if plan["attempts"]:
        yield f"{name}: {plan['state']} ({times}{dead}): {plan['error']}", "red"
    else:
        yield f"{name}: stays as it was, {plan['error']}", "yellow"
    yield f"  {_seen(report['live']['plans'][name])}", None


def _seen(outcome: dict[str, Any]) -> str:
    """Say what students see of a plan that stays behind."""
    if outcome["commit"]:
        return f"students see it as of commit {outcome['commit'][:12]}"
    if outcome["files"]:  # adopted, and no commit explains it
        return f"students see the {counted(outcome['files'], 'file')} that were on the CDN"
    return "no student sees it yet"


def _commit_lines(report: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    commits = report["unpublished_commits"]
    if report["uncommitted_files"]:
        files = counted(len(report["uncommitted_files"]), "content file")
        yield f"changed, but not committed: {files}", "yellow"
    if commits is None:
        yield "the live commit is not in this clone: run `git fetch --unshallow`", "yellow"
        return
    if not commits:
        if report["off_history"]:
            yield "the live commit is not in this branch's history", "yellow"
        elif report["live"] and not report["plans_waiting"]:
            yield "everything that is committed is published", None
        return
    waits = report["freshness"]["behind_s"] // 60
    total = counted(len(commits), "commit")
    yield f"committed but not published: {total}, the oldest for {waits} min", "yellow"
    for commit in commits[:_SHOWN]:
        yield f"  {commit['commit'][:12]} {commit['subject']}", None
    if len(commits) > _SHOWN:
        yield f"  and {len(commits) - _SHOWN} more", None
    plans = report["unpublished_plans"]
    more = f" and {len(plans) - _SHOWN} more" if len(plans) > _SHOWN else ""
    named = f"{counted(len(plans), 'plan')}: {', '.join(plans[:_SHOWN])}{more}"
    yield f"  {named if plans else 'no plan changes by them'}", None


def _run_lines(report: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    lease = report["lease"]
    if lease:
        yield f"publishing now: {lease['holder']}, since {lease['since']}", "yellow"
    elif report["unfinished"]:
        yield "a publish is unfinished: run `exporter publish`, which ends it", "yellow"
