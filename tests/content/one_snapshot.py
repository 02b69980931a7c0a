"""One snapshot in a process of its own: KILL_AT REPOSITORY DATABASE."""

from __future__ import annotations

import sys
from pathlib import Path

from exporter.content.repository import Repository
from exporter.content.snapshot import SnapshotOptions, take_snapshot
from exporter.source.database import open_source
from tests.content.kill_hook import arm


def main() -> None:
    """Take the snapshot."""
    at, root, database = sys.argv[1:]
    source = open_source(f"sqlite:///{database}")
    arm(int(at), Path(root))
    take_snapshot(Repository(Path(root)), source, SnapshotOptions("content-snapshot"))


if __name__ == "__main__":
    main()
