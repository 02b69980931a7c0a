"""What decides who must pay is tested in every branch, and stays so (spec 3)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tests_of_access_take_every_branch_of_it(tmp_path: Path) -> None:
    command = [
        *(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/core/test_access.py",
        ),
        *("--cov=exporter.core.access", "--cov=exporter.core.overrides", "--cov-branch"),
        *("--cov-report=term-missing", "--cov-fail-under=100"),
    ]
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))
    }
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**clean, "COVERAGE_FILE": str(tmp_path / "coverage")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
