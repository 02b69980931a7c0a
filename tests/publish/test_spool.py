"""A large publish sets its files aside on disk: the same is put, also when a plan fails."""

from __future__ import annotations

import errno
import os
import tempfile

import pytest

from exporter.core.artifacts import Artifact, Entry, Kind
from exporter.errors import OutsideError
from exporter.publish import spool
from exporter.publish.spool import Spool
from tests.publish.publishing import SchoolRepository, Target
from tests.publish.schools import BASE, EDITED


def artifact(data: bytes) -> Artifact:
    return Artifact("lessons/L.json", Kind.LESSON, None, Entry("", len(data), 1), data)


def test_what_is_set_aside_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 5)
    files = Spool()
    contents = [b"12345", b"678", b"", b"9" * 100_000]
    for data in contents:
        files.add(artifact(data))
    assert [isinstance(one.stored, bytes) for one in files.artifacts] == [True, False, False, False]
    assert [one.data for one in files.artifacts] == contents
    assert [one.data for one in reversed(files.artifacts)] == contents[::-1]


def test_a_publish_puts_the_same_from_disk_as_from_memory(
    schools: SchoolRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_memory, from_disk = Target(schools), Target(schools)
    for school in (BASE, EDITED):
        commit = schools.commit(school)
        monkeypatch.undo()
        from_memory.publish(commit)
        monkeypatch.setattr(spool, "IN_MEMORY", 0)
        from_disk.publish(commit)
        assert from_disk.cdn.bodies == from_memory.cdn.bodies


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spool, "IN_MEMORY", 0)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OutsideError, match=r"temporary file in .* No space left on device"):
        Spool().add(artifact(b"x"))


def test_no_folder_for_temporary_files_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    with pytest.raises(OutsideError, match="No usable temporary directory found"):
        Spool().add(artifact(b"x"))
