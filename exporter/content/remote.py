"""Sending snapshots to the remote repository, never by force (spec 2, step 7).

Only the snapshot folder is ours, so a lost race is settled by starting again on what won it: our
unsent snapshots are dropped and one is taken on the new base. It holds whatever they held, and
nothing twice; and a rollback that people made meanwhile is seen. People's unsent commits are put on
top of what won. A remote that another push holds locked is asked again. Runs that meet wait for
different times, so that they do not meet again. A branch for review has a work tree of its own
inside `.git`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count
from pathlib import Path

from exporter.content.branches import Branch
from exporter.content.repository import Commit, Repository
from exporter.content.snapshot import SnapshotResult
from exporter.content.worktree import go_to, only_one, recover
from exporter.core.holds import Mark, mark_of
from exporter.errors import ExporterError, GitError, Refused, UsageError

__all__ = [
    "Patience",
    "catch_up",
    "keep_branch",
    "push_commit",
    "push_snapshot",
    "review_tree",
]

ROUNDS = 5
"""So many races are lost at least before a run gives up, however long they take."""
LIMIT_S = 60.0
"""A run goes on losing races for so long; the next one tries again."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0

_LOCKED = re.compile(r"cannot lock ref|failed to update ref|\.lock': File exists")
"""What git says where another git was just writing the same branch, here or on the remote."""
_TREES = "exporter-"
"""Before the names of our linked work trees, by which git's own folders for them are known."""

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_QUIET = {"GIT_TERMINAL_PROMPT": "0"}


class _Remote(Enum):
    """What a push came to."""

    HAS_IT = "it had everything already"
    GOT_IT = "it took what was new"
    MOVED_ON = "it has something that we have not"


class _Locked(GitError):
    """Another git was just writing the branch: it can be tried again at once."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long lost races are run again, and with which pauses between them.

    Pauses are up to twice as long each time; chance parts runs that would meet again and again.
    """

    clock: Callable[[], float]
    """Seconds that only ever grow."""
    sleep: Callable[[float], None]
    chance: Callable[[], float]
    """A number from 0 to 1."""

    def rounds(self) -> Iterator[int]:
        """Yield the number of each round, with a pause before each but the first."""
        end = self.clock() + LIMIT_S
        for lost in count():
            yield lost
            longest = min(_FIRST_PAUSE_S * 2.0**lost, _LONGEST_PAUSE_S)
            pause = longest * (1 + self.chance()) / 2
            if lost + 1 >= ROUNDS and self.clock() + pause > end:
                return
            self.sleep(pause)


def push_snapshot(
    repository: Repository,
    branch: Branch,
    author: str | None,
    take: Callable[[], SnapshotResult],
    patience: Patience,
) -> SnapshotResult:
    """Take a snapshot on what the remote has, and push it.

    `repository` is the work tree in which `take` commits to HEAD.

    Raises:
        Refused: the remote moved again and again, or people's unsent commits conflict with it.
        GitError: the remote cannot be reached; what was committed is pushed by the next run.
    """
    unreachable = _catch_up(repository, branch, author)
    result = take()
    if unreachable and not isinstance(unreachable, _Locked):
        raise unreachable

    def take_again() -> None:
        nonlocal result
        before = repository.head()
        catch_up(repository, branch, author)
        if repository.head() != before:
            result = take()

    sent = _push_patiently(repository, branch, take_again, patience)
    return replace(result, pushed=sent)


def push_commit(
    repository: Repository, branch: Branch, author: str | None, patience: Patience
) -> None:
    """Push a person's commit, on top of what the remote has by then.

    Raises:
        Refused: it conflicts with what the remote has, or that moved again and again.
        GitError: the remote cannot be reached.
    """
    _push_patiently(repository, branch, lambda: catch_up(repository, branch, author), patience)


def _push_patiently(
    repository: Repository, branch: Branch, catch_up_again: Callable[[], None], patience: Patience
) -> bool:
    """Push HEAD, after each lost race on top of what won it; tell whether anything was sent.

    Raises:
        Refused: too many races were lost.
        GitError: the remote cannot be reached, or stays locked.
    """
    problem: ExporterError = _gave_up(branch)
    for lost in patience.rounds():
        try:
            if lost:
                catch_up_again()
            came_to = _push(repository, branch)
        except _Locked as error:
            problem = error
            continue
        if came_to is not _Remote.MOVED_ON:
            return came_to is _Remote.GOT_IT
        problem = _gave_up(branch)
    raise problem


