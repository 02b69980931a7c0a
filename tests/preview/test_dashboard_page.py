"""The dashboard as its user has it: the real commands, in a real browser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from exporter.preview.dashboard import dashboard
from tests.cli.running import run
from tests.preview.conftest import IS_MAKING_PICTURES, PICTURES
from tests.preview.previewing import PHONE, content_copy, opened
from tests.preview.reports import PAGES, calm, troubled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the addresses of the pages of two made-up targets."""
    folder = tmp_path_factory.mktemp("dashboards")
    addresses = {}
    for name, made in (("troubled", troubled), ("calm", calm)):
        file = folder / f"{name}.html"
        file.write_bytes(dashboard(*made()).html)
        addresses[name] = file.as_uri()
    return addresses


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, isolated_home: Path) -> Iterator[Path]:
    """Return a repository of the demo school, published, with a commit that waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(isolated_home / "gitconfig"))
        root = content_copy(tmp_path_factory.mktemp("published"))
        git = ["git", "-C", str(root)]
        origin = "https://bot:a-secret@github.com/school/content.git"
        subprocess.run([*git, "remote", "add", "origin", origin], check=True)
        assert run(root, "publish").status == 0
        lesson = next((root / "content-snapshot" / "subjects").rglob("LESSON-MATH-001.yaml"))
        lesson.write_text(lesson.read_text("utf-8").replace("parabola", "curve"), "utf-8")
        message = "A better word for <b>parabola</b>\u2028أفضل"
        subprocess.run([*git, "commit", "--quiet", "-am", message], check=True)
        yield root


def test_a_published_page_tells_what_status_tells(
    published: Path, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "status.html"
    report = run(published, "status", "--json", "--html", str(file)).report
    assert run(published, "releases", "--json").report["commit_subjects"] == {
        report["live"]["commit"]: "The demo school"
    }
    assert "a-secret" not in file.read_text(encoding="utf-8") + json.dumps(report)
    with opened(browser, file.as_uri()) as window:
        window.page.goto(window.address)
        page = window.page
        expect(page.locator("h1")).to_have_text("1 commit waits to be published")
        expect(page.locator(".live code").first).to_have_text(report["live"]["id"])
        expect(page.locator("#waiting .commit")).to_contain_text(
            "A better word for <b>parabola</b>"
        )
        (waiting,) = report["unpublished_commits"]
        link = page.locator("#waiting .commit a")
        expect(link).to_have_attribute("href", f"{PAGES}{waiting['commit']}")
        expect(page.locator("#waiting .chips li")).to_have_count(len(report["unpublished_plans"]))
        expect(page.locator("#releases tbody tr")).to_have_count(1)
        assert window.faults() == []


def test_a_page_that_cannot_be_written_is_told(published: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = run(published, "status", "--html", str(tmp_path / "file" / "page.html"))
    assert (said.status, said.out) == (4, "")
    assert said.err.startswith(f"the page cannot be written to {tmp_path}/file/page.html: ")


def test_the_preview_leads_to_the_dashboard_and_back(browser: Browser, preview: str) -> None:
    with opened(browser, preview) as window:
        window.page.goto(preview)
        window.settled()
        window.page.get_by_role("link", name="Status").click()
        expect(window.page.locator("h1")).to_have_text("Nothing was published yet")
        expect(window.page.locator(".brand")).to_have_text("local")
        assert window.faults() == []
        window.page.get_by_role("link", name="Preview").click()
        window.settled()


def test_a_target_that_is_none_is_told_with_the_way_back(browser: Browser, preview: str) -> None:
    with opened(browser, preview) as window:
        window.page.goto(f"{preview}status/%3Cb%3E")
        expect(window.page.locator(".hero")).to_contain_text('exporter.yaml has no target "<b>"')
        expect(window.page.get_by_role("link", name="local")).to_have_attribute(
            "href", "/status/local"
        )
        window.said.clear()  # the browser notes that the answer was no page


@pytest.mark.parametrize(
    ("name", "scheme"), [("troubled", "light"), ("troubled", "dark"), ("calm", "light")]
)
def test_by_day_and_by_night_everybody_can_read_it(
    browser: Browser, files: dict[str, str], name: str, scheme: str
) -> None:
    with opened(browser, files[name], scheme=scheme) as window:
        window.page.goto(window.address)
        shade = window.page.evaluate(
            "Number(getComputedStyle(document.body.parentElement).backgroundColor.match(/\\d+/)[0])"
        )
        assert shade < 60 if scheme == "dark" else shade > 200
        assert window.faults() == []
        assert not window.is_too_wide()
        keep(window.page, f"{name}-{scheme}")
        if scheme == "dark":
            window.page.set_viewport_size({"width": 1360, "height": 1400})
            keep(window.page.locator("#releases"), "releases")


def test_on_a_phone_nothing_is_cut_off(browser: Browser, files: dict[str, str]) -> None:
    with opened(browser, files["troubled"], size=PHONE) as window:
        window.page.goto(window.address)
        keep(window.page, "phone")
        for fold in window.page.locator("summary").all():
            fold.click()
        assert not window.is_too_wide()
        assert window.faults() == []
        cells = window.page.locator("#releases tbody tr").first.get_by_role("cell")
        lefts = [box["x"] for cell in cells.all()[:2] if (box := cell.bounding_box())]
        assert len(set(lefts)) == 1, "a release is a block, not a row"
        cut = window.page.evaluate(
            "[...document.querySelectorAll('main *:not(.unseen):not(svg *)')].filter(e =>"
            " e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('thead'))"
            ".map(e => e.outerHTML.slice(0, 80))"
        )
        assert cut == []


def test_bars_stand_on_their_floor_and_stay_in_their_chart(
    browser: Browser, files: dict[str, str]
) -> None:
    with opened(browser, files["troubled"]) as window:
        window.page.goto(window.address)
        boxes = window.page.evaluate(
            "[...document.querySelectorAll('.bars g rect:not(.slot)')].map(e => {"
            " const a = e.getBoundingClientRect(), b = e.closest('svg').getBoundingClientRect();"
            " return [a.height, b.bottom - a.bottom, a.top - b.top, a.left - b.left]; })"
        )
    heights, floors, tops, lefts = zip(*boxes, strict=True)
    releases = [one for one in troubled()[1]["releases"] if one["files_put"]]
    assert len(boxes) == 2 * len(releases) + len(troubled()[1]["releases"])
    assert min(heights) > 0.5
    assert max(map(abs, floors)) < 1
    assert min(tops) > 0
    assert min(lefts) > 0


def test_printed_it_is_dark_on_white(browser: Browser, files: dict[str, str]) -> None:
    with opened(browser, files["troubled"], scheme="dark") as window:
        window.page.goto(window.address)
        window.page.emulate_media(media="print")
        colours = window.page.evaluate(
            "[getComputedStyle(document.body).color,"
            " getComputedStyle(document.querySelector('.part')).backgroundColor]"
        )
        assert colours == ["rgb(29, 36, 34)", "rgb(255, 255, 255)"]


def keep(shown: Page | Locator, name: str) -> None:
    """Keep a picture for the documentation, when asked to make them."""
    if IS_MAKING_PICTURES:
        PICTURES.mkdir(exist_ok=True)
        shown.screenshot(path=PICTURES / f"dashboard-{name}.png")
