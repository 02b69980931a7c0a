"""Snapshot files that were parsed before: a cache inside `.git`, by the hash of their bytes.

What a file says depends on its bytes alone, so nothing here can be out of date: a file is parsed
where its hash is not known. A work tree's hashes are remembered by what the file system says of a
file (time of change, size, inode), as git's own index does. Deleting the cache costs time only, and
a damaged one is made anew.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Protocol, cast

import orjson

from exporter.content.cachefile import CacheFile
from exporter.content.yaml_reader import read_file
from exporter.core.loading import ParsedFile, with_packed_rows
from exporter.core.model import Json
from exporter.core.packed import PackedRows
from exporter.workers import IN_PROCESS, Workers

__all__ = ["FreshlyParsed", "ParsedFiles", "Parsing", "Stats", "stats_below"]

FORMAT = 1
"""Raised whenever the same bytes would be parsed to something else."""
CHUNK = 500
"""Files that a worker parses at a time."""
_SPARE = 3
"""Rows that the cache may hold for each one that is needed."""
_TABLES = """
CREATE TABLE IF NOT EXISTS parsed (blob TEXT PRIMARY KEY, mapping BLOB);
CREATE TABLE IF NOT EXISTS seen (folder TEXT PRIMARY KEY, blobs BLOB);
"""

Stats = Mapping[str, str]
"""What the file system says of each file below a folder, by relative path."""

_Seen = dict[str, tuple[str, str]]
"""The blob hash of each file by path, with the stat that it was seen with."""


class Parsing(Protocol):
    """Gives the parsed files of a tree or folder, in the order in which they are asked for."""

    def of_blobs(
        self, tree: Mapping[str, str], read: Callable[[Iterable[str]], Iterator[bytes]]
    ) -> Iterator[ParsedFile]:
        """Yield the files of a tree (blob hashes by path); `read` gives blobs."""

    def of_folder(self, folder: Path, stats: Stats) -> Iterator[ParsedFile]:
        """Yield the files below a folder, of which the stats were just taken."""


@dataclass(frozen=True, slots=True)
class FreshlyParsed:
    """Parses every file, with several processes where there are many."""

    workers: Workers = IN_PROCESS

    def of_blobs(
        self, tree: Mapping[str, str], read: Callable[[Iterable[str]], Iterator[bytes]]
    ) -> Iterator[ParsedFile]:
        """Yield the files of a tree; each process reads its own blobs."""
        return self._parsed(list(tree), lambda paths: read([tree[path] for path in paths]))

    def of_folder(self, folder: Path, stats: Stats) -> Iterator[ParsedFile]:
        """Yield the files below a folder."""
        return self._parsed(list(stats), partial(_contents, os.fspath(folder)))

    def _parsed(
        self, paths: Sequence[str], read: Callable[[Sequence[str]], Iterable[bytes]]
    ) -> Iterator[ParsedFile]:
        workers = self.workers.forked
        if workers.jobs == 1:
            yield from starmap(read_file, zip(paths, read(paths), strict=True))
            return
        chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
        for found in workers.each("files read", partial(_read_files, read), chunks):
            for path, mapping, problem, line, parts in marshal.loads(found):  # noqa: S302 - ours
                rows = PackedRows(parts) if parts else None
                yield ParsedFile(path, mapping, problem, line, rows)


def _read_files(read: Callable[[Sequence[str]], Iterable[bytes]], paths: Sequence[str]) -> bytes:
    """Parse files in a worker; to marshal what they hold is several times as fast as to pickle.

    Rows come packed, as they will be kept: most of a file is never looked at by who asked for it.
    """
    files = map(with_packed_rows, starmap(read_file, zip(paths, read(paths), strict=True)))
    return marshal.dumps(
        [
            (one.path, one.mapping, one.problem, one.line, one.rows.parts if one.rows else None)
            for one in files
        ]
    )


def stats_below(folder: Path) -> dict[str, str]:
    """Return what the file system says of every file below a folder."""
    found: dict[str, str] = {}
    _walk(os.fspath(folder), "", found)
    return dict(sorted(found.items()))


def _walk(folder: str, above: str, found: dict[str, str]) -> None:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            path = above + entry.name
            if entry.is_dir(follow_symlinks=False):
                _walk(entry.path, f"{path}/", found)
            elif entry.is_file():
                with suppress(FileNotFoundError):  # gone since it was listed
                    stat = entry.stat()
                    times = f"{stat.st_mtime_ns} {stat.st_ctime_ns}"
                    found[path] = f"{times} {stat.st_size} {stat.st_ino}"


class ParsedFiles:
    """The cache; safe to share between threads and between processes."""

    def __init__(self, private_dir: Path) -> None:
        """Keep the cache in a folder of ours inside `.git`."""
        self._cache = CacheFile(private_dir / f"parsed-{FORMAT}.db", _TABLES)

    def of_blobs(
        self, tree: Mapping[str, str], read: Callable[[Iterable[str]], Iterator[bytes]]
    ) -> Iterator[ParsedFile]:
        """Yield the files of a tree (blob hashes by path); `read` gives blobs that are not known.

        The order is that of the tree.
        """
        known = self._mappings(set(tree.values()))
        missing = {path: blob for path, blob in tree.items() if blob not in known}
        fresh = self._parsed(missing, read(list(missing.values())))
        for path, blob in tree.items():
            yield fresh.get(path) or ParsedFile(path, known[blob])

    def of_folder(self, folder: Path, stats: Stats) -> Iterator[ParsedFile]:
        """Yield the files below a folder, of which the stats were just taken."""
        seen = self._seen(folder)
        tree: dict[str, str] = {}
        data: dict[str, bytes] = {}
        for path, stat in stats.items():
            before = seen.get(path)
            if before and before[1] == stat:
                tree[path] = before[0]
            else:
                data[path] = _bytes_of(folder / path)
                tree[path] = _blob_of(data[path])
        by_blob = {tree[path]: path for path in tree}

        def read(blobs: Iterable[str]) -> Iterator[bytes]:
            paths = (by_blob[blob] for blob in blobs)
            return (data[path] if path in data else _bytes_of(folder / path) for path in paths)

        yield from self.of_blobs(tree, read)
        if data or seen.keys() - stats.keys():
            self._see(folder, {path: (blob, stats[path]) for path, blob in tree.items()})

    def _parsed(self, tree: Mapping[str, str], contents: Iterable[bytes]) -> dict[str, ParsedFile]:
        """Parse files, and remember those that are sound."""
        pairs = zip(tree.items(), contents, strict=True)
        fresh = {path: (blob, read_file(path, data)) for (path, blob), data in pairs}
        rows = ((blob, _written(file.mapping)) for blob, file in fresh.values())
        self._store([row for row in rows if row[1] is not None])
        return {path: file for path, (_, file) in fresh.items()}

    def _mappings(self, wanted: set[str]) -> dict[str, dict[str, Json]]:
        """Return what is known of the wanted blobs; drop most of the rest where it outgrew them."""

        def select(cache: sqlite3.Connection) -> dict[str, dict[str, Json]]:
            rows = cache.execute("SELECT blob, mapping FROM parsed")
            strange: list[str] = []
            found: dict[str, dict[str, Json]] = {}
            for blob, mapping in rows:
                if blob in wanted:
                    found[blob] = orjson.loads(mapping)
                else:
                    strange.append(blob)
            if len(strange) > _SPARE * len(wanted):
                old = [(blob,) for blob in strange]
                cache.executemany("DELETE FROM parsed WHERE blob = ?", old)
            return found

        return self._cache.use(select) or {}

    def _store(self, rows: list[tuple[str, bytes | None]]) -> None:
        if rows:
            self._cache.use(
                lambda c: c.executemany("INSERT OR IGNORE INTO parsed VALUES (?, ?)", rows)
            )

    def _seen(self, folder: Path) -> _Seen:
        row = self._cache.use(
            lambda cache: cache.execute(
                "SELECT blobs FROM seen WHERE folder = ?", (str(folder),)
            ).fetchone()
        )
        return cast("_Seen", orjson.loads(row[0])) if row else {}

    def _see(self, folder: Path, seen: _Seen) -> None:
        row = (str(folder), orjson.dumps(seen))
        self._cache.use(
            lambda cache: cache.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", row)
        )


def _written(mapping: Mapping[str, Json] | None) -> bytes | None:
    """Return a mapping as JSON that reads back to the very same; None where there is no such."""
    try:
        written = orjson.dumps(mapping)
    except TypeError:  # an integer of more than 64 bits
        return None
    return written if mapping is not None and orjson.loads(written) == mapping else None


def _contents(folder: str, paths: Iterable[str]) -> Iterator[bytes]:
    return (_bytes_of(f"{folder}/{path}") for path in paths)


def _bytes_of(file: str | Path) -> bytes:
    """Return what a file holds; nothing if it is gone, or became something else."""
    try:
        with open(file, "rb", buffering=0) as opened:  # noqa: PTH123 - 50,000 files
            return opened.readall()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return b""


def _blob_of(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
