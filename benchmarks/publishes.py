"""Publishing to an S3 server: nothing changed, one edit, an edit on its whole way, a rollback."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from benchmarks.peers import RCLONE, S5CMD, missing
from benchmarks.sites import HASHED, PLANS, SHARED_LESSON, Site
from benchmarks.table import Goal, Line
from benchmarks.timing import Run, cost, median, run
from benchmarks.uploads import fill_folder

__all__ = ["ONE_EDIT", "nothing_changed", "rolled_back", "shared_lesson", "visible"]

PLAN_WARM = "plan of one shared lesson, warm"
UPLOAD_WARM = "… publish until its first upload, warm"
PLAN_CLONE = "plan of one shared lesson, fresh clone"
UPLOAD_CLONE = "… publish until its first upload, fresh clone"
VISIBLE = "edit saved in MariaDB until it is at the S3 server"
ONE_EDIT = (PLAN_WARM, UPLOAD_WARM, VISIBLE)
"""What costs what one edit costs; a fresh clone has to read the whole site."""


def nothing_changed(site: Site) -> Iterator[Line]:
    """Measure a publish that has nothing to do, and two programs that find out the same."""
    first = site.first_publish
    files = json.loads(first.output)["files_put"]
    yield Line("first publish", first.wall_s, against=f"{files:,} files put", cost=cost([first]))
    ours: list[Run] = []
    bare: list[Run] = []
    requests = 0
    for _ in range(site.rounds):
        before = site.s3.requests()
        ours.append(site.exporter("publish", "--json"))
        requests = site.s3.requests() - before
        bare.append(run([sys.executable, "-c", "pass"], site.content, site.environment))
    yield Line(
        "publish, nothing changed",
        median(ours),
        beside=median(bare),
        against="interpreter start",
        goal=Goal(1, 0.5),
        cost=cost(ours),
        requests=requests,
    )
    yield Line("… its requests", requests, "requests", goal=Goal(plus=3))
    if not site.is_alone:
        yield from _syncs(site, min(20_000, files))


def _syncs(site: Site, files: int) -> Iterator[Line]:
    """Yield what programs without a ledger take to see that nothing changed."""
    folder = fill_folder(site.new_folder("synced"), files)
    for peer in (RCLONE, S5CMD):
        scenario = f"… {peer.name} sync of {files:,} files"
        if not peer.program or not peer.sync:
            yield Line(scenario, None, against=missing(peer), is_peers=True)
            continue
        command = [peer.path, *peer.sync(folder, site.new_place())]
        run(command, site.folder, site.environment)
        before = site.s3.requests()
        runs = [run(command, site.folder, site.environment) for _ in range(site.rounds)]
        requests = (site.s3.requests() - before) // site.rounds
        figures = Line(scenario, median(runs), against=str(peer), cost=cost(runs), is_peers=True)
        yield replace(figures, requests=requests)


def shared_lesson(site: Site) -> Iterator[Line]:
    """Measure one edit of a lesson that all plans show, until its first upload.

    Each figure is of an edit of its own: what one command has parsed would help the next.
    """
    where: dict[str, Callable[[], Run]] = {
        PLAN_WARM: lambda: site.exporter("plan"),
        UPLOAD_WARM: lambda: site.exporter("publish"),
    }
    if not site.is_alone:  # a fresh clone reads the whole site, as a build does
        where[PLAN_CLONE] = lambda: site.exporter("plan", folder=site.clone())
        where[UPLOAD_CLONE] = lambda: site.exporter("publish", folder=site.clone())
    runs: dict[str, list[Run]] = {scenario: [] for scenario in where}
    _ = site.first_publish
    for number in range(site.rounds):
        for scenario, measured in where.items():
            site.edit(f"{scenario} {number}")
            site.exporter("snapshot")
            runs[scenario].append(measured())
            site.exporter("publish")
    limits = {UPLOAD_WARM: Goal(plus=1.5), UPLOAD_CLONE: Goal(plus=6)}
    for scenario, of_one in runs.items():
        goal = limits.get(scenario)
        seconds = median(of_one, _until_upload) if goal else median(of_one)
        yield Line(scenario, seconds, goal=goal, cost=cost(of_one))


def _until_upload(one: Run) -> float:
    if one.uploading_s is None:
        raise SystemExit("a publish was to upload a file, and did not say that it did")
    return one.uploading_s


def visible(site: Site) -> Iterator[Line]:
    """Measure an edit from when it is saved in MariaDB until the S3 server has it."""
    runs: list[Run] = []
    walls: list[float] = []
    requests = 0
    _ = site.first_publish
    with closing(site.s3.client()) as client:
        for number in range(site.rounds):
            title = f"Visible {number}"
            site.edit(title)
            before, started = site.s3.requests(), time.perf_counter()
            runs.append(site.exporter("snapshot").then(site.exporter("publish")))
            requests = site.s3.requests() - before
            key = f"stable/lessons/{SHARED_LESSON}.json"
            found = client.get_object(Bucket=site.bucket, Key=key)["Body"].read()
            walls.append(time.perf_counter() - started)
            if json.loads(found)["title"] != title:
                raise SystemExit(f"{key} does not have the edit that was published")
    yield Line(
        VISIBLE,
        sorted(walls)[len(walls) // 2],
        goal=Goal(plus=8),
        cost=cost(runs),
        requests=requests,
    )


def rolled_back(site: Site) -> Iterator[Line]:
    """Measure `rollback` and `publish` of a release that touched 5,000 files, keys hashed.

    They are 2,000 lessons of two subjects, with their topics and search files in all 50 plans.
    """
    hashed = ("--config", HASHED)
    published = json.loads(site.first_hashed_publish.output)
    runs: list[Run] = []
    alone: list[Run] = []
    touched = written = 0
    for number in range(site.long_rounds):
        site.edit_many(f"many {number}")
        site.exporter(*hashed, "snapshot")
        touched = json.loads(site.exporter(*hashed, "publish", "--json").output)["files_put"]
        back = site.exporter(*hashed, "rollback", published["release"])
        alone.append(site.exporter(*hashed, "publish", "--json"))
        runs.append(back.then(alone[-1]))
        published = json.loads(alone[-1].output)
        written = published["files_put"]
    yield Line(
        f"rollback of a release of {touched:,} files, hashed",
        median(runs),
        goal=Goal(plus=5),
        cost=cost(runs),
    )
    yield Line("… its publish alone", median(alone))
    yield Line("… its writes", written, "files", PLANS, "plans", Goal(1))
