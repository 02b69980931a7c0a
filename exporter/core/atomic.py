"""The layout `atomic`: small files a plan, and shared lessons (spec 4).

Every function returns a body with its keys in the specification's order. Links come from the
builder's `link`, so a file can only point to files that were built before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from exporter.core import search
from exporter.core.access import Access, Node, PlanView
from exporter.core.artifacts import Body, Draft, Kind, Link, Rules
from exporter.core.files import CONFIG
from exporter.core.jsonvalues import sorted_keys
from exporter.core.keys import LessonKeys, PlanKeys
from exporter.core.model import GRADE, SEASON, STREAM, Document, Row
from exporter.core.tree import Snapshot

__all__ = ["PlanFiles", "is_colour", "lesson_draft", "plan_drafts"]

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}\Z")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_STAMP: Body = {"version": 0, "generated_at": ""}


@dataclass(frozen=True, slots=True)
class PlanFiles:
    """What the files of one plan are made from."""

    snapshot: Snapshot
    view: PlanView
    keys: PlanKeys
    lessons: LessonKeys
    rules: Rules


def lesson_draft(lesson: Document, keys: LessonKeys, rules: Rules) -> Draft:
    """Return the draft of a shared lesson: no access, no parents, its own title."""
    return Draft(keys.key(lesson.name), Kind.LESSON, lambda _link: _lesson(lesson, rules))


def plan_drafts(files: PlanFiles) -> Iterator[Draft]:
    """Yield the drafts of a plan's own files, phase by phase."""
    view, keys = files.view, files.keys
    for topic, above in _topics(view):
        yield Draft(keys.topic(topic.name), Kind.TOPIC, partial(_topic, files, topic, above))
    for subject in view.subjects:
        yield Draft(keys.bitmap(subject.name), Kind.BITMAP, partial(_bitmap, subject))
    shards = search.shards_of(view)
    for shard in shards or ():
        key = keys.shard(shard.subject.name, shard.part)
        yield Draft(key, Kind.SEARCH_SHARD, partial(_shard, view, shard))
    for subject in view.subjects:
        key = keys.hierarchy(subject.name)
        yield Draft(key, Kind.HIERARCHY, partial(_hierarchy, files, subject))
    yield Draft(keys.search_index, Kind.SEARCH_INDEX, partial(_search_index, files, shards))
    yield Draft(keys.manifest, Kind.MANIFEST, partial(_manifest, files))


def is_colour(text: str) -> bool:
    """Tell whether a `color_code` can be published: `#RRGGBB`."""
    return bool(_COLOUR.match(text))


def _topics(view: PlanView) -> Iterator[tuple[Node, tuple[Node, Node, Node]]]:
    """Yield each visible topic with its subject, track and unit."""
    for subject in view.subjects:
        for track in subject.children:
            for unit in track.children:
                for topic in unit.children:
                    yield topic, (subject, track, unit)


def _lesson(lesson: Document, rules: Rules) -> Body:
    return {
        **_about(lesson, lesson.title, rules),
        **_STAMP,
        "stages": [
            _stage(number, row) for number, row in enumerate(lesson.rows.get("stages", ()), start=1)
        ],
        "navigation": {"is_standalone": True},
        **_extra(lesson),
    }


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
        **_about(topic.document, topic.title, files.rules),
        "is_linear": topic.is_linear,
        **_STAMP,
        "parent": {
            "unit_id": unit.name,
            "unit_title": unit.title,
            "track_id": track.name,
            "track_title": track.title,
            "subject_id": subject.name,
            "subject_title": subject.title,
        },
        "access": _access(topic.access),
        "lessons": [_topic_lesson(files, lesson, link) for lesson in topic.children],
        **_extra(topic.document),
    }


def _topic_lesson(files: PlanFiles, lesson: Node, link: Link) -> Body:
    return {
        **_about(lesson.document, lesson.title, files.rules),
        "bit_index": lesson.document.integer("bit_index"),
        "lesson_url": link(files.lessons.key(lesson.name)),
        "access": _access(lesson.access),
        "stage_count": len(lesson.document.rows.get("stages", ())),
    }


def _bitmap(subject: Node, _link: Link) -> Body:
    mappings: Body = {}
    highest = -1
    for topic in _nodes_of(subject, depth=3):
        for lesson in topic.children:
            bit = lesson.document.integer("bit_index")
            highest = max(highest, bit)
            mappings[lesson.name] = {"bit_index": bit, "topic_id": topic.name}
    return {
        "subject_id": subject.name,
        **_STAMP,
        "total_lessons": len(mappings),
        "bit_length": highest + 1,
        "mappings": mappings,
    }


