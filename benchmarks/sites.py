"""The sites that are measured: a school of many plans in MariaDB, its repository, its S3 server.

A school grows as schools do, by subjects of about 1,000 lessons. Each of its 50 plans lists seven
of them, and one subject is in all plans. A site is made once for all that is measured on it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, NullPool, bindparam, create_engine, text

from benchmarks.peers import peer_environment
from benchmarks.timing import Run, run
from exporter.core.model import LESSON, SUBJECT, TOPIC, TRACK, UNIT
from exporter.demo.curriculum import Curriculum, Plan, Subject, subjects
from exporter.demo.site import edit_lesson_title, fill_site
from tests.servers import MariaDBServer, S3Server, running_mariadb, running_s3

__all__ = ["EXPORTER", "HASHED", "PLANS", "SHARED_LESSON", "Site", "many_plans", "new_site"]

PLANS = 50
SHARED_LESSON = "LESSON-COMP-003"
"""A lesson of the subject that is in all plans."""
HASHED = "hashed.yaml"
"""The configuration of a second target, the files of which carry their digest in the key."""
EXPORTER = (sys.executable, "-m", "exporter")

_IN_ALL = "COMP"
_OTHERS_A_PLAN = 6
_LESSONS_A_SUBJECT = 1_000
_BUCKET = "school"
_CONFIG = """\
source: {{url: "${{EXPORTER_DATABASE_URL}}"}}
publish: {{addressing: {addressing}}}
targets:
  production:
    store: s3://{bucket}/{addressing}
    state: s3://{bucket}/{addressing}-state
    s3: {{endpoint_url: "{endpoint}"}}
"""
_GIT_CONFIG = """\
[user]
    name = Bench
    email = bench@example.org
[init]
    defaultBranch = main
[gc]
    auto = 0
"""
"""Nothing of the developer's own, and no `git gc` in the background of what is measured."""


def many_plans(lessons: int) -> Curriculum:
    """Return what a school of that size teaches: 50 plans, four stages a lesson."""
    common, others = _subjects(max(8, round(lessons / _LESSONS_A_SUBJECT)))
    plans = tuple(_plan(number, common, others) for number in range(PLANS))
    return Curriculum((common, *others), plans, every_stage=True)


def _subjects(wanted: int) -> tuple[Subject, list[Subject]]:
    """Return the subject that is in all plans, and the demo's others in as many editions."""
    common = next(subject for subject in subjects() if subject.code == _IN_ALL)
    models = [subject for subject in subjects() if subject is not common]
    others = []
    for number in range(wanted - 1):
        model, edition = models[number % len(models)], number // len(models) + 1
        code, title = f"{model.code}{edition}", f"{model.title} {edition}"
        others.append(replace(model, code=code, title=title))
    return common, others


def _plan(number: int, common: Subject, others: list[Subject]) -> Plan:
    first = number * _OTHERS_A_PLAN
    listed = [others[(first + each) % len(others)] for each in range(_OTHERS_A_PLAN)]
    fields = {
        "title": f"Plan {number + 1}",
        "season": "2026/2027",
        "grade": ("GRADE-11", "GRADE-12")[number % 2],
        "stream": ("SCI", "LIT", "")[number % 3],
    }
    overrides = (
        (SUBJECT, common.name, "Set Linear", str(number % 2)),
        (SUBJECT, listed[0].name, "Rename", f"{listed[0].title} for plan {number + 1}"),
        (LESSON, "LESSON-COMP-002", ("Hide", "Set Free")[number % 2], ""),
    )
    codes = tuple(subject.code for subject in (common, *listed))
    return Plan(f"PLAN-{number + 1:02d}", fields, codes, overrides)


