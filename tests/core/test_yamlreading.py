"""The canonical reader: what the emitter wrote as it was, and nothing that it did not write."""

from __future__ import annotations

from typing import Any

import pytest
import ryaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from exporter.core.yamlreading import MAX_DEPTH, read_canonical
from exporter.core.yamltext import emit
from tests.core.test_yamltext import HOSTILE, JSON, TEXT

MAPPING = st.dictionaries(st.sampled_from(["name", "title", "config", "stages"]) | TEXT, JSON)
PIECES = ["\n", " ", "  ", "- ", ": ", ":", "'", '"', "|", "|-", "|+", "|2", "\\", "a", "1", "#"]


def is_proven(text: str) -> bool:
    """Tell what the reader promises: it read nothing, or just what is written so."""
    found = read_canonical(text)
    return found is None or emit(found) == text


def is_long(value: object) -> bool:
    """Tell whether ryaml refuses a number."""
    return isinstance(value, int) and not -(2**63) <= value < 2**64


@given(MAPPING)
@example({"a": [[["x\ny\n", {"b": "\n"}], {}], {"k\n": [{"c": "a\nb"}, 1]}], "z": [[], {}]})
@example({"a": " x\ny", "b": "\tx\n\n", "c": "\n\n", "d": "x\n \n", "e": "\n x\n"})
@example({"a": 2**64, "b": -1.5e300, "c": "\x07\n", "d": "\U0001f393\n", "e": "a\u200fb"})
def test_what_the_emitter_wrote_is_read_as_it_was(mapping: dict[str, Any]) -> None:
    text = emit(mapping)
    found = read_canonical(text)
    rare = any(len(line) > 1000 or line.lstrip(" -").startswith("? ") for line in text.split("\n"))
    assert repr(found) == repr(mapping) or (found is None and (rare or not mapping))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_are_read_as_values_items_and_keys(text: str) -> None:
    mapping = {"field": text, "list": [text, [text], {"in": text}], "config": {text: {"a": text}}}
    found = read_canonical(emit(mapping))
    assert found == mapping or (found is None and len(text) > 1000)


@given(MAPPING.filter(bool), st.data())
def test_a_text_with_a_slip_is_refused_or_what_the_emitter_writes(
    mapping: dict[str, Any], data: st.DataObject
) -> None:
    text = emit(mapping)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    assert is_proven(text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:])


@given(st.lists(st.sampled_from([*PIECES, "\n", "\n", "b: c", "- - ", "{}", "[]", "    "])))
@example(["a: |+", "\n"])
@example(["a: '", "\n"])
@example(["a:", "\n", "  ", "- ", "b: c", "\n", "  b: c\n"])
@example(["a: |+\n", "  a\n", "  ", "\n"])
@example(["a: |-\n", "  a\n", "  ", "\n", "  b\n"])
@example(["a: |\n", "   \n", "  a\n"])
@example(["a:\n", "  - a\n", "  b: c\n"])
@example(["a:\n", "a: b\n"])
@example(["a:\n", "- b: c\n"])
@example(["b: c\n", "b: c\n"])
@example(["- b: c\n"])
@example(["a: b: c\n"])
@example(["a: |+\n\nb:\n"])
def test_any_text_is_refused_or_what_the_emitter_writes(pieces: list[str]) -> None:
    assert is_proven("".join(pieces))


@given(st.text(st.sampled_from("-+0123456789.eE_xoinfa:yNYtrue~=<")))
def test_scalars_are_read_as_other_readers_do_or_not_at_all(written: str) -> None:
    text = f"a: {written}\n"
    found = read_canonical(text)
    if found is not None:
        assert repr(found) == repr(YAML(typ="safe", pure=True).load(text))
        assert is_long(found["a"]) or repr(found) == repr(ryaml.loads(text))


def test_what_is_nested_too_deeply_is_left_to_the_general_reader() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(MAX_DEPTH):
        deep = {"a": deep}
    assert read_canonical(emit(deep)) == deep
    assert read_canonical(emit({"a": deep})) is None


def test_two_readings_share_nothing_that_can_change() -> None:
    text = "a: {}\nb: []\nc:\n  - d: {}\n  - {}\n"
    first = read_canonical(text)
    assert first is not None
    first["a"]["x"] = first["b"] = 1  # type: ignore[index, call-overload]
    assert read_canonical(text) == {"a": {}, "b": [], "c": [{"d": {}}, {}]}
