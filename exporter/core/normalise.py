"""Raw column values as normalised documents (spec 1 "Fields that are read", spec 2).

Two databases and their drivers say the same thing in different words: `1`, `True` and a bit's byte,
`Decimal("1.500000000")` and `1.5`, a date and its text. `document` settles that once, so that the
same content gives equal documents wherever it was read. A value that cannot be what its column is
declared to be is a `SourceError` that names the document and the field; a stage's config that is
not a JSON object is content and is kept as its text (`config_text`, later `E105`).
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from math import isfinite, isinf

from exporter.core.model import ChildTable, DocType, Document, Field, FieldType, Json, Value
from exporter.errors import SourceError

__all__ = ["MAX_CONFIG_DEPTH", "RawRow", "document", "document_name"]

RawRow = Mapping[str, object]
"""A row as a driver returns it, by column name; a column that the table lacks is absent."""

MAX_CONFIG_DEPTH = 100
"""Levels of a config; a deeper one is kept as text. A fixed limit, well below where the libraries
that read and write it give up, so that the answer depends on the content alone."""

_DIGITS_OF_MAX_DOUBLE = 309
_LARGEST_EXPONENT = _DIGITS_OF_MAX_DOUBLE - 1
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_CARRIAGE_RETURN_ESCAPE = re.compile(r"\\r|\\u000[dD]")
_TEXT, _CHECK, _INT = FieldType.TEXT, FieldType.CHECK, FieldType.INT
_FLOAT, _DATE = FieldType.FLOAT, FieldType.DATE
_WHOLE = frozenset({_CHECK, _INT})
_ZERO_DATE = "0000-00-00"
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")


def document(
    doctype: DocType,
    row: RawRow,
    children: Mapping[str, Sequence[RawRow]],
    extra: tuple[Field, ...],
) -> Document:
    """Return the document of a parent row and its child rows, given by table field in any order.

    Raises:
        SourceError: a value does not fit its column's declaration.
    """
    name = document_name(row.get("name"), doctype.label)
    where = f"{doctype.label} {name!r}"
    rows = {
        table.field: tuple(
            _fields(table.fields, raw, f"{where}, a row of {table.field}")
            for raw in _ordered(table, found, where)
        )
        for table in doctype.children
        if (found := children.get(table.field))
    }
    return Document(doctype.name, name, _fields((*doctype.fields, *extra), row, where), rows)


def document_name(raw: object, kind: str) -> str:
    """Return a row's name exactly as stored; `kind` says in an error what it should have named.

    Raises:
        SourceError: there is no name, or it is not text.
    """
    try:
        name = "" if raw is None else _decoded(raw)
    except _MisfitError as misfit:
        raise _source_error(f"a {kind}'s name", misfit) from None
    if not name:
        raise SourceError(f"a {kind} in the database has no name", hint="delete or name that row")
    return name


def _ordered(table: ChildTable, rows: Sequence[RawRow], where: str) -> list[RawRow]:
    """Sort by the declared integers, then by the row's name by code point (spec 1, "Order")."""

    def key(row: RawRow) -> tuple[list[int], str]:
        return [_integer(row.get(column), 0) for column in table.order], str(row.get("name", ""))

    try:
        return sorted(rows, key=key)
    except _MisfitError as misfit:
        raise _source_error(f"{where}, the order of {table.field}", misfit) from None


def _fields(columns: Iterable[Field], row: RawRow, where: str) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for column in columns:
        raw = row.get(column.name)
        if type(raw) is int and column.type in _WHOLE:  # what most columns hold needs no look
            fields[column.name] = raw if column.type is _INT else raw != 0
        elif raw is not None or column.type is not _TEXT:
            try:
                _read(column, raw, fields)
            except _MisfitError as misfit:
                raise _source_error(f"{where}, {column.name}", misfit) from None
    return fields


def _read(column: Field, raw: object, fields: dict[str, Value]) -> None:
    """Put a column's value among the fields; empty text and an empty date stay out."""
    kind = column.type
    if kind is _TEXT:
        if text := _text(raw):
            fields[column.name] = text
    elif kind is _CHECK:
        fields[column.name] = _integer(raw, int(column.default or 0)) != 0
    elif kind is _INT:
        fields[column.name] = _integer(raw, int(column.default or 0))
    elif kind is _FLOAT:
        fields[column.name] = _number(raw, float(column.default or 0.0))
    elif kind is _DATE:
        if date_text := _date(raw):
            fields[column.name] = date_text
    else:
        name, config = _config(column.name, _text(raw))
        fields[name] = config


class _MisfitError(ValueError):
    """A value that is not what its column is declared to be; the message says what it is."""


