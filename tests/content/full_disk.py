"""Snapshots in a clone on a disk that fills up, in a mount namespace of its own: FOLDER.

Prints what `exporter watch` said and how `exporter snapshot` ended, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from exporter.demo.site import create_site, edit_lesson_title, edit_site
from tests.forking import programs

MOST_STEPS = 40
LESSON = "LESSON-MATH-001"
CONFIG = """\
source: {{url: "sqlite:///{site}"}}
watch: {{poll: 1s, interval: 2s}}
"""


def main(folder: str) -> None:
    """Live through it."""
    site, disk = Path(folder) / "site.db", Path(folder) / "disk"
    create_site(site, 20)
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)]
    subprocess.run(mount, check=True)
    _git(disk, "init", "-q", "--template=")
    (disk / "exporter.yaml").write_text(CONFIG.format(site=site))
    said = _watch_while_it_fills_up(site, disk)
    whole = _git(disk, "rev-parse", "HEAD:content-snapshot")
    ended = _snapshots_with_more_and_more_room(site, disk)
    (disk / "ballast").unlink(missing_ok=True)
    _git(disk, "revert", "--no-edit", "HEAD")
    told = {
        "said": [line.rstrip("\n").partition("Z ")[2] for line in said],
        "ended": ended,
        "dirty": _git(disk, "status", "--porcelain"),
        "log": _git(disk, "log", "--format=%s", "-3").split("\n"),
        "same": whole == _git(disk, "rev-parse", "HEAD:content-snapshot"),
    }
    sys.stdout.write(json.dumps(told))


def _watch_while_it_fills_up(site: Path, disk: Path) -> list[str]:
    """Return the lines of `watch`."""
    with subprocess.Popen(
        [programs() / "exporter", "-C", disk, "watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as watch:
        assert watch.stdout
        said = [watch.stdout.readline()]
        _fill(disk / "ballast")
        _edit(site, "Edited while the disk was full")
        said += _lines(watch.stdout, "next try in 2 s")
        (disk / "ballast").unlink()
        said += _lines(watch.stdout, "content: ")
        watch.terminate()
        return said + watch.stdout.readlines()


def _snapshots_with_more_and_more_room(site: Path, disk: Path) -> list[tuple[int, str]]:
    """Return how snapshots end: none may have room enough, at different moments, but the last."""
    _edit(site, "Edited once more")
    _fill(disk / "ballast")
    ended: list[tuple[int, str]] = []
    while not ended or (ended[-1][0] and len(ended) < MOST_STEPS):
        os.truncate(disk / "ballast", (disk / "ballast").stat().st_size - 12_288)
        done = subprocess.run(
            [programs() / "exporter", "-C", disk, "--quiet", "snapshot"],
            check=False,
            capture_output=True,
            text=True,
        )
        ended.append((done.returncode, done.stderr))
    return ended


def _edit(site: Path, title: str) -> None:
    with edit_site(site) as connection:
        edit_lesson_title(connection, LESSON, title)


def _fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        for size in (65_536, 4_096, 1):
            with suppress(OSError):
                while True:
                    ballast.write(b"x" * size)


def _lines(stream: IO[str], last: str) -> list[str]:
    lines = [stream.readline()]
    while lines[-1] and last not in lines[-1]:
        lines.append(stream.readline())
    return lines


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1])
