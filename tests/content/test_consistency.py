"""A snapshot of a database that misbehaves: half edits, lost rights, vanished rows."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, create_engine, make_url, text

from exporter.content.repository import Repository
from exporter.content.snapshot import SnapshotOptions, take_snapshot
from exporter.core.model import DOCTYPES, LESSON, PLAN, SUBJECT, TOPIC
from exporter.errors import Refused, SourceError
from exporter.source import database
from exporter.source.columns import table_names
from exporter.source.database import open_source
from exporter.source.digests import document_digests
from tests.frappe_site import FrappeSite
from tests.servers import MariaDBDatabase, MariaDBServer

OPTIONS = SnapshotOptions("content-snapshot")


@pytest.fixture
def sqlite_site(tmp_path: Path) -> FrappeSite:
    site = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    site.execute("PRAGMA journal_mode = WAL")
    return site


@pytest.fixture
def mariadb_site(mariadb_database: MariaDBDatabase) -> FrappeSite:
    return FrappeSite.create(mariadb_database.url)


@pytest.fixture(params=["sqlite_site", "mariadb_site"])
def site(request: pytest.FixtureRequest) -> FrappeSite:
    found: FrappeSite = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    subprocess.run(["git", "init", "-q", str(tmp_path / "clone")], check=True)
    return Repository(tmp_path / "clone")


def fill(site: FrappeSite, lessons: int) -> None:
    site.add(PLAN, "P1", title="Plan")
    site.add_branch("L0")
    with site.writing() as connection:
        for number in range(1, lessons):
            row = {"name": f"L{number}", "title": "Lesson", "parent_topic": "P"}
            statement = "INSERT INTO `tabMemora Lesson` (name, title, parent_topic)"
            connection.execute(text(f"{statement} VALUES (:name, :title, :parent_topic)"), row)
    site.add_stage("L0", 1, {"round": 0}, title="round 0")


@contextmanager
def writer(site: FrappeSite) -> Iterator[None]:
    """Save rounds as fast as it goes: each touches many tables in one transaction."""
    ended = threading.Event()

    def save() -> None:
        engine = create_engine(site.url, poolclass=NullPool)
        with engine.connect() as connection:
            number = 0
            while not ended.is_set():
                number += 1
                with connection.begin():
                    for table in ("Lesson", "Lesson Stage", "Topic", "Unit", "Track", "Subject"):
                        statement = text(f"UPDATE `tabMemora {table}` SET title = :title")
                        connection.execute(statement, {"title": f"round {number}"})

    thread = threading.Thread(target=save)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("full", [True, False], ids=["full", "incremental"])
def test_no_snapshot_holds_half_an_edit(
    site: FrappeSite, repository: Repository, full: bool
) -> None:
    fill(site, 30)
    rounds = []
    with writer(site):
        for _ in range(12):
            take_snapshot(repository, open_source(site.url), replace(OPTIONS, full=full))
            listing = repository.git(
                "grep", "-h", "title:", "HEAD", "--", "content-snapshot/subjects"
            )
            titles = set(re.findall(r"title: (.*)", listing.decode()))
            rounds.append(titles)
    assert all(len(titles) == 1 for titles in rounds[1:]), rounds
    assert len({next(iter(titles)) for titles in rounds[1:]}) > 3, "the writer was too slow"


def taken(site: FrappeSite, repository: Repository, *, allow_mass_delete: bool = False) -> str:
    options = replace(OPTIONS, allow_mass_delete=allow_mass_delete)
    return take_snapshot(repository, open_source(site.url), options).message


def refusal(site: FrappeSite, repository: Repository, *, allow_mass_delete: bool = False) -> str:
    head = repository.head()
    with pytest.raises(Refused) as caught:
        taken(site, repository, allow_mass_delete=allow_mass_delete)
    assert repository.head() == head
    assert repository.dirty_paths("content-snapshot") == []
    return caught.value.message


def test_an_empty_database_is_refused(site: FrappeSite, repository: Repository) -> None:
    fill(site, 30)
    taken(site, repository)
    for doctype in DOCTYPES.values():
        site.execute(f"DELETE FROM `tab{doctype.name}`")
    for allowed in (False, True):
        message = refusal(site, repository, allow_mass_delete=allowed)
        assert "no plans at all; the last snapshot has 1" in message
        assert "no subjects at all; the last snapshot has 1" in message


def test_another_database_is_refused(
    site: FrappeSite, repository: Repository, tmp_path: Path
) -> None:
    fill(site, 30)
    taken(site, repository)
    other = FrappeSite.create(f"sqlite:///{tmp_path / 'other.db'}")
    other.add(SUBJECT, "X", title="Another school's")
    assert "no plans at all" in refusal(other, repository, allow_mass_delete=True)


def test_an_emptied_table_is_refused_with_the_counts(
    site: FrappeSite, repository: Repository
) -> None:
    fill(site, 30)
    taken(site, repository)
    site.execute("DELETE FROM `tabMemora Lesson`")
    message = refusal(site, repository)
    assert "30 of 30 lessons (100%) would be deleted; the limit is 20%" in message


def test_a_mass_deletion_goes_through_where_it_is_allowed(
    site: FrappeSite, repository: Repository
) -> None:
    fill(site, 30)
    taken(site, repository)
    site.execute("DELETE FROM `tabMemora Lesson` WHERE name LIKE 'L2%'")
    assert "11 of 30 lessons (37%)" in refusal(site, repository)
    message = taken(site, repository, allow_mass_delete=True)
    assert message.startswith("content: 11 lessons removed")
    assert "Exporter-Snapshot: incremental\n" in message
    assert message.endswith("\nExporter-Guard-Lifted: mass-delete\n")


def test_a_renamed_school_is_no_mass_deletion(site: FrappeSite, repository: Repository) -> None:
    fill(site, 30)
    taken(site, repository)
    rename = "'M' || name" if "sqlite" in site.url else "CONCAT('M', name)"
    site.execute(f"UPDATE `tabMemora Lesson` SET name = {rename}")
    site.execute(f"UPDATE `tabMemora Lesson Stage` SET parent = {rename.replace('name', 'parent')}")
    assert taken(site, repository).startswith("content: 30 lessons added, 30 lessons removed")


def test_rights_lost_in_the_middle_change_nothing(
    mariadb: MariaDBServer,
    mariadb_site: FrappeSite,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(mariadb_site, 30)
    reader = _least_privileged(mariadb, mariadb_site)
    source = open_source(reader.render_as_string(hide_password=False))
    take_snapshot(repository, source, OPTIONS)
    mariadb_site.execute("UPDATE `tabMemora Lesson` SET title = 'New'")

    def then_lose_them(*arguments: object) -> Iterator[object]:
        yield from document_digests(*arguments)  # type: ignore[arg-type]
        if arguments[1] is DOCTYPES[LESSON]:
            name = f"`{reader.database}`.`tabMemora Lesson Stage`"
            mariadb.execute(f"REVOKE SELECT ON {name} FROM listed@'127.0.0.1'")

    monkeypatch.setattr(database, "document_digests", then_lose_them)
    head = repository.head()
    with pytest.raises(SourceError, match="the user may not read that") as caught:
        take_snapshot(repository, source, OPTIONS)
    assert caught.value.exit_status == 4
    assert repository.head() == head
    assert repository.dirty_paths("content-snapshot") == []
    monkeypatch.undo()
    with pytest.raises(SourceError, match="Lesson Stage"):
        take_snapshot(repository, source, OPTIONS)
    mariadb.execute("DROP USER listed@'127.0.0.1'")


def _least_privileged(mariadb: MariaDBServer, site: FrappeSite) -> URL:
    """Return the URL of a user who may read the listed tables and nothing else."""
    url = make_url(site.url)
    mariadb.execute("CREATE USER listed@'127.0.0.1' IDENTIFIED BY 'correct-horse'")
    for table in table_names():
        mariadb.execute(f"GRANT SELECT ON `{url.database}`.`{table}` TO listed@'127.0.0.1'")
    return URL.create(
        "mysql+pymysql", "listed", "correct-horse", "127.0.0.1", mariadb.port, url.database
    )


def test_a_document_below_a_new_topic_moves_with_it(
    site: FrappeSite, repository: Repository
) -> None:
    fill(site, 3)
    taken(site, repository)
    site.add(TOPIC, "Q", title="Other", parent_unit="U")
    site.execute("UPDATE `tabMemora Lesson` SET parent_topic = 'Q' WHERE name = 'L0'")
    assert taken(site, repository).startswith("content: 1 lesson moved, 1 topic added (Subject)")
    files = repository.git("ls-tree", "-r", "--name-only", "HEAD").decode()
    assert "content-snapshot/subjects/S/T/U/Q/L0.yaml" in files
    assert "content-snapshot/subjects/S/T/U/P/L0.yaml" not in files
