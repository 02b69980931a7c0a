from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import text

from exporter.core.model import (
    DOCTYPES,
    LESSON,
    PLAN,
    SEASON,
    SUBJECT,
    TOPIC,
    Field,
    FieldType,
    Ref,
)
from exporter.core.parts import Part, part_of, summed
from exporter.source.database import open_source
from tests.frappe_site import FrappeSite
from tests.servers import MariaDBServer


def digests(site: FrappeSite, **extra: tuple[str, ...]) -> dict[Ref, int | None]:
    fields = {name: extra[doc.label] for name, doc in DOCTYPES.items() if doc.label in extra}
    with open_source(site.url, fields).view() as view:
        return dict(view.digests())


def changed(before: Mapping[Ref, int | None], after: Mapping[Ref, int | None]) -> set[Ref]:
    return {ref for ref in before.keys() | after.keys() if before.get(ref) != after.get(ref)}


def summed_by(site: FrappeSite) -> dict[Part, int | None]:
    """Return what the server adds up."""
    with open_source(site.url).view() as view:
        sums = view.sums()
    assert sums is not None
    return sums


@pytest.fixture
def school(site: FrappeSite) -> FrappeSite:
    """Two documents of each DocType, with two rows in each child table, and a branch."""
    site.add_branch()
    for doctype in DOCTYPES.values():
        for name in ("one", "two"):
            ref = site.add(doctype.name, name, title=name)
            for child in doctype.children:
                site.add_row(ref, child.field, 1)
                site.add_row(ref, child.field, 2)
    return site


def other(field: Field) -> object:
    return {
        FieldType.TEXT: "other",
        FieldType.CHECK: 1 - int(field.default or 0),
        FieldType.INT: 7,
        FieldType.FLOAT: 2.5,
        FieldType.DATE: "2026-09-01",
        FieldType.JSON: '{"a": 1}',
    }[field.type]


def test_any_column_that_is_read_moves_the_digest_of_its_document_only(
    school: FrappeSite,
) -> None:
    before = digests(school)
    assert len(before) == 2 * len(DOCTYPES) + 5
    assert all(before.values())
    for doctype in DOCTYPES.values():
        cells = [(f"`tab{doctype.name}`", "name = 'one'", field) for field in doctype.fields]
        for child in doctype.children:
            row, idx = "parent = 'one' AND idx = 2", Field("idx", FieldType.INT)
            cells += [(f"`tab{child.doctype}`", row, field) for field in (*child.fields, idx)]
        for table, row, field in cells:
            with school.writing() as connection:
                where = f"FROM {table} WHERE {row}"
                name = connection.execute(text(f"SELECT name {where}")).scalar_one()
                kept = connection.execute(text(f"SELECT {field.name} {where}")).scalar_one()
            change = f"UPDATE {table} SET {field.name} = :value WHERE name = :name"
            school.execute(change, value=other(field), name=name)
            assert changed(before, digests(school)) == {(doctype.name, "one")}, field.name
            school.execute(change, value=kept, name=name)
    assert digests(school) == before


def test_what_is_not_read_moves_nothing(school: FrappeSite) -> None:
    before = digests(school)
    school.execute(
        "UPDATE `tabMemora Lesson` SET internal_notes = 'secret', difficulty = 'hard', idx = 9,"
        " docstatus = 1, owner = 'x', modified_by = 'x', modified = '2027-01-01', _comments = 'x'"
    )
    school.execute("UPDATE `tabMemora Lesson Stage` SET owner = 'x', modified = '2027-01-01'")
    assert digests(school) == before


def test_an_extra_field_counts_where_it_is_configured(school: FrappeSite) -> None:
    before = digests(school, lesson=("difficulty",))
    school.execute("UPDATE `tabMemora Lesson` SET difficulty = 'hard' WHERE name = 'one'")
    assert changed(before, digests(school, lesson=("difficulty",))) == {(LESSON, "one")}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a", None), ("a", "")),
        (("a", None), ("a", "N")),
        (("1:a", ""), ("1", ":a")),
        (("a", "1:b"), ("a1:b", "")),
        (("a", "b"), ("A", "b")),
        (("a", "b"), ("a ", "b")),
        (("e", "b"), ("\u00e9", "b")),
        (("\u00e9", "b"), ("e\u0301", "b")),
        (("1e0", "b"), ("1", "b")),
        (("a\r\n", "b"), ("a\n", "b")),
        (("%", ":b"), ("%%", ":b")),
    ],
)
def test_values_that_look_alike_have_different_digests(
    site: FrappeSite, left: tuple[str, int | None], right: tuple[str, int | None]
) -> None:
    found = []
    for title, description in (left, right):
        site.execute("DELETE FROM `tabMemora Topic`")
        site.add(TOPIC, "T", title=title, description=description)
        found.append(digests(site)[TOPIC, "T"])
    assert len(set(found)) == 2


def test_numbers_are_told_apart_to_the_last_digit(site: FrappeSite) -> None:
    site.add_branch()
    site.add_stage("L1", 1, {}, weight=0.1)
    before = digests(site)
    site.execute("UPDATE `tabMemora Lesson Stage` SET weight = 0.100000001")
    assert changed(before, digests(site)) == {(LESSON, "L1")}


