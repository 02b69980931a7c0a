"""What students will notice of a change, plan by plan, access first (spec 5, `diff`).

Everything comes from what the plans show on both sides (`access`), so that a change of a subject,
of an override row or of a plan is told by its effect and nothing else is. What is alike is told
once: nodes of a subject that change alike are one notice, also where several plans show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from exporter.core.access import Access, Node, PlanView
from exporter.core.diff import Renames
from exporter.core.diff_order import moved
from exporter.core.model import GRADE, LESSON, PLAN, SEASON, STREAM, Document, Ref

__all__ = ["ACCESS_SIGNS", "Notice", "Noticed", "ShownPlan", "Sign", "Terms", "find_notices"]


class Sign(Enum):
    """What students notice; in the order in which it is told."""

    OPENS = "opens"
    CLOSES = "closes"
    ITEM = "sold as another item"
    TERMS = "sold on other terms"
    PLAN_GONE = "plan disappears"
    GONE = "disappears"
    PLAN_NEW = "plan appears"
    NEW = "appears"
    HEADING = "plan heading changes"
    PROGRESS = "progress marks move"
    CONTENT = "content changes"
    TITLE = "title changes"
    PLACE = "moves"
    ORDER = "order changes"
    LINEAR = "way through changes"


ACCESS_SIGNS = frozenset(list(Sign)[: list(Sign).index(Sign.HEADING)])
"""The signs of who may open what."""

_OPENNESS = {"public": 0, "free_preview": 1, "authenticated": 2, "paid": 3}
_NOT_CONTENT = frozenset(
    (
        "title",
        "is_published",
        "is_public",
        "is_free_preview",
        "is_sold_separately",
        "parent_item_required",
        "required_item",
        "sort_order",
        "is_linear",
        "bit_index",
    )
)
"""Fields of which the effect is noticed otherwise."""


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """What students see of a plan: its tree, and the titles that its manifest begins with."""

    view: PlanView
    heading: Mapping[str, str]


_HEADINGS = {"title": PLAN, "season": SEASON, "grade": GRADE, "stream": STREAM}
"""The DocTypes of what a plan's heading says."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a student needs to open a node, as the published files say it."""

    level: str
    required_item: str
    is_sold_separately: bool
    parent_item_required: bool

    @classmethod
    def of(cls, access: Access) -> Terms:
        """Return the terms of a node."""
        return cls(
            access.level,
            access.required_item,
            access.is_sold_separately,
            access.parent_item_required,
        )


@dataclass(frozen=True, slots=True)
class Noticed:
    """A node of which something is noticed.

    Terms are None on a side where it is not shown, and where something else is noticed.
    """

    ref: Ref
    title: str
    title_before: str
    terms_before: Terms | None
    terms_after: Terms | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that students notice, alike for all its nodes in all its plans."""

    sign: Sign
    plans: tuple[str, ...]
    where: tuple[str, ...]
    """Titles from the subject down to the node that holds them all, itself one of them or not."""
    nodes: tuple[Noticed, ...]
    top: Ref | None = None
    """The node at `where`, by its present name."""
    is_all: bool = False
    """Every lesson of the node at `where` is among them."""

    @property
    def lessons(self) -> int:
        """Return how many of the nodes are lessons."""
        return sum(node.ref[0] == LESSON for node in self.nodes)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A visible node with the nodes above it, from the subject down; and its place."""

    node: Node
    above: tuple[Node, ...]
    parent: Ref | None
    """By its new name, where it was renamed."""
    place: int

    @property
    def trail(self) -> tuple[Node, ...]:
        return (*self.above, self.node)


_Shown = dict[Ref, _Seen]
_Key = tuple[Sign, Ref, object]


@dataclass(slots=True)
class _Group:
    """The nodes that change alike in one plan; `seen` is as they are now, or were."""

    nodes: list[Noticed] = field(default_factory=list)
    seen: list[_Seen] = field(default_factory=list)


def find_notices(
    before: Mapping[str, ShownPlan], after: Mapping[str, ShownPlan], renames: Renames
) -> tuple[Notice, ...]:
    """Return what students notice, most important first, of the published plans."""
    found: dict[object, Notice] = {}
    for plan in sorted({*before, *after}):
        for key, notice in _of_plan(before.get(plan), after.get(plan), renames):
            known = found.setdefault(key, replace(notice, plans=()))
            found[key] = replace(known, plans=(*known.plans, plan))
    return tuple(sorted(found.values(), key=_importance))


def _importance(notice: Notice) -> tuple[int, int, tuple[str, ...], tuple[str, ...]]:
    order = list(Sign).index(notice.sign)
    return (order, -len(notice.nodes), notice.where, notice.plans)


def _of_plan(
    before: ShownPlan | None, after: ShownPlan | None, renames: Renames
) -> Iterator[tuple[object, Notice]]:
    """Yield a plan's notices, with what makes the same notice of another plan."""
    old = _shown(before.view, renames) if before else {}
    new = _shown(after.view, {}) if after else {}
    if before is None or after is None:
        sign = Sign.PLAN_NEW if after else Sign.PLAN_GONE
        nodes = tuple(_noticed(sign, ref, (old.get(ref), new.get(ref))) for ref in (new or old))
        plan = after or before
        yield (sign, plan and plan.view.plan.name), Notice(sign, (), (), nodes)
        return
    yield from _headings(before, after)
    groups: dict[_Key, _Group] = {}
    for ref in dict.fromkeys((*new, *old)):
        sides = (old.get(ref), new.get(ref))
        keys = _keys(*sides) if all(sides) else [_lone_key(ref, old, new)]
        for key in keys:
            _add(groups, key, ref, sides)
    for ref in _reordered(old, new):
        key = (Sign.ORDER, new[ref].trail[0].document.ref, None)
        _add(groups, key, ref, (old[ref], new[ref]))
    for key, group in groups.items():
        notice = _notice(key[0], group)
        yield (key, notice.nodes, notice.is_all), notice


