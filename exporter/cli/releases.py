"""`exporter releases`: what was published, newest first (spec 5)."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.show import subject_of
from exporter.cli.standing import releases_report
from exporter.cli.usage import Command, json_option, target_option
from exporter.core.wording import counted

if TYPE_CHECKING:
    from exporter.core.release import Release

__all__ = ["command"]


@click.command(
    "releases",
    cls=Command,
    examples={
        "exporter releases": "See the last ten:",
        "exporter releases 50 --target production": "See more of them:",
    },
)
@click.argument("count", type=click.IntRange(min=1), default=10, metavar="[COUNT]")
@target_option
@json_option
@pass_session
def command(session: Session, *, count: int, target: str | None, as_json: bool) -> None:
    """List the newest releases of a target (10, or COUNT)."""
    opened = session.open_target(target)
    if as_json:
        report = releases_report(session, opened, count)
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
        return
    history = opened.ledger.history()
    found = list(islice(history, count))
    if not found:
        session.out("nothing was published yet")
    for release in found:
        _tell(session, release)
    if next(history, None):
        session.out(f"older ones are not shown: `exporter releases {2 * count}`", dim=True)


def _tell(session: Session, release: Release) -> None:
    """Print a release: what it is, of which commit, and what it did."""
    subject = subject_of(session.repository, release.commit)
    title = f' "{subject}"' if subject else ""
    bad = sorted(name for name, plan in release.plans.items() if plan.is_bad)
    held = f", held back: {', '.join(bad)}" if bad else ""
    session.out(f"{release.id}  {release.kind.value}  {release.finished_at}", bold=True)
    session.out(f"    commit {release.commit[:12]}{title}")
    did = f"{counted(release.files_put, 'file')} put, {release.files_deleted:,} deleted"
    session.out(f"    {'nothing was published' if release.is_attempt else did}{held}")
