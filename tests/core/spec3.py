"""Spec 3 a second time, as rules over paths, to hold the traversal of the core against.

Written from the text of the spec alone. A *path* is the list of documents from the subject down to
a node; every question about a node is answered by looking along its path, never by what was found
out about another node. It is slow and short on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.core.model import CURRICULUM, LESSON, SUBJECT, TRACK, Document, Ref, Row

__all__ = ["Expected", "expected"]

FREE = "free_preview"
PAID = "paid"
SETS_ACCESS = ("Set Free", "Set Sold Separately", "Set Access Level")
TRUE = ("1", "true", "yes")

Path = tuple[Document, ...]
Decision = tuple[int, str]
"""(number of the rule, level)"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What spec 3 says of one visible node; a lesson has no `is_linear` of its own: False."""

    level: str
    required_item: str
    is_sold_separately: bool
    parent_item_required: bool
    is_linear: bool
    title: str


def expected(
    plan: Document, documents: Iterable[Document], default_access: str
) -> dict[Ref, Expected]:
    """Return every node that the plan shows, with all that spec 3 says of it."""
    return Spec3(plan, tuple(documents), default_access).shown()


@dataclass(frozen=True, slots=True)
class Spec3:
    """The rules, for one plan."""

    plan: Document
    documents: tuple[Document, ...]
    default: str

    def shown(self) -> dict[Ref, Expected]:
        return {path[-1].ref: self.describe(path) for path in self.visible()}

    # Visible

    def visible(self) -> list[Path]:
        allowed = [path for path in self.paths() if self.may_be_seen(path)]
        lessons = [path for path in allowed if path[-1].doctype == LESSON]
        leads_to_a_lesson = {node.ref for path in lessons for node in path}
        return [
            path
            for path in allowed
            if path[-1].doctype == SUBJECT or path[-1].ref in leads_to_a_lesson
        ]

    def paths(self) -> list[Path]:
        nodes = [one for one in self.documents if one.doctype in CURRICULUM]
        paths: list[Path] = [(one,) for one in nodes if one.doctype == SUBJECT]
        for doctype in CURRICULUM[1:]:
            paths += [
                (*path, one)
                for one in nodes
                if one.doctype == doctype
                for path in paths
                if path[-1].ref == (one.type.parent, one.parent)
            ]
        return paths

    def may_be_seen(self, path: Path) -> bool:
        listed = {row.get("subject") for row in self.plan.rows.get("subjects", ())}
        return (
            self.plan.flag("is_published")
            and path[0].name in listed
            and all(node.flag("is_published") for node in path)
            and not any(self.last_row(node, "Hide") for node in path)
        )

    def last_row(self, node: Document, *actions: str) -> Row | None:
        found = [
            row
            for row in self.plan.rows.get("overrides", ())
            if (row.get("target_doctype"), row.get("target_name")) == node.ref
            and row.get("action") in actions
        ]
        return found[-1] if found else None

    # Access level

    def firm(self, node: Document) -> Decision | None:
        """Rules 1 to 5: what no parent can change."""
        row = self.last_row(node, *SETS_ACCESS)
        if row and row["action"] == "Set Access Level":
            return 1, str(row["override_value"])
        if row and row["action"] == "Set Free":
            return 2, FREE
        if row:
            return 3, PAID
        if node.flag("is_free_preview"):
            return 4, FREE
        if node.doctype == TRACK and node.flag("is_sold_separately"):
            return 5, PAID
        return None

    def soft(self, node: Document) -> Decision | None:
        """Rules 7 and 8: what stands unless the parent is a free preview."""
        if node.text("required_item"):
            return 7, PAID
        if node.flag("is_public"):
            return 8, "public"
        return None

    def level(self, path: Path) -> str:
        firm_at = [place for place, node in enumerate(path) if self.firm(node)]
        top = firm_at[-1] if firm_at else 0
        start = self.firm(path[top]) or self.soft(path[top]) or (10, self.default)
        if start[1] == FREE:
            return FREE
        below = [rule[1] for node in path[top + 1 :] if (rule := self.soft(node))]
        return below[-1] if below else start[1]

    def sold_by_override(self, node: Document) -> bool:
        """Rule 3 decided."""
        rule = self.firm(node)
        return rule is not None and rule[0] == 3

    # What goes with the level

    def required_item(self, path: Path) -> str:
        if self.level(path) != PAID:
            return ""
        heads = [path[:length] for length in range(len(path), 0, -1)]
        items = [self.item_of(head[-1]) for head in heads if self.level(head) == PAID]
        return next(filter(None, items), "")

    def item_of(self, node: Document) -> str:
        row = self.last_row(node, *SETS_ACCESS) if self.sold_by_override(node) else None
        return str((row or {}).get("override_value", "")) or node.text("required_item")

    def is_sold_separately(self, path: Path) -> bool:
        return any(self.sold_by_override(node) or self.is_own_track(node) for node in path)

    def is_own_track(self, node: Document) -> bool:
        return node.doctype == TRACK and node.flag("is_sold_separately")

    def parent_item_required(self, path: Path) -> bool:
        from_track = path[1:]
        return bool(from_track) and (
            from_track[0].flag("parent_item_required")
            and not any(self.sold_by_override(node) for node in from_track)
        )

    # What the plan renames or sets

    def describe(self, path: Path) -> Expected:
        node = path[-1]
        linear, renamed = self.last_row(node, "Set Linear"), self.last_row(node, "Rename")
        is_linear = (
            str(linear["override_value"]).strip().casefold() in TRUE
            if linear and node.doctype != LESSON
            else node.flag("is_linear")
        )
        return Expected(
            level=self.level(path),
            required_item=self.required_item(path),
            is_sold_separately=self.is_sold_separately(path),
            parent_item_required=self.parent_item_required(path),
            is_linear=is_linear,
            title=str(renamed["override_value"]) if renamed else node.title,
        )
