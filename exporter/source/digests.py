"""One digest a document, over everything that is read of it (spec 2, "Incremental by default").

MariaDB digests each row itself, so that a row's content does not travel; SQLite has no such
function and is in this process anyway, so its rows are digested here. A document's digest folds in
its own row and the set of its child rows, each with its order columns and its name: two documents
that differ in anything that is read have different digests, short of a collision of SHA-256.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    LargeBinary,
    case,
    cast,
    func,
    literal_column,
)

from exporter.core.model import DocType, Ref
from exporter.core.normalise import document_name

__all__ = ["document_digests", "folded", "own_digest", "row_digest"]

ROWS_AT_A_TIME = 2_000


def document_digests(
    connection: Connection, doctype: DocType, own: Executable, children: Sequence[Executable]
) -> Iterator[tuple[Ref, str | None]]:
    """Yield every document of a DocType with its digest; None where the database gave none.

    The statements give the digests of the table's rows, and of each child table's.
    """
    rows = [_by_parent(connection, statement) for statement in children]
    for key, digest in _digested(connection, own):
        name = document_name(key, doctype.label)
        yield (doctype.name, name), folded(digest, [found.get(name, ()) for found in rows])


def folded(own: bytes | None, children: Sequence[Sequence[bytes | None]]) -> str | None:
    """Return a document's digest, given its row's and its child rows', of each table in any order.

    None where one of them is.
    """
    if own is None:
        return None
    digest = hashlib.sha256(own)
    for digests in children:
        known = [each for each in digests if each is not None]
        if len(known) < len(digests):
            return None
        digest.update(len(known).to_bytes(8))
        digest.update(b"".join(sorted(known)))  # the order is in each row's own columns
    return digest.hexdigest()


def row_digest(columns: Sequence[ColumnElement[object]]) -> ColumnElement[object]:
    """Return the expression by which MariaDB digests a row; NULL where the row is too long.

    Each value goes in as the bytes in which the server stores or prints it, after their number,
    so no two rows look alike, and no collation or character set has a say. What is longer than
    `max_allowed_packet` becomes NULL, which must not pass for a value's NULL.
    """
    values = func.concat(*map(_counted, columns))
    return func.unhex(func.sha2(values, literal_column("256")))


def own_digest(values: Sequence[object]) -> bytes:
    """Return the digest of a row's columns, for a database that has no such function."""
    digest = hashlib.sha256()
    for value in values:
        kind, stored = _stored(value)
        digest.update(b"%s%d:" % (kind, len(stored)))
        digest.update(stored)
    return digest.digest()


def _by_parent(connection: Connection, statement: Executable) -> dict[str, list[bytes | None]]:
    """Return the digests of a child table's rows by exact parent."""
    found: dict[str, list[bytes | None]] = defaultdict(list)
    for parent, digest in _digested(connection, statement):
        found[str(parent)].append(digest)
    return found


def _digested(
    connection: Connection, statement: Executable
) -> Iterator[tuple[object, bytes | None]]:
    """Yield the key of each row that a statement finds, with its digest."""
    options = {"stream_results": True, "yield_per": ROWS_AT_A_TIME}
    for rows in connection.execute(statement, execution_options=options).partitions():
        if connection.dialect.name == "sqlite":
            yield from ((row[0], own_digest(row[1:])) for row in rows)
        else:
            yield from map(tuple, rows)


def _counted(value: ColumnElement[object]) -> ColumnElement[object]:
    counted = func.concat(func.octet_length(value), literal_column("':'"), cast(value, LargeBinary))
    return case((value.is_(None), literal_column("'N'")), else_=counted)


def _stored(value: object) -> tuple[bytes, bytes]:
    """Return a value of SQLite's as its kind and its bytes."""
    if isinstance(value, str):
        return b"s", value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"b", value
    return b"N" if value is None else b"n", repr(value).encode()
