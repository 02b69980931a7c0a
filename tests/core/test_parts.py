from __future__ import annotations

from exporter.core.model import LESSON, TOPIC
from exporter.core.parts import differing_parts, part_of, summed


def test_the_part_of_a_name_is_settled_for_good() -> None:
    """MariaDB computes the same number; what is remembered is by it."""
    assert part_of((LESSON, "LESSON-1")) == (LESSON, 803)
    assert part_of((TOPIC, "درس")) == (TOPIC, 982)


def test_digests_are_added_up_by_part() -> None:
    one, other = (LESSON, "one"), (TOPIC, "one")
    assert summed([(one, 1), (other, 2), (one, 2**70)]) == {
        part_of(one): 2**70 + 1,
        part_of(other): 2,
    }
    for digests in ([1, None], [None, 1]):
        assert summed((one, digest) for digest in digests) == {part_of(one): None}


def test_a_part_differs_where_its_sum_is_another_or_not_known() -> None:
    same, other, gone, new, none, was_none, was_none_and_gone = (
        (LESSON, number) for number in range(7)
    )
    before = {same: 1, other: 1, gone: 1, none: 1, was_none: None, was_none_and_gone: None}
    after = {same: 1, other: 2, new: 1, none: None, was_none: 1}
    expected = {other, gone, new, none, was_none, was_none_and_gone}
    assert differing_parts(before, after) == expected
    assert differing_parts({}, {}) == set()
