"""One digest a document, over everything that is read of it (spec 2, "Incremental by default").

MariaDB digests each row itself, so that a row's content does not travel; SQLite has no such
function and is in this process anyway, so its rows are digested here. A document's digest folds in
its own row and the set of its child rows, each with its order columns and its name: two documents
that differ in anything that is read have different digests, short of a collision of SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Connection,
    LargeBinary,
    TableClause,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
)
from sqlalchemy.sql.elements import quoted_name

from exporter.core.model import ChildTable, DocType, Ref
from exporter.core.normalise import document_name
from exporter.source.columns import table_name

__all__ = ["document_digests"]

ROWS_AT_A_TIME = 2_000

_OF_CHILD = ("parent", "parenttype", "parentfield")

Digested = Iterator[tuple[Sequence[object], bytes | None]]
"""The key columns of rows, each with the row's digest; None where the database gave none."""


def document_digests(
    connection: Connection,
    doctype: DocType,
    columns: Sequence[str],
    children: Sequence[tuple[ChildTable, Sequence[str]]],
) -> Iterator[tuple[Ref, str | None]]:
    """Yield every document of a DocType with its digest; None where the database gave none.

    `columns` are those that are read of the table, and of each of its child tables.
    """
    rows = [_by_parent(connection, doctype, child, names) for child, names in children]
    for row, own in _digested(connection, doctype.name, ("name",), columns):
        name = document_name(row[0], doctype.label)
        yield (doctype.name, name), _folded(own, [found.get(name, ()) for found in rows])


def _by_parent(
    connection: Connection, doctype: DocType, child: ChildTable, columns: Sequence[str]
) -> dict[str, list[bytes | None]]:
    """Return the digests of a child table's rows by exact parent, as documents are read."""
    found: dict[str, list[bytes | None]] = {}
    for row, digest in _digested(connection, child.doctype, _OF_CHILD, columns):
        if row[1] == doctype.name and row[2] == child.field:
            found.setdefault(str(row[0]), []).append(digest)
    return found


def _folded(own: bytes | None, children: Sequence[Sequence[bytes | None]]) -> str | None:
    if own is None:
        return None
    folded = hashlib.sha256(own)
    for digests in children:
        known = [digest for digest in digests if digest is not None]
        if len(known) < len(digests):
            return None
        folded.update(len(known).to_bytes(8))
        folded.update(b"".join(sorted(known)))  # the order is in each row's own columns
    return folded.hexdigest()


def _digested(
    connection: Connection, doctype: str, keys: Sequence[str], columns: Sequence[str]
) -> Digested:
    source = _table(doctype, columns)
    read = [source.c[name] for name in columns]
    here = connection.dialect.name == "sqlite"
    statement = select(*(source.c[key] for key in keys), *(read if here else [_digest_of(read)]))
    options = {"stream_results": True, "yield_per": ROWS_AT_A_TIME}
    for row in connection.execute(statement, execution_options=options):
        found = tuple(row)
        yield found, _row_digest(found[len(keys) :]) if here else _bytes(found[-1])


def _table(doctype: str, columns: Sequence[str]) -> TableClause:
    names: list[ColumnClause[object]] = [column(quoted_name(name, quote=True)) for name in columns]
    return table(quoted_name(table_name(doctype), quote=True), *names)


def _digest_of(columns: Sequence[ColumnElement[object]]) -> ColumnElement[object]:
    """Return the expression by which MariaDB digests a row; NULL where the row is too long.

    Each value goes in as the bytes in which the server stores or prints it, after their number,
    so no two rows look alike, and no collation or character set has a say. What is longer than
    `max_allowed_packet` becomes NULL, which must not pass for a value's NULL.
    """
    values = func.concat(*map(_counted, columns))
    return func.unhex(func.sha2(values, literal_column("256")))


def _counted(value: ColumnElement[object]) -> ColumnElement[object]:
    stored = cast(value, LargeBinary)
    counted = func.concat(func.octet_length(stored), literal_column("':'"), stored)
    return case((value.is_(None), literal_column("'N'")), else_=counted)


def _bytes(value: object) -> bytes | None:
    return bytes(value) if isinstance(value, (bytes, bytearray)) else None


def _row_digest(values: Sequence[object]) -> bytes:
    digest = hashlib.sha256()
    for value in values:
        kind, stored = _stored(value)
        digest.update(b"%s%d:" % (kind, len(stored)))
        digest.update(stored)
    return digest.digest()


def _stored(value: object) -> tuple[bytes, bytes]:
    """Return a value of SQLite's as its kind and its bytes."""
    if isinstance(value, str):
        return b"s", value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"b", value
    return b"N" if value is None else b"n", repr(value).encode()
