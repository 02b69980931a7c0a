"""Which plans a change concerns where names clash and where plans share files (spec 5)."""

from __future__ import annotations

import pytest

from exporter.core.changes import clashing_types, with_neighbours
from exporter.core.model import LESSON, SUBJECT, TOPIC, TRACK, UNIT
from exporter.core.segments import is_clash_form
from exporter.core.tree import ORPHANS, grow
from tests.core.school import lesson, plan, school, subject, topic, track, unit


def test_neighbours_are_the_plans_that_share_a_subject_and_no_further() -> None:
    plans = [plan("P1", ["A"]), plan("P2", ["A", "B"]), plan("P3", ["B"]), plan("P4", ["C"])]
    assert with_neighbours({"P1"}, plans) == {"P1", "P2"}
    assert with_neighbours({"P2"}, plans) == {"P1", "P2", "P3"}
    assert with_neighbours({"GONE"}, plans) == {"GONE"}


def test_a_plan_that_stood_elsewhere_before_has_the_neighbours_of_both_sides() -> None:
    sides = [plan("P1", ["A"]), plan("P1", ["B"]), plan("P2", ["A"]), plan("P3", ["B"])]
    assert with_neighbours({"P1"}, sides) == {"P1", "P2", "P3"}


@pytest.mark.parametrize(
    ("more", "clash"),
    [
        ((), False),
        ((topic("o", "U"),), False),
        ((lesson("l"),), True),
        ((topic("O2"), lesson("l", "O2")), True),
        ((topic("O2"), lesson("l", "GONE")), False),
        ((unit("u"),), True),
        ((lesson("ع" * 140), lesson("غ" * 140)), False),
    ],
)
def test_names_that_want_one_shared_key_are_seen_in_the_paths(
    more: tuple[object, ...], clash: bool
) -> None:
    snapshot = grow(school(*more))  # type: ignore[arg-type]
    shared = clashing_types(snapshot.paths.values()) & {LESSON, UNIT}
    assert bool(shared) is clash


@pytest.mark.parametrize(
    ("written", "looks_so"),
    [
        ("l~0123456789abcdef", True),
        ("l~0123456789ABCDEF", False),
        ("l~0123", False),
        ("~", False),
        (f"{'ع' * 91}~0123456789abcdef", False),
    ],
)
def test_the_form_of_the_later_of_two_clashing_names(written: str, looks_so: bool) -> None:
    assert is_clash_form(written) is looks_so


@pytest.mark.parametrize(
    ("more", "types"),
    [
        ((), set()),
        ((lesson("l"),), {LESSON}),
        ((topic("o"), lesson("X", "o")), {TOPIC}),
        ((unit("u"), track("t")), {TRACK, UNIT}),
        ((subject("s"),), {SUBJECT}),
        ((lesson("l", "GONE"),), {ORPHANS}),
        ((lesson("l", "GONE"), topic("O2"), lesson("L~0123456789abcdef", "O2")), {ORPHANS, LESSON}),
        ((lesson("ll", "GONE"), lesson("LL"), topic("O2"), lesson("Ll", "O2")), {ORPHANS, LESSON}),
        ((subject("X~0123456789abcdef"),), {SUBJECT}),
    ],
)
def test_types_of_which_two_documents_may_go_by_one_name(
    more: tuple[object, ...], types: set[str]
) -> None:
    snapshot = grow(school(*more))  # type: ignore[arg-type]
    assert clashing_types(snapshot.paths.values()) == types


def test_paths_without_a_place_in_the_curriculum_name_nothing() -> None:
    strange = ("README.md", "subjects/x.yaml", "subjects/S/T/x.yaml", "subjects/S/T/U/O/L/a.yaml")
    assert clashing_types([*strange, *(path.replace("S/", "Z/") for path in strange)]) == set()
