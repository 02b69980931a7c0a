"""The page at its limits: hostile content, thousands of lessons, files that change, no program."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from exporter.core.files import render
from exporter.core.model import LESSON, PLAN, SUBJECT, TOPIC, TRACK, UNIT, Document, Json, Value
from tests.cli.running import content_repository, run
from tests.preview import changes
from tests.preview.changes import edit_school, replace_in
from tests.preview.previewing import PHONE, content_copy, opened, previewing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = {
    "markup": "</p><script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "direction": "\u202egnp.tcudorp\u202c \u2066photo\u2069 \u0000\u007f",
    "huge": "W" * 5_000,
}
BELOW = ("SUBJECT-1", "TRACK-1", "UNIT-1", "TOPIC-1")


def school(title: str, lessons: list[Document]) -> dict[str, str]:
    """Return the files of one plan with one topic, everything of that title."""
    named = {"title": title, "description": title, "image": "javascript:alert(1)"}
    node: dict[str, Value] = {**named, "is_published": True, "required_item": title[:80]}
    plan = Document(
        PLAN,
        "PLAN-1",
        {"title": title, "season": title[:80], "is_published": True},
        {"subjects": ({"subject": "SUBJECT-1", "sort_order": 1},)},
    )
    above = [
        Document(t, n, node) for t, n in zip((SUBJECT, TRACK, UNIT, TOPIC), BELOW, strict=True)
    ]
    folder, files = "subjects", {"plans/PLAN-1.yaml": render(plan, orphan=False)}
    for document in above:
        folder = f"{folder}/{document.name}"
        files[f"{folder}/{document.type.index_file}"] = render(document, orphan=False)
    for lesson in lessons:
        files[f"{folder}/{lesson.name}.yaml"] = render(lesson, orphan=False)
    return files


Stage = dict[str, Value]


def lesson(number: int, title: str, *stages: Stage) -> Document:
    rows = tuple({"title": title, "weight": 1.0, "target_time": 60, **one} for one in stages)
    numbers: Stage = {"sort_order": number, "bit_index": number}
    fields: Stage = {"title": title, "is_published": True, **numbers}
    return Document(LESSON, f"LESSON-{number:05}", fields, {"stages": rows})


def hostile_stages(text: str) -> list[Stage]:
    configs: list[tuple[str, dict[str, Json]]] = [
        ("Video", {"video_url": "javascript:document.title='owned'", text[:80]: text}),
        (
            "Question",
            {"question": text, "options": [text, "b"], "answer": text, "explanation": text},
        ),
        ("Text", {"html": text}),
        ("Text", {"text": f"# {text}\n[{text[:40]}](javascript:alert(1))\n- {text}\n`{text}`"}),
        ("Interactive", {"cards": [{"text": text, "link": "javascript:alert(1)"}]}),
        (text[:40], {"any": text}),
    ]
    return [{"type": kind, "is_skippable": False, "config": config} for kind, config in configs]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_content_stays_text(browser: Browser, tmp_path: Path, text: str) -> None:
    title = text[:130]
    files = school(title, [lesson(1, title, *hostile_stages(text))])
    root = content_repository(tmp_path / "content", files)
    shown = re.sub(r"[^ -~]", lambda one: f"[U+{ord(one[0]):04X}]", title)
    with previewing(root) as address, opened(browser, address, size=PHONE) as window:
        for depth in range(len(BELOW) + 1):
            window.go("PLAN-1", *BELOW[:depth])
            expect(window.title).to_have_text(shown)
            assert not window.is_too_wide()
        window.go("PLAN-1", *BELOW, "LESSON-00001")
        expect(window.page.locator(".stage")).to_have_count(6)
        expect(window.page.locator(".stage a")).to_have_count(0)
        expect(window.page.locator("main :is(script, img, svg[onload])")).to_have_count(0)
        assert not window.is_too_wide()
        assert window.page.title() == f"{shown} – Preview"
        window.page.get_by_role("button", name="Why?").last.click()
        expect(window.page.get_by_role("dialog")).to_contain_text("Who may open it")


def test_a_text_without_end_is_shown_in_part(browser: Browser, tmp_path: Path) -> None:
    stage: Stage = {
        "type": "Text",
        "is_skippable": False,
        "config": {"text": "word " * 400_000},
    }
    root = content_repository(tmp_path / "content", school("A", [lesson(1, "Long", stage)]))
    with previewing(root) as address, opened(browser, address) as window:
        window.go("PLAN-1", *BELOW, "LESSON-00001")
        more = window.page.get_by_role("button", name="Show all 2,000,000 characters")
        expect(more).to_be_visible()
        assert len(window.page.locator(".prose").inner_text()) < 25_000


def test_a_topic_of_two_thousand_lessons_stays_smooth(browser: Browser, tmp_path: Path) -> None:
    lessons = [lesson(number, f"Lesson {number}") for number in range(2_000)]
    root = content_repository(tmp_path / "content", school("Many", lessons))
    with previewing(root) as address, opened(browser, address) as window:
        window.go("PLAN-1", *BELOW, "LESSON-00000")
        rows = window.page.get_by_role("treeitem")
        expect(window.row("Lesson 0")).to_be_visible()
        assert rows.count() < 100
        window.page.keyboard.press("Escape")
        window.page.keyboard.press("End")
        expect(window.row("Lesson 1999")).to_be_focused()
        assert rows.count() < 100
        took = median(window.page.evaluate(SCROLL))
        assert took < 250, f"a frame takes {took} ms"
        window.page.keyboard.press("/")
        window.page.keyboard.type("lesson 1777")
        expect(window.page.locator("#results").get_by_role("option")).to_have_count(1)
        assert len([url for url in window.asked if "/search/" in url]) > 1


SCROLL = """async () => {
  const tree = document.getElementById("tree");
  let last = performance.now();
  const took = [];
  for (let at = 0; at <= 40; at += 1) {
    tree.scrollTop = (tree.scrollHeight * at) / 40;
    await new Promise((drawn) => requestAnimationFrame(drawn));
    const now = performance.now();
    took.push(now - last);
    last = now;
  }
  return took;
}"""
"""Scroll through the whole tree; return the milliseconds between frames.

