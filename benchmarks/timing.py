"""Whole processes, timed: wall, processor and memory, from start to end.

The memory is that of the largest process of the command's tree. Linux counts what started it in,
so this program keeps small, and has work of its own that is big done by processes too (`floors`).
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

__all__ = ["Cost", "Run", "cost", "median", "run"]

_RSS_A_MB = 1024**2 if platform.system() == "Darwin" else 1024
"""macOS tells memory in bytes, Linux in KB."""
UPLOADING = b"uploading "
"""How a publish says, on standard error, that it has decided and now puts the first file."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command takes of the machine."""

    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a command took; `uploading_s` is when it began to upload, if it did."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str = ""
    uploading_s: float | None = None

    def then(self, other: Run) -> Run:
        """Return this run and the one after it as one."""
        return Run(
            self.wall_s + other.wall_s,
            self.cpu_s + other.cpu_s,
            max(self.peak_mb, other.peak_mb),
            other.output,
        )


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
    """Run a command to its end, after all that waits for the disk has been written.

    Raises:
        SystemExit: it failed.
    """
    os.sync()
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.PIPE
        )
        said, uploading_s = _listen(process, started)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if process.returncode:
        told = (printed + said.decode(errors="replace"))[-4000:]
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{told}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Run(wall_s, cpu_s, usage.ru_maxrss / _RSS_A_MB, printed, uploading_s)


def _listen(process: subprocess.Popen[bytes], started: float) -> tuple[bytes, float | None]:
    """Return what a process says on standard error, and when it said that it uploads."""
    said, uploading_s = b"", None
    with cast("IO[bytes]", process.stderr) as lines:
        for line in lines:
            if uploading_s is None and line.startswith(UPLOADING):
                uploading_s = time.perf_counter() - started
            said += line
    return said, uploading_s


def median(runs: Iterable[Run], of: Callable[[Run], float] = lambda one: one.wall_s) -> float:
    """Return the median of the runs' wall times, or of something else of theirs."""
    return statistics.median(of(one) for one in runs)


def cost(runs: Sequence[Run]) -> Cost:
    """Return the median processor time of the runs, and their peak memory."""
    return Cost(median(runs, lambda one: one.cpu_s), max(one.peak_mb for one in runs))
