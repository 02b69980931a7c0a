"""Comparing the database with HEAD, without writing anything (spec 2, steps 1 and 2).

Where the last snapshot is remembered, only documents with another digest are read; else everything
is, and HEAD's files tell what they are. Both ways end in the same answer. Of each document only its
version is kept; new contents go to the spool.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Protocol

from exporter.content.candidates import Candidate, Version
from exporter.content.digests import Known, Scope, recall
from exporter.content.repository import Commit, Repository
from exporter.content.texts import Texts
from exporter.content.yaml_reader import name_in, read_file
from exporter.core.files import parse_mapping, render
from exporter.core.model import DOCTYPES, Document, ExtraFields, Ref
from exporter.core.tree import ORPHANS, grow, place_of

__all__ = [
    "Comparison",
    "Source",
    "View",
    "compare",
    "document_in",
    "documents_of_both",
    "is_orphan",
    "orphan_text",
    "paths_of",
    "placed_text",
    "spool_placed",
]


class View(Protocol):
    """A source's documents at one moment."""

    identity: str
    """What tells the source, and what is read of it, from any other."""

    def digests(self) -> Iterator[tuple[Ref, str | None]]:
        """Yield every document's digest; None where there is none."""

    def size(self) -> int:
        """Return how many documents there are."""

    def everything(self) -> Iterator[tuple[Document, str | None]]:
        """Yield every document with its digest."""

    def documents(self, only: Collection[Ref]) -> Iterator[Document]:
        """Yield those documents that exist."""


class Source(Protocol):
    """Where documents come from."""

    def view(self) -> AbstractContextManager[View]:
        """Open one consistent view."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """HEAD and the database, document by document."""

    head: Commit | None
    before: Mapping[Ref, Known]
    """HEAD's documents; not a file that cannot be read, nor the second one of a document."""
    files: frozenset[str]
    """Every path in HEAD at which a document's file may stand."""
    after: Mapping[Ref, Version]
    """The database's."""
    digests: Mapping[Ref, str | None]
    """The database's."""
    titles: Mapping[Ref, str]
    """Titles of documents that were read and have a content that HEAD has not."""
    texts: Texts
    """The contents of either side; of HEAD's orphans, only those that differ."""
    scope: Scope
    remembered: bool
    """Whether only documents with another digest were read."""

    @property
    def unchanged(self) -> bool:
        """Tell whether the database is, digest by digest, as it is remembered."""
        return (
            self.remembered
            and self.digests.keys() == self.before.keys()
            and all(digest == self.before[ref].digest for ref, digest in self.digests.items())
            and None not in self.digests.values()
        )

    def candidates(self) -> list[Candidate]:
        """Return the documents of which the versions differ, in the order of their refs."""
        differing = [ref for ref, version in self.after.items() if self._differs(ref, version)]
        differing += self.before.keys() - self.after.keys()
        return [
            Candidate(ref, self._version(ref), self.after.get(ref), self.path_of(ref))
            for ref in sorted(differing)
        ]

    def _differs(self, ref: Ref, version: Version) -> bool:
        known = self._version(ref)
        return known is not version and known != version

    def path_of(self, ref: Ref) -> str:
        """Return the path of HEAD's file of a document; empty where it has none."""
        known = self.before.get(ref)
        return known.path if known else ""

    def _version(self, ref: Ref) -> Version | None:
        known = self.before.get(ref)
        return known.version if known else None


def compare(
    repository: Repository, source: Source, folder: str, extra: ExtraFields, *, full: bool = False
) -> Comparison:
    """Read what a source has that HEAD has not.

    Raises:
        SourceError: the source cannot be read.
        GitError: git failed.
    """
    with ExitStack() as at_failure:
        texts = Texts(repository)
        at_failure.callback(texts.close)
        found = _compared(repository, source, texts, (folder, extra), full=full)
        spool_placed(found, [each.ref for each in found.candidates() if each.before], extra)
        at_failure.pop_all()
    return found


def _compared(
    repository: Repository,
    source: Source,
    texts: Texts,
    where: tuple[str, ExtraFields],
    *,
    full: bool,
) -> Comparison:
    folder, extra = where
    head = repository.head()
    with source.view() as view:
        scope = Scope(head.sha if head else "", folder, view.identity)
        known = None if full else recall(repository.private_dir, scope)
        if known is not None:
            digests = dict(view.digests())
            after, titles = _read_changed(view, known, digests, texts)
            files = frozenset(each.path for each in known.values())
        else:
            tree = _document_files(repository, head, folder)
            digests = {}
            documents = _noting(view.everything(), digests)
            after, titles = _read(documents, frozenset(tree.values()), texts)
            files = frozenset(tree)
    remembered = known is not None
    before = _documents_at(tree, after, texts, extra) if known is None else known
    return Comparison(head, before, files, after, digests, titles, texts, scope, remembered)


