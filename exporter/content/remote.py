"""Sending snapshots to the remote repository, never by force (spec 2, step 7).

Only the snapshot folder is ours, so a lost race is settled by starting again on what won it: our
unsent snapshots are dropped and one is taken on the new base. It holds whatever they held, and
nothing twice; and a rollback that people made meanwhile is seen. People's unsent commits are put on
top of what won. A branch for review has a work tree of its own inside `.git`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.content.repository import Commit, Repository
from exporter.content.snapshot import SnapshotResult
from exporter.content.worktree import go_to, only_one, recover
from exporter.core.holds import Mark, mark_of
from exporter.errors import ExporterError, GitError, Refused, UsageError

__all__ = [
    "Branch",
    "branch_of",
    "catch_up",
    "check_branch_name",
    "keep_branch",
    "push_commit",
    "push_snapshot",
    "remote_name",
    "review_tree",
]

ROUNDS = 5
"""Lost races in a row after which a run gives up; the next one tries again."""

_TREES = "exporter-"
"""Before the names of our linked work trees, by which git's own folders for them are known."""

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_QUIET = {"GIT_TERMINAL_PROMPT": "0"}


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
        UsageError: none is, or there is no remote.
    """
    try:
        name = repository.git("symbolic-ref", "--short", "HEAD").decode().strip()
    except GitError as error:
        raise UsageError(
            f"{repository.root} has no branch checked out",
            hint="check one out: `git switch main`",
        ) from error
    return Branch(remote_name(repository), name)


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


def push_snapshot(
    repository: Repository, branch: Branch, author: str | None, take: Callable[[], SnapshotResult]
) -> SnapshotResult:
    """Take a snapshot on what the remote has, and push it.

    `repository` is the work tree in which `take` commits to HEAD.

    Raises:
        Refused: the remote moved again and again, or people's unsent commits conflict with it.
        GitError: the remote cannot be reached; what was committed is pushed by the next run.
    """
    unreachable = _catch_up(repository, branch, author)
    result = take()
    if unreachable:
        raise unreachable
    for _ in range(ROUNDS):
        if _push(repository, branch):
            return result
        catch_up(repository, branch, author)
        result = take()
    raise _gave_up(branch)


def push_commit(repository: Repository, branch: Branch, author: str | None) -> None:
    """Push a person's commit, on top of what the remote has by then.

    Raises:
        Refused: it conflicts with what the remote has, or that moved again and again.
        GitError: the remote cannot be reached.
    """
    for _ in range(ROUNDS):
        if _push(repository, branch):
            return
        catch_up(repository, branch, author)
    raise _gave_up(branch)


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
        f"{branch.name} moved on {branch.remote} {ROUNDS} times while this run was pushing",
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


def _push(repository: Repository, branch: Branch) -> bool:
    """Push HEAD; False where the remote has something that we have not.

    Raises:
        GitError: it failed for another reason.
    """
    head = repository.head()
    sent = _remote_tip(repository, branch)
    if head is None or (sent and head.sha == sent.sha):
        return True
    if sent and not repository.is_ancestor(sent.sha, head.sha):
        return False
    try:
        with repository.moving(branch.tracking, head.sha):
            _network(repository, "push", "--quiet", branch.remote, f"{head.sha}:{branch.ref}")
    except GitError:
        now = _remote_tip(repository, branch)
        if now == sent or (now and repository.is_ancestor(now.sha, head.sha)):
            raise
        return False
    return True


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
    raise GitError(message, hint="see whether the remote can be reached, then run again")


def _committer(author: str | None) -> dict[str, str]:
    if not author:
        return {}
    name, _, email = author.rpartition(" <")
    return {"GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": email.removesuffix(">")}
