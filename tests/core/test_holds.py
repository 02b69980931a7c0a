"""Spec 5, "Holds", over one document's touches: every sentence of the rule."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.holds import Mark, Touch, held_now, held_versions, is_settled, mark_of

S, R, P = Mark.SNAPSHOT, Mark.ROLLBACK, Mark.PLAIN


def touches(*steps: tuple[Mark, str | None], begin: str | None = None) -> list[Touch[str]]:
    """Return touches numbered from 0, each given by its mark and the version after it."""
    before = begin
    found = []
    for number, (mark, after) in enumerate(steps):
        found.append(Touch(str(number), mark, before, after))
        before = after
    return found


@pytest.mark.parametrize(
    ("steps", "held"),
    [
        ([(S, "a")], {}),
        ([(S, "a"), (S, "b"), (R, "a")], {"b": "2"}),
        ([(S, "a"), (S, "b"), (P, "a")], {"b": "2"}),
        ([(S, "a"), (S, "b"), (P, "c")], {}),
        ([(S, "a"), (R, None)], {"a": "1"}),
        ([(S, "a"), (P, None)], {"a": "1"}),
        ([(S, "a"), (S, None), (R, "a")], {None: "2"}),
        ([(S, "a"), (S, "b"), (R, "a"), (R, "b")], {}),
        ([(S, "a"), (S, "b"), (R, "a"), (P, "b")], {}),
        ([(S, "a"), (S, "b"), (S, "c"), (R, "b"), (R, "a")], {"c": "3", "b": "4"}),
        ([(S, "a"), (S, "b"), (R, "a"), (S, "c")], {}),
        ([(S, "a"), (S, "b"), (R, "a"), (S, "c"), (S, "b")], {}),
        ([(S, "a"), (S, "b"), (R, "a"), (P, "mine")], {"b": "2"}),
        ([(S, "a"), (S, "b"), (R, "a"), (R, "b"), (R, "a")], {"b": "4"}),
    ],
)
def test_the_rule(steps: list[tuple[Mark, str | None]], held: dict[str | None, str]) -> None:
    assert held_versions(touches(*steps)) == held


@pytest.mark.parametrize(
    ("steps", "watched", "now"),
    [
        ([(S, "a"), (S, "b"), (R, "a")], True, ("b", "2")),
        ([(S, "a"), (P, "mine"), (R, "a")], True, None),
        ([(P, "mine"), (R, None)], True, None),
        ([(P, "mine"), (R, None)], False, ("mine", "1")),
        ([(P, "a"), (P, None)], True, None),
        ([(S, "a"), (S, "b"), (R, "a"), (P, "mine"), (R, "a")], True, ("b", "2")),
        ([(S, "a"), (S, "b"), (S, "c"), (R, "b"), (R, "a")], True, ("c", "3")),
        ([(S, "a"), (S, "b"), (S, "c"), (R, "b"), (R, "a"), (R, "c")], True, ("b", "4")),
        ([(S, "a"), (S, None), (R, "a")], True, (None, "2")),
        ([(S, "a"), (S, "b")], True, None),
    ],
)
def test_the_held_version_that_the_database_has(
    steps: list[tuple[Mark, str | None]], watched: bool, now: tuple[str | None, str] | None
) -> None:
    assert held_now(touches(*steps), watched=watched) == now


@pytest.mark.parametrize(
    ("message", "mark"),
    [
        ("content: 1 lesson changed\n\nExporter-Snapshot: full\n", S),
        ("Snapshots (#3)\n\n* content: 1 lesson changed\n\nExporter-Snapshot: full\n\n* more", S),
        (
            'content: x\n\nchanged lesson "This reverts commit abcdef1"\n\nExporter-Snapshot: full',
            S,
        ),
        ('Revert "content: x"\n\nThis reverts commit 3f2a1bc9.', R),
        ("Back\n\nThis reverts commits 3f2a1bc9 and 3f2a1bc8.", R),
        ('Revert "content: x" (#8)\n\nReverts school/content.site#7', R),
        ("rollback: x\n\nExporter-Rollback: 20261121T082041Z-3f2a1bc9\n", R),
        ("Merge pull request #8 from school/revert-7-content", P),
        ("Say that Exporter-Snapshot: is a trailer", P),
        ("", P),
    ],
)
def test_what_a_message_says(message: str, mark: Mark) -> None:
    assert mark_of(message) is mark


histories = st.lists(
    st.tuples(st.sampled_from(Mark), st.sampled_from(["a", "b", "c", None])), max_size=8
).map(lambda steps: [t for t in touches(*steps) if t.before != t.after])


@given(histories, histories)
def test_older_touches_change_nothing_once_it_is_settled(
    older: list[Touch[str]], newer: list[Touch[str]]
) -> None:
    if is_settled(newer):
        assert held_versions([*older, *newer]) == held_versions(newer)


@given(histories)
def test_the_last_version_is_never_held_by_a_history_that_fits_together(
    history: list[Touch[str]],
) -> None:
    fits = all(one.after == two.before for one, two in pairwise(history))
    if history and fits and history[-1].mark is not P:
        assert history[-1].after not in held_versions(history)
