"""Schemas of the snapshot's documents, from the one declaration of the content model (spec 1, 2).

They say what a canonical file may hold, so an editor or another tool can check one before
`exporter check` does. What depends on the place of a file or on the configuration is left to that:
the parent link is allowed, though only a file in `orphans/` has it, and so is any plain value under
an unknown key, which may be one of the site's own fields (`source.extra_fields`).
"""

from __future__ import annotations

from exporter.core.files import CONFIG, CONFIG_TEXT
from exporter.core.model import DOCTYPES, ChildTable, DocType, Field, FieldType
from reference.shapes import Schema, document, flag, listed, number, objects, text, value

__all__ = ["DOCUMENTS", "snapshot_schemas"]

DOCUMENTS = {f"snapshot-{doctype.label}": doctype for doctype in DOCTYPES.values()}
"""The DocTypes by the kind of their schema."""

_DATE = "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$"
_WORDS = {
    "action": "What the override does, such as `Set Access Level`, `Hide` or `Rename`",
    "badge_image": "The address of the unit's badge: a path such as /files/x.png, or a URL",
    "bit_index": "The lesson's bit in the progress engine; -1 until it has one",
    "color_code": "The subject's colour as #RRGGBB",
    "config": "The stage's own settings, keys in code point order; nothing in it is left out",
    "config_text": "The stage's settings as their text, where they are not a JSON object (E105)",
    "description": "A few words about it, as plain text",
    "end_date": "The last day, quoted: 'YYYY-MM-DD'",
    "grade": "The name of the grade that the plan is for",
    "image": "The image's address: a path such as /files/x.png, or a URL",
    "is_free_preview": "Whether everybody who is signed in may open it, to try it out",
    "is_linear": "Whether students go through what is below it in order",
    "is_public": "Whether anybody may open it, without signing in",
    "is_published": "Whether it is shown at all",
    "is_skippable": "Whether the student may go on without it",
    "is_sold_separately": "Whether it is sold by itself",
    "name": "The document's name, which identifies it",
    "override_value": "What the action needs: an access level, an item, a title",
    "parent_item_required": "Whether the subject's item is needed as well",
    "required_item": "The item that a student must have bought to open it",
    "season": "The name of the season that the plan is for",
    "sort_order": "Its place among its siblings; the name settles ties",
    "start_date": "The first day, quoted: 'YYYY-MM-DD'",
    "stream": "The name of the stream that the plan is for",
    "subject": "The name of a subject that the plan shows",
    "target_doctype": "What kind of document the override is about, such as `Memora Lesson`",
    "target_name": "The name of the document that the override is about",
    "target_time": "The time that the stage should take, in seconds; 0 where none is set",
    "title": "What students read; absent where it is empty",
    "type": "What kind of stage it is, such as `Video`, which says how to read `config`",
    "weight": "How much the stage counts in the lesson's score",
}
_TABLES = {
    "overrides": "What the plan changes of its subjects and of what is below, in order",
    "stages": "The lesson's stages, in order",
    "subjects": "The subjects that the plan shows, in order",
}


def snapshot_schemas() -> dict[str, Schema]:
    """Return the schema of every document kind, without examples."""
    return {kind: _schema(kind, doctype) for kind, doctype in DOCUMENTS.items()}


def _schema(kind: str, doctype: DocType) -> Schema:
    fields = {column.name: _field(doctype, column) for column in doctype.fields}
    fields.get("is_published", {}).pop("default", None)
    tables = {table.field: _table(table) for table in doctype.children}
    mandatory = {"name", "is_published"}  # what nobody may lose by a slip of the pen (E103)
    properties = {"name": text(_WORDS["name"], minLength=1), **fields, **tables}
    body = objects(
        f"A {doctype.label} in the snapshot (`{_place(doctype)}`), as canonical YAML",
        properties.keys() - mandatory,
        **properties,
    )
    own = value("A field of the site's own, as configured", "string", "number", "boolean")
    body["additionalProperties"] = own
    return document(kind, f"Snapshot: {doctype.label}", body, {})


def _field(doctype: DocType, column: Field) -> Schema:
    if column.name == doctype.parent_field:
        label = DOCTYPES[str(doctype.parent)].label
        said = f"The {label} that it belongs to; only in `orphans/`, else the folder says it"
    else:
        said = _WORDS[column.name]
    schema = _typed(column, said)
    written = column.type in (FieldType.CHECK, FieldType.INT, FieldType.FLOAT)
    return {**schema, "default": column.default} if written else schema


def _typed(column: Field, said: str) -> Schema:
    match column.type:
        case FieldType.TEXT:
            return text(said, minLength=1)
        case FieldType.CHECK:
            return flag(said)
        case FieldType.INT:
            return number(said, least=None)
        case FieldType.FLOAT:
            return number(said, least=None, whole=False)
        case FieldType.DATE:
            return text(said, minLength=10, maxLength=10, pattern=_DATE)
        case FieldType.JSON:
            return {"description": said, "type": "object"}


def _table(table: ChildTable) -> Schema:
    fields = {column.name: _typed(column, _WORDS[column.name]) for column in table.fields}
    has_config = CONFIG in fields
    if has_config:
        fields[CONFIG_TEXT] = text(_WORDS[CONFIG_TEXT])
    row = objects(f"A row of `{table.field}`", fields, **fields)
    if has_config:
        row["not"] = {"required": [CONFIG, CONFIG_TEXT]}
    return listed(_TABLES[table.field], row)


def _place(doctype: DocType) -> str:
    if doctype.parent is None:
        own = f"<{doctype.label}>"
        return f"{doctype.folder}/{own}" + (
            f"/{doctype.index_file}" if doctype.index_file else ".yaml"
        )
    above = _place(DOCTYPES[doctype.parent]).rpartition("/")[0]
    own = f"{above}/<{doctype.label}>"
    return f"{own}/{doctype.index_file}" if doctype.index_file else f"{own}.yaml"
