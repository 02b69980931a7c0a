"""Random documents of every DocType, with hostile texts, as strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from exporter.core.model import DOCTYPES, DocType, Document, Field, FieldType, Json, Row, Value
from tests.core.hostile import NAMES, TEXTS

__all__ = ["EXTRA", "documents"]

EXTRA = ("difficulty", "reviewed", "hours", "note")
"""The extra fields that every random document may have."""

INTS = st.one_of(st.integers(-5, 5), st.integers(-(2**70), 2**70))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)

CONFIGS: st.SearchStrategy[Json] = st.recursive(
    st.one_of(st.none(), st.booleans(), INTS, FLOATS, st.just(""), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXTS | st.just(""), inner, max_size=3)
    ),
    max_leaves=6,
)

VALUES: dict[FieldType, st.SearchStrategy[Value]] = {
    FieldType.TEXT: TEXTS,
    FieldType.CHECK: st.booleans(),
    FieldType.INT: INTS,
    FieldType.FLOAT: FLOATS,
    FieldType.DATE: st.dates().map(str),
    FieldType.JSON: st.dictionaries(TEXTS, CONFIGS, max_size=3),
}


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw a document; its parent link, where it has one, is not empty."""
    doctype = draw(st.sampled_from(list(DOCTYPES.values())))
    fields = {**draw(_fields(doctype)), **draw(_extras())}
    tables = {table.field: st.lists(_rows(table.fields), max_size=3) for table in doctype.children}
    rows = {
        table: tuple(found) for table, found in draw(st.fixed_dictionaries(tables)).items() if found
    }
    return Document(doctype.name, draw(NAMES), fields, rows)


def _fields(doctype: DocType) -> st.SearchStrategy[dict[str, Value]]:
    return _values(doctype.fields, always={doctype.parent_field})


def _rows(columns: Sequence[Field]) -> st.SearchStrategy[Row]:
    return st.one_of(_values(columns), _values(columns).map(_with_config_text))


def _with_config_text(row: dict[str, Value]) -> dict[str, Value]:
    """Put a text in the place of the config, as for one that is no JSON object."""
    return {
        ("config_text" if key == "config" else key): ("[1]\nNaN" if key == "config" else value)
        for key, value in row.items()
    }


def _values(
    columns: Sequence[Field], always: set[str | None] | None = None
) -> st.SearchStrategy[dict[str, Value]]:
    """Draw values in canonical order; text may be absent, other fields never are."""
    absent: st.SearchStrategy[Value | None] = st.none()
    drawn = {
        column.name: VALUES[column.type]
        if column.default != "" or column.type is FieldType.JSON or column.name in (always or ())
        else absent | VALUES[column.type]
        for column in columns
    }
    return _present(drawn)


def _extras() -> st.SearchStrategy[dict[str, Value]]:
    value = st.one_of(st.none(), st.booleans(), INTS, FLOATS, TEXTS)
    return _present(dict.fromkeys(EXTRA, value))


def _present(
    values: Mapping[str, st.SearchStrategy[Value | None]],
) -> st.SearchStrategy[dict[str, Value]]:
    """Draw values in the order given, and leave out what is None."""
    return st.tuples(*values.values()).map(
        lambda drawn: {
            name: value for name, value in zip(values, drawn, strict=True) if value is not None
        }
    )
