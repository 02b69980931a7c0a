"""`docs/json-reference.md`: every schema as a page that people read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from exporter.core.yamltext import emit
from reference.shapes import Schema

__all__ = ["anchor", "page", "type_words"]

INTRODUCTION = """\
# JSON reference

Every document that the exporter reads or writes, from the JSON Schemas in [`schemas/`](../schemas)
(draft 2020-12). `make reference` writes this page from them; do not edit it by hand.

* What others read, that is the published files and what `--json` prints, has the listed keys and no
  others. All are there unless the table says *optional*; an optional one is left out, never empty.
* With `--json` a command prints one object on standard output, also where it fails: then its only
  key is [`error`](#a-failure), which also names the exit status.
* In all of `--json`, `release` and `commit` are full ids, `target` is a target's name, `file` is a
  path from the repository's root, `path` is one from the snapshot folder, and null says that there
  is none.

## Versions

The number in a schema's `$id` (`…/schemas/v1/…`) goes up with a change that breaks whoever relies
on it, and a test refuses such a change without it.

* For what others **read**, the published files and `--json`, these break: a key that goes, changes
  its type or may be missing from now on; a new word where only certain ones were possible. A new
  key does not: ignore keys that you do not know.
* For what others **write**, the snapshot and `exporter.yaml`, these break: a key that goes, a new
  one that must be there, and values that are taken no more.
"""

GROUPS = (
    ("Published files", "What students' apps read from the CDN.", ""),
    ("Snapshot documents", "The content in git: one canonical YAML file a document.", "snapshot-"),
    ("Configuration", "`exporter.yaml`, at the root of the content repository.", "config"),
    ("Output of the commands", "What `--json` prints.", "output-"),
)
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true/false",
    "object": "object",
    "array": "list",
    "null": "null",
}
_MANY_WORDS = 12
PART = "Part: "
"""What the headings of parts begin with, so that no other heading is called the same."""

Row = tuple[str, str, str]


def page(schemas: Mapping[str, Schema]) -> str:
    """Return the page; schemas by kind, in the order in which they are shown."""
    grouped = {
        prefix: [kind for kind in schemas if _group(kind) == prefix] for _, _, prefix in GROUPS
    }
    parts = [INTRODUCTION, "## Contents\n"]
    for title, _, prefix in GROUPS:
        links = (
            f"[{_heading(schemas[kind])}](#{anchor(_heading(schemas[kind]))})"
            for kind in grouped[prefix]
        )
        parts.append(f"* **{title}**: {', '.join(links)}")
    for title, about, prefix in GROUPS:
        parts.append(f"\n## {title}\n\n{about}")
        parts += _group_sections({kind: schemas[kind] for kind in grouped[prefix]})
    return "\n".join(parts) + "\n"


def _group(kind: str) -> str:
    prefixes = (prefix for _, _, prefix in GROUPS if prefix)
    return next((prefix for prefix in prefixes if kind.startswith(prefix)), "")


def _heading(schema: Schema) -> str:
    return str(schema["title"])


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    kept = (letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")


def _group_sections(schemas: Mapping[str, Schema]) -> Iterator[str]:
    """Yield a section for each schema of a group, then one for each part that several have."""
    uses = Counter(
        (name, json.dumps(definition))
        for schema in schemas.values()
        for name, definition in schema.get("$defs", {}).items()
        if "properties" in definition
    )
    names = Counter(name for name, _ in uses)
    common = {name for (name, _), times in uses.items() if times > 1 and names[name] == 1}
    for kind, schema in schemas.items():
        yield _section(kind, schema, common)
    for schema in schemas.values():
        for name, definition in schema.get("$defs", {}).items():
            if name in common:
                common.remove(name)
                yield f"\n#### {PART}{_words(name)}\n\n{definition['description']}.\n"
                yield _table(_rows(schema, definition, ""))


def _section(kind: str, schema: Schema, common: Container[str]) -> str:
    file = f"{kind}.schema.json"
    parts = [
        f"\n### {_heading(schema)}\n",
        f"{schema['description']}. Schema: [`{file}`](../schemas/{file}).\n",
        _table(_rows(schema, schema, "")),
    ]
    for name, definition in schema.get("$defs", {}).items():
        if "properties" in definition and name not in common:
            parts.append(f"\n#### {PART}{_words(name)}\n\n{definition['description']}.\n")
            parts.append(_table(_rows(schema, definition, "")))
    example = schema["examples"][0]
    if _group(kind) in ("snapshot-", "config"):
        shown = f"```yaml\n{emit(example)}```"
    else:
        shown = f"```json\n{json.dumps(example, ensure_ascii=False, indent=2)}\n```"
    parts.append(f"\n<details><summary>Example</summary>\n\n{shown}\n\n</details>")
    return "\n".join(parts)


def _table(rows: Iterator[Row]) -> str:
    lines = ["| key | type | what it is |", "|---|---|---|"]
    lines += (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join(lines)


def _rows(top: Schema, node: Schema, path: str) -> Iterator[Row]:
    """Yield a row for each property of an object, and for what is inside it."""
    required = node.get("required", ())
    for name, found in node.get("properties", {}).items():
        key = f"{path}{name}"
        optional = "" if name in required else "*optional*; "
        default = f"; default `{json.dumps(found['default'])}`" if "default" in found else ""
        yield f"`{key}`", optional + type_words(top, found), f"{found['description']}{default}"
        yield from _inside(top, found, key)
    extra = node.get("additionalProperties")
    if path == "" and "properties" in node and isinstance(extra, dict):
        yield "*any other*", f"*optional*; {type_words(top, extra)}", extra.get("description", "")


def _inside(top: Schema, found: Schema, key: str) -> Iterator[Row]:
    """Yield the rows of the objects that a property holds by itself."""
    if "properties" in found:
        yield from _rows(top, found, f"{key}.")
    if "items" in found:
        yield from _inside(top, found["items"], f"{key}[]")
    if isinstance(found.get("additionalProperties"), dict):
        yield from _inside(top, found["additionalProperties"], f"{key}.*")
    variants = [one for one in found.get("anyOf", ()) if "properties" in one]
    for variant in variants:
        constants = [str(one["const"]) for one in variant["properties"].values() if "const" in one]
        which = f" ({', '.join(constants)})" if len(variants) > 1 and constants else ""
        if which:
            yield f"`{key}`{which}", "object", variant["description"]
        yield from _rows(top, variant, f"{key}.")


def type_words(top: Schema, found: Schema) -> str:
    """Say in words what a value may be."""
    if "anyOf" in found:
        return " or ".join(dict.fromkeys(type_words(top, one) for one in found["anyOf"]))
    if "$ref" in found:
        name = found["$ref"].rpartition("/")[2]
        definition = top["$defs"][name]
        if "properties" not in definition:
            return type_words(top, definition)
        return f"[{_words(name)}](#part-{name.replace('_', '-')})"
    if "const" in found:
        return f"`{json.dumps(found['const'])}`"
    if "enum" in found:
        return _choice(found["enum"])
    types = found.get("type", "any value")
    if isinstance(types, list):
        return " or ".join(", ".join(_TYPES[one] for one in types).rsplit(", ", 1))
    if types == "array":
        return f"list of {type_words(top, found['items'])}" if "items" in found else "list"
    values = found.get("additionalProperties")
    if types == "object" and "properties" not in found and isinstance(values, dict):
        return f"object of {type_words(top, values)} by name"
    return _TYPES.get(types, str(types))


def _choice(words: Sequence[Any]) -> str:
    shown = ", ".join(f"`{word}`" for word in words[:_MANY_WORDS])
    return shown + ", …" * (len(words) > _MANY_WORDS)


def _words(name: str) -> str:
    return name.replace("_", " ")
