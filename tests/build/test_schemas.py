from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.build.schemas import Violation, document, kinds, validator
from exporter.config.schema_files import schema_folder

PUBLISHED = (
    "manifest",
    "hierarchy",
    "bitmap",
    "topic",
    "lesson",
    "search-index",
    "search-shard",
    "monolithic-manifest",
    "monolithic-subject",
    "monolithic-unit",
    "monolithic-lesson",
)
MINE = (*PUBLISHED, "config")
OTHERS = tuple(kind for kind in kinds() if kind not in MINE)
"""The kinds of `tests/schemas`: snapshot documents and what commands print."""
FREE_FORM = frozenset(("mappings", "config", "extra", "targets"))
"""Objects whose keys are the content's or the user's own."""

Step = str | int


def subschemas(node: object, name: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every schema inside a schema with the name of its property or definition."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield name, node
        for key in ("properties", "$defs"):
            for inner, schema in node.get(key, {}).items():
                yield from subschemas(schema, inner)
        for key in ("items", "additionalProperties"):
            yield from subschemas(node.get(key), name if key == "items" else f"{name} value")


def example(kind: str, place: int = 0) -> Any:
    return deepcopy(document(kind)["examples"][place])


def test_every_published_kind_and_the_configuration_have_a_schema() -> None:
    assert set(MINE) <= set(kinds())
    assert list(kinds()) == sorted(kinds())


def test_an_unknown_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="no schema for 'lessons'"):
        validator("lessons")


def test_schemas_of_a_source_checkout_are_those_at_its_top() -> None:
    folder = Path(str(schema_folder()))
    assert folder.parts[-1] == "schemas"
    assert (folder / "lesson.schema.json").is_file()


