"""Which of the declared columns a site has, and what is therefore read (spec 1).

Sites differ: a missing column reads as its default. A missing table, or a missing column without
which its rows mean nothing, is an error, and all of them are named at once. What is read is an
allow-list: declared columns and configured extra ones, nothing else, ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    CHAR,
    ColumnClause,
    ColumnElement,
    Connection,
    Executable,
    bindparam,
    cast,
    column,
    select,
    table,
    text,
)
from sqlalchemy.sql.elements import quoted_name

from exporter.core.model import DOCTYPES, ChildTable, DocType, ExtraFields, Field, FieldType
from exporter.errors import SourceError, UsageError
from exporter.source.digests import digest_sum, part_number, row_digest

__all__ = [
    "Columns",
    "PartsRead",
    "TableRead",
    "check_extra_fields",
    "existing_columns",
    "extra_columns",
    "missing_report",
    "read_of",
    "read_of_child",
    "table_name",
    "table_names",
]

Columns = Mapping[str, Mapping[str, str]]
"""Declared type (MariaDB: and character set) by column, by table; one not there has none."""

_OF_CHILDREN = ("parent", "parenttype", "parentfield")
_NEVER_READ = frozenset(
    ("name", "creation", "modified", "modified_by", "owner", "docstatus", "idx", *_OF_CHILDREN)
)
_TIMES = frozenset({"datetime", "time", "timestamp", "year"})
_TYPES = {
    "tinyint": FieldType.CHECK,
    "bit": FieldType.CHECK,
    "bool": FieldType.CHECK,
    "boolean": FieldType.CHECK,
    "smallint": FieldType.INT,
    "mediumint": FieldType.INT,
    "int": FieldType.INT,
    "integer": FieldType.INT,
    "bigint": FieldType.INT,
    "decimal": FieldType.FLOAT,
    "numeric": FieldType.FLOAT,
    "float": FieldType.FLOAT,
    "double": FieldType.FLOAT,
    "real": FieldType.FLOAT,
    "date": FieldType.DATE,
}
_PRINTED_NUMBERS = frozenset(_TYPES) - {"bit", "date"}
_DEFAULTS: Mapping[FieldType, bool | int | float] = {
    FieldType.CHECK: False,
    FieldType.INT: 0,
    FieldType.FLOAT: 0.0,
}


@dataclass(frozen=True, slots=True)
class PartsRead:
    """What is read of a table part by part (`core.parts`)."""

    sums: Executable
    """The number of each part that has rows, and the sum of their digests."""
    digests: Executable
    """The `TableRead.digests` of rows in some parts alone, of which `parts` are the numbers."""


@dataclass(frozen=True, slots=True)
class TableRead:
    """What is read of one table; of a child's, only rows of its field, or what collates like it.

    Where the server can digest rows, its digest takes the place of the columns, or follows them.
    """

    columns: tuple[str, ...]
    names: Executable
    """Every row's name."""
    rows: Executable
    """The columns of rows of which the name, or a child's parent, is (or collates like) one of
    `names`, a list of at most a few hundred."""
    digests: Executable
    """Every row's name, or a child's parent, and what tells it from any other."""
    parts: PartsRead | None
    """None where the database cannot add up digests."""


def check_extra_fields(extra_fields: ExtraFields) -> None:
    """Refuse extra fields that no document can have.

    Raises:
        UsageError: an unknown DocType, a field that is read anyway, or one that is never read.
    """
    for name, fields in extra_fields.items():
        doctype = DOCTYPES.get(name)
        if doctype is None:
            known = ", ".join(DOCTYPES)
            raise UsageError(
                f"source.extra_fields: unknown DocType {name!r}", hint=f"known: {known}"
            )
        taken = {each.name for each in doctype.fields} | {each.field for each in doctype.children}
        for field in fields:
            if field in taken or field in _NEVER_READ or fields.count(field) > 1:
                raise UsageError(
                    f"source.extra_fields: {field!r} of {name} cannot be an extra field",
                    hint="leave it out: it is read anyway, never read (spec 2), or listed twice",
                )


def existing_columns(connection: Connection) -> Columns:
    """Return the columns of every table of ours that the database has."""
    found: dict[str, dict[str, str]] = {name: {} for name in table_names()}
    if connection.dialect.name == "sqlite":
        for name, columns in found.items():
            columns.update(connection.execute(_SQLITE_COLUMNS, {"table": name}).all())
        return found
    statement = _MARIADB_COLUMNS.bindparams(bindparam("tables", expanding=True))
    for name, column_name, declared in connection.execute(statement, {"tables": list(found)}):
        if name in found:
            found[name][column_name] = declared
    return found


_SQLITE_COLUMNS = text("SELECT name, type FROM pragma_table_info(:table)")
_MARIADB_COLUMNS = text(
    "SELECT table_name, column_name, CONCAT_WS(' ', column_type, character_set_name)"
    " FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name IN :tables"
)


def table_names() -> Iterator[str]:
    """Yield every table that is read."""
    for doctype in DOCTYPES.values():
        yield table_name(doctype.name)
        for child in doctype.children:
            yield table_name(child.doctype)


