"""`exporter snapshot`: the database's content becomes one commit (spec 2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command, branch_option, json_option, pull_request_option
from exporter.core.wording import counted
from exporter.errors import UsageError

if TYPE_CHECKING:
    from exporter.content.branches import Branch
    from exporter.content.candidates import Held, Replaced
    from exporter.content.pull_request import PullRequest
    from exporter.content.repository import Repository
    from exporter.content.snapshot import SnapshotOptions, SnapshotResult
    from exporter.core.model import Ref

__all__ = [
    "Delivery",
    "Request",
    "check_request",
    "command",
    "deliver",
    "delivery_json",
    "held_json",
    "held_line",
    "pull_request_text",
    "replaced_lines",
    "run_snapshot",
    "snapshot_options",
    "tell_delivery",
    "without_trailers",
]

_TITLE = "Content snapshot"
_SHOWN_REPLACED = 5


@dataclass(frozen=True, slots=True)
class Request:
    """What a snapshot is asked to do besides being taken."""

    commit: bool = True
    full: bool = False
    allow_mass_delete: bool = False
    push: bool = False
    branch: str | None = None
    pull_request: bool = False
    released: Callable[[Ref], bool] = field(default=lambda _: False)
    """Documents of which the database's version is taken whatever is held."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A snapshot, and where it went."""

    result: SnapshotResult
    branch: str = ""
    remote: str = ""
    """Where the branch is pushed to; empty where it is kept here."""
    pull_request: PullRequest | None = None


@click.command(
    "snapshot",
    cls=Command,
    examples={
        "exporter snapshot": "Commit what changed in the database:",
        "exporter snapshot --push": "Push the commit, too:",
        "exporter snapshot --branch content --pull-request": "Let people review it first:",
    },
    ends={
        3: "It would delete too much, or another snapshot is at work.",
        4: "The database or the remote is away; run it again.",
    },
)
@click.option("--full", is_flag=True, help="Read everything, and trust nothing remembered.")
@click.option("--push", is_flag=True, help="Push the commit, on top of what the remote has by now.")
@branch_option
@pull_request_option
@click.option("--no-commit", is_flag=True, help="Write the files and leave them uncommitted.")
@click.option("--allow-mass-delete", is_flag=True, help="Let this snapshot delete much.")
@json_option
@pass_session
def command(session: Session, /, *, no_commit: bool, as_json: bool, **asked: Any) -> None:  # noqa: ANN401 - click's
    """Write the database's content into git, as one commit.

    Nothing is written and nothing is committed where nothing changed. What people rolled back is
    held until it changes once more.
    """
    delivery = deliver(session, Request(commit=not no_commit, **asked))
    _report_to_github(delivery)
    if as_json:
        session.out(json.dumps(delivery_json(delivery), ensure_ascii=False, indent=2))
    else:
        tell_delivery(session, delivery)


def deliver(session: Session, request: Request) -> Delivery:
    """Take a snapshot as the configuration says, and send it where it is asked for."""
    check_request(session, request)
    if not (request.push or request.branch):
        return Delivery(_take(session, session.repository, request))
    from exporter.content.branches import Branch, branch_of, remote_name
    from exporter.content.remote import push_snapshot

    repository, author = session.repository, session.config.snapshot.author
    if request.branch is None:
        own = branch_of(repository)

        def take() -> SnapshotResult:
            return _take(session, repository, request)

        result = push_snapshot(repository, own, author, take, session.patience())
        return Delivery(result, own.name, own.remote)
    pushed = request.push or request.pull_request
    branch = Branch(remote_name(repository) if pushed else "", request.branch)
    return _deliver_for_review(session, branch, request)


def run_snapshot(
    session: Session, *, commit: bool, allow_mass_delete: bool, full: bool = False
) -> SnapshotResult:
    """Take a snapshot in the work tree, as the configuration says."""
    request = Request(commit=commit, full=full, allow_mass_delete=allow_mass_delete)
    return deliver(session, request).result


