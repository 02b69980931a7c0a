"""`exporter show`: one release, in full (spec 5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import OpenTarget, Session, pass_session

if TYPE_CHECKING:
    from exporter.core.artifacts import Entry
    from exporter.core.release import Release

__all__ = ["command"]

_SHOWN = 40


@click.command("show")
@click.argument("release", default="live")
@click.option("--target", default=None, help="The target; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(session: Session, *, release: str, target: str | None, as_json: bool) -> None:
    """Show a release: its commit, who started it, every plan, and the files that it changed.

    RELEASE is an id, the start of one, or `live`, which is shown where nothing is named.
    """
    from exporter.publish.inspecting import find_release

    opened = session.open_target(target)
    found = find_release(opened.ledger, release)
    report = {
        **found.to_json(),
        "commit_subject": _subject(session, found.commit),
        "files": _files(opened, found),
    }
    if as_json:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _tell(session, report)


def _subject(session: Session, sha: str) -> str:
    """Return a commit's first line; empty where it is not in this clone."""
    if session.repository.find(sha) is None:
        return ""
    return session.repository.git("show", "-s", "--format=%s", sha).decode(errors="replace").strip()


def _files(opened: OpenTarget, release: Release) -> dict[str, list[str]]:
    """Return what a release changed, by comparing its indexes with those of the one before."""
    after = _entries(opened, release)
    parent = release.parent_release
    before = _entries(opened, opened.ledger.release(parent)) if parent else {}
    return {
        "new": sorted(after.keys() - before.keys()),
        "changed": sorted(k for k in after.keys() & before.keys() if after[k] != before[k]),
        "deleted": sorted(before.keys() - after.keys()),
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
        f"  {report['files_put']} files put ({report['bytes_put']:,} bytes), "
        f"{report['files_deleted']} deleted"
    )
    for name, plan in report["plans"].items():
        bad = plan["state"] in ("failed", "held back")
        error = f": {plan['error']}" if plan["error"] else ""
        out(f"  plan {name}: {plan['state']}{error}", fg="red" if bad else None)
    listed = [f"{what:7}  {key}" for what, keys in report["files"].items() for key in keys]
    shown = listed if session.verbose else listed[:_SHOWN]
    for line in shown:
        out(f"  {line}")
    if len(listed) > len(shown):
        out(f"  … and {len(listed) - len(shown)} more files (--verbose lists them)")
