"""What the benchmarks say of their figures: goals, ratios, growth; and the school they measure."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.sites import PLANS, SHARED_LESSON, many_plans
from benchmarks.table import Goal, Line, growth, heading, memory, shown, to_json
from benchmarks.timing import Cost
from exporter.core.model import LESSON, PLAN
from exporter.demo.school import school_rows


@pytest.mark.parametrize(
    ("goal", "ours", "beside", "verdict"),
    [
        (Goal(2), 4.0, 2.0, "met"),
        (Goal(2), 4.1, 2.0, "MISSED"),
        (Goal(1.3, 0.5), 1.8, 1.0, "met"),
        (Goal(1.3, 0.5), 1.81, 1.0, "MISSED"),
        (Goal(plus=8), 8.0, None, "met"),
        (Goal(plus=8), 8.1, 100.0, "MISSED"),
        (Goal(plus=0), 1, None, "MISSED"),
        (Goal(4, at_least=True), 8.0, 2.0, "met"),
        (Goal(4, at_least=True), 7.9, 2.0, "MISSED"),
        (Goal(2), 4.0, None, "not measured"),
        (Goal(2), None, 2.0, "not measured"),
        (None, 4.0, 2.0, ""),
    ],
)
def test_a_goal_is_met_missed_or_not_measured(
    goal: Goal | None, ours: float | None, beside: float | None, verdict: str
) -> None:
    assert Line("it", ours, beside=beside, goal=goal).verdict == verdict


def test_a_line_says_what_was_measured_against_what() -> None:
    line = Line(
        "a build", 3.0, "s", 2.0, "hugo 1.2", Goal(1.3, 0.5), cost=Cost(9, 81.4), requests=1_234
    )
    words = " ".join(shown(line).split())
    assert words == "a build 3.00 s 2.00 s hugo 1.2 1.50 9.00 s 81 1,234 ≤ 1.3 × + 0.5 s met"
    assert len(shown(line)) > len(heading()) - len("goal")
    assert to_json(line) == {
        "scenario": "a build",
        "unit": "s",
        "against": "hugo 1.2",
        "requests": 1_234,
        "ours": 3.0,
        "beside": 2.0,
        "ratio": 1.5,
        "cpu_s": 9,
        "peak_mb": 81.4,
        "goal": "≤ 1.3 × + 0.5 s",
        "met": True,
    }


def test_a_missing_peer_is_said() -> None:
    line = Line("upload", 3.0, against="rclone is missing", goal=Goal(1))
    assert "rclone is missing" in shown(line)
    assert shown(line).endswith("not measured")
    assert to_json(line)["met"] is None


def test_a_larger_site_stands_beside_the_same_scenarios_of_the_smaller() -> None:
    small = [Line("build", 10.0), Line("edit", 1.0), Line("upload", 5.0)]
    large = [Line("build", 46.0), Line("edit", 1.4), Line("other", 5.0)]
    found = growth(small, large, {"build": Goal(4.5), "edit": Goal(1.5), "other": Goal(1)})
    told = [(line.scenario, line.ratio, line.verdict) for line in found]
    assert told == [("build", 4.6, "MISSED"), ("edit", 1.4, "met")]


def test_the_highest_peak_of_memory_of_ours_is_named() -> None:
    lines = [
        Line("a", 1, cost=Cost(1, 90)),
        Line("b", 1, cost=Cost(1, 401)),
        Line("a peer", 1, cost=Cost(1, 900), is_peers=True),
        Line("c", 1),
    ]
    [line] = memory(lines, Goal(plus=400))
    assert (line.scenario, line.ours, line.verdict) == ("most memory: b", 401, "MISSED")
    assert list(memory([Line("c", 1)], Goal(plus=400))) == []


@pytest.mark.parametrize(("lessons", "subjects"), [(500, 8), (10_000, 10), (200_000, 200)])
def test_a_school_of_many_plans_shares_its_subjects(lessons: int, subjects: int) -> None:
    curriculum = many_plans(lessons)
    codes = [subject.code for subject in curriculum.subjects]
    listed = Counter(code for plan in curriculum.plans for code in plan.subjects)
    assert len(set(codes)) == subjects
    assert set(listed) == set(codes)
    assert [code for code, plans in listed.items() if plans == PLANS] == ["COMP"]
    assert {len(set(plan.subjects)) for plan in curriculum.plans} == {7}


def test_each_of_its_lessons_has_four_stages() -> None:
    counts = Counter(doctype for doctype, _ in school_rows(500, many_plans(500)))
    names = {row["name"] for doctype, row in school_rows(500, many_plans(500)) if doctype == LESSON}
    assert (counts[PLAN], counts[LESSON], counts[f"{LESSON} Stage"]) == (PLANS, 500, 2_000)
    assert SHARED_LESSON in names
