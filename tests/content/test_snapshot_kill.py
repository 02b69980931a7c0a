"""A snapshot is killed at every file operation and around every git call; the next run is right."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.content.repository import Repository
from exporter.content.snapshot import SnapshotOptions, take_snapshot
from exporter.core.model import LESSON, PLAN, TOPIC
from exporter.errors import GitError
from exporter.source.database import open_source
from tests.frappe_site import FrappeSite

OPTIONS = SnapshotOptions("content-snapshot")
ROOT = Path(__file__).parents[2]
EVERY = 1 if os.environ.get("EXPORTER_THOROUGH") == "1" else 4
"""In a quick run each n-th point is tried, another set in each scenario."""

GIT = """\
#!/bin/sh
# git, but the n-th call kills whoever made it: before it starts, or after it has ended.
real={real}
case "$*" in *"$KILL_CALL"*) ;; *) exec "$real" "$@" ;; esac
if [ "$KILL_WHEN" = before ]; then kill -9 $PPID; exit 1; fi
"$real" "$@" > /dev/null
kill -9 $PPID
"""


@pytest.fixture
def site(tmp_path: Path) -> FrappeSite:
    site = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    site.add(PLAN, "P1", title="Plan")
    site.add_branch()
    for name in ("L2", "L3", "L4"):
        site.add(LESSON, name, title=name, parent_topic="P")
        site.add_stage(name, 1, {"text": name})
    site.add(TOPIC, "Q", title="Other topic", parent_unit="U")
    return site


@pytest.fixture
def repository(tmp_path: Path, site: FrappeSite) -> Repository:
    subprocess.run(["git", "init", "-q", str(tmp_path / "clone")], check=True)
    repository = Repository(tmp_path / "clone")
    take_snapshot(repository, open_source(site.url), OPTIONS)
    return repository


def edit(site: FrappeSite) -> None:
    """Change, add, delete, move and orphan."""
    site.execute("UPDATE `tabMemora Lesson` SET title = 'New' WHERE name = 'L1'")
    site.execute("UPDATE `tabMemora Lesson` SET parent_topic = 'Q' WHERE name = 'L2'")
    site.execute("UPDATE `tabMemora Lesson` SET parent_topic = 'ghost' WHERE name = 'L3'")
    site.execute("DELETE FROM `tabMemora Lesson` WHERE name = 'L4'")
    site.add(TOPIC, "N", title="New topic", parent_unit="U")
    site.add(LESSON, "L5", title="New lesson", parent_topic="N")


def run(repository: Path, site: FrappeSite, at: int, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.content.one_snapshot", str(at), str(repository)]
    command.append(site.url.removeprefix("sqlite:///"))
    found = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    return found.returncode, found.stderr


def state(folder: Path) -> tuple[str, str, int]:
    """Return the snapshot folder's tree, what is not committed, and the number of commits."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    tree = git("rev-parse", "HEAD:content-snapshot")
    return tree, git("status", "--porcelain"), int(git("rev-list", "--count", "HEAD"))


def finish(folder: Path, site: FrappeSite) -> tuple[str, str, int]:
    take_snapshot(Repository(folder), open_source(site.url), OPTIONS)
    left = [path.name for path in folder.rglob(".~snapshot")]
    assert left == [], "temporary files are left"
    assert sorted(path.name for path in (folder / ".git").glob("*.lock")) == []
    fresh = [path for path in (folder / "content-snapshot").rglob("*") if path.is_dir()]
    assert all(any(path.iterdir()) for path in fresh), "an empty folder is left"
    return state(folder)


def test_killed_at_every_file_operation(
    tmp_path: Path, site: FrappeSite, repository: Repository
) -> None:
    edit(site)
    shutil.copytree(repository.root, tmp_path / "whole")
    status, events = run(tmp_path / "whole", site, 0)
    assert status == 0, events
    right = state(tmp_path / "whole")
    total = events.count("event ")
    assert total > 40, events
    for at in range(1, total + 1, EVERY):
        copy = tmp_path / "copy"
        shutil.copytree(repository.root, copy, symlinks=True)
        assert run(copy, site, at)[0] == -signal.SIGKILL, at
        assert finish(copy, site) == right, (at, events.splitlines()[at - 1])
        shutil.rmtree(copy)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call",
    ["read-tree", "--stdin", "write-tree", "commit-tree", "update-ref", "cat-file", "status"],
)
def test_killed_around_a_git_call(
    tmp_path: Path, site: FrappeSite, repository: Repository, call: str, when: str
) -> None:
    edit(site)
    shutil.copytree(repository.root, tmp_path / "whole")
    right = finish(tmp_path / "whole", site)
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(GIT.format(real=shutil.which("git")))
    shim.chmod(0o755)
    path = f"{shim.parent}:{os.environ['PATH']}"
    status, events = run(repository.root, site, -1, PATH=path, KILL_CALL=call, KILL_WHEN=when)
    assert status == -signal.SIGKILL, events
    assert finish(repository.root, site) == right


def test_a_stale_index_lock_of_a_dead_run_is_removed(
    site: FrappeSite, repository: Repository
) -> None:
    edit(site)
    private = repository.private_dir
    (private / "index.mark").write_bytes(b"an exporter snapshot is changing the index\n")
    os.link(private / "index.mark", private.parent / "index.lock")
    assert finish(repository.root, site)[1] == ""


def test_somebody_elses_index_lock_is_respected(
    site: FrappeSite, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.content.index._WAIT_S", 0.2)
    edit(site)
    lock = repository.private_dir.parent / "index.lock"
    lock.write_bytes(b"")
    before = state(repository.root)[0]
    with pytest.raises(GitError, match="another git holds") as caught:
        take_snapshot(repository, open_source(site.url), OPTIONS)
    assert "delete that file" in caught.value.hint
    assert lock.exists()
    lock.unlink()
    assert state(repository.root)[0] == before
    assert finish(repository.root, site)[1:] == ("", 2)


@pytest.mark.parametrize("content", ["", "the commit"])
def test_a_branch_locked_by_a_dead_run_is_freed(
    site: FrappeSite, repository: Repository, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr("exporter.content.index._WAIT_S", 0.1)
    edit(site)
    sha = "1" * 40 + "\n"
    (repository.private_dir / "moving").write_text(sha)
    branch = repository.git("symbolic-ref", "HEAD").decode().strip()
    for lock in ("HEAD.lock", f"{branch}.lock"):
        (repository.root / ".git" / lock).write_text(sha if content else "")
    assert finish(repository.root, site)[1:] == ("", 2)


def test_a_file_that_somebody_edited_after_the_crash_stays(
    site: FrappeSite, repository: Repository
) -> None:
    edit(site)
    shutil.copytree(repository.root, repository.root.parent / "whole")
    _, events = run(repository.root.parent / "whole", site, 0)
    written = events.splitlines().index(
        next(line for line in events.splitlines() if "os.rmdir" in line or "os.link" in line)
    )
    assert run(repository.root, site, written)[0] == -signal.SIGKILL
    files = repository.root / "content-snapshot/subjects/S/T/U/P"
    (files / "L1.yaml").write_text("name: L1\ntitle: mine\n")
    with pytest.raises(Exception, match="1 uncommitted change below"):
        take_snapshot(repository, open_source(site.url), OPTIONS)
    assert (files / "L1.yaml").read_text() == "name: L1\ntitle: mine\n"
