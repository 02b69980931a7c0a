"""Real `exporter` processes at once, and a push that loses its race: nothing lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from exporter.demo.site import create_site, edit_lesson_title, edit_site
from tests.content.school_repository import git

LESSONS = ("LESSON-MATH-001", "LESSON-MATH-002", "LESSON-MATH-001")
CONFIG = 'source: {{url: "sqlite:///{site}"}}\n'


class World:
    """A site, a bare remote, two clones that take snapshots, and a person's clone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "site.db"
        create_site(self.site, 20)
        self.remote = folder / "remote.git"
        git(folder, "init", "-q", "--bare", "--template=", str(self.remote))
        self.person = self.clone("person")
        (self.person / "exporter.yaml").write_text(CONFIG.format(site=self.site))
        self.person_commits("Begin")
        git(self.person, "push", "-q", "origin", "main")
        self.one, self.two = self.clone("one"), self.clone("two")
        assert self.ended(self.start(self.one, "--push")) == 0

    def clone(self, name: str) -> Path:
        git(self.folder, "clone", "-q", "--template=", str(self.remote), name)
        return self.folder / name

    def edit(self, lesson: str, title: str) -> None:
        with edit_site(self.site) as connection:
            edit_lesson_title(connection, lesson, title)

    def person_commits(self, message: str) -> None:
        (self.person / "README").write_text(message)
        git(self.person, "add", "--all")
        git(self.person, "commit", "-q", "-m", message)

    def start(self, clone: Path, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "exporter", "-C", str(clone), "snapshot", *options]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )

    def ended(self, process: subprocess.Popen[str]) -> int:
        _, error = process.communicate()
        assert "Traceback" not in error
        return process.returncode

    def whole(self, branch: str = "main") -> tuple[str, Counter[str]]:
        """Return the remote's content, and its commits by subject; what was edited is in each."""
        fresh = self.folder / "fresh"
        git(self.folder, "init", "-q", "--template=", str(fresh))
        (fresh / "exporter.yaml").write_text(CONFIG.format(site=self.site))
        assert self.ended(self.start(fresh)) == 0
        tree = git(self.remote, "rev-parse", f"{branch}:content-snapshot")
        assert tree == git(fresh, "rev-parse", "HEAD:content-snapshot")
        return tree, Counter(git(self.remote, "log", "--format=%s", branch).split("\n"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_push_that_a_human_commit_beats(world: World) -> None:
    """The person's push comes between our look at the remote and our push."""
    git(world.person, "pull", "-q")
    world.person_commits("Theirs")
    hook = world.one / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"#!/bin/sh\nunset GIT_DIR\ngit -C {world.person} push -q || true\nrm -f {hook}\n"
    )
    hook.chmod(0o755)
    world.edit(LESSONS[0], "Edited")
    assert world.ended(world.start(world.one, "--push")) == 0
    assert not hook.exists()
    _, subjects = world.whole()
    assert subjects["content: 1 lesson changed (Mathematics)"] == 1
    assert subjects["Theirs"] == 1
    assert git(world.remote, "log", "-2", "--format=%s", "main").split("\n") == [
        "content: 1 lesson changed (Mathematics)",
        "Theirs",
    ]
    assert git(world.one, "rev-parse", "HEAD") == git(world.remote, "rev-parse", "main")


@pytest.mark.parametrize("locked_s", [0, 0.5], ids=["quick remote", "slow remote"])
def test_two_clones_and_a_person_push_at_once(world: World, locked_s: float) -> None:
    """A slow remote keeps the branch locked for longer than git waits for it (0.1 s)."""
    if locked_s:
        hook = world.remote / "hooks" / "reference-transaction"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f'#!/bin/sh\nif [ "$1" = prepared ]; then sleep {locked_s}; fi\n')
        hook.chmod(0o755)
    for number, lesson in enumerate(LESSONS):
        world.edit(lesson, f"Edited {number}")
        git(world.person, "pull", "-q")
        world.person_commits(f"Theirs {number}")
        jobs = [world.start(world.one, "--push"), world.start(world.two, "--push")]
        pushed = subprocess.run(["git", "-C", world.person, "push", "-q"], check=False).returncode
        assert [world.ended(job) for job in jobs] == [0, 0]
        if pushed:
            git(world.person, "pull", "-q", "--rebase")
            git(world.person, "push", "-q")
    _, subjects = world.whole()
    assert subjects["content: 1 lesson changed (Mathematics)"] == len(LESSONS)
    assert {f"Theirs {number}" for number in range(len(LESSONS))} <= subjects.keys()
    assert set(subjects.values()) == {1, len(LESSONS)}


@pytest.mark.parametrize(
    "options", [("--push",), ("--branch", "content", "--push")], ids=["push", "branch"]
)
def test_two_jobs_in_one_clone(world: World, options: tuple[str, ...]) -> None:
    branch = options[1] if "--branch" in options else "main"
    world.edit(LESSONS[0], "Edited")
    jobs = [world.start(world.one, *options) for _ in range(2)]
    statuses = sorted(world.ended(job) for job in jobs)
    assert statuses in ([0, 0], [0, 3])
    _, subjects = world.whole(branch)
    assert subjects["content: 1 lesson changed (Mathematics)"] == 1
    assert git(world.one, "status", "--porcelain") == ""
