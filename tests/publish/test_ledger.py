"""Reading the ledger: many indexes at a time, each whole or not at all."""

from __future__ import annotations

import threading

import pytest

from exporter.core.artifacts import Entry
from exporter.errors import StoreError
from exporter.publish.ledger import FETCHERS, Ledger, pack_index
from exporter.stores.base import StoredObject
from tests.stores.memory import MemoryStore


class MeetingStore(MemoryStore):
    """A store of which some gets are answered only when all of them have been asked for."""

    def __init__(self, waiting: int) -> None:
        super().__init__()
        self.meeting = threading.Barrier(waiting, timeout=10)

    def get(self, key: str) -> StoredObject | None:
        self.meeting.wait()
        return super().get(key)


def saved(ledger: Ledger, count: int) -> dict[str, dict[str, Entry]]:
    """Save so many indexes; return them by digest."""
    indexes = [{f"plans/{n}/x.json": Entry("00", n, n, ("y",))} for n in range(count)]
    packed = [pack_index(index, None) for index in indexes]
    for one in packed:
        ledger.save_index(one)
    return dict(zip((one.digest for one in packed), indexes, strict=True))


def test_many_indexes_are_asked_for_at_once_and_come_in_their_order() -> None:
    store = MeetingStore(waiting=FETCHERS)
    ledger = Ledger(store)
    indexes = saved(ledger, FETCHERS)
    asked = [*reversed(indexes)]
    asked.insert(3, "")

    found = list(ledger.indexes(asked))
    assert found == [indexes.get(digest, {}) for digest in asked]
    assert found[3] == {}


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_any_number_of_indexes_is_what_each_alone_is(count: int) -> None:
    ledger = Ledger(MemoryStore())
    digests = list(saved(ledger, count))
    assert list(ledger.indexes(digests)) == [ledger.index(digest) for digest in digests]


@pytest.mark.parametrize("count", [1, 20])
def test_a_missing_or_broken_index_among_others_is_said(count: int) -> None:
    store = MemoryStore()
    ledger = Ledger(store)
    digests = list(saved(ledger, count))
    store.delete([f"indexes/{digests[-1]}.json"])
    with pytest.raises(StoreError, match=f"indexes/{digests[-1]}.json is missing"):
        list(ledger.indexes(digests))
