"""What is particular to a folder: whole files, locks between processes, hidden things, errors."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.errors import StoreError
from exporter.stores.base import Attributes, ObjectInfo, StoredObject
from exporter.stores.folder import FolderStore

PLAIN = Attributes()
JSON = Attributes("application/json; charset=utf-8", "max-age=60", {"commit": "3f2a1bc9"})

TAKE_THE_LEASE = """
import sys
from pathlib import Path
from exporter.stores.base import Attributes, IfAbsent, PreconditionFailed
from exporter.stores.folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
sys.stdin.readline()
won = 0
for number in range(50):
    try:
        store.put(f"lease-{number}.json", sys.argv[2].encode(), Attributes(), IfAbsent())
        won += 1
    except PreconditionFailed:
        pass
print(won)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "public" / "content"


@pytest.fixture
def store(root: Path) -> FolderStore:
    return FolderStore(root)


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Make the kernel refuse to write more, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def visible_files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".exporter" not in path.parts
    }


def temporary_files(root: Path) -> list[Path]:
    return list((root / ".exporter" / "tmp").iterdir())


def test_readers_of_the_folder_see_just_the_bodies(store: FolderStore, root: Path) -> None:
    store.put("plans/خطة/manifest.json", b"{}", JSON)
    store.put("lessons/L.json", b"[]", JSON)

    assert visible_files(root) == {"plans/خطة/manifest.json": b"{}", "lessons/L.json": b"[]"}
    assert temporary_files(root) == []
    assert store.label == str(root)


def test_files_are_readable_by_the_web_server(store: FolderStore, root: Path) -> None:
    before = os.umask(0o022)
    try:
        store.put("x.json", b"{}", JSON)
    finally:
        os.umask(before)

    assert (root / "x.json").stat().st_mode & 0o777 == 0o644


def test_looking_makes_no_folder(store: FolderStore, root: Path) -> None:
    assert (store.get("x"), store.head("x"), list(store.list())) == (None, None, [])
    store.delete(["x"])

    assert not root.exists()


def test_deleting_removes_the_folders_that_it_empties(store: FolderStore, root: Path) -> None:
    for key in ("plans/P/search/S.json", "plans/P/manifest.json", "plans/Q/manifest.json"):
        store.put(key, b"{}", JSON)
    store.delete(["plans/P/search/S.json", "plans/P/manifest.json"])

    assert [path.name for path in (root / "plans").iterdir()] == ["Q"]
    assert [path.name for path in (root / ".exporter/attributes/plans").iterdir()] == ["Q"]
    store.delete(["plans/Q/manifest.json"])
    assert [path.name for path in root.iterdir()] == [".exporter"]


def test_hidden_files_and_linked_folders_are_no_objects(store: FolderStore, root: Path) -> None:
    store.put("a/x.json", b"{}", JSON)
    (root / ".DS_Store").write_bytes(b"mac")
    (root / "a" / ".hidden").mkdir()
    (root / "a" / ".hidden" / "y").write_bytes(b"y")
    (root / "a" / "round").symlink_to(root)

    assert [info.key for info in store.list()] == ["a/x.json"]


def test_a_file_edited_by_hand_has_another_etag(store: FolderStore, root: Path) -> None:
    etag = store.put("x.json", b"{}", JSON)
    (root / "x.json").write_bytes(b"[]")

    changed = store.head("x.json")
    assert changed is not None
    assert changed == ObjectInfo("x.json", 2, changed.etag, JSON)
    assert changed.etag != etag


def test_a_file_put_there_by_hand_is_an_object(store: FolderStore, root: Path) -> None:
    root.mkdir(parents=True)
    (root / "x.json").write_bytes(b"{}")

    held = store.get("x.json")
    assert held is not None
    assert held == StoredObject(ObjectInfo("x.json", 2, held.info.etag, PLAIN), b"{}")
    store.delete(["x.json"])
    assert visible_files(root) == {}


@pytest.mark.parametrize(
    "key",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/./x",
        "a//x",
        "a/",
        "",
        ".exporter/lock",
        "a/.b",
        "a\0b",
    ],
)
def test_a_key_that_leads_elsewhere_is_refused(store: FolderStore, root: Path, key: str) -> None:
    with pytest.raises(StoreError, match="is not a key for a folder"):
        store.put(key, b"x", PLAIN)
    with pytest.raises(StoreError, match="is not a key for a folder"):
        store.get(key)
    with pytest.raises(StoreError, match="is not a key for a folder"):
        store.delete([key])
    assert not root.exists()


def test_a_prefix_that_leads_elsewhere_is_refused(store: FolderStore) -> None:
    with pytest.raises(StoreError, match="is not a key for a folder"):
        list(store.list("../"))


def test_a_failed_write_leaves_the_old_object(store: FolderStore, root: Path) -> None:
    store.put("x.json", b"old", JSON)
    held = store.get("x.json")
    with no_file_larger_than(1_000), pytest.raises(StoreError) as raised:
        store.put("x.json", b"n" * 2_000, PLAIN)

    assert store.get("x.json") == held
    assert temporary_files(root) == []
    assert raised.value.message == f"{root}: could not put x.json: File too large"
    assert raised.value.hint == "look at the folder and its disk, then run again"


def test_a_put_whose_body_found_no_place_can_be_put_again(store: FolderStore, root: Path) -> None:
    store.put("x.json", b"old", PLAIN)
    (root / "x.json").unlink()
    (root / "x.json").mkdir()
    (root / "x.json" / "in-the-way").write_bytes(b"")
    with pytest.raises(StoreError, match=r"could not put x\.json") as raised:
        store.put("x.json", b"new", JSON)
    assert "a folder stands where a file is needed" in raised.value.hint

    (root / "x.json" / "in-the-way").unlink()
    (root / "x.json").rmdir()
    assert store.get("x.json") is None
    store.put("x.json", b"new", JSON)
    held = store.get("x.json")
    assert held is not None
    assert held == StoredObject(ObjectInfo("x.json", 3, held.info.etag, JSON), b"new")


def test_a_root_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError) as raised:
        FolderStore(tmp_path / "file").put("x.json", b"{}", JSON)

    assert raised.value.message == f"{tmp_path}/file: could not put x.json: Not a directory"
    assert "a file stands where a folder is needed" in raised.value.hint


def test_a_name_beyond_the_file_system_is_named(store: FolderStore) -> None:
    with pytest.raises(StoreError, match="File name too long") as raised:
        store.put("x" * 256, b"{}", JSON)
    assert "does not take names this long" in raised.value.hint


def test_spoilt_attributes_are_named(store: FolderStore, root: Path) -> None:
    store.put("x.json", b"{}", JSON)
    for spoilt in (b"", b"[]", b'{"other": 1}'):
        (root / ".exporter/attributes/x.json.json").write_bytes(spoilt)
        with pytest.raises(StoreError, match="not the attributes of an object"):
            store.get("x.json")


def test_of_four_processes_each_lease_goes_to_one(root: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE_THE_LEASE, str(root), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    won = [int(process.communicate()[0]) for process in processes]

    assert sum(won) == 50
    owners = [int(body) for body in visible_files(root).values()]
    assert [owners.count(number) for number in range(4)] == won
