"""Checks of what plans show, and exactly the plans that an error holds back (spec 3, spec 4)."""

from __future__ import annotations

import pytest

from exporter.core.findings import Finding, Severities
from exporter.core.model import GRADE, SEASON, Document, Row
from exporter.core.plan_checks import held_plans
from tests.core.inspected import broken, files_of, findings_in, findings_of, with_field
from tests.core.school import (
    document,
    lesson,
    override,
    plan,
    school,
    stage,
    subject,
    topic,
    track,
    unit,
)

LESSON_FILE = "subjects/S/T/U/O/L.yaml"
TOPIC_FILE = "subjects/S/T/U/O/_topic.yaml"
BAD_STAGE = (stage(config_text="["),)


def only(code: str, findings: list[Finding]) -> list[Finding]:
    assert {finding.code for finding in findings} <= {code}
    return findings


def summary(findings: list[Finding]) -> list[tuple[object, ...]]:
    return [(one.path, one.pointer, one.message) for one in findings]


def of_rows(code: str, *rows: Row, more: tuple[Document, ...] = ()) -> list[tuple[object, str]]:
    findings = only(code, findings_of(*school(plan(overrides=rows), *more)))
    assert {one.path for one in findings} <= {"plans/PLAN.yaml"}
    return [(one.pointer, one.message) for one in findings]


# E106 and E107 in keys


@pytest.mark.parametrize("name", ["manifest", "search_index"])
def test_e106_a_topic_wants_the_key_of_the_plans_own_file(name: str) -> None:
    made = (topic(name), lesson("L2", name, bit_index=1))
    message = f"Memora Topic {name!r} wants the key plans/PLAN/{name}.json, which is the plan's own"
    assert summary(only("E106", findings_of(*school(*made)))) == [
        (f"subjects/S/T/U/{name}/_topic.yaml", ("name",), message)
    ]


@pytest.mark.parametrize("name", ["S_h", "S_b"])
def test_e106_a_topic_wants_the_key_of_a_subjects_file(name: str) -> None:
    made = (topic(name), lesson("L2", name, bit_index=1))
    message = f"Memora Topic {name!r} and Memora Subject 'S' want the key plans/PLAN/{name}.json"
    assert summary(only("E106", findings_of(*school(*made)))) == [
        (f"subjects/S/T/U/{name}/_topic.yaml", ("name",), message)
    ]


def test_e106_holds_only_the_plan_in_which_both_are_shown() -> None:
    made = (subject("X"), topic("X_h"), lesson("L2", "X_h", bit_index=1), plan("BOTH", ["S", "X"]))
    (found,) = only("E106", findings_of(*school(*made)))
    assert found.plans == ("BOTH",)
    hides = plan("BOTH", ["S", "X"], [override(topic("X_h"), "Hide")])
    assert findings_of(*school(*made, hides)) == []


def test_e107_lessons_of_different_topics_clash_in_the_shared_folder() -> None:
    made = (topic("O2"), lesson("l", "O2", bit_index=1))
    findings = only("E107", findings_of(*school(*made)))
    assert [(one.path, one.plans) for one in findings] == [
        (LESSON_FILE, ("PLAN",)),
        ("subjects/S/T/U/O2/l.yaml", ("PLAN",)),
    ]


def test_e107_topics_of_different_units_clash_in_the_plans_folder() -> None:
    made = (unit("U2"), topic("o", "U2"), lesson("L2", "o", bit_index=1))
    findings = only("E107", findings_of(*school(*made)))
    message = "Memora Topic 'O' and Memora Topic 'o' want the key plans/PLAN/O"
    assert summary(findings) == [
        (TOPIC_FILE, ("name",), message),
        ("subjects/S/T/U2/o/_topic.yaml", ("name",), message),
    ]


def test_e107_a_clash_in_one_folder_is_told_once_though_keys_clash_too() -> None:
    made = (lesson("l", bit_index=1), lesson("É", bit_index=2), lesson("é", bit_index=3))
    findings = only("E107", findings_of(*school(*made)))
    assert len(findings) == 4
    hides = plan(overrides=[override(lesson("é"), "Hide")])
    assert len(only("E107", findings_of(*school(hides, *made)))) == 4


