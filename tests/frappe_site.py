"""A Frappe site for tests, on SQLite or MariaDB: empty tables, and rows as Frappe would store them.

The tables are the demo's. What a row does not say is what Frappe leaves in the column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from sqlalchemy import Connection, NullPool, create_engine, text

from exporter.core.model import DOCTYPES, LESSON, SUBJECT, TOPIC, TRACK, UNIT, Document, Ref
from exporter.demo.schema import create_tables, insert_rows
from exporter.source.database import open_source

__all__ = ["FrappeSite"]

SAVED = "2026-08-16 07:30:00.000000"
STANDARD: Mapping[str, object] = {
    "creation": SAVED,
    "modified": SAVED,
    "modified_by": "editor@school.example",
    "owner": "owner@school.example",
    "docstatus": 0,
}


@dataclass
class FrappeSite:
    """A site's database, reached through an SQLAlchemy URL that may write."""

    url: str
    _serial: Iterator[int] = field(default_factory=lambda: count(1))

    @classmethod
    def create(cls, url: str) -> FrappeSite:
        """Make the tables in an empty database."""
        site = cls(url)
        with site.writing() as connection:
            create_tables(connection)
        return site

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open one transaction; commit at the end."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            yield connection

    def execute(self, statement: str, **parameters: object) -> None:
        """Run one statement in a transaction of its own; back quotes quote on both databases."""
        with self.writing() as connection:
            connection.execute(text(statement), parameters)

    def add(self, doctype: str, name: str, **fields: object) -> Ref:
        """Insert a document."""
        with self.writing() as connection:
            insert_rows(connection, doctype, [{**STANDARD, "name": name, **fields}])
        return (doctype, name)

    def add_row(self, parent: Ref, table: str, idx: int, **fields: object) -> None:
        """Insert a child row; `fields` may say another name, parenttype or parentfield."""
        child = next(each for each in DOCTYPES[parent[0]].children if each.field == table)
        row = {
            **STANDARD,
            "name": f"row{next(self._serial):07d}",
            "parent": parent[1],
            "parenttype": parent[0],
            "parentfield": table,
            "idx": idx,
            **fields,
        }
        with self.writing() as connection:
            insert_rows(connection, child.doctype, [row])

    def add_stage(self, lesson: str, idx: int, config: object, **fields: object) -> None:
        """Insert a lesson's stage; a config that is not text is stored as JSON."""
        stored = config if isinstance(config, str) else json.dumps(config, ensure_ascii=False)
        stage = {"title": f"Stage {idx}", "type": "Text", "config": stored, **fields}
        self.add_row((LESSON, lesson), "stages", idx, **stage)

    def add_branch(self, lesson: str = "L1") -> None:
        """Insert subject S, track T, unit U and topic P with one lesson, all published."""
        self.add(SUBJECT, "S", title="Subject", is_published=1)
        self.add(TRACK, "T", title="Track", is_published=1, parent_subject="S")
        self.add(UNIT, "U", title="Unit", is_published=1, parent_track="T")
        self.add(TOPIC, "P", title="Topic", is_published=1, parent_unit="U")
        self.add(LESSON, lesson, title="Lesson", is_published=1, parent_topic="P", bit_index=0)

    def documents(self, **extra_fields: tuple[str, ...]) -> dict[Ref, Document]:
        """Read the site; keywords are DocType labels with extra fields, such as `lesson`."""
        names = {doctype.label: doctype.name for doctype in DOCTYPES.values()}
        extra = {names[label]: fields for label, fields in extra_fields.items()}
        return {each.ref: each for each in open_source(self.url, extra).documents()}
