"""Kills this process (SIGKILL) at the n-th thing that it does to files or through git.

Run as a program: N and then the arguments of `tests.content.one_snapshot`. What counts is told by
Python's audit events, so no call of the program under test is forgotten.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

__all__ = ["arm"]

_ALWAYS = frozenset(
    ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "subprocess.Popen")
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def arm(at: int, root: Path) -> None:
    """Kill this process before the `at`-th such event below `root`; 0 counts only."""
    seen = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if not _counts(event, arguments, root):
            return
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
        if at == 0:
            os.write(2, f"event {seen} {event}\n".encode())

    sys.addaudithook(watch)


def _counts(event: str, arguments: tuple[object, ...], root: Path) -> bool:
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & _WRITING
        return bool(writes) and isinstance(path, (str, os.PathLike)) and _below(path, root)
    return event in _ALWAYS


def _below(path: str | os.PathLike[str], root: Path) -> bool:
    return os.fspath(path).startswith(str(root))
