"""`exporter doctor`: everything that a run needs is tried, and how to mend it is said (spec 6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.standing import sharing_targets
from exporter.cli.usage import Command, json_option
from exporter.core.wording import counted

if TYPE_CHECKING:
    from exporter.core.diagnosis import Check

__all__ = ["command"]

_MARKS = {"ok": "✓", "warning": "!", "problem": "✗", "not tried": "–"}
_COLOURS = {"warning": "yellow", "problem": "red"}


@click.command(
    "doctor",
    cls=Command,
    examples={
        "exporter doctor": "Try the database, git, and every target:",
        "exporter doctor --target production": "Try what one target needs:",
    },
    ends={4: "Something does not work; a warning is none."},
)
@click.option("--target", metavar="NAME", help="Only this target; default: all of them.")
@json_option
@pass_session
def command(session: Session, *, target: str | None, as_json: bool) -> int:
    """Try everything that a run needs, and say what is wrong and how to mend it.

    Database, tables and privileges, git and its history, stores, purge, cache and clock.
    """
    names = [target] if target else list(session.config.target_names)
    session.config.target(names[0] if names else None)
    checks = []
    for check in _checks(session, names):
        checks.append(check)
        if not as_json:
            _tell(session, check)
    problems = sum(check.health.value == "problem" for check in checks)
    warnings = sum(check.health.value == "warning" for check in checks)
    if as_json:
        report = {
            "problems": problems,
            "warnings": warnings,
            "checks": [
                {
                    "area": check.area,
                    "name": check.name,
                    "health": check.health.value,
                    "message": check.message,
                    "hint": check.hint,
                }
                for check in checks
            ],
        }
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        untried = sum(check.health.value == "not tried" for check in checks)
        left = f", {untried:,} not tried" if untried else ""
        session.out(
            f"{counted(problems, 'problem')}, {counted(warnings, 'warning')}, "
            f"{counted(len(checks) - untried, 'thing')} tried{left}"
        )
    return 4 if problems else 0


def _checks(session: Session, names: list[str]) -> Iterator[Check]:
    from exporter.core.diagnosis import guarded

    yield from guarded("database", "connection", _of_database(session))
    yield from guarded("git", "repository", _of_git(session))
    silent: set[str] = set()
    for name in names:
        checks = _of_target(session, name, silent)
        yield from guarded(f"target {name}", "configuration", checks)


def _of_database(session: Session) -> Iterator[Check]:
    from exporter.source.diagnosis import check_database

    config = session.config
    lowered = config.checks.get("E110", "error") != "error"
    url = config.source_url().reveal()
    yield from check_database(url, config.source.extra_fields, item_may_lack=lowered)


def _of_git(session: Session) -> Iterator[Check]:
    from exporter.content.diagnosis import check_repository

    yield from check_repository(session.repository, session.config.snapshot.author)


def _of_target(session: Session, name: str, silent: set[str]) -> Iterator[Check]:
    from exporter.content.diagnosis import check_live_commit
    from exporter.publish.diagnosis import Patient, check_live_release, check_target

    opened = session.open_target(name, is_trial=True)
    media = session.config.media
    others = tuple(sharing_targets(session, opened))
    patient = Patient(opened.target, opened.cdn, opened.ledger.store, opened.purger, media, others)
    yield from check_target(patient, replace(session.check_up(), silent=silent))
    if opened.target.state.startswith("s3:") and patient.service in silent:
        return
    live = opened.ledger.live()
    yield from check_live_release(opened.target, opened.ledger, live)
    if live.head:
        yield check_live_commit(session.repository, name, live.head.commit)


def _tell(session: Session, check: Check) -> None:
    mark = _MARKS[check.health.value]
    colour = _COLOURS.get(check.health.value)
    session.out(f"{mark} {check.area}: {check.name}: {check.message}", fg=colour)
    for line in check.hint.splitlines():
        session.out(f"    {line}")
