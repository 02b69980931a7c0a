"""Every change of who may open what is called out, and nothing else (issue 5, must be seen 5).

The oracle is the built files of both sides: the access blocks that students' apps read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.build.diffing import Side, diff_contents
from exporter.build.inspection import CheckRules
from exporter.core.artifacts import Rules
from exporter.core.diff import Renames, find_renames
from exporter.core.diff_access import Notice, Noticed, Sign, Terms
from exporter.core.diff_markdown import markdown_full
from exporter.core.diff_report import DiffReport
from exporter.core.findings import CODES, Severities
from exporter.core.model import (
    CURRICULUM,
    LESSON,
    PLAN,
    SEASON,
    SUBJECT,
    TOPIC,
    TRACK,
    UNIT,
    Document,
    Ref,
)
from tests.build.contents import content_of, files_of, make
from tests.core.curricula import BELOW, LEVELS, NAMES, curricula, plans
from tests.core.school import document, lesson, override, plan, school, subject, topic

RULES = CheckRules(Rules(), Severities(dict.fromkeys(CODES, "off")))
"""No finding holds anything back: what plans show is what is built."""

EXAMPLES = 3_000 if os.environ.get("EXPORTER_THOROUGH") else 150

Shown = dict[tuple[str, Ref], Terms]
"""The terms of every node of every plan."""


def test_a_paid_subject_becomes_free() -> None:
    lessons = [lesson(f"L{n}", bit_index=n) for n in range(12)]
    before = [*school(subject(required_item="ITEM", title="Physics"), *lessons), plan("B")]
    after = edited(before, subject(is_free_preview=True, title="Physics").ref, is_free_preview=True)
    notices = diff(before, after).access
    assert [(one.sign, one.plans, one.where, one.lessons) for one in notices] == [
        (Sign.OPENS, ("B", "PLAN"), ("Physics",), 13)
    ]


def test_a_hidden_lesson_disappears_from_one_plan_only() -> None:
    before = [*school(lesson("L2", bit_index=1)), plan("B")]
    hiding = plan("B", overrides=[override(lesson("L2"), "Hide")])
    notices = diff(before, [*before[:-1], hiding]).access
    assert [(one.sign, one.plans, one.where) for one in notices] == [
        (Sign.GONE, ("B",), ("The S", "The T", "The U", "The O", "The L2"))
    ]


def test_a_renamed_topic_is_no_change_of_access() -> None:
    before = school()
    after = [*school(lesson(parent="NEW"))[:4], topic("NEW", title="The O"), lesson(parent="NEW")]
    assert list(diff(before, after).notices) == []


def test_a_removed_plan_is_one_notice() -> None:
    before = [*school(), plan("B")]
    notices = diff(before, before[:-1]).notices
    assert [(one.sign, one.plans, len(one.nodes)) for one in notices] == [
        (Sign.PLAN_GONE, ("B",), 5)
    ]


def test_another_season_and_a_renamed_one_are_told_of_each_plan() -> None:
    season, later = (document(SEASON, year, {"title": year}) for year in ("2026", "2027"))
    before = [*school(), plan("B", season="2026"), plan("C", season="2026"), season, later]
    renamed = edited(before, season.ref, title="2025/26")
    assert [(one.sign, one.plans, one.nodes) for one in diff(before, renamed).notices] == [
        (Sign.HEADING, ("B", "C"), (Noticed(season.ref, "2025/26", "2026", None, None),))
    ]
    other = edited(before, (PLAN, "B"), season="2027", title="The new B")
    assert [(one.sign, one.plans, one.nodes) for one in diff(before, other).notices] == [
        (Sign.HEADING, ("B",), (Noticed((PLAN, "B"), "The new B", "The B", None, None),)),
        (Sign.HEADING, ("B",), (Noticed(later.ref, "2027", "2026", None, None),)),
    ]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_every_change_of_access_is_called_out_and_nothing_else(data: st.DataObject) -> None:
    before = data.draw(schools())
    after = before
    for _ in range(data.draw(st.integers(1, 3))):
        after = data.draw(edits(after))
    report = diff(before, after)
    renames = find_renames(content(before).loaded.snapshot, content(after).loaded.snapshot)
    told = list(_told(report.access))
    assert len(told) == len(set(told)), "a change is called out once"
    assert set(told) == set(_differences(_built(before, renames), _built(after, {})))


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(st.data())
def test_files_to_put_and_delete_are_those_that_two_full_builds_differ_in(
    data: st.DataObject,
) -> None:
    before = data.draw(schools())
    after = data.draw(edits(before))
    old, new = (make(content(side), RULES).built for side in (before, after))
    entries = [
        {
            key: one.digest
            for index in (*side.plans.values(), side.lessons)
            for key, one in index.items()
        }
        for side in (old, new)
    ]
    files = diff(before, after).files
    assert files
    assert files.new == len(entries[1].keys() - entries[0].keys())
    assert files.deleted == len(entries[0].keys() - entries[1].keys())
    both = entries[0].keys() & entries[1].keys()
    assert files.changed >= sum(entries[0][key] != entries[1][key] for key in both)


def diff(before: Sequence[Document], after: Sequence[Document]) -> DiffReport:
    sides = (Side(content(before), "before"), Side(content(after), "after"))
    return diff_contents(*sides, RULES)


def content(documents: Sequence[Document]) -> Any:
    return content_of(files_of(*documents))


def edited(documents: Sequence[Document], ref: Ref, **fields: str | bool | int) -> list[Document]:
    return [
        replace(one, fields={**one.fields, **fields}) if one.ref == ref else one
        for one in documents
    ]


def _told(notices: Sequence[Notice]) -> Iterator[tuple[str, Ref, Terms | None, Terms | None]]:
    for notice in notices:
        for name in notice.plans:
            for node in notice.nodes:
                yield name, node.ref, node.terms_before, node.terms_after


def _differences(
    before: Shown, after: Shown
) -> Iterator[tuple[str, Ref, Terms | None, Terms | None]]:
    for name, ref in before.keys() | after.keys():
        was, now = before.get((name, ref)), after.get((name, ref))
        if was != now:
            yield name, ref, was, now


def _built(documents: Sequence[Document], renames: Renames) -> Shown:
    """Return what the published files say of every node; renamed ones by their new names."""
    made = make(content(documents), RULES)
    names = {made.inspection.keys[name].folder: name for name in made.built.plans}
    shown: Shown = {}
    for key, body in made.bodies.items():
        name = names.get("/".join(key.split("/")[:2]), "")
        for doctype, entry in _entries(key, body):
            ref = (doctype, str(entry["id"]))
            shown[name, renames.get(ref, ref)] = _terms(entry["access"])
    return shown


def _entries(key: str, body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what a file says of each node, with its DocType."""
    if key.endswith("/manifest.json"):
        yield from ((SUBJECT, one) for one in body["subjects"])
    for one in body.get("tracks", ()):
        yield (TRACK, one)
        for two in one["units"]:
            yield (UNIT, two)
            yield from ((TOPIC, three) for three in two["topics"])
    yield from ((LESSON, one) for one in body.get("lessons", ()))


