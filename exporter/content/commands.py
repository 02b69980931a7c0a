"""Running git: one command a call, in one folder, with messages in English.

No command reads the terminal, and none takes locks for what it only reads. `subprocess` alone does
it: importing GitPython takes longer than all that a publish of nothing asks of git.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from exporter.errors import GitError

__all__ = ["Git"]


class Git:
    """Runs git commands in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(
        self,
        arguments: Sequence[str],
        *,
        feed: bytes | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> tuple[int, bytes, str]:
        """Run a command to its end; its exit status, output and messages.

        Raises:
            GitError: there is no git; or it failed, unless that is not to be checked.
        """
        command = ["git", *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                env=_environment(env or {}),
                input=feed or b"",
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise _not_installed() from error
        problem = done.stderr.decode(errors="replace")
        if check and done.returncode:
            raise GitError(f"git {arguments[0]} failed in {self._folder}: {problem.strip()}")
        return done.returncode, done.stdout, problem

    @contextmanager
    def started(self, arguments: Sequence[str], stdin: IO[bytes]) -> Iterator[IO[bytes]]:
        """Lend the output of a command that goes on meanwhile.

        Raises:
            GitError: there is no git.
        """
        command = ["git", *arguments]
        try:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=_environment({}),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise _not_installed() from error
        with process:
            yield cast("IO[bytes]", process.stdout)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "LANGUAGE": "C", "GIT_OPTIONAL_LOCKS": "0", **more}


def _not_installed() -> GitError:
    return GitError("git is not installed", hint="install git 2.30 or newer")
