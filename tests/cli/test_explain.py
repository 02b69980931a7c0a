"""`exporter explain`: the decisions behind a node, what made a published file, who and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.build.contents import files_of
from tests.cli.running import CONFIG, Said, commit_all, content_repository, run, write_files
from tests.core.school import lesson, override, plan, school, subject, topic, track, unit

SARA = {"GIT_AUTHOR_NAME": "Sara", "GIT_AUTHOR_DATE": "2026-08-16T10:30:00+03:00"}
OMAR = {"GIT_AUTHOR_NAME": "Omar", "GIT_AUTHOR_DATE": "2026-09-01T08:00:00+00:00"}
FIRST = school(subject(title="Science", is_public=True), unit("U"), topic("U", "U"), topic())
SELLS = plan(overrides=[override(track(), "Set Sold Separately", "BOOK")])
UNDER_TRACK = "content-snapshot/subjects/S/T"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository in which Omar added a row to what Sara wrote."""
    place = content_repository(tmp_path / "content", {})
    write_files(place / "content-snapshot", files_of(*FIRST))
    commit_all(place, "The school opens", SARA)
    write_files(place / "content-snapshot", files_of(*school(*FIRST, SELLS)))
    commit_all(place, "Algebra is sold on its own", OMAR)
    return place


def report(root: Path, *arguments: str) -> Any:
    said = run(root, "explain", *arguments, "--json")
    assert said.status == 0, said
    return said.report


def evidence(root: Path, question: str, *arguments: str) -> list[tuple[Any, ...]]:
    """Return what decided: place, value, author and day."""
    steps = report(root, *arguments)["decisions"][question]
    read = [one for step in steps for one in step["evidence"]]
    return [
        (
            f"{one['origin']['file']}:{one['origin']['line']}",
            one["value"],
            one["origin"]["author"],
            one["origin"]["date"],
        )
        for one in read
    ]


def test_a_locked_lesson_is_explained_with_who_wrote_each_value_and_when(root: Path) -> None:
    told = report(root, "PLAN", "L")
    assert told["answers"] == {
        "visible": True,
        "access_level": "paid",
        "required_item": "BOOK",
        "is_sold_separately": True,
        "parent_item_required": False,
        "title": "The L",
    }
    assert [step["rule"] for step in told["decisions"]["access_level"]] == [
        *("rule 8", "rule 3", "rule 9", "rule 9", "rule 9")
    ]
    plan_file = "content-snapshot/plans/PLAN.yaml"
    assert evidence(root, "access_level", "PLAN", "L") == [
        ("content-snapshot/subjects/S/_subject.yaml:4", True, "Sara", "2026-08-16T07:30:00Z"),
        (f"{plan_file}:10", "Set Sold Separately", "Omar", "2026-09-01T08:00:00Z"),
        (f"{plan_file}:11", "BOOK", "Omar", "2026-09-01T08:00:00Z"),
    ]
    assert (told["held_by"], told["commit"]) == ([], None)
    assert told["breadcrumb"] == ["Science", "The T", "The U", "The O", "The L"]


def test_people_read_the_chain_down_from_the_subject(root: Path) -> None:
    lines = run(root, "explain", "PLAN", "L").out.splitlines()
    start = lines.index("access_level: paid")
    sha = report(root, "PLAN", "L", "--ref", "HEAD")["commit"]
    assert lines[:2] == [
        'Memora Lesson "The L" (L) in plan "The PLAN" (PLAN)',
        "Science › The T › The U › The O › The L",
    ]
    row = f"({sha[:12]}, Omar, 2026-09-01)  overrides.0"
    assert lines[start + 3 : start + 6] == [
        "  The T: paid, the plan sells it separately",
        f"      content-snapshot/plans/PLAN.yaml:10  {row}.action: Set Sold Separately",
        f"      content-snapshot/plans/PLAN.yaml:11  {row}.override_value: BOOK",
    ]


def test_a_missing_lesson_is_explained_by_what_hides_it_alone(root: Path) -> None:
    write_files(
        root / "content-snapshot", files_of(*school(*FIRST, SELLS, unit(is_published=False)))
    )
    lines = run(root, "explain", "PLAN", "L").out.splitlines()
    start = lines.index("visible: no")
    assert lines[start + 1 : start + 4] == [
        "  The U: the unit is not published",
        f"      {UNDER_TRACK}/U/_unit.yaml:3  (not committed)  is_published: no",
        "",
    ]
    assert report(root, "PLAN", "L", "--ref", "HEAD")["answers"]["visible"] is True


def test_a_held_plan_is_said_to_be_held(root: Path) -> None:
    bad = plan(overrides=[override(unit(), "Give")])
    write_files(root / "content-snapshot", files_of(*school(*FIRST, bad)))
    (found,) = report(root, "PLAN", "L")["held_by"]
    assert (found["code"], found["line"]) == ("E108", 8)
    said = run(root, "explain", "PLAN", "L").out
    assert "the plan is held back: E108 content-snapshot/plans/PLAN.yaml:8" in said


