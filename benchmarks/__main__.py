"""Measure everything, side by side with peers and physical limits: `python -m benchmarks`.

Each site is made once, and what is measured on it follows in an order: the commands need a first
snapshot and a first publish. What a chosen scenario needs of the others is done unmeasured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import builds, publishes, snapshots, uploads
from benchmarks.peers import AWS, HUGO, RCLONE, S5CMD
from benchmarks.sites import Site, new_site
from benchmarks.table import Goal, Line, growth, heading, memory, shown, to_json
from exporter import __version__

RESULTS = Path(__file__).parent / "results.json"
LESSONS = 50_000
"""The size that the goals are for; only its figures are kept."""

GROWING: dict[str, Callable[[Site], Iterator[Line]]] = {
    "first-snapshot": snapshots.first,
    "increments": snapshots.increments,
    "build": builds.full,
    "nothing-changed": publishes.nothing_changed,
    "shared-lesson": publishes.shared_lesson,
    "visible": publishes.visible,
}
"""What is measured at every size."""
SCENARIOS = {**GROWING, "rollback": publishes.rolled_back, "upload": uploads.many_small_files}

FULL, ONE_EDIT = Goal(4.5), Goal(1.5)
GROWTH = {
    snapshots.FIRST: FULL,
    builds.FULL: FULL,
    snapshots.ONE_EDIT: ONE_EDIT,
    **dict.fromkeys(publishes.ONE_EDIT, ONE_EDIT),
}
"""How much longer a scenario may take in a site four times as large."""
MEMORY_MB, MEMORY_OF_LARGE_MB = 400, 800


def main() -> None:
    """Measure, print and keep the figures."""
    options = _options()
    lessons, larger = options.lessons, options.lessons * 4
    chosen = options.only or [*SCENARIOS]
    found = {lessons: _measured(lessons, options.rounds, chosen)}
    if options.only:
        return
    for size in (lessons // 5, larger):
        found[size] = _measured(size, 1, [*GROWING], is_alone=True)
    print(f"\n{larger:,} lessons beside {lessons:,}\n{heading()}")
    found[larger] += _told(growth(found[lessons], found[larger], GROWTH))
    if lessons == LESSONS:
        _keep(options.rounds, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--lessons", type=int, default=LESSONS, help="the size of the school (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="how often each is measured, what takes minutes once less (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SCENARIOS,
        metavar="SCENARIO",
        help=f"these alone, at this size alone: {', '.join(SCENARIOS)}",
    )
    return parser.parse_args()


def _measured(
    lessons: int, rounds: int, chosen: list[str], *, is_alone: bool = False
) -> list[Line]:
    """Print and return the lines of one site."""
    started = time.perf_counter()
    with new_site(lessons, rounds, is_alone=is_alone) as site:
        made_s = time.perf_counter() - started
        print(f"\n{lessons:,} lessons, made in {made_s:.0f} s\n{heading()}")
        scenarios = [measure for name, measure in SCENARIOS.items() if name in chosen]
        lines = (line for measure in scenarios for line in measure(site))
        found = list(_told(replace(line, goal=None) if is_alone else line for line in lines))
    limit = MEMORY_OF_LARGE_MB if is_alone else MEMORY_MB
    return [*found, *_told(memory(found, Goal(plus=limit)))]


def _told(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        print(shown(line), flush=True)
        yield line


def _keep(rounds: int, found: dict[int, list[Line]]) -> None:
    """Write the figures with the machine and the versions."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    results = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "exporter": __version__,
        "git": git.stdout.split()[-1],
        "peers": [str(peer) for peer in (HUGO, RCLONE, S5CMD, AWS)],
        "rounds": rounds,
        "lessons": {str(size): [to_json(line) for line in lines] for size, lines in found.items()},
    }
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