# E108 and W202


def test_e108_and_w202_are_told_in_the_order_of_the_rows() -> None:
    rows = [
        override(unit(), "Give"),
        override(unit("GONE"), "Hide"),
        override(unit(), "Set Linear", "maybe"),
    ]
    findings = findings_of(*school(plan(overrides=rows)))
    assert [(one.code, one.pointer) for one in findings] == [
        ("E108", ("overrides", 0)),
        ("W202", ("overrides", 1)),
        ("E108", ("overrides", 2)),
    ]


def test_e108_override_action_value_or_target() -> None:
    rows = [
        override(unit(), "Give"),
        override(unit(), "Set Access Level", "gold"),
        override(document(GRADE, "12"), "Hide"),
    ]
    assert of_rows("E108", *rows) == [
        (("overrides", 0), "unknown override action 'Give'"),
        (
            ("overrides", 1),
            "'gold' is no access level; one of public, authenticated, free_preview, paid",
        ),
        (("overrides", 2), "an override cannot target 'Memora Grade'"),
    ]


def test_e108_holds_the_plan_of_the_row_alone() -> None:
    bad = plan("BAD", overrides=[override(unit(), "Give")])
    (found,) = findings_of(*school(bad))
    assert found.plans == ("BAD",)


NO_EFFECT: list[tuple[Row, tuple[Document, ...], str]] = [
    (override(unit("GONE"), "Hide"), (), "Memora Unit 'GONE' does not exist"),
    (
        override(subject("S2"), "Hide"),
        (subject("S2"),),
        "Memora Subject 'S2' is outside the plan's subjects",
    ),
    (
        override(topic("O2"), "Set Free"),
        (subject("S2"), track("T2", "S2"), unit("U2", "T2"), topic("O2", "U2")),
        "Memora Topic 'O2' is outside the plan's subjects",
    ),
    (
        override(lesson(), "Set Linear", "1"),
        (),
        "'Set Linear' has no effect: a lesson has no `is_linear`",
    ),
    (
        override(lesson("L2"), "Rename", "X"),
        (lesson("L2", bit_index=1, is_published=False),),
        "'Rename' has no effect: the plan does not show L2",
    ),
    (
        override(topic("EMPTY"), "Set Free"),
        (topic("EMPTY"),),
        "'Set Free' has no effect: the plan does not show EMPTY",
    ),
    (
        override(lesson("L2"), "Hide"),
        (lesson("L2", bit_index=1, is_published=False),),
        "'Hide' has no effect: the plan would not show L2 anyway",
    ),
    (
        override(topic("EMPTY"), "Hide"),
        (topic("EMPTY"),),
        "'Hide' has no effect: the plan would not show EMPTY anyway",
    ),
    (
        override(unit("DRAFTS"), "Hide"),
        (
            unit("DRAFTS"),
            topic("O2", "DRAFTS"),
            lesson("L2", "O2", is_published=False, bit_index=1),
        ),
        "'Hide' has no effect: the plan would not show DRAFTS anyway",
    ),
]


@pytest.mark.parametrize(("row", "more", "message"), NO_EFFECT)
def test_w202_row_without_effect(row: Row, more: tuple[Document, ...], message: str) -> None:
    assert of_rows("W202", row, more=more) == [(("overrides", 0), message)]


def test_w202_rows_at_and_below_what_another_row_hides() -> None:
    rows = [
        override(unit(), "Hide"),
        override(unit(), "Set Free"),
        override(topic(), "Rename", "X"),
        override(lesson(), "Hide"),
    ]
    assert of_rows("W202", *rows) == [
        (("overrides", 1), "'Set Free' has no effect: another row hides U"),
        (("overrides", 2), "'Rename' has no effect: the plan does not show O"),
        (("overrides", 3), "'Hide' has no effect: the plan would not show L anyway"),
    ]


