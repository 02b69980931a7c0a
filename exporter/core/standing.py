"""What stands of a plan's live files where a subject did not change (spec 5, what has to be built).

A plan's files are those of its subjects, one by one, and a manifest and search index that name
them. So where nothing below a subject changed, nor the plan's own file, its files of that subject
are as they are live, and the live index tells all that the others need to know of them. Whatever
cannot be told surely from the index is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.core import search
from exporter.core.access import PlanView
from exporter.core.addressing import plain_key
from exporter.core.artifacts import Entry, Index
from exporter.core.keys import PlanKeys
from exporter.core.segments import is_clash_form, segment

__all__ = ["Standing", "fits", "standing_subjects"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A subject's live files in one plan, none where the plan does not show it."""

    files: Index = field(default_factory=dict)
    shards: Mapping[str, int] = field(default_factory=dict)
    """The plain keys of its search files in their order, each with its lessons."""

    @property
    def lessons(self) -> int:
        """Return how many lessons the plan shows of the subject."""
        return sum(self.shards.values())


def standing_subjects(plan: str, subjects: set[str], live: Index) -> dict[str, Standing]:
    """Return the subjects of which the live index of a plan of that name tells all.

    There are none where one file holds the plan's whole search.
    """
    segments = {name: segment(name) for name in subjects}
    reading = _Reading(PlanKeys(f"plans/{segment(plan)}", segments, {}, ()), live)
    found = ((name, reading.subject(name)) for name in sorted(subjects)) if reading.shards else ()
    return {name: standing for name, standing in found if standing}


def fits(view: PlanView, keys: PlanKeys, standing: Mapping[str, Standing]) -> bool:
    """Tell whether what stands and what is built are together what building everything gives.

    `keys` are those of what is built. It is not so where a name might want a key that stands, and
    where one search file might hold everything.
    """
    shown = {node.name for node in view.subjects}
    left = {_stem(key) for one in standing.values() for key in one.files}
    come = {written.casefold() for written in keys.topics.values()}
    for name in shown - standing.keys():
        come |= {_stem(keys.hierarchy(name)), _stem(keys.bitmap(name))}
    return (
        all((name in shown) == bool(one.files) for name, one in standing.items())
        and view.lessons + sum(one.lessons for one in standing.values()) > search.MAX_ENTRIES
        and left.isdisjoint(come)
        and not any(map(is_clash_form, (*left, *come)))
    )


def _stem(key: str) -> str:
    """Return what tells a file from others of its folder, as case-blind file systems see it."""
    return plain_key(key).rpartition("/")[2].removesuffix(".json").casefold()


class _Reading:
    """Reads a plan's live index by subject."""

    def __init__(self, keys: PlanKeys, live: Index) -> None:
        self._keys = keys
        self._live = live
        self._plain = {plain_key(key): key for key in live}
        self.shards: dict[str, list[str]] = {}
        for link in self._entry(keys.search_index).links:
            written = plain_key(link).rpartition("/")[2].removesuffix(".json")
            self.shards.setdefault(written, []).append(link)

    def subject(self, name: str) -> Standing | None:
        """Return what stands of a subject; None where the index does not tell."""
        own = [
            self._plain.get(key) for key in (self._keys.hierarchy(name), self._keys.bitmap(name))
        ]
        hierarchy, bitmap = own
        if not (hierarchy or bitmap):
            return Standing()
        shards = self.shards.get(self._keys.subjects[name], [])
        if not (hierarchy and bitmap and self._live.keys() >= {*shards}):
            return None
        topics = self._live[hierarchy].links
        if not self._live.keys() >= {*topics}:
            return None
        files = {key: self._live[key] for key in (hierarchy, bitmap, *topics, *shards)}
        lessons = {plain_key(key): self._live[key].lessons for key in shards}
        shown = sum(len(self._live[topic].links) for topic in topics)
        known = all(lessons.values()) and shown == sum(lessons.values())
        return Standing(files, lessons) if known else None

    def _entry(self, key: str) -> Entry:
        return self._live.get(self._plain.get(key, ""), Entry("", 0, 0))
