"""The curriculum tree and its place in the snapshot folder (spec 1 "Order", spec 2).

`grow` arranges documents into a `Snapshot`: siblings in order, a path for each document, orphans
apart. `place_of` is the way back: what DocType a path is for, and whose child. Paths are relative
to the snapshot folder and use `/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from exporter.core.model import CURRICULUM, DOCTYPES, LESSON, SUBJECT, Document, Ref
from exporter.core.segments import assign

__all__ = ["ORPHANS", "Place", "Snapshot", "grow", "place_of"]

_ROOTS = {doctype.folder: name for name, doctype in DOCTYPES.items() if doctype.folder}
_LEVELS = {level: DOCTYPES[name] for level, name in enumerate(CURRICULUM, start=2)}
ORPHANS = "orphans"


@dataclass(frozen=True, slots=True)
class Place:
    """What a path says: the DocType of the file, its own segment and its parent's file."""

    doctype: str
    segment: str
    parent_path: str | None
    orphan: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All content of one moment. Orphans are in `documents` and `paths`, and nobody's children."""

    documents: Mapping[Ref, Document] = field(default_factory=dict)
    paths: Mapping[Ref, str] = field(default_factory=dict)
    children: Mapping[Ref, tuple[Document, ...]] = field(default_factory=dict)
    clashes: tuple[tuple[Ref, ...], ...] = ()
    """Groups of documents of one folder of which the segments clash (`E107`)."""

    def of_type(self, doctype: str) -> tuple[Document, ...]:
        """Return the documents of a DocType in code point order of their names."""
        found = (document for ref, document in self.documents.items() if ref[0] == doctype)
        return tuple(sorted(found, key=lambda document: document.name))

    def find(self, doctype: str, name: str) -> Document | None:
        """Return a document, or None where there is none."""
        return self.documents.get((doctype, name))

    def children_of(self, document: Document) -> tuple[Document, ...]:
        """Return the children in the curriculum, ordered by `(sort_order, name)`."""
        return self.children.get(document.ref, ())

    def parent_of(self, document: Document) -> Document | None:
        """Return the document that the parent link leads to."""
        parent_type = document.type.parent
        return self.find(parent_type, document.parent) if parent_type else None

    def lineage(self, document: Document) -> tuple[Document, ...]:
        """Return the chain from the subject (or the topmost ancestor) down to the document."""
        chain = [document]
        while above := self.parent_of(chain[-1]):
            chain.append(above)
        return tuple(reversed(chain))

    def is_orphan(self, document: Document) -> bool:
        """Tell whether a curriculum document has no way up to a subject."""
        return document.doctype in CURRICULUM and self.lineage(document)[0].doctype != SUBJECT

    def below(self, document: Document) -> Iterator[Document]:
        """Yield the document and all below it, in the curriculum's order."""
        yield document
        for child in self.children_of(document):
            yield from self.below(child)


def grow(documents: Iterable[Document]) -> Snapshot:
    """Arrange documents into a snapshot; any order of the input gives the same result."""
    known = {document.ref: document for document in documents}
    families = _families(known)
    builder = _Paths(families)
    for folder, doctype in _ROOTS.items():
        members = [document for document in known.values() if document.doctype == doctype]
        builder.add(folder, members)
    placed = dict(builder.paths)
    for doctype in CURRICULUM:
        orphans = [d for d in known.values() if d.doctype == doctype and d.ref not in placed]
        builder.add_orphans(doctype, orphans)
    return Snapshot(known, builder.paths, families, tuple(builder.clashes))


def place_of(path: str) -> Place | None:
    """Return what a path is for, or None where the layout has no place for it (`E102`)."""
    parts = path.split("/")
    if not path.endswith(".yaml") or any(not part for part in parts):
        return None
    stem = parts[-1].removesuffix(".yaml")
    if parts[0] == ORPHANS:
        known = len(parts) == 3 and parts[1] in CURRICULUM and parts[1] != SUBJECT
        return Place(parts[1], stem, None, orphan=True) if known else None
    if parts[0] == DOCTYPES[SUBJECT].folder:
        return _curriculum_place(parts, stem)
    doctype = _ROOTS.get(parts[0])
    known = doctype is not None and len(parts) == 2 and not stem.startswith("_")
    return Place(doctype, stem, None) if doctype and known else None


def _curriculum_place(parts: list[str], stem: str) -> Place | None:
    level = len(parts) - 1
    if stem.startswith("_"):
        doctype = _LEVELS.get(level)
        if doctype is None or doctype.index_file != parts[-1]:
            return None
        parent = None if level == 2 else _index_path(parts[:-2], level - 1)
        return Place(doctype.name, parts[-2], parent)
    if level != len(CURRICULUM):
        return None
    return Place(LESSON, stem, _index_path(parts[:-1], level))


def _index_path(folder: list[str], level: int) -> str:
    return "/".join([*folder, str(_LEVELS[level].index_file)])


def _families(known: Mapping[Ref, Document]) -> dict[Ref, tuple[Document, ...]]:
    """Group curriculum documents under their existing parents, in order."""
    families: dict[Ref, list[Document]] = {}
    for document in known.values():
        parent_type = document.type.parent
        if parent_type and (parent_type, document.parent) in known:
            families.setdefault((parent_type, document.parent), []).append(document)
    return {
        ref: tuple(sorted(members, key=lambda document: document.sort_key))
        for ref, members in families.items()
    }


class _Paths:
    """Gives paths folder by folder, from the top down."""

    def __init__(self, families: Mapping[Ref, tuple[Document, ...]]) -> None:
        self.families = families
        self.paths: dict[Ref, str] = {}
        self.clashes: list[tuple[Ref, ...]] = []

    def add(self, folder: str, members: Iterable[Document]) -> None:
        """Place the documents of one folder, and all below them."""
        by_name = {document.name: document for document in members}
        for name, segment in self._segments(by_name).items():
            document = by_name[name]
            index = document.type.index_file
            own = f"{folder}/{segment}"
            self.paths[document.ref] = f"{own}/{index}" if index else f"{own}.yaml"
            children = self.families.get(document.ref)
            if children:
                self.add(own, children)

    def add_orphans(self, doctype: str, orphans: Iterable[Document]) -> None:
        """Place the documents of a DocType that have no way up to a subject."""
        by_name = {document.name: document for document in orphans}
        for name, segment in self._segments(by_name).items():
            self.paths[doctype, name] = f"{ORPHANS}/{doctype}/{segment}.yaml"

    def _segments(self, by_name: Mapping[str, Document]) -> Mapping[str, str]:
        assigned = assign(by_name)
        for group in assigned.clashes:
            self.clashes.append(tuple(by_name[name].ref for name in group))
        return assigned.segments
