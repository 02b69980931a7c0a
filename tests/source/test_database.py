from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import OperationalError

from exporter.core.model import (
    DOCTYPES,
    GRADE,
    LESSON,
    PLAN,
    SEASON,
    STREAM,
    SUBJECT,
    TOPIC,
    TRACK,
    UNIT,
    Document,
)
from exporter.demo.schema import create_tables
from exporter.errors import SourceError, UsageError
from exporter.source import address, database
from exporter.source.database import open_source
from tests.frappe_site import FrappeSite


def test_every_doctype_is_read_whole(site: FrappeSite) -> None:
    site.add(SEASON, "2026/2027", title="Year", is_published=1, start_date="2026-09-01")
    site.add(GRADE, "G12", title="الصف", sort_order=12)
    site.add(STREAM, "SCI", title="Scientific")
    plan = site.add(PLAN, "P1", title="Plan", season="2026/2027", grade="G12", stream="SCI")
    site.add_row(plan, "subjects", 1, subject="B", sort_order=2)
    site.add_row(plan, "subjects", 2, subject="A", sort_order=1)
    site.add_row(plan, "overrides", 1, target_doctype=SUBJECT, target_name="A", action="Hide")
    site.add(SUBJECT, "A", title="A", color_code="#FFFFFF", is_public=1, is_linear=0)
    site.add(TRACK, "T", title="T", parent_subject="A", required_item="ITEM")
    site.add(UNIT, "U", title="U", parent_track="T", badge_image="/files/u.png")
    site.add(TOPIC, "C", title="C", parent_unit="U", sort_order=-3)
    site.add(LESSON, "L", title="L\r\nM", parent_topic="C", bit_index=7)
    site.add_stage("L", 2, {"text": "a\r\nb", "n": [1, 1.5, None]}, weight="0.333333333")
    site.add_stage("L", 1, {}, type="Video", is_skippable=1, target_time=90)

    assert site.documents() == {
        (PLAN, "P1"): Document(
            PLAN,
            "P1",
            {
                "title": "Plan",
                "season": "2026/2027",
                "grade": "G12",
                "stream": "SCI",
                "is_published": True,
            },
            {
                "subjects": (
                    {"subject": "A", "sort_order": 1},
                    {"subject": "B", "sort_order": 2},
                ),
                "overrides": ({"target_doctype": SUBJECT, "target_name": "A", "action": "Hide"},),
            },
        ),
        (SEASON, "2026/2027"): Document(
            SEASON,
            "2026/2027",
            {"title": "Year", "is_published": True, "start_date": "2026-09-01"},
        ),
        (GRADE, "G12"): Document(GRADE, "G12", {"title": "الصف", "sort_order": 12}),
        (STREAM, "SCI"): Document(STREAM, "SCI", {"title": "Scientific"}),
        (SUBJECT, "A"): Document(
            SUBJECT,
            "A",
            {
                "title": "A",
                "color_code": "#FFFFFF",
                "is_published": False,
                "is_public": True,
                "is_free_preview": False,
                "sort_order": 0,
                "is_linear": False,
            },
        ),
        (TRACK, "T"): Document(
            TRACK,
            "T",
            {
                "title": "T",
                "parent_subject": "A",
                "is_published": False,
                "is_free_preview": False,
                "is_sold_separately": False,
                "parent_item_required": False,
                "required_item": "ITEM",
                "sort_order": 0,
                "is_linear": True,
            },
        ),
        (UNIT, "U"): Document(
            UNIT,
            "U",
            {
                "title": "U",
                "badge_image": "/files/u.png",
                "parent_track": "T",
                "is_published": False,
                "is_free_preview": False,
                "sort_order": 0,
                "is_linear": True,
            },
        ),
        (TOPIC, "C"): Document(
            TOPIC,
            "C",
            {
                "title": "C",
                "parent_unit": "U",
                "is_published": False,
                "is_free_preview": False,
                "sort_order": -3,
                "is_linear": True,
            },
        ),
        (LESSON, "L"): Document(
            LESSON,
            "L",
            {
                "title": "L\nM",
                "parent_topic": "C",
                "is_published": False,
                "is_free_preview": False,
                "sort_order": 0,
                "bit_index": 7,
            },
            {
                "stages": (
                    {
                        "title": "Stage 1",
                        "type": "Video",
                        "config": {},
                        "weight": 1.0,
                        "target_time": 90,
                        "is_skippable": True,
                    },
                    {
                        "title": "Stage 2",
                        "type": "Text",
                        "config": {"text": "a\nb", "n": [1, 1.5, None]},
                        "weight": 0.333333333,
                        "target_time": 0,
                        "is_skippable": False,
                    },
                )
            },
        ),
    }


