"""The layout `monolithic`: large files for clients of the earlier pipeline (spec 4).

A plan has its manifest and one file a subject; units and lessons are shared by all plans. What is
shared shows what at least one published plan shows, with the content's own titles and access: no
plan's overrides. A lesson's links to its neighbours in the topic carry no version, since they would
refer to each other.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from exporter.core.access import Access, Node, PlanView, decide, subject_orders
from exporter.core.artifacts import Body, Draft, Kind, Link, Rules
from exporter.core.atomic import (
    PlanFiles,
    lesson_body,
    manifest_body,
    manifest_subject,
    nodes_below,
)
from exporter.core.blocks import STAMP, about, access_block, colour, extra, image
from exporter.core.keys import SharedKeys
from exporter.core.model import LESSON, SUBJECT, Document, Ref
from exporter.core.overrides import NO_OVERRIDES
from exporter.core.packed import row_count
from exporter.core.tree import Snapshot

__all__ = ["LAYOUT", "SharedFiles", "manifest_draft", "shared_nodes", "shown_by", "subject_drafts"]

LAYOUT = "monolithic"


def shown_by(views: Iterable[PlanView]) -> set[Ref]:
    """Return what at least one of these plans shows."""
    return {node.document.ref for view in views for node in view.walk()}


def shared_nodes(snapshot: Snapshot, shown: set[Ref], default_access: str) -> tuple[Node, ...]:
    """Return the subjects with all that is shown below them, as their content alone has it."""
    subjects = (snapshot.find(doctype, name) for doctype, name in shown if doctype == SUBJECT)
    found = sorted((one for one in subjects if one), key=lambda subject: subject.name)
    trees = (_shared_node(snapshot, shown, one, None, default_access) for one in found)
    return tuple(tree for tree in trees if tree)


def _shared_node(
    snapshot: Snapshot, shown: set[Ref], document: Document, above: Access | None, default: str
) -> Node | None:
    if document.ref not in shown:
        return None
    access = decide(document, above, NO_OVERRIDES, default)
    below = (
        _shared_node(snapshot, shown, child, access, default)
        for child in snapshot.children_of(document)
    )
    children = tuple(node for node in below if node)
    if not children and document.doctype != LESSON:
        return None
    return Node(document, document.title, document.flag("is_linear"), access, children)


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """What the shared files are made from."""

    units: SharedKeys
    lessons: SharedKeys
    rules: Rules

    def drafts(self, subject: Node, wanted: Container[Ref]) -> Iterator[tuple[Document, Draft]]:
        """Yield drafts of a subject's wanted units after their lessons, with their documents."""
        lineages = [line for line in _units(subject) if line[-1].document.ref in wanted]
        for *above, unit in lineages:
            for topic in unit.children:
                yield from self._lessons((*above, unit, topic))
        for _, track, unit in lineages:
            key = self.units.key(unit.name)
            make = partial(_unit, self, (subject, track), unit)
            yield unit.document, Draft(key, Kind.UNIT, make, LAYOUT)

    def _lessons(self, above: tuple[Node, ...]) -> Iterator[tuple[Document, Draft]]:
        lessons = above[-1].children
        before = (None, *lessons)
        after = (*lessons[1:], None)
        for lesson, beside in zip(lessons, zip(before, after, strict=False), strict=True):
            key = self.lessons.key(lesson.name)
            make = partial(_lesson, self, above, lesson, beside)
            yield lesson.document, Draft(key, Kind.LESSON, make, LAYOUT)


def subject_drafts(files: PlanFiles) -> Iterator[Draft]:
    """Yield a draft for every subject of a plan."""
    for subject in files.view.subjects:
        key = files.keys.subject(subject.name)
        yield Draft(key, Kind.SUBJECT, partial(_subject, files, subject), LAYOUT)


def manifest_draft(files: PlanFiles) -> Draft:
    """Return the draft of the plan's entry point, which names the files of both layouts."""
    orders: dict[str, int] = {}
    for name, order in subject_orders(files.view.plan):
        orders.setdefault(name, order)

    def entry(subject: Node, link: Link) -> Body:
        whole = manifest_subject(files, subject, link) if files.rules.atomic else _entry(subject)
        return {
            **whole,
            "sort_order": orders[subject.name],
            "url": link(files.keys.subject(subject.name)),
        }

    def _entry(subject: Node) -> Body:
        return {
            **about(subject.document, subject.title, files.rules),
            **colour(subject.document),
            "is_linear": subject.is_linear,
            "access": access_block(subject.access),
        }

    return Draft(files.keys.manifest, Kind.MANIFEST, partial(manifest_body, files, entry), LAYOUT)