One of them may be long where the machine has other things to do.
"""


def test_the_page_follows_the_files(browser: Browser, tmp_path: Path) -> None:
    root = content_copy(tmp_path / "content")
    file = root.joinpath("content-snapshot", "subjects", *changes.TOPIC, "LESSON-MATH-001.yaml")
    with previewing(root, "--worktree") as address, opened(browser, address) as window:
        window.go(changes.PLAN, *changes.TOPIC, "LESSON-MATH-001")
        expect(window.title).to_have_text("The shape of a parabola")
        window.page.keyboard.press("Escape")
        expect(window.row("The shape of a parabola")).to_be_focused()
        replace_in(file, "title: The shape of a parabola", "title: Another shape")
        expect(window.title).to_have_text("Another shape")
        expect(window.row("Another shape")).to_be_focused()
        expect(window.page.get_by_role("status").last).to_contain_text("Updated at")
        window.page.keyboard.press("?")
        expect(window.page.get_by_role("dialog")).to_contain_text("Who may open it")
        replace_in(file, "title: Another shape", "title: The third shape")
        expect(window.title).to_have_text("The third shape")
        window.page.keyboard.press("Escape")
        expect(window.row("The third shape")).to_be_focused()
        replace_in(file, "is_published: true", "is_published: maybe")
        expect(window.page.locator("main .notice.warning")).to_contain_text("not in this plan")
        window.go(changes.PLAN)
        expect(window.page.locator("main")).to_contain_text("Errors hold this plan back")
        (root / "content-snapshot" / "notes.txt").write_text("no content", encoding="utf-8")
        others = window.page.get_by_text("1 finding in what no plan shows")
        others.click()
        expect(window.page.locator(".findings.more")).to_contain_text("E102")
        shutil.rmtree(root / "content-snapshot")
        expect(window.page.locator("main")).to_contain_text("Errors hold this plan back")


@pytest.fixture
def static_site(tmp_path: Path) -> Iterator[str]:
    """Return the address of a web server that only serves files, those of the edited school."""
    root = content_copy(tmp_path / "content")
    edit_school(root)
    said = run(root, "build", "--site", "site", "--compare", "HEAD", "--json")
    assert (said.status, said.report["held_plans"]) == (0, [])
    handler = partial(_QuietFiles, directory=str(root / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class _QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
        pass


def test_a_site_of_files_shows_the_same(browser: Browser, static_site: str) -> None:
    with opened(browser, static_site) as window:
        window.go(changes.PLAN)
        expect(window.page.locator(".changes")).to_contain_text("become free")
        for name in (changes.CHANGED, changes.GONE, changes.ADDED):
            window.go(changes.PLAN, *changes.TOPIC, name)
            expect(window.page.locator(".stage").first).to_be_visible()
        window.page.get_by_role("button", name="Why?").last.click()
        expect(window.page.get_by_role("dialog")).to_contain_text(
            f"exporter explain {changes.PLAN} {changes.ADDED} --doctype lesson"
        )
        assert window.faults() == []
