"""JSON Schema in a few words: the building blocks that declarations of documents are made of.

An object has a fixed list of keys and takes no others; all are there unless named as optional. A
title is made from the key. What several documents share is a definition, and stands in each schema
that needs it, so that every schema can be read alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "Schema",
    "choice",
    "document",
    "either",
    "flag",
    "listed",
    "mapping",
    "number",
    "objects",
    "or_null",
    "shared",
    "text",
    "value",
]

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
BASE = "https://exporter.example/schemas"
VERSIONS: Mapping[str, int] = dict.fromkeys(
    (
        "output-explain-key",
        "output-publish",
        "output-releases",
        "output-retry",
        "output-show",
        "output-status",
    ),
    2,  # releases of kind `adopt`
)
"""The version of each kind that had a breaking change; 1 for all others."""


def text(description: str, **more: object) -> Schema:
    """Return a text."""
    return {"description": description, "type": "string", **more}


def number(description: str, *, least: int | None = 0, whole: bool = True) -> Schema:
    """Return a number, which is a count unless said otherwise."""
    limits = {} if least is None else {"minimum": least}
    return {"description": description, "type": "integer" if whole else "number", **limits}


def flag(description: str) -> Schema:
    """Return true or false."""
    return {"description": description, "type": "boolean"}


def choice(description: str, words: Iterable[str]) -> Schema:
    """Return one of a few words."""
    return {"description": description, "type": "string", "enum": list(words)}


def value(description: str, *types: str) -> Schema:
    """Return a value of any of the types; of all where none is named."""
    return {"description": description, **({"type": list(types)} if types else {})}


def listed(description: str, items: Schema) -> Schema:
    """Return a list."""
    return {"description": description, "type": "array", "items": items}


def mapping(description: str, values: Schema) -> Schema:
    """Return an object of which the keys are names."""
    return {"description": description, "type": "object", "additionalProperties": values}


def objects(description: str, optional: Iterable[str] = (), /, **properties: Schema) -> Schema:
    """Return an object with these keys and no others, in this order."""
    missing = set(optional)
    return {
        "description": description,
        "type": "object",
        "properties": {name: _titled(name, schema) for name, schema in properties.items()},
        "required": [name for name in properties if name not in missing],
        "additionalProperties": False,
    }


def shared(name: str, description: str) -> Schema:
    """Return what a definition declares."""
    return {"description": description, "$ref": f"#/$defs/{name}"}


def or_null(schema: Schema) -> Schema:
    """Return what may also be null."""
    described = {"description": schema["description"]}
    bare = {key: part for key, part in schema.items() if key != "description"}
    if isinstance(bare.get("type"), str) and not bare.keys() & {"enum", "not"}:
        return {**described, **bare, "type": [bare["type"], "null"]}
    return {**described, "anyOf": [bare, {"type": "null"}]}


def either(description: str, *schemas: Schema) -> Schema:
    """Return what fits one of several."""
    return {"description": description, "anyOf": list(schemas)}


def document(kind: str, title: str, body: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return the schema of a kind, with the definitions that it needs; it has no examples yet."""
    version = VERSIONS.get(kind, 1)
    needed: dict[str, Schema] = {}
    waiting = [body]
    while waiting:
        written = json.dumps(waiting.pop())
        for name, definition in definitions.items():
            if name not in needed and f'"#/$defs/{name}"' in written:
                needed[name] = _titled(name, definition)
                waiting.append(definition)
    head = {"$schema": DRAFT, "$id": f"{BASE}/v{version}/{kind}.schema.json", "title": title}
    named = {"$defs": {name: needed[name] for name in definitions if name in needed}}
    return {**head, **body, **(named if needed else {})}


def _titled(name: str, schema: Schema) -> Schema:
    words = name.replace("_", " ").replace("-", " ").strip()
    title = (words[:1].upper() + words[1:]).replace("Url", "URL").replace(" url", " URL")
    return {"title": schema.get("title", title), **schema}
