"""`exporter status`: what is live, and what waits (spec 5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import OpenTarget, Session, pass_session

if TYPE_CHECKING:
    from exporter.publish.ledger import LiveState

__all__ = ["command"]


@click.command("status")
@click.option("--target", default=None, help="The target; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(session: Session, *, target: str | None, as_json: bool) -> None:
    """Show the live release, what is committed but not published, and what is held back."""
    opened = session.open_target(target)
    report = _report(session, opened, opened.ledger.live())
    if as_json:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _tell(session, report)


def _report(session: Session, opened: OpenTarget, live: LiveState) -> dict[str, Any]:
    head = session.repository.head()
    release = live.release
    waiting = {}
    if release:
        waiting = {
            name: {"state": plan.state.value, "attempts": plan.attempts, "error": plan.error}
            for name, plan in release.plans.items()
            if plan.state.value in ("failed", "held back")
        }
    return {
        "target": opened.target.name,
        "store": opened.cdn.label,
        "live": release.to_json() if release else None,
        "head_commit": head.sha if head else None,
        "unpublished_commits": _unpublished(session, live),
        "plans_waiting": waiting,
        "purges_pending": len(opened.ledger.pending_purge(release.id)) if release else 0,
    }


def _unpublished(session: Session, live: LiveState) -> list[dict[str, str]] | None:
    """Return the commits that are not live yet, newest first; None where that cannot be told."""
    head = session.repository.head()
    if head is None:
        return []
    base = live.head.commit if live.head else None
    if base and session.repository.find(base) is None:
        return None
    return session.repository.log(base, head.sha, session.content_path)


def _tell(session: Session, report: dict[str, Any]) -> None:
    live = report["live"]
    session.out(f"target {report['target']}: {report['store']}", bold=True)
    if live is None:
        session.out("  live: nothing was published yet")
    else:
        session.out(f"  live: {live['id']}, commit {live['commit'][:12]}, since {live['finished_at']}")
    commits = report["unpublished_commits"]
    if commits is None:
        session.out("  the live commit is not in this clone: run `git fetch --unshallow`", fg="yellow")
    elif commits:
        session.out(f"  committed but not published: {len(commits)}", fg="yellow")
        for commit in commits[:10]:
            session.out(f"    {commit['commit'][:12]} {commit['subject']}")
    else:
        session.out("  everything that is committed is published")
    for name, plan in report["plans_waiting"].items():
        session.out(f"  {name}: {plan['state']} ({plan['attempts']} times): {plan['error']}", fg="red")
    if report["purges_pending"]:
        session.out(f"  purge requests still owed to the CDN: {report['purges_pending']}", fg="yellow")
