"""The search index of a plan and how it is cut into shards (spec 4).

Up to 500 lessons, and while it stays within 100,000 bytes, the index is one file. Else every
subject has its shards, cut on topic boundaries unless one topic alone is too large, with no
needless cut. Sizes are those of the encoded files, exactly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from json.encoder import encode_basestring

from exporter.core.access import Node, PlanView
from exporter.core.artifacts import Body
from exporter.core.model import Json

__all__ = [
    "MAX_ENTRIES",
    "MAX_FILE_BYTES",
    "Entries",
    "Shard",
    "entries_of",
    "index_body",
    "shard_body",
    "shards_of",
]

MAX_ENTRIES = 500
MAX_FILE_BYTES = 100_000

_LONGEST_STAMP: Body = {"version": 9_999_999_999, "generated_at": "2026-01-01T00:00:00Z"}
"""What stands in for the stamp when a file is measured: ten digits last until the year 2286."""


Sized = tuple[Body, int]
"""An entry with its bytes in a file."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One search file of a subject: part `part` of `parts`, from 1."""

    subject: Node
    part: int
    parts: int
    entries: tuple[Body, ...]


def entries_of(subject: Node) -> Iterator[list[Body]]:
    """Yield the search entries of a subject, topic by topic, in the hierarchy's order."""
    for track in subject.children:
        for unit in track.children:
            for topic in unit.children:
                yield [_entry(subject, unit, topic, lesson) for lesson in topic.children]


def index_body(view: PlanView, shards: Sequence[Body] | None, standing: int = 0) -> Body:
    """Return the index: with its entries, or with the list of its shards.

    `standing` counts the lessons of shards that stand already, of which the view shows nothing.
    """
    body: Body = {
        "plan_id": view.plan.name,
        "version": 0,
        "generated_at": "",
        "total_lessons": view.lessons + standing,
        "is_sharded": shards is not None,
    }
    if shards is None:
        topics = (topic for subject in view.subjects for topic in entries_of(subject))
        body["entries"] = [entry for topic in topics for entry in topic]
    else:
        body["shards"] = list(shards)
    return body


def shards_of(
    view: PlanView, standing: Collection[str] = (), entries: Entries | None = None
) -> tuple[Shard, ...] | None:
    """Return the shards that a plan's search needs, or None where one file holds it all.

    The shards of the subjects in `standing` are there already, so one file does not.
    """
    is_small = not standing and view.lessons <= MAX_ENTRIES
    if is_small and _size(index_body(view, None)) <= MAX_FILE_BYTES:
        return None
    known = entries or Entries()
    subjects = (subject for subject in view.subjects if subject.name not in standing)
    return tuple(shard for one in subjects for shard in _subject_shards(view, one, known.of(one)))


class Entries:
    """The entries of topics with their sizes; of one that several plans show alike, once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Node, list[Sized]]] = {}

    def of(self, subject: Node) -> list[list[Sized]]:
        """Return a subject's entries, topic by topic."""
        units = (unit for track in subject.children for unit in track.children)
        return [self._of_topic(subject, unit, topic) for unit in units for topic in unit.children]

    def _of_topic(self, subject: Node, unit: Node, topic: Node) -> list[Sized]:
        shown = (id(topic), subject.name, subject.title, unit.name, unit.title)
        found = self._known.get(shown)
        if found is None:
            found = self._known[shown] = (topic, list(_sized(subject, unit, topic)))
        return found[1]


def shard_body(view: PlanView, shard: Shard) -> Body:
    """Return the body of one shard."""
    return {
        "plan_id": view.plan.name,
        "subject_id": shard.subject.name,
        "subject_name": shard.subject.title,
        "version": 0,
        "generated_at": "",
        "part": shard.part,
        "parts": shard.parts,
        "entries": list(shard.entries),
    }


def _subject_shards(
    view: PlanView, subject: Node, topics: Sequence[Sequence[Sized]]
) -> Iterator[Shard]:
    guess = 0
    parts: list[list[Body]] = [[]]
    while len(str(len(parts))) > guess:
        guess += 1
        parts = _cut(topics, partial(_overhead, view, subject, parts=10**guess - 1))
    for number, entries in enumerate(parts, start=1):
        yield Shard(subject, number, len(parts), tuple(entries))


def _cut(topics: Sequence[Sequence[Sized]], overhead: Callable[[int], int]) -> list[list[Body]]:
    """Pack topics into parts in order, each as full as the limit lets it be.

    `overhead` gives the bytes of a part without its entries, by the part's number.
    """
    cutter = _Cutter(overhead)
    for topic in topics:
        cutter.add(topic)
    return [part for part in cutter.parts if part]


class _Cutter:
    def __init__(self, overhead: Callable[[int], int]) -> None:
        self.overhead = overhead
        self.parts: list[list[Body]] = [[]]
        self.used = overhead(1)

    def add(self, topic: Sequence[Sized]) -> None:
        """Put a topic into the open part, a new one, or into parts of its own."""
        if self._take(topic):
            return
        self._open()
        if self._take(topic):
            return
        for sized in topic:
            if not self._take([sized]):
                self._open()
                self._take([sized], even_if_too_large=True)
        self._open()

    def _take(self, topic: Sequence[Sized], *, even_if_too_large: bool = False) -> bool:
        commas = len(topic) if self.parts[-1] else len(topic) - 1
        needed = sum(length for _, length in topic) + commas
        if self.used + needed > MAX_FILE_BYTES and not even_if_too_large:
            return False
        self.used += needed
        self.parts[-1].extend(entry for entry, _ in topic)
        return True

    def _open(self) -> None:
        if self.parts[-1]:
            self.parts.append([])
            self.used = self.overhead(len(self.parts))


def _entry(subject: Node, unit: Node, topic: Node, lesson: Node) -> Body:
    return {
        "lesson_id": lesson.name,
        "lesson_name": lesson.title,
        "subject_id": subject.name,
        "subject_name": subject.title,
        "unit_id": unit.name,
        "unit_name": unit.title,
        "topic_id": topic.name,
        "topic_name": topic.title,
    }


def _sized(subject: Node, unit: Node, topic: Node) -> Iterator[Sized]:
    """Yield the entries of a topic with their sizes; what they all say is measured once."""
    above = _length(_entry(subject, unit, topic, topic))
    above -= _text_length(topic.name) + _text_length(topic.title)
    for lesson in topic.children:
        own = _text_length(lesson.name) + _text_length(lesson.title)
        yield _entry(subject, unit, topic, lesson), above + own


def _overhead(view: PlanView, subject: Node, part: int, parts: int) -> int:
    return _size(shard_body(view, Shard(subject, part, parts, ())))


def _size(body: Body) -> int:
    return _length({**body, **_LONGEST_STAMP})


def _length(value: Json) -> int:
    """Return the bytes of the encoded value, which holds text, integers and booleans only."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _text_length(text: str) -> int:
    """Return what `_length` does of a text, several times as fast."""
    return len(encode_basestring(text).encode())
