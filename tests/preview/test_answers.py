"""What the page's requests are answered with, and what the shelf remembers of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.build.inspection import CheckRules
from exporter.content.parsed import ParsedFiles
from exporter.content.reading import read_worktree
from exporter.preview.answers import Desk, Preview, Showing
from exporter.preview.edition import Edition
from exporter.preview.server import Answer
from exporter.preview.shelf import Shelf
from tests.cli.running import commit_all, run
from tests.preview.changes import PLAN, TOPIC, replace_in
from tests.preview.previewing import asked, content_copy, previewing

TIME = 1_700_000_000
DESK = Desk(
    explain=lambda _edition, plan, node: {"why": [plan, node.name]},
    source=lambda _edition, node: {"where": node.name},
    finding=lambda found: {"code": found.code},
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return content_copy(tmp_path / "content")


def showing(root: Path) -> Showing:
    content = read_worktree(root / "content-snapshot", {})
    return Showing(Edition(content, CheckRules(), TIME), "the work tree")


def body(answer: Answer | None) -> Any:
    return json.loads(answer.body) if answer else None


def test_names_with_slashes_lead_to_their_documents(root: Path, tmp_path: Path) -> None:
    plan = root / "content-snapshot" / "plans" / "A%2FB.yaml"
    plan.write_text("name: A/B\ntitle: A\nis_published: true\n", encoding="utf-8")
    preview = Preview(DESK, Shelf(tmp_path, "one"), is_live=False)
    preview.begin(showing(root))
    api = preview.routes["api"]
    assert body(api(("explain", "A/B", "lesson", "LESSON-MATH-001"))) == {
        "why": ["A/B", "LESSON-MATH-001"]
    }
    assert body(api(("source", "plan", "A/B"))) == {"where": "A/B"}
    for nothing in (("explain", "NO", "lesson", "LESSON-MATH-001"), ("source", "lesson", "NO")):
        assert api(nothing) is None
    assert api(("events",)) is None
    assert api(("compare.json",)) is None


def test_the_shelf_answers_before_anything_is_read(root: Path, tmp_path: Path) -> None:
    first = Preview(DESK, Shelf(tmp_path, "one"), is_live=True)
    first.begin(showing(root))
    asks: list[Callable[[Preview], Any]] = [
        lambda one: body(one.routes["api"](("site.json",))),
        lambda one: body(one.routes["api"](("findings.json",))),
        lambda one: body(one.routes["content"](("plans", PLAN, "manifest.json"))),
    ]
    answers = [ask(first) for ask in asks]
    second = Preview(DESK, Shelf(tmp_path, "one"), is_live=True)
    assert [ask(second) for ask in asks] == answers
    waiting = threading.Thread(target=lambda: second.routes["content"](("lessons", "x.json")))
    waiting.start()
    waiting.join(timeout=0.2)
    assert waiting.is_alive(), "what is not on the shelf waits for the content"
    second.begin(showing(root))
    waiting.join(timeout=60)
    assert not waiting.is_alive()


def test_the_shelf_of_another_content_is_empty(tmp_path: Path) -> None:
    Shelf(tmp_path, "one").put("content/a", b"1")
    assert Shelf(tmp_path, "one").find("content/a") == b"1"
    assert Shelf(tmp_path, "other").find("content/a") is None


def test_the_shelf_keeps_the_last_few_contents(tmp_path: Path) -> None:
    for number in range(9):
        Shelf(tmp_path, f"content {number}").put("a", b"1")
    kept = [n for n in range(9) if Shelf(tmp_path, f"content {n}").find("a")]
    assert kept == [5, 6, 7, 8]


def test_a_full_shelf_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.preview.shelf.MAX_BYTES", 10)
    shelf = Shelf(tmp_path, "one")
    shelf.put("a", b"12345678")
    shelf.put("b", b"12345678")
    assert (shelf.find("a"), shelf.find("b")) == (b"12345678", None)


def test_an_open_page_is_told_of_another_content(root: Path, tmp_path: Path) -> None:
    preview = Preview(DESK, Shelf(tmp_path, "one"), is_live=True)
    preview.begin(showing(root))
    answer = preview.routes["api"](("events",))
    assert answer is not None
    assert answer.events is not None
    assert next(answer.events) == b": connected\n\n"
    preview.show(showing(root), Shelf(tmp_path, "two"))
    assert next(answer.events) == b"event: content\ndata: 1\n\n"


def test_the_command_remembers_and_never_shows_what_is_over(root: Path) -> None:
    manifest = f"content/plans/{PLAN}/manifest.json"
    titles = []
    for title in ("Grade 12 Scientific 2026/2027", "Another title"):
        for _ in range(2):
            with previewing(root) as address:
                titles.append(asked(f"{address}{manifest}")["title"])
                asked(f"{address}api/source/plan/{PLAN}")  # waits until all is read
        plan = root / "content-snapshot" / "plans" / f"{PLAN}.yaml"
        if title != "Another title":
            replace_in(plan, f"title: {title}", "title: Another title")
    assert titles == [titles[0]] * 2 + ["Another title"] * 2
    assert titles[0] == "Grade 12 Scientific 2026/2027"


def test_a_commit_is_shown_as_it_was(root: Path) -> None:
    lesson = root.joinpath("content-snapshot", "subjects", *TOPIC, "LESSON-MATH-001.yaml")
    replace_in(lesson, "title: The shape of a parabola", "title: Later")
    commit_all(root, "Later")
    with previewing(root, "--ref", "HEAD~1", "--compare", "HEAD") as address:
        site = asked(f"{address}api/site.json")
        shown = asked(f"{address}content/lessons/LESSON-MATH-001.json")
    assert (site["has"]["events"], shown["title"]) == (False, "The shape of a parabola")
    assert site["label"].startswith("HEAD~1 (commit ")
    assert site["compare"]["before"].startswith("HEAD (commit ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["preview", "--ref", "HEAD", "--worktree"], "exclude each other"),
        (["preview", "--ref", "nothing"], "there is no commit 'nothing'"),
        (["preview", "--compare", "nothing", "--no-open"], "there is no commit 'nothing'"),
        (["build", "--compare", "HEAD"], "--compare needs a --site"),
        (["build", "--site", "x", "--plan", "P"], "--plan and --site exclude each other"),
    ],
)
def test_what_cannot_be_shown_is_a_usage_error(
    root: Path, arguments: list[str], message: str
) -> None:
    said = run(root, *arguments)
    assert (said.status, message in said.err) == (2, True)


def test_the_cache_is_shared_with_the_command(root: Path) -> None:
    with previewing(root) as address:
        asked(f"{address}api/findings.json")
    folder = root / "content-snapshot"
    cache = ParsedFiles(root / ".git" / "exporter")
    assert read_worktree(folder, {}, cache).loaded == read_worktree(folder, {}).loaded
