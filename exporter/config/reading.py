"""YAML with line numbers, and `${NAME}` references to the environment.

`${NAME}` and `${NAME:-default}` may stand anywhere in a value, also unquoted in `{a: ${NAME}}`,
where YAML itself would take the brace for its own: references are masked while YAML reads. As in
a shell, a default also stands in for an empty variable. What a variable holds is not read again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.core.model import Json

__all__ = ["REFERENCE", "Expansion", "Parsed", "Pointer", "Problem", "YamlError", "expand", "parse"]

Pointer = tuple[str | int, ...]
"""Keys and list positions from the document's root."""

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}")

_MASKABLE = re.compile(r"""\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^{}"'\\\n]*)?\}""")
_MASK = {code: 0xE000 + code for code in map(ord, "{}[],:#&*!|>%@` ")}
_MASKED = re.compile("\\$[\ue07b][^\ue07d]*\ue07d")
_UNMASK = {masked: code for code, masked in _MASK.items()}


class YamlError(Exception):
    """The text is not YAML that a configuration can be; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place; `late` where only the use of that part is stopped."""

    pointer: Pointer
    message: str
    hint: str = ""
    late: bool = False


@dataclass(slots=True)
class Parsed:
    """A document as plain values, and the line (from 1) of every key and list item."""

    value: Any
    lines: dict[Pointer, int] = field(default_factory=dict)

    def line(self, pointer: Pointer) -> int:
        """Return the line of a place, or of the nearest one around it."""
        while pointer and pointer not in self.lines:
            pointer = pointer[:-1]
        return self.lines.get(pointer, 1)


@dataclass(frozen=True, slots=True)
class Expansion:
    """A document with its references replaced; `references` has the text of each as written."""

    value: Any
    references: Mapping[Pointer, str]
    problems: tuple[Problem, ...]


def parse(text: str) -> Parsed:
    """Read YAML 1.2 into plain values.

    Raises:
        YamlError: it is not YAML, repeats a key, or holds what has no JSON form.
    """
    masked = _MASKABLE.sub(lambda match: match.group().translate(_MASK), text)
    parsed = Parsed(None)
    try:
        document = _loaded(masked)
        parsed.value = {} if document is None else _plain(document, (), parsed)
    except RecursionError:
        raise YamlError(1, "nested too deeply, or an alias is inside what it refers to") from None
    return parsed


def expand(document: Json, environ: Mapping[str, str]) -> Expansion:
    """Replace every reference that the environment can answer; the others are problems."""
    references: dict[Pointer, str] = {}
    problems: list[Problem] = []

    def walk(node: Json, pointer: Pointer) -> Json:
        if isinstance(node, dict):
            return {key: walk(item, (*pointer, key)) for key, item in node.items()}
        if isinstance(node, list):
            return [walk(item, (*pointer, place)) for place, item in enumerate(node)]
        if not isinstance(node, str) or "${" not in node:
            return node
        references[pointer] = node
        problems.extend(_reference_problems(node, pointer, environ))
        return REFERENCE.sub(lambda match: _answer(match, environ), node)

    expanded = walk(document, ())
    return Expansion(expanded, references, tuple(problems))


def _answer(match: re.Match[str], environ: Mapping[str, str]) -> str:
    held = environ.get(match[1]) or match[2] or ""
    return held if _is_unicode(held) else ""


def _reference_problems(text: str, pointer: Pointer, environ: Mapping[str, str]) -> list[Problem]:
    if "${" in REFERENCE.sub("", text):
        return [Problem(pointer, "a reference is written ${NAME} or ${NAME:-default}")]
    problems = []
    for match in REFERENCE.finditer(text):
        name, held = match[1], environ.get(match[1], "")
        hint = f"set {name} in the environment"
        if not held and match[2] is None:
            message = f"the environment variable {name} is not set"
            problems.append(Problem(pointer, message, hint, late=True))
        elif not _is_unicode(held):
            message = f"the environment variable {name} is not UTF-8 text"
            problems.append(Problem(pointer, message, hint, late=True))
    return problems


def _loaded(text: str) -> object:
    from ruamel.yaml import YAML  # slow to import
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark else 1, _yaml_words(error.problem or "")) from None
    except YAMLError:
        raise YamlError(1, "holds a character that YAML does not allow") from None
    except AttributeError:  # what ruamel.yaml 0.19 raises where a mapping is merged into itself
        raise YamlError(1, "a merge (<<) refers to what it is in") from None


def _plain(node: object, pointer: Pointer, parsed: Parsed) -> Json:
    """Return a ruamel.yaml node as plain values, noting the lines on the way."""
    if isinstance(node, dict):
        plain: dict[str, Json] = {}
        for key, item in node.items():
            name = _text(str(key), parsed.line(pointer))
            _note_line(parsed, (*pointer, name), node, key)
            plain[name] = _plain(item, (*pointer, name), parsed)
        return plain
    if isinstance(node, list):
        for place in range(len(node)):
            _note_line(parsed, (*pointer, place), node, place)
        return [_plain(item, (*pointer, n), parsed) for n, item in enumerate(node)]
    return _scalar(node, parsed.line(pointer))


def _scalar(node: object, line: int) -> Json:
    if node is None or isinstance(node, bool):
        return node
    if isinstance(node, int):
        return int(node)
    if isinstance(node, float):
        if not math.isfinite(node):
            raise YamlError(line, "infinity and NaN are not numbers that can be used")
        return int(node) if node.is_integer() else float(node)
    if hasattr(node, "tag"):
        raise YamlError(line, "tags (!name) are not used here")
    return _text(str(node), line)


def _text(text: str, line: int) -> str:
    """Return a text as written, with halves of a character (JSON escapes) made one."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if not _is_unicode(text) and "\ufffd" in whole:
        raise YamlError(line, "holds half a character, which is no text")
    return _unmasked(whole)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _note_line(parsed: Parsed, pointer: Pointer, node: object, key: object) -> None:
    """Note where ruamel.yaml says that a key or an item is; a merged key has no place."""
    positions = getattr(getattr(node, "lc", None), "data", None) or {}
    if key in positions:
        parsed.lines[pointer] = positions[key][0] + 1


def _unmasked(text: str) -> str:
    return _MASKED.sub(lambda match: match.group().translate(_UNMASK), text)


def _yaml_words(problem: str) -> str:
    """Return what YAML says without what the file says: ruamel.yaml quotes values."""
    repeated = re.match(r'found duplicate key "([^"]*)"', problem)
    if repeated:
        return f'the key "{_unmasked(repeated[1])}" is there twice'
    return f"not valid YAML: {_unmasked(problem)}"
