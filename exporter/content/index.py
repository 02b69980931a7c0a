"""git's index, changed so that a killed run leaves nothing that blocks anybody.

The index is changed as git does it: under `index.lock`, in a copy, which then takes its place. Our
lock holds a text that no index of git's has, so a later run knows a dead run's lock from that of a
git at work. Snapshots keep each other out (`worktree.only_one`), so a lock of ours that is there
when a run begins is a dead one's. The same goes for a branch's lock: the hash in it tells.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.errors import GitError

__all__ = ["changed_index", "drop_dead_locks", "moving_branch", "scratch_index"]

_OURS = b"an exporter snapshot is changing the index\n"
_WAIT_S = 3.0
_PAUSE_S = 0.1


def scratch_index(private_dir: Path) -> Path:
    """Return the path of an index of our own, without what a killed run left there."""
    index = private_dir / "index.scratch"
    _clear(index)
    return index


@contextmanager
def changed_index(private_dir: Path) -> Iterator[Path]:
    """Lock git's index and yield a copy of it, which becomes the index at the end of the block.

    Raises:
        GitError: another git holds the lock for longer than one waits for, or the disk is full.
    """
    index = private_dir.parent / "index"
    copy = private_dir / "index.copy"
    with _locked(private_dir):
        try:
            _clear(copy)
            if index.exists():
                shutil.copyfile(index, copy)
            yield copy
            if copy.exists():
                copy.replace(index)
        except OSError as error:
            raise GitError(f"{index} could not be changed: {error.strerror}") from error


def drop_dead_locks(private_dir: Path, branch_locks: Callable[[], Iterable[Path]]) -> None:
    """Remove the locks of a killed run of ours: the index's, and those of the branch it moved.

    The caller keeps other snapshots out.
    """
    lock = _lock(private_dir)
    if _holds(lock, (_OURS,)):
        lock.unlink()
    note = _note(private_dir)
    if not note.exists():
        return
    # A git at work keeps a branch locked for an instant, and writes another hash into the lock.
    ours = (b"", note.read_bytes())
    found = [lock for lock in branch_locks() if _holds(lock, ours)]
    if found:
        time.sleep(_WAIT_S)
    for lock in found:
        if _holds(lock, ours):
            lock.unlink()
    note.unlink()


@contextmanager
def moving_branch(private_dir: Path, commit: str) -> Iterator[None]:
    """Leave a note of the commit that a branch is being moved to, for as long as it is."""
    note = _note(private_dir)
    note.write_text(f"{commit}\n", encoding="ascii")
    try:
        yield
    finally:
        note.unlink()


@contextmanager
def _locked(private_dir: Path) -> Iterator[None]:
    lock = _take_lock(private_dir)
    try:
        yield
    finally:
        lock.unlink()


def _take_lock(private_dir: Path) -> Path:
    marked = private_dir / "index.mark"
    marked.write_bytes(_OURS)
    lock = _lock(private_dir)
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            os.link(marked, lock)  # complete from its first moment on, unlike a file written to
        except FileExistsError as error:
            if time.monotonic() > deadline:
                raise GitError(
                    f"another git holds {lock}",
                    hint="wait until it has ended; if there is none, delete that file",
                ) from error
            time.sleep(_PAUSE_S)
        else:
            return lock


def _lock(private_dir: Path) -> Path:
    return private_dir.parent / "index.lock"


def _note(private_dir: Path) -> Path:
    return private_dir / "moving"


def _holds(file: Path, contents: Iterable[bytes]) -> bool:
    try:
        return file.read_bytes() in contents
    except FileNotFoundError:
        return False


def _clear(index: Path) -> None:
    for left in (index, index.with_name(f"{index.name}.lock")):
        left.unlink(missing_ok=True)
