"""A build's folder is replaced as a whole, or stays as it was, also where the build is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.build.folder import Staging
from exporter.core.artifacts import Artifact, Entry, Kind
from exporter.errors import UsageError

KILLED = """\
import os, signal, sys
from pathlib import Path
from exporter.build.folder import Staging
from exporter.core.artifacts import Artifact, Entry, Kind

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

with Staging(Path(sys.argv[1])) as staging:
    staging.add(Artifact("lessons/NEW.json", Kind.LESSON, None, Entry("", 1, 1), b"new"))
    if sys.argv[2] == "while writing":
        die()
    rename = Path.rename
    Path.rename = lambda self, to: (rename(self, to), die())
    staging.replace()
"""


def write(out: Path, name: str) -> None:
    with Staging(out) as staging:
        artifact = Artifact(f"lessons/{name}.json", Kind.LESSON, None, Entry("", 1, 1), b"{}")
        staging.add(artifact)
        staging.replace()


def names(out: Path) -> list[str]:
    return sorted(file.stem for file in out.rglob("*.json"))


def test_a_build_replaces_the_folder_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "build"
    write(out, "OLD")
    write(out, "NEW")
    assert names(out) == ["NEW"]
    assert [one.name for one in tmp_path.iterdir()] == ["build"]


def test_a_build_that_fails_leaves_the_old_folder(tmp_path: Path) -> None:
    out = tmp_path / "build"
    write(out, "OLD")
    with pytest.raises(RuntimeError, match="no more"), Staging(out):
        raise RuntimeError("no more")
    assert names(out) == ["OLD"]
    assert [one.name for one in tmp_path.iterdir()] == ["build"]


@pytest.mark.parametrize("moment", ["while writing", "in the midst of replacing"])
def test_a_build_that_is_killed_leaves_the_old_folder(tmp_path: Path, moment: str) -> None:
    out = tmp_path / "build"
    write(out, "OLD")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(out), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    if moment == "while writing":
        assert names(out) == ["OLD"]
    Staging(out)  # the next build puts it back, whatever comes of that build
    assert names(out) == ["OLD"]
    write(out, "NEXT")
    assert names(out) == ["NEXT"]


def test_a_folder_that_no_build_made_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError, match="no build wrote"):
        Staging(tmp_path)
