"""`exporter github`: what the workflows say to GitHub, through its API.

The token comes from `GITHUB_TOKEN`, the repository from `GITHUB_REPOSITORY` or the remote's URL,
the API's address from `GITHUB_API_URL`: in GitHub Actions all of them are there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Group
from exporter.errors import UsageError

if TYPE_CHECKING:
    from exporter.content.branches import Branch
    from exporter.content.github import GitHub

__all__ = ["command"]


@click.group("github", cls=Group)
def command() -> None:
    """Say on GitHub what a workflow found out, and start the next one."""


@command.command(
    "start",
    short_help="Start a workflow on the pushed commit.",
    examples={"exporter github start publish.yml": "Publish what was pushed just now:"},
)
@click.argument("workflow")
@pass_session
def start(session: Session, *, workflow: str) -> None:
    """Start WORKFLOW on the pushed commit, unless it has run on it already.

    A push made with GitHub's own token starts no workflow, so whoever pushes so starts it.
    """
    from exporter.content.conversations import start_workflow

    branch, github = _branch(session)
    commit = session.resolve("HEAD").sha
    started = start_workflow(github, workflow, branch.name, commit)
    done = "started" if started else "there is a run already of"
    session.out(f"{done} {workflow} on {branch.name} at {commit[:12]}")


@command.command(
    "comment",
    short_help="Write what a run found out as one comment.",
    examples={"exporter github comment --run 4711": "Tell what run 4711 found out:"},
)
@click.option(
    "--run", metavar="ID", type=int, required=True, help="The run of pull-request.yml, by its id."
)
@pass_session
def comment(session: Session, *, run: int) -> None:
    """Write what a run found out as its pull request's one comment, or bring it up to date."""
    from exporter.content.conversations import comment_on_run

    said = comment_on_run(session.github(), run)
    if said is None:
        session.out(f"nothing to say: run {run} left nothing, or its pull request has moved on")
    else:
        session.out(f"pull request {said.number}: {said.url}")


@command.command(
    "drift",
    short_help="Keep one issue about what is wrong on the CDN.",
    examples={
        "exporter verify --json > verify.json; exporter github drift verify.json": (
            "Look at what is live, and tell what is wrong:"
        ),
    },
)
@click.argument("report", type=click.Path(path_type=Path, dir_okay=False))
@pass_session
def drift(session: Session, *, report: Path) -> None:
    """Keep one issue about what `exporter verify --json` wrote to REPORT.

    It is opened where something is wrong, kept up to date, and closed when all files are right.
    """
    from exporter.content.conversations import keep_issue

    kept = keep_issue(session.github(), _read_report(session.folder / report))
    session.out(f"the issue about drift is {kept.value}")


@command.command(
    "pull-request",
    short_help="Open a pull request, or bring it up to date.",
    examples={"exporter github pull-request --base main": "Offer this branch to main:"},
)
@click.option(
    "--base", metavar="BRANCH", required=True, help="The branch that it is to be merged into."
)
@pass_session
def pull_request(session: Session, *, base: str) -> None:
    """Open a pull request of the pushed branch that is checked out, or bring it up to date."""
    from exporter.cli.snapshot import pull_request_text
    from exporter.content.pull_request import open_or_update

    branch, github = _branch(session)
    repository = session.repository
    body = pull_request_text(session, f"refs/remotes/{branch.remote}/{base}", "HEAD")
    if not body:
        session.out(f"nothing to do: {branch.name} has nothing that {base} has not")
        return
    title = repository.git("log", "-1", "--format=%s", "HEAD").decode(errors="replace").strip()
    opened = open_or_update(github, branch.name, base, title, body)
    session.out(f"{'opened' if opened.created else 'updated'} {opened.url}")


def _branch(session: Session) -> tuple[Branch, GitHub]:
    """Return the branch that is checked out, and the repository that it is pushed to."""
    from exporter.content.branches import branch_of

    branch = branch_of(session.repository)
    url = session.repository.git("remote", "get-url", branch.remote).decode().strip()
    return branch, session.github(url)


def _read_report(file: Path) -> dict[str, Any]:
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file} is no report of `exporter verify --json`",
            hint="run `exporter verify --json` and write what it prints to that file",
        ) from error
    if not isinstance(report, dict) or not {"target", "drift", "left"} <= report.keys():
        raise UsageError(
            f"{file} says no drift: `exporter verify` failed before it could look",
            hint="see what it printed",
        )
    return report