def test_the_configured_default_is_evidence_where_the_configuration_says_it(root: Path) -> None:
    documents = files_of(*school(*FIRST, plan(), subject(title="Science")))
    write_files(root / "content-snapshot", documents)
    (default,) = report(root, "PLAN", "S")["decisions"]["access_level"]
    assert default["evidence"][0]["origin"] is None
    assert (
        "the default of build.default_access: authenticated"
        in run(root, "explain", "PLAN", "S").out
    )
    (root / "exporter.yaml").write_text(
        CONFIG + "build:\n  default_access: public\n", encoding="utf-8"
    )
    assert evidence(root, "access_level", "PLAN", "S") == [
        ("exporter.yaml:4", "public", None, None)
    ]


def test_a_name_of_several_documents_needs_a_doctype(root: Path) -> None:
    said = run(root, "explain", "PLAN", "U")
    assert (said.status, "unit, topic" in said.err, "--doctype unit" in said.err) == (2, True, True)
    for kind in ("topic", "Memora Topic"):
        assert report(root, "PLAN", "U", "--doctype", kind)["node"]["doctype"] == "Memora Topic"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("PLAM", "L"), "did you mean 'PLAN'?"),
        (("PLAN",), "name a lesson, topic, unit or track after it, or one of its subjects: S\n"),
        (("PLAM",), "did you mean 'PLAN'?"),
        (("PLAN", "LESSON"), "there is no node 'LESSON'"),
        (("PLAN", "L", "--doctype", "grade"), "--doctype is one of subject, track"),
        (("PLAN", "L", "--ref", "nope"), "nope"),
    ],
)
def test_a_slip_of_the_pen_is_wrong_usage(
    root: Path, arguments: tuple[str, ...], words: str
) -> None:
    said = run(root, "explain", *arguments)
    assert (said.status, words in said.err) == (2, True), said


# What made a file


@pytest.fixture
def published(root: Path) -> Path:
    """Return the repository after two publishes, the second one for a new title."""
    assert run(root, "publish").status == 0
    write_files(
        root / "content-snapshot", files_of(*school(*FIRST, SELLS, lesson(title="New title")))
    )
    commit_all(root, "A better title", SARA)
    assert run(root, "publish").status == 0
    return root


def releases(root: Path) -> list[str]:
    return [one["id"] for one in run(root, "releases", "--json").report["releases"]]


def test_a_changed_file_is_of_the_release_that_changed_it_and_others_of_the_first(
    published: Path,
) -> None:
    second, first = releases(published)
    changed = report(published, "lessons/L.json")
    assert changed["release"] == second
    assert (changed["commit_author"], changed["commit_subject"]) == ("Sara", "A better title")
    assert changed["document"]["file"] == f"{UNDER_TRACK}/U/O/L.yaml"
    assert changed["document"]["last_change"]["author"] == "Sara"
    (access,) = changed["access"]
    assert (access["plan"], access["access_level"], access["required_item"]) == (
        *("PLAN", "paid", "BOOK"),
    )
    assert (access["rule"], access["origin"]["author"]) == ("rule 3", "Omar")
    untouched = report(published, "plans/PLAN/S_b.json")
    assert (untouched["release"], untouched["plan"]) == (first, "PLAN")
    assert untouched["document"]["name"] == "S"


def test_every_live_file_is_explained_by_its_document(published: Path) -> None:
    store = published / "public"
    files = (file for folder in ("lessons", "plans") for file in (store / folder).rglob("*.json"))
    keys = sorted(file.relative_to(store).as_posix() for file in files)
    found = {key: report(published, key)["document"]["name"] for key in keys}
    assert found == {
        "lessons/L.json": "L",
        "plans/PLAN/O.json": "O",
        "plans/PLAN/S_b.json": "S",
        "plans/PLAN/S_h.json": "S",
        "plans/PLAN/manifest.json": "PLAN",
        "plans/PLAN/search_index.json": "PLAN",
    }


def test_a_link_is_as_good_as_a_key(published: Path) -> None:
    assert report(published, "/lessons/%4C.json?v=12")["key"] == "lessons/L.json"


def test_people_read_what_made_a_file(published: Path) -> None:
    said: Said = run(published, "explain", "lessons/L.json")
    assert said.out.splitlines()[0] == "lessons/L.json on local"
    for words in ("(Sara, 2026-08-16: A better title)", "in plan PLAN: paid with BOOK"):
        assert words in said.out
    assert "    T: the plan sells it separately\n" in said.out


def test_what_is_not_live_is_wrong_usage(root: Path, published: Path) -> None:
    assert root == published
    said = run(published, "explain", "lessons/GONE.json")
    assert (said.status, "lessons/GONE.json is not live" in said.err) == (2, True)