@pytest.mark.parametrize("kind", MINE)
def test_schema_is_sound_and_its_examples_fit(kind: str) -> None:
    schema = document(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert [validator(kind)(one) for one in schema["examples"]] == [[] for _ in schema["examples"]]
    slow = jsonschema.Draft202012Validator(schema)
    assert [list(slow.iter_errors(one)) for one in schema["examples"]] == [
        [] for _ in schema["examples"]
    ]


@pytest.mark.parametrize("kind", MINE)
def test_every_property_is_described_and_no_object_takes_unknown_ones(kind: str) -> None:
    schema = document(kind)
    undescribed = [
        f"{name}.{key}"
        for name, node in subschemas(schema)
        for key, value in node.get("properties", {}).items()
        if not (value.get("title") and value.get("description"))
    ]
    open_objects = [
        name
        for name, node in subschemas(schema)
        if node["type"] == "object"
        and node.get("additionalProperties") is not False
        and name not in FREE_FORM
    ]
    assert (undescribed, open_objects) == ([], [])


@pytest.mark.parametrize("kind", PUBLISHED)
def test_schema_stands_alone_without_references_to_other_files(kind: str) -> None:
    references = {
        line.split('"')[3]
        for line in json.dumps(document(kind), indent=1).splitlines()
        if '"$ref":' in line
    }
    assert {reference.split("/")[0] for reference in references} <= {"#"}


KEYS = {
    "manifest": "plan_id title season grade stream version generated_at subjects search_index_url"
    " extra",
    "hierarchy": "id title description image color_code is_linear version generated_at access"
    " tracks stats extra",
    "bitmap": "subject_id version generated_at total_lessons bit_length mappings",
    "topic": "id title description image is_linear version generated_at parent access lessons"
    " extra",
    "lesson": "id title description image version generated_at signed_url_expiry stages navigation"
    " extra",
    "search-index": "plan_id version generated_at total_lessons is_sharded entries shards",
    "search-shard": "plan_id subject_id subject_name version generated_at part parts entries",
    "monolithic-manifest": "plan_id title season grade stream version generated_at subjects"
    " search_index_url extra",
    "monolithic-subject": "id title description color_code image version generated_at access"
    " tracks stats extra",
    "monolithic-unit": "id title description image badge_image sort_order version generated_at"
    " access parent topics stats extra",
    "monolithic-lesson": "id title description image version generated_at signed_url_expiry stages"
    " navigation access parent extra",
}
INNER_KEYS = [
    (
        "manifest",
        ("subjects",),
        "id title description image color_code is_linear hierarchy_url bitmap_url access",
    ),
    ("hierarchy", ("tracks",), "id title description image is_linear access units extra"),
    (
        "hierarchy",
        ("tracks", "units"),
        "id title description image badge_image is_linear access topics extra",
    ),
    (
        "hierarchy",
        ("tracks", "units", "topics"),
        "id title description image is_linear topic_url access lesson_count extra",
    ),
    ("hierarchy", ("stats",), "total_tracks total_units total_topics total_lessons"),
    (
        "topic",
        ("parent",),
        "unit_id unit_title track_id track_title subject_id subject_title",
    ),
    (
        "topic",
        ("lessons",),
        "id title description image bit_index lesson_url access stage_count",
    ),
    ("lesson", ("stages",), "idx title type weight target_time is_skippable config"),
    ("search-index", ("shards",), "subject_id subject_name url lesson_count"),
    (
        "monolithic-manifest",
        ("subjects",),
        (
            "id title description image color_code is_linear hierarchy_url bitmap_url access"
            " sort_order url"
        ),
    ),
    (
        "monolithic-subject",
        ("tracks",),
        "id title description image sort_order access units extra",
    ),
    (
        "monolithic-subject",
        ("tracks", "units"),
        "id title description image badge_image sort_order url access topic_count lesson_count",
    ),
    ("monolithic-subject", ("stats",), "total_units total_topics total_lessons"),
    (
        "monolithic-unit",
        ("topics",),
        "id title description image sort_order access lessons extra",
    ),
    (
        "monolithic-unit",
        ("topics", "lessons"),
        "id title description image sort_order url access stage_count",
    ),
    ("monolithic-unit", ("parent",), "track_id track_title subject_id subject_title"),
    (
        "monolithic-lesson",
        ("parent",),
        "topic_id topic_title unit_id unit_title track_id track_title subject_id subject_title",
    ),
    ("monolithic-lesson", ("navigation",), "is_standalone previous_lesson next_lesson"),
]


@pytest.mark.parametrize("kind", PUBLISHED)
def test_properties_stand_in_the_order_in_which_they_are_written(kind: str) -> None:
    assert list(document(kind)["properties"]) == KEYS[kind].split()


@pytest.mark.parametrize(("kind", "path", "keys"), INNER_KEYS)
def test_inner_properties_stand_in_the_order_in_which_they_are_written(
    kind: str, path: tuple[str, ...], keys: str
) -> None:
    node = document(kind)
    for name in path:
        node = node["properties"][name]
        node = node.get("items", node)
    assert list(node["properties"]) == keys.split()


OPTIONAL = {
    "manifest": {"season", "grade", "stream", "extra"},
    "hierarchy": {"description", "image", "color_code", "extra"},
    "bitmap": set[str](),
    "topic": {"description", "image", "extra"},
    "lesson": {"description", "image", "signed_url_expiry", "extra"},
    "search-index": {"entries", "shards"},
    "search-shard": set[str](),
    "monolithic-manifest": {"season", "grade", "stream", "extra"},
    "monolithic-subject": {"description", "color_code", "image", "extra"},
    "monolithic-unit": {"description", "image", "badge_image", "extra"},
    "monolithic-lesson": {"description", "image", "signed_url_expiry", "extra"},
}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_only_what_may_be_empty_is_optional_and_then_it_is_left_out(kind: str) -> None:
    schema = document(kind)
    assert set(schema["properties"]) - set(schema["required"]) == OPTIONAL[kind]
    emptied = {**example(kind), **dict.fromkeys(OPTIONAL[kind], "")}
    refused = {violation.pointer[0] for violation in validator(kind)(emptied)}
    assert refused == OPTIONAL[kind]


ACCESS = {
    "is_published": True,
    "access_level": "paid",
    "required_item": "ITEM",
    "is_sold_separately": False,
    "parent_item_required": False,
}


@pytest.mark.parametrize("level", ["public", "authenticated", "free_preview", "paid"])
@pytest.mark.parametrize("item", [None, "ITEM"])
def test_an_item_stands_only_where_the_level_is_paid(level: str, item: str | None) -> None:
    """A paid node without one fits: a site without items lowers `E110` (spec 4)."""
    access = {**ACCESS, "access_level": level, "required_item": item}
    if item is None:
        del access["required_item"]
    violations = validator("topic")({**example("topic"), "access": access})
    if level == "paid" or item is None:
        assert violations == []
    else:
        assert violations == [Violation(("access", "required_item"), "is not allowed here")]


def test_a_search_index_has_entries_or_shards_as_it_says() -> None:
    plain, sharded = example("search-index", 0), example("search-index", 1)
    assert validator("search-index")({**plain, "shards": sharded["shards"]}) == [
        Violation(("shards",), "is not allowed here")
    ]
    assert validator("search-index")({**sharded, "is_sharded": False}) == [
        Violation((), "'entries' is a required property"),
        Violation(("shards",), "is not allowed here"),
    ]


def test_violations_name_every_place_in_order_and_say_what_is_wrong() -> None:
    lesson = example("lesson")
    lesson["stages"][0]["weight"] = "heavy"
    lesson["stages"][1]["config"] = []
    lesson["surprise"] = 1
    del lesson["title"]
    assert validator("lesson")(lesson) == [
        Violation((), "'title' is a required property"),
        Violation((), "Additional properties are not allowed ('surprise' was unexpected)"),
        Violation(("stages", 0, "weight"), "'heavy' is not of type 'number'"),
        Violation(("stages", 1, "config"), "[] is not of type 'object'"),
    ]


def test_a_violation_does_not_repeat_a_whole_document() -> None:
    [violation] = validator("lesson")(["x" * 10_000])
    assert len(violation.message) == 300
    assert violation.message.endswith("…")


@pytest.mark.parametrize("instant", ["\ud800", {1: 2}])
def test_what_is_not_json_is_a_violation(instant: object) -> None:
    [violation] = validator("lesson")({**example("lesson"), "generated_at": instant})
    assert violation.pointer == ()
    assert violation.message.startswith("is not JSON: ")


def test_what_only_the_fast_library_refuses_is_a_violation_in_its_words() -> None:
    lesson = example("lesson")
    lesson["stages"][0]["weight"] = float("nan")
    [violation] = validator("lesson")(lesson)
    assert violation.pointer == ("stages", 0, "weight")


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("hierarchy", "color_code", "#12345"),
        ("hierarchy", "color_code", "#1234567"),
        ("hierarchy", "color_code", "#12345G"),
        ("hierarchy", "color_code", "#1A73E8\n"),
        ("lesson", "generated_at", "2026-11-21T08:20:41+00:00"),
        ("lesson", "generated_at", "2026-11-21T08:20:41.5Z"),
        ("lesson", "generated_at", "2026-13-21T08:20:41Z"),
        ("lesson", "generated_at", "2026-11-21T08:20:41Z\n"),
        ("lesson", "version", -1),
        ("lesson", "version", 1.5),
        ("lesson", "version", "1"),
        ("lesson", "version", True),
        ("lesson", "id", ""),
        ("manifest", "search_index_url", "/plans/P/search_index.json"),
        ("manifest", "search_index_url", "https://cdn.example.org/plans/P/search_index.json"),
        ("manifest", "search_index_url", "plans/خطة/search_index.json"),
        ("manifest", "search_index_url", "plans/P/search index.json"),
        ("manifest", "search_index_url", "plans/P/../search_index.json"),
        ("manifest", "search_index_url", "plans/P/search_index.json?v="),
        ("manifest", "search_index_url", "plans/P/search_index.json?v=1\n"),
        ("manifest", "search_index_url", "lessons/L.json"),
    ],
)
def test_a_malformed_value_is_refused_by_both_libraries(kind: str, key: str, value: object) -> None:
    broken = {**example(kind), key: value}
    assert {violation.pointer for violation in validator(kind)(broken)} == {(key,)}
    assert not jsonschema.Draft202012Validator(document(kind)).is_valid(broken)