def table_name(doctype: str) -> str:
    """Return Frappe's table of a DocType."""
    return f"tab{doctype}"


def missing_report(existing: Columns, label: str) -> SourceError | None:
    """Return the error that names every missing table and column; None where all is there."""
    missing = [
        line
        for doctype in DOCTYPES.values()
        for line in (
            *_missing(existing, doctype.name, _required(doctype)),
            *(
                line
                for child in doctype.children
                for line in _missing(existing, child.doctype, ("name", *_OF_CHILDREN))
            ),
        )
    ]
    if not missing:
        return None
    return SourceError(
        f"{label}: the database lacks {'; '.join(missing)}",
        hint="is this the Memora site's database, is it migrated, and may this user SELECT there?",
    )


def _required(doctype: DocType) -> tuple[str, ...]:
    return ("name", *(field.name for field in doctype.fields if field.required))


def _missing(existing: Columns, doctype: str, required: Sequence[str]) -> Iterator[str]:
    columns = existing[table_name(doctype)]
    if not columns:
        yield f"table `{table_name(doctype)}`"
        return
    for name in required:
        if name not in columns:
            yield f"column `{name}` of `{table_name(doctype)}`"


def extra_columns(doctype: DocType, names: Sequence[str], existing: Columns) -> tuple[Field, ...]:
    """Return configured extra fields, typed by their columns; a missing one reads as empty text.

    Frappe on SQLite declares a Check as INTEGER, so there an extra Check reads as 0 or 1.
    """
    columns = existing[table_name(doctype.name)]
    return tuple(_extra_column(name, columns.get(name, "")) for name in names)


def _extra_column(name: str, declared: str) -> Field:
    type_ = _TYPES.get(_base(declared), FieldType.TEXT)
    if declared.lower().startswith("int(1)"):  # a Check of Frappe 13
        type_ = FieldType.CHECK
    return Field(name, type_, _DEFAULTS.get(type_, ""))


def _base(declared: str) -> str:
    match = re.match(r"[a-z]+", declared.lower())
    return match.group() if match else ""


def read_of(
    doctype: DocType, extra: Sequence[Field], existing: Columns, *, at_server: bool
) -> TableRead:
    """Return what is read of a DocType's own table; `at_server`: rows are digested there."""
    names = [field.name for field in (*doctype.fields, *extra)]
    rows = _Rows(table_name(doctype.name), ("name", *names), existing, at_server=at_server)
    return rows.read_by("name")


def read_of_child(
    parent: DocType, child: ChildTable, existing: Columns, *, at_server: bool
) -> TableRead:
    """Return what is read of a child table; `at_server`: rows are digested there."""
    names = [field.name for field in child.fields]
    rows = _Rows(
        table_name(child.doctype),
        ("name", *names, *_OF_CHILDREN, "idx"),
        existing,
        at_server=at_server,
    )
    of_field = (rows.column("parenttype") == parent.name) & (
        rows.column("parentfield") == child.field
    )
    return rows.read_by("parent", of_field)


class _Rows:
    """One table's columns, as statements read them."""

    def __init__(
        self, name: str, wanted: Sequence[str], existing: Columns, *, at_server: bool
    ) -> None:
        types = existing[name]
        self.columns = tuple(each for each in wanted if each in types)
        columns: list[ColumnClause[object]] = [
            column(quoted_name(each, quote=True)) for each in self.columns
        ]
        self._table = table(quoted_name(name, quote=True), *columns)
        self._read = [_as_read(self.column(each), types[each]) for each in self.columns]
        self._digest = [self._row_digest(types)] if at_server else []

    def column(self, name: str) -> ColumnClause[object]:
        return self._table.c[name]

    def read_by(self, key: str, *only: ColumnElement[bool]) -> TableRead:
        """Return the statements that find rows by a column."""
        keys = self.column(key)
        asked = keys.in_(bindparam("names", expanding=True))
        return TableRead(
            self.columns,
            select(self.column("name")),
            select(*self._read, *self._digest).where(asked, *only),
            select(keys, *(self._digest or self._read)).where(*only),
            self._parts(keys, only) if self._digest else None,
        )

    def _parts(self, keys: ColumnClause[object], only: Sequence[ColumnElement[bool]]) -> PartsRead:
        number, (digest,) = part_number(keys), self._digest
        return PartsRead(
            select(number, digest_sum(digest)).where(*only).group_by(number),
            select(keys, digest).where(number.in_(bindparam("parts", expanding=True)), *only),
        )

    def _row_digest(self, types: Mapping[str, str]) -> ColumnElement[str]:
        kinds = {name: _base(types[name]) in _PRINTED_NUMBERS for name in self.columns}
        numbers = [self.column(name) for name, is_number in kinds.items() if is_number]
        return row_digest(numbers, [self.column(name) for name in kinds if not kinds[name]])


def _as_read(chosen: ColumnClause[object], declared: str) -> ColumnElement[object]:
    """Return a column; a time as the server's own text, since drivers disagree about it."""
    return cast(chosen, CHAR) if _base(declared) in _TIMES else chosen