def test_child_rows_count_by_their_order_columns_and_names(site: FrappeSite) -> None:
    site.add_branch()
    for idx in (1, 2, 2):
        site.add_stage("L1", idx, {"of": "all"}, title="same")
    seen = {digests(site)[LESSON, "L1"]}

    def sees(statement: str) -> None:
        site.execute(statement)
        found = digests(site)[LESSON, "L1"]
        assert found not in seen
        seen.add(found)

    sees("UPDATE `tabMemora Lesson Stage` SET idx = 3 - idx WHERE idx < 3")
    sees("UPDATE `tabMemora Lesson Stage` SET name = 'row9' WHERE name = 'row0000001'")
    sees("DELETE FROM `tabMemora Lesson Stage` WHERE name = 'row9'")
    sees("UPDATE `tabMemora Lesson Stage` SET parentfield = 'other' WHERE name = 'row0000002'")
    sees("UPDATE `tabMemora Lesson Stage` SET parenttype = 'memora lesson'")


def test_the_order_in_which_rows_are_stored_is_nothing(site: FrappeSite) -> None:
    site.add_branch()
    site.add_stage("L1", 1, {"n": 1})
    site.add_stage("L1", 2, {"n": 2})
    before = digests(site)
    site.execute("CREATE TABLE kept AS SELECT * FROM `tabMemora Lesson Stage`")
    for row in ("row0000001", "row0000002"):
        site.execute("DELETE FROM `tabMemora Lesson Stage` WHERE name = :row", row=row)
    for row in ("row0000002", "row0000001"):
        site.execute(
            "INSERT INTO `tabMemora Lesson Stage` SELECT * FROM kept WHERE name = :row", row=row
        )
    site.execute("DROP TABLE kept")
    assert digests(site) == before


def test_a_row_that_changes_its_parent_moves_both(site: FrappeSite) -> None:
    site.add_branch()
    site.add(LESSON, "L2", title="Second", parent_topic="P")
    site.add_stage("L1", 1, {})
    before = digests(site)
    site.execute("UPDATE `tabMemora Lesson Stage` SET parent = 'L2'")
    assert changed(before, digests(site)) == {(LESSON, "L1"), (LESSON, "L2")}


def test_parents_that_collate_alike_keep_their_rows_apart(site: FrappeSite) -> None:
    if "mysql" in site.url:
        site.execute("ALTER TABLE `tabMemora Lesson` DROP PRIMARY KEY")
    for name in ("a", "A", "a ", "\u00e1"):
        site.add(LESSON, name, title="same", parent_topic="P")
        site.add_stage(name, 1, {"n": 1})
    before = digests(site)
    assert len(before) == 4
    if "mysql" in site.url:
        site.execute("UPDATE `tabMemora Lesson Stage` SET idx = 5 WHERE BINARY parent = 'A'")
    else:
        site.execute("UPDATE `tabMemora Lesson Stage` SET idx = 5 WHERE parent = 'A'")
    assert changed(before, digests(site)) == {(LESSON, "A")}


def test_many_and_long_rows_are_digested_whole(site: FrappeSite) -> None:
    plan = site.add(PLAN, "P", title="Plan")
    for idx in range(40):
        site.add_row(plan, "overrides", idx, target_doctype=SUBJECT, target_name=f"S{idx}")
    site.add_branch()
    site.add_stage("L1", 1, {"text": "x" * 3_000_000})
    before = digests(site)
    site.execute("UPDATE `tabMemora Plan Override` SET action = 'Hide' WHERE idx = 39")
    site.execute("UPDATE `tabMemora Lesson Stage` SET config = replace(config, 'xx\"', 'xy\"')")
    assert changed(before, digests(site)) == {plan, (LESSON, "L1")}


def test_a_row_too_long_for_the_server_has_no_digest(
    mariadb: MariaDBServer, mariadb_site: FrappeSite
) -> None:
    mariadb_site.add_branch()
    mariadb_site.execute("ALTER TABLE `tabMemora Lesson` MODIFY description longtext")
    mariadb_site.execute("UPDATE `tabMemora Lesson` SET description = repeat('x', 2000000)")
    mariadb_site.add_stage("L1", 1, {})
    mariadb.execute("SET GLOBAL max_allowed_packet = 1048576")
    try:
        found, sums = digests(mariadb_site), summed_by(mariadb_site)
    finally:
        mariadb.execute("SET GLOBAL max_allowed_packet = 16777216")
    assert {ref for ref, digest in found.items() if digest is None} == {(LESSON, "L1")}
    assert [part for part, digest in sums.items() if digest is None] == [part_of((LESSON, "L1"))]


