"""The content model, declared once as data (spec 1).

Reading the database, the order of YAML keys, the paths of files, the schemas of snapshot files, the
words of a diff and the affected plans all come from `DOCTYPES`. A `Document` is one row of a parent
table with its child rows folded in, already normalised; how raw columns become one is `normalise`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

__all__ = [
    "CURRICULUM",
    "DOCTYPES",
    "GRADE",
    "LESSON",
    "OVERRIDE_TARGETS",
    "PLAN",
    "SEASON",
    "STREAM",
    "SUBJECT",
    "TOPIC",
    "TRACK",
    "UNIT",
    "ChildTable",
    "DocType",
    "Document",
    "ExtraFields",
    "Field",
    "FieldType",
    "Json",
    "Ref",
    "Row",
    "Value",
]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A value of a stage's config."""

Value = bool | int | float | str | dict[str, Json]
"""A field's normalised value: Check, Int, Float, text (dates as ISO 8601) or a config."""

Row = Mapping[str, Value]
"""A child row without its id; empty text is absent."""


class FieldType(Enum):
    """How a column's raw value is read and written (spec 2)."""

    TEXT = "text"
    CHECK = "check"
    INT = "int"
    FLOAT = "float"
    DATE = "date"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """One column that is read."""

    name: str
    type: FieldType = FieldType.TEXT
    default: bool | int | float | str = ""
    required: bool = False
    """The column must exist: a table without it is not the table we know."""


@dataclass(frozen=True, slots=True)
class ChildTable:
    """A table whose rows belong to one document each."""

    doctype: str
    field: str
    """The parent's table field: the `parentfield` of its rows and their key in the YAML."""
    fields: tuple[Field, ...]
    order: tuple[str, ...]
    """Columns that order the rows; the row's name settles ties."""


@dataclass(frozen=True, slots=True)
class DocType:
    """A parent table, its fields in canonical order, and its place in the snapshot."""

    name: str
    label: str
    plural: str
    fields: tuple[Field, ...]
    children: tuple[ChildTable, ...] = ()
    parent: str | None = None
    """The DocType that the parent link leads to."""
    parent_field: str | None = None
    folder: str | None = None
    """The top folder of a flat DocType; curriculum DocTypes live below `subjects/`."""
    index_file: str | None = None
    """The file inside the document's own folder, for a node that has children."""

    def field(self, name: str) -> Field:
        """Return the declared field of that name; KeyError where there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


Ref = tuple[str, str]
"""(DocType name, document name): what identifies a document."""

ExtraFields = Mapping[str, tuple[str, ...]]
"""Configured additional columns by DocType, in their configured order."""


@dataclass(frozen=True, slots=True)
class Document:
    """A normalised document: `fields` holds every non-empty field, the parent link included.

    Keys stand in canonical order: declared fields, then extra fields. Check, Int and Float are
    always there; empty text is absent. `rows` holds the non-empty child tables.
    """

    doctype: str
    name: str
    fields: Mapping[str, Value]
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        """Return what identifies this document."""
        return (self.doctype, self.name)

    @property
    def type(self) -> DocType:
        """Return the declaration of this document's DocType."""
        return DOCTYPES[self.doctype]

    @property
    def title(self) -> str:
        """Return the title, or the name where there is none."""
        return self.text("title") or self.name

    @property
    def parent(self) -> str:
        """Return the value of the parent link; empty where there is none."""
        link = self.type.parent_field
        return self.text(link) if link else ""

    @property
    def sort_key(self) -> tuple[int, str]:
        """Return what orders siblings: `(sort_order, name)`, never a collation (spec 1)."""
        return (self.integer("sort_order"), self.name)

    def text(self, name: str) -> str:
        """Return a text field; empty where it is absent."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else str(value)

    def flag(self, name: str) -> bool:
        """Return a Check field; false where the DocType has no such field."""
        return self.fields.get(name, False) is True

    def integer(self, name: str) -> int:
        """Return an Int field; 0 where the DocType has no such field."""
        value = self.fields.get(name, 0)
        return value if isinstance(value, int) else 0

    def extras(self) -> Iterator[tuple[str, Value]]:
        """Yield the configured extra fields in their order."""
        declared = {column.name for column in self.type.fields}
        return ((name, value) for name, value in self.fields.items() if name not in declared)


def _text(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name) for name in names)


def _check(name: str, *, default: bool = False) -> Field:
    return Field(name, FieldType.CHECK, default)


def _int(name: str, default: int = 0) -> Field:
    return Field(name, FieldType.INT, default)


_TITLE = Field("title", required=True)
_PUBLISHED = _check("is_published")
_FREE = _check("is_free_preview")
_ITEM = Field("required_item")
_SORT = _int("sort_order")
_LINEAR = _check("is_linear", default=True)
_ABOUT = _text("description", "image")


def _link(name: str) -> Field:
    return Field(name, required=True)


PLAN = "Memora Academic Plan"
SUBJECT = "Memora Subject"
TRACK = "Memora Track"
UNIT = "Memora Unit"
TOPIC = "Memora Topic"
LESSON = "Memora Lesson"
SEASON = "Memora Season"
GRADE = "Memora Grade"
STREAM = "Memora Stream"

CURRICULUM = (SUBJECT, TRACK, UNIT, TOPIC, LESSON)
"""The levels of the curriculum tree, from the top."""

OVERRIDE_TARGETS = frozenset(CURRICULUM)
"""What a plan's override may name (spec 3)."""

