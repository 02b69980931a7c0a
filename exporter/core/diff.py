"""The difference of two snapshots in people's words: documents, field by field (spec 5, `diff`).

A rename is told as a rename (Frappe gives the same content another name, and what links to it
follows). A document that only goes along with its parent is no change. A number in `sort_order`
matters only where it moves the document among its siblings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from exporter.core.changes import Change, ChangeKind, changes_between
from exporter.core.checks import breadcrumb
from exporter.core.diff_order import moved
from exporter.core.diff_values import ORDER, Detail, Effect, changed_fields, changed_rows
from exporter.core.model import CURRICULUM, DOCTYPES, PLAN, SUBJECT, Document, Ref, Row, Value
from exporter.core.tree import Snapshot

__all__ = ["DocumentDiff", "Kind", "Renames", "diff_documents", "find_renames"]

Renames = Mapping[Ref, Ref]
"""The new name of each renamed document by its old one."""

_LINKS = {"season": "Memora Season", "grade": "Memora Grade", "stream": "Memora Stream"}


class Kind(Enum):
    """What happened to a document; the value is the verb."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    MOVED = "moved"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class DocumentDiff:
    """What happened to one document; at least one of `before` and `after` is there."""

    kind: Kind
    before: Document | None
    after: Document | None
    above: tuple[str, ...]
    """The titles above it now, or as it was: its breadcrumb without itself."""
    above_before: tuple[str, ...] = ()
    """Where it was, for one that moved."""
    details: tuple[Detail, ...] = ()

    @property
    def document(self) -> Document:
        """Return the document as it is now, or as it was."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a difference has a document")
        return found

    @property
    def is_renumbered(self) -> bool:
        """Tell whether only its number changed, and not its place."""
        return [(one.effect, one.path) for one in self.details] == [(Effect.RENUMBERED, (ORDER,))]


def diff_documents(before: Snapshot, after: Snapshot, renames: Renames) -> list[DocumentDiff]:
    """Return what happened to the documents, plans first, then down the tree."""
    differ = _Differ(before, after, renames)
    return [found for change in _changes(before, after) if (found := differ.of(change))]


def find_renames(before: Snapshot, after: Snapshot) -> dict[Ref, Ref]:
    """Return documents of which the same content now has another name in the same place."""
    renames: dict[Ref, Ref] = {}
    for doctype in (*(name for name in DOCTYPES if name != PLAN), PLAN):
        gone = [one for one in before.of_type(doctype) if one.ref not in after.documents]
        come = [one for one in after.of_type(doctype) if one.ref not in before.documents]
        if gone and come:
            waiting: dict[object, list[Document]] = {}
            for document in reversed(gone):
                key = _content(_following(document, renames))
                waiting.setdefault(key, []).append(document)
            for document in come:
                if same := waiting.get(_content(document)):
                    renames[same.pop().ref] = document.ref
    return renames


def _changes(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """Return the changes of documents, whole ones at both sides."""
    differing = [
        ref
        for ref in dict.fromkeys((*before.documents, *after.documents))
        if before.documents.get(ref) != after.documents.get(ref)
        or before.paths.get(ref) != after.paths.get(ref)
    ]
    return changes_between(_at_paths(before, differing), _at_paths(after, differing))


def _at_paths(snapshot: Snapshot, refs: Iterable[Ref]) -> dict[str, Document]:
    known = (ref for ref in refs if ref in snapshot.documents)
    return {snapshot.paths[ref]: snapshot.documents[ref] for ref in known}


class _Differ:
    """Two snapshots, and the order of siblings where one of them has another number."""

    def __init__(self, before: Snapshot, after: Snapshot, renames: Renames) -> None:
        self.before = before
        self.after = after
        self.renames = renames
        self.old_names = {new: old for old, new in renames.items()}
        self.orders: dict[str, dict[Ref, tuple[int, int]]] = {}

    def of(self, change: Change) -> DocumentDiff | None:
        """Return what a change is to people; None where it only follows from another one."""
        if change.before and change.after:
            return self._changed(change.before, change.after, change)
        if change.after is None:
            gone = change.document
            if gone.ref in self.renames:
                return None
            return DocumentDiff(Kind.REMOVED, gone, None, _above(self.before, gone))
        above = _above(self.after, change.after)
        old = self.old_names.get(change.after.ref)
        if old is None:
            return DocumentDiff(Kind.ADDED, None, change.after, above)
        return DocumentDiff(Kind.RENAMED, self.before.documents[old], change.after, above)

    def _changed(self, before: Document, after: Document, change: Change) -> DocumentDiff | None:
        followed = _following(before, self.renames)
        details = (*self._fields(followed, after), *changed_rows(followed, after))
        was_orphan, is_orphan = self.before.is_orphan(before), self.after.is_orphan(after)
        stayed = followed.parent == after.parent and was_orphan == is_orphan
        if change.kind is ChangeKind.MOVED and not stayed:
            above = (_above(self.after, after), _above(self.before, before))
            return DocumentDiff(Kind.MOVED, before, after, *above, details)
        if not details:
            return None
        return DocumentDiff(Kind.CHANGED, before, after, _above(self.after, after), (), details)

    def _fields(self, before: Document, after: Document) -> Iterator[Detail]:
        for detail in changed_fields(before, after):
            is_order = detail.path == (ORDER,) and after.doctype in CURRICULUM[1:]
            if not is_order or before.parent != after.parent:
                yield detail
            elif place := self._moved(after).get(after.ref):
                effect = Effect.MOVED_UP if place[1] < place[0] else Effect.MOVED_DOWN
                yield Detail(effect, (ORDER,), *place)
            else:
                yield replace(detail, effect=Effect.RENUMBERED)

    def _moved(self, document: Document) -> Mapping[Ref, tuple[int, int]]:
        """Return the siblings that moved: their places from 1, among those of both sides."""
        parent = document.parent
        key = f"{document.doctype}:{parent}"
        if key not in self.orders:
            above = (str(document.type.parent), parent)
            old = [
                (self.renames.get(child.ref, child.ref), child.sort_key[0])
                for child in self.before.children.get(self.old_names.get(above, above), ())
            ]
            new = [(child.ref, child.sort_key[0]) for child in self.after.children.get(above, ())]
            self.orders[key] = _moved_among(old, new)
        return self.orders[key]


def _moved_among(
    old: Sequence[tuple[Ref, int]], new: Sequence[tuple[Ref, int]]
) -> dict[Ref, tuple[int, int]]:
    """Return the fewest siblings that explain the new order, with their places from 1."""
    numbers, kept = dict(old), dict(new)
    ranks = {ref: place for place, ref in enumerate((r for r, _ in old if r in kept), start=1)}
    both = [(ref, number) for ref, number in new if ref in ranks]
    places = moved([ranks[ref] for ref, _ in both], [numbers[ref] == n for ref, n in both])
    return {both[at][0]: (ranks[both[at][0]], at + 1) for at in places}


def _above(snapshot: Snapshot, document: Document) -> tuple[str, ...]:
    if document.doctype == SUBJECT or document.doctype not in CURRICULUM:
        return ()
    return breadcrumb(snapshot, document)[:-1]


def _following(document: Document, renames: Renames) -> Document:
    """Return a document of which the links follow renames, as Frappe changes them."""
    if not renames:
        return document
    links = {**_LINKS, str(document.type.parent_field): str(document.type.parent)}
    fields = {
        name: renames.get((links[name], str(value)), ("", value))[1] if name in links else value
        for name, value in document.fields.items()
    }
    rows = {
        table: tuple(_following_row(row, renames) for row in found)
        for table, found in document.rows.items()
    }
    return replace(document, fields=fields, rows=rows)


def _following_row(row: Row, renames: Renames) -> Row:
    changed: dict[str, Value] = dict(row)
    targets = (("subject", SUBJECT), ("target_name", str(row.get("target_doctype", ""))))
    for name, doctype in targets:
        if name in row and (new := renames.get((doctype, str(row[name])))):
            changed[name] = new[1]
    return changed


def _content(document: Document) -> object:
    """Return all that a document says but its name, as what can be looked up."""
    return repr((document.doctype, dict(document.fields), [*document.rows.items()]))
