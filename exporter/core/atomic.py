"""The layout `atomic`: small files a plan, and shared lessons (spec 4).

Every function returns a body with its keys in the specification's order. Links come from the
builder's `link`, so a file can only point to files that were built before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from exporter.core import search
from exporter.core.access import Node, PlanView
from exporter.core.artifacts import Body, Draft, Kind, Link, Rules
from exporter.core.blocks import STAMP, about, access_block, colour, extra, heading, image
from exporter.core.files import CONFIG
from exporter.core.jsonvalues import sorted_keys
from exporter.core.keys import PlanKeys, SharedKeys
from exporter.core.model import Document, Row
from exporter.core.packed import row_count
from exporter.core.standing import Standing
from exporter.core.tree import Snapshot

__all__ = [
    "PlanFiles",
    "bitmap_drafts",
    "hierarchy_drafts",
    "lesson_body",
    "lesson_draft",
    "manifest_body",
    "manifest_draft",
    "manifest_subject",
    "nodes_below",
    "search_index_draft",
    "shard_drafts",
    "topic_drafts",
]


@dataclass(frozen=True, slots=True)
class PlanFiles:
    """What the files of one plan are made from."""

    snapshot: Snapshot
    view: PlanView
    keys: PlanKeys
    lessons: SharedKeys
    rules: Rules
    units: SharedKeys = field(default_factory=lambda: SharedKeys({}, folder="units"))
    """Only the layout `monolithic` has files of units."""
    standing: Mapping[str, Standing] = field(default_factory=dict)
    """Subjects of which the files are as they are live; the view shows nothing below them."""
    entries: search.Entries = field(default_factory=search.Entries)

    @property
    def subjects(self) -> Iterator[Node]:
        """Yield the subjects that have to be made."""
        return (one for one in self.view.subjects if one.name not in self.standing)


def lesson_draft(lesson: Document, keys: SharedKeys, rules: Rules) -> Draft:
    """Return the draft of a shared lesson: no access, no parents, its own title."""
    return Draft(keys.key(lesson.name), Kind.LESSON, lambda _link: lesson_body(lesson, rules))


def topic_drafts(files: PlanFiles) -> Iterator[Draft]:
    """Yield a draft for every topic that the plan shows."""
    for topic, above in _topics(files.view):
        key = files.keys.topic(topic.name)
        shown = (id(topic), *((node.name, node.title) for node in above))
        yield Draft(key, Kind.TOPIC, partial(_topic, files, topic, above), shown=shown)


def bitmap_drafts(files: PlanFiles) -> Iterator[Draft]:
    """Yield a draft for every subject's bitmap."""
    for subject in files.subjects:
        key = files.keys.bitmap(subject.name)
        yield Draft(key, Kind.BITMAP, partial(_bitmap, subject), shown=("bits", id(subject)))


def hierarchy_drafts(files: PlanFiles) -> Iterator[Draft]:
    """Yield a draft for every subject's hierarchy."""
    for subject in files.subjects:
        key = files.keys.hierarchy(subject.name)
        yield Draft(key, Kind.HIERARCHY, partial(_hierarchy, files, subject))


def manifest_draft(files: PlanFiles) -> Draft:
    """Return the draft of the plan's entry point."""
    entry = partial(manifest_subject, files)
    return Draft(files.keys.manifest, Kind.MANIFEST, partial(manifest_body, files, entry))


def shard_drafts(files: PlanFiles, shards: tuple[search.Shard, ...] | None) -> Iterator[Draft]:
    """Yield a draft for every search file of a subject; none where one index holds it all."""
    for shard in shards or ():
        key = files.keys.shard(shard.subject.name, shard.part)
        yield Draft(key, Kind.SEARCH_SHARD, partial(_shard, files.view, shard))


def search_index_draft(files: PlanFiles, shards: tuple[search.Shard, ...] | None) -> Draft:
    """Return the draft of the plan's search index."""
    make = partial(_search_index, files, shards)
    return Draft(files.keys.search_index, Kind.SEARCH_INDEX, make)


def lesson_body(lesson: Document, rules: Rules) -> Body:
    """Return a lesson as all plans share it."""
    return {
        **about(lesson, lesson.title, rules),
        **STAMP,
        "stages": [
            _stage(number, row) for number, row in enumerate(lesson.rows.get("stages", ()), start=1)
        ],
        "navigation": {"is_standalone": True},
        **extra(lesson),
    }


def manifest_body(files: PlanFiles, entry: Callable[[Node, Link], Body], link: Link) -> Body:
    """Return a plan's manifest; `entry` makes what it says of a subject."""
    plan = files.view.plan
    return {
        "plan_id": plan.name,
        **heading(files.snapshot, plan),
        **STAMP,
        "subjects": [entry(subject, link) for subject in files.view.subjects],
        "search_index_url": link(files.keys.search_index),
        **extra(plan),
    }


def manifest_subject(files: PlanFiles, subject: Node, link: Link) -> Body:
    """Return what a manifest says of a subject."""
    return {
        **about(subject.document, subject.title, files.rules),
        **colour(subject.document),
        "is_linear": subject.is_linear,
        "hierarchy_url": link(files.keys.hierarchy(subject.name)),
        "bitmap_url": link(files.keys.bitmap(subject.name)),
        "access": access_block(subject.access),
    }


