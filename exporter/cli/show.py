"""`exporter show`: one release, in full (spec 5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import OpenTarget, Session, pass_session
from exporter.cli.usage import Command, json_option, target_option
from exporter.core.wording import counted

if TYPE_CHECKING:
    from exporter.content.repository import Repository
    from exporter.core.artifacts import Entry
    from exporter.core.release import Release

__all__ = ["command", "subject_of"]

_SHOWN = 40


@click.command(
    "show",
    cls=Command,
    examples={
        "exporter show": "See the live release:",
        "exporter show RELEASE --json": "See an earlier one, for a program:",
    },
)
@click.argument("release", default="live", metavar="[RELEASE]")
@target_option
@json_option
@pass_session
def command(session: Session, *, release: str, target: str | None, as_json: bool) -> None:
    """Show a release: its commit, who started it, every plan, and the files that it changed.

    RELEASE is an id, the start of one, or `live`, which is shown where nothing is named.
    """
    from exporter.publish.inspecting import find_release

    opened = session.open_target(target)
    found = find_release(opened.ledger, release)
    report = {
        "target": opened.target.name,
        **found.to_json(),
        "commit_subject": subject_of(session.repository, found.commit),
        "files": _files(opened, found),
    }
    if as_json:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _tell(session, report)


def subject_of(repository: Repository, sha: str) -> str:
    """Return a commit's first line; empty where it is not in this clone."""
    if repository.find(sha) is None:
        return ""
    return repository.git("show", "-s", "--format=%s", sha).decode(errors="replace").strip()


def _files(opened: OpenTarget, release: Release) -> dict[str, list[str]]:
    """Return what a release changed, by comparing its indexes with those of the one before.

    A file of which the key carries a digest is a changed one where it had another digest before.
    """
    from exporter.core.addressing import plain_key

    after = _entries(opened, release)
    parent = release.parent_release
    before = _entries(opened, opened.ledger.release(parent)) if parent else {}
    old = {plain_key(key) for key in before}
    stay = {plain_key(key) for key in after}
    put = sorted(key for key, entry in after.items() if before.get(key) != entry)
    return {
        "new": [key for key in put if plain_key(key) not in old],
        "changed": [key for key in put if plain_key(key) in old],
        "deleted": sorted(key for key in before if plain_key(key) not in stay),
    }


def _entries(opened: OpenTarget, release: Release) -> dict[str, Entry]:
    indexes = [release.lessons, *(outcome.index for outcome in release.plans.values())]
    return {
        key: entry
        for digest in dict.fromkeys(indexes)
        for key, entry in opened.ledger.index(digest).items()
    }


def _tell(session: Session, report: dict[str, Any]) -> None:
    out = session.out
    subject = f' "{report["commit_subject"]}"' if report["commit_subject"] else ""
    out(f"{report['id']}  {report['kind']}", bold=True)
    out(f"  commit {report['commit'][:12]}{subject}")
    if report["parents"]["release"]:
        out(f"  after {report['parents']['release']}, commit {report['parents']['commit'][:12]}")
    out(f"  by {report['trigger']}, with exporter {report['exporter']}")
    out(f"  from {report['started_at']} to {report['finished_at']}")
    out(
        f"  {counted(report['files_put'], 'file')} put ({report['bytes_put']:,} bytes), "
        f"{report['files_deleted']:,} deleted"
    )
    if report["precedent"]:
        out(f"  files of {report['precedent']} taken as they stood")
    for name, plan in report["plans"].items():
        bad = plan["attempts"] > 0
        state = "stayed as it was" if plan["error"] and not bad else plan["state"]
        error = f": {plan['error']}" if plan["error"] else ""
        out(f"  plan {name}: {state}{error}", fg="red" if bad else None)
    listed = [f"{what:7}  {key}" for what, keys in report["files"].items() for key in keys]
    shown = listed if session.verbose else listed[:_SHOWN]
    for line in shown:
        out(f"  {line}")
    if len(listed) > len(shown):
        out(f"  … and {counted(len(listed) - len(shown), 'more file')} (--verbose lists them)")
    totals = [f"{len(keys):,} {what}" for what, keys in report["files"].items()]
    out(f"  in all: {', '.join(totals)}")
