"""Contents of files by their blob hash: what git has stays there, what is new goes to a spool.

The spool is an unnamed file inside `.git`, so a snapshot of any size needs little memory, and
nothing is left of it when the process ends, however it ends.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from exporter.content.repository import Repository
from exporter.errors import GitError

__all__ = ["Texts"]

SPOOLED_AT_A_TIME = 1 << 20
"""Bytes."""


class Texts:
    """The contents that a run needs, by blob hash."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._algorithm = repository.git("rev-parse", "--show-object-format").decode().strip()
        self._spool = tempfile.TemporaryFile(  # noqa: SIM115
            dir=repository.private_dir, buffering=SPOOLED_AT_A_TIME
        )
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0

    def hash(self, data: bytes) -> str:
        """Return the hash that git gives a content, without keeping it."""
        blob = hashlib.new(self._algorithm, b"blob %d\0" % len(data), usedforsecurity=False)
        blob.update(data)
        return blob.hexdigest()

    def add(self, data: bytes) -> str:
        """Keep a content that git may not have; return its blob hash.

        Raises:
            GitError: the disk is full.
        """
        blob = self.hash(data)
        self.keep(blob, data)
        return blob

    def keep(self, blob: str, data: bytes) -> None:
        """Keep a content that git may not have, of which the blob hash is known.

        Raises:
            GitError: the disk is full.
        """
        if blob not in self._places:
            self._places[blob] = (self._end, len(data))
            self._end += len(data)
            with self._room():
                self._spool.write(data)

    def blobs(self, hashes: Iterable[str]) -> Iterator[bytes]:
        """Yield contents in the order asked for.

        Raises:
            GitError: nobody has such a blob.
        """
        wanted = list(hashes)
        with self._room():
            self._spool.flush()
        in_git = self._repository.blobs(blob for blob in wanted if blob not in self._places)
        for blob in wanted:
            place = self._places.get(blob)
            yield self._spooled(*place) if place else next(in_git)

    def __contains__(self, blob: str) -> bool:
        """Tell whether a content was added."""
        return blob in self._places

    def close(self) -> None:
        """Give the spool's room back."""
        with suppress(OSError):  # what a full disk refused would be written once more
            self._spool.close()

    def _spooled(self, start: int, length: int) -> bytes:
        return os.pread(self._spool.fileno(), length, start)

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise GitError(
                f"{self._repository.root}: there is no room to take a snapshot in: "
                f"{error.strerror}",
                hint="make room; nothing was written",
            ) from error
