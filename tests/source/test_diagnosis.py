"""A reader with SELECT on the listed tables is all that is needed, and anything more is seen."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from exporter.core.diagnosis import Check, Health, guarded
from exporter.core.model import CURRICULUM
from exporter.source.columns import table_name, table_names
from exporter.source.database import open_source
from exporter.source.diagnosis import (
    Grant,
    check_database,
    excess,
    grant_statements,
    parse_grant,
)
from tests.frappe_site import FrappeSite
from tests.servers import MariaDBDatabase

PASSWORD = "battery-staple-7"


def checks(url: str, *, item_may_lack: bool = False) -> dict[str, Check]:
    found = list(
        guarded("database", "connection", check_database(url, {}, item_may_lack=item_may_lack))
    )
    assert all(PASSWORD not in f"{check.message}{check.hint}" for check in found)
    return {check.name: check for check in found}


@pytest.fixture
def site(mariadb_database: MariaDBDatabase) -> FrappeSite:
    return FrappeSite.create(mariadb_database.url)


@pytest.fixture
def reader(mariadb_database: MariaDBDatabase, site: FrappeSite) -> Iterator[tuple[str, str]]:
    """A user without any grant: its URL, and its name as GRANT wants it."""
    name = f"r{uuid.uuid4().hex[:10]}"
    account = f"'{name}'@'127.0.0.1'"
    server = mariadb_database.server
    server.execute(f"CREATE USER {account} IDENTIFIED BY '{PASSWORD}'")
    url = sqlalchemy.make_url(mariadb_database.tcp_url).set(username=name, password=PASSWORD)
    assert site.url
    yield url.render_as_string(hide_password=False), account
    server.execute(f"DROP USER {account}")


def test_the_grants_that_are_printed_are_enough_and_no_more(
    mariadb_database: MariaDBDatabase, reader: tuple[str, str]
) -> None:
    url, account = reader
    statements = grant_statements(mariadb_database.name, account)
    mariadb_database.server.execute(*statements)
    assert {name: check.health for name, check in checks(url).items()} == {
        "connection": Health.GOOD,
        "tables": Health.GOOD,
        "columns": Health.GOOD,
        "privileges": Health.GOOD,
        "consistent view": Health.GOOD,
    }
    with open_source(url).view() as view:
        assert list(view.everything()) == []
        assert list(view.digests()) == []


def test_a_user_without_grants_is_told_the_statements(
    mariadb_database: MariaDBDatabase, reader: tuple[str, str]
) -> None:
    url, account = reader
    first, *others = grant_statements(mariadb_database.name, account)
    mariadb_database.server.execute(first)
    found = checks(url)
    assert list(found) == ["connection", "tables"]
    assert found["tables"].health is Health.PROBLEM
    assert "table `tabMemora Lesson`" in found["tables"].message
    assert found["tables"].message.endswith(", or the user may not read them")
    assert found["tables"].hint.endswith("\nif the tables are there:\n" + "\n".join(others))


def test_a_table_that_was_revoked_is_told_alone(
    mariadb_database: MariaDBDatabase, reader: tuple[str, str]
) -> None:
    url, account = reader
    statements = grant_statements(mariadb_database.name, account)
    (track,) = [one for one in statements if "`tabMemora Track`" in one]
    mariadb_database.server.execute(*[one for one in statements if one != track])
    found = checks(url)
    assert list(found) == ["connection", "tables"]
    lacks = "the database lacks table `tabMemora Track`, or the user may not read it"
    assert found["tables"].message.endswith(lacks)
    assert found["tables"].hint.endswith(f"\nif the table is there:\n{track}")


def test_a_user_who_may_read_everything_is_warned_of(mariadb_database: MariaDBDatabase) -> None:
    FrappeSite.create(mariadb_database.url)
    check = checks(mariadb_database.tcp_url)["privileges"]
    assert check.health is Health.WARNING
    assert "SELECT on *.*, password hashes included" in check.message
    assert "CREATE USER 'exporter'@'HOST' IDENTIFIED BY 'PASSWORD';" in check.hint
    assert f"GRANT SELECT ON `{mariadb_database.name}`.`tabMemora Lesson`" in check.hint


def test_a_user_who_may_write_is_warned_of(
    mariadb_database: MariaDBDatabase, reader: tuple[str, str]
) -> None:
    url, account = reader
    name = mariadb_database.name
    mariadb_database.server.execute(
        *grant_statements(name, account),
        f"GRANT INSERT, UPDATE ON `{name}`.`tabMemora Lesson` TO {account}",
    )
    check = checks(url)["privileges"]
    assert check.health is Health.WARNING
    assert f"INSERT, UPDATE on `{name}`.`tabMemora Lesson`" in check.message


def test_a_site_without_any_required_item_is_told_how_to_lower_e110(site: FrappeSite) -> None:
    for doctype in CURRICULUM:
        site.execute(f"ALTER TABLE `{table_name(doctype)}` DROP COLUMN `required_item`")
    found = checks(site.url)
    assert found["required_item"].health is Health.WARNING
    assert "checks: {E110: off}" in found["required_item"].hint
    assert "Memora Lesson.required_item" in found["columns"].message
    assert "required_item" not in checks(site.url, item_may_lack=True)


def test_a_wrong_password_ends_the_look_at_the_database(reader: tuple[str, str]) -> None:
    url = reader[0].replace(PASSWORD, "wrong")
    found = checks(url)
    assert list(found) == ["connection"]
    assert found["connection"].health is Health.PROBLEM
    assert "user name or password is wrong" in found["connection"].message


def test_a_sqlite_site_has_no_privileges_to_look_at(tmp_path: Path) -> None:
    site = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    assert {name: check.health for name, check in checks(site.url).items()} == {
        "connection": Health.GOOD,
        "tables": Health.GOOD,
        "columns": Health.GOOD,
        "consistent view": Health.GOOD,
    }


def test_grants_are_read_without_what_else_the_server_says() -> None:
    assert parse_grant(
        "GRANT USAGE ON *.* TO `r`@`%` IDENTIFIED BY PASSWORD '*2470C0C06DEE42FD1618BB99005ADCA'"
    ) == Grant(frozenset({"USAGE"}), "*.*")
    assert parse_grant(
        "GRANT SELECT (`name`, `title`), INSERT ON `s`.`tabX` TO `r`@`%` WITH GRANT OPTION"
    ) == Grant(frozenset({"SELECT", "INSERT", "GRANT OPTION"}), "`s`.`tabX`")
    assert parse_grant("GRANT `readers` TO `r`@`%`") is None
    assert parse_grant("SET DEFAULT ROLE `readers` FOR `r`@`%`") is None


def test_more_than_needed_is_said_object_by_object() -> None:
    select = frozenset({"SELECT"})
    needed = [Grant(select, f"`s`.`{name}`") for name in table_names()]
    assert excess([Grant(frozenset({"USAGE"}), "*.*"), *needed], "s") == []
    assert excess(
        [
            Grant(select, "`s`.*"),
            Grant(select, "`s`.`__Auth`"),
            Grant(frozenset({"ALL PRIVILEGES"}), "`s`.*"),
        ],
        "s",
    ) == [
        "SELECT on `s`.*, password hashes included",
        "SELECT on `s`.`__Auth`",
        "ALL PRIVILEGES on `s`.*",
    ]
