"""A snapshot is killed at every file operation, around and in every git call; the next is right.

Each way of taking one has a world of its own: a clone, its remote, and what people did meanwhile.
`EXPORTER_THOROUGH=1` tries every point, and every system call by which a git changes a file (with
strace); a quick run tries one point of every kind, and git's own hooks and filters.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from exporter.content.repository import Repository
from exporter.content.snapshot import SnapshotOptions, take_snapshot
from exporter.core.model import LESSON, PLAN, TOPIC
from exporter.errors import GitError
from exporter.source.database import open_source
from tests.content.one_snapshot import FOLDER
from tests.content.one_snapshot import run as take
from tests.content.school_repository import git
from tests.frappe_site import FrappeSite

OPTIONS = SnapshotOptions(FOLDER)
ROOT = Path(__file__).parents[2]
THOROUGH = os.environ.get("EXPORTER_THOROUGH") == "1"

READING = tuple(
    f"subprocess.Popen git {call}"
    for call in (
        "cat-file", "diff-tree", "hash-object", "log", "ls-remote", "ls-tree", "merge-base",
        "remote", "rev-parse", "show", "status", "symbolic-ref", "var", "worktree list",
    )
)  # fmt: skip
"""The gits that change nothing."""

TRACED = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,rmdir,write,ftruncate,chmod"
GIT = """\
#!/bin/sh
# git, but one that $KILL_CALL names dies at its n-th system call that changes a file.
case "$*" in *"$KILL_CALL"*) ;; *) exec {real} "$@" ;; esac
strace -qq -o /dev/null -e trace={traced} -e inject={traced}:signal=KILL:when="$KILL_AT" {real} "$@"
status=$?
[ $status = 137 ] && kill -9 "$EXPORTER_PID"
exit $status
"""
HOOK = """\
#!/bin/sh
# A hook or filter of git: it kills that git, and the exporter that waits for it.
me="$(basename "$0") $1"
case "$me" in "${KILL_CALL:-none}"*) kill -9 "$EXPORTER_PID" "$PPID" ;; esac
case "$0" in */filter) cat ;; esac
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


def title(site: FrappeSite, text: str) -> None:
    site.execute("UPDATE `tabMemora Lesson` SET title = :text WHERE name = 'L1'", text=text)


State = tuple[list[str], list[str], str]


