"""What stands of a plan where a subject did not change: all of it, or it is built again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from exporter.core import search
from exporter.core.access import view_plan
from exporter.core.artifacts import Entry
from exporter.core.keys import plan_keys
from exporter.core.model import PLAN, Document
from exporter.core.standing import Standing, fits, standing_subjects
from exporter.core.tree import grow
from tests.build.contents import content_of, files_of, make
from tests.core.school import lesson, plan, school, subject, topic, track, unit

OTHER = (
    *(subject("S2"), track("T2", "S2"), unit("U2", "T2"), topic("O2", "U2")),
    *(lesson(f"L{number}", "O2", number) for number in range(3)),
)
DOCUMENTS = (*school(), *OTHER, plan("P", ["S", "S2"]))


@pytest.fixture(autouse=True)
def every_plan_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_ENTRIES", 0)


def live_index() -> dict[str, Entry]:
    return dict(make(content_of(files_of(*DOCUMENTS))).built.plans["P"])


def test_the_files_of_a_subject_are_told_from_the_live_index() -> None:
    live = live_index()
    found = standing_subjects("P", {"S2", "GONE"}, live)
    keys = ("S2_h", "S2_b", "O2", "search/S2")
    files = {key: live[key] for key in (f"plans/P/{name}.json" for name in keys)}
    assert found == {"S2": Standing(files, {"plans/P/search/S2.json": 3}), "GONE": Standing()}
    assert found["S2"].lessons == 3


Live = dict[str, Entry]


def without(key: str) -> Callable[[Live], Live]:
    return lambda live: {name: entry for name, entry in live.items() if name != key}


def counting(lessons: int) -> Callable[[Live], Live]:
    return lambda live: {key: replace(entry, lessons=lessons) for key, entry in live.items()}


CHANGES: dict[str, Callable[[Live], Live]] = {
    "nothing is live": lambda _live: {},
    "no bitmap": without("plans/P/S2_b.json"),
    "no hierarchy": without("plans/P/S2_h.json"),
    "no topic": without("plans/P/O2.json"),
    "no shard": without("plans/P/search/S2.json"),
    "no search": without("plans/P/search_index.json"),
    "search in one file": lambda live: {**live, "plans/P/search_index.json": Entry("d", 1, 1)},
    "an index of before shards were counted": counting(0),
    "counts that differ": counting(9),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_subject_is_built_where_the_index_does_not_tell_all(
    change: Callable[[Live], Live],
) -> None:
    assert standing_subjects("P", {"S2"}, change(live_index())) == {}


def fit(*documents: Document) -> bool:
    """Tell whether the live S2 fits a plan of these documents."""
    snapshot = grow((*school(*documents), plan("P", ["S", "S2"])))
    standing = standing_subjects("P", {"S2"}, live_index())
    view = view_plan(snapshot, snapshot.documents[PLAN, "P"], "paid", standing)
    return fits(view, plan_keys(snapshot, view), standing)


def test_what_is_built_goes_with_what_stands_unless_names_may_clash() -> None:
    assert fit(*OTHER)
    assert fit(*OTHER, topic("O3"), lesson("L9", "O3"))
    assert not fit(*OTHER, topic("o2"), lesson("L9", "o2"))
    assert not fit(*OTHER, topic("S2_h"), lesson("L9", "S2_h"))
    assert not fit(*OTHER, topic("X~0123456789abcdef"), lesson("L9", "X~0123456789abcdef"))


def test_a_subject_that_is_shown_no_more_does_not_stand() -> None:
    assert not fit(*OTHER, subject("S2", is_published=False))


def test_a_plan_of_which_the_search_may_fit_one_file_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = live_index()
    snapshot = grow(DOCUMENTS)
    standing = standing_subjects("P", {"S2"}, live)
    view = view_plan(snapshot, snapshot.documents[PLAN, "P"], "paid", standing)
    assert view.lessons + standing["S2"].lessons == 4
    for limit, whole in ((3, True), (4, False)):
        monkeypatch.setattr(search, "MAX_ENTRIES", limit)
        assert fits(view, plan_keys(snapshot, view), standing) is whole
