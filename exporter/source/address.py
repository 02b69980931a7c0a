"""Where the database is: its URL, an engine that can only read, and its errors in our words.

MariaDB (and MySQL) over PyMySQL or mysqlclient, and SQLite. A URL is shown without its password
and without its options, and nowhere else; a driver's message is passed on without the statement
and its parameters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from exporter.errors import SourceError, UsageError

__all__ = [
    "begin_view",
    "error_code",
    "is_sqlite",
    "open_engine",
    "parse_url",
    "shown",
    "translated",
]

CONNECT_TIMEOUT_S = 10
LOCK_TIMEOUT_S = 60

_SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb+pymysql": "mariadb+pymysql",
    "mysql+mysqldb": "mysql+mysqldb",
    "mariadb+mysqldb": "mariadb+mysqldb",
}
_URL_HINT = "write mysql+pymysql://user:password@host/database or sqlite:///path/to/site.db"


def parse_url(text: str) -> URL:
    """Read a database URL.

    Raises:
        UsageError: it is no URL of a supported database; the message holds nothing of it.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # their messages may quote a piece of the password
        raise UsageError("source.url is not a database URL", hint=_URL_HINT) from None
    if url.drivername in _SQLITE:
        return _checked_sqlite(url)
    if url.drivername not in _DRIVERS:
        raise UsageError(
            f"source.url: {url.drivername!r} is not a supported kind of database", hint=_URL_HINT
        )
    if text.count("@") > 1:
        raise UsageError(
            "source.url has more than one `@`, so where the password ends is unclear",
            hint="percent-encode the password: @ is %40, / is %2F, : is %3A",
        )
    if not url.database:
        raise UsageError(f"source.url names no database: {shown(url)}", hint=_URL_HINT)
    return url.set(drivername=_DRIVERS[url.drivername])


def _checked_sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.query:
        raise UsageError(
            "source.url: a SQLite URL is the path of a file, without options", hint=_URL_HINT
        )
    return url


def is_sqlite(url: URL) -> bool:
    """Tell SQLite from the servers."""
    return url.drivername in _SQLITE


def shown(url: URL) -> str:
    """Return the URL for people: no password, no options."""
    return url.set(query={}).render_as_string(hide_password=True)


def open_engine(url: URL) -> Engine:
    """Return an engine for the URL; nothing is connected yet.

    Raises:
        SourceError: the SQLite file is not there, or the driver is not installed.
    """
    if is_sqlite(url):
        return _sqlite_engine(Path(str(url.database)))
    try:
        return create_engine(
            url,
            connect_args={"charset": "utf8mb4", "connect_timeout": CONNECT_TIMEOUT_S},
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            hide_parameters=True,
        )
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{shown(url)}: the Python package {error.name} is not installed",
            hint="install exporter[mysqlclient], or use a mysql+pymysql:// URL",
        ) from error


def _sqlite_engine(path: Path) -> Engine:
    if not path.is_file():
        raise SourceError(
            f"there is no SQLite file {path}",
            hint="correct source.url (an absolute path has four slashes: sqlite:////srv/site.db); "
            "nothing was created",
        )

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro",
            uri=True,
            timeout=CONNECT_TIMEOUT_S,
            isolation_level=None,
        )
        # Text that is not UTF-8 must reach `normalise`, which can name the document.
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def begin_view(connection: Connection) -> None:
    """Start one read-only transaction with a consistent view (spec 2, spec 7).

    On SQLite the view is fixed by the first read that follows.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {LOCK_TIMEOUT_S}")
    connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.exec_driver_sql("START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT")


def error_code(error: DBAPIError) -> int | str:
    """Return MariaDB's error number or SQLite's error name; 0 where the driver gave none."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return str(getattr(cause, "sqlite_errorname", ""))
    code = cause.args[0] if cause is not None and cause.args else 0
    return code if isinstance(code, int) else 0


@contextmanager
def translated(label: str) -> Iterator[None]:
    """Turn a driver's error into a `SourceError` that says what to do."""
    try:
        yield
    except DBAPIError as error:
        code = error_code(error)
        why, hint = _EXPLAINED.get(code, ("the database failed", "see the database's own log"))
        raise SourceError(f"{label}: {why} ({_detail(error)})", hint=hint) from error


def _detail(error: DBAPIError) -> str:
    cause = error.orig
    if cause is None or not cause.args:
        return type(cause).__name__
    return ": ".join(str(part) for part in cause.args)


_LOGIN = ("the user name or password is wrong", "correct source.url, or the user's grants")
_NAME = (
    "correct the last part of source.url: it is the database's name, which Frappe keeps as "
    "`db_name` in sites/SITE/site_config.json"
)
_DATABASE = ("there is no such database", _NAME)
_DENIED = ("the user may not read that", "GRANT SELECT on the site's Memora tables to this user")
_OTHER_DATABASE = (_DENIED[0], f"{_NAME}; or {_DENIED[1]}")
_UNREACHABLE = (
    "the server cannot be reached",
    "check host and port in source.url, and that the server runs and lets this machine in",
)
_LOST = ("the connection was lost", "run the command again")
_BUSY = ("the database is busy", "run the command again in a moment")
_CHANGED = ("a table changed while it was read", "run again when `bench migrate` has finished")
_FILE = (
    "the file cannot be read as a SQLite database",
    "check source.url, the file and its rights",
)

_EXPLAINED: dict[int | str, tuple[str, str]] = {
    1040: _BUSY,
    1044: _OTHER_DATABASE,
    1045: _LOGIN,
    1049: _DATABASE,
    1054: _CHANGED,
    1130: _LOGIN,
    1142: _DENIED,
    1143: _DENIED,
    1146: _CHANGED,
    1203: _BUSY,
    1205: _BUSY,
    1226: _BUSY,
    1412: _CHANGED,
    1698: _LOGIN,
    2002: _UNREACHABLE,
    2003: _UNREACHABLE,
    2005: _UNREACHABLE,
    2006: _LOST,
    2013: _LOST,
    "SQLITE_BUSY": _BUSY,
    "SQLITE_BUSY_RECOVERY": _BUSY,
    "SQLITE_BUSY_SNAPSHOT": _BUSY,
    "SQLITE_CANTOPEN": _FILE,
    "SQLITE_CORRUPT": _FILE,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_NOTADB": _FILE,
}