@dataclass
class Site:
    """One school, where everything that belongs to it is, and how it is to be measured."""

    lessons: int
    folder: Path
    url: str
    s3: S3Server
    rounds: int
    is_alone: bool = False
    """Whether nothing is to be measured beside it."""
    bucket: str = _BUCKET
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def long_rounds(self) -> int:
        """Return how often what takes minutes is measured: once less."""
        return max(1, self.rounds - 1)

    @cached_property
    def environment(self) -> dict[str, str]:
        """Return what every process that is measured finds around it."""
        (self.folder / "gitconfig").write_text(_GIT_CONFIG, encoding="utf-8")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "EXPORTER_DATABASE_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3.secret_key,
            "AWS_REGION": self.s3.region,
            **peer_environment(self.s3, self.folder),
        }

    @cached_property
    def content(self) -> Path:
        """Return the content repository with its first snapshot."""
        repository = self.new_repository()
        self.exporter("snapshot", folder=repository)
        return repository

    @cached_property
    def first_publish(self) -> Run:
        """Publish the whole site, once."""
        return self.exporter("publish", "--json")

    @cached_property
    def first_hashed_publish(self) -> Run:
        """Publish the whole site to the target with hashed keys, once."""
        return self.exporter("--config", HASHED, "publish", "--json")

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(self.url, poolclass=NullPool)

    def new_folder(self, name: str) -> Path:
        """Name a folder that never was: one that is written anew in place is no fair ground."""
        return self.folder / f"{name}-{next(self._numbers)}"

    def new_place(self) -> str:
        """Name a place in the bucket that never was, as `bucket/prefix`."""
        return f"{self.bucket}/place-{next(self._numbers)}"

    def new_repository(self) -> Path:
        """Return a content repository that has its configuration only."""
        folder = self.new_folder("content")
        folder.mkdir()
        for name, addressing in (("exporter.yaml", "stable"), (HASHED, "hashed")):
            text = _CONFIG.format(
                bucket=_BUCKET, addressing=addressing, endpoint=self.s3.endpoint_url
            )
            (folder / name).write_text(text, encoding="utf-8")
        for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A school"]):
            self.git(*command, folder=folder)
        return folder

    def clone(self) -> Path:
        """Return a fresh clone of the content repository, in which nothing is remembered."""
        folder = self.new_folder("clone")
        self.git("clone", "-q", str(self.content), str(folder), folder=self.folder)
        return folder

    def git(self, *arguments: str, folder: Path) -> None:
        """Run git, unmeasured."""
        subprocess.run(["git", *arguments], cwd=folder, env=self.environment, check=True)

    def exporter(self, *arguments: str, folder: Path | None = None) -> Run:
        """Run a command of exporter's in the content repository, or in a clone of it."""
        return run([*EXPORTER, *arguments], folder or self.content, self.environment)

    def floor(self, *arguments: str) -> float:
        """Return the seconds of a physical limit."""
        command = [sys.executable, "-m", "benchmarks.floors", *arguments]
        return float(run(command, self.folder, self.environment).output)

    def edit(self, title: str) -> None:
        """Give the lesson that all plans show another title, as an editor would."""
        with self._engine.begin() as connection:
            edit_lesson_title(connection, SHARED_LESSON, title)

    def edit_many(self, title: str) -> None:
        """Give each lesson of two subjects, one of which all plans list, another title."""
        statement = text(
            f"UPDATE `tab{LESSON}` lesson "
            f"JOIN `tab{TOPIC}` topic ON topic.name = lesson.parent_topic "
            f"JOIN `tab{UNIT}` unit ON unit.name = topic.parent_unit "
            f"JOIN `tab{TRACK}` track ON track.name = unit.parent_track "
            "SET lesson.title = CONCAT(lesson.title, :more), "
            "lesson.modified = lesson.modified + INTERVAL 1 HOUR "
            "WHERE track.parent_subject IN :subjects"
        ).bindparams(bindparam("subjects", expanding=True))
        subjects = [subject.name for subject in many_plans(self.lessons).subjects[:2]]
        with self._engine.begin() as connection:
            connection.execute(statement, {"more": f" ({title})", "subjects": subjects})


@contextmanager
def new_site(lessons: int, rounds: int, *, is_alone: bool) -> Iterator[Site]:
    """Make a school in a MariaDB of its own, with an S3 server beside it; all of it goes."""
    with TemporaryDirectory(prefix="exporter-bench-") as name, ExitStack() as servers:
        database = servers.enter_context(running_mariadb())
        s3 = servers.enter_context(running_s3())
        url = _filled(database, lessons)
        with closing(s3.client()) as client:
            client.create_bucket(Bucket=_BUCKET)
        yield Site(lessons, Path(name), url, s3, rounds, is_alone)


def _filled(server: MariaDBServer, lessons: int) -> str:
    """Fill a database, with the memory that a server of that size is given."""
    server.execute(
        "SET GLOBAL innodb_buffer_pool_size = 1024 * 1024 * 1024",
        "SET GLOBAL innodb_log_file_size = 256 * 1024 * 1024",
        "CREATE DATABASE bench CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    )
    url = server.url("bench")
    with create_engine(url, poolclass=NullPool).begin() as connection:
        fill_site(connection, lessons, many_plans(lessons))
    return url
