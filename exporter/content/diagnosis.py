"""Trying everything that commits and publishes need of git (spec 6, `doctor`)."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.content.branches import checked_out
from exporter.content.deepening import find_or_fetch, is_shallow
from exporter.content.repository import Repository
from exporter.core.diagnosis import Check, Health
from exporter.errors import Refused, UsageError

__all__ = ["check_live_commit", "check_repository"]

AREA = "git"


def check_repository(repository: Repository, author: str | None) -> Iterator[Check]:
    """Try what a snapshot needs of the repository."""
    head = repository.head()
    at = f"HEAD is {head.sha[:12]}" if head else "no commit yet"
    yield Check(AREA, "repository", Health.GOOD, f"{repository.root}, {at}")
    yield from _identity(repository, author)
    yield _history(repository)
    waiting = repository.operation_in_progress()
    if waiting:
        yield Check(
            AREA,
            "operation",
            Health.PROBLEM,
            f"a merge, rebase or revert waits to be finished ({waiting})",
            "finish it or give it up, as `git status` says: no snapshot is taken before that",
        )
        return
    try:
        checked_out(repository)
    except Refused:
        yield Check(
            AREA,
            "branch",
            Health.WARNING,
            "none is checked out, so snapshots and rollbacks are refused",
            "check one out, as in `git switch main`, where they are to be made in this clone",
        )


def check_live_commit(repository: Repository, target: str, sha: str) -> Check:
    """Try to find the commit that is live on a target, from which every publish starts."""
    if find_or_fetch(repository, sha):
        return Check(AREA, f"live commit of {target}", Health.GOOD, f"{sha[:12]} is in this clone")
    return Check(
        AREA,
        f"live commit of {target}",
        Health.PROBLEM,
        f"{sha[:12]} is neither in this clone nor at its remote, so what is new cannot be told",
        "run `git fetch --unshallow`; where history was rewritten, publish once with --allow-older",
    )


def _identity(repository: Repository, author: str | None) -> Iterator[Check]:
    try:
        repository.require_identity(author)
    except UsageError as error:
        yield Check(AREA, "identity", Health.PROBLEM, error.message, error.hint)
        return
    whose = f"`snapshot.author` ({author})" if author else "git's own configuration"
    yield Check(AREA, "identity", Health.GOOD, f"commits are made in the name of {whose}")
    if author:
        yield from _identity_by_hand(repository)


def _identity_by_hand(repository: Repository) -> Iterator[Check]:
    """Warn where git itself knows nobody: `snapshot.author` is only for the exporter's commits."""
    try:
        repository.require_identity(None)
    except UsageError:
        yield Check(
            AREA,
            "identity by hand",
            Health.WARNING,
            "git itself knows nobody here, so commits by hand (`git revert`) are refused",
            'run `git config user.name "…"` and `git config user.email "…"` where people commit',
        )


def _history(repository: Repository) -> Check:
    if not is_shallow(repository):
        return Check(AREA, "history", Health.GOOD, "this clone has all of it")
    return Check(
        AREA,
        "history",
        Health.WARNING,
        "this clone is shallow: what is missing is fetched when it is needed, each time",
        "run `git fetch --unshallow`, or check out with `fetch-depth: 0` and `filter: blob:none`",
    )
