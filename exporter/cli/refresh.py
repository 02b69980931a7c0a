"""`exporter refresh`: media URLs are signed again before they expire (spec 4)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from exporter.cli.session import OpenTarget, Session, pass_session
from exporter.cli.usage import Command, json_option, target_option
from exporter.core.wording import counted

if TYPE_CHECKING:
    from exporter.publish.prepared import Published
    from exporter.publish.refreshing import Due

__all__ = ["command"]


@click.command(
    "refresh",
    cls=Command,
    examples={
        "exporter refresh": "Sign what expires soon:",
        "exporter refresh --all": "Sign everything, with new keys:",
        "exporter refresh --target production --json": "Sign, and tell a program:",
    },
    ends={
        1: "A lesson cannot be made again as it was released: publish.",
        3: "Another publish is at work.",
    },
)
@target_option
@click.option("--all", "everything", is_flag=True, help="Sign all, as after a change of keys.")
@json_option
@pass_session
def command(session: Session, *, target: str | None, everything: bool, as_json: bool) -> int:
    """Sign the media URLs again that expire soon, and nothing else.

    Run it more often than `media.refresh_before`, from cron or a scheduled workflow.
    """
    from exporter.cli.alerting import alerting

    with alerting(session, f"refresh of {target}" if target else "refresh"):
        opened = session.open_target(target)
        return _refresh(session, opened, everything=everything, as_json=as_json)


def _refresh(session: Session, opened: OpenTarget, *, everything: bool, as_json: bool) -> int:
    from exporter.publish.livefiles import read_live_files
    from exporter.publish.refreshing import due_lessons, refresh
    from exporter.publish.signatures import read_signed

    media = session.config.media
    live = read_live_files(opened.ledger)
    signed = read_signed(opened.ledger.store)
    now = session.now().timestamp()
    due = due_lessons(live, signed, media, now, everything=everything)
    doing = refresh(session.workspace, opened.ledger, live, due, media)
    signing = opened.signing
    published = None
    if doing.prepared:
        publisher = opened.signing_publisher(signing)
        published = publisher.publish(doing.prepared, session.new_run())
    if due.everything and not doing.lost:
        signing.save(complete=True)
    return _tell(session, opened.target.name, due, published, doing.lost, as_json=as_json)


def _tell(
    session: Session,
    target: str,
    due: Due,
    published: Published | None,
    lost: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    if as_json:
        report = {
            "target": target,
            "release": published.release.id if published else None,
            "files_put": published.files_put if published else 0,
            "signed_lessons": len(due.known),
            "lost": list(lost),
            "purge_error": (published.purge_error or None) if published else None,
        }
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    elif published:
        lessons = counted(published.files_put, "lesson")
        session.out(f"{published.release.id}: {lessons} signed again", bold=True)
    else:
        known = f"no URL of {counted(len(due.known), 'signed lesson')} expires soon"
        session.out(f"nothing to do: {known if due.known else 'no lesson has signed URLs'}")
    for key in lost:
        session.say(f"{key} cannot be made again as it was released: run `exporter publish`")
    if published and published.purge_error:
        session.say(f"not purged: {published.purge_error}; the next publish tries again")
        return 4
    return 1 if lost else 0
