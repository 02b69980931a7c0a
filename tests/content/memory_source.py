"""A source without a database, for tests of what happens after reading."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from exporter.core.model import Document, Ref
from exporter.core.parts import Part, part_of, summed

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

    def sums(self) -> dict[Part, int | None]:
        """Add up the digests of each part."""
        return summed(self.digests())

    def digests(self, parts: Collection[Part] | None = None) -> Iterator[tuple[Ref, int | None]]:
        """Yield a digest of everything that a document says."""
        for each in self.held:
            if parts is None or part_of(each.ref) in parts:
                content = repr((each.name, list(each.fields.items()), list(each.rows.items())))
                yield each.ref, int.from_bytes(hashlib.sha256(content.encode()).digest())

    def size(self) -> int:
        """Return how many documents there are."""
        return len(self.held)

    def everything(self) -> Iterator[tuple[Document, int | None]]:
        """Yield every document with its digest."""
        return ((each, digest) for each, (_, digest) in zip(self.held, self.digests(), strict=True))

    def documents(self, only: Collection[Ref]) -> Iterator[Document]:
        """Yield those documents that exist."""
        return (each for each in self.held if each.ref in only)