def test_fields_stand_in_canonical_order_with_extra_fields_last(site: FrappeSite) -> None:
    site.add_branch()
    site.execute("UPDATE `tabMemora Lesson` SET difficulty = 'hard', description = 'd'")
    lesson = site.documents(lesson=("difficulty",))[LESSON, "L1"]
    declared = [column.name for column in DOCTYPES[LESSON].fields]
    assert list(lesson.fields) == [*(n for n in declared if n in lesson.fields), "difficulty"]


def test_missing_optional_columns_read_as_their_defaults(site: FrappeSite) -> None:
    site.add_branch()
    site.add_stage("L1", 1, {"text": "x"})
    whole = site.documents()
    for table, column in [
        ("Memora Subject", "is_public"),
        ("Memora Subject", "required_item"),
        ("Memora Track", "parent_item_required"),
        ("Memora Track", "required_item"),
        ("Memora Unit", "required_item"),
        ("Memora Topic", "required_item"),
        ("Memora Lesson", "required_item"),
        ("Memora Lesson", "description"),
        ("Memora Lesson Stage", "weight"),
        ("Memora Lesson Stage", "is_skippable"),
        ("Memora Lesson Stage", "idx"),
    ]:
        site.execute(f"ALTER TABLE `tab{table}` DROP COLUMN `{column}`")
    assert site.documents() == whole


def test_null_reads_as_the_default(site: FrappeSite) -> None:
    nullable = "int" if "mysql" in site.url else "INTEGER"
    for column in ("is_published", "sort_order", "bit_index"):
        site.execute(f"ALTER TABLE `tabMemora Lesson` DROP COLUMN {column}")
        site.execute(f"ALTER TABLE `tabMemora Lesson` ADD COLUMN {column} {nullable} NULL")
    site.add(LESSON, "L", title=None, parent_topic=None)
    site.add_row((LESSON, "L"), "stages", 1, title=None, type=None, config=None)
    assert site.documents()[LESSON, "L"] == Document(
        LESSON,
        "L",
        {"is_published": False, "is_free_preview": False, "sort_order": 0, "bit_index": -1},
        {"stages": ({"config": {}, "weight": 1.0, "target_time": 0, "is_skippable": False},)},
    )


def test_a_column_that_is_not_listed_never_appears(site: FrappeSite) -> None:
    site.add_branch()
    secret = "the examiner's answer key"
    site.execute("UPDATE `tabMemora Lesson` SET internal_notes = :secret", secret=secret)
    site.execute("ALTER TABLE `tabMemora Lesson Stage` ADD COLUMN answer_key varchar(140)")
    site.add_stage("L1", 1, {"text": "x"}, answer_key=secret)
    statements: list[str] = []
    source = open_source(site.url)
    event.listen(
        source._engine,
        "before_cursor_execute",
        lambda *arguments: statements.append(str(arguments[2])),
    )
    assert secret not in repr(list(source.documents()))
    asked = " ".join(statements)
    assert "tabMemora Lesson Stage" in asked
    for column in ("internal_notes", "answer_key", "modified_by", "owner", "difficulty", "*"):
        assert column not in asked


def test_rows_of_another_parenttype_or_parentfield_are_left_out(site: FrappeSite) -> None:
    site.add_branch()
    site.add_stage("L1", 1, {"text": "ours"})
    site.add_stage("L1", 2, {}, parenttype="Memora Lesson Draft")
    site.add_stage("L1", 3, {}, parenttype="memora lesson")
    site.add_stage("L1", 4, {}, parentfield="old_stages")
    site.add_stage("L1", 5, {}, parentfield="Stages ")
    site.add_stage("L1", 6, {}, parenttype=None)
    site.add_stage("L1", 7, {}, parentfield=None)
    site.add_stage("gone", 1, {})
    stages = site.documents()[LESSON, "L1"].rows["stages"]
    assert [stage["config"] for stage in stages] == [{"text": "ours"}]


