"""All schemas with their examples, as the files that are committed.

The schemas of published files and of the configuration are written by hand in `schemas/`; only the
examples of the former are put in here. All others are made from their declarations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from exporter.content.yaml_reader import read_file
from exporter.core.tree import place_of
from reference.outputs import output_schemas
from reference.recording import examples_of, record
from reference.shapes import Schema
from reference.snapshots import DOCUMENTS, snapshot_schemas

__all__ = ["PUBLISHED", "Examples", "all_schemas", "recorded_examples", "text_of"]

PUBLISHED = (
    *("manifest", "hierarchy", "bitmap", "topic", "lesson", "search-index", "search-shard"),
    *("monolithic-manifest", "monolithic-subject", "monolithic-unit", "monolithic-lesson"),
)
"""The kinds of published files, in the order in which a reader meets them."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples by kind."""

    published: Mapping[str, list[Any]]
    outputs: Mapping[str, Any]


def all_schemas(root: Path, examples: Examples) -> dict[str, Schema]:
    """Return every schema by kind, in the order of the reference."""
    by_hand = {kind: _committed(root, kind) for kind in (*PUBLISHED, "config")}
    published = {
        kind: {**by_hand[kind], "examples": examples.published[kind]} for kind in PUBLISHED
    }
    snapshots = {
        kind: {**schema, "examples": [_snapshot_example(root, kind)]}
        for kind, schema in snapshot_schemas().items()
    }
    outputs = {
        kind: {**schema, "examples": [examples.outputs[kind]]}
        for kind, schema in output_schemas().items()
    }
    return {**published, **snapshots, "config": by_hand["config"], **outputs}


def text_of(schema: Schema) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def recorded_examples(root: Path, folder: Path) -> dict[str, Any]:
    """Return an example of each output: the committed one while it fits, else one recorded now."""
    kept = {
        kind: example
        for kind, schema in output_schemas().items()
        if (example := _committed(root, kind).get("examples", [None])[0])
        and jsonschema.Draft202012Validator(schema).is_valid(example)
    }
    if kept.keys() == output_schemas().keys():
        return kept
    folder.mkdir(parents=True)
    return {**examples_of(record(folder), folder), **kept}


def _committed(root: Path, kind: str) -> Schema:
    file = root / "schemas" / f"{kind}.schema.json"
    if not file.exists():
        return {}
    schema: Schema = json.loads(file.read_text(encoding="utf-8"))
    return schema


def _snapshot_example(root: Path, kind: str) -> object:
    """Return the document of this repository's snapshot that has the most keys."""
    wanted = DOCUMENTS[kind].name
    folder = root / "content-snapshot"
    found = []
    for path in folder.rglob("*.yaml"):
        name = path.relative_to(folder).as_posix()
        place = place_of(name)
        if place and place.doctype == wanted:
            data = path.read_bytes()
            mapping = read_file(name, data).mapping or {}
            found.append((-len(mapping), len(data), name, mapping))
    return min(found, key=lambda one: one[:3])[3]