def catch_up(repository: Repository, branch: Branch, author: str | None) -> None:
    """Bring what the remote has, with what is not sent yet on top.

    Raises:
        Refused: people's unsent commits conflict with it.
        GitError: the remote cannot be reached.
    """
    if failed := _catch_up(repository, branch, author):
        raise failed


def _gave_up(branch: Branch) -> Refused:
    return Refused(
        f"{branch.name} moved on {branch.remote} again and again while this run was pushing",
        hint="run again",
    )


def review_tree(repository: Repository, branch: Branch, *, pushed: bool) -> Repository:
    """Return a work tree of its own for a branch, detached at the commit to go on from.

    That is the branch, as the remote has it where it is to be `pushed`; HEAD, where there is no
    such branch yet or it has been merged.

    Raises:
        UsageError: the branch is the one that is checked out.
    """
    with only_one(repository):
        recover(repository)
        _drop_broken_trees(repository)
        return _linked_tree(repository, branch, _review_base(repository, branch, pushed=pushed))


def _review_base(repository: Repository, branch: Branch, *, pushed: bool) -> Commit:
    head = repository.resolve("HEAD")
    if branch.ref in repository.git("worktree", "list", "--porcelain").decode().split():
        raise UsageError(
            f"{branch.name} is checked out", hint="leave --branch out, or name another branch"
        )
    tip = repository.find(branch.ref)
    sent = _remote_tip(repository, branch) if pushed else None
    if tip and sent and not repository.is_ancestor(tip.sha, sent.sha):
        unsent = _unsent(repository, sent, tip)
        if any(mark is not Mark.SNAPSHOT for _, mark in unsent):
            raise Refused(
                f"the local branch {branch.name} has commits that {branch.remote} has not",
                hint=f"push them: `git push {branch.remote} {branch.name}`, then run again",
            )
    base = sent or tip or head
    return head if repository.is_ancestor(base.sha, head.sha) else base


def keep_branch(repository: Repository, branch: Branch, tip: Commit) -> None:
    """Let a local branch name the commit that was made for it."""
    old = repository.find(branch.ref)
    if old != tip:
        repository.move_ref(branch.ref, "exporter snapshot", tip.sha, old.sha if old else "")


def _linked_tree(repository: Repository, branch: Branch, base: Commit) -> Repository:
    name = hashlib.sha256(branch.name.encode(errors="surrogateescape")).hexdigest()[:16]
    place = repository.private_dir / "branches" / f"{_TREES}{name}"
    try:
        return _checked_out(Repository(place), base)
    except Refused:
        raise  # another run is at work there
    except (ExporterError, OSError):
        return _new_tree(repository, place, base.sha)


def _new_tree(repository: Repository, place: Path, commit: str) -> Repository:
    """Make a linked work tree, whatever a killed run left there."""
    _drop_tree(repository, place)
    repository.git("worktree", "add", "--quiet", "--detach", str(place), commit)
    return Repository(place)


def _drop_tree(repository: Repository, place: Path) -> None:
    for folder in (place, _trees(repository) / place.name):
        shutil.rmtree(folder, ignore_errors=True)


def _drop_broken_trees(repository: Repository) -> None:
    """Remove what is left of a tree where a git was killed as it made it: others die of that."""
    for folder in _trees(repository).glob(f"{_TREES}*"):
        files = [folder / name for name in ("commondir", "gitdir", "HEAD")]
        if not all(file.is_file() and file.stat().st_size for file in files):
            shutil.rmtree(folder)


def _trees(repository: Repository) -> Path:
    """Return the folder in which git keeps what it knows of linked work trees."""
    return repository.root / repository.git("rev-parse", "--git-path", "worktrees").decode().strip()


def _checked_out(tree: Repository, base: Commit) -> Repository:
    """Bring a linked work tree to a commit, whatever a killed run left in it."""
    if not (tree.root / ".git").is_file():
        raise GitError(f"{tree.root} is no linked work tree")
    with only_one(tree):
        recover(tree)
        tree.git("checkout", "--quiet", "--force", "--detach", base.sha)
        tree.git("clean", "--quiet", "--force", "-d", "-x")
    return tree