@pytest.mark.parametrize(
    "url",
    [
        "plans/P/search_index.json",
        "plans/P/search_index.0123456789abcdef.json",
        "plans/%D8%AE%D8%B7%D8%A9/%252Fx%20y.json?v=1795249241",
    ],
)
def test_links_of_every_form_are_taken(url: str) -> None:
    assert validator("manifest")({**example("manifest"), "search_index_url": url}) == []


def test_a_stage_config_keeps_long_integers_and_deep_nesting() -> None:
    lesson = example("lesson")
    nested: dict[str, object] = {"n": 2**200}
    for _ in range(200):
        nested = {"a": [nested]}
    lesson["stages"][0]["config"] = nested
    assert validator("lesson")(lesson) == []


def places(node: object, path: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    yield path
    items = enumerate(node) if isinstance(node, list) else ()
    for key, item in node.items() if isinstance(node, dict) else items:
        yield from places(item, (*path, key))


TEXTS = st.sampled_from(
    (
        *("", "\n", "x", "a b", "..", "\x85", "\u2028", "paid", "public", "off", "${A}", "5m"),
        *("#1A73E8", "2026-11-21T08:20:41Z", "Name <a@b.c>", "max-age=1, public"),
        *("lessons/L.json?v=1", "plans/P/x.json", "plans/P/search/_2/x.json"),
        *("s3://b/p", "https://a.b/", "sqlite:///x.db"),
    )
)
SCALARS = (
    TEXTS
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-1, 0, 1, 1.0, 2**70, True, False, None])
)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS, max_size=2)


