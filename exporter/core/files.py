"""A document as the content of its snapshot file, and back (spec 2, "Canonical form").

`render` writes; `parse_mapping` reads what a YAML reader returned, whoever wrote it, and collects
every departure from the declaration (`E103`). What a file omits reads as its default, and so does
what it gets wrong: a document that was read is always whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite

from exporter.core.jsonvalues import sorted_keys
from exporter.core.model import (
    DOCTYPES,
    ChildTable,
    DocType,
    Document,
    FieldType,
    Json,
    Row,
    Value,
)
from exporter.core.yamltext import emit

__all__ = [
    "CONFIG",
    "CONFIG_TEXT",
    "Fault",
    "Rows",
    "parse_mapping",
    "read_rows",
    "render",
    "to_mapping",
]

CONFIG = "config"
CONFIG_TEXT = "config_text"

Pointer = tuple[str | int, ...]

Rows = Mapping[str, tuple[Row, ...]]
"""Child rows by table, none of them empty."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A departure of a file from its schema, at a place inside the file."""

    pointer: Pointer
    message: str


def _keys(owner: DocType | ChildTable) -> set[str]:
    """Return the keys that a file, or a row in it, may have."""
    names = {column.name for column in owner.fields}
    if isinstance(owner, DocType):
        return names | {"name"} | {table.field for table in owner.children}
    return names | {CONFIG_TEXT} if CONFIG in names else names


_KINDS = {FieldType.TEXT: str, FieldType.CHECK: bool, FieldType.INT: int}
_OWNERS: dict[str, DocType | ChildTable] = {
    **DOCTYPES,
    **{table.doctype: table for one in DOCTYPES.values() for table in one.children},
}
_ALLOWED = {name: _keys(owner) for name, owner in _OWNERS.items()}
_COLUMNS = {
    name: tuple((column.name, _KINDS.get(column.type), column) for column in owner.fields)
    for name, owner in _OWNERS.items()
}
"""The fields by DocType, each with the type of a value that needs no second look."""


def render(document: Document, *, orphan: bool) -> str:
    """Write a document's canonical YAML; only an orphan's file keeps its parent link."""
    return emit(to_mapping(document, orphan=orphan))


def to_mapping(document: Document, *, orphan: bool) -> dict[str, object]:
    """Return a document as the mapping that its file holds, keys in canonical order."""
    hidden = None if orphan else document.type.parent_field
    mapping: dict[str, object] = {"name": document.name}
    mapping.update((key, value) for key, value in document.fields.items() if key != hidden)
    for table in document.type.children:
        rows = document.rows.get(table.field, ())
        if rows:
            mapping[table.field] = [_row_mapping(row) for row in rows]
    return mapping


def parse_mapping(
    doctype: DocType,
    mapping: Mapping[str, Json],
    parent: str | None,
    extra: Sequence[str],
    rows: Rows | None = None,
) -> tuple[Document | None, tuple[Fault, ...]]:
    """Return the document that a file's mapping holds, and every fault in it.

    `parent` is the name of the document whose folder the file is in; None in `orphans/`. `rows`
    are those that were read before, and are then not in the mapping.
    """
    faults: list[Fault] = []
    name = mapping.get("name")
    if not isinstance(name, str) or not name:
        faults.append(Fault(("name",), "`name` is missing or is not text"))
        name = ""
    whole = mapping
    if doctype.parent_field and parent is not None:
        if doctype.parent_field in mapping:
            message = "the folder tells the parent, not a field"
            faults.append(Fault((doctype.parent_field,), message))
        whole = {**mapping, doctype.parent_field: parent}
    fields = _read_fields(doctype.name, whole, (), faults)
    fields.update(_read_extras(mapping, extra, faults))
    if not mapping.keys() <= _ALLOWED[doctype.name]:
        faults.extend(_unknown(mapping, _ALLOWED[doctype.name] | set(extra), ()))
    if rows is None:
        rows = read_rows(doctype, mapping, faults)
    return (Document(doctype.name, name, fields, rows) if name else None), tuple(faults)


