"""Documents in parts: those of a DocType by a checksum of their names, some dozens in each.

Digests are whole numbers, so a part's is the sum of its documents'. Where the database adds them up
itself, a part with the sum that it had before is not looked at again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

from exporter.core.model import Ref

__all__ = ["PARTS", "Part", "Sums", "differing_parts", "part_of", "summed"]

PARTS = 1024

Part = tuple[str, int]
"""A DocType, and which of its parts."""
Sums = Mapping[Part, int | None]
"""Sums of digests by part; None where one of its documents has no digest."""


def part_of(ref: Ref) -> Part:
    """Return the part that a document is in."""
    doctype, name = ref
    return doctype, zlib.crc32(name.encode()) % PARTS


def summed(digests: Iterable[tuple[Ref, int | None]]) -> dict[Part, int | None]:
    """Add up the digests of documents by part."""
    sums: dict[Part, int | None] = {}
    for ref, digest in digests:
        part = part_of(ref)
        sofar = sums.get(part, 0)
        sums[part] = None if digest is None or sofar is None else sofar + digest
    return sums


def differing_parts(before: Sums, after: Sums) -> frozenset[Part]:
    """Return the parts in which a document may differ; one without a sum always may."""
    return frozenset(
        part
        for part in before.keys() | after.keys()
        if (found := after.get(part)) is None or found != before.get(part)
    )
