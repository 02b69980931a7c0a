"""Processes for the real servers in `tests.servers`: folders, ports, start, wait, end.

A process ends with SIGKILL, as its folder goes with it, and (on Linux) also when the test process
itself is killed.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "ServerFailed",
    "ServerMissing",
    "free_ports",
    "private_environment",
    "running",
    "temporary_folder",
]

READY_WITHIN_S = 60.0
POLL_S = 0.05


class ServerMissing(Exception):
    """A server's program is not installed here; the message says what to install."""


class ServerFailed(Exception):
    """A server did not start; the message ends with its log."""


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Make a folder that is removed afterwards; short, as a socket's path may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def running(command: Sequence[str], folder: Path, answers: Callable[[], bool]) -> Iterator[None]:
    """Run a server in a folder, from when it answers.

    Raises:
        ServerFailed: it ended, or did not answer in time.
    """
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_die_with_parent(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=private_environment(folder),
            start_new_session=True,
        )
    try:
        _wait(process, log, answers)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def private_environment(folder: Path) -> dict[str, str]:
    """Return a server's whole environment.

    Temporary files go to the folder: a MariaDB that starts removes every `#sql*` file of its
    temporary folder, and another one that was using them crashes.
    """
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}


def _die_with_parent() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _wait(process: subprocess.Popen[bytes], log: Path, answers: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    while not answers():
        if process.poll() is not None or time.monotonic() > give_up_at:
            state = "no answer" if process.poll() is None else f"ended with {process.returncode}"
            msg = f"{process.args!r}: {state}:\n{log.read_text(errors='replace')[-4000:]}"
            raise ServerFailed(msg)
        time.sleep(POLL_S)


# Each process of pytest-xdist gets a window of its own; no port is handed out twice.
_candidates = itertools.islice(itertools.count(10_000 + os.getpid() * 40 % 9_960), 40)


def free_ports(count: int) -> list[int]:
    """Find ports P below the ephemeral range with P and P + 10000 free: weed opens both."""
    free = (port for port in _candidates if _is_free(port) and _is_free(port + 10_000))
    return list(itertools.islice(free, count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
