"""`exporter releases`: what was published, newest first (spec 5)."""

from __future__ import annotations

import json
from itertools import islice

import click

from exporter.cli.session import Session, pass_session

__all__ = ["command"]


@click.command("releases")
@click.argument("count", type=click.IntRange(min=1), default=10)
@click.option("--target", default=None, help="The target; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(session: Session, *, count: int, target: str | None, as_json: bool) -> None:
    """List the newest releases of a target (10, or COUNT)."""
    found = list(islice(session.open_target(target).ledger.history(), count))
    if as_json:
        records = [release.to_json() for release in found]
        session.out(json.dumps({"releases": records}, ensure_ascii=False, indent=2))
        return
    if not found:
        session.out("nothing was published yet")
    for release in found:
        bad = [
            name
            for name, plan in release.plans.items()
            if plan.state.value in ("failed", "held back")
        ]
        held = f", held back: {', '.join(sorted(bad))}" if bad else ""
        session.out(
            f"{release.id}  {release.kind.value}  commit {release.commit[:12]}  "
            f"{release.files_put} put, {release.files_deleted} deleted{held}"
        )
