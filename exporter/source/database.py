"""The Frappe database as normalised documents (spec 1, spec 2 "Taking a snapshot").

All tables are read in one read-only transaction with a consistent view, so that an edit saved
half-way is never half-seen. The database is asked for rows only: which child row belongs to which
document, and every order, is settled here, exactly, because a collation takes `a`, `A` and `a `
for one name. Documents come in no promised order, a few hundred at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from sqlalchemy import Connection, Engine, Executable, column, func, literal_column, select, table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import quoted_name

from exporter.core.model import DOCTYPES, Document, ExtraFields, Ref
from exporter.core.normalise import document_name
from exporter.core.parts import Part
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
    check_extra_fields,
    existing_columns,
    extra_columns,
    missing_report,
    read_of,
    read_of_child,
    table_name,
    table_names,
)
from exporter.source.digests import document_digests, document_sums
from exporter.source.rows import DocTypeRead, read_documents

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
            at_server = connection.dialect.name != "sqlite"
            reads = _reads(existing, self._extra_fields, at_server=at_server)
            shapes = [_shape(read, existing) for read in reads]
            yield View(connection, reads, repr((self.label, shapes)))

    def documents(self) -> Iterator[Document]:
        """Yield every document in one consistent view, which lasts until the last one.

        Raises:
            SourceError: the database cannot be read, lacks a table or a column, or holds a value
                that cannot be understood.
        """
        with self.view() as view:
            yield from (document for document, _ in view.everything())

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


class View:
    """All tables at one moment, in one transaction."""

    def __init__(self, connection: Connection, reads: Sequence[DocTypeRead], identity: str) -> None:
        self._connection = connection
        self._reads = reads
        self.identity = identity
        """What tells this database, and what is read of it, from any other."""

    def sums(self) -> dict[Part, int | None] | None:
        """Return the sums of the digests of all parts; None where the database adds nothing up.

        A part's is None where the database could not digest one of its rows. A row of a document
        that is not there counts too.

        Raises:
            SourceError: the database cannot be read.
        """
        sums: dict[Part, int | None] = {}
        for read in self._reads:
            parts = [each.parts for each in (read.own, *read.children)]
            statements = [each.sums for each in parts if each]
            if not statements:
                return None
            of_numbers = document_sums(self._connection, statements)
            sums.update({(read.doctype.name, number): of_numbers[number] for number in of_numbers})
        return sums

    def digests(self, parts: Collection[Part] | None = None) -> Iterator[tuple[Ref, int | None]]:
        """Yield every document's digest, or those in some parts, where `sums` told them.

        None where the database could not compute one.

        Raises:
            SourceError: the database cannot be read.
        """
        for read in self._reads:
            tables = (read.own, *read.children)
            asked: dict[str, object] = {}
            statements = [each.digests for each in tables]
            if parts is not None:
                numbers = [number for doctype, number in parts if doctype == read.doctype.name]
                if not numbers:
                    continue
                asked = {"parts": numbers}
                statements = [each.parts.digests for each in tables if each.parts]
            own, *children = statements
            yield from document_digests(self._connection, read.doctype, own, children, asked)

    def size(self) -> int:
        """Return how many documents there are.

        Raises:
            SourceError: the database cannot be read.
        """
        sources = (table(quoted_name(table_name(name), quote=True)) for name in DOCTYPES)
        counts = (select(func.count()).select_from(source) for source in sources)
        return sum(self._connection.execute(count).scalar_one() for count in counts)

    def everything(self) -> Iterator[tuple[Document, int | None]]:
        """Yield every document with the digest that `digests` gives it.

        Raises:
            SourceError: the database cannot be read, or holds a value that cannot be understood.
        """
        for read in self._reads:
            yield from self._read(read, self._names(read))

    def documents(self, only: Iterable[Ref]) -> Iterator[Document]:
        """Yield those documents that exist.

        Raises:
            SourceError: the database cannot be read, or holds a value that cannot be understood.
        """
        wanted: dict[str, list[str]] = {}
        for doctype, name in only:
            wanted.setdefault(doctype, []).append(name)
        for read in self._reads:
            found = self._read(read, wanted.get(read.doctype.name, ()))
            yield from (document for document, _ in found)

    def _names(self, read: DocTypeRead) -> list[str]:
        names = self._connection.execute(read.own.names).scalars().all()
        return [document_name(name, read.doctype.label) for name in names]

    def _read(
        self, read: DocTypeRead, names: Iterable[str]
    ) -> Iterator[tuple[Document, int | None]]:
        for chunk in _chunks(names):
            yield from read_documents(self._connection, read, chunk)


def _reads(existing: Columns, extra_fields: ExtraFields, *, at_server: bool) -> list[DocTypeRead]:
    reads = []
    for doctype in DOCTYPES.values():
        extra = extra_columns(doctype, extra_fields.get(doctype.name, ()), existing)
        own = read_of(doctype, extra, existing, at_server=at_server)
        children = [
            read_of_child(doctype, child, existing, at_server=at_server)
            for child in doctype.children
        ]
        reads.append(DocTypeRead(doctype, extra, own, tuple(children)))
    return reads


def _shape(read: DocTypeRead, existing: Columns) -> tuple[object, ...]:
    """Return what is read of a DocType, with the types that its columns have."""
    children = zip(read.doctype.children, read.children, strict=True)
    tables = [(read.doctype.name, read.own)]
    tables += [(child.doctype, of_child) for child, of_child in children]
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