def test_of_a_hidden_lesson_in_a_hidden_unit_the_units_row_has_the_effect() -> None:
    rows = [override(lesson(), "Hide"), override(unit(), "Hide")]
    assert [pointer for pointer, _ in of_rows("W202", *rows)] == [("overrides", 0)]


def test_w202_row_that_a_later_one_overtakes() -> None:
    rows = [override(unit(), "Hide"), override(unit(), "Hide")]
    assert of_rows("W202", *rows) == [
        (("overrides", 0), "'Hide' has no effect: row 2 sets the same for U"),
    ]


def test_w202_row_on_what_does_not_exist_is_told_once_a_row() -> None:
    rows = [override(unit("GONE"), "Set Free"), override(unit("GONE"), "Set Access Level", "paid")]
    assert of_rows("W202", *rows) == [
        (("overrides", 0), "'Set Free' has no effect: row 2 sets the same for GONE"),
        (("overrides", 1), "Memora Unit 'GONE' does not exist"),
    ]


def test_w202_row_on_an_orphan_that_is_called_as_a_subject_of_the_plan() -> None:
    findings = findings_of(*school(topic("S", "X"), plan(overrides=[override(topic("S"), "Hide")])))
    assert [one.code for one in findings] == ["W201", "W202"]
    assert findings[1].message == "Memora Topic 'S' is outside the plan's subjects"


def test_w202_row_on_an_orphan() -> None:
    findings = findings_of(
        *school(topic("O2", "GONE"), plan(overrides=[override(topic("O2"), "Hide")]))
    )
    assert [one.code for one in findings] == ["W201", "W202"]
    assert findings[1].message == "Memora Topic 'O2' is outside the plan's subjects"


def test_hiding_a_subject_has_an_effect_though_it_is_empty() -> None:
    empty = plan(subjects=["S", "S2"], overrides=[override(subject("S2"), "Hide")])
    assert findings_of(*school(empty, subject("S2"))) == []


# E109


def test_e109_bit_index_missing() -> None:
    findings = only("E109", findings_of(*school(lesson(bit_index=-1), lesson("L2", bit_index=0))))
    assert summary(findings) == [(LESSON_FILE, ("bit_index",), "bit_index is missing")]
    assert findings[0].plans == ("PLAN",)


def test_e109_bit_index_twice_in_a_subject() -> None:
    more = (topic("O2"), lesson("L2", "O2"), lesson("L3", "O2"))
    assert [(one.path, one.message) for one in only("E109", findings_of(*school(*more)))] == [
        (LESSON_FILE, "bit_index 0 is also that of L2"),
        ("subjects/S/T/U/O2/L2.yaml", "bit_index 0 is also that of L"),
        ("subjects/S/T/U/O2/L3.yaml", "bit_index 0 is also that of L"),
    ]


def test_e109_a_draft_that_shares_the_bit_of_a_shown_lesson_holds_its_plans() -> None:
    findings = only("E109", findings_of(*school(lesson("DRAFT", is_published=False))))
    assert [(one.path, one.plans) for one in findings] == [
        ("subjects/S/T/U/O/DRAFT.yaml", ("PLAN",)),
        (LESSON_FILE, ("PLAN",)),
    ]


def test_e109_drafts_that_share_a_bit_or_have_none_hold_nothing() -> None:
    drafts = [lesson(name, bit_index=9, is_published=False) for name in ("D1", "D2")]
    findings = only(
        "E109", findings_of(*school(*drafts, lesson("D3", bit_index=-1, is_published=False)))
    )
    assert [one.plans for one in findings] == [(), (), ()]


def test_e109_a_plan_that_hides_both_is_not_held() -> None:
    rows = [override(lesson(), "Hide"), override(lesson("L2"), "Hide")]
    findings = only("E109", findings_of(*school(lesson("L2"), plan("HIDES", overrides=rows))))
    assert [one.plans for one in findings] == [("PLAN",), ("PLAN",)]
    hides_one = plan("HIDES", overrides=rows[:1])
    held = held_plans(findings_of(*school(lesson("L2"), hides_one)))
    assert set(held) == {"PLAN", "HIDES"}