def _units(subject: Node) -> Iterator[tuple[Node, Node, Node]]:
    """Yield each unit with its subject and track before it."""
    for track in subject.children:
        for unit in track.children:
            yield subject, track, unit


def _lesson(
    files: SharedFiles,
    above: tuple[Node, ...],
    lesson: Node,
    beside: tuple[Node | None, Node | None],
    link: Link,
) -> Body:
    body = lesson_body(lesson.document, files.rules)
    body.pop("extra", None)
    navigation: Body = {"is_standalone": True}
    for name, neighbour in zip(("previous_lesson", "next_lesson"), beside, strict=True):
        if neighbour:
            url = link(files.lessons.key(neighbour.name), versioned=False)
            navigation[name] = {"id": neighbour.name, "title": neighbour.title, "url": url}
    return {
        **body,
        "navigation": navigation,
        "access": access_block(lesson.access),
        "parent": _parent(reversed(above)),
        **extra(lesson.document),
    }


def _unit(files: SharedFiles, above: tuple[Node, Node], unit: Node, link: Link) -> Body:
    rules = files.rules
    return {
        **about(unit.document, unit.title, rules),
        **image(unit.document, "badge_image", rules),
        "sort_order": unit.document.integer("sort_order"),
        **STAMP,
        "access": access_block(unit.access),
        "parent": _parent(reversed(above)),
        "topics": [_unit_topic(files, topic, link) for topic in unit.children],
        "stats": {
            "total_topics": len(unit.children),
            "total_lessons": len(nodes_below(unit, depth=2)),
        },
        **extra(unit.document),
    }


def _unit_topic(files: SharedFiles, topic: Node, link: Link) -> Body:
    return {
        **about(topic.document, topic.title, files.rules),
        "sort_order": topic.document.integer("sort_order"),
        "access": access_block(topic.access),
        "lessons": [_unit_lesson(files, lesson, link) for lesson in topic.children],
        **extra(topic.document),
    }


def _unit_lesson(files: SharedFiles, lesson: Node, link: Link) -> Body:
    return {
        **about(lesson.document, lesson.title, files.rules),
        "sort_order": lesson.document.integer("sort_order"),
        "url": link(files.lessons.key(lesson.name)),
        "access": access_block(lesson.access),
        "stage_count": row_count(lesson.document, "stages"),
    }


def _subject(files: PlanFiles, subject: Node, link: Link) -> Body:
    about_it = about(subject.document, subject.title, files.rules)
    picture = {"image": about_it.pop("image")} if "image" in about_it else {}
    return {
        **about_it,
        **colour(subject.document),
        **picture,
        **STAMP,
        "access": access_block(subject.access),
        "tracks": [_track(files, track, link) for track in subject.children],
        "stats": {
            "total_units": len(nodes_below(subject, depth=2)),
            "total_topics": len(nodes_below(subject, depth=3)),
            "total_lessons": len(nodes_below(subject, depth=4)),
        },
        **extra(subject.document),
    }


def _track(files: PlanFiles, track: Node, link: Link) -> Body:
    return {
        **about(track.document, track.title, files.rules),
        "sort_order": track.document.integer("sort_order"),
        "access": access_block(track.access),
        "units": [_track_unit(files, unit, link) for unit in track.children],
        **extra(track.document),
    }


def _track_unit(files: PlanFiles, unit: Node, link: Link) -> Body:
    return {
        **about(unit.document, unit.title, files.rules),
        **image(unit.document, "badge_image", files.rules),
        "sort_order": unit.document.integer("sort_order"),
        "url": link(files.units.key(unit.name)),
        "access": access_block(unit.access),
        "topic_count": len(unit.children),
        "lesson_count": len(nodes_below(unit, depth=2)),
    }


def _parent(nodes: Iterable[Node]) -> Body:
    """Return ids and titles of what is above, from the nearest up to the subject."""
    body: Body = {}
    for node in nodes:
        label = node.document.type.label
        body[f"{label}_id"] = node.name
        body[f"{label}_title"] = node.title
    return body
