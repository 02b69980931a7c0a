"""A snapshot in which one file was edited where it stands, at the cost of that file.

The answer is what assembling everything anew would give. Where an edit does more than change its
own document (another name, a fault, a file that was not sound before), there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from exporter.core.files import parse_mapping
from exporter.core.loading import Loaded, ParsedFile
from exporter.core.model import DOCTYPES, Document, ExtraFields, Ref
from exporter.core.tree import Snapshot, place_of

__all__ = ["with_edited"]


def with_edited(loaded: Loaded, file: ParsedFile, extra: ExtraFields) -> Loaded | None:
    """Return what was loaded with one document as its file has it now; None where that is more."""
    before = _document_at(loaded.snapshot, file.path)
    if before is None or any(found.path == file.path for found in loaded.findings):
        return None
    after = _parsed(before, file, extra)
    if after is None or after.ref != before.ref:
        return None
    return replace(loaded, snapshot=_replaced(loaded.snapshot, after))


def _document_at(snapshot: Snapshot, path: str) -> Document | None:
    ref = next((ref for ref, known in snapshot.paths.items() if known == path), None)
    return snapshot.documents[ref] if ref else None


def _parsed(before: Document, file: ParsedFile, extra: ExtraFields) -> Document | None:
    """Return the document that the file holds, if nothing is wrong with it."""
    place = place_of(file.path)
    if place is None or place.orphan or file.mapping is None:
        return None
    doctype = DOCTYPES[place.doctype]
    parent = before.parent if doctype.parent else None
    extras = extra.get(doctype.name, ())
    document, faults = parse_mapping(doctype, file.mapping, parent, extras)
    return None if faults else document


def _replaced(snapshot: Snapshot, document: Document) -> Snapshot:
    documents = {**snapshot.documents, document.ref: document}
    children: Mapping[Ref, tuple[Document, ...]] = snapshot.children
    parent = (document.type.parent or "", document.parent)
    if family := children.get(parent):
        members = (documents[member.ref] for member in family)
        ordered = tuple(sorted(members, key=lambda member: member.sort_key))
        children = {**children, parent: ordered}
    return replace(snapshot, documents=documents, children=children)
