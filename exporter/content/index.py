"""git's index, changed so that a killed run leaves nothing that blocks anybody.

The index is changed as git does it: under `index.lock`, in a copy, which then takes its place. Our
lock holds a text that no index of git's has, so a later run knows a dead run's lock from that of a
git at work. Snapshots keep each other out (`worktree.only_one`), so a lock of ours that is there
when a run begins is a dead one's. The locks that a git of ours takes are told by a note of the refs
and of the hash that it gives them. A note itself is locked for as long as its run lives.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from exporter.errors import GitError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "changed_index",
    "drop_dead_index_lock",
    "drop_dead_ref_locks",
    "moving_refs",
    "scratch_index",
    "take_flock",
]

_OURS = b"an exporter snapshot is changing the index\n"
_NOTE = "moving."
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


def drop_dead_index_lock(private_dir: Path) -> None:
    """Remove the index's lock of a killed run of ours; the caller keeps other snapshots out."""
    lock = _lock(private_dir)
    if _holds(lock, _OURS.__eq__):
        lock.unlink()


def drop_dead_ref_locks(private_dir: Path, lock_of: Callable[[str], Path]) -> None:
    """Remove the locks of refs that a killed run's git held; `lock_of` returns where they lie."""
    for note in private_dir.glob(f"{_NOTE}*"):
        with suppress(FileNotFoundError), note.open("rb") as handle:
            if take_flock(handle):
                sha, *refs = handle.read().decode().splitlines() or [""]
                _drop_ref_locks(f"{sha}\n".encode(), map(lock_of, refs))
                note.unlink()


@contextmanager
def moving_refs(private_dir: Path, sha: str, refs: Sequence[str]) -> Iterator[None]:
    """Leave a note of refs that a git gives a hash, for as long as it does."""
    with ExitStack() as note:
        try:
            file = note.enter_context(tempfile.NamedTemporaryFile(prefix=_NOTE, dir=private_dir))
            take_flock(file)
            file.write("\n".join([sha, *refs]).encode())
            file.flush()
        except OSError as error:
            raise GitError(f"{private_dir} could not be written: {error.strerror}") from error
        yield


def take_flock(handle: IO[bytes]) -> bool:
    """Lock a file for as long as it is open; False where another process has it locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _drop_ref_locks(content: bytes, locks: Iterable[Path]) -> None:
    """Remove locks of a dead git's; one at work keeps a ref locked for an instant only.

    git writes into a lock bit by bit, so a dead one may have left less than the whole of it.
    """
    found = [lock for lock in locks if _holds(lock, content.startswith)]
    if found:
        time.sleep(_WAIT_S)
    for lock in found:
        if _holds(lock, content.startswith):
            lock.unlink()


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


def _holds(file: Path, expected: Callable[[bytes], bool]) -> bool:
    try:
        return expected(file.read_bytes())
    except FileNotFoundError:
        return False


def _clear(index: Path) -> None:
    for left in (index, index.with_name(f"{index.name}.lock")):
        left.unlink(missing_ok=True)
