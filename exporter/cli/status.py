"""`exporter status`: what is live, what waits, and what is held (spec 5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import OpenTarget, Session, pass_session

if TYPE_CHECKING:
    from exporter.content.candidates import Held
    from exporter.core.release import Release
    from exporter.publish.inspecting import TargetState

__all__ = ["command"]

_NEXT_EXPIRIES = 5


@click.command("status")
@click.option("--target", default=None, help="The target; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(session: Session, *, target: str | None, as_json: bool) -> None:
    """Show the live release, what is committed but not published, and all that waits.

    Plans held back with their errors, holds, purges owed to the CDN, who is publishing now, and
    which signed URLs expire next.
    """
    from exporter.publish.inspecting import read_target

    opened = session.open_target(target)
    report = _report(session, opened, read_target(opened.ledger))
    if as_json:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
        return
    session.out(f"target {report['target']}: {report['store']}", bold=True)
    for line, colour in _lines(report):
        session.out(f"  {line}", fg=colour)


def _report(session: Session, opened: OpenTarget, state: TargetState) -> dict[str, Any]:
    head = session.repository.head()
    live = state.live
    commits = _unpublished(session, live)
    return {
        "target": opened.target.name,
        "store": opened.cdn.label,
        "live": live.to_json() if live else None,
        "head_commit": head.sha if head else None,
        "unpublished_commits": commits,
        "off_history": _is_off_history(session, live),
        "unpublished_plans": _unpublished_plans(session, live) if commits else [],
        "freshness": _freshness(session, live, commits),
        "plans_waiting": {
            name: {
                "state": one.state.value,
                "attempts": one.attempts,
                "error": one.error,
                "dead_letter": one.is_dead,
            }
            for name, one in state.behind.items()
        },
        "holds": [_hold_json(held) for held in _holds(session)],
        "purges_pending": sum(state.owed.values()),
        "unfinished": not state.journal.is_clean,
        "lease": _lease_json(state),
        "signed_urls": {
            "lessons": len(state.signed),
            "next": [
                {"key": key, "expires": _instant(expires)}
                for key, expires in state.next_expiries(_NEXT_EXPIRIES)
            ],
        },
    }


def _unpublished(session: Session, live: Release | None) -> list[dict[str, str]] | None:
    """Return the commits that are not live yet, newest first; None where that cannot be told."""
    head = session.repository.head()
    if head is None:
        return []
    base = live.commit if live else None
    if base and session.repository.find(base) is None:
        return None
    return session.repository.log(base, head.sha, session.content_path)


def _is_off_history(session: Session, live: Release | None) -> bool:
    """Tell whether the live commit is here, but HEAD does not descend from it."""
    repository = session.repository
    head = repository.head()
    if head is None or live is None or repository.find(live.commit) is None:
        return False
    return not repository.is_ancestor(live.commit, head.sha)


def _unpublished_plans(session: Session, live: Release | None) -> list[str]:
    """Return the plans that the unpublished commits concern."""
    from exporter.content.reading import plans_at
    from exporter.core.changes import affected_plans

    repository, folder = session.repository, session.content_path
    extra = session.config.source.extra_fields
    head = repository.resolve("HEAD")
    after = plans_at(repository, head, folder, extra)
    base = repository.find(live.commit) if live else None
    if base is None:
        return sorted(plan.name for _, plan in after)
    changed = repository.changed_paths(base.sha, head.sha, folder)
    return sorted(affected_plans(changed, [*plans_at(repository, base, folder, extra), *after]))


def _freshness(
    session: Session, live: Release | None, commits: list[dict[str, str]] | None
) -> dict[str, Any]:
    """Say from when the live content is, and how long the oldest unpublished commit waits."""
    repository = session.repository
    base = repository.find(live.commit) if live else None
    oldest = repository.find(commits[-1]["commit"]) if commits else None
    waits_s = int(session.now().timestamp()) - oldest.time if oldest else 0
    return {
        "live_commit_at": _instant(base.time) if base else None,
        "published_at": live.finished_at if live else None,
        "oldest_unpublished_at": _instant(oldest.time) if oldest else None,
        "behind_s": max(0, waits_s),
    }


def _holds(session: Session) -> tuple[Held, ...]:
    from exporter.content.holding import all_holds

    head = session.repository.head()
    if head is None:
        return ()
    extra = session.config.source.extra_fields
    return all_holds(session.repository, head, session.content_path, extra)


def _hold_json(held: Held) -> dict[str, str]:
    return {
        "doctype": held.ref[0],
        "name": held.ref[1],
        "title": held.title,
        "commit": held.commit,
        "author": held.author,
        "date": held.date,
        "reason": held.reason,
    }


def _lease_json(state: TargetState) -> dict[str, str] | None:
    lease = state.lease
    if lease is None:
        return None
    return {
        "holder": lease.holder,
        "run": lease.run,
        "since": lease.since,
        "until": lease.until,
    }


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lines(report: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield the report's lines for people, each with its colour."""
    live = report["live"]
    if live is None:
        yield "live: nothing was published yet", None
    else:
        since = f"commit {live['commit'][:12]}, since {live['finished_at']}"
        yield f"live: {live['id']}, {since}", None
    yield from _commit_lines(report)
    for name, plan in report["plans_waiting"].items():
        dead = "; no further try until `exporter retry`" if plan["dead_letter"] else ""
        times = "once" if plan["attempts"] == 1 else f"{plan['attempts']} times"
        tries = f"{times}{dead}"
        yield f"{name}: {plan['state']} ({tries}): {plan['error']}", "red"
    for held in report["holds"]:
        by = f"rolled back in {held['commit'][:7]} by {held['author']}"
        yield f'held: {held["name"]} "{held["title"]}" ({by})', "yellow"
    if report["purges_pending"]:
        yield f"purge requests still owed to the CDN: {report['purges_pending']}", "yellow"
    yield from _run_lines(report)
    for one in report["signed_urls"]["next"][:1]:
        total = report["signed_urls"]["lessons"]
        yield (
            f"signed URLs: {total} lessons; the next to expire is {one['key']}, {one['expires']}",
            None,
        )


def _commit_lines(report: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    commits = report["unpublished_commits"]
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
    yield f"committed but not published: {len(commits)}, the oldest for {waits} min", "yellow"
    for commit in commits[:10]:
        yield f"  {commit['commit'][:12]} {commit['subject']}", None
    plans = report["unpublished_plans"]
    more = f" and {len(plans) - 10} more" if len(plans) > 10 else ""
    yield f"  plans: {', '.join(plans[:10])}{more}", None


def _run_lines(report: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    lease = report["lease"]
    if lease:
        yield f"publishing now: {lease['holder']}, since {lease['since']}", "yellow"
    elif report["unfinished"]:
        yield "a publish is unfinished: run `exporter publish`, which ends it", "yellow"
