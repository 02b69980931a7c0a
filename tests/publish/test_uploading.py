"""Work shared out to threads: each item once, so many at once, and an end where one fails."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from exporter.publish import uploading
from exporter.publish.uploading import in_threads


def test_each_item_is_done_once_by_so_many_threads() -> None:
    done: list[int] = []
    together = threading.Barrier(4, timeout=10)
    """Passed only by four at a time: fewer threads would wait in vain, more break the count."""
    names: set[str] = set()

    def do(item: int) -> None:
        names.add(threading.current_thread().name)
        together.wait()
        done.append(item)

    told: list[int] = []
    in_threads(do, range(40), 4, told.append)
    assert Counter(done) == Counter(range(40))
    assert len(names) == 4
    assert told[-1] == 40


def test_nothing_is_begun_after_an_error_and_what_is_under_way_ends() -> None:
    begun: list[int] = []
    ended: list[int] = []
    failing, failed = threading.Event(), threading.Event()

    def do(item: int) -> None:
        begun.append(item)
        if item == 1:
            assert failing.wait(10)
            threading.Timer(0.02, failed.set).start()
            raise ValueError("one")
        failing.set()
        assert failed.wait(10)
        ended.append(item)

    with pytest.raises(ValueError, match="one"):
        in_threads(do, range(100), 2, lambda _: None)
    assert sorted(begun) == [0, 1]
    assert ended == [0]


def test_whoever_stops_it_waits_for_what_is_under_way_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploading, "BETWEEN_TELLING_S", 0.001)
    begun: list[int] = []
    stopped = threading.Event()

    def do(item: int) -> None:
        begun.append(item)
        assert stopped.wait(10)

    def stop(_: int) -> None:
        threading.Timer(0.02, stopped.set).start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_threads(do, range(100), 3, stop)
    assert sorted(begun) == [0, 1, 2]


def test_progress_is_told_by_the_thread_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "BETWEEN_TELLING_S", 0.001)
    told: list[tuple[int, bool]] = []
    enough = threading.Event()

    def do(_: int) -> None:
        assert enough.wait(10)

    def tell(begun: int) -> None:
        told.append((begun, threading.current_thread() is threading.main_thread()))
        enough.set()

    in_threads(do, range(3), 2, tell)
    assert told[0] == (2, True)
    assert told[-1] == (3, True)


def test_nothing_to_do_is_done() -> None:
    told: list[int] = []
    in_threads(lambda _: None, [], 4, told.append)
    assert told == [0]
