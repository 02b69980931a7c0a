"""The page in a real browser: walking, searching, asking why, comparing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.preview.changes import ADDED, CHANGED, GONE, PLAN, TOPIC
from tests.preview.previewing import PHONE, Window, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARABIC_PLAN = "GRADE-12-LIT-2026"
ARABIC_LESSON = ("SUBJECT-ARAB", "TRACK-ARAB-1", "r1il4sa3tj", "94q0ks4dob", "g37kq6amlj")
Picture = Callable[[Window, str], None]


@pytest.fixture
def window(browser: Browser, preview: str) -> Iterator[Window]:
    with opened(browser, preview) as one:
        yield one


@pytest.fixture
def phone(browser: Browser, preview: str) -> Iterator[Window]:
    with opened(browser, preview, size=PHONE) as one:
        yield one


def test_from_choosing_a_plan_down_to_a_lesson(window: Window, picture: Picture) -> None:
    window.page.goto(window.address)
    window.settled()
    window.page.get_by_label("Plan").select_option(PLAN)
    expect(window.title).to_have_text("Grade 12 Scientific 2026/2027")
    expect(window.row("Biology and Health")).to_contain_text("ITEM-BIO-12")
    for title in ("Biology and Health", "Cells and heredity", "The cell", "Cell membranes"):
        window.row(title).click()
        expect(window.title).to_have_text(title)
    picture(window, "topic")
    window.page.locator("main .list a").first.click()
    expect(window.page.locator("main .stage").first).to_be_visible()
    expect(window.page.locator(".crumbs li")).to_have_count(5)


def test_a_lesson_is_shown_as_its_published_file_says(window: Window) -> None:
    window.go(PLAN, *TOPIC, "LESSON-MATH-001")
    lesson = window.get("content/lessons/LESSON-MATH-001.json")
    expect(window.title).to_have_text(lesson["title"])
    expect(window.page.locator(".stage h2")).to_have_text([s["title"] for s in lesson["stages"]])
    expect(window.page.locator(".stage-type")).to_have_text([s["type"] for s in lesson["stages"]])
    link = window.page.locator(".screen a")
    expect(link).to_have_attribute("href", lesson["stages"][0]["config"]["video_url"])
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(window.page.locator(".head .badge").first).to_have_text(re.compile("Free preview"))
    assert [url for url in window.asked if "/api/explain" in url] == []


def test_a_question_shows_its_options_and_which_is_right(window: Window) -> None:
    window.go(ARABIC_PLAN, *ARABIC_LESSON[:-1], "4cfib9e5pu")
    options = window.page.locator(".options li")
    expect(options).not_to_have_count(0)
    expect(window.page.locator(".options .right")).to_have_count(1)
    expect(window.page.locator(".options .right")).to_contain_text("Answer")


def test_searching_in_arabic_without_vowel_marks_or_hamza(window: Window, picture: Picture) -> None:
    window.go(PLAN)
    window.page.keyboard.press("/")
    window.page.keyboard.type("انواع الخبر")
    found = window.page.locator("#results").get_by_role("option")
    expect(found.first).to_contain_text("أنواع الخبر")
    expect(window.page.get_by_role("combobox", name="Search")).to_have_attribute(
        "aria-expanded", "true"
    )
    picture(window, "search")
    assert window.faults() == []
    window.page.keyboard.press("Enter")
    expect(window.title).to_have_text("أنواع الخبر")
    assert window.page.url.endswith("/94q0ks4dob/4cfib9e5pu")


def test_why_is_answered_as_explain_answers_it(window: Window, picture: Picture) -> None:
    window.go(PLAN, *TOPIC, CHANGED)
    window.page.locator("main .badge.paid").first.click()
    dialog = window.page.get_by_role("dialog")
    expect(dialog.locator("details.why").first).to_contain_text("Who may open it")
    report = window.get(f"api/explain/{PLAN}/lesson/{CHANGED}")
    steps = report["decisions"]["access_level"]
    expect(dialog.locator("details[open] .rule")).to_have_text([step["rule"] for step in steps])
    origin = steps[0]["evidence"][0]["origin"]
    expect(dialog.locator("details[open] .place").first).to_have_text(
        f"{origin['file']}:{origin['line']}"
    )
    picture(window, "why")
    assert window.faults() == []
    window.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_source_names_file_commit_and_author(window: Window) -> None:
    window.go(PLAN, *TOPIC, "LESSON-MATH-001")
    window.page.get_by_role("button", name="Source").click()
    dialog = window.page.get_by_role("dialog")
    expect(dialog).to_contain_text("TOPIC-MATH-1/LESSON-MATH-001.yaml:1")
    expect(dialog).to_contain_text("Test Author")
    expect(dialog).to_contain_text("The demo school")


def test_a_change_is_told_in_sentences_and_marked_in_the_tree(
    window: Window, picture: Picture
) -> None:
    window.go(PLAN)
    told = window.page.locator(".changes")
    expect(told).to_contain_text("become free in Grade 12 Scientific 2026/2027 — paid before")
    expect(told).to_contain_text("Completing the square")
    expect(window.row("Mathematics").locator(".below")).to_contain_text("3")
    picture(window, "changes")
    told.get_by_role("link", name="Show").last.click()
    window.go(PLAN, *TOPIC)
    marks = window.page.locator("main .list li")
    expect(marks.locator(".badge.change")).to_have_text(["Gone", "New", "Changed"])
    expect(window.page.locator(".findings, .notice")).to_have_count(0)


def test_two_releases_of_a_lesson_side_by_side(window: Window, picture: Picture) -> None:
    window.go(PLAN, *TOPIC, CHANGED)
    expect(window.page.locator(".half del")).to_have_text(["Explain", "in one sentence", "0.75"])
    expect(window.page.locator(".half ins")).to_have_text(["Write", "down briefly", "0.5"])
    picture(window, "compare")
    assert window.faults() == []


def test_a_lesson_that_is_gone_shows_what_it_was(window: Window) -> None:
    window.go(PLAN, *TOPIC, GONE)
    expect(window.title).to_have_text("Completing the square")
    expect(window.page.locator(".notice")).to_contain_text("gone from the plan")
    expect(window.page.locator(".stage")).not_to_have_count(0)


def test_a_new_lesson_is_marked_as_new(window: Window) -> None:
    window.go(PLAN, *TOPIC, ADDED)
    expect(window.page.locator(".head .badge.change")).to_have_text(["New"])
    expect(window.page.locator(".both")).to_have_count(0)


def test_findings_stand_where_they_are(window: Window) -> None:
    window.go(ARABIC_PLAN)
    finding = window.page.locator(".findings .notice")
    expect(finding).to_contain_text(f"W202 Memora Lesson '{GONE}' does not exist")
    expect(finding).to_contain_text(f"content-snapshot/plans/{ARABIC_PLAN}.yaml")


def test_by_keyboard_alone(window: Window) -> None:
    page = window.page
    window.go(PLAN)
    page.keyboard.press("Escape")
    expect(window.row("Mathematics")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    for title, below in (("Mathematics", "First semester"), ("First semester", "Functions")):
        page.keyboard.press("ArrowRight")
        expect(window.row(title)).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("ArrowRight")
        expect(window.row(below)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(window.row("First semester")).to_be_focused()
    page.keyboard.press("End")
    expect(window.row("Computer Science")).to_be_focused()
    page.keyboard.type("phy")
    expect(window.row("Physics")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Who may open it")
    page.keyboard.press("Escape")
    expect(window.row("Physics")).to_be_focused()
    page.keyboard.press("Enter")
    expect(window.title).to_have_text("Physics")
    page.keyboard.press("/")
    page.keyboard.type("osmosis")
    expect(page.locator("#result-0")).to_contain_text("Osmosis")
    page.keyboard.press("Enter")
    expect(window.title).to_have_text("Osmosis")
    page.keyboard.press("Escape")
    expect(window.row("Osmosis")).to_be_focused()
    tabs = page.get_by_role("treeitem").and_(page.locator("[tabindex='0']"))
    expect(tabs).to_have_count(1)


def test_dark_as_the_machine_or_by_choice(browser: Browser, preview: str, picture: Picture) -> None:
    with opened(browser, preview, scheme="dark") as window:
        window.go(ARABIC_PLAN, *ARABIC_LESSON)
        assert _darkness(window) < 60
        picture(window, "arabic-dark")
        assert window.faults() == []
        button = window.page.get_by_role("button", name=re.compile("Colours as on this machine"))
        button.click()
        assert _darkness(window) > 200
        window.page.reload()
        window.settled()
        assert _darkness(window) > 200


def _darkness(window: Window) -> int:
    colour = window.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return int(re.findall(r"\d+", colour)[0])


def test_on_a_phone_one_drills_down(phone: Window, picture: Picture) -> None:
    phone.go(PLAN)
    picture(phone, "phone")
    assert not phone.is_too_wide()
    expect(phone.page.get_by_role("tree")).to_be_hidden()
    for link in ("Mathematics", "Quadratic functions", "Where the parabola meets the axes"):
        phone.page.locator("main").get_by_role("link", name=link, exact=True).first.click()
        expect(phone.title).to_have_text(link)
        assert not phone.is_too_wide()
    expect(phone.page.locator(".stage").first).to_be_visible()
    assert phone.faults() == []
    phone.page.locator(".crumbs a").first.click()
    expect(phone.title).to_have_text("Grade 12 Scientific 2026/2027")


@pytest.mark.parametrize(
    "ids",
    [(PLAN,), (PLAN, "SUBJECT-MATH"), (PLAN, *TOPIC), (PLAN, *TOPIC, "LESSON-MATH-001")],
    ids=["plan", "subject", "topic", "lesson"],
)
def test_no_page_keeps_anybody_out(window: Window, ids: tuple[str, ...]) -> None:
    window.go(*ids)
    assert window.faults() == []


def test_a_plan_in_arabic_runs_from_the_right(window: Window, picture: Picture) -> None:
    window.go(ARABIC_PLAN, *ARABIC_LESSON[:-1])
    tree, main = (window.page.locator(one).bounding_box() for one in ("#tree", "main"))
    assert tree is not None
    assert main is not None
    assert tree["x"] > main["x"]
    expect(window.page.locator("main article")).to_have_attribute("dir", "rtl")
    picture(window, "arabic")
    assert window.faults() == []


def test_an_address_that_leads_nowhere_shows_the_nearest(window: Window) -> None:
    window.go(PLAN, "SUBJECT-MATH", "NOWHERE")
    expect(window.title).to_have_text("Mathematics")
    expect(window.page.locator("main")).to_contain_text("not in this plan")
