"""Random edits of a site, as editors, scripts and hiccups make them, on SQLite or MariaDB.

An edit is a kind and a few numbers that pick what it touches among what is there, so any sequence
applies to any site, and Hypothesis can shrink it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from exporter.core.model import CURRICULUM, DOCTYPES, GRADE, LESSON, PLAN, SUBJECT
from exporter.source.address import error_code

__all__ = ["EDITS", "Edit", "EditedSite", "edit_lists"]

NAMES = (
    "a",
    "A",
    "b",
    "c/d",
    "درس ١",
    "e ",
    "_f",
    "CON",
    "é",
    "x" * 140,
    "x" * 139 + "y",
    "g.yaml",
)
TEXTS = ("one", "two", "", None, "line\nline", "yes", "12:30", "ن", "a\r\nb")
CONFIGS = ('{"n": 1}', '{"b": 2, "a": [1]}', "{}", "", None, "not JSON", '{"t": "x\\r\\ny"}')
ANCHOR = "anchor"
"""The plan and the subject that stay, since a snapshot without any is refused."""

Edit = tuple[str, int, int, int]


@dataclass
class EditedSite:
    """A site's database and what is needed to edit it."""

    engine: Engine
    serial: int = 0
    bin: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    """Rows that were deleted and may be restored."""

    def empty(self) -> None:
        """Leave nothing but the anchors."""
        with self._writing() as connection:
            for doctype in DOCTYPES.values():
                connection.execute(text(f"DELETE FROM `tab{doctype.name}`"))
                for child in doctype.children:
                    connection.execute(text(f"DELETE FROM `tab{child.doctype}`"))
            for anchored in (PLAN, SUBJECT):
                _insert(connection, anchored, {"name": ANCHOR, "title": ANCHOR})

    def apply(self, *edits: Edit) -> None:
        """Apply edits in one transaction each."""
        for kind, *picks in edits:
            try:
                with self._writing() as connection:
                    EDITS[kind](self, connection, *picks)
            except DBAPIError as error:
                if not _is_refused(error):
                    raise

    def _writing(self) -> AbstractContextManager[Connection]:
        return self.engine.begin()

    def next_row(self) -> str:
        """Return a fresh child row's name."""
        self.serial += 1
        return f"row{self.serial:05d}"


def _is_refused(error: DBAPIError) -> bool:
    """Tell whether an edit broke a rule of the database's: a name is taken, or is no JSON."""
    return isinstance(error, IntegrityError) or error_code(error) == 4025