def snapshot_options(session: Session, request: Request) -> SnapshotOptions:
    """Return how snapshots are taken here."""
    from exporter.content.holding import hold_rule
    from exporter.content.snapshot import SnapshotOptions

    config, extra = session.config, session.config.source.extra_fields
    return SnapshotOptions(
        folder=session.content_path,
        extra_fields=extra,
        author=config.snapshot.author,
        max_delete_ratio=config.snapshot.max_delete_ratio,
        allow_mass_delete=request.allow_mass_delete,
        commit=request.commit,
        full=request.full,
        hold=hold_rule(session.content_path, extra, request.released),
    )


def check_request(session: Session, request: Request) -> None:
    """Refuse what cannot be done, before anything is read.

    Raises:
        UsageError: options contradict each other, or what they send has nowhere to go.
        Refused: no branch is checked out, and none is named.
    """
    from exporter.content.branches import (
        branch_of,
        check_branch_name,
        checked_out,
        remote_name,
    )

    sent = request.push or request.branch or request.pull_request
    if sent and not request.commit:
        raise UsageError("--no-commit leaves nothing to push", hint="leave one of them out")
    if request.pull_request and not request.branch:
        raise UsageError(
            "a pull request needs a branch of its own", hint="add --branch, as in --branch content"
        )
    if request.branch is not None:
        check_branch_name(session.repository, request.branch)
    elif request.commit:
        checked_out(session.repository)
    if request.push and request.branch is None:
        branch_of(session.repository)
    elif request.push or request.pull_request:
        remote = remote_name(session.repository)
        if request.pull_request:
            session.github(_url_of(session, remote))


def _take(session: Session, repository: Repository, request: Request) -> SnapshotResult:
    from exporter.cli.progress import CountedSource
    from exporter.content.snapshot import take_snapshot

    source = session.source()
    session.say(f"reading {source.label}")
    told = CountedSource(source, session.progress)
    return take_snapshot(repository, told, snapshot_options(session, request))


def _deliver_for_review(session: Session, branch: Branch, request: Request) -> Delivery:
    """Commit to a branch that is not checked out."""
    from exporter.content.remote import keep_branch, push_snapshot, review_tree

    repository, is_sent = session.repository, bool(branch.remote)
    tree = review_tree(repository, branch, pushed=is_sent)

    def take() -> SnapshotResult:
        return _take(session, tree, request)

    author = session.config.snapshot.author
    result = push_snapshot(tree, branch, author, take, session.patience()) if is_sent else take()
    keep_branch(repository, branch, tree.resolve("HEAD"))
    opened = _pull_request(session, branch) if request.pull_request else None
    return Delivery(result, branch.name, branch.remote, opened)


def _url_of(session: Session, remote: str) -> str:
    return session.repository.git("remote", "get-url", remote).decode().strip()


def _pull_request(session: Session, branch: Branch) -> PullRequest | None:
    """Open or update the branch's pull request; None where it has nothing that the base has not."""
    from exporter.content.branches import branch_of
    from exporter.content.pull_request import open_or_update

    base = branch_of(session.repository)
    body = pull_request_text(session, "HEAD", branch.ref)
    if not body:
        return None
    github = session.github(_url_of(session, branch.remote))
    return open_or_update(github, branch.name, base.name, _TITLE, body)


def pull_request_text(session: Session, base: str, tip: str) -> str:
    """Return what a branch changes since it left its base, as GitHub takes it; empty for nothing.

    It is the text of `exporter diff --format markdown`.
    """
    from exporter.cli.diff import diff_report
    from exporter.core.diff_markdown import markdown_summary

    since = session.repository.git("merge-base", base, tip).decode().strip()
    newest = session.repository.resolve(tip).sha
    return markdown_summary(diff_report(session, since, newest)) if since != newest else ""


def delivery_json(delivery: Delivery) -> dict[str, object]:
    """Return what a snapshot did and where it went, as documented JSON."""
    opened = delivery.pull_request
    return {
        **_snapshot_json(delivery.result),
        "branch": delivery.branch or None,
        "pushed": delivery.result.pushed,
        "pull_request": opened.url if opened else None,
    }


