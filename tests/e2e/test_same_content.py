"""The same content gives the same bytes: from either database, in any order, on any machine."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from exporter.core.model import LESSON
from exporter.demo.schema import insert_rows
from exporter.demo.site import edit_lesson_title, fill_site, set_field
from tests.e2e.command_line import Place, files_below
from tests.frappe_site import STANDARD
from tests.servers import MariaDBDatabase

LESSONS = 200
HOSTILE = {
    "Ünïcode/../slash": "yes",
    "درس جديد ١": "سطر أول\r\nسطر ثان\n\n  مزاح\n",
    "CON": "null",
    " leading and trailing ": "012",
    "x" * 140: "# no comment: 'really' \"no\"",
    "emoji 🎓": "\ttab first\nthen 1e3",
}
"""Names of lessons with texts, as editors may give them."""

MACHINES = (
    {"LC_ALL": "C", "PYTHONHASHSEED": "0", "TZ": "UTC"},
    {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1", "TZ": "Asia/Riyadh"},
    {
        "LC_ALL": "POSIX",
        "LANG": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "99",
        "TZ": "America/Lima",
    },
    {"LC_ALL": "xx_XX.UTF-8", "PYTHONHASHSEED": "2026", "PYTHONOPTIMIZE": "2", "COLUMNS": "20"},
)


@pytest.fixture
def mariadb_place(place: Place, mariadb_database: MariaDBDatabase) -> Place:
    """Return the school's repository with the same school in MariaDB, read as a reader may."""
    engine = create_engine(mariadb_database.url, poolclass=NullPool)
    with engine.begin() as connection:
        fill_site(connection, LESSONS)
        _add_hostile(connection)
    place.replace_in("exporter.yaml", "sqlite:///site.db", "${EXPORTER_DATABASE_URL}")
    return Place(
        place.root,
        (mariadb_database.server.password,),
        {"EXPORTER_DATABASE_URL": mariadb_database.tcp_url},
    )


@pytest.fixture
def sqlite_place(tmp_path: Path, place: Place) -> Place:
    """Return another repository for the same school in SQLite."""
    other = Place(tmp_path / "other")
    place.git("clone", "--quiet", ".", str(other.root))
    (other.root / "site.db").write_bytes((place.root / "site.db").read_bytes())
    with other.editing() as connection:
        _add_hostile(connection)
    return other


def test_mariadb_and_sqlite_give_the_same_files(mariadb_place: Place, sqlite_place: Place) -> None:
    for place in (mariadb_place, sqlite_place):
        place.exporter("snapshot")
    _assert_same(mariadb_place, sqlite_place)
    texts = files_below(sqlite_place.content)
    assert len(texts) == int(sqlite_place.exporter("snapshot", "--json").report["documents"])
    for place in (mariadb_place, sqlite_place):
        assert place.exporter("snapshot").out.startswith("nothing changed")
        assert place.exporter("snapshot", "--full").out.startswith("nothing changed")


def test_the_same_edits_give_the_same_commits(
    mariadb_place: Place, sqlite_place: Place, mariadb_database: MariaDBDatabase
) -> None:
    engine = create_engine(mariadb_database.url, poolclass=NullPool)
    for place in (mariadb_place, sqlite_place):
        place.exporter("snapshot")
    with engine.begin() as mariadb, sqlite_place.editing() as sqlite:
        for connection in (mariadb, sqlite):
            edit_lesson_title(connection, "LESSON-MATH-001", "عنوان · Title: 'quoted' # 1")
            set_field(connection, LESSON, "LESSON-MATH-002", "description", "one\r\ntwo\r\n")
            set_field(connection, LESSON, "LESSON-MATH-003", "parent_topic", "TOPIC-MATH-1")
            set_field(connection, LESSON, "LESSON-MATH-004", "sort_order", 77)
            set_field(connection, LESSON, "CON", "title", "yes")
    for place in (mariadb_place, sqlite_place):
        place.exporter("snapshot")
        assert place.git("rev-list", "--count", "HEAD") == "3"
    _assert_same(mariadb_place, sqlite_place)


def test_the_order_of_rows_and_the_machine_make_no_difference(place: Place, tmp_path: Path) -> None:
    with place.editing() as connection:
        _add_hostile(connection)
    trees = set()
    messages = set()
    for number, machine in enumerate(MACHINES):
        other = Place(tmp_path / f"machine-{number}", environment=machine)
        place.git("clone", "--quiet", ".", str(other.root))
        _shuffled(place.root / "site.db", other.root / "site.db", seed=number)
        other.exporter("snapshot")
        trees.add(other.git("rev-parse", "HEAD:content-snapshot"))
        messages.add(other.git("log", "-1", "--format=%B"))
    assert len(trees) == len(messages) == 1


def test_a_build_is_the_same_on_every_machine(school: Place) -> None:
    builds = []
    for machine in MACHINES:
        school.exporter("build", "--ref", "HEAD", "--out", "build", env=machine)
        builds.append(files_below(school.root / "build"))
    assert builds[1:] == builds[:-1]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_few_letters_is_told_all_the_same(live: Place, encoding: str) -> None:
    with live.editing() as connection:
        edit_lesson_title(connection, "LESSON-MATH-001", "عنوان 🎓")
    few_letters = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    told = live.exporter("snapshot", "--json", env=few_letters).report
    assert [change["title"] for change in told["changes"]] == ["عنوان 🎓"]
    live.exporter("publish", env=few_letters)
    live.exporter("status", env=few_letters)


def _add_hostile(connection: object) -> None:
    rows = [
        {
            **STANDARD,
            "name": name,
            "title": text,
            "description": text,
            "parent_topic": "TOPIC-MATH-1",
            "is_published": 1,
            "is_free_preview": 0,
            "sort_order": 1,
            "bit_index": 900 + number,
        }
        for number, (name, text) in enumerate(HOSTILE.items())
    ]
    insert_rows(connection, LESSON, rows)  # type: ignore[arg-type]


def _assert_same(one: Place, other: Place) -> None:
    """Both repositories hold the same bytes under the same names, said in the same words."""
    assert files_below(one.content) == files_below(other.content)
    for asked in ("rev-parse HEAD:content-snapshot", "log -1 --format=%an%n%ae%n%B"):
        assert one.git(*asked.split()) == other.git(*asked.split())
    for place in (one, other):
        assert place.git("status", "--porcelain", "content-snapshot") == ""


def _shuffled(source: Path, target: Path, seed: int) -> None:
    """Copy a SQLite site so that its rows lie in another order."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        tables = old.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        for table, statement in tables:
            new.execute(statement)
            rows = old.execute(f'SELECT * FROM "{table}"').fetchall()
            chance.shuffle(rows)
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                new.executemany(f'INSERT INTO "{table}" VALUES ({marks})', rows)
        new.commit()