def _insert(connection: Connection, doctype: str, row: Mapping[str, object]) -> None:
    columns = ", ".join(f"`{name}`" for name in row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO `tab{doctype}` ({columns}) VALUES ({values})"), row)


def _names(connection: Connection, doctype: str) -> list[str]:
    found = connection.execute(text(f"SELECT name FROM `tab{doctype}`")).scalars()
    return sorted(name for name in found if name != ANCHOR)


def _set(connection: Connection, doctype: str, row: str, /, **values: object) -> None:
    columns = ", ".join(f"`{column}` = :{column}" for column in values)
    statement = f"UPDATE `tab{doctype}` SET {columns} WHERE name = :row_name"
    connection.execute(text(statement), {**values, "row_name": row})


def _pick(connection: Connection, which: int, *doctypes: str) -> tuple[str, str] | None:
    refs = [(each, name) for each in doctypes or DOCTYPES for name in _names(connection, each)]
    return refs[which % len(refs)] if refs else None


def _parent(connection: Connection, doctype: str, which: int) -> str | None:
    """Return the name of a parent: mostly one that is there, sometimes none, sometimes a ghost."""
    parent = DOCTYPES[doctype].parent
    there = _names(connection, parent) if parent else []
    if parent == SUBJECT:
        there.append(ANCHOR)
    choices: list[str | None] = [*there, *there, *there, "ghost", None]
    return choices[which % len(choices)]


def _add(_site: EditedSite, connection: Connection, a: int, b: int, c: int) -> None:
    doctype = [*CURRICULUM[1:], *CURRICULUM, PLAN, GRADE][a % 11]
    row: dict[str, object] = {"name": NAMES[b % len(NAMES)], "title": TEXTS[c % len(TEXTS)]}
    link = DOCTYPES[doctype].parent_field
    if link:
        row[link] = _parent(connection, doctype, c)
    _insert(connection, doctype, row)


def _change(_site: EditedSite, connection: Connection, a: int, b: int, c: int) -> None:
    found = _pick(connection, a)
    if found:
        doctype = DOCTYPES[found[0]]
        columns = [each.name for each in doctype.fields if each.name != doctype.parent_field]
        column = columns[b % len(columns)]
        kind = doctype.field(column).type.value
        values: dict[str, tuple[object, ...]] = {
            "check": (0, 1),
            "int": (0, 1, 7),
            "date": (None, "2026-09-01", "2027-01-31"),
        }
        choices = values.get(kind, TEXTS)
        _set(connection, *found, **{column: choices[c % len(choices)]})


def _there_and_back(_site: EditedSite, connection: Connection, a: int, _b: int, _c: int) -> None:
    found = _pick(connection, a)
    if found:
        query = text(f"SELECT title FROM `tab{found[0]}` WHERE name = :name")
        title = connection.execute(query, {"name": found[1]}).scalar_one()
        _set(connection, *found, title="for a moment")
        _set(connection, *found, title=title)


def _move(_site: EditedSite, connection: Connection, a: int, b: int, _c: int) -> None:
    found = _pick(connection, a, *CURRICULUM[1:])
    if found:
        link = str(DOCTYPES[found[0]].parent_field)
        _set(connection, *found, **{link: _parent(connection, found[0], b)})


def _rename(_site: EditedSite, connection: Connection, a: int, b: int, _c: int) -> None:
    """Rename as Frappe does: the document, its rows' parent, and every link to it."""
    found = _pick(connection, a)
    if not found:
        return
    doctype, old = found
    new = NAMES[b % len(NAMES)]
    _set(connection, doctype, old, name=new)
    links = [(each.doctype, "parent") for each in DOCTYPES[doctype].children]
    links += [
        (each.name, str(each.parent_field)) for each in DOCTYPES.values() if each.parent == doctype
    ]
    links += [("Memora Plan Subject", "subject")] if doctype == SUBJECT else []
    for table, column in links:
        statement = f"UPDATE `tab{table}` SET `{column}` = :new WHERE `{column}` = :old"
        connection.execute(text(statement), {"new": new, "old": old})


def _delete(site: EditedSite, connection: Connection, a: int, _b: int, _c: int) -> None:
    found = _pick(connection, a)
    if not found:
        return
    doctype, name = found
    tables = [(doctype, "name"), *((each.doctype, "parent") for each in DOCTYPES[doctype].children)]
    for table, key in tables:
        where = f"FROM `tab{table}` WHERE `{key}` = :name"
        for row in connection.execute(text(f"SELECT * {where}"), {"name": name}).mappings():
            site.bin.append((table, dict(row)))
        connection.execute(text(f"DELETE {where}"), {"name": name})


def _restore(site: EditedSite, connection: Connection, a: int, _b: int, _c: int) -> None:
    for _ in range(1 + a % 3):
        if site.bin:
            _insert(connection, *site.bin.pop())


def _add_row(site: EditedSite, connection: Connection, a: int, b: int, c: int) -> None:
    found = _pick(connection, a, LESSON, PLAN)
    if not found:
        return
    children = DOCTYPES[found[0]].children
    child = children[b % len(children)]
    row: dict[str, object] = {
        "name": site.next_row(),
        "parent": found[1],
        "parenttype": found[0],
        "parentfield": child.field,
        "idx": c % 3,
    }
    columns = {each.name for each in child.fields}
    row |= {"config": CONFIGS[c % len(CONFIGS)], "title": "stage"} if "config" in columns else {}
    row |= {"subject": ANCHOR} if "subject" in columns else {}
    row |= {"target_name": NAMES[c % len(NAMES)]} if "action" in columns else {}
    _insert(connection, child.doctype, row)


def _change_row(_site: EditedSite, connection: Connection, a: int, b: int, c: int) -> None:
    """Edit a child row directly: its content, its place in the order, or whose row it is."""
    tables = [child.doctype for each in DOCTYPES.values() for child in each.children]
    rows = [(table, name) for table in tables for name in _names(connection, table)]
    if not rows:
        return
    table, name = rows[a % len(rows)]
    match b % 5:
        case 0:
            _set(connection, table, name, idx=c % 4)
        case 1 if table.endswith("Stage"):
            _set(connection, table, name, config=CONFIGS[c % len(CONFIGS)])
        case 2:
            owner = _pick(connection, c, LESSON if table.endswith("Stage") else PLAN)
            _set(connection, table, name, parent=owner[1] if owner else "ghost")
        case 3:
            field_name = ("stages", "subjects", "elsewhere")[c % 3]
            _set(connection, table, name, parentfield=field_name)
        case _:
            connection.execute(text(f"DELETE FROM `tab{table}` WHERE name = :n"), {"n": name})


EDITS: Mapping[str, Callable[[EditedSite, Connection, int, int, int], None]] = {
    "add": _add,
    "change": _change,
    "there and back": _there_and_back,
    "move": _move,
    "rename": _rename,
    "delete": _delete,
    "restore": _restore,
    "add row": _add_row,
    "change row": _change_row,
}

_WEIGHTED = (*EDITS, "add", "add", "add row", "rename", "move")

edit_lists = st.lists(
    st.tuples(st.sampled_from(_WEIGHTED), *(st.integers(0, 59) for _ in range(3))),
    min_size=1,
    max_size=5,
)