def _topics(view: PlanView) -> Iterator[tuple[Node, tuple[Node, Node, Node]]]:
    """Yield each visible topic with its subject, track and unit."""
    for subject in view.subjects:
        for track in subject.children:
            for unit in track.children:
                for topic in unit.children:
                    yield topic, (subject, track, unit)


def _stage(number: int, row: Row) -> Body:
    return {
        "idx": number,
        "title": row.get("title", ""),
        "type": row.get("type", ""),
        "weight": row["weight"],
        "target_time": row["target_time"],
        "is_skippable": row["is_skippable"],
        "config": sorted_keys(row.get(CONFIG, {})),
    }


def _topic(files: PlanFiles, topic: Node, above: tuple[Node, Node, Node], link: Link) -> Body:
    subject, track, unit = above
    return {
        **about(topic.document, topic.title, files.rules),
        "is_linear": topic.is_linear,
        **STAMP,
        "parent": {
            "unit_id": unit.name,
            "unit_title": unit.title,
            "track_id": track.name,
            "track_title": track.title,
            "subject_id": subject.name,
            "subject_title": subject.title,
        },
        "access": access_block(topic.access),
        "lessons": [_topic_lesson(files, lesson, link) for lesson in topic.children],
        **extra(topic.document),
    }


def _topic_lesson(files: PlanFiles, lesson: Node, link: Link) -> Body:
    return {
        **about(lesson.document, lesson.title, files.rules),
        "bit_index": lesson.document.integer("bit_index"),
        "lesson_url": link(files.lessons.key(lesson.name)),
        "access": access_block(lesson.access),
        "stage_count": row_count(lesson.document, "stages"),
    }


def _bitmap(subject: Node, _link: Link) -> Body:
    mappings: Body = {}
    highest = -1
    for topic in nodes_below(subject, depth=3):
        for lesson in topic.children:
            bit = lesson.document.integer("bit_index")
            highest = max(highest, bit)
            mappings[lesson.name] = {"bit_index": bit, "topic_id": topic.name}
    return {
        "subject_id": subject.name,
        **STAMP,
        "total_lessons": len(mappings),
        "bit_length": highest + 1,
        "mappings": mappings,
    }


def _shard(view: PlanView, shard: search.Shard, _link: Link) -> Body:
    return search.shard_body(view, shard)


def _hierarchy(files: PlanFiles, subject: Node, link: Link) -> Body:
    return {
        **about(subject.document, subject.title, files.rules),
        **colour(subject.document),
        "is_linear": subject.is_linear,
        **STAMP,
        "access": access_block(subject.access),
        "tracks": [_track(files, track, link) for track in subject.children],
        "stats": {
            "total_tracks": len(subject.children),
            "total_units": len(nodes_below(subject, depth=2)),
            "total_topics": len(nodes_below(subject, depth=3)),
            "total_lessons": len(nodes_below(subject, depth=4)),
        },
        **extra(subject.document),
    }


def _track(files: PlanFiles, track: Node, link: Link) -> Body:
    return {
        **about(track.document, track.title, files.rules),
        "is_linear": track.is_linear,
        "access": access_block(track.access),
        "units": [_unit(files, unit, link) for unit in track.children],
        **extra(track.document),
    }


def _unit(files: PlanFiles, unit: Node, link: Link) -> Body:
    return {
        **about(unit.document, unit.title, files.rules),
        **image(unit.document, "badge_image", files.rules),
        "is_linear": unit.is_linear,
        "access": access_block(unit.access),
        "topics": [_hierarchy_topic(files, topic, link) for topic in unit.children],
        **extra(unit.document),
    }


def _hierarchy_topic(files: PlanFiles, topic: Node, link: Link) -> Body:
    return {
        **about(topic.document, topic.title, files.rules),
        "is_linear": topic.is_linear,
        "topic_url": link(files.keys.topic(topic.name)),
        "access": access_block(topic.access),
        "lesson_count": len(topic.children),
        **extra(topic.document),
    }


def _search_index(files: PlanFiles, shards: tuple[search.Shard, ...] | None, link: Link) -> Body:
    if shards is None:
        return search.index_body(files.view, None)
    parts: dict[str, list[tuple[str, int]]] = {}
    for shard in shards:
        key = files.keys.shard(shard.subject.name, shard.part)
        parts.setdefault(shard.subject.name, []).append((key, len(shard.entries)))
    for name, stands in files.standing.items():
        parts[name] = list(stands.shards.items())
    listed: list[Body] = [
        {
            "subject_id": subject.name,
            "subject_name": subject.title,
            "url": link(key),
            "lesson_count": lessons,
        }
        for subject in files.view.subjects
        for key, lessons in parts.get(subject.name, ())
    ]
    standing = sum(one.lessons for one in files.standing.values())
    return search.index_body(files.view, listed, standing)


def nodes_below(node: Node, *, depth: int) -> tuple[Node, ...]:
    """Return the visible nodes that many levels below."""
    level: tuple[Node, ...] = (node,)
    for _ in range(depth):
        level = tuple(child for parent in level for child in parent.children)
    return level
