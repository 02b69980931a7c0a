"""Checking documents against the JSON Schemas: nothing is uploaded that was not (spec 4).

A kind is a schema's file name without `.schema.json`. jsonschema-rs decides, some 150 times faster
than jsonschema, which then finds the words for what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from exporter.config.schema_files import SUFFIX, read_schema, schema_folder

__all__ = ["Validator", "Violation", "document", "kinds", "published_kinds", "validator"]

MESSAGE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Violation:
    """One place of a document that does not fit its schema."""

    pointer: tuple[str | int, ...]
    """Keys and list positions from the document's root."""
    message: str


Validator = Callable[[object], list[Violation]]


@cache
def kinds() -> tuple[str, ...]:
    """Return every kind that has a schema, in alphabetical order."""
    names = sorted(entry.name for entry in schema_folder().iterdir())
    return tuple(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))


def published_kinds() -> tuple[str, ...]:
    """Return the kinds of published files: those of which the schemas shape what readers get."""
    others = ("config", "snapshot-", "output-")
    return tuple(kind for kind in kinds() if not kind.startswith(others))


def document(kind: str) -> dict[str, Any]:
    """Return the schema of a kind, parsed; KeyError where there is none."""
    return read_schema(kind)


@cache
def validator(kind: str) -> Validator:
    """Return the check of a kind, compiled once; no violations means that a document fits."""
    schema = document(kind)
    compiled = jsonschema_rs.validator_for(schema)

    def check(candidate: object) -> list[Violation]:
        try:
            if compiled.is_valid(candidate):
                return []
            decided = list(_decided(compiled, candidate))
        except ValueError as error:
            return [Violation((), _short(f"is not JSON: {error}"))]
        return sorted(_explained(schema, candidate), key=_place) or decided

    return check


def _explained(schema: dict[str, Any], candidate: object) -> Iterator[Violation]:
    import jsonschema  # slow to import, and needed only where something is wrong

    for error in jsonschema.Draft202012Validator(schema).iter_errors(candidate):
        message = error.message
        if error.validator == "not":  # the schemas say `not` of two things only
            message = "has a line break" if error.validator_value else "is not allowed here"
        yield Violation(tuple(error.absolute_path), _short(message))


def _decided(compiled: jsonschema_rs.Validator, candidate: object) -> Iterator[Violation]:
    """Yield the violations in the words of the library that decided."""
    for error in compiled.iter_errors(candidate):
        yield Violation(tuple(error.instance_path), _short(error.message))


def _place(violation: Violation) -> tuple[tuple[str, ...], str]:
    steps = (f"{step:09d}" if isinstance(step, int) else step for step in violation.pointer)
    return tuple(steps), violation.message


def _short(message: str) -> str:
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…"
