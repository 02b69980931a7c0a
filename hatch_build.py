"""Writes into a wheel or sdist which commit it was built from; `exporter --version` says it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMIT_FILE = Path("exporter", "COMMIT")


class CommitHook(BuildHookInterface[Any]):
    """Adds `exporter/COMMIT`; a build outside a clone has none, unless its sdist brought one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Take note of the commit before anything is packed."""
        if version == "editable" or (Path(self.root) / COMMIT_FILE).exists():
            return
        found = subprocess.run(
            ["git", "-C", self.root, "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode == 0:
            folder = Path(tempfile.mkdtemp(prefix="exporter-build-"))
            note = folder / COMMIT_FILE.name
            note.write_text(found.stdout, encoding="utf-8")
            build_data["force_include"][str(note)] = COMMIT_FILE.as_posix()
