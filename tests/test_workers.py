"""Work that is shared out comes back whole and in order, and no worker outlives its employer."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from exporter.errors import OutsideError, UsageError
from exporter.workers import Workers

STARTS = [pytest.param("fork", id="forked"), pytest.param("spawn", id="spawned")]


def squares(numbers: Sequence[int]) -> tuple[list[int], int]:
    time.sleep(0.002 * (9 - numbers[0]))  # later chunks are done sooner
    return [number**2 for number in numbers], os.getpid()


def refuse(numbers: Sequence[int]) -> int:
    if 4 in numbers:
        raise UsageError("no fours", hint="leave them out")
    return 0


def die(numbers: Sequence[int]) -> int:
    if 4 in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0


CHUNKS = [[number] for number in range(10)]


def shared(start: str, progress: Callable[[str, int, int], None] = lambda *_: None) -> Workers:
    return Workers(3, progress, start, worth=1)


@pytest.mark.parametrize("start", STARTS)
def test_results_come_in_the_order_of_the_chunks_whoever_was_first(start: str) -> None:
    told: list[tuple[str, int, int]] = []
    workers = shared(start, lambda *how: told.append(how))
    found = workers.run("squares", squares, CHUNKS)
    assert [result for result, _ in found] == [[number**2] for number in range(10)]
    assert len({process for _, process in found} - {os.getpid()}) == 3
    assert told == [("squares", done, 10) for done in range(1, 11)]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("start", STARTS)
def test_chunks_that_are_alike_go_to_one_worker_as_long_as_there_are_some(start: str) -> None:
    workers = Workers(2, start=start, worth=1)
    found = workers.run("squares", squares, CHUNKS, are_alike=True)
    assert [result for result, _ in found] == [[number**2] for number in range(10)]
    makers = [process for _, process in found]
    assert makers[0] == makers[1] != makers[5] == makers[6]


def test_little_work_stays_in_the_process_that_asks() -> None:
    for workers in (Workers(1, worth=1), Workers(8, worth=6), Workers(8)):
        found = workers.run("squares", squares, CHUNKS)
        assert {process for _, process in found} == {os.getpid()}


@pytest.mark.parametrize("start", STARTS)
def test_an_error_of_a_worker_is_raised_as_it_is(start: str) -> None:
    with pytest.raises(UsageError, match="no fours") as raised:
        shared(start).run("numbers", refuse, CHUNKS)
    assert raised.value.hint == "leave them out"
    assert "in refuse" in raised.value.__notes__[0]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("start", STARTS)
def test_a_worker_that_is_killed_ends_the_run_with_a_clear_message(start: str) -> None:
    with pytest.raises(OutsideError, match=r"was killed \(SIGKILL\)") as raised:
        shared(start).run("numbers", die, CHUNKS)
    assert "--jobs 1" in raised.value.hint
    assert multiprocessing.active_children() == []


def test_a_person_who_stops_the_run_stops_the_workers() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared("fork", stop).run("squares", squares, CHUNKS)
    assert multiprocessing.active_children() == []


FORSAKEN = """\
import os, sys, time
from exporter.workers import Workers

def work(chunk):
    os.write(1, f"{os.getpid()}\\n".encode())
    time.sleep(0.2)
    return 0

Workers(2, start=sys.argv[1], worth=1).run("chunks", work, [[n] for n in range(1000)])
"""


def test_workers_go_when_the_run_that_started_them_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "forsaken.py"
    script.write_text(FORSAKEN, encoding="utf-8")
    run = subprocess.Popen([sys.executable, str(script), "fork"], stdout=subprocess.PIPE, text=True)
    assert run.stdout
    workers = {int(run.stdout.readline()) for _ in range(4)}
    assert len(workers) == 2
    run.kill()
    run.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{one}/stat").exists() for one in workers):
        assert time.monotonic() < deadline, "a worker is still there"
        time.sleep(0.05)
    run.stdout.close()