def _catch_up(repository: Repository, branch: Branch, author: str | None) -> GitError | None:
    """Put what is not sent yet on top of what the remote has; snapshots are dropped for that.

    A remote that cannot be reached is returned: the snapshot can be taken all the same.
    """
    with only_one(repository):
        recover(repository)
        _drop_broken_trees(repository)
        try:
            sent = _remote_tip(repository, branch)
        except GitError as error:
            return error
        head = repository.head()
        if sent is None or head is None or repository.is_ancestor(sent.sha, head.sha):
            return None
        unsent = _unsent(repository, sent, head)
        theirs = [sha for sha, mark in unsent if mark is not Mark.SNAPSHOT]
        go_to(repository, _rebased(repository, sent, theirs, author) if theirs else sent)
    return None


def _rebased(
    repository: Repository, base: Commit, theirs: Sequence[str], author: str | None
) -> Commit:
    """Put people's commits, newest first, on a new base; the work tree stays as it is.

    Raises:
        Refused: they conflict with it.
    """
    place = repository.private_dir / f"{_TREES}rebase"
    tree = _new_tree(repository, place, base.sha)
    try:
        for sha in reversed(theirs):
            command = ["rebase", "--quiet", "--onto", "HEAD", f"{sha}^", sha]
            tree.git(*command, env=_committer(author))
        return tree.resolve("HEAD")
    except GitError as error:
        raise Refused(
            f"commits in {repository.root} that were never pushed conflict with the remote's",
            hint="run `git pull --rebase` there and settle the conflict, then run again",
        ) from error
    finally:
        _drop_tree(repository, place)


def _unsent(repository: Repository, base: Commit, head: Commit) -> list[tuple[str, Mark]]:
    """Return the commits that the remote does not have, newest first; merges are left out."""
    listing = repository.git(
        "log", "-z", "--no-show-signature", "--topo-order", "--no-merges", "--format=%H%n%B",
        f"{base.sha}..{head.sha}",
    )  # fmt: skip
    records = listing.decode(errors="replace").split("\0")
    return [(sha, mark_of(rest)) for sha, _, rest in (r.partition("\n") for r in records) if sha]


def _push(repository: Repository, branch: Branch) -> _Remote:
    """Push HEAD, unless the remote has something that we have not.

    Raises:
        GitError: it failed for another reason.
    """
    head = repository.head()
    sent = _remote_tip(repository, branch)
    if head is None or (sent and head.sha == sent.sha):
        return _Remote.HAS_IT
    if sent and not repository.is_ancestor(sent.sha, head.sha):
        return _Remote.MOVED_ON
    try:
        with repository.moving(branch.tracking, head.sha):
            _network(repository, "push", "--quiet", branch.remote, f"{head.sha}:{branch.ref}")
    except GitError:
        now = _remote_tip(repository, branch)
        if now and now.sha == head.sha:  # it arrived, though its answer did not
            return _Remote.GOT_IT
        if now == sent or (now and repository.is_ancestor(now.sha, head.sha)):
            raise
        return _Remote.MOVED_ON
    return _Remote.GOT_IT


def _remote_tip(repository: Repository, branch: Branch) -> Commit | None:
    """Return the commit of a branch on the remote, fetched; None where it has no such branch."""
    listing = _network(repository, "ls-remote", branch.remote, branch.ref).split()
    if not listing:
        return None
    sha = listing[0].decode()
    found = repository.find(sha)
    if found is None:
        with repository.moving(branch.tracking, sha):
            _network(repository, "fetch", "--quiet", "--no-tags", branch.remote, branch.ref)
        found = repository.find(sha)
    return found or repository.resolve("FETCH_HEAD")


def _network(repository: Repository, *arguments: str) -> bytes:
    try:
        return repository.git(*arguments, env=_QUIET)
    except GitError as error:
        message = _CREDENTIALS.sub("", error.message)
    # Not `from error`: its words may hold the credentials of the remote's URL.
    if _LOCKED.search(message):
        raise _Locked(message, hint="if no git is at work on that branch, remove its lock file")
    raise GitError(message, hint="see whether the remote can be reached, then run again")


def _committer(author: str | None) -> dict[str, str]:
    if not author:
        return {}
    name, _, email = author.rpartition(" <")
    return {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": email.removesuffix(">")}