@dataclass
class World:
    """A clone and its remote in `folder`, brought back to how they were before each kill."""

    folder: Path
    site: FrappeSite
    scenario: str
    process: subprocess.Popen[str]

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def way(self) -> str:
        return self.scenario.split(", ")[0]

    def begin(self) -> None:
        """Take a first snapshot, let things happen, and remember how all of it lies."""
        git(self.folder, "init", "-q", "--bare", "--template=", "remote.git")
        git(self.folder, "clone", "-q", "--template=", str(self.folder / "remote.git"), "clone")
        (self.clone / "README").write_text("school")
        self.commit("Begin")
        take("push", self.clone, self.database)
        if self.scenario.startswith("push, a race"):
            self.somebody_else_takes_a_snapshot("main")
        if self.scenario == "push, a race with people's commits":
            (self.clone / "notes").write_text("mine")
            self.commit("Mine")
            title(self.site, "Unsent")
            take("plain", self.clone, self.database)
        if self.scenario == "branch, a race":
            take("branch", self.clone, self.database)
            self.somebody_else_takes_a_snapshot("content")
        edit(self.site)
        shutil.copytree(self.folder, self.pristine, symlinks=True)

    def commit(self, message: str) -> None:
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "-q", "-m", message)

    def somebody_else_takes_a_snapshot(self, branch: str) -> None:
        """Let the remote have what the clone has not: a snapshot, and a person's commit."""
        other = self.folder / "other"
        git(self.folder, "clone", "-q", "--template=", str(self.folder / "remote.git"), "other")
        git(other, "checkout", "-q", "-B", branch)
        (other / "README").write_text("the school of somebody else")
        (other / "run.sh").write_text("#!/bin/sh\n")
        (other / "run.sh").chmod(0o755)
        git(other, "add", "--all")
        git(other, "commit", "-q", "-m", "Theirs")
        title(self.site, "Theirs")
        take("push", other, self.database)
        title(self.site, "Ours, not sent")
        take("plain", self.clone, self.database)
        shutil.rmtree(other)

    @property
    def database(self) -> str:
        return self.site.url.removeprefix("sqlite:///")

    @property
    def pristine(self) -> Path:
        return self.folder.with_name("pristine")

    def restore(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self.pristine, self.folder, symlinks=True)

    def take(self, at: int = -1, *, way: str = "", **environment: str) -> tuple[int, list[str]]:
        """Take a snapshot that is killed at some point; its exit status, and what it did."""
        request = {
            "way": way or self.way,
            "root": str(self.clone),
            "database": self.database,
            "at": str(at),
            "environment": environment,
        }
        pipes: tuple[IO[str] | None, IO[str] | None] = (self.process.stdin, self.process.stdout)
        asking, answering = pipes
        assert asking
        assert answering
        print(json.dumps(request), file=asking, flush=True)
        status, done = json.loads(answering.readline())
        return status, done.splitlines()

    def state(self) -> State:
        """Return the trees, the subjects and what is not committed."""
        ref = "content" if self.way == "branch" else "main"
        where = [self.clone] if self.way in ("plain", "full") else [self.clone, self.remote]
        trees = [git(each, "rev-parse", f"{ref}^{{tree}}") for each in where]
        if self.way == "branch":
            trees.append(git(self.clone, "rev-parse", "HEAD^{tree}"))
        subjects = [git(each, "log", "--format=%s", ref) for each in where]
        return trees, subjects, git(self.clone, "status", "--porcelain")

    def one_of_a_kind(self, done: list[str]) -> list[int]:
        """Return one point of each kind; of those that a plain snapshot has too, some."""
        self.restore()
        _, plain = self.take(at=0, way="plain")
        kinds = [kind for kind in dict.fromkeys(done) if not kind.startswith(READING)]
        common = [kind for kind in kinds if kind in plain]
        if self.scenario != "plain":
            common = common[SCENARIOS.index(self.scenario) :: 5]
        return [done.index(kind) for kind in kinds if kind in common or kind not in plain]

    @property
    def remote(self) -> Path:
        return self.folder / "remote.git"

    def finish(self) -> State:
        """Take the next snapshot; return what it left, where nothing is left over."""
        status, done = self.take()
        assert status == 0, "\n".join(done)
        leavings = ("*.lock", ".~snapshot", "moving.*", "intent.json", "*rebase*", "aside")
        found = [path for each in leavings for path in self.folder.rglob(each)]
        assert found == [], "something is left over"
        folders = [path for path in (self.clone / FOLDER).rglob("*") if path.is_dir()]
        assert all(any(path.iterdir()) for path in folders), "an empty folder is left"
        return self.state()


SCENARIOS = (
    "plain",
    "full",
    "push",
    "push, a race",
    "push, a race with people's commits",
    "branch",
    "branch, a race",
)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path, site: FrappeSite) -> Iterator[World]:
    folder = tmp_path / "world"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.content.one_snapshot"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        found = World(folder, site, request.param, process)
        found.begin()
        yield found
        assert process.stdin
        process.stdin.close()


@pytest.mark.parametrize("world", SCENARIOS, indirect=True)
def test_killed_at_every_file_operation_and_git_call(world: World) -> None:
    status, done = world.take(at=0)
    assert status == 0, done
    right = world.finish()
    points = range(len(done)) if THOROUGH else world.one_of_a_kind(done)
    assert len(points) >= 5, done
    for point in points:
        world.restore()
        assert world.take(at=point + 1)[0] == -signal.SIGKILL, done[point]
        assert world.finish() == right, (point, done[point])


@pytest.mark.parametrize(
    ("world", "seam"),
    [
        ("plain", "reference-transaction prepared"),
        ("plain", "reference-transaction committed"),
        ("push", "pre-push"),
        ("push, a race", "reference-transaction prepared"),
        ("push, a race", "filter"),
        ("push, a race with people's commits", "reference-transaction prepared"),
        ("push, a race with people's commits", "filter"),
        ("branch", "reference-transaction prepared"),
        ("branch", "filter"),
        ("branch, a race", "reference-transaction committed"),
        ("branch, a race", "filter"),
    ],
    indirect=["world"],
)
def test_killed_together_with_its_git(world: World, tmp_path: Path, seam: str) -> None:
    """A git dies while it holds a ref or an index, or has written a part of the files."""
    right = world.finish()
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "pre-push", "filter"):
        (hooks / name).write_text(HOOK)
        (hooks / name).chmod(0o755)
    world.restore()
    git(world.clone, "config", "core.hooksPath", str(hooks))
    if seam == "filter":
        git(world.clone, "config", "filter.kill.smudge", str(hooks / "filter"))
        (world.clone / ".git/info").mkdir(exist_ok=True)
        (world.clone / ".git/info/attributes").write_text("*.yaml filter=kill\n")
    status, done = world.take(KILL_CALL=seam)
    assert status == -signal.SIGKILL, done
    assert world.finish() == right


