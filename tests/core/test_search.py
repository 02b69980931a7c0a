"""The search index and its shards: complete, in order, small enough, cut where they must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import orjson
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from exporter.core.access import PlanView, view_plan
from exporter.core.artifacts import Body
from exporter.core.model import Document, Json
from exporter.core.search import Shard, entries_of, index_body, shard_body, shards_of
from exporter.core.tree import grow
from tests.core.school import lesson, override, plan, subject, topic, track, unit

LIMIT = 100_000

Titles = Sequence[Sequence[str]]
"""The titles of the lessons of each topic."""

PATTERNS = ("x", "ع", '"', "\n", "\x01", "\x7f", "🎓", "\\", "é")
"""Characters of one to four bytes, and such that JSON writes with two or six."""

TITLES = st.builds(
    lambda pattern, size: pattern * (size // (len(orjson.dumps(pattern)) - 2)),
    st.sampled_from(PATTERNS),
    st.one_of(st.integers(6, 45_000), st.integers(20_000, 45_000), st.integers(6, 60)),
)
"""Titles of up to 45,000 bytes as written, so that a few lessons fill a shard."""

TOPICS = st.lists(st.lists(TITLES, min_size=1, max_size=5), min_size=3, max_size=9)


def topics_of(name: str, topics: Titles) -> Iterator[Document]:
    """Yield a subject with these topics, spread over two units."""
    yield subject(name, title=f"Subject {name}")
    yield track(f"{name}-T", name)
    for number in range(2):
        yield unit(f"{name}-U{number}", f"{name}-T", sort_order=number, title=f"وحدة {number}")
    for position, titles in enumerate(topics):
        above = f"{name}-U{0 if position * 2 < len(topics) else 1}"
        own = f"{name}-O{position}"
        yield topic(own, above, sort_order=position)
        for number, title in enumerate(titles):
            yield lesson(f"{own}-L{number}", own, title=title, sort_order=number)


def view_of(**subjects: Titles) -> PlanView:
    listed = plan(subjects=list(subjects))
    documents = [one for name, topics in subjects.items() for one in topics_of(name, topics)]
    return view_plan(grow((listed, *documents)), listed, "authenticated")


def encoded(body: Body) -> bytes:
    """Return a file's bytes with the longest stamp: ten digits and twenty characters."""
    return orjson.dumps({**body, "version": 9_999_999_999, "generated_at": "2286-11-20T17:46:39Z"})


def is_too_large(view: PlanView, shard: Shard, entries: Sequence[Body]) -> bool:
    body = shard_body(view, Shard(shard.subject, shard.part, shard.parts, tuple(entries)))
    return len(encoded(body)) > LIMIT


def topic_ids(shard: Shard) -> list[Json]:
    return list(dict.fromkeys(entry["topic_id"] for entry in shard.entries))


MANY = [["x" * 9_000] * 5] * 30
"""More than nine parts."""


@settings(max_examples=300)
@given(TOPICS)
@example([["x" * 30_000] * 3, ["y" * 12_000]])
@example([["x" * 30_000] * 4, ["y"]])
@example([["y"], ["x" * 12_000] * 20, ["y"]])
@example(MANY)
@example([["ع" * 24_000] * 2, ["x" * 49_700] * 2])
def test_shards_are_complete_small_enough_and_cut_only_where_they_must_be(topics: Titles) -> None:
    view = view_of(S=topics)
    entries = [entry for topic in entries_of(view.subjects[0]) for entry in topic]
    whole = index_body(view, None)
    shards = shards_of(view)
    event(f"{len(shards) if shards else 0} shards")
    if shards is None:
        assert whole["entries"] == entries
        assert len(encoded(whole)) <= LIMIT
        return
    assert len(encoded(whole)) > LIMIT
    assert [entry for shard in shards for entry in shard.entries] == entries
    assert [(shard.part, shard.parts) for shard in shards] == [
        (number, len(shards)) for number in range(1, len(shards) + 1)
    ]
    assert all(len(encoded(shard_body(view, shard))) <= LIMIT for shard in shards)
    check_cuts(view, shards)


def check_cuts(view: PlanView, shards: Sequence[Shard]) -> None:
    """Look at every cut: between two topics only, unless one alone is too large; none needless."""
    topics = {str(entries[0]["topic_id"]): entries for entries in entries_of(view.subjects[0])}
    split = {name for name in topics if sum(name in topic_ids(shard) for shard in shards) > 1}
    for shard in shards:
        if split & set(map(str, topic_ids(shard))):
            assert len(topic_ids(shard)) == 1
    for name, entries in topics.items():
        assert (name in split) == is_too_large(view, shards[0], entries)
    for shard, following in pairwise(shards):
        last, first = str(topic_ids(shard)[-1]), str(topic_ids(following)[0])
        if last == first:
            more = following.entries[:1]
        elif {last, first} & split:
            continue
        else:
            more = tuple(topics[first])
        assert is_too_large(view, following, (*shard.entries, *more))


