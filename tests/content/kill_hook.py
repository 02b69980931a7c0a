"""Kills this process (SIGKILL) at the n-th thing that it does to files or through git.

What counts is told by Python's audit events, so no call of the program under test is forgotten.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["arm"]

_ALWAYS = frozenset(
    ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "subprocess.Popen")
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def arm(at: int, root: Path, tell: Callable[[str], None]) -> None:
    """Kill this process before the `at`-th such event below `root`; tell each one's kind."""
    seen = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if not _counts(event, arguments, root):
            return
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)
        tell(f"{event} {_kind(arguments)}")

    sys.addaudithook(watch)


def _counts(event: str, arguments: tuple[object, ...], root: Path) -> bool:
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & _WRITING
        return bool(writes) and isinstance(path, (str, os.PathLike)) and _below(path, root)
    return event in _ALWAYS


def _below(path: str | os.PathLike[str], root: Path) -> bool:
    return os.fspath(path).startswith(str(root))


def _kind(arguments: tuple[object, ...]) -> str:
    """Return git's subcommand, or the file's name without what differs from run to run."""
    first, second = (*arguments, None)[:2]
    if isinstance(second, (list, tuple)):  # subprocess.Popen(executable, arguments, …)
        words = [second[0], *second[3:]] if second[1:2] == ["-c"] else list(second)
        return " ".join(words[: 3 if "worktree" in words else 2])
    if not isinstance(first, (str, bytes, os.PathLike)):
        return ""
    name = Path(os.fsdecode(first)).name
    special = re.match(r"index\.|intent|digests|lock$|moving\.|\.~|\.git$", name)
    return re.sub(r"(?<=moving\.).*", "…", name) if special else Path(name).suffix
