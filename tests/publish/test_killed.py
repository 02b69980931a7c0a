"""A real process that publishes to a real S3 server is killed at random moments.

Every second release goes over to the other addressing, or comes after one that did.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exporter.publish.ledger import Ledger
from exporter.stores.s3 import S3Options, S3Store
from tests.publish.publishing import SchoolRepository, Target, broken_links
from tests.publish.schools import BASE, EDITED, SHRUNK
from tests.servers import S3Server
from tests.stores.memory import MemoryStore

ROUNDS = 40 if os.environ.get("EXPORTER_THOROUGH") else 6


def _bodies(store: S3Store) -> dict[str, bytes]:
    found = {info.key: store.get(info.key) for info in store.list()}
    return {key: held.body for key, held in found.items() if held}


@pytest.fixture
def credentials(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)


@pytest.mark.usefixtures("credentials")
def test_a_process_killed_at_random_moments_leaves_no_broken_link(
    s3_server: S3Server, s3_bucket: str, schools: SchoolRepository
) -> None:
    chance = random.Random(20261121)  # noqa: S311 - moments, no secret
    commits = [schools.commit((BASE, EDITED, SHRUNK)[number % 3]) for number in range(ROUNDS)]
    options = S3Options(s3_server.endpoint_url)
    cdn, state = (S3Store(s3_bucket, prefix, options, 4) for prefix in ("cdn", "state"))
    for number, commit in enumerate(commits):
        addressing = ("stable", "stable", "hashed", "hashed")[number % 4]
        place = [str(schools.folder), s3_server.endpoint_url, s3_bucket]
        arguments = [*place, commit.sha, addressing]
        _killed([*arguments, str(2 * number)], chance.random() * 1.2)
        assert broken_links(_bodies(cdn)) == []
        _finished([*arguments, str(2 * number + 1)])
        audited = Target(schools)
        audited.cdn._objects = _in_memory(cdn)._objects
        audited.state._objects = _in_memory(state)._objects
        assert audited.audit() == []
        head = Ledger(state).live().head
        assert head is not None
        assert head.commit == commit.sha


def _in_memory(store: S3Store) -> MemoryStore:
    copy = MemoryStore()
    for info in store.list():
        found = store.get(info.key)
        if found:
            copy.put(info.key, found.body, found.info.attributes)
    return copy


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "tests.publish.killable", *arguments]


def _killed(arguments: list[str], after_s: float) -> None:
    process = subprocess.Popen(
        _command(arguments), stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        time.sleep(after_s)
        process.kill()


def _finished(arguments: list[str]) -> None:
    subprocess.run(
        _command(arguments), check=True, cwd=Path(__file__).parents[2], capture_output=True
    )
