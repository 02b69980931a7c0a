"""`exporter rollback`: a commit that puts content back as it was (spec 5)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.snapshot import without_trailers
from exporter.cli.usage import Command, json_option, push_option, target_option

if TYPE_CHECKING:
    from exporter.content.repository import Commit
    from exporter.content.rollback import RollbackOptions, RollbackResult
    from exporter.core.release import Release

__all__ = ["command"]

_RELEASE = re.compile(r"(live|\d{8}T[0-9a-fZ-]*)\Z")
"""`live`, a release's id or its beginning, day at least; no commit's name has the T in it."""


@click.command(
    "rollback",
    cls=Command,
    examples={
        "exporter rollback HEAD~1": "Take the last commit's changes back:",
        "exporter rollback RELEASE --plan GRADE-12-SCI-2026": "Put one plan back:",
        "exporter rollback live --document SUBJECT-MATH --push": "Put one document back, and push:",
    },
    ends={3: "Uncommitted edits are in the way, or the remote has moved."},
)
@click.argument("to", metavar="RELEASE|COMMIT")
@target_option
@click.option(
    "--plan",
    "plans",
    metavar="PLAN",
    multiple=True,
    help="Only this plan and what it shows; may be given again.",
)
@click.option(
    "--document",
    "documents",
    metavar="DOCUMENT",
    multiple=True,
    help="Only this document; may be given again.",
)
@push_option
@json_option
@pass_session
def command(
    session: Session,
    *,
    to: str,
    target: str | None,
    plans: tuple[str, ...],
    documents: tuple[str, ...],
    push: bool,
    as_json: bool,
) -> None:
    """Commit content that is as it was in a release (its id, or `live`) or a commit.

    Nothing is published by it: publish the commit as any other. Snapshots hold what it took back.
    """
    from exporter.content.rollback import RollbackOptions

    commit, label = _resolve(session, to, target)
    options = RollbackOptions(
        session.content_path,
        label,
        plans,
        documents,
        session.config.source.extra_fields,
        session.config.snapshot.author,
    )
    result = _run(session, commit, options, push=push)
    _report_to_github(result)
    if as_json:
        session.out(json.dumps(_json(result, label), ensure_ascii=False, indent=2))
    elif result.commit is None:
        known_as = commit.sha[:12] if label == commit.sha else label
        session.out(f"nothing to do: it is as it was in {known_as} already")
    else:
        session.out(f"{result.commit.sha[:12]}  {without_trailers(result.message)}")
        session.out("publish it with `exporter publish`", dim=True)


def _resolve(session: Session, to: str, target: str | None) -> tuple[Commit, str]:
    """Return the commit to go back to, and what the trailer calls it."""
    if not _RELEASE.match(to):
        return _resolve_commit(session, to)
    from exporter.content.deepening import find_or_fetch
    from exporter.errors import GitError
    from exporter.publish.inspecting import find_release

    release = find_release(session.open_target(target).ledger, to)
    found = find_or_fetch(session.repository, release.commit)
    if found is None:
        raise GitError(
            f"release {release.id} was made from commit {release.commit[:12]}, which is not in "
            "this clone",
            hint="run `git fetch --unshallow`, then again",
        )
    _tell_behind(session, release)
    return found, release.id


def _tell_behind(session: Session, release: Release) -> None:
    """Say that students saw something else than the release's commit: plans stayed behind."""
    from exporter.core.wording import counted

    seen = {
        name: outcome.commit
        for name, outcome in sorted(release.plans.items())
        if outcome.is_behind and outcome.commit not in ("", release.commit)
    }
    if not seen:
        return
    name, commit = next(iter(seen.items()))
    session.say(
        f"{counted(len(seen), 'plan')} stayed behind release {release.id}; students saw "
        f"{name} as of commit {commit[:12]}: `exporter rollback {commit[:12]} --plan {name}`"
    )


def _resolve_commit(session: Session, to: str) -> tuple[Commit, str]:
    from exporter.errors import UsageError

    try:
        commit = session.resolve(to)
    except UsageError as error:
        raise UsageError(
            error.message,
            hint=f"{error.hint}; `exporter releases` lists the releases, `live` is the live one; "
            "a release is named by its id, from the day and its T on (20261121T…)",
        ) from error
    return commit, commit.sha


def _run(session: Session, to: Commit, options: RollbackOptions, *, push: bool) -> RollbackResult:
    from exporter.content.branches import branch_of, checked_out
    from exporter.content.remote import catch_up, push_commit
    from exporter.content.rollback import roll_back

    repository, author = session.repository, session.config.snapshot.author
    if not push:
        checked_out(repository)
        return roll_back(repository, to, options)
    branch = branch_of(repository)
    catch_up(repository, branch, author)
    result = roll_back(repository, to, options)
    push_commit(repository, branch, author, session.patience())
    return replace(result, commit=repository.resolve("HEAD")) if result.commit else result


def _report_to_github(result: RollbackResult) -> None:
    """Write outputs and the job summary, where GitHub Actions runs this."""
    from exporter.cli.actions import write_outputs, write_summary
    from exporter.core.diff_markdown import escape

    write_outputs({"commit": result.commit.sha if result.commit else ""})
    told = escape(result.message.split("\n", 1)[0]) if result.commit else "Nothing to do."
    write_summary(f"### Rollback\n\n{told}\n")


def _json(result: RollbackResult, label: str) -> dict[str, object]:
    return {
        "commit": result.commit.sha if result.commit else None,
        "rolled_back_to": label,
        "plans": list(result.plans),
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
