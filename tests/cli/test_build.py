"""`exporter build`: what it says, and what is left where it is stopped or a worker dies."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.cli.progress import Bar, CountedSource, Lines
from exporter.core.model import Document
from tests.build.contents import files_of
from tests.cli.running import commit_all, content_repository, run, write_files
from tests.content.memory_source import MemorySource
from tests.core.school import lesson, override, plan, school, stage, subject, track, unit

MANY = 1_800
INTERRUPTED = "interrupted; nothing is lost, run it again"
EXPORTER = [sys.executable, "-m", "exporter"]
SLOW = """\
import time
from exporter.build import builder
from exporter.cli import main

make = builder._make_lessons
builder._make_lessons = lambda *chunk: (time.sleep(0.4), make(*chunk))[1]
main()
"""
"""The command line on a machine that takes its time."""


def many_lessons() -> Iterator[Document]:
    yield from (lesson(f"L{n}", bit_index=n + 1, stages=[stage()]) for n in range(MANY))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return content_repository(
        tmp_path_factory.mktemp("l") / "c", files_of(*school(*many_lessons()))
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    files = files_of(*school(plan("OTHER", overrides=[override(unit(), "Give")])))
    return content_repository(tmp_path / "content", files)


def files_in(out: Path) -> dict[str, bytes]:
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*.json")}


def test_what_is_built_is_counted_and_what_is_held_back_is_named(small: Path) -> None:
    said = run(small, "build")
    assert said.status == 1
    count, *held = said.out.splitlines()[-3:]
    made = files_in(small / "build")
    assert count == f"{len(made)} files, {sum(map(len, made.values())):,} bytes, 1 plan in build"
    assert held == [
        "1 plan would stay at the last release:",
        "  OTHER: E108 content-snapshot/plans/OTHER.yaml:8",
    ]


def test_a_plan_alone_is_built_whatever_is_wrong_with_others(small: Path) -> None:
    elsewhere = (subject("E"), track("ET", "E"), lesson("E1", "GONE", is_published=True))
    write_files(small / "content-snapshot", files_of(*school(plan("OTHER", ["E"]), *elsewhere)))
    write_files(small / "content-snapshot", {"subjects/E/ET/_track.yaml": "name: ["})
    said = run(small, "build", "--plan", "PLAN", "--json")
    assert (said.status, said.report["plans"], said.report["held_plans"]) == (0, ["PLAN"], [])
    assert {key.split("/")[1] for key in files_in(small / "build") if key[0] == "p"} == {"PLAN"}


def test_a_plan_that_is_not_published_has_no_files_and_that_is_said(small: Path) -> None:
    write_files(small / "content-snapshot", files_of(*school(plan("DRAFT", is_published=False))))
    said = run(small, "build", "--plan", "DRAFT")
    assert (said.status, said.out) == (0, "0 files, 0 bytes, 0 plans in build\n")
    assert said.err == "plan DRAFT is not published, so it has no files\n"


def test_a_commit_is_built_from_git_whatever_the_work_tree_holds(small: Path) -> None:
    run(small, "build")
    before = files_in(small / "build")
    write_files(small / "content-snapshot", files_of(*school(lesson(title="Not committed"))))
    run(small, "build", "--ref", "HEAD", "--out", "other")
    assert files_in(small / "other") == before
    commit_all(small, "Now it is")
    run(small, "build", "--ref", "HEAD", "--out", "other")
    assert files_in(small / "other") != before


def test_a_plan_that_cannot_be_read_is_no_unknown_plan(small: Path) -> None:
    write_files(small / "content-snapshot", {"plans/OTHER.yaml": "name: ["})
    said = run(small, "build", "--plan", "OTHER")
    assert (said.status, said.err) == (
        1,
        "the file of plan 'OTHER' cannot be read\n`exporter check` says what is wrong with it\n",
    )
    said = run(small, "build", "--plan", "OTTER")
    assert (said.status, said.err) == (
        2,
        "there is no plan 'OTTER' in this content\nthere is 'PLAN'\n",
    )


# Workers


def workers_of(process: int) -> list[int]:
    told = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    return [int(one) for one in told.split() if _is_worker(int(one))]


def _is_worker(process: int) -> bool:
    try:
        return b"exporter" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def start(root: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a build, and wait until its workers are at work."""
    command = [sys.executable, "-c", SLOW, "-C", str(root), "build", "--jobs", "3"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(found := workers_of(process.pid)) < 3:
        assert time.monotonic() < deadline, "no workers"
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    return process, found


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def standing(large: Path) -> dict[str, bytes]:
    """Return the files of an earlier build, of one plan with one lesson."""
    out = large / "build"
    if not out.exists():
        assert run(large, "build", "--jobs", "1").status == 0
    return files_in(out)


def test_ctrl_c_ends_workers_and_leaves_the_old_folder(
    large: Path, standing: dict[str, bytes]
) -> None:
    process, workers = start(large)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", INTERRUPTED), err
    assert not any(map(is_there, workers))
    assert files_in(large / "build") == standing
    assert not list(large.glob(".build.*"))


def test_a_worker_that_is_killed_ends_the_build_and_leaves_the_old_folder(
    large: Path, standing: dict[str, bytes]
) -> None:
    process, workers = start(large)
    os.kill(workers[0], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "")
    assert "one of the processes that share the work was killed (SIGKILL)" in err
    assert "--jobs 1" in err
    assert not any(map(is_there, workers))
    assert files_in(large / "build") == standing
    assert not list(large.glob(".build.*"))


def test_every_number_of_jobs_makes_the_same_folder(
    large: Path, standing: dict[str, bytes]
) -> None:
    command = [*EXPORTER, "-C", str(large), "build", "--jobs", "3", "--out", "three"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert files_in(large / "three") == standing


# Progress


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_has_a_line_every_ten_seconds() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(said.append, clock)
    for second in range(0, 31, 2):
        clock.now = second
        lines("lessons", 100 * second, 30_000)
    assert said == [f"lessons: {done:,} of 30,000" for done in (1_000, 2_000, 3_000)]


def test_a_person_sees_a_bar_after_a_second_and_nothing_of_it_stays() -> None:
    ours, theirs = pty.openpty()
    script = (
        "from exporter.cli.progress import Bar\n"
        "now = iter((0, 0.5, 1.5, 1.55, 2.0))\n"
        "bar = Bar(lambda: next(now), color=True)\n"
        "for done in (1, 20, 21, 30): bar('lessons', done, 40)\n"
        "bar.clear()\n"
    )
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    command = [sys.executable, "-c", script]
    subprocess.run(command, check=True, stderr=theirs, env=environment)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert [f"{done}/40" in shown for done in (1, 20, 21, 30)] == [False, True, False, True]
    assert "lessons" in shown
    assert shown.endswith("\x1b[2K"), "the line is wiped"
    assert shown.count("\x1b[?25h") == shown.count("\x1b[?25l"), "the cursor is back"


def test_a_bar_that_was_never_shown_leaves_nothing() -> None:
    bar = Bar(Clock(), color=False)
    bar("lessons", 1, 2)
    bar.clear()
    assert bar._shown is None


def test_reading_a_database_is_counted() -> None:
    told: list[tuple[str, int, int]] = []
    documents = school()
    source = CountedSource(MemorySource(documents), lambda *said: told.append(said))
    with source.view() as view:
        assert [ref for ref, _ in view.digests()] == [one.ref for one in documents]
        assert [document for document, _ in view.everything()] == list(documents)
        assert [one.ref for one in view.documents([documents[0].ref])] == [documents[0].ref]
    every = len(documents)
    assert told == [
        *(("documents read", done, every) for done in range(1, every + 1)),
        ("documents read", 1, 1),
    ]