def test_the_same_bit_in_two_subjects_is_fine() -> None:
    other = (
        subject("S2"),
        track("T2", "S2"),
        unit("U2", "T2"),
        topic("O2", "U2"),
        lesson("L2", "O2"),
    )
    assert findings_of(*school(*other)) == []


# E110


def test_e110_is_told_once_at_the_node_that_decided() -> None:
    row = override(unit(), "Set Access Level", "paid")
    (found,) = only("E110", findings_of(*school(plan(overrides=[row]), plan("FREE"))))
    assert (found.path, found.plans, found.anchors) == (
        "subjects/S/T/U/_unit.yaml",
        ("PLAN",),
        (plan().ref,),
    )
    assert found.message == "paid in plan The PLAN, but nothing says which item to buy"


def test_e110_is_told_for_each_plan_and_each_node_that_decided() -> None:
    rows = [override(lesson(), "Set Sold Separately")]
    made = (track(is_sold_separately=True), plan("P2", overrides=rows))
    findings = only("E110", findings_of(*school(*made)))
    assert [(one.path, one.plans) for one in findings] == [
        ("subjects/S/T/_track.yaml", ("P2",)),
        ("subjects/S/T/U/O/L.yaml", ("P2",)),
        ("subjects/S/T/_track.yaml", ("PLAN",)),
    ]


@pytest.mark.parametrize(
    "priced",
    [
        (subject(required_item="BOOK"),),
        (unit(required_item="BOOK"),),
        (plan(overrides=[override(unit(), "Set Sold Separately", "BOOK")]),),
        (
            track(is_sold_separately=True),
            subject(is_public=True),
            plan(overrides=[override(track(), "Hide")]),
        ),
        (plan(is_published=False, overrides=[override(unit(), "Set Access Level", "paid")]),),
    ],
)
def test_a_paid_node_with_an_item_or_not_shown_is_fine(priced: tuple[Document, ...]) -> None:
    assert findings_of(*school(*priced)) == []


# E111 and W206


def test_e111_subject_that_does_not_exist_or_is_listed_twice() -> None:
    listed = plan(subjects=["S", "GONE", "S"])
    assert summary(only("E111", findings_of(*school(listed)))) == [
        (
            "plans/PLAN.yaml",
            ("subjects", 1, "subject"),
            "the plan lists subject 'GONE', which does not exist",
        ),
        ("plans/PLAN.yaml", ("subjects", 2, "subject"), "the plan lists subject 'S' twice"),
    ]


@pytest.mark.parametrize(
    "empty",
    [
        (plan(subjects=[]),),
        (subject(is_published=False),),
        (plan(overrides=[override(subject(), "Hide")]),),
    ],
)
def test_w206_plan_without_a_visible_subject(empty: tuple[Document, ...]) -> None:
    assert summary(only("W206", findings_of(*school(*empty)))) == [
        ("plans/PLAN.yaml", (), "the plan shows no subject")
    ]


def test_an_unpublished_plan_may_show_nothing() -> None:
    assert findings_of(*school(plan(subjects=[], is_published=False))) == []


# Which plans are held

SHARED = (
    *(subject("A"), track("TA", "A"), unit("UA", "TA"), topic("OA", "UA"), lesson("LA", "OA")),
    *(subject("B"), track("TB", "B"), unit("UB", "TB"), topic("OB", "UB"), lesson("LB", "OB")),
    plan("ONLY-A", ["A"]),
    plan("BOTH", ["A", "B"]),
    plan("ONLY-B", ["B"]),
    plan("HIDES", ["A", "B"], [override(unit("UA"), "Hide")]),
    plan("DRAFT", ["A", "B"], is_published=False),
)


def held(*documents: Document, severities: Severities | None = None) -> set[str]:
    found = findings_of(
        *{one.ref: one for one in (*SHARED, *documents)}.values(), severities=severities
    )
    return set(held_plans(found))


