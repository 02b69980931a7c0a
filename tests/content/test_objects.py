"""Contents are put into git, whole, by a git that may fail."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from exporter.content.objects import hash_files, storing
from exporter.content.repository import Repository
from exporter.errors import GitError
from tests.content.school_repository import git


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return Repository(tmp_path)


def contents(count: int) -> list[bytes]:
    odd = [b"", b"\n", b"no line break", b"blob\ndata 5\n", b"\x00\xff\r\n", b"x" * 3_000_000]
    return [*odd, *(b"name: %d\n" % number for number in range(count))]


def store_all(repository: Repository, data: list[bytes]) -> None:
    with storing(repository) as store:
        for each in data:
            store(each)


@pytest.mark.parametrize(("count", "packs"), [(0, 0), (200, 1)])
def test_a_few_contents_become_loose_objects_and_many_become_one_pack(
    repository: Repository, count: int, packs: int
) -> None:
    stored = contents(count)
    store_all(repository, stored)
    hashes = []
    for number, data in enumerate(stored):
        (repository.root / f"{number}").write_bytes(data)
        hashes.append(hash_files(repository, [f"{number}"])[f"{number}"])
    assert list(repository.blobs(hashes)) == stored
    assert len(list((repository.private_dir.parent / "objects/pack").glob("*.pack"))) == packs


def test_no_git_is_started_for_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with storing(repository):
        pass


def test_a_git_that_fails_says_why_and_leaves_no_report(repository: Repository) -> None:
    def store_and_disturb() -> None:
        with storing(repository) as store:
            store(b"content")
            assert store._process
            assert store._process.stdin
            store._process.stdin.write(b"what is this?\n")
            for data in contents(200) * 20:
                store(data)

    with pytest.raises(GitError, match=r"git fast-import failed in .*: fatal: Unsupported"):
        store_and_disturb()
    assert list(repository.private_dir.parent.glob("fast_import_crash_*")) == []


def test_files_are_hashed_and_stored_as_git_would(repository: Repository) -> None:
    (repository.root / "a").write_text("a")
    found = hash_files(repository, ["a", "not there"], store=True)
    assert found == {"a": git(repository.root, "hash-object", "a"), "not there": ""}
    assert list(repository.blobs([found["a"]])) == [b"a"]
