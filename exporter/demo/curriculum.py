"""What the demo school teaches, to whom and at what price: data, and its types.

The subjects are in `subjects.yaml`; plans, seasons, grades and streams are here. Everything is
fixed: the same content on every machine and day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import ryaml

from exporter.core.model import GRADE, LESSON, SEASON, STREAM, SUBJECT, TOPIC, TRACK, UNIT

__all__ = [
    "FLAT",
    "Curriculum",
    "Plan",
    "Subject",
    "Topic",
    "Track",
    "Unit",
    "demo_curriculum",
    "subjects",
]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, the idea that its lessons explain, and one question on it."""

    title: str
    lessons: tuple[str, ...]
    idea: str
    ask: str
    answer: str
    wrong: tuple[str, ...]
    draft: bool = False
    free: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a track."""

    title: str
    topics: tuple[Topic, ...]
    draft: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """A track; `sold` is the item under which it is sold alone."""

    title: str
    units: tuple[Unit, ...]
    sold: str = ""
    with_subject: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject; without an item it is free, for everyone where it is public."""

    code: str
    language: Literal["en", "ar"]
    title: str
    description: str
    color: str
    tracks: tuple[Track, ...]
    item: str = ""
    public: bool = False

    @property
    def name(self) -> str:
        """Return the document's name."""
        return f"SUBJECT-{self.code}"


@dataclass(frozen=True, slots=True)
class Plan:
    """An academic plan: the codes of its subjects, and its override rows."""

    name: str
    fields: Mapping[str, str]
    subjects: tuple[str, ...]
    overrides: tuple[tuple[str, str, str, str], ...]
    """(target DocType, target name, action, value)"""


@dataclass(frozen=True, slots=True)
class Curriculum:
    """What a school teaches, in the seasons, grades and streams of `FLAT`."""

    subjects: tuple[Subject, ...]
    plans: tuple[Plan, ...]
    every_stage: bool = False
    """Whether each lesson has a stage of each type; else it has two to four."""


def demo_curriculum() -> Curriculum:
    """Return what the demo school teaches."""
    return Curriculum(subjects(), _PLANS)


@cache
def subjects() -> tuple[Subject, ...]:
    """Return the subjects of `subjects.yaml`."""
    with (files("exporter.demo") / "subjects.yaml").open(encoding="utf-8") as file:
        return tuple(_subject(raw) for raw in ryaml.load(file))


def _subject(raw: dict[str, Any]) -> Subject:
    return Subject(**{**raw, "tracks": tuple(_track(track) for track in raw["tracks"])})


def _track(raw: dict[str, Any]) -> Track:
    return Track(**{**raw, "units": tuple(_unit(unit) for unit in raw["units"])})


def _unit(raw: dict[str, Any]) -> Unit:
    return Unit(**{**raw, "topics": tuple(_topic(topic) for topic in raw["topics"])})


def _topic(raw: dict[str, Any]) -> Topic:
    return Topic(**{**raw, "lessons": tuple(raw["lessons"]), "wrong": tuple(raw["wrong"])})


FLAT: Mapping[str, tuple[Mapping[str, object], ...]] = {
    SEASON: (
        {
            "name": "2026/2027",
            "title": "School year 2026/2027",
            "is_published": 1,
            "start_date": "2026-09-01",
            "end_date": "2027-06-30",
        },
        {
            "name": "SUMMER-2027",
            "title": "Summer school 2027",
            "is_published": 0,
            "start_date": None,
            "end_date": None,
        },
    ),
    GRADE: (
        {"name": "GRADE-11", "title": "Grade 11 · الأول الثانوي", "sort_order": 11},
        {"name": "GRADE-12", "title": "Grade 12 · الثاني الثانوي", "sort_order": 12},
    ),
    STREAM: (
        {"name": "SCI", "title": "Scientific"},
        {"name": "LIT", "title": "الأدبي"},
    ),
}
"""The rows of the flat DocTypes but for the plans."""

_PLANS = (
    Plan(
        "GRADE-12-SCI-2026",
        {
            "title": "Grade 12 Scientific 2026/2027",
            "season": "2026/2027",
            "grade": "GRADE-12",
            "stream": "SCI",
        },
        ("MATH", "PHYS", "CHEM", "BIO", "ARAB", "ENGL", "COMP"),
        (
            (UNIT, "UNIT-COMP-2-2", "Hide", ""),
            (TOPIC, "TOPIC-MATH-3", "Set Free", ""),
            (SUBJECT, "SUBJECT-BIO", "Rename", "Biology and Health"),
            (SUBJECT, "SUBJECT-ENGL", "Set Linear", "0"),
        ),
    ),
    Plan(
        "GRADE-12-LIT-2026",
        {
            "title": "الصف الثاني عشر — الفرع الأدبي",
            "season": "2026/2027",
            "grade": "GRADE-12",
            "stream": "LIT",
        },
        ("ARAB", "HIST", "ENGL", "MATH", "COMP"),
        (
            (SUBJECT, "SUBJECT-ENGL", "Set Access Level", "public"),
            (TRACK, "TRACK-MATH-3", "Hide", ""),
            (TRACK, "TRACK-HIST-2", "Set Sold Separately", "ITEM-HIST-WORLD"),
            (LESSON, "LESSON-COMP-001", "Rename", "المتغيرات: اسم لكل قيمة"),
            (LESSON, "LESSON-MATH-002", "Hide", ""),
        ),
    ),
    Plan(
        "GRADE-11-BRIDGE-2026",
        {
            "title": "Grade 11 Bridge Course",
            "season": "2026/2027",
            "grade": "GRADE-11",
            "stream": "",
        },
        ("COMP", "MATH", "ENGL"),
        (
            (UNIT, "UNIT-MATH-1-1", "Set Access Level", "free_preview"),
            (TRACK, "TRACK-COMP-1", "Set Linear", "no"),
        ),
    ),
)
"""The academic plans; between them they use every kind of override."""
