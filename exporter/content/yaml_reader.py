"""Reading snapshot files: fast where the text is canonical, ruamel.yaml for what people wrote.

The fast reader takes only what the emitter would have written just so; the canonical form is
one-to-one, so that is a proof. Everything else goes to ruamel.yaml (YAML 1.2), which is also asked
for its line numbers when there is something to report.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from exporter.core.findings import Pointer
from exporter.core.loading import ParsedFile
from exporter.core.model import Json
from exporter.core.yamlreading import read_canonical
from exporter.core.yamltext import line_of

__all__ = ["lines_of", "name_in", "read_file", "title_in"]


def read_file(path: str, data: bytes) -> ParsedFile:
    """Parse one file of the snapshot folder; what is wrong with it stands in the answer."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return ParsedFile(path, None, f"not UTF-8: {error.reason}", line)
    mapping = read_canonical(text)
    return ParsedFile(path, mapping) if mapping is not None else _read_any(path, text)


def name_in(data: bytes) -> str | None:
    """Return the name that a file begins with; None where only the whole file could tell."""
    return _text_at_top(data, "name", 1)


def title_in(data: bytes) -> str | None:
    """Return the title of a file's second line; None where only the whole file could tell."""
    return _text_at_top(data, "title", 2)


def lines_of(text: str) -> Callable[[Pointer], int]:
    """Return what gives the line, from 1, of the deepest part of a pointer that the text has."""
    mapping = read_canonical(text)
    if mapping is not None:
        return partial(line_of, mapping)
    try:
        top = YAML(typ="rt", pure=True).compose(text)
    except (YAMLError, RecursionError):
        return lambda _pointer: 1

    def composed_line(pointer: Pointer) -> int:
        node, line = top, 1
        for part in pointer:
            found = _step(node, part)
            if found is None:
                break
            node, line = found
        return line

    return composed_line


def _text_at_top(data: bytes, field: str, lines: int) -> str | None:
    """Return a field of a file's first lines, if these are whole and another field follows."""
    *top, rest = data.split(b"\n", lines)
    if len(top) < lines or not (rest[:1].isalpha() or not rest):
        return None
    try:
        mapping = read_canonical("".join(f"{line.decode()}\n" for line in top))
    except UnicodeDecodeError:
        return None
    found = mapping.get(field) if mapping else None
    return found if isinstance(found, str) else None


def _read_any(path: str, text: str) -> ParsedFile:
    reader = YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = False
    try:
        value = reader.load(text)
    except MarkedYAMLError as error:
        mark = _mark(error, len(text))
        words = " ".join(part for part in (error.context, error.problem) if part)
        problem = " ".join(words.split())  # it may quote the file, line breaks included
        return ParsedFile(path, None, f"not YAML: {problem}", mark.line + 1 if mark else 1)
    except (YAMLError, ValueError, RecursionError) as error:
        return ParsedFile(path, None, f"not YAML: {str(error).splitlines()[0]}", 1)
    if not isinstance(value, dict):
        return ParsedFile(path, None, "the file does not hold a mapping", 1)
    problem = _foreign(value)
    if problem:
        return ParsedFile(path, None, problem, 1)
    return ParsedFile(path, cast("dict[str, Json]", value))


def _mark(error: MarkedYAMLError, end: int) -> StreamMark | None:
    """Return the place of a mistake; where the end comes too soon, that of what is not closed."""
    found: StreamMark | None = error.problem_mark
    start: StreamMark | None = error.context_mark
    return start if found is None or (start and found.index >= end) else found


def _foreign(value: object) -> str:
    """Return what JSON cannot hold in a value; empty where it can hold all of it."""
    match value:
        case dict():
            strange = next((key for key in value if not isinstance(key, str)), None)
            if strange is not None:
                return f"the key {strange!r} is not text: quote it"
            return next(filter(None, map(_foreign, value.values())), "")
        case list():
            return next(filter(None, map(_foreign, value)), "")
        case float() if not math.isfinite(value):
            return "infinity and NaN have no place in content"
        case None | bool() | int() | float() | str():
            return ""
        case _:
            return f"{value} would be read as a {type(value).__name__}: quote it"


def _step(node: Node, part: str | int) -> tuple[Node, int] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line + 1
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item, item.start_mark.line + 1
    return None
