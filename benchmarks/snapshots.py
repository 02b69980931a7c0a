"""Snapshots of a large school, timed beside the floor of the same work (`make bench`)."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from exporter import __version__
from exporter.core.model import DOCTYPES, LESSON
from exporter.demo.site import create_site, edit_lesson_title, fill_site
from tests.servers import running_mariadb

RESULTS = Path(__file__).parent / "results.json"
EXPORTER = [sys.executable, "-m", "exporter"]
IDENTITY = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
}


@dataclass(slots=True)
class Timed:
    """Wall times in seconds and the peak memory in MB of one command, over its runs."""

    wall_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    @property
    def median_s(self) -> float:
        """Return the median wall time."""
        return statistics.median(self.wall_s)


def run(timed: Timed, command: list[str], folder: Path, url: str) -> None:
    """Run a command to its end and note its time and memory."""
    environment = {**os.environ, **IDENTITY, "EXPORTER_DATABASE_URL": url}
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    timed.wall_s.append(time.perf_counter() - started)
    timed.peak_mb = max(timed.peak_mb, usage.ru_maxrss / 1024)


@contextmanager
def repository(folder: Path) -> Iterator[Path]:
    """Give an empty content repository, and remove it afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [*EXPORTER, "--quiet", "init", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    yield folder
    shutil.rmtree(folder)


def floor(url: str, like: Path, folder: Path) -> float:
    """Fetch the rows, write the bytes and commit the tree that a first snapshot has; seconds."""
    contents = [(p.relative_to(like), p.read_bytes()) for p in like.rglob("*.yaml")]
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        for doctype in DOCTYPES.values():
            for name in (doctype.name, *(child.doctype for child in doctype.children)):
                rows = connection.execution_options(yield_per=2_000).execute(
                    text(f"SELECT * FROM `tab{name}`")
                )
                for _ in rows:
                    pass
    for path, data in contents:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    environment = {**os.environ, **IDENTITY}
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
    return time.perf_counter() - started


def measure(url: str, rounds: int, scratch: Path) -> dict[str, dict[str, float]]:
    """Return the scenarios of one database: medians, the other side's, ratio, memory."""
    snapshot = [*EXPORTER, "--quiet", "snapshot"]
    sides = {
        name: (Timed(), Timed())
        for name in ("first snapshot", "nothing changed", "one lesson edited")
    }
    for number in range(rounds):
        with repository(scratch / "content") as content:
            first, beside = sides["first snapshot"]
            run(first, snapshot, content, url)
            beside.wall_s.append(floor(url, content / "content-snapshot", scratch / "floor"))
            quick, full = sides["nothing changed"]
            run(quick, snapshot, content, url)
            run(full, [*snapshot, "--full"], content, url)
            quick, full = sides["one lesson edited"]
            edit(url, f"bench {number} a")
            run(quick, snapshot, content, url)
            edit(url, f"bench {number} b")
            run(full, [*snapshot, "--full"], content, url)
    return {name: row(ours, beside) for name, (ours, beside) in sides.items()}


def row(ours: Timed, beside: Timed) -> dict[str, float]:
    """Return a scenario's figures."""
    return {
        "median_s": round(ours.median_s, 3),
        "beside_s": round(beside.median_s, 3),
        "ratio": round(ours.median_s / beside.median_s, 2),
        "peak_mb": round(max(ours.peak_mb, beside.peak_mb), 0),
    }


def edit(url: str, title: str) -> None:
    """Give some lesson another title, as an editor would."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        name = connection.execute(text(f"SELECT name FROM `tab{LESSON}` LIMIT 1")).scalar_one()
        edit_lesson_title(connection, name, title)


@contextmanager
def mariadb(lessons: int) -> Iterator[str]:
    """Give the URL of a private MariaDB that holds the school."""
    with running_mariadb() as server:
        server.execute("CREATE DATABASE bench CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        engine = create_engine(server.url("bench"), poolclass=NullPool)
        with closing(engine.connect()) as connection, connection.begin():
            fill_site(connection, lessons)
        yield server.url("bench")


@contextmanager
def sqlite(lessons: int) -> Iterator[str]:
    """Give the URL of a SQLite file that holds the school."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "site.db"
        create_site(file, lessons)
        yield f"sqlite:///{file}"


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lessons", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    databases: dict[str, Callable[[int], AbstractContextManager[str]]] = {"sqlite": sqlite}
    if shutil.which("mariadbd") or Path("/usr/sbin/mariadbd").exists():
        databases["mariadb"] = mariadb
    else:
        print("mariadb is not installed: left out")
    print(f"{'':28}{'median':>9}{'beside':>9}{'ratio':>7}{'peak':>9}")
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, opened in databases.items():
        with tempfile.TemporaryDirectory() as scratch, opened(options.lessons) as url:
            found[name] = measure(url, options.rounds, Path(scratch))
        for scenario, figures in found[name].items():
            times = f"{figures['median_s']:8.2f}s{figures['beside_s']:8.2f}s"
            rest = f"{figures['ratio']:7.2f}{figures['peak_mb']:6.0f} MB"
            print(f"{name + ': ' + scenario:28}{times}{rest}")
    keep(options.lessons, options.rounds, found)


def keep(lessons: int, rounds: int, found: object) -> None:
    """Write the figures with the machine and the versions."""
    results = {
        "lessons": lessons,
        "rounds": rounds,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "exporter": __version__,
        "databases": found,
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
