"""Commits that a clone does not have: fetched by name, or with more of a shallow clone's history.

A commit that cannot be had is reported as missing, never taken for "nothing changed" (spec 5).
Why a fetch failed is not told: git's words would show the credentials in a remote's URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from exporter.content.repository import Commit, Repository
from exporter.errors import GitError

__all__ = ["find_or_fetch", "is_ancestor_at_all"]

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DEEPER = ("--deepen=100", "--deepen=1000", "--unshallow")


def find_or_fetch(repository: Repository, sha: str) -> Commit | None:
    """Return a commit, fetched from the remote where it is not here; None if it cannot be had.

    The hash was read from a store, so it may be anything: git would take a refspec or a branch.
    """
    if not _HASH.fullmatch(sha):
        return None
    found = repository.find(sha)
    if found or not (remote := _remote(repository)):
        return found
    if not _fetch(repository, remote, sha) and not is_shallow(repository):
        return None
    for _ in _deepened(repository, remote):
        if found := repository.find(sha):
            return found
    return repository.find(sha)


def is_ancestor_at_all(repository: Repository, older: str, newer: str) -> bool:
    """Tell whether a commit is an ancestor, bringing more of a shallow clone's history to know."""
    if repository.is_ancestor(older, newer):
        return True
    remote = _remote(repository)
    deepened = _deepened(repository, remote) if remote else ()
    return any(repository.is_ancestor(older, newer) for _ in deepened)


def is_shallow(repository: Repository) -> bool:
    """Tell whether history is cut off in this clone."""
    return repository.git("rev-parse", "--is-shallow-repository").strip() == b"true"


def _deepened(repository: Repository, remote: str) -> Iterator[None]:
    """Fetch more and more history; yield after each step that brought some."""
    for deeper in _DEEPER:
        if not is_shallow(repository):
            return
        if _fetch(repository, remote, deeper):
            yield


def _fetch(repository: Repository, remote: str, what: str) -> bool:
    arguments = [what, remote] if what.startswith("-") else [remote, what]
    try:
        repository.git("fetch", "--quiet", "--no-tags", *arguments)
    except GitError:
        return False
    return True


def _remote(repository: Repository) -> str:
    """Return the remote to ask: `origin`, else the first one; empty where there is none."""
    names = repository.git("remote").decode().split()
    return "origin" if "origin" in names else next(iter(names), "")
