"""Object keys of published files (spec 4), and documents that want one key (`E106`, `E107`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter.core.access import PlanView
from exporter.core.model import LESSON, PLAN, SUBJECT, TOPIC, UNIT, Ref
from exporter.core.segments import Assigned, assign, segment
from exporter.core.tree import Snapshot

__all__ = [
    "KeyClash",
    "PlanKeys",
    "SharedKeys",
    "lesson_keys",
    "plan_folder",
    "plan_keys",
    "unit_keys",
]


@dataclass(frozen=True, slots=True)
class KeyClash:
    """Documents that want one key, or whose segments clash in one folder of keys."""

    code: str
    refs: tuple[Ref, ...]
    key: str


@dataclass(frozen=True, slots=True)
class SharedKeys:
    """The keys of shared lessons or units; `special` holds those that are not plain segments."""

    special: Mapping[str, str]
    clashes: tuple[KeyClash, ...] = ()
    folder: str = "lessons"

    def key(self, name: str) -> str:
        """Return the key of a document's file."""
        return f"{self.folder}/{self.special.get(name) or segment(name)}.json"


@dataclass(frozen=True, slots=True)
class PlanKeys:
    """The keys of one plan's files."""

    folder: str
    subjects: Mapping[str, str]
    topics: Mapping[str, str]
    clashes: tuple[KeyClash, ...]

    @property
    def manifest(self) -> str:
        """Return the key of the plan's entry point."""
        return f"{self.folder}/manifest.json"

    @property
    def search_index(self) -> str:
        """Return the key of the plan's search index."""
        return f"{self.folder}/search_index.json"

    def hierarchy(self, subject: str) -> str:
        """Return the key of a subject's hierarchy."""
        return f"{self.folder}/{self.subjects[subject]}_h.json"

    def bitmap(self, subject: str) -> str:
        """Return the key of a subject's bitmap."""
        return f"{self.folder}/{self.subjects[subject]}_b.json"

    def topic(self, topic: str) -> str:
        """Return the key of a topic."""
        return f"{self.folder}/{self.topics[topic]}.json"

    def subject(self, subject: str) -> str:
        """Return the key of a subject in the layout `monolithic`."""
        return f"{self.folder}/subjects/{self.subjects[subject]}.json"

    def shard(self, subject: str, part: int) -> str:
        """Return the key of a part, from 1, of a subject's search shard."""
        folder = f"{self.folder}/search" if part == 1 else f"{self.folder}/search/_{part}"
        return f"{folder}/{self.subjects[subject]}.json"

    def owner(self, key: str) -> Ref | None:
        """Return the subject or topic that a file of the plan is about; None for the plan's own."""
        for name in self.subjects:
            own = (self.hierarchy(name), self.bitmap(name), self.subject(name))
            if key in own or _is_shard(key, self.shard(name, 1)):
                return (SUBJECT, name)
        return next(((TOPIC, name) for name in self.topics if self.topic(name) == key), None)


def _is_shard(key: str, first: str) -> bool:
    """Tell whether a key is that of any part of the search shard whose first part is given."""
    folder, _, name = first.rpartition("/")
    return (
        key == first
        or re.fullmatch(rf"{re.escape(folder)}/_\d+/{re.escape(name)}", key) is not None
    )


def plan_folder(snapshot: Snapshot, plan: str) -> str:
    """Return the folder of a plan's files; a plan's segment is that of its snapshot file."""
    return snapshot.paths[PLAN, plan].removesuffix(".yaml")


def plan_keys(snapshot: Snapshot, view: PlanView, *, topic_files: bool = True) -> PlanKeys:
    """Give the subjects that a plan shows their keys, and the topics where they have files."""
    tracks = (track for subject in view.subjects for track in subject.children)
    units = (unit for track in tracks if topic_files for unit in track.children)
    topics = [topic.name for unit in units for topic in unit.children]
    subjects = assign(node.name for node in view.subjects)
    assigned = assign(topics)
    folder = plan_folder(snapshot, view.plan.name)
    clashes = (
        *_segment_clashes(folder, SUBJECT, subjects),
        *_segment_clashes(folder, TOPIC, assigned),
        *_same_keys(folder, subjects.segments, assigned.segments),
    )
    return PlanKeys(folder, subjects.segments, assigned.segments, clashes)


def lesson_keys(names: Iterable[str]) -> SharedKeys:
    """Give the lessons that published plans show their keys."""
    return _shared_keys(LESSON, "lessons", names)


def unit_keys(names: Iterable[str]) -> SharedKeys:
    """Give the units that published plans show their keys, for the layout `monolithic`."""
    return _shared_keys(UNIT, "units", names)


def _shared_keys(doctype: str, folder: str, names: Iterable[str]) -> SharedKeys:
    assigned = assign(names)
    special = {
        name: written for name, written in assigned.segments.items() if written != segment(name)
    }
    return SharedKeys(special, tuple(_segment_clashes(folder, doctype, assigned)), folder)


def _segment_clashes(folder: str, doctype: str, assigned: Assigned) -> Iterator[KeyClash]:
    for group in assigned.clashes:
        refs = tuple((doctype, name) for name in group)
        yield KeyClash("E107", refs, f"{folder}/{segment(group[0])}")


def _same_keys(
    folder: str, subjects: Mapping[str, str], topics: Mapping[str, str]
) -> Iterator[KeyClash]:
    """Yield topics of which the key is a plan's own file or a subject's (`E106`)."""
    reserved: dict[str, tuple[Ref, ...]] = {"manifest": (), "search_index": ()}
    for name, written in subjects.items():
        for suffix in ("_h", "_b"):
            reserved[written + suffix] = ((SUBJECT, name),)
    for name, written in topics.items():
        if written in reserved:
            yield KeyClash("E106", ((TOPIC, name), *reserved[written]), f"{folder}/{written}.json")
