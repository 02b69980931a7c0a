"""Comparing the database with HEAD, without writing anything (spec 2, steps 1 and 2).

Where the last snapshot is remembered, only documents with another digest are read; else everything
is, and HEAD's files tell what they are. Both ways end in the same answer. Of each document only its
version is kept; new contents go to the spool.

Where the database adds up digests, only parts with another sum are looked at, and lessons of other
parts are left out on both sides, for as long as nobody comes, goes or moves: they are the same, and
their paths are theirs. Of every other document it is known all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol

from exporter.content.candidates import Candidate, Version
from exporter.content.committed import (
    document_files,
    document_in,
    documents_at,
    is_orphan,
    placed_text,
)
from exporter.content.digests import Known, Memory, Scope, recall
from exporter.content.repository import Commit, Repository
from exporter.content.texts import Texts
from exporter.core.model import Document, ExtraFields, Ref
from exporter.core.parts import Part, Sums, differing_parts, part_of, summed

__all__ = ["Comparison", "Source", "View", "compare", "spool_placed"]


class View(Protocol):
    """A source's documents at one moment."""

    identity: str
    """What tells the source, and what is read of it, from any other."""

    def sums(self) -> Sums | None:
        """Return the sums of digests of all parts; None where the source adds nothing up."""

    def digests(self, parts: Collection[Part] | None = None) -> Iterator[tuple[Ref, int | None]]:
        """Yield the digest of every document, or those of some parts; None where there is none."""

    def size(self) -> int:
        """Return how many documents there are."""

    def everything(self) -> Iterator[tuple[Document, int | None]]:
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
    digests: Mapping[Ref, int | None]
    """The database's."""
    titles: Mapping[Ref, str]
    """Titles of documents that were read and have a content that HEAD has not."""
    texts: Texts
    """The contents of either side; of HEAD's orphans, only those that differ."""
    scope: Scope
    memory: Memory | None = None
    """What is remembered of HEAD; None where everything was read."""
    sums: Sums = field(default_factory=dict)
    """The database's, by part."""
    left_out: int = 0
    """How many lessons, the same on both sides, it says nothing of."""

    @property
    def remembered(self) -> bool:
        """Tell whether only documents with another digest were read."""
        return self.memory is not None

    @property
    def unchanged(self) -> bool:
        """Tell whether the database is, digest by digest, as it is remembered."""
        return (
            self.memory is not None
            and not differing_parts(self.memory.sums, self.sums)
            and self.digests.keys() == self.before.keys()
            and all(digest == self.before[ref].digest for ref, digest in self.digests.items())
        )

    def whole(self) -> Comparison:
        """Return the same with nothing left out."""
        if not (self.left_out and self.memory):
            return self
        before = self.memory.documents()
        others = {ref: known for ref, known in before.items() if ref not in self.before}
        return replace(
            self,
            before=before,
            files=frozenset(known.path for known in before.values()),
            after={**self.after, **{ref: known.version for ref, known in others.items()}},
            digests={**self.digests, **{ref: known.digest for ref, known in others.items()}},
            left_out=0,
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
        memory = None if full else recall(repository.private_dir, scope)
        if memory:
            found = _compared_with(memory, view, head, texts, scope)
            if found:
                return found
        tree = document_files(repository, head, folder)
        digests: dict[Ref, int | None] = {}
        documents = _noting(view.everything(), digests)
        after, titles = _read(documents, frozenset(tree.values()), texts)
    before = documents_at(tree, after, texts, extra)
    sums = summed(digests.items())
    return Comparison(
        head, before, frozenset(tree), after, digests, titles, texts, scope, sums=sums
    )


def _compared_with(
    memory: Memory, view: View, head: Commit | None, texts: Texts, scope: Scope
) -> Comparison | None:
    """Look only where the database is not as remembered; None where that cannot be trusted."""
    sums = view.sums()
    parts = None if sums is None else differing_parts(memory.sums, sums)
    if sums is not None and not parts:
        return Comparison(
            head, {}, frozenset(), {}, {}, {}, texts, scope, memory, sums, memory.total
        )
    if not memory.load():
        return None
    known = memory.documents(parts)
    digests = dict(view.digests(parts))
    if parts is not None:
        same = {ref: each.digest for ref, each in known.items() if part_of(ref) not in parts}
        digests = same | digests
    after, titles = _read_changed(view, known, digests, texts)
    files = frozenset(each.path for each in known.values())
    sums = summed(digests.items()) if sums is None else sums
    left_out = memory.total - len(known)
    return Comparison(
        head, known, files, after, digests, titles, texts, scope, memory, sums, left_out
    )


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


def _read_changed(
    view: View, known: Mapping[Ref, Known], digests: Mapping[Ref, int | None], texts: Texts
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
    digested: Iterable[tuple[Document, int | None]], digests: dict[Ref, int | None]
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
