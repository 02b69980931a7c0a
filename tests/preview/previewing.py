"""The preview as its user has it: the real command, and a real browser that is watched.

A `Window` notes what its page says and asks for. When a test is done with it, nothing may have gone
wrong in the page and nothing may have left the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.cli.running import commit_all
from tests.server_process import ServerMissing

__all__ = ["SCHOOL", "Window", "browsing", "content_copy", "opened", "previewing"]

SCHOOL = Path(__file__).parents[2] / "content-snapshot"
"""The demo school's snapshot, which this repository holds."""
CONFIG = """\
source: {url: sqlite:///site.db}
targets: {local: {store: ./public, state: ./.exporter/local}}
"""
TIME_LIMIT_S = 60
DESKTOP, PHONE = (1360, 860), (360, 740)


def content_copy(root: Path) -> Path:
    """Make a repository with the demo school's content, all committed."""
    shutil.copytree(SCHOOL, root / "content-snapshot")
    (root / "exporter.yaml").write_text(CONFIG, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    commit_all(root, "The demo school")
    return root


@contextmanager
def previewing(root: Path, *arguments: str) -> Iterator[str]:
    """Run `exporter preview` in a folder; yield the page's address, and end it as Ctrl-C does."""
    command = [sys.executable, "-W", "error", "-m", "exporter", "-C", str(root), "preview"]
    process = subprocess.Popen(
        [*command, "--no-open", "--json", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=dict(os.environ),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1])
        yield json.loads(line)["url"]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=TIME_LIMIT_S)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, said
    assert "Traceback" not in said, said


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start Chromium.

    Raises:
        ServerMissing: it is not installed.
    """
    programs = ("chromium", "google-chrome")
    program = next((path for name in programs if (path := shutil.which(name))), None)
    if program is None:
        raise ServerMissing("Chromium is not installed: apt-get install chromium fonts-noto-core")
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True)
class Window:
    """A page of the browser at the preview's address."""

    page: Page
    address: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def go(self, *ids: str) -> None:
        """Open a plan, or a node by the ids that lead down to it."""
        address = f"#/{'/'.join(quote(one, safe='') for one in ids)}"
        self.page.goto(self.address + address)
        expect(self.page.locator("main")).to_have_attribute("data-shows", address)
        self.settled()

    def settled(self) -> None:
        """Wait until the page has shown all that it knows."""
        expect(self.page.locator("html[data-ready]")).to_be_attached()
        expect(self.page.locator("main h1")).to_be_visible()

    @property
    def title(self) -> Locator:
        """The heading of what is shown."""
        return self.page.locator("main h1")

    def row(self, title: str) -> Locator:
        """A row of the tree by its title."""
        named = self.page.locator(".title").get_by_text(title, exact=True)
        return self.page.get_by_role("treeitem").filter(has=named)

    def faults(self) -> list[str]:
        """Return the serious faults that axe-core finds for people who cannot see or point."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {one['help']}: {node['html']}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def is_too_wide(self) -> bool:
        """Tell whether the page has to be scrolled sideways."""
        widths = (
            "[...document.querySelectorAll('html, main')].map(e => e.scrollWidth - e.clientWidth)"
        )
        return bool(max(self.page.evaluate(widths)) > 0)

    def get(self, path: str) -> Any:
        """Ask the server for JSON, beside the page."""
        return asked(f"{self.address}{path}")


def asked(address: str) -> Any:
    """Return the JSON at an address of this machine."""
    with urlopen(address) as answer:  # noqa: S310 - the preview's own
        return json.load(answer)


@contextmanager
def opened(
    browser: Browser, address: str, *, size: tuple[int, int] = DESKTOP, scheme: str = "light"
) -> Iterator[Window]:
    """Open a window; in the end nothing may have gone wrong, and nothing have left the machine."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.set_default_timeout(TIME_LIMIT_S * 1000)
    expect.set_options(timeout=TIME_LIMIT_S * 1000)
    window = Window(page, address)
    page.on("console", lambda message: window.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: window.said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: window.said.append(f"dialog: {dialog.message}"))
    context.on("request", lambda request: window.asked.append(request.url))
    yield window
    context.close()
    home = urlsplit(address).netloc
    assert window.said == []
    assert [url for url in window.asked if urlsplit(url).netloc != home] == []
