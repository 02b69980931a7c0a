"""What is wrong with a configuration by its schema, in people's words.

jsonschema finds the places, this module the words. No message shows a value that came from the
environment or stands where a secret belongs; finding secrets is the business of `rules`. A
definition's `description` in `config.schema.json` is a noun phrase, so that "must be" can be put
before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import jsonschema_rs

from exporter.config.reading import REFERENCE, Expansion, Pointer, Problem
from exporter.config.rules import is_secret_place
from exporter.config.schema_files import read_schema

__all__ = ["check_schema"]

SHOWN_LENGTH = 60

_TYPES: Mapping[str, str] = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_CREDENTIAL_WORDS = ("secret", "password", "passwd", "token", "access_key", "credential")


@dataclass(frozen=True, slots=True)
class _Misfit:
    """One place that does not fit one keyword of the schema."""

    pointer: Pointer
    keyword: str
    limit: Any
    """The keyword's value."""
    found: Any
    schema: Mapping[str, Any]
    of_key: bool
    """It is the key that does not fit, not what stands under it."""


def check_schema(document: Expansion) -> Expansion:
    """Add the schema's problems; a reference in a number's or a switch's place becomes one."""
    schema = read_schema("config")
    if jsonschema_rs.is_valid(schema, document.value):
        return document
    typed = replace(document, value=_typed(schema, document))
    found = (
        problem
        for misfit in _misfits(schema, typed.value)
        for problem in _problems(misfit, schema, typed)
    )
    return replace(typed, problems=(*document.problems, *dict.fromkeys(found)))


def _misfits(schema: dict[str, Any], value: object) -> Iterator[_Misfit]:
    import jsonschema  # slow to import, and needed only where something is wrong

    for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
        yield _Misfit(
            tuple(error.absolute_path),
            str(error.validator),
            error.validator_value,
            error.instance,
            error.schema if isinstance(error.schema, Mapping) else {},
            "propertyNames" in error.schema_path,
        )


def _typed(schema: dict[str, Any], document: Expansion) -> dict[str, Any]:
    """Return the value with the text of references read as the type that the schema wants."""
    value: dict[str, Any] = deepcopy(document.value)
    for misfit in _misfits(schema, document.value):
        if misfit.keyword == "type" and misfit.pointer in document.references:
            holder: Any = value
            for step in misfit.pointer[:-1]:
                holder = holder[step]
            holder[misfit.pointer[-1]] = _read_scalar(misfit.found)
    return value


def _read_scalar(text: str) -> bool | int | float | str:
    try:
        scalar = json.loads(text.lower())
    except ValueError:
        return text
    return scalar if isinstance(scalar, bool | int | float) else text


def _problems(misfit: _Misfit, schema: dict[str, Any], document: Expansion) -> Iterator[Problem]:
    pointer = misfit.pointer
    if misfit.keyword == "additionalProperties":
        known = list(misfit.schema["properties"])
        unknown = [key for key in misfit.found if key not in known]
        yield from (_unknown_key((*pointer, key), known) for key in unknown)
    elif misfit.keyword == "required":
        missing = [key for key in misfit.limit if key not in misfit.found]
        yield from (Problem(pointer, f'"{key}" is missing') for key in missing)
    elif misfit.keyword == "dependentRequired":
        yield Problem((*pointer, "purge"), 'needs "base_url", the URL that readers use')
    elif misfit.of_key:
        words = _lowered(schema["properties"]["targets"]["propertyNames"]["description"])
        yield Problem((*pointer, misfit.found), f"must be {words}")
    else:
        yield from _value_problem(misfit, schema, document)


def _value_problem(
    misfit: _Misfit, schema: dict[str, Any], document: Expansion
) -> Iterator[Problem]:
    pointer = misfit.pointer
    wants_scalar = misfit.keyword != "type" or misfit.limit not in ("object", "array")
    referred = pointer in document.references and wants_scalar
    if referred and any(problem.pointer == pointer for problem in document.problems):
        return
    message = f"must {_wanted(misfit, schema)}{_instead(misfit, document)}"
    hint = _as_url(misfit.found) if pointer == ("source", "url") else ""
    yield Problem(pointer, message + _suggestion(misfit), hint, late=referred)


def _as_url(text: object) -> str:
    """Return how to name a file by its absolute path; a piece of a URL may hold a password."""
    is_path = isinstance(text, str) and text.startswith("/") and not re.search(r"@|//|\s", text)
    return f"for a SQLite file write sqlite:///{text}" if is_path else ""


def _unknown_key(pointer: Pointer, known: list[str]) -> Problem:
    key = str(pointer[-1])
    if any(word in key.lower() for word in _CREDENTIAL_WORDS) and "api_token" not in known:
        return Problem(
            pointer,
            "unknown key; credentials are never written here",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
        )
    lowered = {name.lower(): name for name in known}
    near = get_close_matches(key.lower(), lowered, n=1)
    advice = f'did you mean "{lowered[near[0]]}"?' if near else f"known here: {', '.join(known)}"
    return Problem(pointer, f"unknown key; {advice}")


def _wanted(misfit: _Misfit, schema: dict[str, Any]) -> str:
    limit = misfit.limit
    if misfit.keyword == "enum":
        return f"be one of {', '.join(_words(limit))}"
    if misfit.keyword == "uniqueItems":
        return "not have an item twice"
    if misfit.schema in schema["$defs"].values():
        return f"be {_lowered(misfit.schema['description'])}"
    if misfit.keyword == "type":
        return f"be {_TYPES[limit]}"
    if misfit.keyword in ("minimum", "maximum"):
        return f"be at {'least' if misfit.keyword == 'minimum' else 'most'} {limit}"
    return "not be empty"


def _instead(misfit: _Misfit, document: Expansion) -> str:
    """Return what stands there, as far as it may be shown."""
    found = misfit.found
    if is_secret_place(misfit.pointer):
        return ""
    if misfit.pointer in document.references:
        written = document.references[misfit.pointer]
        names = (match[1] for match in REFERENCE.finditer(written))
        return f", not the value of {', '.join(names)}"
    if isinstance(found, dict | list):
        word = _TYPES["object" if isinstance(found, dict) else "array"]
        return f", not {word}" if misfit.keyword == "type" else ""
    if found is None:
        return ", not nothing"
    shown = json.dumps(found, ensure_ascii=False)
    return f", not {shown if len(shown) <= SHOWN_LENGTH else shown[: SHOWN_LENGTH - 1] + '…'}"


def _suggestion(misfit: _Misfit) -> str:
    if misfit.keyword != "enum" or not isinstance(misfit.found, str):
        return ""
    near = get_close_matches(misfit.found.lower(), _words(misfit.limit), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _words(limit: list[object]) -> list[str]:
    return [word for word in limit if isinstance(word, str)]


def _lowered(description: str) -> str:
    return description[0].lower() + description[1:]
