"""Parsed files that are remembered: the same with the cache, without it, and after damage."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.content.parsed import FreshlyParsed, ParsedFiles, stats_below
from exporter.content.reading import read_commit, read_worktree
from exporter.content.repository import Repository
from exporter.core.loading import ParsedFile
from exporter.workers import Workers
from tests.cli.running import content_repository, write_files

LESSON = "name: L\ntitle: A\nstages:\n  - title: S\n    type: Text\n    config:\n      n: {}\n"
FILES = {
    "plans/P.yaml": "name: P\ntitle: A plan\nis_published: true\n",
    "subjects/S/_subject.yaml": "name: S\ntitle: 'yes'\n",
    "orphans/Memora Lesson/L.yaml": LESSON.format(10**30),
    "grades/broken.yaml": "name: [\n",
    "grades/hand.yaml": "title:   Written by hand\nname: hand\n",
    "notes.txt": "no content",
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(content_repository(tmp_path / "content", FILES))


@pytest.fixture
def folder(repository: Repository) -> Path:
    return repository.root / "content-snapshot"


def parsed(folder: Path, cache: ParsedFiles) -> list[ParsedFile]:
    return list(cache.of_folder(folder, stats_below(folder)))


def test_the_content_is_the_same_with_and_without_the_cache(
    repository: Repository, folder: Path
) -> None:
    cache = ParsedFiles(repository.private_dir)
    head = repository.resolve("HEAD")
    fresh = read_worktree(folder, {}).loaded
    for _ in range(2):
        assert read_worktree(folder, {}, cache).loaded == fresh
        known = read_commit(repository, head, "content-snapshot", {}, cache).loaded
        assert known == read_commit(repository, head, "content-snapshot", {}).loaded == fresh


def test_the_content_is_the_same_however_many_processes_read_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.content.parsed.CHUNK", 2)
    above = "subjects/S/T/U/O"
    lesson = "name: {}\ntitle: A\nbit_index: 1\nstages:\n  - title: S\n    weight: {}\n"
    names = ("T/_track", "T/U/_unit", "T/U/O/_topic")
    write_files(folder, {f"subjects/S/{one}.yaml": f"name: {one[-1]}\ntitle: T\n" for one in names})
    write_files(folder, {f"{above}/L{n}.yaml": lesson.format(f"L{n}", 1.5) for n in range(5)})
    write_files(folder, {f"{above}/WRONG.yaml": lesson.format("WRONG", "heavy")})
    write_files(folder, {f"{above}/NONE.yaml": "name: NONE\ntitle: No stages\nstages: []\n"})
    shared = read_worktree(folder, {}, FreshlyParsed(Workers(3, worth=1))).loaded
    assert shared == read_worktree(folder, {}).loaded
    wrong = [found.pointer for found in shared.findings if found.path.endswith("WRONG.yaml")]
    assert ("stages", 0, "weight") in wrong
    stages = shared.snapshot.documents["Memora Lesson", "L1"].rows["stages"]
    assert [row["weight"] for row in stages] == [1.5]


def test_a_file_that_is_known_is_not_read_again(
    repository: Repository, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ParsedFiles(repository.private_dir)
    before = parsed(folder, cache)
    read: list[str] = []

    def read_file(path: str, _data: bytes) -> ParsedFile:
        read.append(path)
        return ParsedFile(path, None)

    monkeypatch.setattr("exporter.content.parsed.read_file", read_file)
    again = parsed(folder, cache)
    assert sorted(read) == ["grades/broken.yaml", "notes.txt", "orphans/Memora Lesson/L.yaml"]
    sound = [file for file in before if file.path not in read]
    assert [file for file in again if file.path not in read] == sound


def test_an_edit_of_the_same_length_is_seen(repository: Repository, folder: Path) -> None:
    cache = ParsedFiles(repository.private_dir)
    parsed(folder, cache)
    file = folder / "plans" / "P.yaml"
    times = file.stat()
    write_files(folder, {"plans/P.yaml": FILES["plans/P.yaml"].replace("A plan", "B plan")})
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    (changed,) = [one for one in parsed(folder, cache) if one.path == "plans/P.yaml"]
    assert changed.mapping is not None
    assert changed.mapping["title"] == "B plan"


def test_files_that_come_and_go_are_followed(repository: Repository, folder: Path) -> None:
    cache = ParsedFiles(repository.private_dir)
    parsed(folder, cache)
    (folder / "plans" / "P.yaml").rename(folder / "plans" / "Q.yaml")
    write_files(folder, {"streams/X.yaml": "name: X\ntitle: X\n"})
    paths = [file.path for file in parsed(folder, cache)]
    assert paths == sorted({*FILES, "plans/Q.yaml", "streams/X.yaml"} - {"plans/P.yaml"})
    assert read_worktree(folder, {}, cache).loaded == read_worktree(folder, {}).loaded


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_cache_is_made_anew(repository: Repository, folder: Path, damage: bytes) -> None:
    cache = ParsedFiles(repository.private_dir)
    before = parsed(folder, cache)
    (file,) = repository.private_dir.glob("parsed-*.db")
    file.write_bytes(damage)
    assert parsed(folder, cache) == before
    assert parsed(folder, cache) == before
    assert b"mapping" in file.read_bytes()


def test_a_cache_that_cannot_be_written_is_no_error(repository: Repository, folder: Path) -> None:
    nowhere = ParsedFiles(repository.private_dir / "not" / "there")
    assert parsed(folder, nowhere) == parsed(folder, ParsedFiles(repository.private_dir))


def test_two_files_of_the_same_bytes_are_both_there(repository: Repository, folder: Path) -> None:
    write_files(folder, {"plans/Same.yaml": FILES["plans/P.yaml"]})
    cache = ParsedFiles(repository.private_dir)
    for _ in range(2):
        assert read_worktree(folder, {}, cache).loaded == read_worktree(folder, {}).loaded


def test_what_nobody_needs_any_more_is_dropped(repository: Repository, folder: Path) -> None:
    cache = ParsedFiles(repository.private_dir)
    for number in range(40):
        write_files(folder, {"plans/P.yaml": f"name: P\ntitle: {number}th\n"})
        parsed(folder, cache)
    (file,) = repository.private_dir.glob("parsed-*.db")
    with closing(sqlite3.connect(file)) as database:
        (count,) = database.execute("SELECT count(*) FROM parsed").fetchone()
    assert count < 30


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_what_is_kept_reads_back_to_the_very_same(value: object) -> None:
    import orjson

    from exporter.content.parsed import _written

    written = _written({"value": value})  # type: ignore[dict-item]
    assert written is None or repr(orjson.loads(written)) == repr({"value": value})
