"""The git repository that holds the content: commits, trees, blobs and differences.

Everything runs as one git command each (`commands`): GitPython's object layer is 10 to 30 times
slower at this size (`docs/decisions`). Paths given and returned are relative to the repository's
root. Refs from users never stand where git would take them for options.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from exporter.content.commands import Git
from exporter.content.index import (
    changed_index,
    drop_dead_index_lock,
    drop_dead_ref_locks,
    moving_refs,
    scratch_index,
)
from exporter.content.trees import tree_with
from exporter.core.wording import near
from exporter.errors import GitError, Refused, UsageError

__all__ = ["Commit", "Repository"]

_IN_PROGRESS = ("MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: full hash and committer time in Unix seconds."""

    sha: str
    time: int


class Repository:
    """A git work tree, found from any folder inside it."""

    def __init__(self, inside: Path) -> None:
        """Find the repository around a folder.

        Raises:
            GitError: git is missing, or the folder is in no repository.
        """
        folder = inside if inside.is_dir() else inside.parent
        self._git = Git(folder)
        try:
            top = self._text("rev-parse", "--show-toplevel")
        except GitError as error:
            if "not a git repository" not in error.message:
                raise
            raise GitError(
                f"{folder} is not inside a git repository",
                hint="run `exporter init` there, or `git init`",
            ) from error
        self.root = Path(top)
        self._git = Git(self.root)

    def path_of(self, folder: Path) -> str:
        """Return the snapshot's folder relative to the root, with `/`.

        Raises:
            Refused: it lies outside the repository.
        """
        try:
            relative = folder.resolve().relative_to(self.root.resolve())
        except ValueError as error:
            raise Refused(
                f"the snapshot folder {folder} lies outside the repository {self.root}",
                hint="correct `snapshot.path` in exporter.yaml",
            ) from error
        return relative.as_posix()

    @property
    def private_dir(self) -> Path:
        """Return the folder inside `.git` for what is ours and never committed."""
        folder = self._git_dir / "exporter"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def _git_dir(self) -> Path:
        return Path(self._text("rev-parse", "--absolute-git-dir"))

    def head(self) -> Commit | None:
        """Return HEAD's commit, or None before the first one."""
        return self.find("HEAD")

    def find(self, ref: str) -> Commit | None:
        """Return the commit that a ref or hash names, or None where it is not in this clone."""
        if ref.startswith("-"):
            raise UsageError(f"{ref!r} is no git ref", hint="name a commit, a branch or a tag")
        try:
            found = self._text(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
            )
        except GitError:
            return None
        sha = found.splitlines()[-1]
        return Commit(sha, int(self._text("show", "-s", "--format=%ct", sha)))

    def resolve(self, ref: str) -> Commit:
        """Return the commit that a ref names.

        Raises:
            UsageError: there is no such commit here.
        """
        commit = self.find(ref)
        if commit is None:
            hint = "check the name; in a shallow clone `git fetch --unshallow` brings the history"
            if self.head() is None:
                hint = "nothing was committed yet: take a snapshot with `exporter snapshot`"
            named = self._text("for-each-ref", "--format=%(refname:short)").split()
            hint = near(ref, named, hint)
            raise UsageError(f"there is no commit {ref!r} in {self.root}", hint=hint)
        return commit

    def has_folder(self, commit: str, folder: str) -> bool:
        """Tell whether a commit has a folder of that path."""
        kind = self._run(["cat-file", "-t", f"{commit}:{folder}"], check=False)
        return kind[1].strip() == b"tree"

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Tell whether a commit is the other or one of its ancestors."""
        status, _, problem = self._run(["merge-base", "--is-ancestor", older, newer], check=False)
        if status not in (0, 1):
            raise GitError(f"git merge-base failed: {problem.strip()}")
        return status == 0

    def log(self, base: str | None, target: str, folder: str) -> list[dict[str, str]]:
        """Return the commits after `base` that touch a folder, newest first."""
        span, keys = (
            f"{base}..{target}" if base else target,
            ("commit", "subject", "author", "date"),
        )
        listing = self._text("log", "--format=%H%x00%s%x00%an%x00%aI", span, "--", f"{folder}/")
        rows = (line.split("\0") for line in listing.split("\n") if line)
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def tree(self, commit: str, folder: str) -> dict[str, str]:
        """Return the blob hashes of the files below a folder, by path relative to the folder."""
        listed = self._listed_tree(commit, "--", f"{folder}/")
        return {path[len(folder) + 1 :]: blob for path, blob in listed}

    def files(self, commit: str) -> dict[str, str]:
        """Return the blob hashes of all files of a commit by path."""
        return dict(self._listed_tree(commit))

    def _listed_tree(self, *asked: str) -> Iterator[tuple[str, str]]:
        listing = self._bytes("ls-tree", "-r", "-z", "--full-tree", *asked)
        for line in listing.decode(errors="surrogateescape").split("\0")[:-1]:
            meta, _, path = line.partition("\t")
            yield path, meta.rpartition(" ")[2]

    def changed_paths(self, base: str, target: str, folder: str) -> set[str]:
        """Return the paths below a folder, relative to it, that differ between two commits."""
        listing = self._bytes(
            "diff-tree", "-r", "-z", "--name-only", "--no-renames", base, target, "--", f"{folder}/"
        )
        start = len(folder) + 1
        return {
            path.decode(errors="surrogateescape")[start:] for path in listing.split(b"\0") if path
        }

    def differing(self, old: str, new: str) -> dict[str, str]:
        """Return the files that differ between two commits: the newer one's blobs, empty for none.

        Submodules are left out.
        """
        listing = self._bytes(
            "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new
        )
        parts = listing.decode(errors="surrogateescape").split("\0")
        entries = (
            (meta.split(), path) for meta, path in zip(parts[::2], parts[1::2], strict=False)
        )
        return {
            path: blob.strip("0") and blob
            for (was, mode, _, blob, _), path in entries
            if _SUBMODULE not in (was.lstrip(":"), mode)
        }

    def blobs(self, hashes: Iterable[str]) -> Iterator[bytes]:
        """Yield the contents of blobs in the order asked for, through one git process."""
        wanted = list(hashes)
        if not wanted:
            return
        with tempfile.TemporaryFile() as asked:
            asked.write("".join(f"{sha}\n" for sha in wanted).encode())
            asked.seek(0)
            with self._git.started(["cat-file", "--batch", "--buffer"], asked) as stream:
                for sha in wanted:
                    header = stream.readline().split()
                    if len(header) != 3:
                        raise GitError(
                            f"blob {sha} is missing from {self.root}", hint="run `git fsck`"
                        )
                    yield stream.read(int(header[2]))
                    stream.read(1)

    def check_out_aside(self, commit: Commit, paths: Sequence[str], folder: Path) -> None:
        """Write files of a commit below a folder of ours, as git would into the work tree."""
        index = scratch_index(self.private_dir)
        environment = {"GIT_INDEX_FILE": str(index)}
        self._run(["read-tree", commit.sha], env=environment)
        command = ["checkout-index", "--quiet", f"--prefix={folder}/", "-z", "--stdin"]
        self._run(command, feed=_listing(paths), env=environment)
        index.unlink()

    def dirty_paths(self, *below: str) -> list[str]:
        """Return what is uncommitted below some paths: changed, staged or untracked."""
        listing = self._bytes(
            "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *below
        )
        return [line[3:].decode(errors="replace") for line in listing.split(b"\0") if line]

    def operation_in_progress(self) -> str:
        """Return the merge, rebase, … that waits to be finished; empty where none does."""
        return next((name for name in _IN_PROGRESS if (self._git_dir / name).exists()), "")

    def require_identity(self, author: str | None) -> None:
        """Make sure that a commit has a name to be made in; one guessed from the machine is none.

        Raises:
            UsageError: there is no `author`, and git's configuration and environment name nobody.
        """
        for asked in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            command = ["-c", "user.useConfigOnly=true", "var", asked]
            if self._run(command, env=_identity(author), check=False)[0]:
                raise self._nobody()

    def commit_files(
        self, message: str, blobs: Mapping[str, str], *, author: str | None, parent: Commit | None
    ) -> Commit:
        """Commit files of the work tree, given their blobs, and nothing else that is staged.

        An empty blob is no file. HEAD moves only if it still is `parent`.

        Raises:
            GitError: a lost race, or git failed; HEAD is as it was.
            UsageError: git does not know in whose name to commit.
        """
        with changed_index(self.private_dir) as index:
            sha = self._commit_object(message, blobs, author, parent)
            self.move_ref("HEAD", message.splitlines()[0], sha, parent.sha if parent else "")
            self._stage(_listing(blobs), index)
        return self.resolve(sha)

    def move_ref(self, ref: str, why: str, new: str, old: str) -> None:
        """Let a ref name another commit, if it still is at `old`; an empty one is no commit.

        Raises:
            GitError: a lost race, or git failed; the ref is as it was.
        """
        with self.moving(ref, new):
            self._run(["update-ref", "-m", why, ref, new, old or "0" * len(new)])

    def moving(self, ref: str, new: str) -> AbstractContextManager[None]:
        """Note that a git is giving a ref another commit, so that its lock does not outlive it."""
        drop_dead_ref_locks(self.private_dir, self._lock_of)
        behind = self._run(["symbolic-ref", "-q", ref], check=False)[1].decode().split()
        return moving_refs(self.private_dir, new, [ref, *behind])

    def advance(self, new: Commit, old: Commit, paths: Sequence[str]) -> None:
        """Move HEAD's branch from one commit to another, of which the files are in place.

        `paths` are those that differ.

        Raises:
            GitError: a lost race, or git failed.
        """
        with changed_index(self.private_dir) as index:
            self.move_ref("HEAD", "exporter: catch up", new.sha, old.sha)
            self._stage(_listing(paths), index)

    def revert(self, ref: str, *, author: str | None) -> Commit:
        """Commit the opposite of a commit, as `git revert` does.

        Raises:
            GitError: the revert does not apply; the work tree is as it was.
        """
        commit = self.resolve(ref)
        self.require_identity(author)
        try:
            self._run(["revert", "--no-edit", commit.sha], env=_identity(author))
        except GitError:
            self._run(["revert", "--abort"], check=False)
            raise
        return self.resolve("HEAD")

    def stage(self, paths: Sequence[str]) -> None:
        """Put paths into the index as they stand in the work tree."""
        with changed_index(self.private_dir) as index:
            self._stage(_listing(paths), index)

    def drop_dead_locks(self) -> None:
        """Remove what a killed run of ours left locked; the caller keeps other runs out."""
        drop_dead_index_lock(self.private_dir)
        drop_dead_ref_locks(self.private_dir, self._lock_of)

    def _lock_of(self, ref: str) -> Path:
        return self.root / self._text("rev-parse", "--git-path", f"{ref}.lock")

    def _commit_object(
        self, message: str, blobs: Mapping[str, str], author: str | None, parent: Commit | None
    ) -> str:
        """Make a commit of the parent's tree with these files."""
        tree = tree_with(self._git, parent.sha if parent else "", blobs)
        command = ["commit-tree", tree, *(["-p", parent.sha] if parent else []), "-F", "-"]
        try:
            made = self._run(command, feed=message.encode(), env=_identity(author))
        except GitError as error:
            if "identity" not in error.message and "user.email" not in error.message:
                raise
            raise self._nobody() from error
        return made[1].decode().strip()

    def _stage(self, listing: bytes, index: Path) -> None:
        command = ["update-index", "-q", "-z", "--add", "--remove", "--stdin"]
        self._run(command, feed=listing, env={"GIT_INDEX_FILE": str(index)})

    def git(
        self, *arguments: str, feed: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> bytes:
        """Run one git command and return its output, for what has no method of its own.

        Raises:
            GitError: it failed.
        """
        return self._run(list(arguments), feed=feed, env=env)[1]

    def _nobody(self) -> UsageError:
        return UsageError(
            f"git does not know in whose name to commit in {self.root}",
            hint="set `snapshot.author` in exporter.yaml, or run "
            '`git config user.name "…"` and `git config user.email "…"`',
        )

    def _text(self, *arguments: str) -> str:
        return self._bytes(*arguments).decode(errors="replace").strip()

    def _bytes(self, *arguments: str) -> bytes:
        return self._run(list(arguments))[1]

    def _run(
        self,
        arguments: list[str],
        *,
        feed: bytes | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> tuple[int, bytes, str]:
        return self._git.run(arguments, feed=feed, env=env, check=check)


def _listing(paths: Iterable[str]) -> bytes:
    return "".join(f"{path}\0" for path in paths).encode(errors="surrogateescape")


def _identity(author: str | None) -> dict[str, str]:
    """Return the environment that makes git commit in the name of `Name <email>`."""
    if not author:
        return {}
    name, _, email = author.rpartition("<")
    name, email = name.strip(), email.rstrip(">").strip()
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
