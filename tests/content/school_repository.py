"""A school in a database of the test's own and in a real git repository, for tests of holds.

`database` is edited as an editor would edit Frappe; people work on the repository with git itself.
While what is held is looked at, the lesson `UNRELATED` changes with every snapshot.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from exporter.content.candidates import Held
from exporter.content.holding import all_holds, hold_rule
from exporter.content.reading import read_commit
from exporter.content.remote import Patience
from exporter.content.repository import Repository
from exporter.content.snapshot import SnapshotOptions, SnapshotResult, take_snapshot
from exporter.core.model import LESSON, Document, Ref
from exporter.core.parts import Part
from tests.core.school import lesson, school, topic

__all__ = ["FOLDER", "MemoryDatabase", "SchoolRepository", "git", "patience", "ref_of"]

FOLDER = "content-snapshot"
SNAPSHOTS = 10 if os.environ.get("EXPORTER_THOROUGH") else 2
"""How many snapshots must leave a hold alone; the thorough number is issue 3's."""

UNRELATED: Ref = (LESSON, "Unrelated")


def git(folder: Path, *arguments: str) -> str:
    """Run git; return its output, stripped."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def patience() -> Patience:
    """Return the patience of the command line."""
    return Patience(time.monotonic, time.sleep, random.random)


def ref_of(name: str, doctype: str = LESSON) -> Ref:
    return (doctype, name)


class MemoryDatabase:
    """A source that is a dictionary; it knows no digests, so every snapshot reads all of it."""

    identity = "memory"

    def __init__(self, documents: Collection[Document] = ()) -> None:
        self.rows = {document.ref: document for document in documents}

    @contextmanager
    def view(self) -> Iterator[MemoryDatabase]:
        yield self

    def sums(self) -> None:
        return None

    def digests(self, _parts: Collection[Part] | None = None) -> Iterator[tuple[Ref, int | None]]:
        return ((ref, None) for ref in self.rows)

    def size(self) -> int:
        return len(self.rows)

    def everything(self) -> Iterator[tuple[Document, int | None]]:
        return ((document, None) for document in list(self.rows.values()))

    def documents(self, only: Collection[Ref]) -> Iterator[Document]:
        return (self.rows[ref] for ref in only if ref in self.rows)

    def put(self, *documents: Document) -> None:
        self.rows.update((document.ref, document) for document in documents)

    def edit(self, ref: Ref, **fields: str | bool | int) -> None:
        document = self.rows[ref]
        self.rows[ref] = replace(document, fields={**document.fields, **fields})

    def delete(self, *refs: Ref) -> None:
        for ref in refs:
            del self.rows[ref]

    def rename(self, ref: Ref, name: str) -> None:
        """Rename as Frappe does: the children's links follow."""
        document = self.rows.pop(ref)
        self.rows[ref[0], name] = replace(document, name=name)
        for child in list(self.rows.values()):
            if child.type.parent == ref[0] and child.parent == ref[1]:
                self.edit(child.ref, **{str(child.type.parent_field): name})


class SchoolRepository:
    """The smallest whole school with lessons A, B, C in topic O, and a second, empty topic P."""

    def __init__(self, folder: Path) -> None:
        git(folder.parent, "init", "--quiet", str(folder))
        git(folder, "commit", "--quiet", "--allow-empty", "-m", "Begin")
        self.folder = folder
        self.repository = Repository(folder)
        lessons = [lesson(name, title=f"{name} is good") for name in ("A", "B", "C", "Unrelated")]
        self.database = MemoryDatabase(school(topic("P"), *lessons))
        self.edits = 0
        self.snapshot()

    def git(self, *arguments: str) -> str:
        return git(self.folder, *arguments)

    def commit(self, message: str) -> str:
        """Commit everything in the work tree as a person; return the hash."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def snapshot(self, released: Collection[Ref] = ()) -> SnapshotResult:
        """Take a snapshot; what is `released` is taken whatever is held."""
        rule = hold_rule(FOLDER, {}, released=lambda ref: ref in released)
        options = SnapshotOptions(FOLDER, author="Bot <bot@example.org>", hold=rule)
        return take_snapshot(self.repository, self.database, options)

    def snapshot_of(self, **titles: str) -> str:
        """Give lessons other titles and take a snapshot; return its hash."""
        for name, title in titles.items():
            self.database.edit(ref_of(name), title=title)
        commit = self.snapshot().commit
        assert commit is not None
        return commit.sha

    def documents(self) -> dict[Ref, Document]:
        """Return what HEAD has."""
        head = self.repository.resolve("HEAD")
        return dict(read_commit(self.repository, head, FOLDER, {}).loaded.snapshot.documents)

    def title(self, name: str, doctype: str = LESSON) -> str | None:
        document = self.documents().get((doctype, name))
        return document.title if document else None

    def parent(self, name: str) -> str:
        return self.documents()[ref_of(name)].parent

    def holds(self) -> tuple[Held, ...]:
        return all_holds(self.repository, self.repository.resolve("HEAD"), FOLDER, {})

    def path(self, name: str) -> str:
        """Return the path of the one file of that name."""
        found = [path for path in self.git("ls-files").split("\n") if path.endswith(f"/{name}")]
        assert len(found) == 1, found
        return found[0]

    def settle(self, *held: Ref, snapshots: int = SNAPSHOTS, git_knows: bool = True) -> None:
        """Take further snapshots: what is held stays as it is, the unrelated edit always flows.

        git does not know of an edit from one held version to another, so of two rollbacks it may
        name the other one.
        """
        expected = {ref: doc for ref, doc in self.documents().items() if ref != UNRELATED}
        for _ in range(snapshots):
            self.edits += 1
            self.database.edit(UNRELATED, title=f"Unrelated {self.edits}")
            result = self.snapshot()
            assert [change.document.ref for change in result.changes] == [UNRELATED]
            assert {one.ref for one in result.held} == set(held)
            listed = self.holds()
            assert listed == result.held or not git_knows, "`exporter holds` says something else"
            assert {one.ref for one in listed} == set(held)
            assert all(one.author and one.date and one.reason for one in result.held)
            now = self.documents()
            assert now.pop(UNRELATED).title == f"Unrelated {self.edits}"
            assert now == expected

    def takes_everything(self) -> None:
        """Assert that the next snapshot leaves nothing out."""
        result = self.snapshot()
        assert result.held == ()
        assert self.documents() == self.database.rows
