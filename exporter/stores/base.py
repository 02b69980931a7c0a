"""What a store is: the small interface behind which S3, a folder and the tests' memory stand.

A store holds whole objects under keys. `put` may be conditional, which is all that locking and
compare-and-swap need. A store knows nothing of releases, plans or JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporter.errors import Refused

__all__ = [
    "Attributes",
    "IfAbsent",
    "IfMatch",
    "ObjectInfo",
    "ObjectStore",
    "PreconditionFailed",
    "StoredObject",
]


class PreconditionFailed(Refused):
    """A conditional put lost: the object is there, or is no longer the one that was read."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is stored beside an object's bytes and served with them."""

    content_type: str = "application/octet-stream"
    cache_control: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Lower-case ASCII names and ASCII values (S3 user metadata, without `x-amz-meta-`)."""
    content_encoding: str = ""
    """Read only: nothing is put with one, and with a wrong one no browser can read the body."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object without its bytes; `size` in bytes, `etag` opaque and without quotes."""

    key: str
    size: int
    etag: str
    attributes: Attributes = field(default_factory=Attributes)
    """Not filled in by `list`."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object with its bytes."""

    info: ObjectInfo
    body: bytes


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """Put only where no object has the key."""


@dataclass(frozen=True, slots=True)
class IfMatch:
    """Put only where the object still has this ETag."""

    etag: str


class ObjectStore(Protocol):
    """A place for objects. Every method may raise `StoreError`; all are safe in threads."""

    @property
    def label(self) -> str:
        """Name the store for people, without credentials: `s3://bucket/prefix`."""

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        """Store an object whole or not at all and return its ETag.

        Raises:
            PreconditionFailed: the condition did not hold; nothing was written.
        """

    def get(self, key: str) -> StoredObject | None:
        """Return the object, or None where there is none."""

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of the object, or None where there is none."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; a key without an object is no error."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose key starts with `prefix`, in the order of their keys."""
