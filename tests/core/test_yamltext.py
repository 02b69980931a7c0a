"""The canonical emitter against four readers, over hostile strings (spec 2, the laws)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import ryaml
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, SequenceNode

from exporter.core.yamltext import emit, float_text, line_of, scalar_text

HOSTILE = [
    "", " ", "  ", "\t", "\n", "\n\n", " \n", "\n ", "\t\n", "a\n", "a\n\n", "\na", "\n a",
    " a\nb",
    "\ta\nb", "a\n ", "a\n \n", "a \nb", "a\n\nb\n\n\n", "- a", "-", "--- a", "---", "...",
    "-a", "?",
    "? a", "?a", ":", ": a", ":a", "a:", "a: b", "a:b", "a #b", "a#b", "#a", "[a", "{a", "]",
    "}", ",",
    "a, b", "&a", "*a", "!a", "!!str a", "|", ">", "'", "''", '"', "%a", "@a", "`a", "a'b", 'a"b',
    "yes", "No", "y", "N", "on", "null", "Null", "~", "true", "FALSE", "=", "<<", "012", "08",
    "0o14",
    "0x1F", "0b11", "1_000", "1e3", "1.5", ".5", "5.", ".", "-.", "._", "-_", "+1", "12:30",
    "0:30",
    "12:30:45", "1:30.5", "2026-01-01", "2026-1-1", "2026-01-01T10:00:00Z",
    "2026-01-01 10:00:00 +3",
    ".inf", "-.INF", ".nan", "1e400", "1.2.3", "é", "درس ١", "🎓 emoji", "a\u00a0b", "\u00a0a",
    "\u3000", "\u2028", "a\u2028b\nc", "\x85", "\x07", "\x7f", "\ufeff", "a\ufeff", "\x1b[0m",
    "a\tb",
    "\ta", "a\t", "a\r", "\u200f\u202e", "\U000e0001", "\ufffd", "a\\b", "x" * 2000, "a b " * 500,
]  # fmt: skip

ALPHABET = st.one_of(
    st.sampled_from(
        " \t\n-?:,[]{}#&*!|>'\"%@`\\=~<.0123456789eExXoObB_+TZynYN\x00\x07\x85\u2028\ufeff"
    ),
    st.characters(exclude_categories=["Cs"]),
)
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(ALPHABET, max_size=30))
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(TEXT.filter(lambda k: k != "<<"), inner, max_size=4),
    ),
    max_leaves=12,
)


def places(value: Any, pointer: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the pointer of every part of a value, and one that leads nowhere."""
    yield pointer
    yield (*pointer, "not there")
    if isinstance(value, (dict, list)):
        for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*pointer, part))


def composed_line(top: Any, pointer: tuple[str | int, ...]) -> int:
    """Return the line that ruamel.yaml gives a pointer."""
    node, line = top, 1
    for part in pointer:
        if isinstance(node, MappingNode):
            found = [(v, k.start_mark.line) for k, v in node.value if k.value == part]
        elif isinstance(node, SequenceNode) and isinstance(part, int):
            found = [(one, one.start_mark.line) for one in node.value[part : part + 1]]
        else:
            found = []
        if not found:
            break
        node, line = found[0][0], found[0][1] + 1
    return line


@given(st.dictionaries(st.sampled_from(["name", "title", "config", "stages"]), JSON))
@example({"a": [[["x\ny\n", {"b": "\n"}], {}], {"k" * 2000: [{"c": "a\nb"}, 1]}], "z": []})
def test_lines_are_those_that_ruamel_finds(mapping: dict[str, Any]) -> None:
    top = YAML(typ="rt", pure=True).compose(emit(mapping))
    for pointer in places(mapping):
        assert line_of(mapping, pointer) == composed_line(top, pointer)


def ruamel_1_2(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def ruamel_1_1(text: str) -> Any:
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 1)
    return reader.load(text)


def pyyaml_pure(text: str) -> Any:
    return yaml.load(text, Loader=yaml.SafeLoader)


def pyyaml_c(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


READERS = [ruamel_1_2, ruamel_1_1, pyyaml_pure, pyyaml_c, ryaml.loads]


@pytest.mark.parametrize("text", HOSTILE)
def test_every_reader_reads_a_hostile_string_as_it_was(text: str) -> None:
    content = {"field": text, "list": [text, [text], {"in": text}], "config": {text: "a key"}}
    written = emit(content)
    for read in READERS:
        assert read(written) == content, (read, written)


@given(st.fixed_dictionaries({"config": JSON, "title": TEXT}))
@example({"title": "a", "config": {"b": [[], {}, [[1]], {"c": [{"d": "x\n"}]}]}})
def test_every_reader_reads_any_json_as_it_was(content: dict[str, Any]) -> None:
    written = emit(content)
    assert "\r" not in written
    for read in READERS:
        assert read(written) == content, (read, written)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300])
def test_integers_beyond_64_bits_stay_integers(number: int) -> None:
    written = emit({"config": number})
    assert [read(written) for read in READERS[:-1]] == [{"config": number}] * 4


@given(TEXT)
@example("0:30")
def test_a_string_is_quoted_only_where_a_reader_needs_it(text: str) -> None:
    written = scalar_text(text)
    if not written.startswith("'"):
        return
    assert text in ("y", "Y", "n", "N") or any(
        _reads_differently(read, text) for read in READERS
    ), written


def _reads_differently(read: Any, text: str) -> bool:
    try:
        return bool(read(f"key:\n  - {text}\n") != {"key": [text]}) or bool(
            read(f"key:\n  {text}: 1\n") != {"key": {text: 1}}
        )
    except Exception:  # noqa: BLE001 - any refusal is a difference
        return True


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (1e-07, "1.0e-07"),
        (1.5e300, "1.5e+300"),
        (1e16, "1.0e+16"),
        (0.1, "0.1"),
        (-0.0, "-0.0"),
    ],
)
def test_a_float_is_the_shortest_that_both_versions_read(value: float, text: str) -> None:
    assert float_text(value) == text
    for read in READERS:
        assert read(f"x: {text}\n") == {"x": value}


def test_the_form_is_the_one_of_the_specification() -> None:
    content = {
        "name": "P-1",
        "subjects": [{"subject": "S-1", "sort_order": 1}, {}],
        "text": "one\ntwo\n",
        "code": "  indented\nless",
        "config": {},
        "nested": [["x", []], [{"a": None}]],
    }
    assert (
        emit(content)
        == io.StringIO(
            "name: P-1\n"
            "subjects:\n"
            "  - subject: S-1\n"
            "    sort_order: 1\n"
            "  - {}\n"
            "text: |\n"
            "  one\n"
            "  two\n"
            "code: |2-\n"
            "    indented\n"
            "  less\n"
            "config: {}\n"
            "nested:\n"
            "  - - x\n"
            "    - []\n"
            "  - - a: null\n"
        ).read()
    )
