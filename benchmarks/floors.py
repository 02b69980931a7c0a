"""The physical limits, each a program that prints its seconds: `python -m benchmarks.floors`.

* `snapshot URL LIKE FOLDER`: fetch the rows that a first snapshot fetches, with the same driver and
  statements; write the bytes of the files in LIKE to FOLDER; `git add` and commit them.
* `digests URL`: run the queries by which a snapshot sees that nothing changed (every row is
  digested, and the digests are added up by part), and take in what they answer.
* `build READ LIKE FOLDER`: read the files in READ; write the bytes of those in LIKE to FOLDER.

What a program needs to know first (statements, bytes) it finds out before its clock starts.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from pymysql.cursors import SSCursor
from sqlalchemy import Engine, NullPool, create_engine, event

from exporter.source.database import View, open_source

Statement = tuple[str, Any]
"""What the driver is given: a statement with its parameters."""

_FILES_AT_A_TIME = 2_000


def statements(url: str, read: Callable[[View], Iterable[object]]) -> list[Statement]:
    """Return the queries that a reading of the database makes."""
    found: list[Statement] = []

    def note(*given: Any) -> None:  # noqa: ANN401 - whatever SQLAlchemy tells its listeners
        found.append((given[2], given[3]))

    event.listen(Engine, "before_cursor_execute", note)
    with open_source(url).view() as view:
        for _ in read(view):
            pass
    event.remove(Engine, "before_cursor_execute", note)
    return [one for one in found if one[0].lstrip().upper().startswith("SELECT")]


def fetched(url: str, queries: Sequence[Statement]) -> float:
    """Run queries with the driver alone and drop what they answer; seconds."""
    started = time.perf_counter()
    engine = create_engine(url, poolclass=NullPool)
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor(SSCursor)
        for statement, parameters in queries:
            cursor.execute(statement, parameters)
            while cursor.fetchmany(_FILES_AT_A_TIME):
                pass
        cursor.close()
    return time.perf_counter() - started


def written(like: Path, folder: Path) -> float:
    """Write the bytes that another folder's files have; seconds, without reading them."""
    seconds = 0.0
    paths = (path for path in like.rglob("*") if path.is_file())
    while batch := [(path, path.read_bytes()) for path in islice(paths, _FILES_AT_A_TIME)]:
        started = time.perf_counter()
        for path, data in batch:
            place = folder / path.relative_to(like)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        seconds += time.perf_counter() - started
    return seconds


def committed(folder: Path) -> float:
    """Commit what is in a folder, to a new repository; seconds."""
    started = time.perf_counter()
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return time.perf_counter() - started


def were_read(folder: Path) -> float:
    """Read every file of a folder; seconds."""
    started = time.perf_counter()
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()
    return time.perf_counter() - started


def main(name: str, *given: str) -> None:
    """Print the seconds of one limit."""
    if name == "digests":
        seconds = fetched(given[0], statements(given[0], lambda view: view.sums() or ()))
    elif name == "snapshot":
        url, like, folder = given[0], Path(given[1]), Path(given[2])
        seconds = fetched(url, statements(url, View.everything))
        seconds += written(like, folder) + committed(folder)
    else:
        source, like, folder = map(Path, given)
        seconds = were_read(source) + written(like, folder)
    print(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
