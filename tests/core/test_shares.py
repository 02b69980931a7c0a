"""Plans shared out to machines: all of them, once, so that none has much more to do."""

from __future__ import annotations

from exporter.core.shares import share_out
from tests.core.school import plan


def paths(**lessons: int) -> list[str]:
    """Return the files of subjects with so many lessons."""
    return [
        f"subjects/{name}/T/U/O/L{number}.yaml"
        for name, count in lessons.items()
        for number in range(count)
    ]


def test_every_plan_is_in_one_share_and_no_share_is_empty_before_all_have_one() -> None:
    plans = [plan(f"P{number}", ["A"]) for number in range(7)]
    names = {one.name for one in plans}
    for count in range(1, 10):
        shares = share_out(names, plans, paths(A=40), count)
        assert len(shares) == count
        assert sorted(name for share in shares for name in share) == sorted(names)
        sizes = sorted(map(len, shares))
        assert sizes[-1] - sizes[0] <= 1


def test_a_large_plan_has_a_machine_for_itself() -> None:
    plans = [plan("LARGE", ["A"]), *(plan(f"P{number}", ["B"]) for number in range(4))]
    shares = share_out([one.name for one in plans], plans, paths(A=500, B=30), 2)
    assert shares == [{"LARGE"}, {"P0", "P1", "P2", "P3"}]


def test_plans_of_the_same_subjects_are_made_together() -> None:
    plans = [plan(f"{subject}{number}", [subject]) for number in "12" for subject in "ABC"]
    shares = share_out([one.name for one in plans], plans, paths(A=100, B=100, C=100), 3)
    assert shares == [{"A1", "A2"}, {"B1", "B2"}, {"C1", "C2"}]


def test_a_plan_that_is_gone_is_shared_out_too() -> None:
    assert share_out({"GONE", "P"}, [plan("P", ["A"])], paths(A=1), 2) == [{"P"}, {"GONE"}]


def test_the_order_in_which_plans_are_known_changes_nothing() -> None:
    plans = [plan(f"P{number}", ["A", "B"][: 1 + number % 2]) for number in range(9)]
    names = [one.name for one in plans]
    found = share_out(names, plans, paths(A=10, B=20), 4)
    assert share_out(names[::-1], plans[::-1], paths(B=20, A=10), 4) == found