def _gits(done: list[str]) -> list[str]:
    calls = [line for line in dict.fromkeys(done) if "Popen git" in line]
    return [line.partition(" git ")[2] for line in calls if not line.startswith(READING)]


if THOROUGH:

    @pytest.mark.parametrize("world", SCENARIOS, indirect=True)
    def test_killed_inside_every_git_at_every_change(world: World, tmp_path: Path) -> None:
        _, done = world.take(at=0)
        right = world.finish()
        shim = tmp_path / "bin" / "git"
        shim.parent.mkdir()
        shim.write_text(GIT.format(real=shutil.which("git"), traced=TRACED))
        shim.chmod(0o755)
        path = f"{shim.parent}:{os.environ['PATH']}"
        kills = dict.fromkeys(_gits(done), 0)
        for call in kills:
            for at in range(1, 1000):
                world.restore()
                status, _ = world.take(PATH=path, KILL_CALL=call, KILL_AT=str(at))
                assert world.finish() == right, (call, at)
                if status == 0:
                    break
                assert status == -signal.SIGKILL, (call, at)
                kills[call] += 1
        assert sum(kills.values()) > 20, kills


def test_a_stale_index_lock_of_a_dead_run_is_removed(
    site: FrappeSite, repository: Repository
) -> None:
    edit(site)
    private = repository.private_dir
    (private / "index.mark").write_bytes(b"an exporter snapshot is changing the index\n")
    os.link(private / "index.mark", private.parent / "index.lock")
    assert finish(repository, site)[0] == ""


def test_somebody_elses_index_lock_is_respected(
    site: FrappeSite, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.content.index._WAIT_S", 0.2)
    edit(site)
    lock = repository.private_dir.parent / "index.lock"
    lock.write_bytes(b"")
    before = repository.head()
    with pytest.raises(GitError, match="another git holds") as caught:
        take_snapshot(repository, open_source(site.url), OPTIONS)
    assert "delete that file" in caught.value.hint
    assert lock.exists()
    lock.unlink()
    assert repository.head() == before
    assert finish(repository, site) == ("", "2")


@pytest.mark.parametrize("content", ["", "the commit"])
def test_a_branch_locked_by_a_dead_run_is_freed(
    site: FrappeSite, repository: Repository, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr("exporter.content.index._WAIT_S", 0.1)
    edit(site)
    sha = "1" * 40 + "\n"
    branch = repository.git("symbolic-ref", "HEAD").decode().strip()
    (repository.private_dir / "moving.dead").write_text(f"{sha}HEAD\n{branch}")
    for lock in ("HEAD.lock", f"{branch}.lock"):
        (repository.root / ".git" / lock).write_text(sha if content else "")
    assert finish(repository, site) == ("", "2")


@pytest.mark.parametrize("world", ["plain"], indirect=True)
def test_a_file_that_somebody_edited_after_the_crash_stays(world: World) -> None:
    _, done = world.take(at=0)
    world.restore()
    written = next(at for at, line in enumerate(done, 1) if "os.rmdir" in line or "os.link" in line)
    assert world.take(at=written)[0] == -signal.SIGKILL
    file = world.clone / FOLDER / "subjects/S/T/U/P/L1.yaml"
    file.write_text("name: L1\ntitle: mine\n")
    status, told = world.take()
    assert status == 1
    assert "1 uncommitted change below" in "".join(told)
    assert file.read_text() == "name: L1\ntitle: mine\n"


def finish(repository: Repository, site: FrappeSite) -> tuple[str, str]:
    """Take a snapshot; return what is not committed, and the number of commits."""
    take_snapshot(repository, open_source(site.url), OPTIONS)
    assert list(repository.private_dir.parent.rglob("*.lock")) == []
    root = repository.root
    return git(root, "status", "--porcelain"), git(root, "rev-list", "--count", "HEAD")
