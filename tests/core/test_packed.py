"""Packed rows are the rows themselves to whoever looks at them."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.model import Json
from exporter.core.packed import PackedRows, packed, row_count, unpacked
from tests.core.school import lesson, plan, stage

VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=3))
def test_packed_rows_are_equal_in_type_and_order_and_equal_to_look_at(
    config: list[dict[str, Json]],
) -> None:
    plain = lesson(stages=[{**stage(), "config": one} for one in config])
    small = packed(plain)
    assert small == plain
    assert plain == small
    assert repr(unpacked(small)) == repr(plain)
    assert [*small.rows.items()] == [*plain.rows.items()]
    assert (len(small.rows), small.rows.get("stages")) == (
        len(plain.rows),
        plain.rows.get("stages"),
    )
    assert pickle.loads(pickle.dumps(small)) == plain  # noqa: S301 - our own bytes
    assert "none such" not in small.rows
    for one in (plain, small):
        assert (row_count(one, "stages"), row_count(one, "none such")) == (len(config), 0)


def test_documents_without_rows_stay_as_they_are_and_deep_ones_too() -> None:
    assert packed(plan(subjects=[])) == plan(subjects=[])
    config: dict[str, Json] = {}
    for _ in range(3000):
        config = {"deeper": config}
    deep = lesson(stages=[{**stage(), "config": config}])
    assert packed(deep) is deep
    assert unpacked(deep) is deep
    assert isinstance(packed(lesson(stages=[stage()])).rows, PackedRows)
