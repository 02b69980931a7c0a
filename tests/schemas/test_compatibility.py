"""No schema changes so that those who rely on it break, unless its version goes up.

`baseline.json` has all schemas as they were promised. `make reference` writes it anew where nothing
breaks; the tests compare, and show that every kind of breaking change is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from exporter.build.schemas import document, kinds
from reference.compatibility import bare, broken, version_of, written_by_others

BASELINE = json.loads((Path(__file__).parent / "baseline.json").read_text(encoding="utf-8"))
READ = sorted(kind for kind in BASELINE if not written_by_others(kind))
WRITTEN = sorted(kind for kind in BASELINE if written_by_others(kind))

Node = dict[str, Any]
Change = Callable[[Node, str], None]


def test_no_schema_breaks_what_was_promised() -> None:
    assert broken(BASELINE, {kind: bare(document(kind)) for kind in kinds()}) == []


def test_the_baseline_is_what_is_promised_now() -> None:
    assert {kind: bare(document(kind)) for kind in kinds()} == BASELINE, "run `make reference`"


def test_both_sides_have_kinds() -> None:
    assert {"lesson", "output-status", "output-error"} <= set(READ)
    assert {"config", "snapshot-lesson"} <= set(WRITTEN)


def objects(node: Any) -> Iterator[Node]:
    """Yield every object inside a schema that has keys of its own, variants left out."""
    if isinstance(node, dict) and "anyOf" not in node:
        if "properties" in node:
            yield node
        for inner in node.get("properties", {}).values():
            yield from objects(inner)
        for group in ("items", "additionalProperties"):
            yield from objects(node.get(group))


def changed(kind: str, change: Change, wanted: Callable[[Node, str], bool]) -> Iterator[list[str]]:
    """Apply a change at every key where it makes sense, one at a time; yield what breaks."""
    keys = [
        (place, name)
        for place, node in enumerate(objects(BASELINE[kind]))
        for name in node["properties"]
        if wanted(node, name)
    ]
    for place, name in keys:
        schema = deepcopy(BASELINE[kind])
        change(list(objects(schema))[place], name)
        yield broken({kind: BASELINE[kind]}, {kind: schema})
        number = version_of(schema)
        schema["$id"] = schema["$id"].replace(f"/v{number}/", f"/v{number + 1}/")
        assert broken({kind: BASELINE[kind]}, {kind: schema}) == []


def anywhere(_node: Node, _name: str) -> bool:
    return True


def has_a_type(node: Node, name: str) -> bool:
    found = node["properties"][name]
    return isinstance(found.get("type"), str) or "enum" in found or "const" in found


def is_required(node: Node, name: str) -> bool:
    return name in node.get("required", ())


def is_optional(node: Node, name: str) -> bool:
    return name not in node.get("required", ())


def is_choice(node: Node, name: str) -> bool:
    return "enum" in node["properties"][name]


def is_plain_text(node: Node, name: str) -> bool:
    return node["properties"][name].get("type") == "string" and not is_choice(node, name)


def has_least(node: Node, name: str) -> bool:
    return "minLength" in node["properties"][name]


def remove(node: Node, name: str) -> None:
    del node["properties"][name]
    node["required"] = [one for one in node.get("required", ()) if one != name]


def rename(node: Node, name: str) -> None:
    node["properties"][f"{name}_2"] = node["properties"][name]
    remove(node, name)


def retype(node: Node, name: str) -> None:
    found = node["properties"][name]
    node["properties"][name] = {"type": "boolean" if found.get("type") != "boolean" else "array"}


def loosen(node: Node, name: str) -> None:
    node["required"] = [one for one in node["required"] if one != name]


def demand(node: Node, name: str) -> None:
    node["required"] = [*node.get("required", ()), name]


def demand_new(node: Node, _name: str) -> None:
    node["properties"]["brand_new"] = {"type": "string"}
    demand(node, "brand_new")


def offer_new(node: Node, _name: str) -> None:
    node["properties"]["brand_new"] = {"type": "string"}


def widen_words(node: Node, name: str) -> None:
    node["properties"][name]["enum"].append("another word")


def narrow_words(node: Node, name: str) -> None:
    node["properties"][name]["enum"].pop()


def allow_null(node: Node, name: str) -> None:
    node["properties"][name]["type"] = ["string", "null"]


def ask_for_more(node: Node, name: str) -> None:
    node["properties"][name]["minLength"] += 1


def ask_for_less(node: Node, name: str) -> None:
    node["properties"][name]["minLength"] -= 1


BREAKS_READERS = [
    (remove, anywhere),
    (rename, anywhere),
    (retype, has_a_type),
    (loosen, is_required),
    (widen_words, is_choice),
    (allow_null, is_plain_text),
    (ask_for_less, has_least),
]
BREAKS_WRITERS = [
    (remove, anywhere),
    (rename, anywhere),
    (retype, has_a_type),
    (demand, is_optional),
    (demand_new, anywhere),
    (narrow_words, is_choice),
    (ask_for_more, has_least),
]
SUITS_READERS = [
    (offer_new, anywhere),
    (demand_new, anywhere),
    (demand, is_optional),
    (narrow_words, is_choice),
    (ask_for_more, has_least),
]
SUITS_WRITERS = [
    (loosen, is_required),
    (offer_new, anywhere),
    (widen_words, is_choice),
    (ask_for_less, has_least),
]


@pytest.mark.parametrize(("change", "wanted"), BREAKS_READERS)
def test_what_breaks_readers_is_refused_at_every_key(
    change: Change, wanted: Callable[[Node, str], bool]
) -> None:
    found = {kind: list(changed(kind, change, wanted)) for kind in READ}
    assert {kind for kind, lines in found.items() if not all(lines)} == set()
    assert sum(map(len, found.values())) > 5


@pytest.mark.parametrize(("change", "wanted"), BREAKS_WRITERS)
def test_what_breaks_writers_is_refused_at_every_key(
    change: Change, wanted: Callable[[Node, str], bool]
) -> None:
    found = {kind: list(changed(kind, change, wanted)) for kind in WRITTEN}
    assert {kind for kind, lines in found.items() if not all(lines)} == set()
    assert sum(map(len, found.values())) > 2


@pytest.mark.parametrize(("change", "wanted"), SUITS_READERS)
def test_what_suits_readers_is_let_through(
    change: Change, wanted: Callable[[Node, str], bool]
) -> None:
    assert [one for kind in READ for one in changed(kind, change, wanted) if one] == []


@pytest.mark.parametrize(("change", "wanted"), SUITS_WRITERS)
def test_what_suits_writers_is_let_through(
    change: Change, wanted: Callable[[Node, str], bool]
) -> None:
    assert [one for kind in WRITTEN for one in changed(kind, change, wanted) if one] == []


def test_a_kind_that_is_gone_and_another_pattern_break() -> None:
    topic = deepcopy(BASELINE["topic"])
    topic["properties"]["generated_at"]["pattern"] = "^.*$"
    assert broken({"topic": BASELINE["topic"], "lesson": {}}, {"topic": topic}) == [
        "lesson: the schema is gone",
        "topic: $.generated_at: may have other values (pattern)",
    ]


def test_a_new_kind_of_step_breaks_who_reads_the_steps() -> None:
    plan = deepcopy(BASELINE["output-plan"])
    step = {"type": "object", "properties": {"step": {"const": "wait"}}, "required": ["step"]}
    plan["properties"]["steps"]["items"]["anyOf"].append(step)
    (line,) = broken({"output-plan": BASELINE["output-plan"]}, {"output-plan": plan})
    assert line.startswith("output-plan: $.steps[]: 1 of its variants")


def test_words_and_examples_are_no_promise() -> None:
    schema = document("lesson")
    other = {**schema, "description": "Other words", "examples": []}
    assert bare(other) == bare(schema) == BASELINE["lesson"]
