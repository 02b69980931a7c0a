"""`exporter adopt`: a lost state store is made again from what is on the CDN (spec 5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import OpenTarget, Session, pass_session
from exporter.cli.usage import Command, json_option, target_option
from exporter.core.wording import counted

if TYPE_CHECKING:
    from exporter.publish.recognising import Recognised

__all__ = ["command"]

_SHOWN = 40


@click.command(
    "adopt",
    cls=Command,
    examples={
        "exporter adopt --dry-run": "See what would be adopted:",
        "exporter adopt --target production": "Write the lost ledger anew:",
        "exporter adopt --commit HEAD": "Say which commit is live:",
    },
    ends={
        1: "Adopted, and not everything is as the commit makes it: publish next.",
        3: "The state store knows what is live, or no commit of HEAD is on the CDN.",
    },
)
@target_option
@click.option(
    "--commit", metavar="COMMIT", help="The live commit; default: found on the CDN and in history."
)
@click.option("--dry-run", is_flag=True, help="Only compare and tell.")
@json_option
@pass_session
def command(
    session: Session, *, target: str | None, commit: str | None, dry_run: bool, as_json: bool
) -> int:
    """Make a lost state store again, from what is on the CDN and from git.

    Nothing on the CDN is touched. The next publish puts right what is not as the commit makes it;
    where nothing is wrong, it writes nothing.
    """
    from exporter.publish.adopting import adopt, refuse_living

    opened = session.open_target(target)
    refuse_living(opened.ledger)
    found = _recognised(session, opened, commit)
    release, media = None, session.config.media
    if not dry_run:
        fingerprint = session.workspace.fingerprint
        release = adopt(opened.ledger, found, media, fingerprint, session.new_run())
    if as_json:
        report = _report(opened, found, release.id if release else None)
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _tell(session, found, release.id if release else None)
    return 0 if found.is_whole else 1


def _recognised(session: Session, opened: OpenTarget, named: str | None) -> Recognised:
    """Read the CDN store, and compare it with the commit that is named or found."""
    from exporter.publish.adopting import find_commit
    from exporter.publish.comparing import Expectations
    from exporter.publish.crawling import read_standing
    from exporter.publish.recognising import recognise
    from exporter.publish.signatures import SignedLessons

    publish, media = session.config.publish, session.config.media
    commit = session.resolve(named) if named else None
    expected = Expectations(publish.cache_control, SignedLessons())
    session.say(f"reading {opened.cdn.label}")
    standing = read_standing(opened.cdn, expected, media, publish.concurrency, session.progress)
    commit = commit or find_commit(session.workspace, standing)
    session.say(f"comparing {counted(len(standing.objects), 'file')} with {commit.sha[:12]}")
    return recognise(session.workspace, standing, commit, media)


def _report(opened: OpenTarget, found: Recognised, release: str | None) -> dict[str, Any]:
    return {
        "target": opened.target.name,
        "release": release,
        "commit": found.commit.sha,
        "live_files": found.files,
        "kept_files": len(found.kept),
        "plans": {
            name: {
                "state": one.state.value,
                "commit": one.commit or None,
                "files": one.files,
                "error": one.error,
            }
            for name, one in found.plans.items()
        },
        "drift": [
            {"key": one.key, "damage": one.damage.value, "why": one.why} for one in found.drift
        ],
    }


def _tell(session: Session, found: Recognised, release: str | None) -> None:
    out = session.out
    for drift in found.drift if session.verbose else found.drift[:_SHOWN]:
        out(f"{drift.damage.value:9} {drift.key}: {drift.why}", fg="red")
    if len(found.drift) > _SHOWN and not session.verbose:
        out(f"… and {len(found.drift) - _SHOWN} more (--verbose lists them)")
    for name, one in found.plans.items():
        if one.is_behind:
            out(f"  {name}: {one.error}", fg="yellow")
    same = sum(not one.is_behind for one in found.plans.values())
    files, plans = counted(found.files, "live file"), counted(len(found.plans), "plan")
    would = f"{release}: adopted" if release else "would adopt"
    out(f"{would} {files} of {plans} as commit {found.commit.sha[:12]}", bold=True)
    if found.is_whole:
        out("everything is as that commit makes it")
        return
    out(f"as that commit makes them: {found.same:,} of {files}, {same:,} of {plans}")
    if not same:
        out("no plan is: is that the commit that was live? Without --commit it is found", fg="red")
    out(
        f"wrong on the CDN: {counted(len(found.drift), 'object')}; `exporter publish` puts it right"
    )
