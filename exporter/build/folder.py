"""A build's folder, written beside the old one and put in its place as a whole (spec 6).

Both folders change places in one step of the system, so whenever a build is killed, what stands
under the name is the old folder or the new one, whole. Where a system cannot do that, the old one
is moved away first, and the next build puts it back. A build holds a lock on what it writes; what
is left without one was killed, and is removed.
"""

from __future__ import annotations

import ctypes
import fcntl
import glob
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.core.artifacts import Artifact
from exporter.errors import OutsideError, UsageError

__all__ = ["Staging"]

_MARK = ".exporter-build"


class Staging:
    """A folder in the making; what is there stays until `replace`, also if this is killed."""

    def __init__(self, out: Path) -> None:
        """Prepare to replace a folder.

        Raises:
            UsageError: it is there, is not empty, and no build made it.
        """
        self._out = out.resolve()
        self._clean_up()
        if self._out.exists() and any(self._out.iterdir()) and not (self._out / _MARK).exists():
            raise UsageError(
                f"{out} holds files that no build wrote; a build replaces the whole folder",
                hint="choose an empty folder with --out, or empty this one yourself",
            )
        self._new = self._out.with_name(f".{self._out.name}.{secrets.token_hex(4)}")
        self._folders: set[str] = set()
        self._has_old = self._out.exists()
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self._new.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._new.parent):
                self._new.mkdir()
                self._lock = os.open(self._new / _MARK, os.O_CREAT | os.O_WRONLY, 0o666)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
        except OSError as error:
            raise OutsideError(f"{self._new} cannot be made: {error.strerror}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._new, ignore_errors=True)
        os.close(self._lock)
        if isinstance(error, OSError):
            raise OutsideError(
                f"{self._out} cannot be written: {error.strerror}",
                hint="make room, or choose another folder with --out",
            ) from error

    def add(self, artifact: Artifact) -> None:
        """Write one published file."""
        self.write(artifact.key, artifact.data)

    def write(self, path: str, data: bytes) -> None:
        """Write one file; one that stands in the old folder as it is becomes a link to that.

        A new file after many were deleted takes ext4 ten times as long (docs/decisions/0007).
        """
        file, folder = f"{self._new}/{path}", path.rpartition("/")[0]
        if folder not in self._folders:
            Path(f"{self._new}/{folder}").mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        if not (self._has_old and _link_if_same(self._out / path, Path(file), data)):
            with open(file, "wb", buffering=0) as opened:  # noqa: PTH123 - 100,000 files or more
                _write_all(opened, data)

    def keep_only(self, keys: set[str]) -> None:
        """Remove the files of plans that turned out to be held back, and the folders left empty."""
        start = len(f"{self._new}/")
        for folder, _, names in os.walk(self._new, topdown=False):
            above = f"{folder}/"[start:]
            for name in names:
                if name != _MARK and above + name not in keys:
                    Path(folder, name).unlink()
            if not any(Path(folder).iterdir()):
                Path(folder).rmdir()

    def replace(self) -> None:
        """Put the new folder in the place of the old one."""
        with _locked(self._out.parent):
            if not self._out.exists():
                self._new.rename(self._out)
            elif not _exchange(self._new, self._out):
                old = self._new.with_name(f"{self._new.name}.old")
                self._out.rename(old)
                self._new.rename(self._out)
                old.rename(self._new)

    def _clean_up(self) -> None:
        """Put back an old folder that a killed build moved away, and remove what such ones left."""
        if not self._out.parent.is_dir():
            return
        with _locked(self._out.parent):
            for left in self._left(".old"):
                if self._out.exists():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.rename(self._out)
            for left in self._left(""):
                if not _is_being_written(left):
                    shutil.rmtree(left, ignore_errors=True)

    def _left(self, ending: str) -> list[Path]:
        digits = "[0-9a-f]" * 8
        return sorted(self._out.parent.glob(f".{glob.escape(self._out.name)}.{digits}{ending}"))


def _write_all(file: RawIOBase, data: bytes) -> None:
    """Write without a buffer, which may take several steps."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) or 0 :]


def _link_if_same(old: Path, new: Path, data: bytes) -> bool:
    """Make a link to an old file that has these bytes; False where that cannot be."""
    try:
        with old.open("rb") as file:
            seen = os.fstat(file.fileno())
            if seen.st_size != len(data) or file.read() != data:
                return False
        new.hardlink_to(old)
        if os.path.samestat(new.stat(), seen):
            return True
        new.unlink()  # another build replaced the old folder in between
    except OSError:  # it is not there, or this file system has no links
        return False
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one build at a time move folders there."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_being_written(folder: Path) -> bool:
    """Tell whether a build that lives holds the lock of its folder."""
    try:
        descriptor = os.open(folder / _MARK, os.O_WRONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places at once; False where the system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    with suppress(AttributeError):
        if sys.platform == "darwin":
            return bool(library.renamex_np(*paths, 2) == 0)  # RENAME_SWAP
        here = -100  # AT_FDCWD
        return bool(library.renameat2(here, paths[0], here, paths[1], 2) == 0)  # RENAME_EXCHANGE
    return False
