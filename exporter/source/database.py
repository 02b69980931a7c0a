"""The Frappe database as normalised documents (spec 1, spec 2 "Taking a snapshot").

All tables are read in one read-only transaction with a consistent view, so that an edit saved
half-way is never half-seen. The database is asked for rows only: which child row belongs to which
document, and every order, is settled here, exactly, because a collation takes `a`, `A` and `a `
for one name. Documents come in no promised order, a few hundred at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, Engine, Executable, column, func, literal_column, select, table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import quoted_name

from exporter.core.model import DOCTYPES, ChildTable, DocType, Document, ExtraFields, Field, Ref
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
    table_name,
    table_names,
)
from exporter.source.digests import document_digests

__all__ = ["Source", "View", "open_source"]

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

    @contextmanager
    def view(self) -> Iterator[View]:
        """Open one consistent view of all tables, which lasts until the end of the block.

        Raises:
            SourceError: the database cannot be read, or lacks a table or a column.
        """
        with translated(self.label), self._engine.connect() as connection:
            existing = self._held_columns(connection)
            problem = missing_report(existing, self.label)
            if problem:
                raise problem
            reads = _reads(existing, self._extra_fields)
            shapes = [_shape(read, existing) for read in reads]
            yield View(connection, reads, repr((self.label, shapes)))

    def documents(self) -> Iterator[Document]:
        """Yield every document in one consistent view, which lasts until the last one.

        Raises:
            SourceError: the database cannot be read, lacks a table or a column, or holds a value
                that cannot be understood.
        """
        with self.view() as view:
            yield from view.documents()

    def watermark(self) -> str:
        """Return what differs as soon as a table has other rows, or a row saved later.

        It is cheap and not exact: an edit that leaves `modified` alone does not move it.

        Raises:
            SourceError: the database cannot be read.
        """
        with translated(self.label), self._engine.connect() as connection:
            existing = existing_columns(connection)
            return repr([_newest(connection, name, columns) for name, columns in existing.items()])

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


@dataclass(frozen=True, slots=True)
class _DocTypeRead:
    """What is read of a DocType's tables."""

    doctype: DocType
    extra: tuple[Field, ...]
    parents: TableRead
    children: tuple[tuple[ChildTable, TableRead], ...]


class View:
    """All tables at one moment, in one transaction."""

    def __init__(
        self, connection: Connection, reads: Sequence[_DocTypeRead], identity: str
    ) -> None:
        self._connection = connection
        self._reads = reads
        self.identity = identity
        """What tells this database, and what is read of it, from any other."""

    def digests(self) -> Iterator[tuple[Ref, str | None]]:
        """Yield every document's digest; None where the database could not compute one.

        Raises:
            SourceError: the database cannot be read.
        """
        for read in self._reads:
            children = [(child, of_child.columns) for child, of_child in read.children]
            columns = read.parents.columns
            yield from document_digests(self._connection, read.doctype, columns, children)

    def documents(self, only: Collection[Ref] | None = None) -> Iterator[Document]:
        """Yield every document, or those of `only` that exist.

        Raises:
            SourceError: the database cannot be read, or holds a value that cannot be understood.
        """
        wanted: dict[str, list[str]] = {}
        for doctype, name in only or ():
            wanted.setdefault(doctype, []).append(name)
        for read in self._reads:
            names = self._names(read) if only is None else wanted.get(read.doctype.name, ())
            for chunk in _chunks(names):
                yield from self._chunk(read, chunk)

    def _names(self, read: _DocTypeRead) -> list[str]:
        names = self._connection.execute(read.parents.names).scalars().all()
        return [document_name(name, read.doctype.label) for name in names]

    def _chunk(self, read: _DocTypeRead, names: list[str]) -> Iterator[Document]:
        found = {
            child.field: _by_parent(self._connection, of_child, read.doctype, child, names)
            for child, of_child in read.children
        }
        for name, row in _by_name(self._connection, read.parents, names).items():
            rows = {field: by_parent.get(name, ()) for field, by_parent in found.items()}
            yield document(read.doctype, row, rows, read.extra)


def _reads(existing: Columns, extra_fields: ExtraFields) -> list[_DocTypeRead]:
    reads = []
    for doctype in DOCTYPES.values():
        extra = extra_columns(doctype, extra_fields.get(doctype.name, ()), existing)
        children = tuple((child, read_of(child, (), existing)) for child in doctype.children)
        reads.append(_DocTypeRead(doctype, extra, read_of(doctype, extra, existing), children))
    return reads


def _shape(read: _DocTypeRead, existing: Columns) -> tuple[object, ...]:
    """Return what is read of a DocType, with the types that its columns have."""
    tables = [(read.doctype.name, read.parents)]
    tables += [(child.doctype, of_child) for child, of_child in read.children]
    declared = [
        [(name, existing[table_name(doctype)][name]) for name in table_read.columns]
        for doctype, table_read in tables
    ]
    return (read.extra, declared)


def _newest(connection: Connection, name: str, columns: Collection[str]) -> tuple[object, ...]:
    if not columns:
        return (name,)
    source = table(quoted_name(name, quote=True))
    statement: Executable = select(func.count()).select_from(source)
    if "modified" in columns:
        statement = select(func.count(), func.max(column("modified"))).select_from(source)
    return (name, *(str(value) for value in connection.execute(statement).one()))


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


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
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
