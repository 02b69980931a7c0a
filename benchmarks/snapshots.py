"""Snapshots beside the floor of the same work."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.sites import Site
from benchmarks.table import Goal, Line
from benchmarks.timing import Run, cost, median

__all__ = ["FIRST", "ONE_EDIT", "first", "increments"]

FIRST = "first snapshot, commit included"
ONE_EDIT = "snapshot of one edit, commit included"


def first(site: Site) -> Iterator[Line]:
    """Measure the first snapshot of a site, commit included."""
    ours: list[Run] = []
    floor: list[float] = []
    for _ in range(site.long_rounds):
        repository = site.new_repository()
        ours.append(site.exporter("snapshot", folder=repository))
        site.content = repository
        if not site.is_alone:
            like, folder = repository / "content-snapshot", site.new_folder("floor")
            floor.append(site.floor("snapshot", site.url, str(like), str(folder)))
    yield Line(
        FIRST,
        median(ours),
        beside=statistics.median(floor) if floor else None,
        against="same rows, bytes, tree" if floor else "",
        goal=Goal(2),
        cost=cost(ours),
    )


def increments(site: Site) -> Iterator[Line]:
    """Measure a snapshot of what has not changed, and one of a single edit."""
    unchanged: list[Run] = []
    edited: list[Run] = []
    queries: list[float] = []
    site.exporter("snapshot")
    for number in range(site.rounds):
        unchanged.append(site.exporter("snapshot"))
        if not site.is_alone:
            queries.append(site.floor("digests", site.url))
        site.edit(f"Snapshot {number}")
        edited.append(site.exporter("snapshot"))
    yield Line(
        "snapshot, nothing changed",
        median(unchanged),
        beside=statistics.median(queries) if queries else None,
        against="digest queries alone" if queries else "",
        goal=Goal(1.3, 0.5),
        cost=cost(unchanged),
    )
    yield Line(
        ONE_EDIT,
        median(edited),
        beside=median(unchanged),
        against="nothing changed",
        goal=Goal(1, 0.5),
        cost=cost(edited),
    )
