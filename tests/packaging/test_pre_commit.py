"""The hook that pre-commit finds in this repository refuses a commit with a mistake in it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.cli.running import content_repository

ROOT = Path(__file__).parents[2]
SEASON = next((ROOT / "content-snapshot" / "seasons").iterdir())


def hooks() -> list[dict[str, Any]]:
    """Return the hooks as pre-commit reads them."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def run(hook: dict[str, Any], repository: Path) -> subprocess.CompletedProcess[str]:
    """Run a hook as pre-commit does: its entry, at the repository's root, without file names."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [*shlex.split(hook["entry"]), *hook.get("args", [])],
        cwd=repository,
        env={**os.environ, "PATH": programs},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_hook_is_what_pre_commit_needs_to_know() -> None:
    [hook] = hooks()
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert (hook["id"], hook["language"]) == ("exporter-check", "python")
    assert (hook["always_run"], hook["pass_filenames"]) == (True, False)


def test_good_content_passes_and_a_mistake_is_told_with_its_file(tmp_path: Path) -> None:
    [hook] = hooks()
    path = f"seasons/{SEASON.name}"
    files = {path: SEASON.read_text(encoding="utf-8")}
    repository = content_repository(tmp_path / "content", files)
    assert run(hook, repository).returncode == 0
    (repository / "content-snapshot" / path).write_text("name: [2026\n", encoding="utf-8")
    refused = run(hook, repository)
    assert refused.returncode == 1
    assert f"content-snapshot/{path}" in refused.stdout
    assert "E101" in refused.stdout
