"""Work shared out to several processes, with the results of one: the same, in the same order.

Work comes in chunks, and a worker gets the next one when it has done with the last. On Linux
workers are forked, and have everything at hand; elsewhere they are spawned, and get a pickled copy
once, so work, chunks and results must be fit for pickling. No worker outlives the run that started
it: it is ended with it, or notices within a second that it is gone. What a person stops, or a
worker that the system kills, ends the run as a whole.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence, Sized
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from exporter.core.progress import Progress, unseen
from exporter.errors import OutsideError

__all__ = ["IN_PROCESS", "Workers", "worthwhile_jobs"]

C = TypeVar("C", bound=Sized)
R = TypeVar("R")

WORTH_A_WORKER = 500
"""Files to make that pay for a forked process."""
_START = "fork" if sys.platform == "linux" else "spawn"
_ALIVE_S = 1.0
_CTRL_C = (signal.SIGINT,)


@dataclass(frozen=True, slots=True)
class Workers:
    """How many processes may work at once, how they start, and who hears how far they are."""

    jobs: int = 1
    progress: Progress = unseen
    start: str = _START
    worth: int = WORTH_A_WORKER

    @property
    def forked(self) -> Workers:
        """Return these where they have everything at hand, else nobody: for work on much data."""
        return self if self.start == "fork" else replace(self, jobs=1)

    def run(
        self,
        what: str,
        work: Callable[[C], R],
        chunks: Sequence[C],
        weigh: Callable[[C], int] = len,
        *,
        are_alike: bool = False,
    ) -> list[R]:
        """Return the result of each chunk, in their order.

        `weigh` gives the work of a chunk, in units of what a lesson's file takes. Where chunks
        that follow one another `are_alike`, each worker stays among neighbours, to make use of
        what it knows of the last one.

        Raises:
            OutsideError: a worker was killed.
        """
        return list(self._each(what, work, chunks, weigh, are_alike=are_alike))

    def each(
        self,
        what: str,
        work: Callable[[C], R],
        chunks: Sequence[C],
        weigh: Callable[[C], int] = len,
    ) -> Iterator[R]:
        """Yield the result of each chunk, in their order, as soon as it is there; see `run`."""
        return self._each(what, work, chunks, weigh, are_alike=False)

    def _each(
        self,
        what: str,
        work: Callable[[C], R],
        chunks: Sequence[C],
        weigh: Callable[[C], int],
        *,
        are_alike: bool,
    ) -> Iterator[R]:
        total = sum(map(len, chunks))
        processes = min(self.jobs, len(chunks), sum(map(weigh, chunks)) // self.worth)
        if processes > 1:
            places = len(chunks) if are_alike else 0
            firsts = [places * number // processes for number in range(processes)]
            results = _shared_out(work, chunks, firsts, self.start)
        else:
            results = ((number, work(chunk)) for number, chunk in enumerate(chunks))
        found: dict[int, R] = {}
        done = given = 0
        with closing(results):
            for number, result in results:
                found[number] = result
                done += len(chunks[number])
                self.progress(what, done, total)
                while given in found:
                    yield found.pop(given)
                    given += 1


IN_PROCESS = Workers()
"""Everything in the process that asks, and nobody hears how far it is."""


def worthwhile_jobs() -> int:
    """Return how many processes pay: one for each core, or one where they would be spawned."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity and _START == "fork" else 1


def _shared_out(
    work: Callable[[C], R], chunks: Sequence[C], firsts: Sequence[int], start: str
) -> Generator[tuple[int, R]]:
    """Yield the results with their chunks' numbers as they come.

    There is a process for each of `firsts`, the number of the chunk that it begins with.
    """
    crew: dict[Connection[Any, Any], BaseProcess] = {}
    turns: dict[Connection[Any, Any], Iterator[int]] = {}
    taken: set[int] = set()
    try:
        gc.freeze()  # a collection would touch, and so copy, what forked workers share
        for first in firsts:
            connection, process = _hire(work, chunks, start)
            crew[connection] = process
            turns[connection] = _turns(first, len(chunks), taken)
        for connection in [*crew, *crew]:  # two for each: nobody waits for the next one
            _send_next(connection, turns[connection])
        for _ in chunks:
            ready = wait(list(crew))
            connection = next(one for one in crew if one in ready)
            number, result = _received(connection, crew[connection])
            _send_next(connection, turns[connection])
            yield number, result
    finally:
        gc.unfreeze()
        for connection, process in crew.items():
            process.terminate()
            process.join()
            connection.close()


def _turns(first: int, count: int, taken: set[int]) -> Iterator[int]:
    """Yield the numbers from the first one on, and then those before it, that nobody took."""
    for number in (*range(first, count), *range(first)):
        if number not in taken:
            taken.add(number)
            yield number


def _hire(
    work: Callable[[C], R], chunks: Sequence[C], start: str
) -> tuple[Connection[Any, Any], BaseProcess]:
    context = multiprocessing.get_context(start)
    ours, theirs = context.Pipe()
    process = context.Process(  # type: ignore[attr-defined]
        target=_work, args=(theirs, work, chunks, os.getpid()), daemon=True
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)  # a hook of the fork would swallow it
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _CTRL_C)
    theirs.close()
    return ours, process


def _send_next(connection: Connection[Any, Any], waiting: Iterator[int]) -> None:
    if (number := next(waiting, None)) is not None:
        with suppress(BrokenPipeError, ConnectionResetError):  # killed: its silence will tell
            connection.send(number)


def _received(connection: Connection[Any, Any], process: BaseProcess) -> tuple[int, Any]:
    """Return a chunk's number and result, or raise what went wrong with it."""
    try:
        number, result, error = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise _lost(process.exitcode or 0) from None
    if error is not None:
        raise error
    return number, result


def _lost(status: int) -> OutsideError:
    how = f"ended with status {status}"
    if status < 0:
        how = f"was killed ({signal.Signals(-status).name})"
    return OutsideError(
        f"one of the processes that share the work {how}",
        hint="the machine may be short of memory: run it again later, or `build` with --jobs 1",
    )


def _work(
    connection: Connection[Any, Any],
    work: Callable[[C], R],
    chunks: Sequence[C],
    employer: int,
) -> None:
    """Do chunks as they are asked for, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person's Ctrl-C is the employer's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _CTRL_C)
    while os.getppid() == employer:
        if not connection.poll(_ALIVE_S):
            continue
        try:
            number = connection.recv()
            connection.send((number, *_attempt(work, chunks[number])))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _attempt(work: Callable[[C], R], chunk: C) -> tuple[R | None, Exception | None]:
    try:
        return work(chunk), None
    except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
        error.add_note(f"in a worker:\n{traceback.format_exc()}")
        return None, error
