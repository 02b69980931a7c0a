"""A school of three plans over two subjects, and edits of it, for tests that publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exporter.core.model import Document, Value
from tests.core.school import lesson, plan, subject, topic, track, unit

__all__ = ["BAD", "BASE", "EDITED", "SHRUNK", "Documents", "changed", "without"]

Documents = Sequence[Document]


def _subject(name: str) -> list[Document]:
    """Return a subject with two topics of two lessons each."""
    found = [subject(name), track(f"{name}-T", name), unit(f"{name}-U", f"{name}-T")]
    for number in ("1", "2"):
        found.append(topic(f"{name}-O{number}", f"{name}-U"))
        for letter in ("a", "b"):
            bit = ("1a", "1b", "2a", "2b").index(number + letter)
            found.append(lesson(f"{name}-{number}{letter}", f"{name}-O{number}", bit))
    return found


def changed(documents: Documents, name: str, **fields: Value) -> list[Document]:
    """Return a school in which one document has other fields."""
    return [
        replace(one, fields={**one.fields, **fields}) if one.name == name else one
        for one in documents
    ]


def without(documents: Documents, *names: str) -> list[Document]:
    """Return a school without these documents."""
    return [one for one in documents if one.name not in names]


BASE: Documents = [
    *_subject("M"),
    *_subject("P"),
    plan("ONE", ["M", "P"]),
    plan("TWO", ["M"]),
    plan("THREE", ["P"]),
]
EDITED = changed(BASE, "M-1a", title="Better")
SHRUNK = without(EDITED, "P-2a", "P-2b", "P-O2", "M-1b")
BAD = changed(changed(BASE, "P-1a", bit_index=-1), "M-1a", title="Better")
"""Lesson P-1a holds back plans ONE and THREE; plan TWO goes on."""