def _headings(before: ShownPlan, after: ShownPlan) -> Iterator[tuple[object, Notice]]:
    """Yield what changes of what a plan says above its subjects."""
    for name, doctype in _HEADINGS.items():
        was, now = before.heading.get(name, ""), after.heading.get(name, "")
        if was != now:
            ref = (doctype, after.view.plan.name if doctype == PLAN else after.view.plan.text(name))
            nodes = (Noticed(ref, now, was, None, None),)
            yield (Sign.HEADING, nodes), Notice(Sign.HEADING, (), (), nodes)


def _add(
    groups: dict[_Key, _Group], key: _Key, ref: Ref, sides: tuple[_Seen | None, _Seen | None]
) -> None:
    group = groups.setdefault(key, _Group())
    group.nodes.append(_noticed(key[0], ref, sides))
    group.seen += [seen for seen in (sides[1] or sides[0],) if seen]


def _shown(view: PlanView, renames: Renames) -> _Shown:
    """Return what a plan shows; renamed documents under their new names."""
    found: _Shown = {}

    def visit(nodes: Iterable[Node], above: tuple[Node, ...], parent: Ref | None) -> None:
        for place, node in enumerate(nodes):
            ref = renames.get(node.document.ref, node.document.ref)
            found[ref] = _Seen(node, above, parent, place)
            visit(node.children, (*above, node), ref)

    visit(view.subjects, (), None)
    return found


def _noticed(sign: Sign, ref: Ref, sides: tuple[_Seen | None, _Seen | None]) -> Noticed:
    """Return a node as it is noticed; its terms only where they are what is noticed."""
    was, now = (seen.node if seen else None for seen in sides)
    has_terms = sign in ACCESS_SIGNS
    return Noticed(
        ref,
        now.title if now else was.title if was else "",
        was.title if was else "",
        Terms.of(was.access) if was and has_terms else None,
        Terms.of(now.access) if now and has_terms else None,
    )


def _lone_key(ref: Ref, old: _Shown, new: _Shown) -> _Key:
    """Return the group of a node of one side: with all below the topmost such node above it."""
    is_new = ref in new
    side, other = (new, old) if is_new else (old, new)
    top = ref
    while (parent := side[top].parent) and parent not in other:
        top = parent
    whole = None if top[0] == LESSON else ("below", side[top].parent)
    return (Sign.NEW if is_new else Sign.GONE, side[ref].trail[0].document.ref, whole)


def _keys(old: _Seen | None, new: _Seen | None) -> Iterator[_Key]:
    """Yield the groups that a node of both sides belongs to."""
    if old is None or new is None:
        return
    subject = new.trail[0].document.ref
    was, now = Terms.of(old.node.access), Terms.of(new.node.access)
    if was != now:
        yield _access_key(was, now, subject)
    for sign in _otherwise(old, new):
        yield (sign, subject, None)


def _access_key(was: Terms, now: Terms, subject: Ref) -> _Key:
    if was.level != now.level:
        opens = _OPENNESS[now.level] < _OPENNESS[was.level]
        return (Sign.OPENS if opens else Sign.CLOSES, subject, (was.level, now.level))
    if was.required_item != now.required_item:
        return (Sign.ITEM, subject, (was.required_item, now.required_item))
    return (Sign.TERMS, subject, (was, now))


def _otherwise(old: _Seen, new: _Seen) -> Iterator[Sign]:
    """Yield what else is noticed of a node that was and is shown."""
    was, now = old.node, new.node
    if was.document.fields.get("bit_index") != now.document.fields.get("bit_index"):
        yield Sign.PROGRESS
    if _content(was.document) != _content(now.document):
        yield Sign.CONTENT
    if was.title != now.title:
        yield Sign.TITLE
    if old.parent != new.parent:
        yield Sign.PLACE
    if now.document.doctype != LESSON and was.is_linear != now.is_linear:
        yield Sign.LINEAR


def _content(document: Document) -> object:
    hidden = {*_NOT_CONTENT, document.type.parent_field}
    fields = {name: value for name, value in document.fields.items() if name not in hidden}
    return (fields, document.rows)


def _reordered(old: _Shown, new: _Shown) -> Iterator[Ref]:
    """Yield the fewest nodes that explain another order under parents that kept them."""
    families: dict[Ref | None, list[Ref]] = {}
    for ref, seen in new.items():
        if ref in old and old[ref].parent == seen.parent:
            families.setdefault(seen.parent, []).append(ref)
    for members in families.values():
        places = [old[ref].place for ref in members]
        steady = [_number(old[ref]) == _number(new[ref]) for ref in members]
        yield from (members[at] for at in sorted(moved(places, steady)))


def _number(seen: _Seen) -> int:
    return seen.node.document.integer("sort_order") if seen.above else 0


def _notice(sign: Sign, group: _Group) -> Notice:
    """Return a group as a notice, told from the deepest node that holds all of it."""
    trail = group.seen[0].trail
    for seen in group.seen[1:]:
        pairs = zip(trail, seen.trail, strict=False)
        shared = [one for one, other in pairs if one.document.ref == other.document.ref]
        trail = trail[: len(shared)]
    top, where = trail[-1], tuple(node.title for node in trail)
    notice = Notice(sign, (), where, tuple(group.nodes), top.document.ref)
    is_all = sign in ACCESS_SIGNS and notice.lessons == sum(1 for _ in top.lessons()) > 1
    return replace(notice, is_all=is_all)
