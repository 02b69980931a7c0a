"""The Frappe database as normalised documents (spec 1, spec 2 "Taking a snapshot").

All tables are read in one read-only transaction with a consistent view, so that an edit saved
half-way is never half-seen. The database is asked for rows only: which child row belongs to which
document, and every order, is settled here, exactly, because a collation takes `a`, `A` and `a `
for one name. Documents come in no promised order, a few hundred at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

from sqlalchemy import Connection, Engine, literal_column, select, table
from sqlalchemy.exc import DBAPIError

from exporter.core.model import DOCTYPES, ChildTable, DocType, Document, ExtraFields
from exporter.core.normalise import RawRow, document, document_name
from exporter.errors import SourceError
from exporter.source.address import (
    begin_view,
    error_code,
    open_engine,
    parse_url,
    shown,
    translated,
)
from exporter.source.columns import (
    Columns,
    TableRead,
    check_extra_fields,
    existing_columns,
    extra_columns,
    missing_report,
    read_of,
    table_names,
)

__all__ = ["Source", "open_source"]

DOCUMENTS_AT_A_TIME = 500
MAX_ATTEMPTS = 5

_NO_SUCH_TABLE = 1146
_NO_SELECT = 1142
_TABLE_CHANGED = 1412


def open_source(url: str, extra_fields: ExtraFields | None = None) -> Source:
    """Return the database at a URL, ready to be read; a server is not asked yet.

    Raises:
        UsageError: the URL is not one of a supported database, or an extra field cannot be one.
        SourceError: the SQLite file is not there, or the driver is not installed.
    """
    parsed = parse_url(url)
    check_extra_fields(extra_fields or {})
    return Source(open_engine(parsed), shown(parsed), extra_fields or {})


class Source:
    """A Frappe site's database; it is only ever read."""

    def __init__(self, engine: Engine, label: str, extra_fields: ExtraFields) -> None:
        self.label = label
        """The database for people, without a password."""
        self._engine = engine
        self._extra_fields = extra_fields

    def documents(self) -> Iterator[Document]:
        """Yield every document in one consistent view, which lasts until the last one.

        Raises:
            SourceError: the database cannot be read, lacks a table or a column, or holds a value
                that cannot be understood.
        """
        with self._view() as (connection, existing):
            for doctype in DOCTYPES.values():
                yield from self._documents_of(connection, doctype, existing)

    @contextmanager
    def _view(self) -> Iterator[tuple[Connection, Columns]]:
        with translated(self.label), self._engine.connect() as connection:
            existing = self._held_columns(connection)
            problem = missing_report(existing, self.label)
            if problem:
                raise problem
            yield connection, existing

    def _held_columns(self, connection: Connection) -> Columns:
        """Begin a view and return the columns that every table keeps for as long as it lasts."""
        for _ in range(MAX_ATTEMPTS):
            begin_view(connection)
            if _hold_tables(connection):
                return existing_columns(connection)
            connection.exec_driver_sql("ROLLBACK")
        raise SourceError(
            f"{self.label}: its tables changed during each of {MAX_ATTEMPTS} attempts to read them",
            hint="run again when `bench migrate` has finished",
        )

    def _documents_of(
        self, connection: Connection, doctype: DocType, existing: Columns
    ) -> Iterator[Document]:
        extra = extra_columns(doctype, self._extra_fields.get(doctype.name, ()), existing)
        parents = read_of(doctype, extra, existing)
        tables = [(child, read_of(child, (), existing)) for child in doctype.children]
        names = connection.execute(parents.names).scalars().all()
        for chunk in _chunks([document_name(name, doctype.label) for name in names]):
            found = {
                child.field: _by_parent(connection, read, doctype, child, chunk)
                for child, read in tables
            }
            for name, row in _by_name(connection, parents, chunk).items():
                rows = {field: by_parent.get(name, ()) for field, by_parent in found.items()}
                yield document(doctype, row, rows, extra)


def _hold_tables(connection: Connection) -> bool:
    """Touch every table, which keeps its definition until the view ends; False to begin again.

    MariaDB refuses a table that was altered since the view began (error 1412), and holds off
    an ALTER of one that the transaction has touched. A missing table is reported later.
    """
    if connection.dialect.name == "sqlite":
        return True  # its view covers the definitions too
    for name in table_names():
        try:
            connection.execute(select(literal_column("1")).select_from(table(name)).limit(1))
        except DBAPIError as error:
            if error_code(error) == _TABLE_CHANGED:
                return False
            if error_code(error) not in (_NO_SUCH_TABLE, _NO_SELECT):
                raise
    return True


def _chunks(names: Sequence[str]) -> Iterator[list[str]]:
    waiting = iter(names)
    while chunk := list(islice(waiting, DOCUMENTS_AT_A_TIME)):
        yield chunk


def _by_name(connection: Connection, read: TableRead, names: Sequence[str]) -> dict[str, RawRow]:
    wanted = frozenset(names)
    rows = ((str(row["name"]), row) for row in _rows(connection, read, names))
    return {name: row for name, row in rows if name in wanted}


def _by_parent(
    connection: Connection, read: TableRead, doctype: DocType, child: ChildTable, names: list[str]
) -> Mapping[str, Sequence[RawRow]]:
    """Return a child table's rows by exact parent; rows of other tables' fields are left out."""
    found: dict[str, list[RawRow]] = {}
    for row in _rows(connection, read, names):
        if row["parenttype"] == doctype.name and row["parentfield"] == child.field:
            found.setdefault(str(row["parent"]), []).append(row)
    return found


def _rows(connection: Connection, read: TableRead, names: Sequence[str]) -> Iterator[RawRow]:
    for row in connection.execute(read.rows, {"names": names}):
        yield dict(zip(read.columns, row, strict=True))
