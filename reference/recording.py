"""Every command with `--json`, really run: what the schemas' examples are made of.

A small demo school lives through a week in a folder of its own: snapshots, releases, a rollback,
a mistake that holds a plan back, damage on the CDN, failures. The tests check each object against
its schema; `make reference` keeps one of each kind as its example.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from time import sleep
from typing import Any

from exporter.demo.site import create_site, edit_lesson_title, edit_site
from reference.running import run, somebody

__all__ = ["CONFIG", "Recorded", "examples_of", "record"]

PLACE = "/srv/content"
"""What the folder is called in examples."""
CONFIG = """\
source: {url: "sqlite:///site.db"}
targets:
  production: {store: ./public, state: ./.exporter/production}
"""
MEDIA = 'media: {signed: [{prefix: "https://private.example.org/", bucket: films}]}\n'
FILM = """
stages:
  - title: Film
    type: Video
    config:
      url: https://private.example.org/intro.mp4
    weight: 1.0
    target_time: 60
    is_skippable: false
"""
LESSON, OTHER, PLAN = "LESSON-MATH-001", "LESSON-MATH-002", "GRADE-11-BRIDGE-2026"
TARGET = ("--target", "production")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a command printed: the kind that it should be, and how it ended."""

    kind: str
    arguments: tuple[str, ...]
    status: int
    report: Any


@dataclass(slots=True)
class _Week:
    """The folder, and what was recorded in it."""

    root: Path
    recorded: list[Recorded] = field(default_factory=list)

    def run(self, *arguments: str, status: int = 0, kind: str = "") -> None:
        """Run a command as `main` does, and record what it prints."""
        ended, out, err = run(self.root, *arguments, "--json")
        if ended != status:
            raise RuntimeError(f"{arguments} ended with {ended}, not {status}: {err}")
        kind = kind or f"output-{arguments[0]}"
        self.recorded.append(Recorded(kind, arguments, ended, json.loads(out)))

    def serve(self, *arguments: str) -> None:
        """Run a command that goes on, as a process, and end it once it has printed its object."""
        command = [sys.executable, "-m", "exporter", "-C", str(self.root), *arguments, "--json"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as serving:
            line = serving.stdout.readline() if serving.stdout else b""
            serving.terminate()
        report = json.loads(line)
        self.recorded.append(Recorded(f"output-{arguments[0]}", arguments, 0, report))

    def fail(self, *arguments: str, status: int) -> None:
        """Run a command that fails."""
        self.run(*arguments, status=status, kind="output-error")

    def edit(self, title: str, lesson: str = LESSON) -> None:
        """Save another title in the site."""
        with edit_site(self.root / "site.db") as connection:
            edit_lesson_title(connection, lesson, title)

    def replace(self, file: Path, old: str, new: str) -> None:
        """Edit a file by hand, and commit it."""
        text = file.read_text(encoding="utf-8")
        if old not in text:
            raise RuntimeError(f"{old!r} is not in {file}")
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        self.git("commit", "--quiet", "--all", "-m", f"Edit {file.name} by hand")

    def git(self, *arguments: str) -> None:
        """Run git."""
        subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)

    @property
    def plan_file(self) -> Path:
        """The snapshot file of the plan that goes wrong."""
        return self.root / "content-snapshot" / "plans" / f"{PLAN}.yaml"

    @property
    def lesson_file(self) -> Path:
        """The snapshot file of the lesson that is edited."""
        return next(self.root.glob(f"content-snapshot/subjects/**/{LESSON}.yaml"))


def record(root: Path) -> list[Recorded]:
    """Live through the week in an empty folder; return all that was printed, in order."""
    week = _Week(root)
    with somebody({}):
        _begin(week)
        _edit_and_publish(week)
        _roll_back(week)
        _hold_back(week)
        _damage(week)
        _sign(week)
        _collect(week)
        _fail(week)
        week.run("destroy", *TARGET, "--confirm", "production")
    return week.recorded


def examples_of(recorded: list[Recorded], root: Path) -> dict[str, Any]:
    """Return the example of each kind: the last one recorded, the folder called otherwise."""
    named = {one.kind: json.dumps(one.report) for one in recorded}
    return {
        kind: json.loads(text.replace(str(root.resolve()), PLACE).replace(str(root), PLACE))
        for kind, text in named.items()
    }


