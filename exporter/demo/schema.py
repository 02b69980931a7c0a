"""Frappe's tables for the Memora app, on MariaDB and on SQLite (spec 7 "Frappe and MariaDB").

As Frappe 15 (MariaDB) and 16 (SQLite) make them, from the same declaration that is read. Besides
the declared columns a lesson has two of the site's own: `difficulty`, which a configuration may add
to what is read, and `internal_notes`, which nobody but the staff may ever see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import ColumnClause, Connection, TableClause, column, insert, table
from sqlalchemy.sql.elements import quoted_name

from exporter.core.model import DOCTYPES, LESSON, ChildTable, DocType, Field, FieldType

__all__ = ["create_tables", "insert_rows", "table_of"]

_LONG_TEXT = frozenset({"description", "image", "badge_image", "internal_notes"})
_SITE_FIELDS = {LESSON: (Field("difficulty"), Field("internal_notes"))}
_OF_CHILDREN = ("parent", "parentfield", "parenttype")
_OF_PARENTS = ("_user_tags", "_comments", "_assign", "_liked_by")

_TYPES: Mapping[str, Mapping[str, str]] = {
    "mariadb": {
        "short": "varchar(140)",
        "long": "text",
        "when": "datetime(6)",
        "status": "int(1) NOT NULL DEFAULT 0",
        "position": "int(8) NOT NULL DEFAULT 0",
        FieldType.CHECK.value: "tinyint(4) NOT NULL DEFAULT",
        FieldType.INT.value: "int(11) NOT NULL DEFAULT",
        FieldType.FLOAT.value: "decimal(21,9) NOT NULL DEFAULT",
        FieldType.DATE.value: "date",
        FieldType.JSON.value: "json",
    },
    "sqlite": {
        "short": "TEXT",
        "long": "TEXT",
        "when": "DATETIME",
        "status": "INTEGER NOT NULL DEFAULT 0",
        "position": "INTEGER NOT NULL DEFAULT 0",
        FieldType.CHECK.value: "INTEGER NOT NULL DEFAULT",
        FieldType.INT.value: "INTEGER NOT NULL DEFAULT",
        FieldType.FLOAT.value: "REAL NOT NULL DEFAULT",
        FieldType.DATE.value: "DATE",
        FieldType.JSON.value: "TEXT",
    },
}
_ENGINE = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4 COLLATE=utf8mb4_unicode_ci"


def create_tables(connection: Connection) -> None:
    """Create every table of the Memora app, empty, in the connection's dialect."""
    is_sqlite = connection.dialect.name == "sqlite"
    types = _TYPES["sqlite" if is_sqlite else "mariadb"]
    for source in _tables():
        name = _doctype(source)
        lines = [f"`{each}` {type_}" for each, type_ in _columns(source, types)]
        lines[0] += " NOT NULL PRIMARY KEY"
        options = "" if is_sqlite else _ENGINE
        connection.exec_driver_sql(f"CREATE TABLE `tab{name}` ({', '.join(lines)}) {options}")
        key = "parent" if isinstance(source, ChildTable) else "modified"
        connection.exec_driver_sql(f"CREATE INDEX `{name}_{key}` ON `tab{name}` (`{key}`)")


def insert_rows(connection: Connection, doctype: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows that all have the same columns into a DocType's table."""
    if rows:
        connection.execute(insert(table_of(doctype, tuple(rows[0]))), rows)


def table_of(doctype: str, columns: Sequence[str]) -> TableClause:
    """Return a DocType's table with those of its columns, for a statement."""
    quoted: list[ColumnClause[object]] = [column(quoted_name(name, quote=True)) for name in columns]
    return table(f"tab{doctype}", *quoted)


def _tables() -> Iterator[DocType | ChildTable]:
    for doctype in DOCTYPES.values():
        yield doctype
        yield from doctype.children


def _doctype(source: DocType | ChildTable) -> str:
    return source.doctype if isinstance(source, ChildTable) else source.name


def _columns(source: DocType | ChildTable, types: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "name", types["short"]
    yield "creation", types["when"]
    yield "modified", types["when"]
    yield "modified_by", types["short"]
    yield "owner", types["short"]
    yield "docstatus", types["status"]
    if isinstance(source, ChildTable):
        yield from ((name, types["short"]) for name in _OF_CHILDREN)
    yield "idx", types["position"]
    for field in (*source.fields, *_SITE_FIELDS.get(_doctype(source), ())):
        yield field.name, _type(field, types)
    if isinstance(source, DocType):
        yield from ((name, types["long"]) for name in _OF_PARENTS)


def _type(field: Field, types: Mapping[str, str]) -> str:
    if field.type is FieldType.TEXT:
        return types["long" if field.name in _LONG_TEXT else "short"]
    declared = types[field.type.value]
    return f"{declared} {float(field.default):g}" if "DEFAULT" in declared else declared