def test_nothing_is_wrong_with_the_shared_school() -> None:
    assert findings_of(*SHARED) == []


def test_an_error_holds_the_published_plans_that_show_it_and_only_those() -> None:
    assert held(lesson("LA", "OA", stages=BAD_STAGE)) == {"ONLY-A", "BOTH"}
    assert held(lesson("LB", "OB", stages=BAD_STAGE)) == {"ONLY-B", "BOTH", "HIDES"}


def test_an_error_in_a_node_above_holds_the_plans_that_show_the_node() -> None:
    secret = "AKIAIOSFODNN7EXAMPLE"
    assert held(track("TA", "A", description=secret)) == {"ONLY-A", "BOTH"}
    assert held(subject("A", description=secret)) == {"ONLY-A", "BOTH", "HIDES"}


@pytest.mark.parametrize(
    "unseen",
    [
        (lesson("L9", "OA", bit_index=9, is_published=False, stages=BAD_STAGE),),
        (lesson("L9", "GONE", bit_index=9, stages=BAD_STAGE),),
        (topic("EMPTY", "UA", description="AKIAIOSFODNN7EXAMPLE"),),
        (topic("OFF", "UA", is_published=False), lesson("L9", "OFF", 9, BAD_STAGE)),
        (subject("C"), track("TC", "C", description="AKIAIOSFODNN7EXAMPLE")),
        (plan("DRAFT", ["GONE"], is_published=False),),
    ],
)
def test_an_error_that_no_published_plan_shows_is_told_and_holds_nothing(
    unseen: tuple[Document, ...],
) -> None:
    findings = findings_of(*{one.ref: one for one in (*SHARED, *unseen)}.values())
    errors = [one for one in findings if one.severity == "error"]
    assert [one.plans for one in errors] == [()]
    assert held(*unseen) == set()


def test_a_held_plan_has_all_its_errors() -> None:
    broken_twice = [stage(config_text="["), stage(config_text="]")]
    findings = findings_of(*school(lesson(stages=broken_twice), subject(color_code="red")))
    assert {plan: [one.code for one in why] for plan, why in held_plans(findings).items()} == {
        "PLAN": ["E105", "E105"]
    }


@pytest.mark.parametrize(("doctype", "field"), [(SEASON, "season"), (GRADE, "grade")])
def test_an_error_in_what_a_plan_links_to_holds_that_plan(doctype: str, field: str) -> None:
    linked = document(doctype, "X", {"title": "AKIAIOSFODNN7EXAMPLE"})
    made = plan("ONLY-A", ["A"], **{field: "X"})  # type: ignore[arg-type]
    assert held(linked, made) == {"ONLY-A"}


def test_severities_can_be_raised_lowered_and_switched_off() -> None:
    wrong = lesson("LA", "OA", stages=[stage("Video", {}), *BAD_STAGE])
    assert held(wrong, severities=Severities({"E105": "warning"})) == set()
    assert held(wrong, severities=Severities({"E105": "off", "W205": "error"})) == {
        "ONLY-A",
        "BOTH",
    }
    findings = findings_of(
        *school(lesson(stages=wrong.rows["stages"])), severities=Severities({"E105": "off"})
    )
    assert [(one.code, one.severity) for one in findings] == [("W205", "warning")]


FILES = files_of(*SHARED)
A = "subjects/A/TA/UA/OA"


@pytest.mark.parametrize(
    ("path", "plans"),
    [
        (f"{A}/LA.yaml", {"ONLY-A", "BOTH"}),
        (f"{A}/_topic.yaml", {"ONLY-A", "BOTH"}),
        ("subjects/A/TA/_track.yaml", {"ONLY-A", "BOTH", "HIDES"}),
        ("subjects/A/_subject.yaml", {"ONLY-A", "BOTH", "HIDES"}),
    ],
)
def test_an_unreadable_file_holds_the_plans_that_would_show_what_is_in_it(
    path: str, plans: set[str]
) -> None:
    assert set(held_plans(findings_in(broken(FILES, path)))) == plans


