"""Put a folder's files into a bucket as a publish does: `python -m benchmarks.putting`.

A publish's own uploader does it, with its threads and attributes, and sets aside on disk what is
too much to be held; only the lease is missing. The files are read first, as the programs beside it
have to read them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from exporter.config.model import Publish
from exporter.content.repository import Commit
from exporter.core.artifacts import Artifact, Entry, Kind
from exporter.core.steps import Delta
from exporter.publish.ledger import LiveState, Noted
from exporter.publish.prepared import Prepared
from exporter.publish.run import Run
from exporter.publish.spool import Spool
from exporter.publish.uploading import Unleased, Uploader
from exporter.stores.opening import open_store
from exporter.stores.s3 import S3Options


def main(folder: Path, location: str, endpoint: str, by: str) -> None:
    """Put every file, by obstore as a publish does, or by boto3."""
    concurrency = Publish().concurrency
    options = S3Options(endpoint, reference=by == "boto3")
    store = open_store(location, base=folder, s3=options, concurrency=concurrency)
    uploader = Uploader(store, _run(concurrency), Unleased(), lambda _: None)
    uploader.upload(_prepared(_artifacts(str(folder))))


def _prepared(artifacts: Iterator[Artifact]) -> Prepared:
    """Return a publish of new files that no plan answers for, so that it ends where one fails."""
    spool = Spool()
    for artifact in artifacts:
        spool.add(artifact)
    delta = Delta({one.key: one for one in spool.artifacts})
    return Prepared(Commit("0" * 40, 0), LiveState(), Noted(), delta, {}, "", "")


def _artifacts(folder: str) -> Iterator[Artifact]:
    for inside, _, names in os.walk(folder):
        below = f"{inside[len(folder) + 1 :]}/".lstrip("/")
        for name in names:
            with open(f"{inside}/{name}", "rb") as file:  # noqa: PTH123 - a Path costs as much
                data = file.read()
            yield Artifact(below + name, Kind.LESSON, None, Entry("", len(data), 1), data)


def _run(concurrency: int) -> Run:
    return Run(
        "bench",
        "",
        "",
        lambda: datetime.now(UTC),
        concurrency,
        {Kind.LESSON.value: "max-age=300"},
        lambda _: None,
        lambda: 0.5,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
