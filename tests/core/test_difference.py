"""The difference between two sides of a publish: no way through it that is quicker says another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import steps
from exporter.core.artifacts import Entry, Index
from exporter.core.steps import Delta, Sides, difference

SHARED = tuple(f"lessons/{name}.json" for name in "abcd")
links = st.lists(st.sampled_from(SHARED), max_size=3, unique=True).map(tuple)
entries = st.builds(Entry, st.sampled_from("01"), st.just(1), st.just(1), links)
shared_files = st.dictionaries(st.sampled_from(SHARED), entries)


def files(plan: str) -> st.SearchStrategy[Index]:
    return st.dictionaries(st.sampled_from([f"plans/{plan}/{name}.json" for name in "xy"]), entries)


@st.composite
def sides(draw: st.DrawFn) -> Sides:
    """Return two sides of which the new one is, in every other example, nearly the old one."""
    old_plans = {plan: draw(files(plan)) for plan in "PQ"}
    old_shared = draw(shared_files)
    if draw(st.booleans()):
        return Sides(old_plans, {p: draw(files(p)) for p in "PQ"}, old_shared, draw(shared_files))
    new_plans = {
        plan: {key: replace(entry, digest=draw(st.sampled_from("01"))) for key, entry in of.items()}
        for plan, of in old_plans.items()
    }
    more = draw(st.dictionaries(st.just("plans/P/z.json"), entries))
    return Sides(old_plans, {**new_plans, "P": {**new_plans["P"], **more}}, old_shared, old_shared)


@given(both=sides(), others=st.lists(files("R"), max_size=1))
def test_what_is_lost_is_the_same_where_every_link_is_followed(
    both: Sides, others: list[Index]
) -> None:
    def found() -> Delta:
        return difference([], both, lambda: others, {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "_all_lead_on", lambda _: False)
        followed = found()
    assert found() == followed


def test_a_file_that_no_plan_leads_to_any_more_is_lost() -> None:
    lesson = Entry("0", 1, 1, ())
    topic, without = Entry("0", 1, 1, ("lessons/a.json",)), Entry("1", 1, 2, ())
    shared = {"lessons/a.json": lesson}
    for old, new in (({"t": topic}, {"t": without}), ({"t": topic}, {})):
        lost = difference([], Sides({"P": old}, {"P": new}, shared, {}), tuple, {})
        assert "lessons/a.json" in lost.delete
        assert not lost.lessons
    kept = difference([], Sides({"P": {"t": topic}}, {"P": {"t": topic}}, shared, {}), tuple, {})
    assert (kept.delete, kept.lessons) == ({}, shared)
