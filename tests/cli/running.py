"""The command line in this process, for tests that look at what it says."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from exporter.cli import cli
from exporter.errors import ExporterError

__all__ = ["CONFIG", "Said", "commit_all", "content_repository", "run", "write_files"]

CONFIG = """\
source: {url: sqlite:///site.db}
targets: {local: {store: ./public, state: ./.exporter/local}}
"""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def report(self) -> Any:
        """Return the one JSON object on standard output."""
        return json.loads(self.out)


def run(root: Path, *arguments: str, color: bool = False) -> Said:
    """Run a command in a folder; an expected error becomes its exit status."""
    result = CliRunner().invoke(
        cli, ["-C", str(root), *arguments], standalone_mode=False, color=color
    )
    if isinstance(result.exception, ExporterError):
        error = result.exception
        return Said(error.exit_status, result.stdout, f"{error.message}\n{error.hint}\n")
    if result.exception is not None:
        raise result.exception
    return Said(result.return_value or 0, result.stdout, result.stderr)


def content_repository(
    root: Path, files: Mapping[str, str], config: str = CONFIG, folder: str = "content-snapshot"
) -> Path:
    """Make a repository of snapshot files with a configuration, all committed."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "exporter.yaml").write_text(config, encoding="utf-8")
    write_files(root / folder, files)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    commit_all(root, "Content")
    return root


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def commit_all(root: Path, message: str, environment: Mapping[str, str] | None = None) -> str:
    """Commit everything; return the commit's hash."""
    env = {**os.environ, **(environment or {})}
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", message], cwd=root, check=True, env=env)
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True
    )
    return found.stdout.strip()