def test_five_hundred_lessons_are_one_file_and_one_more_are_shards() -> None:
    assert shards_of(view_of(S=[["a"] * 400, ["b"] * 100])) is None
    (shard,) = shards_of(view_of(S=[["a"] * 400, ["b"] * 101])) or ()
    assert (shard.part, shard.parts, len(shard.entries)) == (1, 1, 501)


@pytest.mark.parametrize("spare", [0, 1])
def test_an_index_of_exactly_the_limit_is_one_file(spare: int) -> None:
    small = len(encoded(index_body(view_of(S=[["?"]]), None)))
    view = view_of(S=[["x" * (LIMIT - small + 1 + spare)]])
    assert len(encoded(index_body(view, None))) == LIMIT + spare
    assert (shards_of(view) is None) == (spare == 0)


@pytest.mark.parametrize("spare", [0, 1])
def test_a_shard_is_filled_to_exactly_the_limit(spare: int) -> None:
    first = "x" * 60_000
    probe = view_of(S=[[first], ["?"]])
    entries = tuple(entry for topic in entries_of(probe.subjects[0]) for entry in topic)
    size = len(encoded(shard_body(probe, Shard(probe.subjects[0], 1, 1, entries))))
    view = view_of(S=[[first], ["x" * (LIMIT - size + 1 + spare)]], X=[["x" * 60_000]])
    shards = [shard for shard in shards_of(view) or () if shard.subject.name == "S"]
    assert [len(shard.entries) for shard in shards] == ([2] if spare == 0 else [1, 1])


def test_more_than_nine_parts_leave_room_for_their_longer_numbers() -> None:
    view = view_of(S=MANY)
    shards = shards_of(view) or ()
    assert [(shard.part, shard.parts, len(shard.entries)) for shard in shards] == [
        (number, 15, 10) for number in range(1, 16)
    ]


def test_every_subject_has_its_own_shards_and_an_empty_one_has_none() -> None:
    view = view_of(A=[["x" * 60_000]], EMPTY=[], B=[["x" * 60_000] * 2])
    assert [(one.subject.name, one.part, one.parts) for one in shards_of(view) or ()] == [
        ("A", 1, 1),
        ("B", 1, 2),
        ("B", 2, 2),
    ]


def test_an_entry_that_is_too_large_alone_is_not_lost() -> None:
    view = view_of(S=[["a", "x" * 120_000, "b"], ["c"]])
    assert [len(shard.entries) for shard in shards_of(view) or ()] == [1, 1, 1, 1]


def test_a_sharded_index_lists_its_shards_in_the_place_of_entries() -> None:
    body = index_body(view_of(S=[["a"]]), [{"subject_id": "S"}])
    assert list(body.items())[3:] == [
        ("total_lessons", 1),
        ("is_sharded", True),
        ("shards", [{"subject_id": "S"}]),
    ]


def test_an_empty_plan_has_an_index_without_entries() -> None:
    assert shards_of(view_of()) is None
    assert index_body(view_of(), None) == {
        "plan_id": "PLAN",
        "version": 0,
        "generated_at": "",
        "total_lessons": 0,
        "is_sharded": False,
        "entries": [],
    }


def test_entries_have_the_plans_names_in_the_hierarchys_order() -> None:
    listed = plan(
        subjects=["S"],
        overrides=[
            override(subject(), "Rename", "العلوم"),
            override(unit("S-U0"), "Rename", "One"),
            override(topic("S-O0"), "Rename", "Two"),
            override(lesson("S-O0-L0"), "Rename", "Three"),
        ],
    )
    view = view_plan(grow((listed, *topics_of("S", [["a"], ["b"]]))), listed, "public")
    assert list(index_body(view, None).items())[3:] == [
        ("total_lessons", 2),
        ("is_sharded", False),
        (
            "entries",
            [
                {
                    "lesson_id": "S-O0-L0",
                    "lesson_name": "Three",
                    "subject_id": "S",
                    "subject_name": "العلوم",
                    "unit_id": "S-U0",
                    "unit_name": "One",
                    "topic_id": "S-O0",
                    "topic_name": "Two",
                },
                {
                    "lesson_id": "S-O1-L0",
                    "lesson_name": "b",
                    "subject_id": "S",
                    "subject_name": "العلوم",
                    "unit_id": "S-U1",
                    "unit_name": "وحدة 1",
                    "topic_id": "S-O1",
                    "topic_name": "The S-O1",
                },
            ],
        ),
    ]


def test_a_shard_says_which_part_it_is() -> None:
    (top,) = view_of(S=[["a"]]).subjects
    (entries,) = entries_of(top)
    body = shard_body(view_of(S=[["a"]]), Shard(top, 2, 3, tuple(entries)))
    assert list(body.items()) == [
        ("plan_id", "PLAN"),
        ("subject_id", "S"),
        ("subject_name", "Subject S"),
        ("version", 0),
        ("generated_at", ""),
        ("part", 2),
        ("parts", 3),
        ("entries", entries),
    ]