def test_an_unreadable_file_that_a_plan_hides_does_not_hold_it() -> None:
    assert "HIDES" not in held_plans(findings_in(broken(FILES, "subjects/A/TA/UA/_unit.yaml")))


def test_a_missing_file_holds_the_plans_that_would_show_what_is_below() -> None:
    without = {path: file for path, file in FILES.items() if path != "subjects/A/TA/UA/_unit.yaml"}
    assert set(held_plans(findings_in(without))) == {"ONLY-A", "BOTH"}


LONG = "الفصل الدراسي " * 9


def test_an_unreadable_season_holds_its_plans_though_its_name_was_cut() -> None:
    made = (document(SEASON, LONG), plan("ONLY-A", ["A"], season=LONG))
    files = files_of(*{one.ref: one for one in (*SHARED, *made)}.values())
    (path,) = [path for path in files if path.startswith("seasons/")]
    assert set(held_plans(findings_in(broken(files, path)))) == {"ONLY-A"}


@pytest.mark.parametrize(
    ("path", "field", "plans"),
    [
        (f"{A}/LA.yaml", "sort_order", {"ONLY-A", "BOTH"}),
        (f"{A}/LA.yaml", "is_published", {"ONLY-A", "BOTH"}),
        (f"{A}/LA.yaml", "name", {"ONLY-A", "BOTH"}),
        ("subjects/A/_subject.yaml", "is_published", {"ONLY-A", "BOTH", "HIDES"}),
        ("plans/ONLY-A.yaml", "season", {"ONLY-A"}),
        ("plans/DRAFT.yaml", "season", set()),
        ("plans/DRAFT.yaml", "is_published", {"DRAFT"}),
    ],
)
def test_a_file_with_a_wrong_field_holds_the_plans_that_show_it(
    path: str, field: str, plans: set[str]
) -> None:
    assert set(held_plans(findings_in(with_field(FILES, path, field, 1.5)))) == plans


@pytest.mark.parametrize("path", [f"{A}/LA.yaml", "subjects/A/_subject.yaml"])
def test_a_wrong_field_of_a_draft_holds_nothing(path: str) -> None:
    draft = with_field(FILES, path, "is_published", value=False)
    findings = findings_in(with_field(draft, path, "sort_order", "1"))
    assert [one.code for one in findings if one.severity == "error"] == ["E103"]
    assert held_plans(findings) == {}


def test_a_document_in_two_files_holds_the_plans_that_show_either() -> None:
    twice = {**FILES, **files_of(*SHARED, topic("O9", "UB"), lesson("LA", "O9"))}
    both = {**twice, f"{A}/LA.yaml": FILES[f"{A}/LA.yaml"]}
    assert set(held_plans(findings_in(both))) == {"ONLY-A", "BOTH", "ONLY-B", "HIDES"}


def test_a_plan_in_two_files_is_held_though_the_one_that_is_read_is_a_draft() -> None:
    twice = with_field(FILES, "plans/ONLY-B.yaml", "name", "DRAFT")
    assert set(held_plans(findings_in(twice))) == {"DRAFT"}


def test_a_draft_plan_under_another_name_is_told_and_not_held() -> None:
    renamed = with_field(FILES, "plans/DRAFT.yaml", "name", "D")
    assert [(one.code, one.plans) for one in findings_in(renamed)] == [("E102", ())]


def test_findings_of_files_have_the_breadcrumb_of_their_document_or_of_what_is_above() -> None:
    wrong = with_field(FILES, f"{A}/LA.yaml", "sort_order", "1")
    crumbs = [one.breadcrumb for one in findings_in(broken(wrong, "subjects/B/TB/_track.yaml"))]
    assert crumbs == [("The B",), ("The A", "The TA", "The UA", "The OA", "The LA")]


def test_a_file_under_another_name_holds_the_plans_that_show_it() -> None:
    wrong = with_field(FILES, f"{A}/LA.yaml", "name", "LX")
    assert set(held_plans(findings_in(wrong))) == {"ONLY-A", "BOTH"}
