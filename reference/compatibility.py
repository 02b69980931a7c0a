"""What a change of a schema breaks, for those who read its documents or for those who write them.

Who reads must never meet what the old schema ruled out, new keys apart: a key that goes, changes
its type or may be missing, a new word where only certain ones were possible, a limit that falls.
Who writes must still be understood: nothing that the old schema allowed may be refused. A breaking
change is right where the version in the schema's `$id` goes up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reference.shapes import Schema

__all__ = ["bare", "broken", "version_of", "written_by_others"]

_WORDS = frozenset({"title", "description", "examples", "default"})
_SIMPLE = frozenset({"string", "integer", "number", "boolean", "object", "array", "null"})
_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_AT_LEAST = ("minimum", "minLength", "minItems", "minProperties")
_AT_MOST = ("maximum", "maxLength", "maxItems")
_EXACT = ("pattern", "not", "if", "then", "else", "propertyNames", "dependentRequired")
"""Rules of which any change may rule something out, or let something in."""


def bare(schema: Schema) -> Schema:
    """Return a schema without its words and examples, and with its definitions put in place."""
    found: Schema = _bare(schema, schema.get("$defs", {}))
    return found


def version_of(schema: Schema) -> int:
    """Return the version in a schema's `$id`."""
    found = re.search(r"/v([0-9]+)/", schema["$id"])
    if found is None:
        raise ValueError(f"{schema['$id']} has no version")
    return int(found[1])


def written_by_others(kind: str) -> bool:
    """Tell whether people and other tools write documents of a kind; else they read them."""
    return kind == "config" or kind.startswith("snapshot-")


def broken(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """Return what breaks between two sets of bare schemas by kind, a line each."""
    lines = [f"{kind}: the schema is gone" for kind in old if kind not in new]
    for kind in old.keys() & new.keys():
        if version_of(new[kind]) <= version_of(old[kind]):
            change = _Change(writing=written_by_others(kind))
            lines += (f"{kind}: {line}" for line in change.between(old[kind], new[kind], "$"))
    return sorted(lines)


def _bare(node: Any, definitions: Mapping[str, Schema]) -> Any:  # noqa: ANN401 - any part of one
    if isinstance(node, list):
        return [_bare(one, definitions) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _bare(definitions[node["$ref"].rpartition("/")[2]], definitions)
    kept = {key: part for key, part in node.items() if key not in _WORDS | {"$defs"}}
    named = kept.pop("properties", None)
    found = {
        key: part if key in ("enum", "const") else _bare(part, definitions)
        for key, part in kept.items()
    }
    if named is not None:
        found["properties"] = {name: _bare(part, definitions) for name, part in named.items()}
    return found


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of a schema, seen by those who write its documents or by those who read them."""

    writing: bool

    def between(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """Yield what breaks at a place and inside it."""
        if "anyOf" in old or "anyOf" in new:
            yield from self._variants(old, new, path)
            return
        inner, outer = (old, new) if self.writing else (new, old)
        yield from self._values(inner, outer, path)
        yield from self._keys(old, new, path)
        for name, part in old.get("properties", {}).items():
            if name in new.get("properties", {}):
                yield from self.between(part, new["properties"][name], f"{path}.{name}")
        if "items" in old and "items" in new:
            yield from self.between(old["items"], new["items"], f"{path}[]")

    def _variants(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """Yield the variants that have no counterpart in which nothing breaks."""
        before, after = old.get("anyOf", [old]), new.get("anyOf", [new])
        if self.writing:
            lost = [one for one in before if all(any(self.between(one, n, "")) for n in after)]
        else:
            lost = [one for one in after if all(any(self.between(o, one, "")) for o in before)]
        if lost:
            yield f"{path}: {len(lost)} of its variants fit nothing on the other side"

    def _values(self, inner: Schema, outer: Schema, path: str) -> Iterator[str]:
        """Yield where `inner` admits values that `outer` does not."""
        said = "takes fewer" if self.writing else "may have other"
        if not _types(inner) <= _types(outer):
            yield f"{path}: {said} types"
        words, allowed = _enumerated(inner), _enumerated(outer)
        if allowed is not None and (words is None or not words <= allowed):
            yield f"{path}: {said} words"
        for rule in (*_AT_LEAST, *_AT_MOST):
            if rule in outer and not _within(rule, inner.get(rule), outer[rule]):
                yield f"{path}: {said} values ({rule})"
        for rule in _EXACT:
            if inner.get(rule) != outer.get(rule):
                yield f"{path}: {said} values ({rule})"
        missing = set(outer.get("required", ())) - set(inner.get("required", ()))
        for name in sorted(missing):
            must = "must be there now" if self.writing else "may be missing now"
            yield f"{path}.{name}: {must}"

    def _keys(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """Yield the keys that are gone, and what becomes of unknown ones."""
        after = new.get("properties", {})
        for name in old.get("properties", {}):
            if name not in after:
                yield f"{path}.{name}: is gone"
        before, now = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from self.between(before, now, f"{path}.*")
        elif isinstance(before, dict) or (self.writing and before is True and now is not True):
            yield f"{path}: other keys are not what they were"


def _types(schema: Schema) -> frozenset[str]:
    """Return the types that a schema admits."""
    if "type" not in schema:
        words = schema.get("enum", [schema["const"]] if "const" in schema else None)
        return _SIMPLE if words is None else frozenset(_NAMES[type(word)] for word in words)
    named = schema["type"]
    types = frozenset([named] if isinstance(named, str) else named)
    return types | {"integer"} if "number" in types else types


def _enumerated(schema: Schema) -> frozenset[str] | None:
    """Return the only values that a schema admits; None where it names none."""
    if "const" in schema:
        return frozenset({repr(schema["const"])})
    return frozenset(map(repr, schema["enum"])) if "enum" in schema else None


def _within(rule: str, found: float | None, limit: float) -> bool:
    if found is None:
        return False
    return found >= limit if rule in _AT_LEAST else found <= limit
