"""Uploading many small files, beside the programs that people use for it."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers import AWS, RCLONE, S5CMD, Uploader, missing
from benchmarks.sites import Site
from benchmarks.table import Goal, Line
from benchmarks.timing import Run, cost, median, run

__all__ = ["fill_folder", "many_small_files"]

FILE_BYTES = 2_000
_PEERS = (RCLONE, S5CMD, AWS)


def many_small_files(site: Site) -> Iterator[Line]:
    """Measure the upload of 20,000 files of 2 KB (fewer for a small school), each time anew."""
    files = min(20_000, site.lessons)
    folder = fill_folder(site.new_folder("files"), files)
    present = [peer for peer in _PEERS if peer.program]
    runs: dict[str, list[Run]] = {}
    for _ in range(site.long_rounds):
        runs.setdefault("ours", []).append(_ours(site, folder, "obstore"))
        for peer in present:
            runs.setdefault(peer.name, []).append(_by(peer, site, folder))
    runs["boto3"] = [_ours(site, folder, "boto3")]
    walls = {name: median(of_one) for name, of_one in runs.items()}
    fastest = min(present, key=lambda peer: walls[peer.name], default=None)
    yield Line(
        f"upload of {files:,} files of 2 KB",
        walls["ours"],
        beside=walls[fastest.name] if fastest else None,
        against=f"{fastest}, the fastest" if fastest else "no peer is there",
        goal=Goal(1),
        cost=cost(runs["ours"]),
    )
    for peer in _PEERS:
        yield Line(
            f"… by {peer.name}",
            walls.get(peer.name),
            against=str(peer) if peer.program else missing(peer),
            cost=cost(runs[peer.name]) if peer.program else None,
            is_peers=True,
        )
    yield from _processor(runs, files)


def _processor(runs: dict[str, list[Run]], files: int) -> Iterator[Line]:
    """Yield the client's processor time a put, of the whole process."""
    cpu = {name: median(of_one, lambda one: one.cpu_s) for name, of_one in runs.items()}
    a_put = {name: seconds / files * 1e6 for name, seconds in cpu.items()}
    yield Line(
        "client's processor time a put", a_put["ours"], "µs", a_put["boto3"], "boto3", Goal(0.2)
    )
    for peer in _PEERS:
        if peer.name in a_put:
            yield Line(
                f"… by {peer.name}", a_put[peer.name], "µs", against=str(peer), is_peers=True
            )


def fill_folder(folder: Path, files: int) -> Path:
    """Write so many files of 2 KB, a thousand a folder; the same bytes every time."""
    chance = random.Random(20_000)  # noqa: S311 - bytes that do not compress, not secrets
    for number in range(files):
        path = folder / f"{number // 1_000:03d}" / f"{number:06d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(FILE_BYTES))
    return folder


def _ours(site: Site, folder: Path, by: str) -> Run:
    place = site.new_place()
    command = [sys.executable, "-m", "benchmarks.putting", str(folder), f"s3://{place}"]
    return run([*command, site.s3.endpoint_url, by], site.folder, site.environment)


def _by(peer: Uploader, site: Site, folder: Path) -> Run:
    command = [peer.path, *peer.upload(folder, site.new_place())]
    return run(command, site.folder, site.environment)
