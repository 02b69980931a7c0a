"""A document's child rows kept small: most of a school's memory would be stages nobody looks at.

Packed rows read as the mapping that they were made from, which is unpacked at each look: some
microseconds for a lesson, and a seventh of the memory.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from exporter.core.model import Document, Row

__all__ = ["PackedRows", "packed", "unpacked"]

Rows = Mapping[str, tuple[Row, ...]]


class PackedRows(Mapping[str, "tuple[Row, ...]"]):
    """Rows by table, as bytes of this process and its forks."""

    __slots__ = ("_bytes",)

    def __init__(self, rows: Rows) -> None:
        """Pack rows.

        Raises:
            ValueError: they are nested too deeply.
        """
        self._bytes = marshal.dumps(dict(rows))

    def unpacked(self) -> Rows:
        """Return the rows themselves."""
        return cast("Rows", marshal.loads(self._bytes))  # noqa: S302 - our own bytes

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
    if not document.rows:
        return document
    try:
        return replace(document, rows=PackedRows(document.rows))
    except ValueError:
        return document


def unpacked(document: Document) -> Document:
    """Return a document of which the rows are looked at more than once."""
    rows = document.rows
    return replace(document, rows=rows.unpacked()) if isinstance(rows, PackedRows) else document
