"""`exporter snapshot`: the database's content becomes one commit (spec 2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session

if TYPE_CHECKING:
    from exporter.content.snapshot import SnapshotResult

__all__ = ["command", "run_snapshot", "snapshot_json"]


@click.command("snapshot")
@click.option("--full", is_flag=True, help="Read everything, and trust nothing remembered.")
@click.option("--no-commit", is_flag=True, help="Write the files and leave them uncommitted.")
@click.option("--allow-mass-delete", is_flag=True, help="Let a snapshot delete much, once.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(
    session: Session, *, full: bool, no_commit: bool, allow_mass_delete: bool, as_json: bool
) -> None:
    """Write the database's content into git, as one commit.

    Nothing is written and nothing is committed where nothing changed.
    """
    result = run_snapshot(
        session, commit=not no_commit, allow_mass_delete=allow_mass_delete, full=full
    )
    if as_json:
        session.out(json.dumps(snapshot_json(result), ensure_ascii=False, indent=2))
    elif not result.files_written and not result.files_deleted:
        session.out(f"nothing changed: {result.documents} documents are as HEAD has them")
    else:
        _tell(session, result)


def run_snapshot(
    session: Session, *, commit: bool, allow_mass_delete: bool, full: bool = False
) -> SnapshotResult:
    """Take a snapshot as the configuration says."""
    from exporter.content.snapshot import SnapshotOptions, take_snapshot
    from exporter.source.database import open_source

    config = session.config
    source = open_source(config.source_url().reveal(), config.source.extra_fields)
    options = SnapshotOptions(
        folder=session.content_path,
        extra_fields=config.source.extra_fields,
        author=config.snapshot.author,
        max_delete_ratio=config.snapshot.max_delete_ratio,
        allow_mass_delete=allow_mass_delete,
        commit=commit,
        full=full,
    )
    session.say(f"reading {source.label}")
    return take_snapshot(session.repository, source, options)


def snapshot_json(result: SnapshotResult) -> dict[str, object]:
    """Return what a snapshot did, as documented JSON."""
    return {
        "commit": result.commit.sha if result.commit else None,
        "documents": result.documents,
        "files_written": result.files_written,
        "files_deleted": result.files_deleted,
        "plans": list(result.plans),
        "guards_lifted": list(result.guards_lifted),
        "changes": [
            {
                "kind": change.kind.value,
                "doctype": change.document.doctype,
                "name": change.document.name,
                "title": change.document.title,
                "path": change.path,
            }
            for change in result.changes
        ],
    }


def _tell(session: Session, result: SnapshotResult) -> None:
    where = result.commit.sha[:12] if result.commit else "not committed"
    lines = result.message.rstrip("\n").split("\n")
    session.out(f"{where}  {lines[0]}", bold=True)
    for line in lines[1:]:
        if line:
            session.out(f"  {line}")
    session.out(f"{result.files_written} files written, {result.files_deleted} deleted")