def _shard(view: PlanView, shard: search.Shard, _link: Link) -> Body:
    return search.shard_body(view, shard)


def _hierarchy(files: PlanFiles, subject: Node, link: Link) -> Body:
    return {
        **_about(subject.document, subject.title, files.rules),
        **_colour(subject.document),
        "is_linear": subject.is_linear,
        **_STAMP,
        "access": _access(subject.access),
        "tracks": [_track(files, track, link) for track in subject.children],
        "stats": {
            "total_tracks": len(subject.children),
            "total_units": len(_nodes_of(subject, depth=2)),
            "total_topics": len(_nodes_of(subject, depth=3)),
            "total_lessons": len(_nodes_of(subject, depth=4)),
        },
        **_extra(subject.document),
    }


def _track(files: PlanFiles, track: Node, link: Link) -> Body:
    return {
        **_about(track.document, track.title, files.rules),
        "is_linear": track.is_linear,
        "access": _access(track.access),
        "units": [_unit(files, unit, link) for unit in track.children],
        **_extra(track.document),
    }


def _unit(files: PlanFiles, unit: Node, link: Link) -> Body:
    return {
        **_about(unit.document, unit.title, files.rules),
        **_image(unit.document, "badge_image", files.rules),
        "is_linear": unit.is_linear,
        "access": _access(unit.access),
        "topics": [_hierarchy_topic(files, topic, link) for topic in unit.children],
        **_extra(unit.document),
    }


def _hierarchy_topic(files: PlanFiles, topic: Node, link: Link) -> Body:
    return {
        **_about(topic.document, topic.title, files.rules),
        "is_linear": topic.is_linear,
        "topic_url": link(files.keys.topic(topic.name)),
        "access": _access(topic.access),
        "lesson_count": len(topic.children),
        **_extra(topic.document),
    }


def _search_index(files: PlanFiles, shards: tuple[search.Shard, ...] | None, link: Link) -> Body:
    if shards is None:
        return search.index_body(files.view, None)
    listed: list[Body] = [
        {
            "subject_id": shard.subject.name,
            "subject_name": shard.subject.title,
            "url": link(files.keys.shard(shard.subject.name, shard.part)),
            "lesson_count": len(shard.entries),
        }
        for shard in shards
    ]
    return search.index_body(files.view, listed)


def _manifest(files: PlanFiles, link: Link) -> Body:
    plan = files.view.plan
    body: Body = {"plan_id": plan.name, "title": plan.title}
    for field, doctype in (("season", SEASON), ("grade", GRADE), ("stream", STREAM)):
        if value := plan.text(field):
            linked = files.snapshot.find(doctype, value)
            body[field] = linked.title if linked else value
    return {
        **body,
        **_STAMP,
        "subjects": [_manifest_subject(files, subject, link) for subject in files.view.subjects],
        "search_index_url": link(files.keys.search_index),
        **_extra(plan),
    }


def _manifest_subject(files: PlanFiles, subject: Node, link: Link) -> Body:
    return {
        **_about(subject.document, subject.title, files.rules),
        **_colour(subject.document),
        "is_linear": subject.is_linear,
        "hierarchy_url": link(files.keys.hierarchy(subject.name)),
        "bitmap_url": link(files.keys.bitmap(subject.name)),
        "access": _access(subject.access),
    }


def _nodes_of(node: Node, *, depth: int) -> tuple[Node, ...]:
    """Return the visible nodes that many levels below."""
    level: tuple[Node, ...] = (node,)
    for _ in range(depth):
        level = tuple(child for parent in level for child in parent.children)
    return level


def _about(document: Document, title: str, rules: Rules) -> Body:
    body: Body = {"id": document.name, "title": title}
    if description := document.text("description"):
        body["description"] = description
    return {**body, **_image(document, "image", rules)}


def _image(document: Document, field: str, rules: Rules) -> Body:
    image = document.text(field)
    if not image:
        return {}
    if rules.files_base_url and not _ABSOLUTE.match(image):
        image = f"{rules.files_base_url.rstrip('/')}/{image.lstrip('/')}"
    return {field: image}


def _colour(document: Document) -> Body:
    colour = document.text("color_code")
    return {"color_code": colour} if is_colour(colour) else {}


def _access(access: Access) -> Body:
    block: Body = {"is_published": True, "access_level": access.level}
    if access.required_item:
        block["required_item"] = access.required_item
    block["is_sold_separately"] = access.is_sold_separately
    block["parent_item_required"] = access.parent_item_required
    return block


def _extra(document: Document) -> Body:
    extra: Body = dict(document.extras())
    return {"extra": extra} if extra else {}