def read_rows(doctype: DocType, mapping: Mapping[str, Json], faults: list[Fault]) -> Rows:
    """Read the child rows of a file, and add what is wrong with them to the faults."""
    rows = {}
    for table in doctype.children:
        found = tuple(_read_rows(table, mapping.get(table.field, []), faults))
        if found:
            rows[table.field] = found
    return rows


def _row_mapping(row: Row) -> dict[str, object]:
    return {
        key: sorted_keys(value) if isinstance(value, dict) else value for key, value in row.items()
    }


def _read_fields(
    owner: str, mapping: Mapping[str, Json], at: Pointer, faults: list[Fault]
) -> dict[str, Value]:
    """Read the fields of a DocType or of a row; what is as it should be is seen at once."""
    fields: dict[str, Value] = {}
    for name, kind, column in _COLUMNS[owner]:
        value = mapping.get(name)
        if type(value) is kind and value != "":
            fields[name] = value  # type: ignore[assignment]
        elif column.type is FieldType.JSON:
            fields.update(_read_config(mapping, at, faults))
        else:
            absent = value is None or value == ""
            read = column.default if absent else _typed(column.type, value)
            if read is None:
                wanted = _EXPECTED[column.type]
                faults.append(Fault((*at, name), f"`{name}` must be {wanted}"))
                read = column.default
            if read != "":
                fields[name] = read
    return fields


_EXPECTED = {
    FieldType.TEXT: "text (quote it)",
    FieldType.DATE: "a quoted date, 'YYYY-MM-DD'",
    FieldType.CHECK: "true or false",
    FieldType.INT: "a whole number",
    FieldType.FLOAT: "a number",
}


def _typed(kind: FieldType, value: Json) -> Value | None:
    """Return the value as the field's type, or None where it is not of it."""
    if kind is FieldType.CHECK:
        return value if isinstance(value, bool) else None
    if kind is FieldType.TEXT:
        return value if isinstance(value, str) else None
    if kind is FieldType.DATE:
        return value if isinstance(value, str) and _is_date(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if kind is FieldType.FLOAT:
        return _double(value)
    return value if isinstance(value, int) else None


def _double(value: float) -> float | None:
    """Return the number as a double, or None where it is beyond that."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _read_config(
    mapping: Mapping[str, Json], at: Pointer, faults: list[Fault]
) -> Iterator[tuple[str, Value]]:
    kept = mapping.get(CONFIG_TEXT)
    config = mapping.get(CONFIG)
    if config is not None and kept is not None:
        faults.append(Fault((*at, CONFIG_TEXT), "a stage has `config` or `config_text`, not both"))
    if isinstance(kept, str):
        yield CONFIG_TEXT, kept
        return
    if kept is not None:
        faults.append(Fault((*at, CONFIG_TEXT), "`config_text` must be text (quote it)"))
    if config is not None and not isinstance(config, dict):
        faults.append(Fault((*at, CONFIG), "`config` must be a mapping"))
    yield CONFIG, config if isinstance(config, dict) else {}


def _read_rows(table: ChildTable, rows: Json, faults: list[Fault]) -> Iterator[Row]:
    if not isinstance(rows, list):
        faults.append(Fault((table.field,), f"`{table.field}` must be a list"))
        return
    for position, row in enumerate(rows):
        at = (table.field, position)
        if isinstance(row, dict):
            if not row.keys() <= _ALLOWED[table.doctype]:
                faults.extend(_unknown(row, _ALLOWED[table.doctype], at))
            yield _read_fields(table.doctype, row, at, faults)
        else:
            faults.append(Fault(at, f"each of `{table.field}` must be a mapping"))


def _read_extras(
    mapping: Mapping[str, Json], extra: Sequence[str], faults: list[Fault]
) -> Iterator[tuple[str, Value]]:
    for name in extra:
        value = mapping.get(name)
        if isinstance(value, (bool, int, float, str)) and value != "":
            yield name, value
        elif value is not None and value != "":
            faults.append(Fault((name,), f"`{name}` must be text, a number or true/false"))


def _unknown(mapping: Mapping[str, Json], allowed: set[str], at: Pointer) -> Iterator[Fault]:
    for key in mapping:
        if key not in allowed:
            yield Fault((*at, key), f"`{key}` is not a field of this kind of document")
