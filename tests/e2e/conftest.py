"""The demo school as a content repository: made once a process, then copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exporter.demo.site import create_site
from tests.e2e.command_line import AUTHOR, Place

CONFIG = f"""\
source:
  url: sqlite:///site.db
snapshot:
  author: {AUTHOR}
targets:
  local:
    store: ./public/memora_content
    state: ./.exporter/local
"""


@pytest.fixture(scope="session")
def made_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the demo school's SQLite site."""
    file = tmp_path_factory.mktemp("site") / "site.db"
    create_site(file)
    return file


@pytest.fixture
def place(tmp_path: Path, made_site: Path) -> Place:
    """Return a repository with a site and a configuration, and no snapshot yet."""
    place = Place(tmp_path / "content")
    place.root.mkdir()
    place.git("init", "--quiet", "--initial-branch=main")
    place.config.write_text(CONFIG, encoding="utf-8")
    (place.root / ".gitignore").write_text("/public/\n/.exporter/\n/build/\n*.db\n", "utf-8")
    place.commit_all("A content repository")
    shutil.copyfile(made_site, place.root / "site.db")
    return place


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where stages of the story are kept once a test has reached them."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def school(place: Place, kept: Path) -> Place:
    """Return the repository after its first snapshot."""
    _reach(place, kept, "snapshot")
    return place


@pytest.fixture
def live(school: Place, kept: Path) -> Place:
    """Return the repository after its first publish."""
    _reach(school, kept, "publish")
    return school


def _reach(place: Place, kept: Path, command: str) -> None:
    """Run a command, or take the folder as it was after an earlier run of it."""
    stage = kept / command
    if not stage.exists():
        place.exporter(command)
        shutil.copytree(place.root, stage)
        return
    shutil.rmtree(place.root)
    shutil.copytree(stage, place.root)
