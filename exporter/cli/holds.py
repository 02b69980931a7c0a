"""`exporter holds`: what snapshots leave out because people rolled it back (spec 5)."""

from __future__ import annotations

import json

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.snapshot import held_json, held_line
from exporter.cli.usage import Command, json_option

__all__ = ["command"]


@click.command(
    "holds",
    cls=Command,
    examples={
        "exporter holds": "List what is held:",
        "exporter holds --json": "List it for a program:",
    },
)
@json_option
@pass_session
def command(session: Session, *, as_json: bool) -> None:
    """List the documents of which a version is held, with who rolled it back, when and why.

    It comes from git alone, so it is the same on every machine and needs no database.
    """
    from exporter.content.holding import all_holds

    head = session.repository.resolve("HEAD")
    extra = session.config.source.extra_fields
    found = all_holds(session.repository, head, session.content_path, extra)
    if as_json:
        report = {"commit": head.sha, "holds": [held_json(held) for held in found]}
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
        return
    if not found:
        session.out("nothing is held")
    for held in found:
        session.out(f"{held_line(held)} on {held.date[:10]}: {held.reason}")
