from __future__ import annotations

import gc
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from exporter.errors import SourceError, UsageError
from exporter.source.address import open_engine, parse_url, shown
from exporter.source.database import open_source
from tests.frappe_site import FrappeSite
from tests.servers import MariaDBServer

SECRET = "hunter2"


def failure(url: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        list(open_source(url).documents())
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint
    return caught.value


def tcp(server: MariaDBServer, database: str, **parts: str | int) -> str:
    url = make_url(server.tcp_url(database)).set(**parts)  # type: ignore[arg-type]
    return url.render_as_string(hide_password=False)


def test_a_wrong_password(mariadb: MariaDBServer) -> None:
    error = failure(tcp(mariadb, "site", password=SECRET))
    assert "the user name or password is wrong" in error.message
    assert f"reader:***@127.0.0.1:{mariadb.port}/site" in error.message


def test_an_unknown_user(mariadb: MariaDBServer) -> None:
    error = failure(tcp(mariadb, "site", username="nobody", password=SECRET))
    assert "the user name or password is wrong" in error.message


def test_an_unknown_database(mariadb: MariaDBServer) -> None:
    error = failure(mariadb.tcp_url("no_such_site"))
    assert "there is no such database" in error.message
    assert "no_such_site" in error.message


def test_an_unreachable_port(closed_port: int) -> None:
    error = failure(f"mysql+pymysql://reader:{SECRET}@127.0.0.1:{closed_port}/site")
    assert "the server cannot be reached" in error.message


def test_an_unknown_host() -> None:
    error = failure(f"mysql+pymysql://reader:{SECRET}@db.invalid/site")
    assert "the server cannot be reached" in error.message


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_socket_that_is_not_there() -> None:
    url = "mysql+pymysql://root@localhost/site?unix_socket=/no/such/socket"
    assert "the server cannot be reached" in failure(url).message
    gc.collect()  # PyMySQL leaves its own socket open here; let no other test be blamed


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that nobody listens on and nobody else is given."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_a_reader_without_rights_is_told_what_is_missing(mariadb_site: FrappeSite) -> None:
    url = make_url(mariadb_site.url)
    with mariadb_site.writing() as connection:
        connection.exec_driver_sql("CREATE OR REPLACE USER 'narrow'@'localhost'")
        connection.exec_driver_sql(
            f"GRANT SELECT ON `{url.database}`.`tabMemora Lesson` TO 'narrow'@'localhost'"
        )
    error = failure(url.set(username="narrow").render_as_string())
    assert error.message.count("table `tab") == 11
    assert "`tabMemora Lesson`" not in error.message
    assert "SELECT" in error.hint


def test_a_reader_of_the_listed_tables_alone_is_enough(mariadb_site: FrappeSite) -> None:
    mariadb_site.add_branch()
    url = make_url(mariadb_site.url)
    with mariadb_site.writing() as connection:
        connection.exec_driver_sql("CREATE OR REPLACE USER 'listed'@'localhost'")
        for (table,) in connection.exec_driver_sql("SHOW TABLES").all():
            connection.exec_driver_sql(
                f"GRANT SELECT ON `{url.database}`.`{table}` TO 'listed'@'localhost'"
            )
    found = open_source(url.set(username="listed").render_as_string()).documents()
    assert {doc.ref: doc for doc in found} == mariadb_site.documents()


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    error = failure(f"sqlite:///{tmp_path / 'site.db'}")
    assert error.message == f"there is no SQLite file {tmp_path / 'site.db'}"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_sqlite_file(tmp_path: Path) -> None:
    assert failure(f"sqlite:///{tmp_path}").message == f"there is no SQLite file {tmp_path}"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "site.db").write_text("not a database" * 100, encoding="utf-8")
    error = failure(f"sqlite:///{tmp_path / 'site.db'}")
    assert "the file cannot be read as a SQLite database" in error.message


def test_a_locked_sqlite_file(sqlite_site: FrappeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.source.address.CONNECT_TIMEOUT_S", 0)
    path = str(make_url(sqlite_site.url).database)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert "the database is busy" in failure(sqlite_site.url).message


@pytest.mark.parametrize(
    "url",
    [
        "",
        "site.db",
        "mysql+pymysql:/reader@db/site",
        "postgresql://reader@db/site",
        "mysql+mariadbconnector://reader@db/site",
        "https://db.example.org/site",
        "mysql+pymysql://reader@db",
        "mysql+pymysql://reader@db/",
        f"mysql+pymysql://reader:{SECRET}@{SECRET}@db/site",
        f"mysql+pymysql://reader:x@{SECRET}:{SECRET}@db/site",
        f"mysql+pymysql://reader:x@{SECRET}/{SECRET}@db/site",
        f"mysql+pymysql://reader:{SECRET}@db:{SECRET}/site",
        f"mysql+pymysql://reader:{SECRET}@db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///site.db?mode=rw",
    ],
)
def test_what_is_no_database_url_of_ours_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(url)
    assert caught.value.message.startswith("source.url")
    assert caught.value.hint
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.__cause__ is None


def test_a_url_is_shown_without_password_and_options() -> None:
    url = parse_url(f"mysql://reader:{SECRET}%40@db:3307/site?ssl_key={SECRET}&password={SECRET}")
    assert url.password == f"{SECRET}@"
    assert shown(url) == "mysql+pymysql://reader:***@db:3307/site"


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    with pytest.raises(SourceError, match="MySQLdb is not installed") as caught:
        open_engine(parse_url(f"mysql+mysqldb://reader:{SECRET}@db/site"))
    assert "exporter[mysqlclient]" in caught.value.hint


def test_a_database_of_another_name_says_where_frappe_keeps_it(mariadb: MariaDBServer) -> None:
    """The server does not say whether a database is there that the user may not use: 1044."""
    user = f"'nowhere'@'127.0.0.1' IDENTIFIED BY '{SECRET}'"
    mariadb.execute(f"CREATE OR REPLACE USER {user}")
    error = failure(tcp(mariadb, "no_such_site", username="nowhere", password=SECRET))
    assert "1044" in error.message
    for said in (error.hint, failure(mariadb.tcp_url("no_such_site")).hint):
        assert "`db_name` in sites/SITE/site_config.json" in said