def documents_of_both(
    repository: Repository,
    commits: tuple[Commit, Commit],
    folder: str,
    texts: Texts,
    extra: ExtraFields,
) -> tuple[dict[Ref, Known], dict[Ref, Known], frozenset[str]]:
    """Return every document of two commits, and every path at which one of the first may stand.

    Files that both commits have are only asked for their names.
    """
    trees = [_document_files(repository, commit, folder) for commit in commits]
    same = dict(trees[0].items() & trees[1].items())
    found = _named(same, texts)
    sides = [_documents_at(tree, {}, texts, extra, found) for tree in trees]
    return sides[0], sides[1], frozenset(trees[0])


def spool_placed(comparison: Comparison, refs: Iterable[Ref], extra: ExtraFields) -> None:
    """Spool what HEAD's orphans among some documents would say in a place in the tree."""
    before, texts = comparison.before, comparison.texts
    orphans = [
        known
        for ref in refs
        if (known := before.get(ref)) and is_orphan(known.path)
        if known.version.content not in texts
    ]
    for known, data in zip(orphans, texts.blobs(each.blob for each in orphans), strict=True):
        document = document_in(known.path, data, extra)
        if document:
            texts.add(placed_text(document))


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


def _rooted(ref: Ref, parent: str) -> Document:
    """Return a document that has a parent link and nothing else."""
    link = DOCTYPES[ref[0]].parent_field
    return Document(*ref, {link: parent} if link and parent else {})


def _read_changed(
    view: View, known: Mapping[Ref, Known], digests: Mapping[Ref, str | None], texts: Texts
) -> tuple[dict[Ref, Version], dict[Ref, str]]:
    """Return all versions, having read only documents with another digest than is known."""
    same: dict[Ref, Version] = {}
    changed: list[Ref] = []
    for ref, digest in digests.items():
        last = known.get(ref)
        if last and digest and last.digest == digest:
            same[ref] = last.version
        else:
            changed.append(ref)
    in_git = frozenset(each.blob for each in known.values())
    versions, titles = _read(view.documents(changed), in_git, texts)
    return same | versions, titles


def _noting(
    digested: Iterable[tuple[Document, str | None]], digests: dict[Ref, str | None]
) -> Iterator[Document]:
    """Yield documents, and note their digests."""
    for document, digest in digested:
        digests[document.ref] = digest
        yield document


def _read(
    documents: Iterable[Document], in_git: Collection[str], texts: Texts
) -> tuple[dict[Ref, Version], dict[Ref, str]]:
    versions: dict[Ref, Version] = {}
    titles: dict[Ref, str] = {}
    for document in documents:
        data = placed_text(document)
        content = texts.hash(data)
        if content not in in_git:
            texts.keep(content, data)
            titles[document.ref] = document.title
        versions[document.ref] = Version(document.parent, content)
    return versions, titles


def _document_files(repository: Repository, head: Commit | None, folder: str) -> dict[str, str]:
    """Return HEAD's blobs by path, where a document's file may stand."""
    tree = repository.tree(head.sha, folder) if head else {}
    return {path: blob for path, blob in tree.items() if place_of(path)}


def _named(tree: Mapping[str, str], texts: Texts) -> dict[str, Document]:
    """Return what a name alone tells of the documents in their places, by path."""
    placed = {path: place for path in tree if not is_orphan(path) if (place := place_of(path))}
    found: dict[str, Document] = {}
    for path, data in zip(placed, texts.blobs(map(tree.__getitem__, placed)), strict=True):
        name = name_in(data)
        if name is not None:
            found[path] = _rooted((placed[path].doctype, name), "")
    return found


def _documents_at(
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


def _version_at(path: str, blob: str, found: Mapping[str, Document], texts: Texts) -> Version:
    if is_orphan(path):
        return Version(found[path].parent, texts.add(placed_text(found[path])))
    place = place_of(path)
    above = found.get(place.parent_path) if place and place.parent_path else None
    return Version(above.name if above else "", blob)
