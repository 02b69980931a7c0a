"""A source without a database, for tests of what happens after reading."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from exporter.core.model import Document, Ref

__all__ = ["MemorySource"]


@dataclass
class MemorySource:
    """Documents as a database would give them; `documents` may be replaced between snapshots."""

    documents: Iterable[Document]
    identity: str = "memory"

    @contextmanager
    def view(self) -> Iterator[_MemoryView]:
        """Open a view, which keeps what is there now."""
        yield _MemoryView(self.identity, tuple(self.documents))


@dataclass
class _MemoryView:
    identity: str
    held: tuple[Document, ...]

    def digests(self) -> Iterator[tuple[Ref, str | None]]:
        """Yield a digest of everything that a document says."""
        for each in self.held:
            content = repr((each.name, list(each.fields.items()), list(each.rows.items())))
            yield each.ref, hashlib.sha256(content.encode()).hexdigest()

    def size(self) -> int:
        """Return how many documents there are."""
        return len(self.held)

    def everything(self) -> Iterator[tuple[Document, str | None]]:
        """Yield every document with its digest."""
        return ((each, digest) for each, (_, digest) in zip(self.held, self.digests(), strict=True))

    def documents(self, only: Collection[Ref]) -> Iterator[Document]:
        """Yield those documents that exist."""
        return (each for each in self.held if each.ref in only)