def _source_error(where: str, misfit: _MisfitError) -> SourceError:
    return SourceError(f"{where}: {misfit}", hint="correct the value in Frappe and save it")


def _misfit(raw: object, wanted: str) -> _MisfitError:
    return _MisfitError(f"the database holds {reprlib.repr(raw)}, which is not {wanted}")


def _integer(raw: object, default: int) -> int:
    if isinstance(raw, int):
        return int(raw)
    if raw is None or raw in ("", b""):
        return default
    if raw in (b"\x00", b"\x01"):  # BIT(1), as PyMySQL returns it
        return int(raw == b"\x01")
    number = _decimal(raw)
    if number != number.to_integral_value():
        raise _misfit(raw, "a whole number")
    return int(number)


def _number(raw: object, default: float) -> float:
    if raw is None or raw in ("", b""):
        return default
    number = raw if isinstance(raw, float) else float(_decimal(raw))
    if not isfinite(number):
        raise _misfit(raw, "a finite double")
    return number


def _decimal(raw: object) -> Decimal:
    try:
        number = raw if isinstance(raw, Decimal) else Decimal(_decoded(raw).strip())
    except InvalidOperation:
        raise _misfit(raw, "a number") from None
    if not number.is_finite() or number.adjusted() > _LARGEST_EXPONENT:
        raise _misfit(raw, "a finite double")
    return number


def _text(raw: object) -> str:
    """Return text with LF line ends and nothing else changed; empty for NULL."""
    if type(raw) is str and raw.isascii() and "\r" not in raw:
        return raw
    return "" if raw is None else _with_line_feeds(_decoded(raw))


def _decoded(raw: object) -> str:
    try:
        text = raw.decode("utf-8") if isinstance(raw, (bytes, bytearray)) else str(raw)
        if not text.isascii():
            text.encode("utf-8")
    except UnicodeError:
        raise _MisfitError("the stored text is not valid Unicode (UTF-8)") from None
    return text


def _with_line_feeds(text: str) -> str:
    if "\r" not in text:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _date(raw: object) -> str:
    """Return an ISO date; empty for NULL and for MariaDB's zero date."""
    if isinstance(raw, datetime):
        raw = raw.date()
    if isinstance(raw, date):
        return raw.isoformat()
    text = _text(raw)
    if _DATE_AND_TIME.match(text):
        text = text[:10]
    return "" if text == _ZERO_DATE else text


class _NotPlainError(ValueError):
    """A config that Python's reader takes and that cannot be kept faithfully as values."""


def _config(name: str, text: str) -> tuple[str, Value]:
    """Return the config under its name, or what is not a plain JSON object under `config_text`."""
    if not text:
        return name, {}
    try:
        value = _DECODER.decode(text)
        _refuse_surrogates(text, value)
    except (ValueError, RecursionError):
        return f"{name}_text", text
    if not isinstance(value, dict) or _is_too_deep(text, value):
        return f"{name}_text", text
    return name, _lines_fed(value) if _CARRIAGE_RETURN_ESCAPE.search(text) else value


def _refuse_surrogates(text: str, value: Json) -> None:
    """Raise ValueError where a string holds a lone surrogate, which only an escape can make."""
    if _SURROGATE_ESCAPE.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")


def _is_too_deep(text: str, value: Json) -> bool:
    if text.count("{") + text.count("[") <= MAX_CONFIG_DEPTH:
        return False
    level, depth = [value], 0
    while level:
        depth += 1
        level = [item for parent in level for item in _items(parent)]
    return depth - 1 > MAX_CONFIG_DEPTH


def _items(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values() or (None,)
    return (value or (None,)) if isinstance(value, list) else ()


def _lines_fed(value: dict[str, Json]) -> dict[str, Json]:
    return {key: _line_fed(item) for key, item in value.items()}


def _line_fed(value: Json) -> Json:
    if isinstance(value, str):
        return _with_line_feeds(value)
    if isinstance(value, dict):
        return _lines_fed(value)
    return [_line_fed(item) for item in value] if isinstance(value, list) else value


def _without_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotPlainError("a key is repeated")
    return found


def _finite_float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise _NotPlainError("a number is beyond double precision")
    return number


def _finite_int(text: str) -> int:
    if len(text) >= _DIGITS_OF_MAX_DOUBLE:
        _finite_float(text)
    return int(text)


def _refuse_constant(constant: str) -> Json:
    raise _NotPlainError(f"{constant} is not a JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_without_repeats,
    parse_float=_finite_float,
    parse_int=_finite_int,
    parse_constant=_refuse_constant,
)
