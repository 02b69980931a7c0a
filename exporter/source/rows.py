"""Rows of the database as documents, each with the digest of what was read.

The database is asked for rows only: which child row belongs to which document is settled here,
exactly, because a collation takes `a`, `A` and `a ` for one name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from exporter.core.model import ChildTable, DocType, Document, Field
from exporter.core.normalise import RawRow, document
from exporter.source.columns import TableRead
from exporter.source.digests import as_digest, own_digest, total

__all__ = ["DocTypeRead", "read_documents"]

_Digested = tuple[RawRow, int | None]
"""A row and its digest; None where the database gave none."""


@dataclass(frozen=True, slots=True)
class DocTypeRead:
    """What is read of a DocType's tables."""

    doctype: DocType
    extra: tuple[Field, ...]
    own: TableRead
    children: tuple[TableRead, ...]
    """In the order of the DocType's child tables."""


def read_documents(
    connection: Connection, read: DocTypeRead, names: Sequence[str]
) -> Iterator[tuple[Document, int | None]]:
    """Yield those of a few hundred documents that exist, each with its digest."""
    children = [_by_parent(connection, each, names) for each in read.children]
    for name, row in _by_name(connection, read.own, names).items():
        yield _document(read, row, [found.get(name, ()) for found in children])


def _by_name(connection: Connection, read: TableRead, names: Sequence[str]) -> dict[str, _Digested]:
    wanted = frozenset(names)
    rows = ((str(row["name"]), (row, digest)) for row, digest in _rows(connection, read, names))
    return {name: found for name, found in rows if name in wanted}


def _by_parent(
    connection: Connection, read: TableRead, names: Sequence[str]
) -> dict[str, list[_Digested]]:
    found: dict[str, list[_Digested]] = {}
    for row, digest in _rows(connection, read, names):
        found.setdefault(str(row["parent"]), []).append((row, digest))
    return found


def _rows(connection: Connection, read: TableRead, names: Sequence[str]) -> Iterator[_Digested]:
    here = connection.dialect.name == "sqlite"
    for row in connection.execute(read.rows, {"names": names}):
        yield (
            dict(zip(read.columns, row, strict=here)),
            own_digest(row) if here else as_digest(row[-1]),
        )


def _document(
    read: DocTypeRead, own: _Digested, children: Sequence[Sequence[_Digested]]
) -> tuple[Document, int | None]:
    digest = total([own[1], *(each for rows in children for _, each in rows)])
    found = {
        child.field: rows
        for child, digested in zip(read.doctype.children, children, strict=True)
        if (rows := [row for row, _ in digested if _is_of(row, read.doctype, child)])
    }
    return document(read.doctype, own[0], found, read.extra), digest


def _is_of(row: RawRow, doctype: DocType, child: ChildTable) -> bool:
    return row["parenttype"] == doctype.name and row["parentfield"] == child.field
