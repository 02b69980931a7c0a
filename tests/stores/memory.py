"""A store in memory: fast, counting its calls, and failing exactly where a test wants it to.

`Faults` may be shared by several stores, so that a crash test can stop a publish at its n-th
storage call, whichever store that goes to. Deleting many keys is one call a key: a crash may hit
between any two. An iteration over `list` is one call, which may also fail after its last item.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from exporter.errors import StoreError
from exporter.stores.base import (
    Attributes,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    PreconditionFailed,
    StoredObject,
)

__all__ = ["Call", "Faults", "MemoryStore"]

Call = tuple[str, str]
"""The operation and the key, or the prefix of a `list`."""


class Faults:
    """Counts calls from 1 and fails the n-th, before or after its effect.

    `error` is raised as it is: a BaseException acts out a killed process. With `lasting`, every
    later call fails before its effect, as those of a dead process, or to a store that stays away.
    """

    def __init__(
        self,
        fail_at: int | None = None,
        when: Literal["before", "after"] = "before",
        error: BaseException | None = None,
        *,
        lasting: bool = False,
    ) -> None:
        self.fail_at = fail_at
        self.when = when
        self.error = error or StoreError("memory: the store failed, as the test wanted")
        self.lasting = lasting
        self.count = 0
        self._counting = threading.Lock()

    @contextmanager
    def around_effect(self) -> Iterator[None]:
        """Run one call's effect, with the fault where it is due."""
        with self._counting:
            self.count += 1
            number = self.count
        due = number == self.fail_at
        if due and self.when == "before":
            raise self.error
        if self.lasting and self.fail_at is not None and number > self.fail_at:
            raise self.error
        yield
        if due:
            raise self.error


class MemoryStore:
    """An `ObjectStore` in a dictionary. `calls` holds what was asked, in order."""

    def __init__(self, faults: Faults | None = None, label: str = "memory://") -> None:
        self.faults = faults or Faults()
        self.calls: list[Call] = []
        self._label = label
        self._objects: dict[str, StoredObject] = {}
        self._changing = threading.Lock()

    @property
    def label(self) -> str:
        return self._label

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was asked for."""
        return Counter(operation for operation, _ in self.calls)

    @property
    def bodies(self) -> dict[str, bytes]:
        """What is stored, by key and in their order, without a call being counted."""
        with self._changing:
            return {key: self._objects[key].body for key in sorted(self._objects)}

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        metadata = dict(attributes.metadata)
        if not all(f"{name}{value}".isascii() for name, value in metadata.items()):
            raise ValueError(f"metadata must be ASCII: {metadata!r}")
        kept = Attributes(attributes.content_type, attributes.cache_control, metadata)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        with self._call("put", key), self._changing:
            self._require(key, condition)
            self._objects[key] = StoredObject(ObjectInfo(key, len(body), etag, kept), bytes(body))
        return etag

    def get(self, key: str) -> StoredObject | None:
        with self._call("get", key):
            return self._objects.get(key)

    def head(self, key: str) -> ObjectInfo | None:
        with self._call("head", key):
            found = self._objects.get(key)
            return found.info if found else None

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with self._call("delete", key), self._changing:
                self._objects.pop(key, None)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        with self._call("list", prefix):
            with self._changing:
                found = {key: held.info for key, held in self._objects.items()}
            for key in sorted(found):
                if key.startswith(prefix):
                    yield ObjectInfo(key, found[key].size, found[key].etag)

    @contextmanager
    def _call(self, operation: str, key: str) -> Iterator[None]:
        self.calls.append((operation, key))
        with self.faults.around_effect():
            yield

    def _require(self, key: str, condition: IfAbsent | IfMatch | None) -> None:
        held = self._objects.get(key)
        if isinstance(condition, IfAbsent) and held is not None:
            raise PreconditionFailed(f"{self.label}{key} exists already")
        if isinstance(condition, IfMatch) and (held is None or held.info.etag != condition.etag):
            raise PreconditionFailed(f"{self.label}{key} is no longer the one that was read")
