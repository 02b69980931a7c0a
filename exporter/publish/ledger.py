"""The ledger: releases, indexes and the live head, in a target's state store (spec 5).

Records and indexes are immutable; the head and the journal are only ever replaced by
compare-and-swap, so nothing that was decided from an older state is ever written. What is read
back and cannot be understood is said, never taken for "nothing is live".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import orjson

from exporter.core.artifacts import Entry, Index
from exporter.core.release import (
    Head,
    Kept,
    Release,
    index_json,
    kept_json,
    parse_index,
    parse_kept,
)
from exporter.core.wording import unreadable
from exporter.errors import Refused, StoreError
from exporter.publish.journal import Journal
from exporter.stores.base import (
    Attributes,
    IfAbsent,
    IfMatch,
    ObjectStore,
    PreconditionFailed,
    StoredObject,
)

__all__ = ["Ledger", "LiveState", "LostSwap", "Noted", "PackedIndex", "pack_index", "pack_kept"]

FETCHERS = 16
"""So many indexes are fetched at a time: each is a round trip to the store."""
FETCHED_ALONE = 3
"""Fewer are fetched one after the other."""

_HEAD = "head.json"
_JOURNAL = "journal.json"
_JSON = Attributes("application/json; charset=utf-8", "no-store")
_DAMAGED = (
    "the ledger is damaged: restore the state store from its backup, or delete head.json there and "
    "run `exporter adopt`"
)
_MENDED = {
    _JOURNAL: "delete it there and run `exporter verify --repair`: it says what an unfinished "
    "publish left, which has to be looked for now",
    "purges": "delete it there, and purge everything once",
}
"""What is done about a damaged file that the ledger can do without."""
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class LiveState:
    """The live release and the ETag of its head; all None before the first release."""

    head: Head | None = None
    release: Release | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """The journal as it was read, with its ETag; clean and without one where there is none."""

    journal: Journal = field(default_factory=Journal)
    etag: str | None = None


class LostSwap(Refused):
    """Somebody else's release went live first."""


@dataclass(frozen=True, slots=True)
class PackedIndex:
    """An index as it is stored: the bytes and their SHA-256 (hex), which is its name."""

    digest: str
    body: bytes


def pack_index(index: Index, plan: str | None) -> PackedIndex:
    """Write an index as bytes; `plan` is None for the shared lessons."""
    return _pack(index_json(index, plan))


def pack_kept(kept: Mapping[str, Kept]) -> PackedIndex:
    """Write the index of what stands on although it is live no more as bytes."""
    return _pack(kept_json(kept))


def _pack(record: Mapping[str, Any]) -> PackedIndex:
    body = orjson.dumps(record)
    return PackedIndex(hashlib.sha256(body).hexdigest(), body)