@st.composite
def mutated(draw: st.DrawFn, kind: str) -> object:
    """Return an example of the kind with a few places changed, dropped or added."""
    whole = {"": deepcopy(draw(st.sampled_from(document(kind)["examples"])))}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(whole[""]))))
        holder: Any = whole
        for step in ("", *path)[:-1]:
            holder = holder[step]
        last: Any = ("", *path)[-1]
        old = holder[last]
        match draw(st.sampled_from(["replace", "tail", "drop", "add"])):
            case "tail" if isinstance(old, str):
                holder[last] = old + draw(st.sampled_from(["\n", " ", "x", "\r", "\u2028", "\0"]))
            case "drop" if path:
                del holder[last]
            case "add" if isinstance(old, dict):
                old[draw(TEXTS | st.sampled_from(sorted(document(kind)["properties"])))] = draw(
                    ANYTHING
                )
            case _:
                holder[last] = draw(ANYTHING)
    return whole[""]


@pytest.mark.parametrize("kind", [*MINE, *OTHERS])
def test_both_libraries_agree_on_a_line_break_after_any_text(kind: str) -> None:
    schema = document(kind)
    slow, fast = jsonschema.Draft202012Validator(schema), jsonschema_rs.validator_for(schema)
    for whole in schema["examples"]:
        for path in places(whole):
            broken: Any = {"": deepcopy(whole)}
            *above, last = ("", *path)
            holder = broken
            for step in above:
                holder = holder[step]
            if isinstance(holder[last], str):
                holder[last] += "\n"
                assert (path, slow.is_valid(broken[""])) == (path, fast.is_valid(broken[""]))


@pytest.mark.parametrize("kind", MINE)
@given(data=st.data())
@settings(max_examples=200)
def test_both_libraries_agree_on_every_document(kind: str, data: st.DataObject) -> None:
    agree(kind, data.draw(mutated(kind)))


@pytest.mark.parametrize("kind", OTHERS)
@given(data=st.data())
@settings(max_examples=30)
def test_both_libraries_agree_on_snapshots_and_outputs(kind: str, data: st.DataObject) -> None:
    agree(kind, data.draw(mutated(kind)))


def agree(kind: str, candidate: object) -> None:
    schema = document(kind)
    slow = jsonschema.Draft202012Validator(schema).is_valid(candidate)
    assert jsonschema_rs.is_valid(schema, candidate) is slow
    assert (validator(kind)(candidate) == []) is slow
