"""A document's child rows kept small: most of a school's memory would be stages nobody looks at.

Packed rows read as the mapping that they were made from, which is unpacked at each look: some
microseconds for a lesson, and a seventh of the memory.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Self, cast

from exporter.core.files import Rows
from exporter.core.model import Document, Row

__all__ = ["PackedRows", "packed", "row_count", "unpacked"]


Counts = tuple[tuple[str, int], ...]
Parts = tuple[bytes, Counts]

_COUNTS: dict[Counts, Counts] = {}
"""Rows by table: most documents have as many as others, so each number is kept once."""


class PackedRows(Mapping[str, "tuple[Row, ...]"]):
    """Rows by table, as bytes of this process and its forks."""

    __slots__ = ("_bytes", "_counts")

    def __init__(self, parts: Parts) -> None:
        """Take rows that were packed, maybe by another process of this run."""
        self._bytes, counts = parts
        self._counts = _COUNTS.setdefault(counts, counts)

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """Pack rows.

        Raises:
            ValueError: they are nested too deeply.
        """
        counts = tuple((table, len(listed)) for table, listed in rows.items())
        return cls((marshal.dumps(dict(rows)), counts))

    @property
    def parts(self) -> Parts:
        """Return what makes the same rows in another process."""
        return self._bytes, self._counts

    def unpacked(self) -> Rows:
        """Return the rows themselves."""
        return cast("Rows", marshal.loads(self._bytes))  # noqa: S302 - our own bytes

    def count(self, table: str) -> int:
        """Return how many rows a table has, without unpacking them."""
        return next((count for name, count in self._counts if name == table), 0)

    def __getitem__(self, table: str) -> tuple[Row, ...]:
        return self.unpacked()[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self.unpacked())

    def __len__(self) -> int:
        return len(self.unpacked())

    def __repr__(self) -> str:
        return repr(self.unpacked())


def packed(document: Document) -> Document:
    """Return a document with its rows packed, where there are any and that can be."""
    if not document.rows or isinstance(document.rows, PackedRows):
        return document
    try:
        return replace(document, rows=PackedRows.of(document.rows))
    except ValueError:
        return document


def unpacked(document: Document) -> Document:
    """Return a document of which the rows are looked at more than once."""
    rows = document.rows
    return replace(document, rows=rows.unpacked()) if isinstance(rows, PackedRows) else document


def row_count(document: Document, table: str) -> int:
    """Return how many rows of a table a document has."""
    rows = document.rows
    return rows.count(table) if isinstance(rows, PackedRows) else len(rows.get(table, ()))
