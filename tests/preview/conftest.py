"""Chromium for the tests of the page, and one preview of the demo school that they share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.preview.changes import edit_school
from tests.preview.previewing import browsing, content_copy, previewing
from tests.server_process import ServerMissing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
IS_MAKING_PICTURES = os.environ.get("EXPORTER_PICTURES") == "1"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a running Chromium."""
    with ExitStack() as running:
        try:
            started = running.enter_context(browsing())
        except ServerMissing as missing:
            pytest.skip(f"NOT TESTED: {missing}")
        yield started


@pytest.fixture(scope="session")
def preview(tmp_path_factory: pytest.TempPathFactory, isolated_home: Path) -> Iterator[str]:
    """Return the address of the edited demo school, compared with how it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(isolated_home / "gitconfig"))
        root = content_copy(tmp_path_factory.mktemp("preview"))
        edit_school(root)
        with previewing(root, "--compare", "HEAD") as address:
            yield address


@pytest.fixture(scope="session")
def picture() -> Callable[..., None]:
    """Return what keeps a picture of a window for the documentation, when asked to make them."""

    def keep(window: object, name: str) -> None:
        if IS_MAKING_PICTURES:
            PICTURES.mkdir(exist_ok=True)
            window.page.screenshot(path=PICTURES / f"preview-{name}.png")  # type: ignore[attr-defined]

    return keep
