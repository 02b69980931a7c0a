"""This repository's own `content-snapshot/` is what the tool makes of the demo school."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from exporter.config import load_config
from exporter.content.repository import Repository
from exporter.content.snapshot import SnapshotOptions, take_snapshot
from exporter.demo.site import create_site
from exporter.source.database import open_source

ROOT = Path(__file__).parents[2]


def _files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_the_committed_snapshot_is_the_demo_school_as_the_tool_writes_it(tmp_path: Path) -> None:
    create_site(tmp_path / "site.db")
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    source = open_source(f"sqlite:///{tmp_path / 'site.db'}")
    options = SnapshotOptions("content-snapshot", author="Test <test@example.org>")
    take_snapshot(Repository(tmp_path / "repo"), source, options)
    made = _files(tmp_path / "repo" / "content-snapshot")
    assert made == _files(ROOT / "content-snapshot"), "run `make snapshot`"


def test_the_configuration_at_the_root_is_sound(tmp_path: Path) -> None:
    shutil.copy(ROOT / "exporter.yaml", tmp_path)
    config = load_config(tmp_path / "exporter.yaml", {})
    assert config.snapshot.path == "content-snapshot"
    assert config.target().store == "./public/memora_content"
