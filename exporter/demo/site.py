"""The demo school's site: a database with Frappe's tables, filled, and edited as an editor would.

`school` makes the rows and `schema` the tables; an edit goes the way of a save in Frappe.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import URL, Connection, NullPool, create_engine, delete, select, update

from exporter.core.model import DOCTYPES, LESSON
from exporter.demo.curriculum import Curriculum
from exporter.demo.schema import create_tables, insert_rows, table_of
from exporter.demo.school import school_rows
from exporter.errors import UsageError

__all__ = [
    "MIN_LESSONS",
    "create_site",
    "delete_document",
    "edit_lesson_title",
    "edit_site",
    "fill_site",
    "set_field",
]

MIN_LESSONS = 20

_ROWS_AT_A_TIME = 2_000


def create_site(path: Path, lessons: int = 200) -> None:
    """Create a SQLite site with that many lessons in a new file.

    Raises:
        UsageError: the file is there already, or the lessons are too few to fill the school.
    """
    if path.exists():
        raise UsageError(f"{path} is there already", hint="delete it, or name another folder")
    _check_lessons(lessons)
    with edit_site(path) as connection:
        fill_site(connection, lessons)


@contextmanager
def edit_site(path: Path) -> Iterator[Connection]:
    """Open a SQLite site for writing; commit at the end."""
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def fill_site(connection: Connection, lessons: int, curriculum: Curriculum | None = None) -> None:
    """Create the tables and the school in an empty database, on SQLite or MariaDB.

    It teaches the demo's curriculum unless another is given.

    Raises:
        UsageError: the lessons are too few to fill the school.
    """
    _check_lessons(lessons)
    create_tables(connection)
    waiting: dict[str, list[dict[str, object]]] = {}
    for doctype, row in school_rows(lessons, curriculum):
        rows = waiting.setdefault(doctype, [])
        rows.append(row)
        if len(rows) == _ROWS_AT_A_TIME:
            insert_rows(connection, doctype, rows)
            rows.clear()
    for doctype, rows in waiting.items():
        insert_rows(connection, doctype, rows)


def _check_lessons(lessons: int) -> None:
    if lessons < MIN_LESSONS:
        raise UsageError(f"a demo school needs at least {MIN_LESSONS} lessons, not {lessons}")


def set_field(connection: Connection, doctype: str, name: str, column: str, value: object) -> None:
    """Change one field of a document and its `modified`, as a save in Frappe does.

    Raises:
        KeyError: the DocType has no such field.
    """
    DOCTYPES[doctype].field(column)
    table = table_of(doctype, ("name", "modified", column))
    row = table.c["name"] == name
    last = connection.execute(select(table.c["modified"]).where(row)).scalar_one()
    modified = datetime.fromisoformat(str(last)) + timedelta(hours=1)
    changed = {column: value, "modified": modified.isoformat(" ", "microseconds")}
    connection.execute(update(table).where(row).values(changed))


def edit_lesson_title(connection: Connection, name: str, title: str) -> None:
    """Give a lesson another title."""
    set_field(connection, LESSON, name, "title", title)


def delete_document(connection: Connection, doctype: str, name: str) -> None:
    """Delete a document's row and its child rows, as Frappe does; what is below it stays."""
    for child in DOCTYPES[doctype].children:
        rows = table_of(child.doctype, ("parent", "parenttype"))
        of_document = (rows.c["parent"] == name) & (rows.c["parenttype"] == doctype)
        connection.execute(delete(rows).where(of_document))
    table = table_of(doctype, ("name",))
    connection.execute(delete(table).where(table.c["name"] == name))
