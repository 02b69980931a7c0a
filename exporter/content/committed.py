"""Documents as commits have them: which file is whose, and what a document's file says.

Files are read only where their place and their blob do not tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from exporter.content.candidates import Version
from exporter.content.digests import Known
from exporter.content.repository import Commit, Repository
from exporter.content.texts import Texts
from exporter.content.yaml_reader import name_in, read_file
from exporter.core.files import parse_mapping, render
from exporter.core.model import DOCTYPES, Document, ExtraFields, Ref
from exporter.core.tree import ORPHANS, grow, place_of

__all__ = [
    "document_files",
    "document_in",
    "documents_at",
    "documents_of_both",
    "is_orphan",
    "orphan_text",
    "paths_of",
    "placed_text",
]


def documents_of_both(
    trees: tuple[Mapping[str, str], Mapping[str, str]], texts: Texts, extra: ExtraFields
) -> tuple[dict[Ref, Known], dict[Ref, Known]]:
    """Return the documents of two trees, blobs by path.

    Files are asked for their names alone, those that both trees have once.
    """
    same = trees[0].items() & trees[1].items()
    found = _named(dict(same), texts)
    before, after = (
        documents_at(tree, {}, texts, extra, found | _named(dict(tree.items() - same), texts))
        for tree in trees
    )
    return before, after


def document_files(repository: Repository, head: Commit | None, folder: str) -> dict[str, str]:
    """Return HEAD's blobs by path, where a document's file may stand."""
    tree = repository.tree(head.sha, folder) if head else {}
    return {path: blob for path, blob in tree.items() if place_of(path)}


def documents_at(
    tree: Mapping[str, str],
    after: Mapping[Ref, Version],
    texts: Texts,
    extra: ExtraFields,
    named: Mapping[str, Document] | None = None,
) -> dict[Ref, Known]:
    """Return the documents of a tree; only files that are not as the database has them are read."""
    expected = {path: ref for ref, path in paths_of(after).items()} if tree else {}
    found = {
        path: _rooted(ref, "")
        for path, ref in expected.items()
        if tree.get(path) == after[ref].content and not is_orphan(path)
    }
    found |= named or {}
    unread = [path for path in tree if path not in found]
    for path, data in zip(unread, texts.blobs(map(tree.__getitem__, unread)), strict=True):
        document = document_in(path, data, extra)
        if document:
            found[path] = document if is_orphan(path) else _rooted(document.ref, "")
    known: dict[Ref, Known] = {}
    # Of two files of one document the one that stands where it belongs is the document's.
    for path in sorted(found, key=lambda path: (expected.get(path) != found[path].ref, path)):
        version = _version_at(path, tree[path], found, texts)
        known.setdefault(found[path].ref, Known(path, tree[path], version))
    return known


def paths_of(versions: Mapping[Ref, Version]) -> Mapping[Ref, str]:
    """Return where each document's file stands; parent links alone decide it."""
    return grow(_rooted(ref, version.parent) for ref, version in versions.items()).paths


def document_in(path: str, data: bytes, extra: ExtraFields) -> Document | None:
    """Return the document that a snapshot file holds, its parent link only where it has one."""
    place, mapping = place_of(path), read_file(path, data).mapping
    if place is None or mapping is None:
        return None
    doctype = DOCTYPES[place.doctype]
    return parse_mapping(doctype, mapping, None, extra.get(doctype.name, ()))[0]


def is_orphan(path: str) -> bool:
    """Tell whether a path is that of a document with no way up to a subject."""
    return path.startswith(f"{ORPHANS}/")


def placed_text(document: Document) -> bytes:
    """Return the file of a document in its place in the tree."""
    return render(document, orphan=False).encode()


def orphan_text(document: Document, parent: str) -> bytes:
    """Return the file of a document whose parent link leads nowhere."""
    linked = {**document.fields, **_rooted(document.ref, parent).fields}
    order = [column.name for column in document.type.fields if column.name in linked]
    fields = {name: linked[name] for name in dict.fromkeys([*order, *linked])}
    return render(replace(document, fields=fields), orphan=True).encode()


def _named(tree: Mapping[str, str], texts: Texts) -> dict[str, Document]:
    """Return what a name alone tells of the documents in their places, by path."""
    placed = {path: place for path in tree if not is_orphan(path) if (place := place_of(path))}
    found: dict[str, Document] = {}
    for path, data in zip(placed, texts.blobs(map(tree.__getitem__, placed)), strict=True):
        name = name_in(data)
        if name is not None:
            found[path] = _rooted((placed[path].doctype, name), "")
    return found


def _version_at(path: str, blob: str, found: Mapping[str, Document], texts: Texts) -> Version:
    if is_orphan(path):
        return Version(found[path].parent, texts.add(placed_text(found[path])))
    place = place_of(path)
    above = found.get(place.parent_path) if place and place.parent_path else None
    return Version(above.name if above else "", blob)


def _rooted(ref: Ref, parent: str) -> Document:
    """Return a document that has a parent link and nothing else."""
    link = DOCTYPES[ref[0]].parent_field
    return Document(*ref, {link: parent} if link and parent else {})