_PLAN_SUBJECTS = ChildTable(
    "Memora Plan Subject",
    "subjects",
    (Field("subject"), _SORT),
    order=("sort_order", "idx"),
)
_PLAN_OVERRIDES = ChildTable(
    "Memora Plan Override",
    "overrides",
    _text("target_doctype", "target_name", "action", "override_value"),
    order=("idx",),
)
_LESSON_STAGES = ChildTable(
    "Memora Lesson Stage",
    "stages",
    (
        *_text("title", "type"),
        Field("config", FieldType.JSON),
        Field("weight", FieldType.FLOAT, 1.0),
        _int("target_time"),
        _check("is_skippable"),
    ),
    order=("idx",),
)

DOCTYPES: Mapping[str, DocType] = {
    doctype.name: doctype
    for doctype in (
        DocType(
            PLAN,
            "plan",
            "plans",
            (_TITLE, *_text("season", "grade", "stream"), _check("is_published", default=True)),
            children=(_PLAN_SUBJECTS, _PLAN_OVERRIDES),
            folder="plans",
        ),
        DocType(
            SEASON,
            "season",
            "seasons",
            (
                _TITLE,
                _PUBLISHED,
                Field("start_date", FieldType.DATE),
                Field("end_date", FieldType.DATE),
            ),
            folder="seasons",
        ),
        DocType(GRADE, "grade", "grades", (_TITLE, _SORT), folder="grades"),
        DocType(STREAM, "stream", "streams", (_TITLE,), folder="streams"),
        DocType(
            SUBJECT,
            "subject",
            "subjects",
            (
                _TITLE,
                *_ABOUT,
                Field("color_code"),
                _PUBLISHED,
                _check("is_public"),
                _FREE,
                _ITEM,
                _SORT,
                _LINEAR,
            ),
            folder="subjects",
            index_file="_subject.yaml",
        ),
        DocType(
            TRACK,
            "track",
            "tracks",
            (
                _TITLE,
                *_ABOUT,
                _link("parent_subject"),
                _PUBLISHED,
                _FREE,
                _check("is_sold_separately"),
                _check("parent_item_required"),
                _ITEM,
                _SORT,
                _LINEAR,
            ),
            parent=SUBJECT,
            parent_field="parent_subject",
            index_file="_track.yaml",
        ),
        DocType(
            UNIT,
            "unit",
            "units",
            (
                _TITLE,
                *_ABOUT,
                Field("badge_image"),
                _link("parent_track"),
                _PUBLISHED,
                _FREE,
                _ITEM,
                _SORT,
                _LINEAR,
            ),
            parent=TRACK,
            parent_field="parent_track",
            index_file="_unit.yaml",
        ),
        DocType(
            TOPIC,
            "topic",
            "topics",
            (_TITLE, *_ABOUT, _link("parent_unit"), _PUBLISHED, _FREE, _ITEM, _SORT, _LINEAR),
            parent=UNIT,
            parent_field="parent_unit",
            index_file="_topic.yaml",
        ),
        DocType(
            LESSON,
            "lesson",
            "lessons",
            (
                _TITLE,
                *_ABOUT,
                _link("parent_topic"),
                _PUBLISHED,
                _FREE,
                _ITEM,
                _SORT,
                _int("bit_index", -1),
            ),
            children=(_LESSON_STAGES,),
            parent=TOPIC,
            parent_field="parent_topic",
        ),
    )
}
"""Every parent DocType by name, in the order in which a snapshot is read."""