def _terms(block: Mapping[str, Any]) -> Terms:
    assert block["is_published"] is True
    return Terms(
        block["access_level"],
        block.get("required_item", ""),
        block["is_sold_separately"],
        block["parent_item_required"],
    )


@st.composite
def schools(draw: st.DrawFn) -> list[Document]:
    """Draw a curriculum with one or two plans of it."""
    documents = list(draw(curricula()))
    listed = [replace(draw(plans(documents)), name=f"P{n}") for n in range(draw(st.integers(1, 2)))]
    return [*documents, *listed]


@st.composite
def edits(draw: st.DrawFn, documents: list[Document]) -> list[Document]:
    """Draw what an editor may do next."""
    kind = draw(st.sampled_from(("field", "field", "plan", "delete", "add", "move", "rename")))
    chosen = draw(st.sampled_from(documents))
    match kind:
        case "plan":
            listed = [one for one in documents if one.doctype == PLAN]
            old = draw(st.sampled_from(listed)) if listed else plan("P0")
            fields = {**old.fields, "is_published": draw(st.sampled_from((True, True, False)))}
            new = replace(draw(plans(documents)), name=old.name, fields=fields)
            return [*(one for one in documents if one.ref != old.ref), new]
        case "delete":
            return [one for one in documents if one.ref != chosen.ref]
        case "add":
            return _with(documents, draw(_additions()))
        case "move":
            return _with(documents, _moved(chosen, draw(st.sampled_from(NAMES))))
        case "rename":
            return _renamed(documents, chosen, draw(st.sampled_from(("new", "جديد"))))
        case _:
            return _with(
                documents, replace(chosen, fields={**chosen.fields, **draw(_fields(chosen))})
            )


