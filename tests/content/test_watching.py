"""`exporter watch` with a clock of the test's own, and a real SQLite site."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from exporter.content.watching import Pace, Watch
from exporter.core.model import PLAN
from exporter.errors import GitError, SourceError, UsageError
from tests.frappe_site import FrappeSite
from tests.publish.test_outages import namespace
from tests.server_process import ServerMissing, temporary_folder
from tests.servers import MariaDBServer, new_mariadb, serving

POLL, INTERVAL, THRESHOLD = 15.0, 300.0, 50


@dataclass
class World:
    """A database that changes by timetable; each entry is due at a second."""

    until: float
    edits: dict[float, str] = field(default_factory=dict)
    plans: int = 1
    failures: dict[float, Exception] = field(default_factory=dict)
    """What a snapshot raises from some second on, until the next entry."""
    database_away: tuple[float, float] = (-1, -1)
    now: float = 0.0
    asked: int = 0
    taken: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def watermark(self) -> str:
        if self.database_away[0] <= self.now < self.database_away[1]:
            raise SourceError("db: the server has gone away", hint="start it")
        return "".join(text for at, text in self.edits.items() if at <= self.now)

    def affected(self) -> int:
        self.asked += 1
        return self.plans

    def snapshot(self) -> str:
        due = [error for at, error in sorted(self.failures.items()) if at <= self.now]
        if due and not isinstance(due[-1], StopAsyncIteration):
            raise due[-1]
        self.taken.append(self.now)
        return "done"

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.until

    def run(self) -> World:
        pace = Pace(POLL, INTERVAL, THRESHOLD)
        Watch(
            pace,
            self.watermark,
            self.affected,
            self.snapshot,
            lambda line: self.said.append(f"{self.now:g} {line}"),
            lambda: self.now,
            self.wait,
        ).run()
        return self


NO_MORE = StopAsyncIteration()


def test_a_snapshot_at_once_and_one_an_interval_where_nothing_is_seen() -> None:
    world = World(until=950).run()
    assert world.taken == [0, 300, 600, 900]
    assert world.said == ["0 first look: done"] + [
        f"{at} regular look: done" for at in (300, 600, 900)
    ]
    assert world.asked == 0


def test_the_interval_counts_from_the_first_unseen_change() -> None:
    world = World(until=800, edits={50: "a", 200: "b", 340: "c"}).run()
    assert world.taken == [0, 360, 660]
    assert world.said[1] == "360 interval: done"


def test_many_affected_plans_do_not_wait() -> None:
    world = World(until=100, edits={20: "a", 40: "b"}, plans=50).run()
    assert world.taken == [0, 30, 45]
    assert world.said[1:] == ["30 threshold: done", "45 threshold: done"]


def test_affected_plans_are_counted_only_when_something_moved() -> None:
    assert World(until=300, edits={20: "a", 100: "b"}, plans=49).run().asked == 2


def test_a_database_restart_is_survived() -> None:
    world = World(until=400, edits={50: "a"}, database_away=(100, 170)).run()
    assert world.said[1:4] == [
        "105 failed, next try in 15 s: db: the server has gone away (start it)",
        "120 failed, next try in 30 s: db: the server has gone away (start it)",
        "150 failed, next try in 60 s: db: the server has gone away (start it)",
    ]
    assert world.said[4] == "210 works again"
    assert world.taken == [0, 360]


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), GitError("git push failed:\nremote hung up")],
    ids=["full disk", "remote away"],
)
def test_what_fails_is_tried_again_later_and_later(error: Exception) -> None:
    world = World(until=4000, failures={1: error, 1500: NO_MORE}).run()
    failed = [float(line.split()[0]) for line in world.said if "failed" in line]
    assert failed == [300, 315, 345, 405, 525, 765, 1065, 1365]
    assert world.taken[1] == 1665
    assert all("\n" not in line for line in world.said)


def test_what_will_never_work_ends_it() -> None:
    world = World(until=4000, failures={300: UsageError("GitHub's API needs a token")})
    with pytest.raises(UsageError, match="token"):
        world.run()
    assert (world.taken, world.said) == ([0], ["0 first look: done"])


def test_a_mariadb_that_is_killed_and_starts_again_is_survived(tmp_path: Path) -> None:
    """One line a cycle: a first snapshot, failures, that it works again, the next edit."""
    with ExitStack() as open_ones:
        folder = open_ones.enter_context(temporary_folder("exporter-watch-"))
        server = _made(folder)
        with serving(server):
            server.execute("CREATE DATABASE site CHARACTER SET utf8mb4")
            # Unlike in other tests, what is committed here has to outlive the server's death.
            server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
            site = FrappeSite.create(server.url("site"))
            site.add(PLAN, "P1", title="Plan")
            site.add_branch()
            subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
            url = json.dumps(site.url)
            config = f"source: {{url: {url}}}\nwatch: {{poll: 1s, interval: 3s}}\n"
            (tmp_path / "exporter.yaml").write_text(config)
            watch = open_ones.enter_context(_watching(tmp_path))
            first = _next_line(watch)
        failures = [_next_line(watch), _next_line(watch)]
        with serving(server):
            again = _next_line(watch)
            while "failed" in again:
                again = _next_line(watch)
            site.execute("UPDATE `tabMemora Lesson` SET title = 'New'")
            edited = _next_line(watch)
            while "nothing changed" in edited or "works again" in edited:
                edited = _next_line(watch)
            os.kill(watch.pid, signal.SIGTERM)
            assert watch.wait(timeout=60) == 0
    assert " first look: " in first
    for line, pause in zip(failures, (1, 2), strict=True):
        assert f" failed, next try in {pause} s: " in line
        assert "server" in line
        assert "(check host and port" in line or "(run the command again)" in line
    assert "failed" not in again
    assert edited.endswith("content: 1 lesson changed (Subject)\n")


def _made(folder: Path) -> MariaDBServer:
    try:
        return new_mariadb(folder)
    except ServerMissing as missing:
        pytest.skip(f"NOT TESTED: {missing}")


@contextmanager
def _watching(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "exporter", "-C", str(folder), "watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def test_a_full_disk_is_survived_and_said_in_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*namespace(), sys.executable, "-m", "tests.content.full_disk", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    first, *failed, last, stopped = told["said"]
    assert first.startswith("first look: ")
    assert all(re.match(r"failed, next try in [12] s: .*No space left", one) for one in failed)
    assert len(failed) >= 2
    assert last.endswith("content: 1 lesson changed (Mathematics)")
    assert stopped == "stopped"
    *full, enough = told["ended"]
    assert enough == [0, ""]
    assert {status for status, _ in full} == {4}
    assert len({error for _, error in full}) > 2, "the disk was full at one moment only"
    assert not any("Traceback" in error for _, error in full)
    assert (told["dirty"], told["same"]) == ("?? exporter.yaml", True)
    assert [line.partition(":")[0] for line in told["log"]] == [
        'Revert "content',
        "content",
        "content",
    ]


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    exporter = [sys.executable, "-m", "exporter"]
    from exporter.demo.site import create_site

    subprocess.run([*exporter, "init", str(tmp_path), "--source", "sqlite:///site.db"], check=True)
    create_site(tmp_path / "site.db", 20)
    running = subprocess.Popen(
        [*exporter, "-C", str(tmp_path), "watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout
    assert running.stderr
    with running.stdout as lines, running.stderr as progress:
        first = lines.readline()
        os.kill(running.pid, signal.SIGTERM)
        assert re.fullmatch(r"\S+Z stopped\n", lines.read())
        assert progress.read() == ""
    assert running.wait(timeout=60) == 0
    assert " first look: " in first
    log = subprocess.run(
        ["git", "-C", str(tmp_path), "log", "--format=%h %s"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert log.stdout.split()[0] in first
