"""A process that takes snapshots in forks of itself, which are killed on the way.

It reads a JSON request a line and answers with the exit status of the fork and what it did. What
it imports, it imports once: a fork costs milliseconds.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from exporter.content import index
from exporter.content.branches import Branch, branch_of
from exporter.content.holding import hold_rule
from exporter.content.remote import keep_branch, push_snapshot, review_tree
from exporter.content.repository import Repository
from exporter.content.snapshot import SnapshotOptions, SnapshotResult, take_snapshot
from exporter.source.database import open_source
from tests.content.kill_hook import arm
from tests.content.school_repository import patience

__all__ = ["run"]

FOLDER = "content-snapshot"
AUTHOR = "Bot <bot@example.org>"


def run(way: str, root: Path, database: str) -> None:
    """Take a snapshot as `exporter snapshot` does with the option `way`."""
    repository, source = Repository(root), open_source(f"sqlite:///{database}")
    options = SnapshotOptions(FOLDER, author=AUTHOR, full=way == "full", hold=hold_rule(FOLDER, {}))

    def take(tree: Repository = repository) -> SnapshotResult:
        return take_snapshot(tree, source, options)

    match way:
        case "push":
            push_snapshot(repository, branch_of(repository), AUTHOR, take, patience())
        case "branch":
            branch = Branch("origin", "content")
            tree = review_tree(repository, branch, pushed=True)
            push_snapshot(tree, branch, AUTHOR, lambda: take(tree), patience())
            keep_branch(repository, branch, tree.resolve("HEAD"))
        case _:
            take()


def _forked(request: dict[str, Any]) -> tuple[int, str]:
    """Do a request in a fork; return its exit status, negative for a signal, and what it did."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.environ.update(request["environment"], EXPORTER_PID=str(os.getpid()))

        def tell(line: str) -> None:
            os.write(writing, f"{line}\n".encode())

        try:
            arm(int(request["at"]), Path(request["root"]).parent, tell)
            run(request["way"], Path(request["root"]), request["database"])
        except Exception:  # noqa: BLE001 - told to the test
            tell(traceback.format_exc())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        done = told.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), done


def main() -> None:
    """Answer requests until there are no more."""
    index._WAIT_S = 0.3
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(_forked(json.loads(line)))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
