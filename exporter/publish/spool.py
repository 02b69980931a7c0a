"""Setting the bytes of a large publish aside, in an unnamed file, until they are put.

What a small publish makes stays in memory. The file has no name, so nothing is left of it when the
process ends, however it ends.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from dataclasses import replace
from functools import partial

from exporter.core.artifacts import Artifact
from exporter.errors import OutsideError

__all__ = ["Spool"]

IN_MEMORY = 4 << 20
"""Bytes of a publish that are not set aside."""


class Spool:
    """Holds the files that a publish has made."""

    def __init__(self) -> None:
        self.artifacts: list[Artifact] = []
        self._held = 0
        self._file: int | None = None
        self._end = 0

    def add(self, artifact: Artifact) -> None:
        """Take a file; where there are many, its bytes leave the memory.

        Raises:
            OutsideError: the disk for temporary files is full.
        """
        size = len(artifact.data)
        self._held += size
        if self._held <= IN_MEMORY:
            self.artifacts.append(artifact)
            return
        stored = partial(_read, self, self._set_aside(artifact.data), size)
        self.artifacts.append(replace(artifact, stored=stored))

    def _set_aside(self, data: bytes) -> int:
        """Write bytes; return where they begin."""
        begin = self._end
        try:
            file = self.file
            while self._end - begin < len(data):
                self._end += os.pwrite(file, data[self._end - begin :], self._end)
        except OSError as error:
            folder = tempfile.tempdir or "any of the usual folders"
            raise OutsideError(
                f"a temporary file in {folder} cannot be written: {error.strerror}",
                hint="make room there, or set TMPDIR to a folder with some, and run it again",
            ) from error
        return begin

    @property
    def file(self) -> int:
        """Return the file's descriptor; it is open as long as any of its artifacts is there."""
        if self._file is None:
            self._file, path = tempfile.mkstemp(prefix="exporter-")
            os.unlink(path)  # noqa: PTH108 - beside mkstemp
            weakref.finalize(self, os.close, self._file)
        return self._file


def _read(spool: Spool, begin: int, size: int) -> bytes:
    return os.pread(spool.file, size, begin)
