"""Branches and their names: which one is checked out, and which remote it is pushed to."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.content.repository import Repository
from exporter.errors import GitError, Refused, UsageError

__all__ = ["Branch", "branch_of", "check_branch_name", "checked_out", "remote_name"]


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of ours and its name on the remote; the local ref may be HEAD's."""

    remote: str
    name: str

    @property
    def ref(self) -> str:
        """Return the full name, which is the same on both sides."""
        return f"refs/heads/{self.name}"

    @property
    def tracking(self) -> str:
        """Return the ref by which this clone remembers the remote's."""
        return f"refs/remotes/{self.remote}/{self.name}"


def branch_of(repository: Repository) -> Branch:
    """Return the branch that is checked out, as the remote has it.

    Raises:
        Refused: none is.
        UsageError: there is no remote.
    """
    return Branch(remote_name(repository), checked_out(repository))


def checked_out(repository: Repository) -> str:
    """Return the name of the branch that is checked out: a commit on none would be found by nobody.

    Raises:
        Refused: none is.
    """
    try:
        return repository.git("symbolic-ref", "--short", "HEAD").decode().strip()
    except GitError as error:
        waiting = repository.operation_in_progress()
        going_on = f": it is in the middle of a merge, rebase or revert ({waiting})"
        raise Refused(
            f"{repository.root} has no branch checked out{going_on if waiting else ''}",
            hint="finish or abort it, then run again"
            if waiting
            else "check one out, as in `git switch main`, then run again",
        ) from error


def remote_name(repository: Repository) -> str:
    """Return the remote to push to: `origin`, or the only one.

    Raises:
        UsageError: there is none, or there are several and none is `origin`.
    """
    names = repository.git("remote").decode().split()
    if "origin" in names or len(names) == 1:
        return "origin" if "origin" in names else names[0]
    raise UsageError(
        f"{repository.root} has {len(names) or 'no'} remotes, and none is `origin`",
        hint="add one: `git remote add origin URL`",
    )


def check_branch_name(repository: Repository, name: str) -> None:
    """Refuse a name that git takes for no branch.

    Raises:
        UsageError: it is none.
    """
    refused = UsageError(
        f"{name!r} is no name that a branch can have",
        hint="use letters, digits, - and /, as in --branch content; no space and none of .. ~^:?*[",
    )
    if name.startswith("-") or name == "HEAD":  # git makes none, though the format has it
        raise refused
    try:
        repository.git("check-ref-format", f"refs/heads/{name}")
    except GitError as error:
        raise refused from error