@pytest.mark.parametrize("at_a_time", [1, 500])
def test_names_that_collate_alike_are_kept_apart_with_their_rows(
    site: FrappeSite, monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    monkeypatch.setattr(database, "DOCUMENTS_AT_A_TIME", at_a_time)
    if "mysql" in site.url:  # as a key, Frappe's collation allows one of them only
        site.execute("ALTER TABLE `tabMemora Lesson` DROP PRIMARY KEY")
    names = ["a", "A", "a ", "\u00e1", "a\u0301", "\u00e4"]
    for name in names:
        site.add(LESSON, name, title=f"<{name}>", parent_topic="P")
        site.add_stage(name, 1, {"of": name})
    found = list(open_source(site.url).documents())
    assert sorted(document.name for document in found) == sorted(names)
    for document in found:
        (stage,) = document.rows["stages"]
        assert (document.text("title"), stage["config"]) == (
            f"<{document.name}>",
            {"of": document.name},
        )


def test_rows_of_a_parent_that_only_collates_alike_belong_to_nobody(site: FrappeSite) -> None:
    site.add_branch(lesson="lesson")
    for idx, parent in enumerate(["LESSON", "lesson ", "lésson"], start=1):
        site.add_stage(parent, idx, {})
    assert site.documents()[LESSON, "lesson"].rows == {}


def test_equal_idx_is_settled_by_the_row_name_by_code_point(site: FrappeSite) -> None:
    site.add_branch()
    for name in ("c", "Z", "é", "a", "B"):
        site.add_stage("L1", 1, {"row": name}, name=f"{name}-row")
    stages = site.documents()[LESSON, "L1"].rows["stages"]
    assert [stage["config"] for stage in stages] == [
        {"row": name} for name in ("B", "Z", "a", "c", "é")
    ]


def test_more_documents_than_are_fetched_at_a_time(
    site: FrappeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "DOCUMENTS_AT_A_TIME", 3)
    site.add_branch()
    for number in range(2, 12):
        site.add(LESSON, f"L{number}", title="Lesson", parent_topic="P")
        site.add_stage(f"L{number}", 1, {"n": number})
    found = [doc.ref for doc in open_source(site.url).documents() if doc.doctype == LESSON]
    assert sorted(found) == sorted((LESSON, f"L{number}") for number in range(1, 12))
    lesson = site.documents()[LESSON, "L11"]
    assert [stage["config"] for stage in lesson.rows["stages"]] == [{"n": 11}]


def test_extra_fields_are_typed_by_their_columns(site: FrappeSite) -> None:
    site.add_branch()
    columns = {
        "flag": ("tinyint(4)", 1, True),
        "old_flag": ("int(1)", 1, True),
        "level": ("bigint", 12345678901, 12345678901),
        "ratio": ("decimal(21,9)", "1.500000000", 1.5),
        "factor": ("double", 0.1, 0.1),
        "due": ("date", "2026-12-31", "2026-12-31"),
        "starts": ("datetime(6)", "2026-12-31 08:00:00.000000", "2026-12-31 08:00:00.000000"),
        "at": ("time(6)", "08:30:00.000000", "08:30:00.000000"),
        "meta": ("longtext", '{"a": 1}', '{"a": 1}'),
        "order": ("varchar(140)", "a reserved word", "a reserved word"),
        "percent%s": ("varchar(140)", "100%", "100%"),
    }
    for name, (declared, value, _) in columns.items():
        with site.writing() as connection:
            quoted = name.replace("%", "%%") if "mysql" in site.url else name
            table = "`tabMemora Lesson`"
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN `{quoted}` {declared}", ())
            mark = "%s" if "mysql" in site.url else "?"
            connection.exec_driver_sql(f"UPDATE {table} SET `{quoted}` = {mark}", (value,))
    lesson = site.documents(lesson=tuple(columns))[LESSON, "L1"]
    assert dict(lesson.extras()) == {name: value for name, (_, _, value) in columns.items()}


def test_an_extra_field_without_a_column_reads_as_empty(site: FrappeSite) -> None:
    site.add_branch()
    assert site.documents(lesson=("no_such_column",)) == site.documents()


@pytest.mark.parametrize(
    ("doctype", "field"),
    [
        ("Memora Lessson", "difficulty"),
        ("Memora Lesson Stage", "notes"),
        (LESSON, "title"),
        (LESSON, "stages"),
        (LESSON, "owner"),
        (LESSON, "modified"),
    ],
)
def test_an_extra_field_that_no_document_can_have_is_refused(doctype: str, field: str) -> None:
    with pytest.raises(UsageError, match=r"source\.extra_fields"):
        open_source("sqlite:///site.db", {doctype: (field,)})


def test_everything_that_is_missing_is_named_at_once(site: FrappeSite) -> None:
    site.execute("DROP TABLE `tabMemora Season`")
    site.execute("DROP TABLE `tabMemora Plan Override`")
    site.execute("ALTER TABLE `tabMemora Lesson` DROP COLUMN parent_topic")
    site.execute("ALTER TABLE `tabMemora Lesson` DROP COLUMN title")
    site.execute("ALTER TABLE `tabMemora Lesson Stage` DROP COLUMN parenttype")
    with pytest.raises(SourceError) as caught:
        site.documents()
    assert caught.value.message.endswith(
        ": the database lacks table `tabMemora Plan Override`; table `tabMemora Season`;"
        " column `title` of `tabMemora Lesson`; column `parent_topic` of `tabMemora Lesson`;"
        " column `parenttype` of `tabMemora Lesson Stage`"
    )


def test_a_database_of_something_else_lacks_every_table(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE `tabUser` (name TEXT)")
    engine.dispose()
    with pytest.raises(SourceError, match="lacks table `tabMemora Academic Plan`") as caught:
        next(open_source(f"sqlite:///{tmp_path / 'other.db'}").documents())
    assert caught.value.message.count("table `tab") == 12


def test_a_value_that_cannot_be_understood_is_named(sqlite_site: FrappeSite) -> None:
    sqlite_site.add_branch()
    sqlite_site.execute("UPDATE `tabMemora Lesson` SET sort_order = 'first'")
    with pytest.raises(SourceError) as caught:
        sqlite_site.documents()
    assert caught.value.message == (
        "lesson 'L1', sort_order: the database holds 'first', which is not a number"
    )


def test_text_that_is_not_utf8_names_document_and_field(sqlite_site: FrappeSite) -> None:
    sqlite_site.add_branch()
    sqlite_site.execute("UPDATE `tabMemora Lesson` SET title = CAST(x'41ff' AS TEXT)")
    with pytest.raises(SourceError) as caught:
        sqlite_site.documents()
    assert caught.value.message == (
        "lesson 'L1', title: the stored text is not valid Unicode (UTF-8)"
    )


def test_zero_dates_are_empty(mariadb_site: FrappeSite) -> None:
    with mariadb_site.writing() as connection:
        connection.exec_driver_sql("SET SESSION sql_mode = ''")
        connection.exec_driver_sql(
            "INSERT INTO `tabMemora Season` (name, title, start_date, end_date)"
            " VALUES ('S', 'S', '0000-00-00', NULL)"
        )
    assert mariadb_site.documents() == {
        (SEASON, "S"): Document(SEASON, "S", {"title": "S", "is_published": False})
    }


def test_integers_as_names_read_as_text(sqlite_site: FrappeSite) -> None:
    """Frappe's autoincrement naming makes the key an integer."""
    sqlite_site.execute("DROP TABLE `tabMemora Grade`")
    sqlite_site.execute("CREATE TABLE `tabMemora Grade` (name INTEGER PRIMARY KEY, title TEXT)")
    sqlite_site.execute("INSERT INTO `tabMemora Grade` VALUES (12, 'Twelve')")
    assert sqlite_site.documents() == {
        (GRADE, "12"): Document(GRADE, "12", {"title": "Twelve", "sort_order": 0})
    }


def test_both_databases_give_equal_documents(
    sqlite_site: FrappeSite, mariadb_site: FrappeSite
) -> None:
    texts = [
        "",
        " a ",
        "CR\rLF\nCRLF\r\n",
        "quote ' \" ` \\ %s %% :x",
        "emoji 👩‍🏫 مرحبا é",
        "\t\x01",
    ]
    for each in (sqlite_site, mariadb_site):
        each.add_branch()
        for number, value in enumerate(texts):
            name = f"text {number}"
            each.add(LESSON, name, title=value, parent_topic="P", description=value)
            each.add_stage(name, 1, {"text": value, "ü": {"z": [value], "a": 1e-7, "n": 10**30}})
            each.add_stage(name, 2, '{"a": 1, "a": 2}', weight="12345.678901234")
        each.add(SEASON, "S", title="S", start_date="2026-02-28")
    assert sqlite_site.documents() == mariadb_site.documents()


def test_a_commit_in_the_middle_of_the_reading_is_not_seen(site: FrappeSite) -> None:
    if site.url.startswith("sqlite"):
        site.execute("PRAGMA journal_mode = WAL")  # as Frappe sets it
    site.add(PLAN, "P", title="Plan")
    site.add_branch()
    before = site.documents()
    reading = open_source(site.url).documents()
    first = list(islice(reading, 1))
    site.execute("UPDATE `tabMemora Lesson` SET title = 'Changed'")
    site.add(LESSON, "L2", title="New", parent_topic="P")
    site.add_stage("L1", 1, {"text": "new"})
    assert {doc.ref: doc for doc in [*first, *reading]} == before
    assert site.documents() != before


def test_a_writer_waits_for_the_reading_where_sqlite_keeps_no_versions(
    sqlite_site: FrappeSite,
) -> None:
    sqlite_site.add_branch()
    before = sqlite_site.documents()
    reading = open_source(sqlite_site.url).documents()
    first = list(islice(reading, 1))
    impatient = FrappeSite(f"{sqlite_site.url}?timeout=0")
    with pytest.raises(OperationalError, match="locked"):
        impatient.execute("UPDATE `tabMemora Lesson` SET title = 'Changed'")
    assert {doc.ref: doc for doc in [*first, *reading]} == before


def test_a_table_altered_after_the_view_began_is_read_again(
    mariadb_site: FrappeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    mariadb_site.add_branch()
    begun = _alter_after_begin(mariadb_site, monkeypatch, times=2)
    assert mariadb_site.documents()[LESSON, "L1"].title == "Lesson"
    assert begun == [1, 2, 3]


def test_a_table_that_keeps_changing_is_reported(
    mariadb_site: FrappeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    mariadb_site.add_branch()
    begun = _alter_after_begin(mariadb_site, monkeypatch, times=99)
    with pytest.raises(SourceError, match="changed during each of 5 attempts") as caught:
        mariadb_site.documents()
    assert "bench migrate" in caught.value.hint
    assert begun == [1, 2, 3, 4, 5]


def _alter_after_begin(
    site: FrappeSite, monkeypatch: pytest.MonkeyPatch, *, times: int
) -> list[int]:
    begun: list[int] = []
    begin = address.begin_view

    def begin_and_be_overtaken(connection: Connection) -> None:
        begin(connection)
        begun.append(len(begun) + 1)
        if len(begun) <= times:
            column = f"added_{len(begun)}"
            site.execute(f"ALTER TABLE `tabMemora Lesson` ADD COLUMN {column} int, ALGORITHM=COPY")

    monkeypatch.setattr(database, "begin_view", begin_and_be_overtaken)
    return begun


def test_the_reading_is_read_only(mariadb_site: FrappeSite) -> None:
    with (
        open_source(mariadb_site.url).view() as view,
        pytest.raises(OperationalError, match="READ ONLY"),
    ):
        view._connection.exec_driver_sql("DELETE FROM `tabMemora Lesson`")


def test_a_sqlite_site_is_opened_read_only(sqlite_site: FrappeSite) -> None:
    with (
        open_source(sqlite_site.url).view() as view,
        pytest.raises(OperationalError, match="readonly"),
    ):
        view._connection.exec_driver_sql("DELETE FROM `tabMemora Lesson`")


def test_a_path_with_spaces_and_reserved_characters(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%41?é"
    folder.mkdir()
    plain = FrappeSite.create(f"sqlite:///{tmp_path / 'site.db'}")
    plain.add(GRADE, "G", title="Grade")
    (tmp_path / "site.db").rename(folder / "site.db")
    url = URL.create("sqlite", database=str(folder / "site.db")).render_as_string()
    assert [doc.name for doc in open_source(url).documents()] == ["G"]


def test_create_tables_is_complete(site: FrappeSite) -> None:
    with site.writing() as connection, pytest.raises(OperationalError, match="exists"):
        create_tables(connection)
    assert site.documents() == {}
