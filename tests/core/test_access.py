"""Who may open a node of a plan, and why: every rule of spec 3 against every other, one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest

from exporter.core.access import Access, Node, PlanView, Viewer, listed_subjects, view_plan
from exporter.core.model import SUBJECT, TRACK, UNIT, Document, Ref, Row
from exporter.core.overrides import Action, Override, Overrides, Target
from exporter.core.tree import grow
from tests.core.school import lesson, override, plan, school, subject, topic, track, unit

LEVELS = ("public", "authenticated", "free_preview", "paid")
NODES = (subject(), track(), unit(), topic(), lesson())
BUILDERS: dict[str, Callable[..., Document]] = {
    "S": subject,
    "T": track,
    "U": unit,
    "O": topic,
    "L": lesson,
}


def view(
    *documents: Document, default: str = "authenticated", plan_: Document | None = None
) -> PlanView:
    shown = plan_ or next((one for one in documents if one.name == "PLAN"), plan())
    return view_plan(grow(school(*documents)), shown, default)


def shown(*documents: Document, default: str = "authenticated") -> dict[str, Node]:
    return {node.name: node for node in view(*documents, default=default).walk()}


def access(name: str, *documents: Document, default: str = "authenticated") -> Access:
    return shown(*documents, default=default)[name].access


def levels(*documents: Document) -> dict[str, str]:
    return {name: node.access.level for name, node in shown(*documents).items()}


# The order of the rules. A node is made to meet some rules; the smallest number must decide.
# Rule 9 applies to every node below a subject and rule 10 to every subject: they always take part.

FIELDS_OF_RULE: dict[int, dict[str, bool | str]] = {
    4: {"is_free_preview": True},
    5: {"is_sold_separately": True},
    7: {"required_item": "OWN"},
    8: {"is_public": True},
}
ACTION_OF_RULE = {
    1: ("Set Access Level", "authenticated"),
    2: ("Set Free", ""),
    3: ("Set Sold Separately", "BY-PLAN"),
}
LEVEL_OF_RULE = {
    1: "authenticated",
    2: "free_preview",
    3: "paid",
    4: "free_preview",
    5: "paid",
    6: "free_preview",
    7: "paid",
    8: "public",
    9: "public",
    10: "paid",
}


def decide(node: str, rules: set[int]) -> Access:
    """Return the access of a node that meets these rules; above it all is public, or free."""
    fields = {key: value for rule in rules for key, value in FIELDS_OF_RULE.get(rule, {}).items()}
    made = BUILDERS[node](**fields)
    rows = [override(made, *ACTION_OF_RULE[rule]) for rule in sorted(rules & {1, 2, 3})]
    if node == "T":
        level = "free_preview" if 6 in rules else "public"
        rows.append(override(subject(), "Set Access Level", level))
    return access(node, made, plan(overrides=rows), default="paid")


SUBJECT_RULES = (1, 2, 3, 4, 7, 8, 10)
TRACK_RULES = (1, 2, 3, 4, 5, 6, 7, 9)
PAIRS = [
    (node, low, high)
    for node, rules in (("S", SUBJECT_RULES), ("T", TRACK_RULES))
    for low, high in combinations(rules, 2)
    if not {low, high} <= {1, 2, 3}  # of rows that set access only the last exists: below
]


@pytest.mark.parametrize(("node", "low", "high"), PAIRS)
def test_of_two_rules_that_apply_the_first_decides(node: str, low: int, high: int) -> None:
    decided = decide(node, {low, high})
    assert (decided.rule, decided.level) == (low, LEVEL_OF_RULE[low])


@pytest.mark.parametrize("node", ["S", "T"])
@pytest.mark.parametrize(
    ("first", "last"), [(a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b]
)
def test_of_two_rows_that_set_access_the_last_decides(node: str, first: int, last: int) -> None:
    made = BUILDERS[node]()
    rows = [override(made, *ACTION_OF_RULE[rule]) for rule in (first, last)]
    decided = access(node, plan(overrides=rows))
    assert (decided.rule, decided.level) == (last, LEVEL_OF_RULE[last])
    assert decided.override is not None
    assert decided.override.position == 1


PAIRS_APART = [(5, 8), (5, 10), (6, 8), (6, 10), (8, 9), (9, 10)]
"""Pairs that never meet at one node: 5, 6 and 9 are of nodes with parents, 8 and 10 of subjects."""


def test_every_pair_of_rules_is_tested_or_cannot_meet() -> None:
    met = {(low, high) for _, low, high in PAIRS} | set(combinations((1, 2, 3), 2))
    assert met | set(PAIRS_APART) == set(combinations(range(1, 11), 2))
    assert met.isdisjoint(PAIRS_APART)


@pytest.mark.parametrize("name", ["T", "U", "O", "L"])
def test_is_public_below_a_subject_says_nothing_even_as_an_extra_field(name: str) -> None:
    decided = access(name, BUILDERS[name](is_public=True))
    assert (decided.level, decided.rule) == ("authenticated", 9)


@pytest.mark.parametrize("name", ["S", "U", "O", "L"])
def test_is_sold_separately_is_a_field_of_tracks_alone(name: str) -> None:
    decided = access(name, BUILDERS[name](is_sold_separately=True))
    assert (decided.level, decided.is_sold_separately) == ("authenticated", False)


@pytest.mark.parametrize("default", LEVELS)
def test_a_subject_without_any_rule_has_the_default_access_and_all_below_inherit_it(
    default: str,
) -> None:
    rules = {
        name: (node.access.level, node.access.rule) for name, node in shown(default=default).items()
    }
    below = 6 if default == "free_preview" else 9
    assert rules == {"S": (default, 10)} | dict.fromkeys(("T", "U", "O", "L"), (default, below))


# Every action at every level, as it shows at every level.


@pytest.mark.parametrize("target", NODES, ids=lambda node: node.name)
@pytest.mark.parametrize("level", LEVELS)
def test_set_access_level_counts_for_the_node_and_what_inherits(
    target: Document, level: str
) -> None:
    at = "STUOL".index(target.name)
    row = override(target, "Set Access Level", level)
    expected = dict.fromkeys("STUOL"[:at], "authenticated") | dict.fromkeys("STUOL"[at:], level)
    assert levels(plan(overrides=[row])) == expected


@pytest.mark.parametrize("target", NODES, ids=lambda node: node.name)
def test_set_free_pierces_all_the_way_down_past_items(target: Document) -> None:
    at = "STUOL".index(target.name)
    items = [BUILDERS[name](required_item=f"ITEM-{name}") for name in "STUOL"]
    paid, free = dict.fromkeys("STUOL"[:at], "paid"), dict.fromkeys("STUOL"[at:], "free_preview")
    assert levels(*items, plan(overrides=[override(target, "Set Free")])) == paid | free


@pytest.mark.parametrize("target", NODES, ids=lambda node: node.name)
def test_set_sold_separately_makes_the_node_and_all_below_paid_with_its_item(
    target: Document,
) -> None:
    at = "STUOL".index(target.name)
    nodes = shown(plan(overrides=[override(target, "Set Sold Separately", "BOOK")]))
    found = {
        name: (node.access.level, node.access.required_item, node.access.is_sold_separately)
        for name, node in nodes.items()
    }
    above = dict.fromkeys("STUOL"[:at], ("authenticated", "", False))
    assert found == above | dict.fromkeys("STUOL"[at:], ("paid", "BOOK", True))


@pytest.mark.parametrize("target", NODES, ids=lambda node: node.name)
def test_hide_takes_the_node_and_all_below_out_and_leaves_the_subject(target: Document) -> None:
    hidden = view(plan(overrides=[override(target, "Hide")]))
    assert [node.name for node in hidden.walk()] == ([] if target.name == "S" else ["S"])
    assert {name for _, name in hidden.reached} == set("STUOL"[: "STUOL".index(target.name)])


@pytest.mark.parametrize("target", NODES, ids=lambda node: node.name)
def test_rename_sets_the_title_of_the_node_alone(target: Document) -> None:
    nodes = shown(plan(overrides=[override(target, "Rename", "علوم")]))
    own = {name: f"The {name}" for name in "STUOL"}
    assert {name: node.title for name, node in nodes.items()} == own | {target.name: "علوم"}


@pytest.mark.parametrize("value", ["1", "true", "yes", " TRUE ", "Yes\t"])
@pytest.mark.parametrize("target", NODES[:4], ids=lambda node: node.name)
def test_set_linear_to_yes_sets_the_node_alone(target: Document, value: str) -> None:
    own = [BUILDERS[name](is_linear=False) for name in "STUO"]
    nodes = shown(*own, plan(overrides=[override(target, "Set Linear", value)]))
    assert {name for name, node in nodes.items() if node.is_linear} == {target.name}


@pytest.mark.parametrize("value", ["0", "false", "no", " FALSE", "nO "])
@pytest.mark.parametrize("target", NODES[:4], ids=lambda node: node.name)
def test_set_linear_to_no_sets_the_node_alone(target: Document, value: str) -> None:
    nodes = shown(plan(overrides=[override(target, "Set Linear", value)]))
    assert {name for name in "STUO" if not nodes[name].is_linear} == {target.name}


def test_set_linear_does_nothing_to_a_lesson() -> None:
    nodes = shown(plan(overrides=[override(lesson(), "Set Linear", "1")]))
    assert nodes["L"].is_linear is False


# Several rows, and rows that do not match.


def test_hide_wins_over_all_rows_before_and_after_it() -> None:
    rows = [
        override(topic(), *row)
        for row in (("Set Free",), ("Hide",), ("Set Access Level", "public"))
    ]
    assert list(shown(plan(overrides=rows))) == ["S"]


def test_of_several_renames_and_several_set_linear_the_last_counts() -> None:
    rows = [
        override(unit(), "Rename", "First"),
        override(unit(), "Set Linear", "1"),
        override(unit(), "Rename", "Last"),
        override(unit(), "Set Linear", "0"),
    ]
    node = shown(plan(overrides=rows))["U"]
    assert (node.title, node.is_linear, node.access.rule) == ("Last", False, 9)


def test_a_row_matches_by_doctype_and_name_together() -> None:
    same_name = [subject("S"), track("S"), unit("S", "S"), topic("S", "S"), lesson("S", "S")]
    school_of_s = grow((plan(), *same_name))
    row = override(unit("S"), "Set Free")
    nodes = list(view_plan(school_of_s, plan(overrides=[row]), "paid").walk())
    assert [(node.document.doctype, node.access.level) for node in nodes] == [
        (SUBJECT, "paid"),
        (TRACK, "paid"),
        (UNIT, "free_preview"),
        ("Memora Topic", "free_preview"),
        ("Memora Lesson", "free_preview"),
    ]


BAD_ROWS: list[tuple[Row, str]] = [
    (override(unit(), "Give Away"), "unknown override action 'Give Away'"),
    (override(unit(), ""), "unknown override action ''"),
    (override(unit(), "set free"), "unknown override action 'set free'"),
    (override(plan(), "Hide"), "an override cannot target 'Memora Academic Plan'"),
    ({"action": "Hide", "target_name": "U"}, "an override cannot target 'nothing'"),
    (
        override(unit(), "Set Access Level", "gold"),
        "'gold' is no access level; one of public, authenticated, free_preview, paid",
    ),
    (
        override(unit(), "Set Access Level"),
        "'' is no access level; one of public, authenticated, free_preview, paid",
    ),
    (override(unit(), "Set Linear", "2"), "'2' is neither yes nor no (1/0, true/false, yes/no)"),
    (override(unit(), "Set Linear"), "'' is neither yes nor no (1/0, true/false, yes/no)"),
    (override(unit(), "Rename"), "Rename needs the new title in override_value"),
    (override(unit(), "Rename", " \t"), "Rename needs the new title in override_value"),
]


@pytest.mark.parametrize(("row", "message"), BAD_ROWS)
def test_a_row_that_cannot_be_understood_is_a_fault_and_has_no_effect(
    row: Row, message: str
) -> None:
    seen = view(plan(overrides=[override(unit(), "Rename", "Kept"), row]))
    assert [(fault.code, fault.position, fault.message) for fault in seen.overrides.faults] == [
        ("E108", 1, message)
    ]
    assert seen.overrides.targets == {unit().ref: Target(rename=Override(0, Action.RENAME, "Kept"))}


def test_a_row_overtaken_by_a_later_one_is_a_warning_at_the_earlier() -> None:
    rows = [override(unit(), "Set Free"), override(unit(), "Set Access Level", "paid")]
    (fault,) = view(plan(overrides=rows)).overrides.faults
    assert (fault.code, fault.position) == ("W202", 0)
    assert fault.message == "'Set Free' has no effect: row 2 sets the same for U"


def test_a_plan_without_rows_has_no_overrides() -> None:
    assert view().overrides == Overrides()


# required_item


def item(name: str, *documents: Document) -> str:
    return access(name, *documents).required_item


def test_the_item_of_rule_3_is_the_rows_value_then_the_nodes_own_then_the_ancestors() -> None:
    own, above = topic(required_item="OWN"), unit(required_item="ABOVE")
    sold_as, sold = (override(topic(), "Set Sold Separately", value) for value in ("ROW", ""))
    assert item("O", own, above, plan(overrides=[sold_as])) == "ROW"
    assert item("O", own, above, plan(overrides=[sold])) == "OWN"
    assert item("O", above, plan(overrides=[sold])) == "ABOVE"
    assert item("O", plan(overrides=[sold])) == ""


@pytest.mark.parametrize(
    "paid_by",
    [
        plan(overrides=[override(topic(), "Set Access Level", "paid")]),
        plan(overrides=[override(topic(), "Set Sold Separately")]),
        plan(),
    ],
    ids=["rule 1", "rule 3", "rule 7 or 9"],
)
def test_the_item_of_a_paid_node_is_its_own_before_the_ancestors(paid_by: Document) -> None:
    assert item("O", paid_by, topic(required_item="OWN"), unit(required_item="ABOVE")) == "OWN"
    assert item("O", paid_by, unit(required_item="ABOVE")) == "ABOVE"


def test_the_value_of_set_access_level_is_never_an_item() -> None:
    assert item("O", plan(overrides=[override(topic(), "Set Access Level", "paid")])) == ""


def test_the_nearest_paid_ancestor_gives_the_item_past_those_that_are_not_paid() -> None:
    rows = [
        override(track(), "Set Access Level", "public"),
        override(topic(), "Set Access Level", "paid"),
    ]
    made = (subject(required_item="SUBJECT"), track(required_item="NOT PAID"))
    assert item("O", *made, plan(overrides=rows)) == "SUBJECT"
    assert item("L", *made, plan(overrides=rows)) == "SUBJECT"


def test_a_paid_ancestor_without_an_item_hands_on_the_one_above_it() -> None:
    made = (subject(required_item="SUBJECT"), track(is_sold_separately=True))
    assert {name: item(name, *made) for name in "STUOL"} == dict.fromkeys("STUOL", "SUBJECT")


@pytest.mark.parametrize("level", ["public", "authenticated", "free_preview"])
def test_no_item_is_written_where_the_level_is_not_paid(level: str) -> None:
    rows = [override(topic(), "Set Access Level", level)]
    made = (unit(required_item="ABOVE"), topic(required_item="OWN"), plan(overrides=rows))
    assert (item("U", *made), item("O", *made)) == ("ABOVE", "")


# is_sold_separately and parent_item_required


def sold(*documents: Document) -> str:
    return "".join(
        name for name, node in shown(*documents).items() if node.access.is_sold_separately
    )


def required(*documents: Document) -> str:
    return "".join(
        name for name, node in shown(*documents).items() if node.access.parent_item_required
    )


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [override(track(), "Set Free")],
        [override(track(), "Set Access Level", "public")],
        [override(lesson(), "Set Free")],
    ],
)
def test_a_track_with_the_field_and_all_below_are_sold_separately_whatever_their_level(
    rows: list[Row],
) -> None:
    assert sold(track(is_sold_separately=True), plan(overrides=rows)) == "TUOL"


@pytest.mark.parametrize("target", NODES, ids=lambda node: node.name)
def test_rule_3_sells_the_node_and_all_below_separately(target: Document) -> None:
    row = override(target, "Set Sold Separately")
    assert sold(plan(overrides=[row])) == "STUOL"["STUOL".index(target.name) :]


def test_rule_3_that_a_later_row_overtakes_sells_nothing() -> None:
    rows = [
        override(unit(), "Set Sold Separately", "X"),
        override(unit(), "Set Access Level", "paid"),
    ]
    assert (sold(plan(overrides=rows)), item("U", plan(overrides=rows))) == ("", "")


@pytest.mark.parametrize(
    ("target", "expected"), [("S", "TUOL"), ("T", ""), ("U", "T"), ("O", "TU"), ("L", "TUO")]
)
def test_parent_item_required_is_the_tracks_field_down_to_where_rule_3_sells(
    target: str, expected: str
) -> None:
    made = track(parent_item_required=True)
    assert required(made) == "TUOL"
    row = override(BUILDERS[target](), "Set Sold Separately")
    assert required(made, plan(overrides=[row])) == expected


def test_parent_item_required_is_false_without_the_tracks_field() -> None:
    assert required(subject(parent_item_required=True), unit(parent_item_required=True)) == ""


@pytest.mark.parametrize("action", [("Set Free",), ("Set Access Level", "paid")])
def test_other_rows_leave_parent_item_required_alone(action: tuple[str, ...]) -> None:
    row = override(unit(), *action)
    assert required(track(parent_item_required=True), plan(overrides=[row])) == "TUOL"


def test_a_sold_separately_track_below_a_sold_subject_keeps_its_field() -> None:
    made = track(is_sold_separately=True, parent_item_required=True)
    assert required(made, plan(overrides=[override(subject(), "Set Sold Separately")])) == "TUOL"


# Who decided


def test_access_names_the_rule_and_the_node_that_decided() -> None:
    made = (unit(required_item="BOOK"), lesson(is_free_preview=True))
    assert {name: (n.access.rule, n.access.decided_by) for name, n in shown(*made).items()} == {
        "S": (10, subject().ref),
        "T": (9, subject().ref),
        "U": (7, unit().ref),
        "O": (9, unit().ref),
        "L": (4, lesson().ref),
    }


def test_access_names_the_override_row_where_one_decided() -> None:
    row = override(topic(), "Set Sold Separately", "BOOK")
    nodes = shown(plan(overrides=[row]))
    assert nodes["O"].access == Access(
        level="paid",
        required_item="BOOK",
        is_sold_separately=True,
        parent_item_required=False,
        rule=3,
        decided_by=topic().ref,
        override=Override(0, Action.SELL, "BOOK"),
        nearest_item="BOOK",
    )
    assert (nodes["L"].access.rule, nodes["L"].access.override) == (9, None)


# Visible

PRUNED = [(name, "S") for name in "TUOL"] + [("S", "")]


@pytest.mark.parametrize(("name", "left"), PRUNED)
def test_an_unpublished_node_and_what_it_leaves_empty_are_not_shown(name: str, left: str) -> None:
    assert "".join(shown(BUILDERS[name](is_published=False))) == left


def test_an_empty_topic_unit_and_track_are_dropped_and_their_siblings_stay() -> None:
    empty = (track("T2"), unit("U2"), topic("O2"), unit("U3", "T2"), topic("O3", "U2"))
    assert "".join(shown(*empty)) == "STUOL"


def test_what_was_dropped_for_being_empty_is_still_reached() -> None:
    names: set[Ref] = {topic("O2").ref, unit("U2").ref}
    assert names <= view(topic("O2", "U2"), unit("U2")).reached


def test_a_subject_without_anything_left_stays() -> None:
    assert list(shown(subject("EMPTY"), plan(subjects=["EMPTY", "S"])))[:2] == ["EMPTY", "S"]


def test_only_listed_subjects_are_shown_in_the_order_of_the_plan() -> None:
    documents = (subject("A", sort_order=1), subject("B", sort_order=2), subject("C"))
    seen = view(*documents, plan(subjects=["B", "GONE", "A", "B"]))
    assert [node.name for node in seen.subjects] == ["B", "A"]


def test_subjects_are_ordered_by_the_rows_sort_order_and_else_as_they_stand() -> None:
    orders = {"A": 2, "B": 1, "C": 2, "D": -1}
    rows: tuple[Row, ...] = tuple(
        {"subject": name, "sort_order": order} for name, order in orders.items()
    )
    made = Document("Memora Academic Plan", "PLAN", {}, {"subjects": rows})
    assert listed_subjects(made) == ["D", "B", "A", "C"]


def test_siblings_are_ordered_by_sort_order_then_by_code_point() -> None:
    lessons = [
        lesson(name, sort_order=order) for name, order in (("b", 1), ("B", 1), ("é", 1), ("z", 0))
    ]
    seen = shown(lesson(sort_order=-5), *lessons)
    assert list(seen)[4:] == ["L", "z", "B", "b", "é"]


def test_an_orphan_is_in_no_plan() -> None:
    assert "".join(shown(unit("U2", "GONE"), topic("O2", "U2"), lesson("L2", "O2"))) == "STUOL"


def test_a_node_lists_its_lessons_and_itself_in_order() -> None:
    more = (topic("O2", sort_order=1), lesson("L2", "O2"), lesson("L3", sort_order=3))
    (top,) = view(*more).subjects
    assert [node.name for node in top.walk()] == ["S", "T", "U", "O", "L", "L3", "O2", "L2"]
    assert [node.name for node in top.lessons()] == ["L", "L3", "L2"]


# Several plans of one snapshot share what is alike in them, and give what each gives alone.


ROWS = [[], *([override(target, "Rename", "Named so")] for target in NODES)]
ROWS += [[override(topic(), "Set Free"), override(track(), "Hide")], [override(unit("X"), "Hide")]]


@pytest.mark.parametrize("second", ROWS, ids=str)
@pytest.mark.parametrize("first", ROWS, ids=str)
def test_a_view_is_the_same_whichever_plan_was_looked_at_before(
    first: list[Row], second: list[Row]
) -> None:
    snapshot = grow(school(topic("EMPTY"), lesson("DRAFT", is_published=False)))
    viewer = Viewer(snapshot, "authenticated")
    plans = [plan("P1", overrides=first), plan("P2", overrides=second)]
    views = [viewer.view(one) for one in plans]
    assert views == [view_plan(snapshot, one, "authenticated") for one in plans]


def test_what_no_row_touches_is_one_node_in_all_plans() -> None:
    snapshot = grow(school(topic("O2"), lesson("L2", "O2")))
    viewer = Viewer(snapshot, "authenticated")
    renamed = plan("P2", overrides=[override(topic("O2"), "Rename", "Named so")])
    plain, named = ({n.name: n for n in viewer.view(one).walk()} for one in (plan("P1"), renamed))
    assert plain["O"] is named["O"]
    assert plain["O2"] is not named["O2"]


def test_a_closed_subject_stands_alone_with_its_title_and_access() -> None:
    snapshot = grow(school(subject("S2"), track("T2", "S2"), unit("U2", "T2")))
    rows = [override(subject(), "Rename", "Named so"), override(subject(), "Set Free")]
    both = plan(subjects=["S", "S2"], overrides=rows)
    whole, closed = (view_plan(snapshot, both, "paid", names) for names in ((), {"S"}))
    assert [node.name for node in closed.walk()] == ["S", "S2"]
    assert replace(whole.subjects[0], children=()) == closed.subjects[0]
    assert whole.subjects[1] == closed.subjects[1]
    assert (whole.lessons, closed.lessons) == (1, 0)


@pytest.mark.parametrize("names", [(), {"S"}], ids=["open", "closed"])
def test_a_subject_that_is_hidden_is_not_shown_closed_either(names: set[str]) -> None:
    hidden = plan(overrides=[override(subject(), "Hide")])
    assert view_plan(grow(school()), hidden, "paid", names).subjects == ()
