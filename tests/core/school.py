"""Small schools for tests: documents with defaults, so that a test says only what matters to it.

`school()` is the smallest whole one: plan `PLAN` lists subject `S`, below which stand one each of
track `T`, unit `U`, topic `O` and lesson `L`, all published; nothing is wrong with it. A document
given to `school` takes the place of the one with its name, or is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exporter.core.model import (
    DOCTYPES,
    LESSON,
    PLAN,
    SUBJECT,
    TOPIC,
    TRACK,
    UNIT,
    Document,
    Json,
    Row,
    Value,
)

__all__ = [
    "document",
    "lesson",
    "override",
    "plan",
    "school",
    "stage",
    "subject",
    "topic",
    "track",
    "unit",
]


def document(
    doctype: str,
    name: str,
    fields: Mapping[str, Value] | None = None,
    rows: Mapping[str, Iterable[Row]] | None = None,
) -> Document:
    """Return a whole document: fields in canonical order, a title, published unless it says not."""
    declared = DOCTYPES[doctype].fields
    given: dict[str, Value] = {"title": f"The {name}", "is_published": True, **(fields or {})}
    known = {column.name: given.get(column.name, column.default) for column in declared}
    extras = {key: given[key] for key in given if key not in known and key != "is_published"}
    kept = {key: value for key, value in {**known, **extras}.items() if value != ""}
    tables = {table: tuple(found) for table, found in (rows or {}).items()}
    return Document(doctype, name, kept, {table: found for table, found in tables.items() if found})


def plan(
    name: str = "PLAN",
    subjects: Iterable[str] = ("S",),
    overrides: Iterable[Row] = (),
    **fields: Value,
) -> Document:
    """Return a plan; its subjects are in the order given."""
    listed: list[Row] = [{"subject": one, "sort_order": n} for n, one in enumerate(subjects)]
    return document(PLAN, name, fields, {"subjects": listed, "overrides": overrides})


def subject(name: str = "S", **fields: Value) -> Document:
    return document(SUBJECT, name, fields)


def track(name: str = "T", parent: str = "S", **fields: Value) -> Document:
    return document(TRACK, name, {"parent_subject": parent, **fields})


def unit(name: str = "U", parent: str = "T", **fields: Value) -> Document:
    return document(UNIT, name, {"parent_track": parent, **fields})


def topic(name: str = "O", parent: str = "U", **fields: Value) -> Document:
    return document(TOPIC, name, {"parent_unit": parent, **fields})


def lesson(
    name: str = "L",
    parent: str = "O",
    bit_index: int = 0,
    stages: Iterable[Row] = (),
    **fields: Value,
) -> Document:
    """Return a lesson; without stages it is complete too."""
    fields = {"parent_topic": parent, "bit_index": bit_index, **fields}
    return document(LESSON, name, fields, {"stages": stages})


def stage(
    kind: str = "Text",
    config: dict[str, Json] | None = None,
    *,
    config_text: str = "",
    weight: float = 1.0,
    is_skippable: bool = False,
) -> Row:
    """Return a stage with its config, or with the text of one that is no JSON object."""
    complete: dict[str, Json] = {"text": "Read this."}
    content: Row = {"config": complete if config is None else config}
    return {
        "title": f"A {kind}",
        "type": kind,
        **({"config_text": config_text} if config_text else content),
        "weight": weight,
        "target_time": 60,
        "is_skippable": is_skippable,
    }


def override(target: Document, action: str, value: str = "") -> Row:
    """Return a plan's override row for a document."""
    row = {
        "target_doctype": target.doctype,
        "target_name": target.name,
        "action": action,
        "override_value": value,
    }
    return {key: text for key, text in row.items() if text}


def school(*documents: Document) -> tuple[Document, ...]:
    """Return the smallest whole school with these documents in it."""
    whole = (plan(), subject(), track(), unit(), topic(), lesson())
    return tuple({one.ref: one for one in (*whole, *documents)}.values())