def _with(documents: Sequence[Document], new: Document) -> list[Document]:
    return [*(one for one in documents if one.ref != new.ref), new]


def _moved(document: Document, parent: str) -> Document:
    link = document.type.parent_field
    return replace(document, fields={**document.fields, link: parent}) if link else document


def _renamed(documents: list[Document], document: Document, name: str) -> list[Document]:
    """Rename as Frappe does: the children's links follow; plans' rows do so in other tests."""
    if any(one.ref == (document.doctype, name) for one in documents):
        return documents
    renamed = [replace(one, name=name) if one is document else one for one in documents]
    return [
        _moved(one, name)
        if one.type.parent == document.doctype and one.parent == document.name
        else one
        for one in renamed
    ]


def _additions() -> st.SearchStrategy[Document]:
    builders: list[Callable[..., Document]] = [build for build, _, _ in BELOW]
    return st.builds(
        lambda build, name, parent: build(name, parent),
        st.sampled_from(builders),
        st.sampled_from(("x", "y")),
        st.sampled_from(NAMES),
    )


def _fields(document: Document) -> st.SearchStrategy[dict[str, Any]]:
    if document.doctype not in CURRICULUM:
        return st.just({"title": "Another"})
    values: dict[str, st.SearchStrategy[Any]] = {
        "is_published": st.booleans(),
        "is_free_preview": st.booleans(),
        "required_item": st.sampled_from(("ITEM-1", "ITEM-3")),
        "is_sold_separately": st.booleans(),
        "parent_item_required": st.booleans(),
        "is_public": st.booleans(),
        "sort_order": st.integers(-1, 3),
        "title": st.sampled_from(("Other", "آخر")),
    }
    known = [name for name in values if name in {column.name for column in document.type.fields}]
    return st.sampled_from(known).flatmap(lambda name: values[name].map(lambda v: {name: v}))


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_set_by_a_plan_is_told_by_its_direction(level: str) -> None:
    before = school()
    setting = plan(overrides=[override(subject(), "Set Access Level", level)])
    signs = [one.sign for one in diff(before, school(setting)).access]
    opens, closes = [Sign.OPENS], [Sign.CLOSES]
    expected = {"authenticated": [], "paid": closes}
    assert signs == expected.get(level, opens)


BROKEN_LESSON, BROKEN_SUBJECT = "subjects/S/T/U/O/L2.yaml", "subjects/S/_subject.yaml"


@pytest.mark.parametrize("path", [BROKEN_LESSON, BROKEN_SUBJECT, "plans/PLAN.yaml"])
def test_what_cannot_be_read_neither_disappears_nor_is_removed(path: str) -> None:
    before = files_of(*school(lesson("L2", bit_index=1)), plan("OTHER", subjects=[]))
    assert path in before
    sides = (content_of(before), content_of({**before, path: 'name: "L2\n'}))
    report = diff_contents(Side(sides[0], "before"), Side(sides[1], "after"), CheckRules())
    assert [*report.notices, *report.documents] == []
    assert list(report.held_plans) == ["PLAN"]
    assert [found.code for found in report.findings.new] == ["E101"]
    assert "1 plan held back by errors**, so it stays as it is: " in markdown_full(report)


def test_what_was_removed_beside_an_unreadable_file_is_told() -> None:
    before = files_of(*school(lesson("L2", bit_index=1), lesson("L3", bit_index=2)))
    after = {**before, BROKEN_LESSON: "- no mapping\n"}
    del after["subjects/S/T/U/O/L3.yaml"]
    sides = (Side(content_of(before), "before"), Side(content_of(after), "after"))
    report = diff_contents(*sides, CheckRules())
    assert [one.document.name for one in report.documents] == ["L3"]
    assert not report.notices
