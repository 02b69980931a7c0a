from __future__ import annotations

import hashlib
import re
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from sqlite3 import connect

import pytest
from sqlalchemy import NullPool, create_engine, text

from exporter.core.access import view_plan
from exporter.core.checks import check_documents
from exporter.core.files import render
from exporter.core.findings import Finding
from exporter.core.model import DOCTYPES, LESSON, PLAN, SUBJECT, TOPIC, Document, Ref
from exporter.core.plan_checks import check_bits, check_plan
from exporter.core.tree import Snapshot, grow
from exporter.demo.school import school_rows
from exporter.demo.site import (
    create_site,
    delete_document,
    edit_lesson_title,
    edit_site,
    fill_site,
    set_field,
)
from exporter.errors import UsageError
from exporter.source.database import open_source
from tests.servers import MariaDBDatabase

Making = Callable[[int], Path]


@pytest.fixture
def make(tmp_path: Path) -> Making:
    def made(lessons: int) -> Path:
        path = tmp_path / f"site-{lessons}.db"
        create_site(path, lessons)
        return path

    return made


def read(path: Path, **extra: tuple[str, ...]) -> dict[Ref, Document]:
    names = {doctype.label: doctype.name for doctype in DOCTYPES.values()}
    source = open_source(f"sqlite:///{path}", {names[k]: v for k, v in extra.items()})
    return {document.ref: document for document in source.documents()}


def findings(snapshot: Snapshot) -> Iterator[Finding]:
    yield from check_documents(snapshot, [])
    yield from check_bits(snapshot)
    for plan in snapshot.of_type(PLAN):
        yield from check_plan(snapshot, view_plan(snapshot, plan, "authenticated"))


@pytest.mark.parametrize("lessons", [20, 64, 200, 3_000])
def test_the_school_is_valid_at_every_size(make: Making, lessons: int) -> None:
    documents = read(make(lessons))
    snapshot = grow(documents.values())
    errors = [found for found in findings(snapshot) if found.code.startswith("E")]
    assert errors == []
    assert snapshot.clashes == ()
    assert sum(ref[0] == LESSON for ref in documents) == lessons


def test_the_default_school_has_no_finding_at_all(make: Making) -> None:
    assert list(findings(grow(read(make(200)).values()))) == []


def test_the_school_is_what_a_school_has(make: Making) -> None:
    documents = read(make(200))
    counts = Counter(doctype for doctype, _ in documents)
    assert {label: counts[label] for label in (PLAN, SUBJECT, LESSON)} == {
        PLAN: 3,
        SUBJECT: 8,
        LESSON: 200,
    }
    lessons = [document for ref, document in documents.items() if ref[0] == LESSON]
    stages = [stage for lesson in lessons for stage in lesson.rows["stages"]]
    assert {stage["type"] for stage in stages} == {"Video", "Question", "Text", "Interactive"}
    assert {len(lesson.rows["stages"]) for lesson in lessons} == {2, 3, 4}
    actions = {
        row["action"] for (kind, _), plan in documents.items() if kind == PLAN
        for row in plan.rows["overrides"]
    }  # fmt: skip
    assert actions == {
        "Hide",
        "Set Free",
        "Set Sold Separately",
        "Set Access Level",
        "Set Linear",
        "Rename",
    }


def test_all_that_access_rules_know_occurs(make: Making) -> None:
    snapshot = grow(read(make(200)).values())
    levels = set()
    for plan in snapshot.of_type(PLAN):
        view = view_plan(snapshot, plan, "authenticated")
        levels |= {(node.access.level, node.access.is_sold_separately) for node in view.walk()}
    assert levels == {
        ("public", False),
        ("authenticated", False),
        ("free_preview", False),
        ("paid", False),
        ("paid", True),
    }
    hidden = [document for document in snapshot.documents.values()
              if not document.fields.get("is_published", True)]  # fmt: skip
    assert {document.type.label for document in hidden} == {"season", "unit", "topic", "lesson"}


def test_names_are_both_hashes_and_codes_and_texts_both_scripts(make: Making) -> None:
    documents = read(make(200))
    names = {name for kind, name in documents if kind == LESSON}
    coded = {name for name in names if re.fullmatch(r"LESSON-(MATH|ENGL|COMP)-\d{3}", name)}
    hashed = {name for name in names if re.fullmatch(r"[0-9a-v]{10}", name)}
    assert coded | hashed == names
    assert coded
    assert hashed
    titles = "\n".join(document.title for document in documents.values())
    assert re.search("[a-z]", titles)
    assert re.search("[\u0621-\u064a]", titles)


