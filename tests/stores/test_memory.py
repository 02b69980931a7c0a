"""The double itself: its log and its faults, on which the crash tests stand."""

from __future__ import annotations

from collections import Counter

import pytest

from exporter.errors import StoreError
from exporter.stores.base import Attributes, ObjectInfo
from tests.stores.memory import Faults, MemoryStore

PLAIN = Attributes()


class Killed(BaseException):
    """The process is gone."""


def test_calls_are_logged_in_order_and_looking_at_bodies_is_no_call() -> None:
    store = MemoryStore()
    store.put("b", b"1", PLAIN)
    store.put("a", b"2", PLAIN)
    store.get("a")
    store.head("x")
    list(store.list("a"))
    store.delete(["a", "x"])

    assert store.bodies == {"b": b"1"}
    assert store.calls == [
        ("put", "b"),
        ("put", "a"),
        ("get", "a"),
        ("head", "x"),
        ("list", "a"),
        ("delete", "a"),
        ("delete", "x"),
    ]
    assert store.counts == Counter(put=2, get=1, head=1, list=1, delete=2)


def test_a_fault_before_the_effect_leaves_nothing() -> None:
    store = MemoryStore(Faults(fail_at=2))
    store.put("a", b"1", PLAIN)
    with pytest.raises(StoreError):
        store.put("b", b"2", PLAIN)
    store.put("c", b"3", PLAIN)

    assert store.bodies == {"a": b"1", "c": b"3"}


def test_a_fault_after_the_effect_leaves_it_done() -> None:
    store = MemoryStore(Faults(fail_at=1, when="after"))
    with pytest.raises(StoreError):
        store.put("a", b"1", PLAIN)

    assert store.bodies == {"a": b"1"}


@pytest.mark.parametrize(
    ("when", "left"), [("before", {"b": b"x", "c": b"x"}), ("after", {"c": b"x"})]
)
def test_a_killed_process_does_nothing_more(when: str, left: dict[str, bytes]) -> None:
    faults = Faults(5, "before" if when == "before" else "after", Killed(), lasting=True)
    store = MemoryStore(faults)
    for key in "abc":
        store.put(key, b"x", PLAIN)
    with pytest.raises(Killed):
        store.delete("abc")
    with pytest.raises(Killed):
        store.put("d", b"x", PLAIN)
    with pytest.raises(Killed):
        store.get("a")

    assert store.bodies == left


def test_two_stores_share_one_count() -> None:
    faults = Faults(fail_at=2)
    cdn, state = MemoryStore(faults), MemoryStore(faults)
    cdn.put("a", b"1", PLAIN)
    with pytest.raises(StoreError):
        state.put("a", b"1", PLAIN)

    assert (cdn.bodies, state.bodies, faults.count) == ({"a": b"1"}, {}, 2)


def test_a_listing_may_fail_after_its_last_item() -> None:
    store = MemoryStore(Faults(fail_at=2, when="after"))
    store.put("a", b"1", PLAIN)
    listing = store.list()

    first = next(listing)
    assert first == ObjectInfo("a", 1, first.etag)
    with pytest.raises(StoreError):
        next(listing)


def test_metadata_that_s3_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        MemoryStore().put("a", b"", Attributes(metadata={"title": "الصف"}))
