"""What every test gets: an isolated environment, Hypothesis profiles, and real servers on demand.

A server starts with the first test of a process that asks for it and ends with the session. Where
it is not installed its tests are skipped with the reason; with `EXPORTER_REQUIRE_SERVERS=1` (CI)
that, and any other skip, is a failure.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import settings

from tests.server_process import ServerMissing
from tests.servers import (
    MariaDBDatabase,
    MariaDBServer,
    S3Server,
    running_mariadb,
    running_s3,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

Server = TypeVar("Server")

NOTHING_MAY_BE_SKIPPED = os.environ.get("EXPORTER_REQUIRE_SERVERS") == "1"

CLEARED_PREFIXES = ("AWS_", "EXPORTER_", "GITHUB_", "GIT_", "XDG_")
CLEARED = ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "LANGUAGE")

GIT_CONFIG = """\
[user]
    name = Test Author
    email = author@example.org
[init]
    defaultBranch = main
[commit]
    gpgSign = false
[gc]
    auto = 0
"""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts jobs in the background so; the commands under test would never hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where nothing may be skipped."""
    report = yield
    if NOTHING_MAY_BE_SKIPPED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be skipped here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module into a failure where nothing may be skipped."""
    report = yield
    if NOTHING_MAY_BE_SKIPPED and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing may be skipped here: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def isolated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home folder with a git identity and nothing else."""
    home = tmp_path_factory.mktemp("home")
    (home / "gitconfig").write_text(GIT_CONFIG, encoding="utf-8")
    return home


@pytest.fixture(autouse=True)
def isolated_environment(isolated_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's settings, credentials and CI variables out of every test."""
    for name in list(os.environ):
        if name.startswith(CLEARED_PREFIXES) or name in CLEARED:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(isolated_home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(isolated_home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDBServer]:
    """Return a running MariaDB of this process's own."""
    with _installed(running_mariadb()) as server:
        yield server


@pytest.fixture
def mariadb_database(mariadb: MariaDBServer) -> Iterator[MariaDBDatabase]:
    """Return a fresh, empty database; it is dropped afterwards."""
    name = f"site_{uuid.uuid4().hex[:12]}"
    mariadb.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    yield MariaDBDatabase(mariadb, name)
    mariadb.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """Return a running S3 server of this process's own."""
    with _installed(running_s3()) as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> Iterator[str]:
    """Return the name of a fresh, empty bucket; it is emptied and removed afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    with closing(s3_server.client()) as client:
        client.create_bucket(Bucket=name)
        yield name
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            found = page.get("Contents", [])
            if found:
                keys: list[ObjectIdentifierTypeDef] = [{"Key": item["Key"]} for item in found]
                client.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
        client.delete_bucket(Bucket=name)


@contextmanager
def _installed(starting: AbstractContextManager[Server]) -> Iterator[Server]:
    """Skip the test that asks for a server whose program is not installed."""
    try:
        with starting as server:
            yield server
    except ServerMissing as missing:
        pytest.skip(f"NOT TESTED: {missing}")
