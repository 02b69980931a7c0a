"""A build's folder is replaced as a whole, or stays as it was, also where the build is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.build import folder as folder_module
from exporter.build.folder import Staging
from exporter.core.artifacts import Artifact, Entry, Kind
from exporter.errors import OutsideError, UsageError

OLD = {"lessons/A.json": b"a", "lessons/B.json": b"b", "plans/P/manifest.json": b"old"}
NEW = {"lessons/A.json": b"a", "lessons/C.json": b"c", "plans/P/manifest.json": b"new"}
FAULTY = {"plans/Q/manifest.json": b"held back", "lessons/D.json": b"d"}
"""What a build writes and takes away again."""

ROOT = Path(__file__).parents[2]
KILLED = """\
import sys
from pathlib import Path
from tests.build import test_folder
from tests.content.kill_hook import arm

out = Path(sys.argv[1])
test_folder.set_exchange(sys.argv[3])
arm(int(sys.argv[2]), out.parent, print)
test_folder.write(out, test_folder.NEW)
"""


def write(out: Path, files: Mapping[str, bytes]) -> None:
    with Staging(out) as staging:
        for key, data in {**files, **FAULTY}.items():
            staging.add(Artifact(key, Kind.LESSON, None, Entry("", len(data), 1), data))
        staging.keep_only(set(files))
        staging.replace()


def set_exchange(how: str) -> None:
    """Leave the system without a way to let two folders change places at once."""
    if how == "without":
        vars(folder_module)["_exchange"] = lambda *_: False


def read(out: Path) -> dict[str, bytes]:
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*.json")}


def around(out: Path) -> list[str]:
    return sorted(one.name for one in out.parent.iterdir())


def test_a_build_replaces_the_folder_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "build"
    write(out, OLD)
    assert read(out) == OLD
    write(out, NEW)
    assert read(out) == NEW
    assert around(out) == ["build"]
    folders = sorted(one.name for one in out.rglob("*") if one.is_dir())
    assert folders == ["P", "lessons", "plans"]


def test_a_file_that_stays_as_it_is_is_not_written_again(tmp_path: Path) -> None:
    out = tmp_path / "build"
    write(out, OLD)
    before = {key: (out / key).stat().st_ino for key in OLD}
    write(out, NEW)
    assert (out / "lessons/A.json").stat().st_ino == before["lessons/A.json"]
    assert (out / "plans/P/manifest.json").stat().st_ino != before["plans/P/manifest.json"]
    assert (out / "lessons/A.json").stat().st_nlink == 1


def test_a_link_to_the_folder_stays_a_link(tmp_path: Path) -> None:
    write(tmp_path / "real" / "build", OLD)
    link = tmp_path / "build"
    link.symlink_to(tmp_path / "real" / "build")
    write(link, NEW)
    assert link.is_symlink()
    assert read(tmp_path / "real" / "build") == NEW


def test_a_build_that_fails_leaves_the_old_folder(tmp_path: Path) -> None:
    out = tmp_path / "build"
    write(out, OLD)
    with pytest.raises(RuntimeError, match="no more"), Staging(out):
        raise RuntimeError("no more")
    assert read(out) == OLD
    assert around(out) == ["build"]


def test_a_disk_without_room_leaves_the_old_folder_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "build"
    write(out, OLD)
    with pytest.raises(OutsideError, match="No space left on device") as raised, Staging(out):
        raise OSError(28, "No space left on device")
    assert "make room" in raised.value.hint
    assert (read(out), around(out)) == (OLD, ["build"])


@pytest.mark.parametrize("exchange", ["with", "without"])
def test_a_build_that_is_killed_anywhere_leaves_the_old_folder_or_the_new_one(
    tmp_path: Path, exchange: str
) -> None:
    first = tmp_path / "first" / "build"
    write(first, OLD)
    at = 0
    found: list[dict[str, bytes]] = []
    while True:
        at += 1
        shutil.copytree(first.parent, tmp_path / "copy")
        out = tmp_path / "copy" / "build"
        command = [sys.executable, "-c", KILLED, str(out), str(at), exchange]
        status = subprocess.run(
            command, check=False, cwd=ROOT, env=os.environ, capture_output=True
        ).returncode
        if exchange == "without":
            Staging(out)  # the next build puts back what was moved away, whatever comes of it
        found.append(read(out))
        assert found[-1] in (OLD, NEW), at
        write(out, NEW)
        assert (read(out), around(out)) == (NEW, ["build"]), at
        shutil.rmtree(tmp_path / "copy")
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert found[0] == OLD
    assert found == sorted(found, key=[OLD, NEW].index), "never the old one again"
    assert at > 20


def test_a_folder_that_no_build_made_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageError, match="no build wrote"):
        Staging(tmp_path)


def test_what_another_build_is_writing_is_let_be(tmp_path: Path) -> None:
    out = tmp_path / "build"
    with Staging(out) as other:
        other.add(Artifact("lessons/B.json", Kind.LESSON, None, Entry("", 1, 1), b"b"))
        write(out, NEW)
        other.replace()
    assert read(out) == {"lessons/B.json": b"b"}
    assert around(out) == ["build"]
