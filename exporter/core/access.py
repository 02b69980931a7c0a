"""What a plan shows, and what students must pay for (spec 3).

`view_plan` walks the curriculum once, top-down, and gives the plan's tree of visible nodes, each
with its access level and the rule that decided it; then drops, bottom-up, what is left empty. Pure:
the answer depends on the snapshot, the plan and the default access alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from exporter.core.model import LESSON, SUBJECT, TRACK, Document, Ref, Row
from exporter.core.overrides import Action, Override, Overrides, Target, read_overrides
from exporter.core.tree import Snapshot

__all__ = [
    "Access",
    "Node",
    "PlanView",
    "Viewer",
    "decide",
    "listed_subjects",
    "subject_orders",
    "view_plan",
]

PAID = "paid"
FREE = "free_preview"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may open a node, and why.

    `rule` is the number in spec 3's table; `decided_by` the node at which a rule other than
    inheriting (9) decided; `override` the plan's row where one decided.
    """

    level: str
    required_item: str
    is_sold_separately: bool
    parent_item_required: bool
    rule: int
    decided_by: Ref
    override: Override | None
    nearest_item: str
    """The item of the nearest paid node, from this one upwards: what an item is inherited from."""


@dataclass(frozen=True, slots=True)
class Node:
    """A visible node of a plan; `title` and `is_linear` as the plan shows them."""

    document: Document
    title: str
    is_linear: bool
    access: Access
    children: tuple[Node, ...]

    @property
    def name(self) -> str:
        """Return the document's name: the `id` in published files."""
        return self.document.name

    def lessons(self) -> Iterator[Node]:
        """Yield the lessons at and below this node, in order."""
        return (node for node in self.walk() if node.document.doctype == LESSON)

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, in order."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            if node.children:
                waiting += node.children[::-1]


@dataclass(frozen=True, slots=True)
class PlanView:
    """What one plan shows.

    `reached` names every node that is published, not hidden and below such nodes only, also those
    that were dropped for being empty: an error in one of them holds the plan back.
    """

    plan: Document
    subjects: tuple[Node, ...]
    reached: frozenset[Ref]
    overrides: Overrides

    @property
    def lessons(self) -> int:
        """Return how many lessons are visible."""
        return sum(
            len(topic.children)
            for subject in self.subjects
            for track in subject.children
            for unit in track.children
            for topic in unit.children
        )

    def walk(self) -> Iterator[Node]:
        """Yield every visible node, in order."""
        for subject in self.subjects:
            yield from subject.walk()


def view_plan(
    snapshot: Snapshot, plan: Document, default_access: str, closed: Container[str] = ()
) -> PlanView:
    """Return what a plan shows, were it published; a subject listed twice counts once.

    Nothing is looked at below the subjects that are `closed`.
    """
    return Viewer(snapshot, default_access).view(plan, closed)


class Viewer:
    """Gives the views of several plans: what is alike in two of them is the same `Node`."""

    def __init__(self, snapshot: Snapshot, default_access: str) -> None:
        """Look at plans of a snapshot."""
        self._snapshot = snapshot
        self._default_access = default_access
        self._known: _Known = {}

    def view(self, plan: Document, closed: Container[str] = ()) -> PlanView:
        """Return what a plan shows, were it published; see `view_plan`."""
        snapshot, overrides = self._snapshot, read_overrides(plan)
        walker = _Walker(snapshot, overrides, self._default_access, self._known)
        found = (snapshot.find(SUBJECT, name) for name in dict.fromkeys(listed_subjects(plan)))
        nodes = (walker.top(one, is_closed=one.name in closed) for one in found if one)
        subjects = tuple(node for node in nodes if node)
        return PlanView(plan, subjects, frozenset(walker.reached), overrides)


def listed_subjects(plan: Document) -> list[str]:
    """Return the names in a plan's subject rows, by `sort_order`, then as they stand."""
    return [name for name, _ in subject_orders(plan)]


def subject_orders(plan: Document) -> list[tuple[str, int]]:
    """Return the names in a plan's subject rows with their `sort_order`, in that order."""
    rows = [
        (str(row.get("subject", "")), _sort_order(row)) for row in plan.rows.get("subjects", ())
    ]
    return sorted(rows, key=lambda row: row[1])


def _sort_order(row: Row) -> int:
    value = row.get("sort_order", 0)
    return value if isinstance(value, int) else 0


