"""A content repository that is driven as a person would: by the real command line.

Every command is a process of its own, with warnings as errors. Whatever is asked of it, it must not
end in a traceback and must not show a secret that the test has given it: `Place.exporter` looks at
both each time, so that no test can forget to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from exporter.demo.site import edit_site
from tests.forking import programs

__all__ = ["AUTHOR", "Finished", "Place", "files_below", "traces_below"]

AUTHOR = "Content Snapshot <snapshot@school.example>"
TIME_LIMIT_S = 120


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both outputs, for what may stand in either."""
        return self.out + self.err

    @property
    def report(self) -> Any:
        """The one JSON object that `--json` prints."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with an `exporter.yaml`, or one where there should be one."""

    root: Path
    secrets: tuple[str, ...] = ()
    """What no output may hold."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Given to every command, besides the test's own environment."""

    @property
    def store(self) -> Path:
        """The CDN folder."""
        return self.root / "public" / "memora_content"

    @property
    def state(self) -> Path:
        """The state store's folder."""
        return self.root / ".exporter" / "local"

    @property
    def content(self) -> Path:
        """The snapshot folder."""
        return self.root / "content-snapshot"

    @property
    def config(self) -> Path:
        return self.root / "exporter.yaml"

    def exporter(
        self, *arguments: str, status: int | None = 0, env: Mapping[str, str] | None = None
    ) -> Finished:
        """Run a command in the folder and expect an exit status (None: any)."""
        own = {**self.environment, **(env or {})}
        done = subprocess.run(
            [*_program(own), *arguments],
            cwd=self.root,
            env={**os.environ, **own},
            capture_output=True,
            encoding="utf-8",
            timeout=TIME_LIMIT_S,
            check=False,
        )
        finished = Finished(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in finished.said, finished.said
        for secret in self.secrets:
            assert secret not in finished.said
        assert status in (None, finished.status), f"{arguments}: {finished}"
        return finished

    def git(self, *arguments: str) -> str:
        """Run git in the folder and return what it prints."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit_all(self, message: str) -> str:
        """Commit what was written into the folder by hand; return the hash."""
        self.git("add", "--all", ".")
        self.git("commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD")

    def replace_in(self, file: str | Path, old: str, new: str) -> None:
        """Edit a file below the folder by hand."""
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    @contextmanager
    def editing(self) -> Iterator[Connection]:
        """Open the SQLite site as Frappe would, for writing."""
        with edit_site(self.root / "site.db") as connection:
            yield connection

    def published(self) -> dict[str, bytes]:
        """Return what readers see, by object key."""
        return files_below(self.store)

    def everything(self) -> dict[str, object]:
        """Return all that a refused command must leave alone, to compare it before and after."""
        return {
            "files": traces_below(self.root, without=(".git",)),
            "refs": self.git("for-each-ref"),
            "head": self.git("rev-parse", "--symbolic-full-name", "HEAD"),
            "status": self.git("status", "--porcelain", "--untracked-files=all"),
            "index": self.git("ls-files", "--stage"),
        }


def _program(environment: Mapping[str, str]) -> list[str]:
    """Return what runs commands; what a Python obeys when it starts takes one that does."""
    if any(name.startswith("PYTHON") for name in environment):
        return [sys.executable, "-W", "error", "-m", "exporter"]
    return [str(programs() / "exporter")]


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the bodies of the objects in a folder store, by key."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).as_posix().startswith(".exporter/")
    }


def traces_below(folder: Path, without: tuple[str, ...] = ()) -> dict[str, tuple[int, int, bytes]]:
    """Return inode, time of change and bytes of every file, which show any write there was."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(tuple(f"{each}/" for each in without)):
            state = path.stat()
            found[name] = (state.st_ino, state.st_mtime_ns, path.read_bytes())
    return found
