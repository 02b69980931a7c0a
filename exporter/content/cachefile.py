"""A cache in a SQLite file inside `.git`: safe to delete, to damage, and to share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

__all__ = ["CacheFile"]

_T = TypeVar("_T")
_WAIT_S = 2.0


class CacheFile:
    """Tables that may be gone at any time; each use has a connection and a transaction of its own.

    Threads and processes may use it at once.
    """

    def __init__(self, file: Path, tables: str) -> None:
        """Take the file's path and the statements that make its tables where there are none."""
        self._file = file
        self._tables = tables

    def use(self, what: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """Do something with the tables; None where they cannot be used now.

        A damaged file is deleted, to be made anew the next time.
        """
        try:
            with closing(sqlite3.connect(self._file, timeout=_WAIT_S)) as connection, connection:
                connection.executescript(self._tables)
                return what(connection)
        except sqlite3.OperationalError:  # somebody else writes for long, or the disk is full
            return None
        except (sqlite3.DatabaseError, ValueError):  # no database, or not what was put into it
            self._file.unlink(missing_ok=True)
            return None