def _begin(week: _Week) -> None:
    (week.root / "exporter.yaml").write_text(CONFIG, encoding="utf-8")
    (week.root / ".gitignore").write_text(
        "/public/\n/build/\n/.exporter/\n*.db\n", encoding="utf-8"
    )
    week.git("init", "--quiet", "--initial-branch=main")
    week.git("add", "--all")
    week.git("commit", "--quiet", "-m", "A content repository")
    create_site(week.root / "site.db", 20)
    week.run("snapshot", "--full")
    week.run("status")
    week.run("diff")
    week.run("plan")
    week.run("publish", "--dry-run", kind="output-plan")
    week.run("publish")
    week.run("doctor")


def _edit_and_publish(week: _Week) -> None:
    week.edit("Algebraic expressions, step by step")
    week.run("snapshot")
    week.run("plan")
    week.run("diff")
    week.run("publish", "--plan", PLAN)
    week.run("publish")
    week.run("show")
    week.run("releases", "1")
    week.run("explain", f"lessons/{LESSON}.json", kind="output-explain-key")
    week.run("explain", f"plans/{PLAN}/manifest.json?v=1", kind="output-explain-key")
    week.run("explain", f"lessons/{LESSON}.json", kind="output-explain-key")
    week.run("explain", PLAN, "SUBJECT-MATH", kind="output-explain-node")
    week.run("explain", PLAN, LESSON, kind="output-explain-node")


def _roll_back(week: _Week) -> None:
    week.edit("A title that nobody wanted")
    week.run("snapshot", "--branch", "review")
    week.run("snapshot")
    week.run("rollback", "HEAD~1")
    week.run("rollback", "HEAD")
    week.run("rollback", "HEAD~1")
    week.run("rollback", "HEAD~1")
    week.edit("Equations with one unknown", OTHER)
    week.run("snapshot")
    week.run("holds")
    week.run("status")
    week.run("release-hold", LESSON)


def _hold_back(week: _Week) -> None:
    week.replace(week.plan_file, "action: ", "action: Mis-")
    week.run("check", status=1)
    week.run("build", status=1)
    week.run("explain", PLAN, "SUBJECT-MATH", kind="output-explain-node")
    for _ in range(3):
        week.run("publish", status=1)
    week.run("status")
    week.run("retry", PLAN, status=1)
    week.replace(week.plan_file, "action: Mis-", "action: ")
    week.run("check", "--ref", "HEAD")
    week.run("build", "--ref", "HEAD")
    week.run("publish")
    week.run("publish")
    week.serve("preview", "--port", "0")


def _damage(week: _Week) -> None:
    week.run("verify")
    (week.root / "public" / "lessons" / f"{LESSON}.json").unlink()
    week.run("verify", status=1)
    week.run("verify", "--repair")
    rmtree(week.root / ".exporter" / "production")
    (week.root / "public" / "lessons" / f"{LESSON}.json").unlink()
    week.run("adopt", "--dry-run", status=1)
    week.run("adopt", status=1)
    week.run("publish")


def _sign(week: _Week) -> None:
    week.run("refresh")
    week.replace(week.lesson_file, "\nstages:\n", FILM)
    week.replace(week.root / "exporter.yaml", "targets:", f"{MEDIA}targets:")
    week.run("publish")
    week.run("status")
    notes = week.root / ".exporter" / "production" / "signed.json"
    noted = json.loads(notes.read_bytes())
    for note in noted["lessons"].values():
        note["expires"] -= 3 * 3600
    notes.write_text(json.dumps(noted), encoding="utf-8")
    week.run("refresh")


def _collect(week: _Week) -> None:
    week.run("gc")
    config, hashed = week.root / "exporter.yaml", "publish: {addressing: hashed, keep: 1s}\n"
    week.replace(config, MEDIA, hashed)  # what is signed is made on one machine
    week.run("plan", "--matrix", "2", kind="output-matrix")
    week.run("publish", "--prepare", "--shard", "1/1", kind="output-prepare")
    week.run("publish", "--finish", "--shards", "1")
    sleep(1.1)  # more than is kept
    week.run("gc", "--dry-run")
    week.run("gc")
    week.replace(config, hashed, MEDIA)
    week.run("publish")


def _fail(week: _Week) -> None:
    week.fail("publish", "--ref", "nowhere", status=2)
    week.fail("publish", "--nothing", status=2)
    week.fail("check", "--target", "x", status=2)
    week.fail("destroy", *TARGET, status=2)
    week.fail("explain", PLAN, "no-such-lesson", status=2)
    config = week.root / "exporter.yaml"
    week.replace(config, "site.db", "gone.db")
    week.fail("snapshot", status=4)
    week.replace(config, "gone.db", "site.db")
    week.replace(config, "source:", "sauce:")
    week.fail("status", status=2)
    week.replace(config, "sauce:", "source:")
    week.fail("publish", "--ref", "HEAD~6", status=3)
