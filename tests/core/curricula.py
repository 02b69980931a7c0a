"""Random curricula with random override rows, for properties of what a plan shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from exporter.core.model import Document, Row, Value
from tests.core.school import lesson, override, plan, subject, topic, track, unit

__all__ = ["LEVELS", "curricula", "plans"]

LEVELS = ("public", "authenticated", "free_preview", "paid")

NAMES = ("a", "A", "b", "درس")
"""Few, so that documents of different kinds share names."""

mostly = st.integers(0, 15).map(lambda drawn: drawn != 15)
rarely = st.sampled_from((False, False, False, True))
items = st.sampled_from(("", "", "", "ITEM-1", "ITEM-2"))
orders = st.integers(-1, 1)

ACCESS_ACTIONS = ("Set Free", "Set Sold Separately", "Set Access Level")

BELOW: Sequence[tuple[Callable[..., Document], int, int]] = (
    (track, 1, 2),
    (unit, 1, 3),
    (topic, 2, 3),
    (lesson, 3, 6),
)
"""The levels below the subjects, with the least and the greatest number of nodes."""


@st.composite
def curricula(draw: st.DrawFn) -> tuple[Document, ...]:
    """Draw subjects with all that is below them; some nodes are orphans."""
    above = [subject(name, **draw(_fields(subject))) for name in draw(_names(1, 2))]
    documents = list(above)
    for build, least, most in BELOW:
        parents = st.sampled_from([*3 * [node.name for node in above], NAMES[0]])
        fields = _fields(build)
        names = draw(_names(least, most))
        above = [build(name, draw(parents), **draw(fields)) for name in names]
        documents += above
    return tuple(documents)


@st.composite
def plans(draw: st.DrawFn, documents: Sequence[Document]) -> Document:
    """Draw a published plan of some of the subjects, with rows that can be understood."""
    subjects = draw(st.lists(st.sampled_from(NAMES[:3]), min_size=2, max_size=3, unique=True))
    rows = draw(st.lists(_rows(documents), max_size=6))
    return plan(subjects=subjects, overrides=rows)


def _names(least: int, most: int) -> st.SearchStrategy[list[str]]:
    wide = [*NAMES, *(f"{name}2" for name in NAMES)]
    some = st.sampled_from(wide[: most + 1])
    return st.lists(some, min_size=least, max_size=most, unique=True)


def _fields(build: Callable[..., Document]) -> st.SearchStrategy[dict[str, Value]]:
    of_all: dict[str, st.SearchStrategy[Value]] = {
        "is_published": mostly,
        "is_free_preview": rarely,
        "required_item": items,
        "sort_order": orders,
        "title": st.sampled_from(("", "Title", "عنوان")),
    }
    if build is not lesson:
        of_all["is_linear"] = st.booleans()
    if build is subject:
        of_all["is_public"] = rarely
    if build is track:
        of_all |= {"is_sold_separately": rarely, "parent_item_required": st.booleans()}
    return st.fixed_dictionaries(of_all)


def _rows(documents: Sequence[Document]) -> st.SearchStrategy[Row]:
    values = {
        "Hide": st.just(""),
        "Set Free": st.just(""),
        "Set Sold Separately": items,
        "Set Access Level": st.sampled_from(LEVELS),
        "Set Linear": st.sampled_from(("1", "no", " TRUE ")),
        "Rename": st.sampled_from(("Renamed", "جديد")),
    }
    actions = st.sampled_from([*values, *ACCESS_ACTIONS, *ACCESS_ACTIONS])
    return st.tuples(st.sampled_from(documents), actions).flatmap(
        lambda drawn: values[drawn[1]].map(lambda value: override(*drawn, value))
    )