def test_the_same_lessons_give_the_same_site(tmp_path: Path) -> None:
    digests = set()
    for name in ("first.db", "second.db"):
        create_site(tmp_path / name, 50)
        with closing(connect(tmp_path / name)) as connection:
            dump = "\n".join(connection.iterdump())
        digests.add(hashlib.sha256(dump.encode()).hexdigest())
    assert len(digests) == 1


def test_the_same_site_on_mariadb(make: Making, mariadb_database: MariaDBDatabase) -> None:
    engine = create_engine(mariadb_database.url, poolclass=NullPool)
    with engine.begin() as connection:
        fill_site(connection, 200)
    extra = {LESSON: ("difficulty",)}
    found = open_source(mariadb_database.tcp_url, extra).documents()
    assert {each.ref: each for each in found} == read(make(200), lesson=("difficulty",))


def test_what_only_the_staff_may_see_is_never_read(make: Making) -> None:
    path = make(20)
    with edit_site(path) as connection:
        notes = connection.execute(text("SELECT internal_notes FROM `tabMemora Lesson`")).scalar()
    documents = read(path)
    assert notes
    assert not any(notes in render(document, orphan=True) for document in documents.values())
    assert "difficulty" not in documents[LESSON, "LESSON-MATH-001"].fields


def test_a_large_school_has_no_large_topic(make: Making) -> None:
    snapshot = grow(read(make(3_000)).values())
    sizes = [len(snapshot.children_of(topic)) for topic in snapshot.of_type(TOPIC)]
    assert max(sizes) == 20


def test_a_million_lessons_are_made_as_a_stream() -> None:
    tracemalloc.start()
    first = list(islice(school_rows(1_000_000), 1_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len({(kind, row["name"]) for kind, row in first}) == 1_000
    assert peak < 20_000_000


def test_no_name_is_given_twice(make: Making) -> None:
    with edit_site(make(3_000)) as connection:
        counted = text("SELECT count(*), count(DISTINCT name) FROM `tabMemora Lesson Stage`")
        rows, names = connection.execute(counted).one()
    assert rows == names > 3_000


def test_a_site_is_never_overwritten(make: Making) -> None:
    path = make(20)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="there already"):
        create_site(path)
    assert path.read_bytes() == before


def test_too_few_lessons_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 20 lessons, not 19"):
        create_site(tmp_path / "site.db", 19)
    assert list(tmp_path.iterdir()) == []


def test_an_editor_changes_a_title_and_frappe_notes_the_time(make: Making) -> None:
    path = make(20)
    before = read(path)
    with edit_site(path) as connection:
        edit_lesson_title(connection, "LESSON-MATH-001", "Parabolas")
        changed = connection.execute(
            text("SELECT name FROM `tabMemora Lesson` WHERE modified > creation")
        )
        assert changed.scalars().all() == ["LESSON-MATH-001"]
    lesson = before[LESSON, "LESSON-MATH-001"]
    edited = Document(LESSON, lesson.name, {**lesson.fields, "title": "Parabolas"}, lesson.rows)
    assert read(path) == {**before, lesson.ref: edited}


def test_an_editor_changes_one_field(make: Making) -> None:
    path = make(20)
    with edit_site(path) as connection:
        set_field(connection, SUBJECT, "SUBJECT-PHYS", "is_free_preview", 1)
        with pytest.raises(KeyError):
            set_field(connection, SUBJECT, "SUBJECT-PHYS", "owner", "somebody")
    assert read(path)[SUBJECT, "SUBJECT-PHYS"].flag("is_free_preview")


def test_a_deleted_lesson_takes_its_stages_along(make: Making) -> None:
    path = make(20)
    before = read(path)
    with edit_site(path) as connection:
        delete_document(connection, LESSON, "LESSON-MATH-001")
        rows = connection.execute(text("SELECT DISTINCT parent FROM `tabMemora Lesson Stage`"))
        parents = set(rows.scalars())
    del before[LESSON, "LESSON-MATH-001"]
    assert read(path) == before
    assert parents == {name for kind, name in before if kind == LESSON}
