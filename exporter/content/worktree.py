"""Writing snapshot files into the work tree so that a kill at any point can be undone.

Before the first file is touched, `intent.json` inside `.git` lists what is going to be written; it
is removed after the commit. A run that finds one puts those files back, unless somebody else has
edited them since. Each file is written under a temporary name and renamed. git writes a file in its
place, bit by bit, so going over to another commit is done here too, by the same rules.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from exporter.content.index import take_flock
from exporter.content.objects import hash_files, storing
from exporter.content.repository import Commit, Repository
from exporter.content.texts import Texts
from exporter.errors import GitError, Refused

__all__ = ["Writes", "finished", "go_to", "only_one", "recover", "write"]

_TEMPORARY = ".~snapshot"


@dataclass(frozen=True, slots=True)
class Writes:
    """Files to write and to delete, by path relative to the repository's root."""

    blobs: Mapping[str, str]
    """The blob hashes of the files to write."""
    deletions: Sequence[str]

    @property
    def planned(self) -> dict[str, str]:
        """Return the blob of every path that is touched; empty where the file is deleted."""
        return {**self.blobs, **dict.fromkeys(self.deletions, "")}


@contextmanager
def only_one(repository: Repository) -> Iterator[None]:
    """Keep a second snapshot in the same clone out while this one runs.

    Raises:
        Refused: another process holds the lock; the system frees it when that process ends.
        GitError: the disk is full or refuses, in the block too.
    """
    try:
        with (repository.private_dir / "lock").open("ab+") as handle:
            if not take_flock(handle):
                raise Refused(
                    f"another snapshot is running in {repository.root}",
                    hint="wait until it has ended; it is safe to run again then",
                )
            yield
    except OSError as error:
        raise _disk_refused(repository, error) from error


def write(repository: Repository, writes: Writes, texts: Texts) -> None:
    """Write and delete files, and put their blobs into git.

    A note of it inside `.git` stays until `finished`.

    Raises:
        GitError: the disk is full or refuses; what was written is undone.
    """
    with _undone_at_failure(repository):
        _intend(repository, writes.planned)
        _write_files(repository, writes.blobs, texts)
        for path in writes.deletions:
            _delete(repository.root, path)


def go_to(repository: Repository, commit: Commit) -> None:
    """Bring the branch that is checked out to another commit, and the files that differ with it.

    The caller keeps other snapshots out.

    Raises:
        Refused: there are uncommitted edits in such files.
        GitError: git failed, or the disk is full; everything is as it was.
    """
    head = repository.resolve("HEAD")
    planned = repository.differing(head.sha, commit.sha)
    edited = sorted(planned.keys() & set(repository.dirty_paths(".")))
    if edited:
        raise Refused(
            f"uncommitted edits in {repository.root} are in the way of the remote's: "
            + ", ".join(edited[:5]),
            hint="commit them or drop them, then run again",
        )
    with _undone_at_failure(repository):
        _intend(repository, planned)
        _place(repository, commit, planned)
        repository.advance(commit, head, sorted(planned))
    finished(repository)


def finished(repository: Repository) -> None:
    """Forget the note: what was written is committed, or meant to stay uncommitted."""
    _intent(repository).unlink(missing_ok=True)


def recover(repository: Repository) -> bool:
    """Undo what a killed snapshot left in the work tree; tell whether there was anything.

    A file that is neither as planned nor as HEAD has it was edited by somebody since: it stays.
    The caller keeps other snapshots out.
    """
    repository.drop_dead_locks()
    intent = _intent(repository)
    try:
        planned: dict[str, str] = json.loads(intent.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        planned = {}
    for path in planned:
        (repository.root / path).with_name(_TEMPORARY).unlink(missing_ok=True)
    _put_back(repository, planned)
    intent.unlink()
    return True


def _put_back(repository: Repository, planned: Mapping[str, str]) -> None:
    """Make files HEAD's again where they are as planned, in the work tree and in the index."""
    head = repository.head()
    committed = repository.files(head.sha) if head else {}
    found = hash_files(repository, planned)
    ours = [path for path in sorted(planned) if found[path] == planned[path]]
    for path, blob in found.items():
        if path not in committed and (blob == planned[path] or not blob):
            _delete(repository.root, path)  # or the empty folder that was made for it
    if head:
        differing = (path for path in ours if committed.get(path, "") != planned[path])
        _place(repository, head, {path: committed.get(path, "") for path in differing})
    repository.stage(ours)


def _place(repository: Repository, commit: Commit, files: Mapping[str, str]) -> None:
    """Make files those of a commit, with their modes and as git's filters have them."""
    root, aside = repository.root, repository.private_dir / "aside"
    shutil.rmtree(aside, ignore_errors=True)
    for path, blob in files.items():
        if not blob:
            _delete(root, path)
    there = [path for path, blob in files.items() if blob]
    repository.check_out_aside(commit, there, aside)
    for path in there:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        temporary = (root / path).with_name(_TEMPORARY)
        shutil.copy(aside / path, temporary, follow_symlinks=False)
        temporary.replace(root / path)
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _undone_at_failure(repository: Repository) -> Iterator[None]:
    try:
        yield
    except (OSError, GitError) as error:
        with suppress(OSError, GitError):  # where there is no room for that, the next run does it
            recover(repository)
        if isinstance(error, GitError):
            raise
        raise _disk_refused(repository, error) from error


def _disk_refused(repository: Repository, error: OSError) -> GitError:
    return GitError(
        f"the clone could not be written: {error.strerror}: {error.filename or repository.root}",
        hint="make room or mend the permissions, then run again; nothing was committed",
    )


def _intent(repository: Repository) -> Path:
    return repository.private_dir / "intent.json"


def _intend(repository: Repository, planned: Mapping[str, str]) -> None:
    """Note which blobs files are going to have; an empty one: none."""
    _write_file(str(_intent(repository)), json.dumps(planned).encode())


def _write_files(repository: Repository, blobs: Mapping[str, str], texts: Texts) -> None:
    """Write files, while git stores what it has not."""
    root, last = str(repository.root), ""
    with storing(repository) as store:
        for (path, blob), data in zip(blobs.items(), texts.blobs(blobs.values()), strict=True):
            folder = path.rpartition("/")[0]
            if folder != last:
                Path(root, folder).mkdir(parents=True, exist_ok=True)
                last = folder
            if blob in texts:
                store(data)
            _write_file(f"{root}/{path}", data)


def _write_file(path: str, data: bytes) -> None:
    """Write a file under a temporary name and rename it; `Path` would take as long again."""
    temporary = f"{path.rpartition('/')[0]}/{_TEMPORARY}"
    try:
        with open(temporary, "wb") as file:  # noqa: PTH123
            file.write(data)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _delete(root: Path, path: str) -> None:
    file = root / path
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == root:
            return
        if folder.is_dir():
            if any(folder.iterdir()):
                return
            folder.rmdir()
