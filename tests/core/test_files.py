"""Documents as files and back: the laws of spec 2, and what a file may get wrong (E103)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from exporter.core.files import Fault, parse_mapping, render, to_mapping
from exporter.core.model import DOCTYPES, LESSON, PLAN, SEASON, TOPIC, TRACK, Document, Json, Row
from tests.core.documents import EXTRA, documents
from tests.core.school import document, lesson, plan, stage, topic, track


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def parse(
    doctype: str, mapping: dict[str, Json], parent: str | None = None
) -> tuple[Document | None, list[tuple[tuple[str | int, ...], str]]]:
    document, faults = parse_mapping(DOCTYPES[doctype], mapping, parent, EXTRA)
    return document, [(fault.pointer, fault.message) for fault in faults]


@settings(max_examples=200)
@given(documents(), st.booleans())
def test_a_document_is_what_its_file_says(document: Document, orphan: bool) -> None:
    mapping = read(render(document, orphan=orphan))
    parent = None if orphan or not document.type.parent else document.parent
    again, faults = parse_mapping(document.type, mapping, parent, EXTRA)
    assert (again, faults) == (document, ())
    assert again is not None
    # repr tells 1 from 1.0 and True, and shows the order of the keys
    assert repr(to_mapping(again, orphan=True)) == repr(to_mapping(document, orphan=True))
    assert render(again, orphan=orphan) == render(document, orphan=orphan)


def test_the_file_has_name_fields_extra_fields_and_rows_in_the_order_of_the_model() -> None:
    config: dict[str, Json] = {"b": {"z": 1, "a": 2}, "B": [{"q": "", "p": None}], "é": 1}
    made = lesson(required_item="BOOK", difficulty="hard", stages=[stage(config=config)])
    assert render(made, orphan=False) == (
        "name: L\n"
        "title: The L\n"
        "is_published: true\n"
        "is_free_preview: false\n"
        "required_item: BOOK\n"
        "sort_order: 0\n"
        "bit_index: 0\n"
        "difficulty: hard\n"
        "stages:\n"
        "  - title: A Text\n"
        "    type: Text\n"
        "    config:\n"
        "      B:\n"
        "        - p: null\n"
        "          q: ''\n"
        "      b:\n"
        "        a: 2\n"
        "        z: 1\n"
        "      é: 1\n"
        "    weight: 1.0\n"
        "    target_time: 60\n"
        "    is_skippable: false\n"
    )


@pytest.mark.parametrize("orphan", [True, False])
def test_only_an_orphans_file_keeps_its_parent_link(orphan: bool) -> None:
    assert ("parent_unit: U\n" in render(topic(), orphan=orphan)) is orphan


def test_what_a_file_says_is_read() -> None:
    made = lesson(stages=[stage("Video", {"url": "u"}, weight=0.5), stage(config_text="[")])
    season = document(SEASON, "2026", {"start_date": "2026-01-01", "end_date": "2026-06-30"})
    for one, parent in ((made, "O"), (season, None)):
        assert parse_mapping(one.type, read(render(one, orphan=False)), parent, ()) == (one, ())


def test_what_a_file_omits_reads_as_its_default() -> None:
    found, faults = parse(LESSON, {"name": "L", "stages": [{}]}, "O")
    row: Row = {"config": {}, "weight": 1.0, "target_time": 0, "is_skippable": False}
    assert faults == []
    assert found == Document(
        LESSON,
        "L",
        {
            "parent_topic": "O",
            "is_published": False,
            "is_free_preview": False,
            "sort_order": 0,
            "bit_index": -1,
        },
        {"stages": (row,)},
    )


def test_empty_values_read_as_their_defaults_too() -> None:
    empty: dict[str, Json] = {"title": "", "season": None, "is_published": "", "subjects": []}
    assert parse(PLAN, {"name": "P", **empty, "note": ""}) == (
        Document(PLAN, "P", {"is_published": True}),
        [],
    )


def test_an_orphans_file_tells_its_parent_itself() -> None:
    found, faults = parse(TOPIC, {"name": "O", "parent_unit": "GONE"})
    assert (found.parent if found else "", faults) == ("GONE", [])


WRONG: list[tuple[str, str, Json, str]] = [
    (LESSON, "title", 12, "`title` must be text (quote it)"),
    (LESSON, "title", True, "`title` must be text (quote it)"),
    (LESSON, "is_published", "yes", "`is_published` must be true or false"),
    (LESSON, "is_published", 1, "`is_published` must be true or false"),
    (LESSON, "sort_order", "1", "`sort_order` must be a whole number"),
    (LESSON, "sort_order", 1.5, "`sort_order` must be a whole number"),
    (LESSON, "sort_order", True, "`sort_order` must be a whole number"),
    (LESSON, "difficulty", ["a"], "`difficulty` must be text, a number or true/false"),
    (LESSON, "stages", {"a": 1}, "`stages` must be a list"),
    (LESSON, "parent_topic", "O2", "the folder tells the parent, not a field"),
    (LESSON, "owner", "a@b.c", "`owner` is not a field of this kind of document"),
    (TRACK, "bit_index", 1, "`bit_index` is not a field of this kind of document"),
    (SEASON, "start_date", "2026-1-1", "`start_date` must be a quoted date, 'YYYY-MM-DD'"),
    (SEASON, "start_date", "20260101", "`start_date` must be a quoted date, 'YYYY-MM-DD'"),
    (SEASON, "start_date", "2026-02-30", "`start_date` must be a quoted date, 'YYYY-MM-DD'"),
    (SEASON, "start_date", 2026, "`start_date` must be a quoted date, 'YYYY-MM-DD'"),
]


@pytest.mark.parametrize(("doctype", "field", "value", "message"), WRONG)
def test_a_wrong_field_is_a_fault_and_reads_as_its_default(
    doctype: str, field: str, value: Json, message: str
) -> None:
    parent = "O" if DOCTYPES[doctype].parent else None
    clean, _ = parse(doctype, {"name": "N"}, parent)
    assert parse(doctype, {"name": "N", field: value}, parent) == (clean, [((field,), message)])


WRONG_IN_ROWS: list[tuple[dict[str, Json], str, str]] = [
    ({"weight": "1.0"}, "weight", "`weight` must be a number"),
    ({"weight": 10**400}, "weight", "`weight` must be a number"),
    ({"weight": float("inf")}, "weight", "`weight` must be a number"),
    ({"target_time": 1.0}, "target_time", "`target_time` must be a whole number"),
    ({"is_skippable": "no"}, "is_skippable", "`is_skippable` must be true or false"),
    ({"config": "{}"}, "config", "`config` must be a mapping"),
    ({"config": [1]}, "config", "`config` must be a mapping"),
    ({"config_text": 1}, "config_text", "`config_text` must be text (quote it)"),
    ({"idx": 1}, "idx", "`idx` is not a field of this kind of document"),
]


@pytest.mark.parametrize(("row", "field", "message"), WRONG_IN_ROWS)
def test_a_wrong_field_of_a_row_is_a_fault_at_the_row_and_reads_as_its_default(
    row: dict[str, Json], field: str, message: str
) -> None:
    clean, _ = parse(LESSON, {"name": "L", "stages": [{}, {}]}, "O")
    found = parse(LESSON, {"name": "L", "stages": [{}, row]}, "O")
    assert found == (clean, [(("stages", 1, field), message)])


def test_a_stage_with_both_config_and_its_text_keeps_the_text() -> None:
    found, faults = parse(
        LESSON, {"name": "L", "stages": [{"config": {}, "config_text": "["}]}, "O"
    )
    assert found is not None
    assert found.rows["stages"][0]["config_text"] == "["
    assert "config" not in found.rows["stages"][0]
    message = "a stage has `config` or `config_text`, not both"
    assert faults == [(("stages", 0, "config_text"), message)]


def test_a_row_that_is_no_mapping_is_a_fault_and_left_out() -> None:
    subjects: list[Json] = ["S", {"subject": "S"}]
    found, faults = parse(PLAN, {"name": "P", "subjects": subjects})
    assert found is not None
    assert found.rows["subjects"] == ({"subject": "S", "sort_order": 0},)
    assert faults == [(("subjects", 0), "each of `subjects` must be a mapping")]


def test_config_text_is_a_field_of_stages_alone() -> None:
    _, faults = parse(PLAN, {"name": "P", "subjects": [{"config_text": "a"}]})
    message = "`config_text` is not a field of this kind of document"
    assert faults == [(("subjects", 0, "config_text"), message)]


@pytest.mark.parametrize("name", [None, "", 12, True, ["a"]])
def test_a_file_without_a_name_holds_no_document_and_all_its_faults_are_told(name: Json) -> None:
    found, faults = parse(TRACK, {"name": name, "sort_order": "x"}, "S")
    assert (found, [pointer for pointer, _ in faults]) == (None, [("name",), ("sort_order",)])


def test_faults_are_values() -> None:
    _, faults = parse_mapping(DOCTYPES[PLAN], {"name": "P", "x": 1}, None, ())
    assert faults == (Fault(("x",), "`x` is not a field of this kind of document"),)


def test_plans_and_tracks_write_what_they_are_given() -> None:
    assert to_mapping(plan(season="2026"), orphan=False) == {
        "name": "PLAN",
        "title": "The PLAN",
        "season": "2026",
        "is_published": True,
        "subjects": [{"subject": "S", "sort_order": 0}],
    }
    assert list(to_mapping(track(), orphan=False)) == [
        *("name", "title", "is_published", "is_free_preview", "is_sold_separately"),
        *("parent_item_required", "sort_order", "is_linear"),
    ]
