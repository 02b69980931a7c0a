"""What `publish`, `status` and `releases` say of plans that stay at an earlier commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.contents import files_of
from tests.cli.running import commit_all, content_repository, run, write_files
from tests.core.school import lesson, plan, school, subject

GOOD = school(plan("OTHER"), lesson(title="Good words"))
BAD = school(*GOOD, lesson(title="Other words", bit_index=-1))
WHY = "E109 content-snapshot/subjects/S/T/U/O/L.yaml:6: bit_index is missing"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository of which the second commit has a mistake that holds every plan back."""
    root = content_repository(tmp_path / "content", files_of(*GOOD))
    assert run(root, "publish").status == 0
    write_files(root / "content-snapshot", files_of(*BAD))
    commit_all(root, "A mistake")
    return root


def commits(root: Path) -> tuple[str, str]:
    """Return the commit that students see, and the one with the mistake."""
    good, bad = (run(root, "check", "--ref", ref, "--json").report for ref in ("HEAD~1", "HEAD"))
    return good["commit"][:12], bad["commit"][:12]


def test_a_mistake_is_told_with_its_file_and_line_as_check_tells_it(root: Path) -> None:
    assert f"     {WHY}\n" in run(root, "plan").out
    assert f"     {WHY}\n" in run(root, "publish").out
    assert f"PLAN: held back (once): {WHY}\n" in run(root, "status").out


def test_status_says_what_students_see_while_every_plan_is_held_back(root: Path) -> None:
    good, bad = commits(root)
    assert f", commit {good}, since " in run(root, "status").out
    run(root, "publish")
    lines = run(root, "status").out.splitlines()
    assert f", nothing of commit {bad}, as every plan stayed behind, since " in lines[1]
    assert lines[2:] == [
        f"  OTHER: held back (once): {WHY}",
        f"    students see it as of commit {good}",
        f"  PLAN: held back (once): {WHY}",
        f"    students see it as of commit {good}",
    ]


def test_an_attempt_of_which_nothing_came_is_told_as_one(root: Path) -> None:
    _, bad = commits(root)
    attempts = [run(root, "publish") for _ in range(3)]
    assert [said.status for said in attempts] == [1, 1, 1]
    assert all(said.out.split("\n")[0].endswith(": nothing was published") for said in attempts)
    told = run(root, "releases").out
    assert told.count(f'    commit {bad} "A mistake"\n') == 3
    assert told.count("    nothing was published, held back: OTHER, PLAN\n") == 3
    assert " 0 files put" not in told


def test_going_back_to_a_release_that_changed_nothing_says_what_students_saw(root: Path) -> None:
    good, _ = commits(root)
    run(root, "publish")
    said = run(root, "rollback", "live")
    assert said.out.startswith("nothing to do: ")
    assert (
        f"students saw OTHER as of commit {good}: `exporter rollback {good} --plan OTHER`"
        in said.err
    )


def test_a_plan_that_was_never_published_is_seen_by_nobody(root: Path) -> None:
    new = plan("NEW", subjects=["GONE"])
    good = school(*GOOD, new, subject())
    write_files(root / "content-snapshot", files_of(*good))
    commit_all(root, "A new plan")
    published = run(root, "publish", "--plan", "PLAN").out
    assert "  NEW: stays as it was, not selected by --plan\n" in published
    assert "held back" not in published + run(root, "show", "live").out
    lines = run(root, "status").out.splitlines()
    assert "  NEW: stays as it was, not selected by --plan" in lines
    assert lines[lines.index("  NEW: stays as it was, not selected by --plan") + 1] == (
        "    no student sees it yet"
    )
