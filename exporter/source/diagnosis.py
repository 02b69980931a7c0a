"""Trying everything that reading the database needs, and saying which grants it takes (spec 6).

The exporter reads an allow-list of tables and needs SELECT on these, nothing else: a grant on the
whole database also shows password hashes (spec 7). Of a user's grants only privileges and objects
are looked at; the statement that the server prints may hold the hash of the password.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import URL, Connection, func, literal_column, select, table
from sqlalchemy.sql.elements import quoted_name

from exporter.core.diagnosis import Check, Health
from exporter.core.model import CURRICULUM, DOCTYPES, ExtraFields
from exporter.errors import SourceError
from exporter.source.address import is_sqlite, open_engine, parse_url, shown, translated
from exporter.source.columns import (
    Columns,
    existing_columns,
    missing_report,
    table_name,
    table_names,
)
from exporter.source.database import open_source

__all__ = ["Grant", "check_database", "excess", "grant_statements", "parse_grant"]

AREA = "database"
_GRANT = re.compile(
    r"GRANT (?P<privileges>.+?) ON (?P<object>.+?) TO (?P<user>\S+)(?P<rest>.*)", re.DOTALL
)
_HARMLESS = frozenset({"USAGE", "SELECT"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user may do with what; `object` as the server writes it: `` `site`.`tabX` ``."""

    privileges: frozenset[str]
    object: str

    @property
    def is_wide(self) -> bool:
        """Tell whether it is on more than one table."""
        return self.object.endswith(".*")


def check_database(url: str, extra_fields: ExtraFields, *, item_may_lack: bool) -> Iterator[Check]:
    """Try all that a snapshot needs of the database.

    `item_may_lack` says that `E110` is configured not to be an error.

    Raises:
        UsageError, SourceError: what keeps the rest from being tried.
    """
    parsed = parse_url(url)
    engine = open_engine(parsed)
    with translated(shown(parsed)), engine.connect() as connection:
        yield _good("connection", f"{shown(parsed)}: {_server(connection)}")
        existing = existing_columns(connection)
        missing = missing_report(existing, shown(parsed))
        if missing:
            yield _missing(connection, parsed, existing, missing)
        else:
            yield from _check_tables(connection, existing)
            yield from _check_columns(existing, item_may_lack=item_may_lack)
        if not is_sqlite(parsed):
            yield from _check_privileges(connection, str(parsed.database), is_enough=not missing)
    if missing:
        return
    with open_source(url, extra_fields).view():
        yield _good("consistent view", "all tables can be read in one read-only transaction")


def grant_statements(database: str, user: str, names: Iterable[str] = ()) -> list[str]:
    """Return what lets a user (`'name'@'host'`) read exactly what the exporter reads.

    With names, it is of these tables only.
    """
    return [f"GRANT SELECT ON `{database}`.`{name}` TO {user};" for name in names or table_names()]


def parse_grant(statement: str) -> Grant | None:
    """Read a line of SHOW GRANTS; None for one that grants no privilege, such as a role's."""
    found = _GRANT.match(statement)
    if found is None:
        return None
    listed = re.sub(r"\([^)]*\)", "", found["privileges"])
    privileges = {part.strip().upper() for part in listed.split(",")}
    if "WITH GRANT OPTION" in found["rest"]:
        privileges.add("GRANT OPTION")
    return Grant(frozenset(privileges), found["object"])


def excess(grants: Sequence[Grant], database: str) -> list[str]:
    """Say what of a user's grants is more than the exporter needs."""
    needed = {f"`{database}`.`{name}`" for name in table_names()}
    told = []
    for grant in grants:
        beyond = sorted(grant.privileges - _HARMLESS)
        if beyond:
            told.append(
                f"{', '.join(beyond[:5])}{' …' if len(beyond) > 5 else ''} on {grant.object}"
            )
        elif "SELECT" in grant.privileges and grant.is_wide:
            told.append(f"SELECT on {grant.object}, password hashes included")
        elif "SELECT" in grant.privileges and grant.object not in needed:
            told.append(f"SELECT on {grant.object}")
    return told


def _server(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA schema_version")  # only reading tells what it is
        return "a SQLite file, opened read-only"
    version = connection.execute(select(func.version())).scalar_one()
    return f"connected, server {version}"


def _missing(connection: Connection, url: URL, existing: Columns, missing: SourceError) -> Check:
    """Tell of missing tables; a server also hides those that the user may not read."""
    message, hint = missing.message, missing.hint
    tables = [name for name in table_names() if not existing[name]]
    if tables and not is_sqlite(url):
        message += f", or the user may not read {'it' if len(tables) == 1 else 'them'}"
        statements = grant_statements(str(url.database), _user(connection), tables)
        there = "table is" if len(tables) == 1 else "tables are"
        hint += f"\nif the {there} there:\n" + "\n".join(statements)
    return Check(AREA, "tables", Health.PROBLEM, message, hint)


def _check_tables(connection: Connection, existing: Columns) -> Iterator[Check]:
    for name in existing:
        source = table(quoted_name(name, quote=True))
        connection.execute(select(literal_column("1")).select_from(source).limit(1)).all()
    yield _good("tables", f"all {len(existing)} tables can be read")


def _check_columns(existing: Columns, *, item_may_lack: bool) -> Iterator[Check]:
    absent = sorted(_absent(existing))
    if absent:
        yield _good(
            "columns", f"read as their default, as this site lacks them: {', '.join(absent)}"
        )
    else:
        yield _good("columns", "every column that is read is there")
    if item_may_lack or any("required_item" in existing[table_name(one)] for one in CURRICULUM):
        return
    yield Check(
        AREA,
        "required_item",
        Health.WARNING,
        "no table has a column `required_item`, so every paid subject, track or lesson is E110",
        "if this site sells nothing by item, write `checks: {E110: off}` into exporter.yaml",
    )


def _absent(existing: Columns) -> Iterator[str]:
    for doctype in DOCTYPES.values():
        tables: Mapping[str, Sequence[str]] = {
            doctype.name: [field.name for field in doctype.fields],
            **{child.doctype: [field.name for field in child.fields] for child in doctype.children},
        }
        for name, columns in tables.items():
            found = existing[table_name(name)]
            yield from (f"{name}.{column}" for column in columns if found and column not in found)


def _check_privileges(connection: Connection, database: str, *, is_enough: bool) -> Iterator[Check]:
    """Tell what a user may do beyond reading; that it is just right, only where all was found."""
    lines = connection.exec_driver_sql("SHOW GRANTS FOR CURRENT_USER").scalars().all()
    parsed = [parse_grant(str(line)) for line in lines]
    more = excess([grant for grant in parsed if grant], database)
    user = _user(connection)
    if not more:
        if is_enough:
            yield _good("privileges", f"{user} may SELECT what is read, and nothing else")
        return
    statements = [
        "CREATE USER 'exporter'@'HOST' IDENTIFIED BY 'PASSWORD';",
        *grant_statements(database, "'exporter'@'HOST'"),
    ]
    yield Check(
        AREA,
        "privileges",
        Health.WARNING,
        f"{user} may do more than the exporter needs: {'; '.join(more)}",
        "make a user that may only read:\n" + "\n".join(statements),
    )


def _user(connection: Connection) -> str:
    name, _, host = str(connection.exec_driver_sql("SELECT CURRENT_USER()").scalar()).rpartition(
        "@"
    )
    return f"'{name}'@'{host}'"


def _good(name: str, message: str) -> Check:
    return Check(AREA, name, Health.GOOD, message)