def _snapshot_json(result: SnapshotResult) -> dict[str, object]:
    return {
        "commit": result.commit.sha if result.commit else None,
        "documents": result.documents,
        "files_written": result.files_written,
        "files_deleted": result.files_deleted,
        "plans": list(result.plans),
        "guards_lifted": list(result.guards_lifted),
        "holds": [held_json(held) for held in result.held],
        "replaced": [_replaced_json(one) for one in result.replaced],
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


def held_json(held: Held) -> dict[str, str]:
    """Return a hold as documented JSON."""
    return {
        "doctype": held.ref[0],
        "name": held.ref[1],
        "title": held.title,
        "commit": held.commit,
        "author": held.author,
        "date": held.date,
        "reason": held.reason,
    }


def _replaced_json(one: Replaced) -> dict[str, str]:
    doctype, name = one.ref
    told = {"doctype": doctype, "name": name, "title": one.title}
    return {**told, "commit": one.commit, "author": one.author}


def replaced_lines(replaced: Sequence[Replaced]) -> list[str]:
    """Return what was written by hand and is gone, a line each, and how many more there are."""
    lines = [
        f'replaced: {one.ref[1]} "{" ".join(one.title.split())}": what {one.author} wrote in '
        f"{one.commit[:12]} is not in the database"
        for one in replaced[:_SHOWN_REPLACED]
    ]
    more = len(replaced) - _SHOWN_REPLACED
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def held_line(held: Held) -> str:
    """Return a hold as one line."""
    title = " ".join(held.title.split())
    return f'held: {held.ref[1]} "{title}" (rolled back in {held.commit[:7]} by {held.author})'


def tell_delivery(session: Session, delivery: Delivery) -> None:
    """Print what a snapshot did."""
    result = delivery.result
    if result.files_written or result.files_deleted:
        _tell(session, result)
    else:
        kept = f", {len(result.held)} held" if result.held else ""
        session.out(f"nothing changed: {result.documents} documents are as HEAD has them{kept}")
    for held in result.held:
        session.out(held_line(held), fg="yellow")
    for line in replaced_lines(result.replaced):
        session.out(line, fg="yellow")
    if result.pushed:
        session.out(f"pushed to {delivery.branch}")
    elif delivery.remote:
        session.out(f"nothing to push: {delivery.remote} has all of {delivery.branch}")
    elif delivery.branch:
        session.out(f"on branch {delivery.branch}")
    if opened := delivery.pull_request:
        session.out(f"{'opened' if opened.created else 'updated'} {opened.url}")


def without_trailers(message: str) -> str:
    """Return a commit's message as people read it: the lines at its end are for programs."""
    text, _, last = message.rstrip("\n").rpartition("\n\n")
    return text if text and last.startswith("Exporter-") else message.rstrip("\n")


def _report_to_github(delivery: Delivery) -> None:
    """Write outputs and the job summary, where GitHub Actions runs this."""
    from exporter.cli.actions import write_outputs, write_summary
    from exporter.core.diff_markdown import escape

    result = delivery.result
    commit = result.commit.sha if result.commit else ""
    write_outputs(
        {"commit": commit, "changed": str(bool(commit)).lower(), "held": len(result.held)}
    )
    lines = [
        f"### Snapshot\n\n{escape(result.message.split(chr(10), 1)[0]) or 'Nothing changed.'}\n"
    ]
    lines += [f"- {escape(held_line(held))}" for held in result.held]
    lines += [f"- {escape(line)}" for line in replaced_lines(result.replaced)]
    write_summary("\n".join(lines) + "\n")


def _tell(session: Session, result: SnapshotResult) -> None:
    where = result.commit.sha[:12] if result.commit else "not committed"
    lines = without_trailers(result.message).split("\n")
    session.out(f"{where}  {lines[0]}", bold=True)
    for line in lines[1:]:
        if line and not session.quiet:
            session.out(f"  {line}")
    session.out(
        f"{counted(result.files_written, 'file')} written, {result.files_deleted:,} deleted"
    )
    for why in result.guards_lifted:
        session.out(f"allowed this once: {why}", fg="yellow")
