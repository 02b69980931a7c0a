"""The canonical YAML of a snapshot file, read (spec 2, "Canonical form").

Nothing is guessed: a line is taken only where the emitter (`yamltext`) would have written it just
so, for what it is read as. So what is read here needs no proof by writing it all again. Whatever
else people write is left to a general reader, and so is what is too rare to be worth the code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from exporter.core.model import Json
from exporter.core.yamltext import (
    MAX_IMPLICIT_KEY,
    float_text,
    is_plain,
    literal_mark,
    needs_escape,
    scalar_text,
)

__all__ = ["read_canonical"]

MAX_DEPTH = 64
"""Deeper nesting is left to the general reader, which knows its limits."""
_SHORT = 40
"""Characters of a line that may well come again: a field with a word or a number."""
_NOWHERE = -1
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r"\\(?:x([0-9A-F]{2})|u([0-9A-F]{4})|(.))")
_ESCAPED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
    "e": "\x1b", '"': '"', "\\": "\\", "N": "\x85", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


_COLON_IN_KEY = re.compile(r"""('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"):(?: (.+)|\Z)""")


class _Mark(str):
    """What stands for a value on its line: a block's `|`, `{}`, `[]`, or nothing if it follows."""

    __slots__ = ()


class _NotCanonicalError(Exception):
    """The emitter would not write this, or writes it too rarely."""


def read_canonical(text: str) -> dict[str, Json] | None:
    """Return the mapping of which `emit` writes this very text; None where that is not sure."""
    if text[-1:] != "\n" or needs_escape(text):
        return None
    try:
        return _read(text[:-1].split("\n"))
    except _NotCanonicalError:
        return None


def _read(lines: Sequence[str]) -> dict[str, Json]:
    """Read lines from the top down; `levels` has what is open, from the outermost in."""
    top: dict[str, Json] = {}
    levels: list[Any] = [top]
    inner: Any = top
    awaited: str | None = None
    here = at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        depth, dashes, key, value = _short_entry(line) if len(line) <= _SHORT else _entry(line)
        if dashes or depth != here:  # else the mapping of the last line goes on
            inner = _begun(levels, awaited, depth, dashes, is_item=key is None)
            here, awaited = depth + dashes, None
        if type(value) is _Mark:
            if not value:
                here, awaited = _NOWHERE, key
            value, at = _marked(lines, at, value, "  " * len(levels))
        if key is None:
            inner.append(value)
            here = _NOWHERE
        elif key in inner:
            raise _NotCanonicalError
        else:
            inner[key] = value
    if awaited is not None:
        raise _NotCanonicalError
    return top


def _begun(
    levels: list[Any], awaited: str | None, depth: int, dashes: int, *, is_item: bool
) -> dict[str, Json] | list[Json]:
    """Open what begins on a line: the value of the awaited key, and items that hold others."""
    if depth > MAX_DEPTH or (depth >= len(levels) if awaited is None else depth != len(levels)):
        raise _NotCanonicalError
    if awaited is not None:
        value: Any = [] if dashes else {}
        levels[-1][awaited] = value
        levels.append(value)
    del levels[depth + 1 :]
    for dash in range(1, dashes + 1):
        if type(levels[-1]) is not list:
            raise _NotCanonicalError
        if dash < dashes or not is_item:
            levels[-1].append([] if dash < dashes else {})
            levels.append(levels[-1][-1])
    inner: dict[str, Json] | list[Json] = levels[-1]
    if type(inner) is not (list if is_item else dict):
        raise _NotCanonicalError
    return inner


def _entry(line: str) -> tuple[int, int, str | None, Json]:
    """Split a line into depth, dashes, key (None of a list's item) and value."""
    head, colon, written = line.partition(": ")
    if colon:
        place = _place(head)
        if place and written:
            return (*place, _value(written))
    elif line[-1:] == ":":
        place = _place(line[:-1])
        if place:
            return (*place, _Mark())
    depth, dashes, item = _indented(line)
    if (key := _COLON_IN_KEY.match(item)) and (place := _place(line.removesuffix(item) + key[1])):
        return (*place, _value(key[2]) if key[2] else _Mark())
    if not (dashes and item):
        raise _NotCanonicalError
    return depth, dashes, None, _value(item)


_short_entry = lru_cache(maxsize=16_384)(_entry)


@lru_cache(maxsize=4096)  # the fields of all lessons stand at the same few places
def _place(head: str) -> tuple[int, int, str] | None:
    """Return depth, dashes and key of what stands before a colon; None where that is no key."""
    depth, dashes, written = _indented(head)
    key = _quoted(written) if written[:1] in ("'", '"') else written
    is_key = len(written) <= MAX_IMPLICIT_KEY and scalar_text(key) == written
    return (depth, dashes, key) if is_key else None


def _indented(line: str) -> tuple[int, int, str]:
    """Return the depth of a line, how many items of lists begin on it, and the rest."""
    rest = line.lstrip(" ")
    depth, odd = divmod(len(line) - len(rest), 2)
    if odd:
        raise _NotCanonicalError
    dashes = 0
    while rest.startswith("- "):
        dashes += 1
        rest = rest[2:]
    return depth, dashes, rest


def _value(written: str) -> Json:
    """Return the scalar that is written on one line, or a mark where more is needed to tell."""
    if is_plain(written):
        return written
    first = written[0]
    if first in ("'", '"'):
        text = _quoted(written)
        is_block = "\n" in text and not needs_escape(text)
        if is_block or scalar_text(text) != written:
            raise _NotCanonicalError
        return text
    if first in ("|", "{", "["):
        return _Mark(written)
    return _WORDS[written] if written in _WORDS else _number(written)


def _quoted(written: str) -> str:
    """Return what may be the text between quotes; only writing it again can tell."""
    inner = written[1:-1]
    return inner.replace("''", "'") if written[0] == "'" else _ESCAPE.sub(_unescaped, inner)


def _unescaped(match: re.Match[str]) -> str:
    two, four, one = match.groups()
    if one:
        return _ESCAPED.get(one, "")
    code = int(two or four, 16)
    if 0xD800 <= code < 0xE000:
        raise _NotCanonicalError
    return chr(code)


def _number(written: str) -> int | float:
    for read, write in ((int, str), (float, float_text)):
        with suppress(ValueError):
            number = read(written)
            if write(number) == written:
                return number
    raise _NotCanonicalError


def _marked(lines: Sequence[str], at: int, mark: _Mark, indent: str) -> tuple[Json, int]:
    """Return the value that a mark stands for, and the line after all that belongs to it."""
    match mark:
        case "":
            return None, at
        case "{}":
            return {}, at
        case "[]":
            return [], at
        case _:
            return _literal(lines, at, mark, indent)


def _literal(lines: Sequence[str], at: int, mark: str, indent: str) -> tuple[str, int]:
    """Return the text of a literal block, given its first line, and the line after the block."""
    end, width = at, len(indent)
    while end < len(lines) and (not lines[end] or lines[end].startswith(indent)):
        if len(lines[end]) == width:
            raise _NotCanonicalError
        end += 1
    ending = "" if mark[-1] == "-" else "\n"
    text = "\n".join([line[width:] for line in lines[at:end]]) + ending
    if end == at or "\n" not in text or literal_mark(text) != mark:
        raise _NotCanonicalError
    return text, end