_Known = dict[tuple[Ref, Access | None], tuple[Node | None, frozenset[Ref]]]
"""Nodes by document and the access above them, with what is reached in and below them."""


class _Walker:
    def __init__(
        self, snapshot: Snapshot, overrides: Overrides, default_access: str, known: _Known
    ) -> None:
        self.snapshot = snapshot
        self.overrides = overrides
        self.default_access = default_access
        self.known = known
        self.reached: set[Ref] = set()
        targets = (snapshot.documents.get(ref) for ref in overrides.targets)
        self.touched = {one.ref for found in targets if found for one in snapshot.lineage(found)}
        """What a row of this plan names, and all above that."""

    def top(self, subject: Document, *, is_closed: bool) -> Node | None:
        """Return a subject's node, or None where it is not visible."""
        return self._node(subject, None, ()) if is_closed else self.visit(subject, None)

    def visit(self, document: Document, above: Access | None) -> Node | None:
        """Return the node, or None where it is not visible or, below a subject, empty.

        What no row of the plan touches is as in any other plan that does not, and looked at once.
        """
        inside = self.snapshot.children_of(document)
        if document.doctype == LESSON or document.ref in self.touched:
            return self._node(document, above, inside)
        known = self.known.get((document.ref, above))
        if known is None:
            outside, self.reached = self.reached, set()
            node = self._node(document, above, inside)
            known = self.known[document.ref, above] = (node, frozenset(self.reached))
            self.reached = outside
        self.reached |= known[1]
        return known[0]

    def _node(
        self, document: Document, above: Access | None, inside: Sequence[Document]
    ) -> Node | None:
        target = self.overrides.of(document.ref)
        if target.hide or not document.flag("is_published"):
            return None
        self.reached.add(document.ref)
        access = decide(document, above, target, self.default_access)
        children = tuple(node for child in inside if (node := self.visit(child, access)))
        if not children and document.doctype not in (SUBJECT, LESSON):
            return None
        linear = target.is_linear
        return Node(
            document,
            title=target.rename.value if target.rename else document.title,
            is_linear=document.flag("is_linear") if linear is None else linear,
            access=access,
            children=children,
        )


def decide(document: Document, above: Access | None, target: Target, default: str) -> Access:
    """Return a node's access from its own fields, its parent's access and the plan's rows."""
    level, rule = _level(document, above, target.access, default)
    own_item = document.text("required_item")
    inherited = above.nearest_item if above else ""
    item = ""
    if level == PAID:
        sold_as = target.access.value if rule == 3 and target.access else ""
        item = sold_as or own_item or inherited
    return Access(
        level=level,
        required_item=item,
        is_sold_separately=(
            rule == 3 or _is_island(document) or (above is not None and above.is_sold_separately)
        ),
        parent_item_required=_parent_item_required(document, above, rule),
        rule=rule,
        decided_by=above.decided_by if rule == 9 and above else document.ref,
        override=target.access,
        nearest_item=item if level == PAID else inherited,
    )


def _level(
    document: Document, above: Access | None, override: Override | None, default: str
) -> tuple[str, int]:
    """Return the access level and the number of the first rule of spec 3 that applies."""
    if override is not None:
        return _overridden(override)
    if document.flag("is_free_preview"):
        return FREE, 4
    if _is_island(document):
        return PAID, 5
    if above is not None and above.level == FREE:
        return FREE, 6
    if document.text("required_item"):
        return PAID, 7
    if document.doctype == SUBJECT and document.flag("is_public"):
        return "public", 8
    return (above.level, 9) if above is not None else (default, 10)


def _is_island(document: Document) -> bool:
    """Tell whether the node is a track sold on its own; an extra field elsewhere says nothing."""
    return document.doctype == TRACK and document.flag("is_sold_separately")


def _overridden(override: Override) -> tuple[str, int]:
    if override.action is Action.SET_LEVEL:
        return override.value, 1
    return (FREE, 2) if override.action is Action.SET_FREE else (PAID, 3)


def _parent_item_required(document: Document, above: Access | None, rule: int) -> bool:
    """Return the enclosing track's field, which ends at a node that rule 3 sells."""
    if rule == 3 or above is None:
        return False
    if document.doctype == TRACK:
        return document.flag("parent_item_required")
    return above.parent_item_required
