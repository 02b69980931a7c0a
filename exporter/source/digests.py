"""One digest a document, over everything that is read of it (spec 2, "Incremental by default").

MariaDB digests each row itself, so that a row's content does not travel; SQLite has no such
function and is in this process anyway, so its rows are digested here. A row's digest is the first
104 bits of a SHA-256 over its columns, its order columns and its name among them, as a whole
number; a document's is the sum of its own row's and its child rows', a part's the sum of its
documents'. So MariaDB can add up whole parts, in any order, and two documents that differ in
anything that is read have different digests, short of a collision.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    LargeBinary,
    Numeric,
    case,
    cast,
    func,
    literal_column,
)

from exporter.core.model import DocType, Ref
from exporter.core.normalise import document_name
from exporter.core.parts import PARTS

__all__ = [
    "as_digest",
    "digest_sum",
    "document_digests",
    "document_sums",
    "own_digest",
    "part_number",
    "row_digest",
    "total",
]

ROWS_AT_A_TIME = 2_000
_CHARACTERS = 26
"""Of the SHA-256 in hexadecimal. Each is written as the two decimal digits of its character's code,
the one way by which MariaDB makes a long number of a hash in one step."""
UNKNOWN = 10**60
"""Stands for the digest of a row that has none; above any sum of a part's digests: a row's is below
10**52, and no part has 10**8 rows."""


def document_digests(
    connection: Connection,
    doctype: DocType,
    own: Executable,
    children: Sequence[Executable],
    parameters: Mapping[str, object],
) -> Iterator[tuple[Ref, int | None]]:
    """Yield documents of a DocType with their digests; None where the database gave none.

    The statements give the digests of the table's rows, and of each child table's.
    """
    of_rows: dict[str, list[int | None]] = defaultdict(list)
    for statement in children:
        for parent, digest in _digested(connection, statement, parameters):
            of_rows[str(parent)].append(digest)
    for key, digest in _digested(connection, own, parameters):
        name = document_name(key, doctype.label)
        yield (doctype.name, name), total([digest, *of_rows.get(name, ())])


def document_sums(
    connection: Connection, statements: Iterable[Executable]
) -> dict[int, int | None]:
    """Return the sums of the digests in a DocType's parts; None where a row has none.

    The statements give the sums of the table's rows, and of each child table's.
    """
    sums: dict[int, int] = defaultdict(int)
    for statement in statements:
        for number, of_rows in connection.execute(statement):
            sums[number] += int(of_rows)
    return {number: None if found >= UNKNOWN else found for number, found in sums.items()}


def total(digests: Iterable[int | None]) -> int | None:
    """Return the digest of a document, given those of its rows; None where one of them is."""
    found = 0
    for digest in digests:
        if digest is None:
            return None
        found += digest
    return found


def row_digest(
    numbers: Sequence[ColumnElement[object]], others: Sequence[ColumnElement[object]]
) -> ColumnElement[str]:
    """Return the expression by which MariaDB digests a row; NULL where the row is too long.

    A number goes in as it is printed, any other value as the bytes in which the server stores or
    prints it, after the lengths of all of them. So no two rows look alike, and no collation or
    character set has a say. What is longer than `max_allowed_packet` becomes NULL, which must not
    pass for a value's NULL.
    """
    head = [*map(func.octet_length, others), *numbers]
    row = func.concat(*(part for each in head for part in _listed(each)), *map(_in_bytes, others))
    digits = func.left(func.sha2(row, literal_column("256")), literal_column(str(_CHARACTERS)))
    return func.hex(digits)


def digest_sum(digest: ColumnElement[str]) -> ColumnElement[Decimal]:
    """Return the expression by which MariaDB adds up the digests of rows."""
    number = cast(digest, Numeric(2 * _CHARACTERS, 0))
    return func.sum(func.coalesce(number, literal_column(str(UNKNOWN))))


def part_number(key: ColumnElement[object]) -> ColumnElement[int]:
    """Return the expression by which MariaDB tells the part of a document, as `part_of` does."""
    name = func.coalesce(key, literal_column("''"))
    return func.mod(func.crc32(_in_utf8(name)), literal_column(str(PARTS)))


def as_digest(text: str | None) -> int | None:
    """Return the digest of a row as MariaDB gives it."""
    return None if text is None else int(text)


def own_digest(values: Sequence[object]) -> int:
    """Return the digest of a row's columns, for a database that has no such function."""
    digest = hashlib.sha256()
    for value in values:
        kind, stored = _stored(value)
        digest.update(b"%s%d:" % (kind, len(stored)))
        digest.update(stored)
    return int(digest.hexdigest()[:_CHARACTERS], 16)


def _digested(
    connection: Connection, statement: Executable, parameters: Mapping[str, object]
) -> Iterator[tuple[object, int | None]]:
    """Yield the key of each row that a statement finds, with its digest."""
    options = {"stream_results": True, "yield_per": ROWS_AT_A_TIME}
    found = connection.execute(statement, parameters, execution_options=options)
    for rows in found.partitions():
        if connection.dialect.name == "sqlite":
            yield from ((row[0], own_digest(row[1:])) for row in rows)
        else:
            yield from ((key, as_digest(text)) for key, text in rows)


def _listed(number: ColumnElement[object]) -> tuple[ColumnElement[object], ...]:
    return func.ifnull(number, literal_column("'N'")), literal_column("','")


def _in_bytes(value: ColumnElement[object]) -> ColumnElement[object]:
    return case((value.is_(None), literal_column("''")), else_=cast(value, LargeBinary))


def _in_utf8(text: ColumnElement[object]) -> ColumnElement[object]:
    """Return text in the character set of `part_of`, whatever that of its column is."""
    return func.convert(text.op("USING")(literal_column("utf8mb4")))


def _stored(value: object) -> tuple[bytes, bytes]:
    """Return a value of SQLite's as its kind and its bytes."""
    if isinstance(value, str):
        return b"s", value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"b", value
    return b"N" if value is None else b"n", repr(value).encode()
