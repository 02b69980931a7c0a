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


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where stages of the story are kept once a test has reached them."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def place(tmp_path: Path, kept: Path, made_site: Path) -> Place:
    """Return a repository with a site and a configuration, and no snapshot yet."""
    return _copy(_begun(kept, made_site), tmp_path)


@pytest.fixture
def school(tmp_path: Path, kept: Path, made_site: Path) -> Place:
    """Return the repository after its first snapshot."""
    return _copy(_reached(kept, made_site, "snapshot"), tmp_path)


@pytest.fixture
def live(tmp_path: Path, kept: Path, made_site: Path) -> Place:
    """Return the repository after its first publish."""
    return _copy(_reached(kept, made_site, "snapshot", "publish"), tmp_path)


def _copy(stage: Path, folder: Path) -> Place:
    shutil.copytree(stage, folder / "content")
    return Place(folder / "content")


def _reached(kept: Path, made_site: Path, *commands: str) -> Path:
    """Return a repository in which these commands were run; each is run once a session."""
    if not commands:
        return _begun(kept, made_site)
    stage = kept / "-".join(commands)
    if not stage.exists():
        making = _copy(_reached(kept, made_site, *commands[:-1]), kept / "making")
        making.exporter(commands[-1])
        making.git("repack", "-adq")
        making.root.rename(stage)
    return stage


def _begun(kept: Path, made_site: Path) -> Path:
    stage = kept / "begun"
    if not stage.exists():
        stage.mkdir()
        place = Place(stage)
        place.git("init", "--quiet", "--initial-branch=main")
        place.config.write_text(CONFIG, encoding="utf-8")
        (stage / ".gitignore").write_text("/public/\n/.exporter/\n/build/\n*.db\n", "utf-8")
        place.commit_all("A content repository")
        shutil.copyfile(made_site, stage / "site.db")
    return stage
