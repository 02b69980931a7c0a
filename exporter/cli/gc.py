"""`exporter gc`: what is live no more and no recent release needs is deleted (spec 5)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command, json_option, target_option
from exporter.core.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.core.release import Kept
    from exporter.publish.collecting import Collection
    from exporter.publish.prepared import Published

__all__ = ["command"]

_SHOWN = 40
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@click.command(
    "gc",
    cls=Command,
    examples={
        "exporter gc --dry-run": "See what would go:",
        "exporter gc --target production": "Delete it:",
    },
    ends={3: "Another publish is at work, or one has died half-way: publish first."},
)
@target_option
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@json_option
@pass_session
def command(session: Session, *, target: str | None, dry_run: bool, as_json: bool) -> int:
    """Delete published files that no release of the last `publish.keep` refers to.

    Only targets with `addressing: hashed` keep such files, or those that once had it. What was
    prepared for a publish that nobody finished goes after a day.
    """
    from exporter.publish.collecting import collect
    from exporter.publish.gathering import abandoned, forget
    from exporter.publish.livefiles import read_live_files

    opened = session.open_target(target)
    run, keep_s = session.new_run(), session.config.publish.keep_s
    limit = int(session.now().timestamp()) - keep_s
    ledger, workspace = opened.ledger, session.workspace
    left = abandoned(ledger.store, session.now())
    collection = collect(workspace, ledger, read_live_files(ledger), limit, left.files)
    published = None
    if collection.prepared and not dry_run:
        published = opened.publisher.publish(collection.prepared, run)
    if not dry_run:
        forget(ledger.store, left.records)
    report = {"target": opened.target.name, "dry_run": dry_run, "keep_s": keep_s}
    report |= _report(collection, published, keep_s)
    if as_json:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _tell(session, report)
    return 4 if report["purge_error"] else 0


def _report(collection: Collection, published: Published | None, keep_s: int) -> dict[str, Any]:
    prepared, kept = collection.prepared, collection.kept
    gone = sorted({*prepared.delta.delete, *prepared.delta.leftovers}) if prepared else []
    first = min((one.until for one in kept.values()), default=None)
    return {
        "release": published.release.id if published else None,
        "files_deleted": len(gone),
        "bytes_deleted": _bytes(collection.expired),
        "deleted": gone,
        "files_kept": len(kept),
        "bytes_kept": _bytes(kept),
        "next_due": _instant(first + keep_s) if first is not None else None,
        "purge_error": (published.purge_error or None) if published else None,
    }


def _bytes(files: Mapping[str, Kept]) -> int:
    return sum(one.entry.size for one in files.values())


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tell(session: Session, report: dict[str, Any]) -> None:
    out, gone = session.out, report["deleted"]
    shown = gone if session.verbose else gone[:_SHOWN]
    for key in shown:
        out(f"delete  {key}")
    if len(gone) > len(shown):
        out(f"… and {len(gone) - len(shown)} more (--verbose lists them)")
    would = "would be deleted" if report["dry_run"] else "deleted"
    release = f"{report['release']}: " if report["release"] else ""
    if gone:
        size = f"({report['bytes_deleted']:,} bytes)"
        out(f"{release}{counted(len(gone), 'file')} {would} {size}", bold=True)
    else:
        keep = _duration(report["keep_s"])
        out(f"nothing to do: no file was live last more than {keep} ago")
    if report["next_due"]:
        kept = counted(report["files_kept"], "file")
        out(f"{kept} kept, the first of them until {report['next_due']}")
    if report["purge_error"]:
        session.say(f"not purged: {report['purge_error']}; the next publish tries again")


def _duration(seconds: int) -> str:
    """Write a duration in the largest unit that says all of it."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return counted(seconds // size, unit)
