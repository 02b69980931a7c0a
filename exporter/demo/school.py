"""The rows of the demo school: a curriculum of any number of lessons, in Frappe's tables.

Deterministic: no clock and no chance, so the same number of lessons gives the same rows every time.
Rows come as a stream, so that a school of a million lessons needs no memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from exporter.core.model import DOCTYPES, LESSON, PLAN, SUBJECT, TOPIC, TRACK, UNIT, ChildTable
from exporter.demo.curriculum import (
    FLAT,
    Curriculum,
    Plan,
    Subject,
    Topic,
    Track,
    Unit,
    demo_curriculum,
)
from exporter.demo.stages import Lesson, description, stages

__all__ = ["Named", "school_rows"]

LESSONS_A_TOPIC = 20
"""A topic of the curriculum with more is continued in further topics."""

_EDITOR = "rana.haddad@school.example"
_OPENED = "2026-08-16 07:30:00.000000"
_CODED = frozenset({"MATH", "ENGL", "COMP"})
"""Subjects whose teachers name documents by a code; the others leave it to Frappe."""

Named = tuple[str, dict[str, object]]
"""A DocType and a row of its table."""


def school_rows(lessons: int, curriculum: Curriculum | None = None) -> Iterator[Named]:
    """Yield every row of a school with that many lessons; a table's rows have the same columns.

    It teaches the demo's curriculum unless another is given.
    """
    return _School(lessons, curriculum or demo_curriculum()).rows()


@dataclass(slots=True)
class _School:
    """Makes the rows of the school; the counters are its only state."""

    lessons: int
    curriculum: Curriculum
    serial: Iterator[int] = field(default_factory=count)

    def rows(self) -> Iterator[Named]:
        for doctype, flat in FLAT.items():
            for row in flat:
                yield self._parent(doctype, **row)
        shares = _shares(self.lessons, self.curriculum)
        for position, subject in enumerate(self.curriculum.subjects, start=1):
            yield from self._subject(subject, position, shares)
        for plan in self.curriculum.plans:
            yield from self._plan(plan)

    def _plan(self, plan: Plan) -> Iterator[Named]:
        yield self._parent(PLAN, name=plan.name, is_published=1, **plan.fields)
        listed, overrides = DOCTYPES[PLAN].children
        for position, code in enumerate(plan.subjects, start=1):
            row = {"subject": f"SUBJECT-{code}", "sort_order": position}
            yield self._child(listed, PLAN, plan.name, position, row)
        for position, override in enumerate(plan.overrides, start=1):
            names = ("target_doctype", "target_name", "action", "override_value")
            row = dict(zip(names, override, strict=True))
            yield self._child(overrides, PLAN, plan.name, position, row)

    def _subject(self, subject: Subject, position: int, shares: Iterator[int]) -> Iterator[Named]:
        yield self._parent(
            SUBJECT,
            name=subject.name,
            title=subject.title,
            description=subject.description,
            image=f"/files/subjects/{subject.code.lower()}.png",
            color_code=subject.color,
            is_published=1,
            is_public=int(subject.public),
            is_free_preview=0,
            required_item=subject.item or None,
            sort_order=position,
            is_linear=1,
        )
        numbers = _Numbers(subject)
        for order, track in enumerate(subject.tracks, start=1):
            yield from self._track(track, order, numbers, shares)

    def _track(
        self, track: Track, order: int, numbers: _Numbers, shares: Iterator[int]
    ) -> Iterator[Named]:
        name = f"TRACK-{numbers.subject.code}-{order}"
        yield self._parent(
            TRACK,
            name=name,
            title=track.title,
            description="",
            image=None,
            parent_subject=numbers.subject.name,
            is_published=1,
            is_free_preview=0,
            is_sold_separately=int(bool(track.sold)),
            parent_item_required=int(track.with_subject),
            required_item=track.sold or None,
            sort_order=order,
            is_linear=int(not track.sold),
        )
        for unit_order, unit in enumerate(track.units, start=1):
            below = numbers.name(UNIT, f"{order}-{unit_order}", self.serial)
            yield self._unit(unit, below, name, unit_order)
            for topic in unit.topics:
                yield from self._topics(topic, below, numbers, next(shares))

    def _unit(self, unit: Unit, name: str, track: str, order: int) -> Named:
        return self._parent(
            UNIT,
            name=name,
            title=unit.title,
            description=None,
            image=None,
            badge_image=f"/files/badges/{order}.svg",
            parent_track=track,
            is_published=int(not unit.draft),
            is_free_preview=0,
            required_item=None,
            sort_order=order,
            is_linear=1,
        )

    def _topics(self, topic: Topic, unit: str, numbers: _Numbers, lessons: int) -> Iterator[Named]:
        """Yield a topic, its lessons, and the topics that continue it where there are many."""
        order = next(numbers.topics)
        for part, first in enumerate(range(0, max(lessons, 1), LESSONS_A_TOPIC), start=1):
            code = str(order) if part == 1 else f"{order}-P{part}"
            name = numbers.name(TOPIC, code, self.serial)
            yield self._parent(
                TOPIC,
                name=name,
                title=topic.title if part == 1 else f"{topic.title} ({part})",
                description=topic.idea if part == 1 else "",
                image=None,
                parent_unit=unit,
                is_published=int(not topic.draft),
                is_free_preview=int(topic.free),
                required_item=None,
                sort_order=order * 1000 + part,
                is_linear=1,
            )
            for number in range(first, min(first + LESSONS_A_TOPIC, lessons)):
                yield from self._lesson(topic, name, numbers, number)

    def _lesson(self, topic: Topic, parent: str, numbers: _Numbers, number: int) -> Iterator[Named]:
        bit = next(numbers.lessons)
        name = numbers.name(LESSON, f"{bit + 1:03d}", self.serial)
        lesson = Lesson(numbers.subject, topic, name, number)
        yield self._parent(
            LESSON,
            name=name,
            title=lesson.title,
            description=description(lesson),
            image=None,
            parent_topic=parent,
            is_published=int(bit % 23 != 22),
            is_free_preview=int(bit == 0),
            required_item=None,
            sort_order=number + 1,
            bit_index=bit,
            difficulty=("easy", "medium", "hard")[number % 3],
            internal_notes="Ask Omar for the new recording before the term starts.",
        )
        table = DOCTYPES[LESSON].children[0]
        made = stages(lesson, of_each_type=self.curriculum.every_stage)
        for position, stage in enumerate(made, start=1):
            row = {
                "title": stage.title,
                "type": stage.type,
                "config": json.dumps(stage.config, ensure_ascii=False),
                "weight": stage.weight,
                "target_time": stage.target_time,
                "is_skippable": int(stage.is_skippable),
            }
            yield self._child(table, LESSON, name, position, row)

    @staticmethod
    def _parent(doctype: str, **row: object) -> Named:
        return doctype, {**_standard(0), **row}

    def _child(
        self, table: ChildTable, parenttype: str, parent: str, idx: int, row: Mapping[str, object]
    ) -> Named:
        link = {"parent": parent, "parenttype": parenttype, "parentfield": table.field}
        return table.doctype, {
            **_standard(idx),
            "name": _hash_name(next(self.serial)),
            **link,
            **row,
        }


@dataclass(slots=True)
class _Numbers:
    """What is counted through a whole subject."""

    subject: Subject
    topics: Iterator[int] = field(default_factory=lambda: count(1))
    lessons: Iterator[int] = field(default_factory=count)

    def name(self, doctype: str, code: str, serial: Iterator[int]) -> str:
        if self.subject.code in _CODED:
            return f"{DOCTYPES[doctype].label.upper()}-{self.subject.code}-{code}"
        return _hash_name(next(serial))


def _shares(lessons: int, curriculum: Curriculum) -> Iterator[int]:
    """Yield how many lessons each topic of the curriculum gets, as evenly as can be."""
    topics = sum(
        len(unit.topics)
        for subject in curriculum.subjects
        for track in subject.tracks
        for unit in track.units
    )
    for number in range(topics):
        yield (number + 1) * lessons // topics - number * lessons // topics


def _standard(idx: int) -> dict[str, object]:
    return {
        "creation": _OPENED,
        "modified": _OPENED,
        "modified_by": _EDITOR,
        "owner": _EDITOR,
        "docstatus": 0,
        "idx": idx,
    }


def _hash_name(serial: int) -> str:
    """Return a name like Frappe's hashes, 10 of 32 characters; another one for every serial."""
    mixed = (serial + 1) * 0x2545F4914F6CD & _HASHES
    mixed = (mixed ^ mixed >> 27) * 0x369DEA0F31A53 & _HASHES
    return "".join(_HASH_CHARACTERS[mixed >> shift & 31] for shift in range(0, 50, 5))


_HASHES = 2**50 - 1
_HASH_CHARACTERS = "0123456789abcdefghijklmnopqrstuv"
