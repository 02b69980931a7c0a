"""The canonical YAML of a snapshot file, written (spec 2, "Canonical form").

The form is a small, strict subset of YAML that a 1.1 and a 1.2 reader read alike, so an emitter of
our own is exact where every general one has to be talked out of something (`docs/decisions`).
`yamlreading` reads it back. Values are JSON's: mappings in the order given, lists and scalars.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

__all__ = [
    "MAX_IMPLICIT_KEY",
    "emit",
    "float_text",
    "is_plain",
    "line_of",
    "literal_mark",
    "needs_escape",
    "scalar_text",
]

MAX_IMPLICIT_KEY = 1024
"""Longer keys need YAML's explicit `? key` form."""

_ESCAPED = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"
_NEEDS_ESCAPE = re.compile(f"[{_ESCAPED}]")
_IN_DOUBLE_QUOTES = re.compile(f'[{_ESCAPED}\n\t"\\\\]')

_NEVER_FIRST = frozenset(" \t,[]{}#&*!|>'\"%@`")
_RARELY_FIRST = frozenset("-?:")
"""First of a plain string only before something other than a space."""

_RESOLVED = re.compile(
    r"""(?: ~ | null | Null | NULL
        | [yYnN] | yes | Yes | YES | no | No | NO | true | True | TRUE | false | False | FALSE
        | on | On | ON | off | Off | OFF
        | [-+]?0b[01_]+ | [-+]?0o?[0-7_]+ | [-+]?0x[0-9a-fA-F_]+ | [0-9][0-9_]* | [-+][0-9_]+
        | [-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+ | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
        | [-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?
        | [-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
        | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
        | [0-9]{4}-[0-9]{2}-[0-9]{2}
        | [0-9]{4}-[0-9][0-9]?-[0-9][0-9]?
          (?:[Tt]|[\ ]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?
          (?:[\ ]*(?:Z|[-+][0-9][0-9]?(?::?[0-9]{2})?))?
        | = | <<
        )\Z""",
    re.VERBOSE,
)
"""What a YAML 1.1 or 1.2 reader takes for something other than a string."""

_FIRST_OF_RESOLVED = frozenset("~nNyYtTfFoO-+0123456789.=<")
_SCALARS = frozenset({str, bool, int, float, type(None)})
_WORDS = {None: "null", True: "true", False: "false"}
_COLLECTIONS = (dict, list, tuple, Mapping)

_SHORT_ESCAPES = {
    "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f",
    "\r": "\\r", "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N",
    "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip


def emit(mapping: Mapping[str, object]) -> str:
    """Write a mapping as a canonical document, with a final line break."""
    if not mapping:
        return "{}\n"
    out: list[str] = []
    _mapping(mapping, "", "", out)
    return "".join(out)


def line_of(mapping: Mapping[str, object], pointer: Sequence[str | int]) -> int:
    """Return the line, from 1, on which the deepest part of a pointer stands that there is.

    It is that of `emit(mapping)`, counted without reading the text.
    """
    node: object = mapping
    line = start = 1
    for part in pointer:
        if isinstance(node, Mapping) and part in node:
            before = list(node)[: list(node).index(part)]
            line = start + sum(_height({key: node[key]}) for key in before)
            start = line + (2 if len(scalar_text(str(part))) > MAX_IMPLICIT_KEY else 1)
            node = node[part]
        elif isinstance(node, (list, tuple)) and isinstance(part, int) and part < len(node):
            line = start = start + sum(_height({"": [item]}) - 1 for item in node[:part])
            node = node[part]
        else:
            break
    return line


def _height(mapping: Mapping[str, object]) -> int:
    """Return how many lines a mapping that is not empty takes."""
    return emit(mapping).count("\n")


def float_text(value: float) -> str:
    """Write a float so that it round-trips and reads alike in YAML 1.1 and 1.2."""
    text = repr(value)
    mantissa, exponent_mark, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if exponent_mark and "." not in mantissa else text


@lru_cache(maxsize=65_536)
def scalar_text(text: str) -> str:
    """Write a string on one line: plain, else single-quoted, else with escapes."""
    if not text.isprintable() and ("\n" in text or _NEEDS_ESCAPE.search(text)):
        return '"' + _IN_DOUBLE_QUOTES.sub(_escape, text) + '"'
    return text if is_plain(text) else "'" + text.replace("'", "''") + "'"


def needs_escape(text: str) -> bool:
    """Tell whether a text has characters that only stand in double quotes, as escapes."""
    printable = text.isprintable() or text.replace("\n", "").isprintable()
    return not printable and _NEEDS_ESCAPE.search(text) is not None


def is_plain(text: str) -> bool:
    """Tell whether text without line breaks and escapes may stand unquoted."""
    first = text[:1]
    if not first or first in _NEVER_FIRST or (first in _RARELY_FIRST and text[1:2] in ("", " ")):
        return False
    if text[-1] in " :" or "\t" in text or ": " in text or " #" in text:
        return False
    return first not in _FIRST_OF_RESOLVED or not _RESOLVED.match(text)


def _mapping(mapping: Mapping[str, object], indent: str, lead: str, out: list[str]) -> None:
    for key, value in mapping.items():
        written = scalar_text(key)
        if len(written) > MAX_IMPLICIT_KEY:
            written = f"? {written}\n{indent}"
        if type(value) in _SCALARS or not value or not isinstance(value, _COLLECTIONS):
            out.append(f"{lead}{written}: {_leaf(value, indent)}\n")
        else:
            out.append(f"{lead}{written}:\n")
            _collection(value, indent + "  ", indent + "  ", out)
        lead = indent


def _sequence(items: Sequence[object], indent: str, lead: str, out: list[str]) -> None:
    for item in items:
        if type(item) in _SCALARS or not item or not isinstance(item, _COLLECTIONS):
            out.append(f"{lead}- {_leaf(item, indent)}\n")
        else:
            out.append(f"{lead}- ")
            _collection(item, indent + "  ", "", out)
        lead = indent


def _collection(
    value: Mapping[str, object] | Sequence[object], indent: str, lead: str, out: list[str]
) -> None:
    """Write a mapping or a list that is not empty."""
    if isinstance(value, (dict, Mapping)):
        _mapping(value, indent, lead, out)
    else:
        _sequence(value, indent, lead, out)


def _leaf(value: object, indent: str) -> str:
    """Write a scalar, or an empty collection, as it follows `key: ` or `- `."""
    if isinstance(value, str):
        return _literal(value, indent) if "\n" in value else scalar_text(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, _COLLECTIONS):
        return "{}" if isinstance(value, Mapping) else "[]"
    raise TypeError(f"not a JSON value: {type(value).__name__}")


def _literal(text: str, indent: str) -> str:
    """Write text with line breaks as a literal block, without its last line break."""
    if needs_escape(text):
        return scalar_text(text)
    inner = indent + "  "
    lines = text.removesuffix("\n").split("\n")
    block = "\n".join(inner + line if line else "" for line in lines)
    return f"{literal_mark(text)}\n{block}"


def literal_mark(text: str) -> str:
    """Return what begins the literal block of a text: how it ends, and where it is indented."""
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    chomping = "-" if ends == 0 else "" if ends == 1 and body else "+"
    digit = "2" if body.lstrip("\n")[:1] in (" ", "\t") and body else ""
    return f"|{digit}{chomping}"


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    short = _SHORT_ESCAPES.get(character)
    if short:
        return short
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}"