class Ledger:
    """Reads and writes the ledger of one target."""

    def __init__(self, store: ObjectStore, cdn_name: str = "") -> None:
        """Keep the ledger in a private store; `cdn_name` names the store of the files."""
        self._store = store
        self.cdn_name = cdn_name

    @property
    def store(self) -> ObjectStore:
        """Return the state store, for the lease and for probes."""
        return self._store

    def head(self) -> tuple[Head, str] | None:
        """Return the live head with its ETag, or None before the first release."""
        found = self._store.get(_HEAD)
        if found is None:
            return None
        head = self._parse(_HEAD, found.body, Head.from_json)
        return head, found.info.etag

    def live(self) -> LiveState:
        """Return the live release."""
        found = self.head()
        if found is None:
            return LiveState()
        head, etag = found
        return LiveState(head, self.release(head.release), etag)

    def release(self, release: str) -> Release:
        """Return a release's record.

        Raises:
            StoreError: it is missing or unreadable.
        """
        return self._read(f"releases/{release}.json", Release.from_json)

    def digest(self, release: str) -> str:
        """Return the SHA-256 (hex) of a release's record, byte for byte as it is kept.

        Raises:
            StoreError: it is missing.
        """
        found = self._store.get(f"releases/{release}.json")
        if found is None:
            raise StoreError(f"the record of release {release} is missing from {self._store.label}")
        return hashlib.sha256(found.body).hexdigest()

    def history(self) -> Iterator[Release]:
        """Yield the releases that were live, newest first, by following each one's parent."""
        found = self.head()
        release = found[0].release if found else ""
        while release:
            record = self.release(release)
            yield record
            release = record.parent_release

    def index(self, digest: str) -> dict[str, Entry]:
        """Return an index; the empty digest is the empty index.

        Raises:
            StoreError: it is missing or unreadable.
        """
        if not digest:
            return {}
        return self._parse_index(digest, self._store.get(_index_key(digest)), parse_index)

    def indexes(self, digests: Iterable[str]) -> Iterator[dict[str, Entry]]:
        """Yield indexes in the order asked for; the store is asked for several at a time.

        Raises:
            StoreError: one is missing or unreadable.
        """
        asked = list(digests)
        keys = [_index_key(digest) if digest else "" for digest in asked]
        for digest, found in zip(asked, self._fetched(keys), strict=True):
            yield self._parse_index(digest, found, parse_index) if digest else {}

    def kept(self, release: Release | None) -> dict[str, Kept]:
        """Return what stands on the CDN besides what is live.

        Raises:
            StoreError: the index is missing or unreadable.
        """
        if release is None or not release.kept:
            return {}
        found = self._store.get(_index_key(release.kept))
        return self._parse_index(release.kept, found, parse_kept)

    def save_index(self, packed: PackedIndex) -> None:
        """Write an index under its own digest; one that is there stays."""
        self._create(_index_key(packed.digest), packed.body)

    def save_release(self, release: Release) -> None:
        """Write a release's record, once."""
        self._create(f"releases/{release.id}.json", _dump(release.to_json()))

    def swap_head(self, head: Head, etag: str | None) -> None:
        """Make a release the live one if the head is still the one that was read.

        Raises:
            LostSwap: somebody else published meanwhile.
        """
        try:
            self._store.put(_HEAD, _dump(asdict(head)), _JSON, _condition(etag))
        except PreconditionFailed as error:
            raise LostSwap(
                "another publish finished while this one was running; the live release is theirs",
                hint="run again: it starts from the release that is live now",
            ) from error

    def journal(self) -> Noted:
        """Return what is unfinished on this target."""
        found = self._store.get(_JOURNAL)
        if found is None:
            return Noted()
        return Noted(self._parse(_JOURNAL, found.body, Journal.from_json), found.info.etag)

    def save_journal(self, journal: Journal, etag: str | None) -> str:
        """Replace the journal if it still is the one that was read; return its new ETag.

        Raises:
            PreconditionFailed: somebody else wrote it meanwhile.
        """
        return self._store.put(_JOURNAL, orjson.dumps(journal.to_json()), _JSON, _condition(etag))

    def confirm(self, live: LiveState, noted: Noted) -> None:
        """Make sure that head and journal are still those that work was prepared from.

        Raises:
            Refused: another run got there first; nothing was touched.
        """
        found = self.head()
        if (found[1] if found else None) != live.etag or self.journal().etag != noted.etag:
            raise Refused(
                "another publish ran on this target while this one was being prepared",
                hint="run again: it starts from the release that is live now",
            )

    def pending_purge(self, release: str) -> list[dict[str, Any]]:
        """Return the purge requests that a run still owes the CDN (`Journal.owed` names runs)."""
        found = self._store.get(f"purges/{release}.json")
        if found is None:
            return []
        requests: list[dict[str, Any]] = self._parse(
            f"purges/{release}.json", found.body, lambda record: list(record["requests"])
        )
        return requests

    def owe_purge(self, release: str, requests: list[dict[str, Any]]) -> None:
        """Note purge requests that the CDN did not accept; an empty list pays the debt."""
        key = f"purges/{release}.json"
        if requests:
            self._store.put(key, _dump({"release": release, "requests": requests}), _JSON)
        else:
            self._store.delete([key])

    def _create(self, key: str, body: bytes) -> None:
        try:
            self._store.put(key, body, _JSON, IfAbsent())
        except PreconditionFailed:
            return

    def _read(self, key: str, parse: Callable[[Mapping[str, Any]], _Parsed]) -> _Parsed:
        return self._parse(key, self._there(key, self._store.get(key)).body, parse)

    def _fetched(self, keys: Sequence[str]) -> Iterator[StoredObject | None]:
        """Yield what the store has under some keys, in their order; nothing for an empty one."""
        if len(keys) < FETCHED_ALONE:
            yield from (self._store.get(key) if key else None for key in keys)
            return
        from concurrent.futures import ThreadPoolExecutor  # not worth its import for so few

        with ThreadPoolExecutor(FETCHERS) as threads:
            yield from threads.map(lambda key: self._store.get(key) if key else None, keys)

    def _parse_index(
        self,
        digest: str,
        found: StoredObject | None,
        parse: Callable[[Mapping[str, Any]], dict[str, _Parsed]],
    ) -> dict[str, _Parsed]:
        """Parse an index, of which the name says what its bytes are: it decides what is deleted."""
        key = _index_key(digest)
        body = self._there(key, found).body
        if hashlib.sha256(body).hexdigest() != digest:
            raise StoreError(
                f"{key} in the state store {self._store.label} was changed since it was written",
                hint=_DAMAGED,
            )
        return self._parse(key, body, parse)

    def _there(self, key: str, found: StoredObject | None) -> StoredObject:
        if found is None:
            raise StoreError(
                f"{key} is missing from the state store {self._store.label}", hint=_DAMAGED
            )
        return found

    def _parse(
        self, key: str, body: bytes, parse: Callable[[Mapping[str, Any]], _Parsed]
    ) -> _Parsed:
        try:
            return parse(orjson.loads(body))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{key} in the state store {self._store.label} cannot be read: {unreadable(error)}",
                hint=_MENDED.get(key.partition("/")[0], _DAMAGED),
            ) from error


def _index_key(digest: str) -> str:
    return f"indexes/{digest}.json"


def _condition(etag: str | None) -> IfAbsent | IfMatch:
    return IfMatch(etag) if etag else IfAbsent()


def _dump(record: Mapping[str, Any]) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_INDENT_2)