def test_reading_everything_gives_the_same_digests(school: FrappeSite) -> None:
    """Rows of other fields and of parents that are not there are no part of anything."""
    if "mysql" in school.url:
        school.execute("ALTER TABLE `tabMemora Lesson` DROP PRIMARY KEY")
    for name in ("a", "A", "a "):
        school.add(LESSON, name, title="same", parent_topic="P")
        school.add_stage(name, 1, {"of": name})
    school.add_stage("a", 2, {}, parenttype="memora lesson")
    school.add_stage("a", 3, {}, parentfield="Stages")
    school.add_stage("a", 4, {}, parentfield="other")
    school.add_stage("gone", 1, {})
    school.execute("ALTER TABLE `tabMemora Lesson` ADD COLUMN opens datetime")
    school.execute("UPDATE `tabMemora Lesson` SET opens = '2026-09-01 08:00:00'")
    with open_source(school.url, {LESSON: ("opens",)}).view() as view:
        read = list(view.everything())
        assert len(read) == view.size()
        assert {document.ref: digest for document, digest in read} == dict(view.digests())
        assert len(read) == 2 * len(DOCTYPES) + 5 + 3


def test_the_server_adds_up_the_same_digests(mariadb_site: FrappeSite) -> None:
    """In parts by name, whatever character set the name and the link to it are stored in."""
    mariadb_site.execute("ALTER TABLE `tabMemora Lesson` MODIFY name varchar(140) CHARSET latin1")
    mariadb_site.execute("ALTER TABLE `tabMemora Lesson` DROP PRIMARY KEY")
    mariadb_site.execute("ALTER TABLE `tabMemora Lesson Stage` MODIFY parent varchar(140) NULL")
    plan = mariadb_site.add(PLAN, "خطة", title="Plan")
    for idx in range(3):
        mariadb_site.add_row(plan, "overrides", idx, target_doctype=SUBJECT, target_name=f"S{idx}")
    mariadb_site.add_branch()
    for name in ("é", "a", "A", "two"):
        mariadb_site.add(LESSON, name, title="same", parent_topic="P")
        for idx in (1, 2):
            mariadb_site.add_stage(name, idx, {"of": name}, weight=0.1)
    found = digests(mariadb_site)
    assert summed_by(mariadb_site) == summed(found.items())
    asked = {(LESSON, "é"), plan}
    with open_source(mariadb_site.url).view() as view:
        some = dict(view.digests({part_of(ref) for ref in asked}))
    assert some == {ref: found[ref] for ref in asked}
    mariadb_site.add_stage("gone", 1, {})
    mariadb_site.execute(
        "UPDATE `tabMemora Lesson Stage` SET parent = NULL WHERE BINARY parent = 'a'"
    )
    moved = digests(mariadb_site)
    assert changed(found, moved) == {(LESSON, "a")}
    strays = {part_of((LESSON, "gone")), part_of((LESSON, ""))}
    sums, before = summed_by(mariadb_site), summed(moved.items())
    assert {part for part in sums if sums[part] != before.get(part)} == strays


def test_sqlite_adds_nothing_up(sqlite_site: FrappeSite) -> None:
    with open_source(sqlite_site.url).view() as view:
        assert view.sums() is None


def test_documents_can_be_asked_for_by_name(school: FrappeSite) -> None:
    whole = school.documents()
    wanted = {(LESSON, "one"), (LESSON, "L1"), (PLAN, "two"), (SEASON, "no such season")}
    with open_source(school.url).view() as view:
        found = {document.ref: document for document in view.documents(wanted)}
    assert found == {ref: whole[ref] for ref in wanted if ref in whole}


def test_the_identity_tells_databases_and_columns_apart(site: FrappeSite, tmp_path: Path) -> None:
    def identity(url: str, **extra: tuple[str, ...]) -> str:
        with open_source(url, {LESSON: extra["lesson"]} if extra else {}).view() as view:
            return view.identity

    first = identity(site.url)
    assert identity(site.url) == first
    assert identity(FrappeSite.create(f"sqlite:///{tmp_path / 'other.db'}").url) != first
    assert identity(site.url, lesson=("difficulty",)) != first
    assert identity(site.url, lesson=("a", "b")) != identity(site.url, lesson=("b", "a"))
    site.execute("ALTER TABLE `tabMemora Lesson` DROP COLUMN image")
    assert identity(site.url) != first


def test_a_changed_character_set_is_another_identity(mariadb_site: FrappeSite) -> None:
    def identity() -> str:
        with open_source(mariadb_site.url).view() as view:
            return view.identity

    first = identity()
    mariadb_site.execute("ALTER TABLE `tabMemora Topic` MODIFY title varchar(140) CHARSET latin1")
    assert identity() != first


def test_the_watermark_moves_with_every_save(site: FrappeSite) -> None:
    site.add_branch()
    site.add_stage("L1", 1, {})
    source = open_source(site.url)
    seen = {source.watermark()}
    assert source.watermark() in seen
    for statement in (
        "UPDATE `tabMemora Lesson` SET modified = '2027-01-01 00:00:00'",
        "UPDATE `tabMemora Lesson Stage` SET modified = '2027-01-01 00:00:00'",
        "DELETE FROM `tabMemora Lesson Stage`",
        "DELETE FROM `tabMemora Lesson`",
    ):
        site.execute(statement)
        assert source.watermark() not in seen
        seen.add(source.watermark())
