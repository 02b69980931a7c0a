"""`exporter watch`: snapshots by themselves, next to the database (spec 2)."""

from __future__ import annotations

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.snapshot import (
    Request,
    check_request,
    deliver,
    replaced_lines,
    snapshot_options,
)
from exporter.cli.usage import Command, branch_option, pull_request_option

__all__ = ["command"]


@click.command(
    "watch",
    cls=Command,
    examples={
        "exporter watch --push": "Commit and push what editors change:",
        "exporter watch --branch content --pull-request": "Keep a pull request up to date:",
    },
    ends={0: "It was told to stop."},
)
@click.option("--push", is_flag=True, help="Push every commit.")
@branch_option
@pull_request_option
@pass_session
def command(session: Session, *, push: bool, branch: str | None, pull_request: bool) -> None:
    """Take snapshots when content has changed, until SIGTERM or SIGINT.

    One line a snapshot, or a failure; a failure is tried again, later and later. What can never
    work, such as a pull request without a token, ends it.
    """
    from exporter.content.watching import Pace, Watch

    request = Request(push=push, branch=branch, pull_request=pull_request)
    check_request(session, request)
    session.quiet = not session.verbose  # one line a look: how far each has come is for few
    settings = session.config.watch

    def say(line: str) -> None:
        session.out(f"{session.now():%Y-%m-%dT%H:%M:%SZ} {line}")

    Watch(
        Pace(settings.poll_s, settings.interval_s, settings.threshold),
        watermark=session.source().watermark,
        affected=lambda: _affected(session, request),
        snapshot=lambda: _told(session, request),
        say=say,
        clock=session.clock,
        wait=session.until_stopped(),
    ).run()
    say("stopped")


def _affected(session: Session, request: Request) -> int:
    from exporter.content.snapshot import affected_by

    options = snapshot_options(session, request)
    return len(affected_by(session.repository, session.source(), options))


def _told(session: Session, request: Request) -> str:
    """Take a snapshot; return a line about it."""
    result = deliver(session, request).result
    held = f", {len(result.held)} held" if result.held else ""
    if result.commit is None:
        return f"nothing changed{held}"
    gone = "".join(f"; {line}" for line in replaced_lines(result.replaced))
    return f"{result.commit.sha[:12]} {result.message.splitlines()[0]}{held}{gone}"
