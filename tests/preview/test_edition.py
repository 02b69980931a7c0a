"""One content as the page sees it, against what a build of the same content makes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from exporter.build.inspection import CheckRules
from exporter.content.reading import Content, read_worktree
from exporter.core.model import UNIT
from exporter.preview.comparing import Comparison
from exporter.preview.edition import Edition
from tests.cli.running import content_repository, run, write_files
from tests.preview.changes import ADDED, CHANGED, GONE, OPENED, PLAN, TOPIC, edit_school
from tests.preview.previewing import content_copy

TIME = 1_700_000_000


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, Content]:
    """Return the demo school, and what a day of editing made of it."""
    root = tmp_path_factory.mktemp("school")
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test Author")
            patch.setenv(f"GIT_{role}_EMAIL", "author@example.org")
        content_copy(root)
    before = read_worktree(root / "content-snapshot", {})
    edit_school(root)
    return before, read_worktree(root / "content-snapshot", {})


@pytest.fixture(scope="module")
def comparison(sides: tuple[Content, Content]) -> Comparison:
    before, after = (Edition(content, CheckRules(), TIME) for content in sides)
    return Comparison(before, after, "before", {})


def test_every_file_has_the_bytes_of_a_build(tmp_path: Path) -> None:
    root = content_copy(tmp_path / "content")
    assert run(root, "build", "--out", "built", "--json").status == 0
    assert run(root, "build", "--site", "site", "--json").status == 0
    built, site = (_json_below(root / name) for name in ("built", "site"))
    assert {path: data for path, data in site.items() if not path.startswith("api/")} == built
    assert {path for path in site if path.startswith("api/")} == {
        "api/site.json",
        "api/findings.json",
    }


def _json_below(folder: Path) -> Mapping[str, bytes]:
    files = sorted(folder.rglob("*.json"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_file_is_made_when_it_is_asked_for(sides: tuple[Content, Content]) -> None:
    edition = Edition(sides[0], CheckRules(), TIME)
    for key, data in edition.files():
        assert edition.file(key) == data
    for key in ("", "plans", "plans/X/manifest.json", f"plans/{PLAN}/x.json", "lessons/x.json"):
        assert edition.file(key) is None


def test_a_lesson_that_no_plan_shows_has_no_file(tmp_path: Path) -> None:
    root = content_copy(tmp_path / "content")
    lesson = root / "content-snapshot" / "subjects" / "/".join(TOPIC) / "LESSON-MATH-001.yaml"
    text = lesson.read_text(encoding="utf-8")
    lesson.write_text(text.replace("is_published: true", "is_published: false"), encoding="utf-8")
    edition = Edition(read_worktree(root / "content-snapshot", {}), CheckRules(), TIME)
    assert edition.file("lessons/LESSON-MATH-001.json") is None
    assert edition.lesson_body("lessons/LESSON-MATH-001.json") is not None


def test_names_with_slashes_and_percent_signs_are_found(tmp_path: Path) -> None:
    said = {
        "plans/P%2F1.yaml": "name: P/1\ntitle: A\nis_published: true\nsubjects:\n"
        "  - subject: S%\n    sort_order: 0\n",
        "subjects/S%25/_subject.yaml": "name: S%\ntitle: S\nis_published: true\n",
    }
    root = content_repository(tmp_path / "content", said)
    edition = Edition(read_worktree(root / "content-snapshot", {}), CheckRules(), TIME)
    manifest = orjson.loads(edition.file("plans/P%2F1/manifest.json") or b"")
    assert manifest["subjects"][0]["hierarchy_url"].startswith("plans/P%252F1/S%2525_h.json?v=")


def test_the_marks_of_a_plan_are_those_of_its_changes(comparison: Comparison) -> None:
    report = comparison.plan(PLAN)
    kinds = {
        key: mark["kinds"] for key, mark in report["marks"].items() if key.startswith("lesson")
    }
    mine = {f"lesson/{name}": [kind] for name, kind in _EXPECTED.items()}
    assert {key: kinds[key] for key in mine} == mine
    opened = {key for key, kind in kinds.items() if kind == ["access"]}
    assert set(kinds) == opened | set(mine)
    assert len(opened) == 10
    assert report["marks"][f"track/{OPENED}"]["access_before"]["access_level"] == "paid"
    topic = f"topic/{TOPIC[-1]}"
    assert dict(report["below"][topic]) == {"removed": 1, "added": 1, "changed": 1}
    assert report["below"]["subject/SUBJECT-MATH"] == report["below"][topic]
    assert [(one["key"], one["parent"], one["after"]) for one in report["gone"]] == [
        (f"lesson/{GONE}", topic, "lesson/LESSON-MATH-001")
    ]


_EXPECTED = {GONE: "removed", ADDED: "added", CHANGED: "changed"}


def test_what_went_as_a_whole_is_one_branch_that_is_gone(tmp_path: Path) -> None:
    root = content_copy(tmp_path / "content")
    folder = root / "content-snapshot"
    before = Edition(read_worktree(folder, {}), CheckRules(), TIME)
    unit = folder / "subjects" / "/".join(TOPIC[:3]) / "_unit.yaml"
    text = unit.read_text(encoding="utf-8")
    unit.write_text(text.replace("is_published: true", "is_published: false"), encoding="utf-8")
    after = Edition(read_worktree(folder, {}), CheckRules(), TIME)
    report = Comparison(before, after, "before", {}).plan(PLAN)
    (gone,) = report["gone"]
    assert (gone["key"], gone["parent"]) == (f"unit/{TOPIC[2]}", f"track/{TOPIC[1]}")
    assert [len(topic["children"]) for topic in gone["children"]] == [3, 3]
    assert report["below"][f"track/{TOPIC[1]}"] == {"removed": 1}
    assert before.snapshot.find(UNIT, TOPIC[2]) is not None


def test_the_summary_tells_the_same_as_the_diff(comparison: Comparison) -> None:
    summary = comparison.summary
    told = ["".join(text for _, text in one["lines"][0]) for one in summary["access"]]
    assert told[0].startswith("10 lessons of Physics › Mechanics become free in Grade 12")
    assert {one["kind"] for one in summary["access"]} == {"access", "removed", "added"}
    assert summary["others"][0]["path"] == [*TOPIC, CHANGED]


def test_a_shared_plan_is_compared_with_what_students_see_of_it(
    sides: tuple[Content, Content],
) -> None:
    before, after = (Edition(content, CheckRules(), TIME) for content in sides)
    held = Comparison(before, after, "live", {PLAN: after})
    assert held.plan(PLAN) == {"marks": {}, "below": {}, "gone": []}
    assert held.plan("GRADE-11-BRIDGE-2026")["marks"] != {}


def test_both_sides_of_a_lesson_stand_stage_by_stage(comparison: Comparison) -> None:
    both = comparison.lesson(f"lessons/{CHANGED}.json")
    assert both is not None
    assert both["pairs"] == [[0, 0], [1, 1], [2, 2]]
    assert set(both["left"]) == {"/stages/0/config/text", "/stages/1/config/settings/pass_ratio"}
    assert (
        "".join(text for _, text in both["left"]["/stages/0/config/text"])
        == (both["before"]["stages"][0]["config"]["text"])
    )
    assert comparison.lesson("lessons/nobody.json") is None


def test_an_open_page_is_not_disturbed_by_files_it_does_not_know(tmp_path: Path) -> None:
    root = content_copy(tmp_path / "content")
    write_files(root / "content-snapshot", {"notes.txt": "not content"})
    edition = Edition(read_worktree(root / "content-snapshot", {}), CheckRules(), TIME)
    assert [found.code for found in edition.inspection.findings] == ["E102"]
    assert edition.file(f"plans/{PLAN}/manifest.json") is not None
