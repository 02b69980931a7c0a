"""What the shards of a matrix publish leave in the state store: a record each (spec 5).

Several machines may share a publish (`addressing: hashed`): each builds, checks and puts the files
of its share of the plans, all but their manifests, and leaves a record, `shards/<binding>/I-of-N`.
Nothing leads to those files until one machine gathers the records (`gathering`) and flips the
manifests.

A record is bound to a commit, the release that was live, and the fingerprint of the exporter and
its configuration; under any other binding it is not found. It is written before the first file is
put and again when all are there, so what an abandoned shard put is known too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from exporter.build.builder import Built
from exporter.core.artifacts import Entry, Index
from exporter.core.findings import Finding
from exporter.core.release import Head, index_json, parse_index
from exporter.core.wording import unreadable
from exporter.errors import Refused, StoreError, UsageError
from exporter.publish.run import moment
from exporter.stores.base import Attributes, IfAbsent, IfMatch, ObjectStore, PreconditionFailed

__all__ = [
    "FOLDER",
    "Binding",
    "Shard",
    "ShardRecord",
    "all_shards",
    "parse_shard",
    "read_shard",
    "save_shard",
]

FOLDER = "shards/"
_JSON = Attributes("application/json; charset=utf-8", "no-store")


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One of the shares of a publish, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> Shard:
    """Read `I/N`.

    Raises:
        UsageError: it is no such share.
    """
    number, slash, of = text.partition("/")
    if slash and all(part.isascii() and part.isdigit() for part in (number, of)):
        shard = Shard(int(number), int(of))
        if 1 <= shard.number <= shard.of:
            return shard
    raise UsageError(
        f"{text!r} is no shard", hint="write --shard I/N, such as --shard 2/3: the second of three"
    )


@dataclass(frozen=True, slots=True)
class Binding:
    """What a shard was prepared for; `base` is the release that was live, empty for none."""

    commit: str
    base: str
    fingerprint: str

    @classmethod
    def to(cls, commit: str, head: Head | None, fingerprint: str) -> Binding:
        """Return what ties a shard to a commit over the live release."""
        return cls(commit, head.release if head else "", fingerprint)

    @property
    def folder(self) -> str:
        """Return where the records of this publish are."""
        digest = hashlib.sha256(orjson.dumps([self.commit, self.base, self.fingerprint]))
        return f"{FOLDER}{digest.hexdigest()[:16]}/"

    def key(self, shard: Shard) -> str:
        """Return where a shard's record is."""
        return f"{self.folder}{shard.number}-of-{shard.of}.json"

    def unlike(self, other: Binding) -> str:
        """Say in what another binding differs, as it concerns people."""
        if self.commit != other.commit:
            return f"is of commit {other.commit[:12]}, not of {self.commit[:12]}"
        if self.base != other.base:
            now, then = self.base or "nothing", other.base or "nothing"
            return f"was prepared while {then} was live; now it is {now}"
        return "was prepared by another exporter or with another configuration"


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """What a shard made, and what it puts or has put."""

    shard: Shard
    binding: Binding
    at: str
    """When it was written, as `run.instant` writes it."""
    share: frozenset[str] = frozenset()
    """The plans that it was to make."""
    built: Built = field(default_factory=lambda: Built({}, {}, ()))
    manifests: Mapping[str, bytes] = field(default_factory=dict)
    """The manifests of its plans, by key: these are put by whoever finishes."""
    removed: frozenset[str] = frozenset()
    held: Mapping[str, str] = field(default_factory=dict)
    """The plans that an error holds back, with why."""
    put: tuple[str, ...] = ()
    """The keys that it puts."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """The plans of which the upload failed for good, with why."""
    is_ready: bool = False
    """Whether all is put that can be."""

    @property
    def put_entries(self) -> dict[str, Entry]:
        """Return what it puts, as its indexes say."""
        known = self.built.entries()
        return {key: known[key] for key in self.put}

    def to_json(self) -> dict[str, Any]:
        """Return the record as it is written."""
        return {
            "state": "ready" if self.is_ready else "uploading",
            "at": self.at,
            "shard": [self.shard.number, self.shard.of],
            "binding": asdict(self.binding),
            "share": sorted(self.share),
            "plans": {name: _files(index) for name, index in sorted(self.built.plans.items())},
            "lessons": _files(self.built.lessons),
            "findings": [asdict(finding) for finding in self.built.findings],
            "manifests": {key: data.decode() for key, data in sorted(self.manifests.items())},
            "removed": sorted(self.removed),
            "held": self.held,
            "put": self.put,
            "failed": self.failed,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> ShardRecord:
        """Read a record.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it is not one of ours.
        """
        moment(record["at"])
        plans: dict[str, Index] = {
            name: parse_index({"files": files}) for name, files in record["plans"].items()
        }
        lessons = parse_index({"files": record["lessons"]})
        findings = tuple(_finding(found) for found in record["findings"])
        found = cls(
            Shard(*record["shard"]),
            Binding(**record["binding"]),
            record["at"],
            frozenset(record["share"]),
            Built(plans, lessons, findings),
            {key: text.encode() for key, text in record["manifests"].items()},
            frozenset(record["removed"]),
            dict(record["held"]),
            tuple(record["put"]),
            dict(record["failed"]),
            record["state"] == "ready",
        )
        found.put_entries  # noqa: B018 - raises for a key that is in no index
        return found


def save_shard(store: ObjectStore, record: ShardRecord, etag: str | None) -> str:
    """Write a shard's record over the one that was read or written before; return its ETag.

    Raises:
        Refused: another run wrote it or took it away meanwhile.
    """
    key, body = record.binding.key(record.shard), orjson.dumps(record.to_json())
    try:
        return store.put(key, body, _JSON, IfMatch(etag) if etag else IfAbsent())
    except PreconditionFailed as error:
        raise Refused(
            f"another run prepares shard {record.shard} at the same time",
            hint="let one of them end, then run again",
        ) from error


def read_shard(store: ObjectStore, key: str) -> tuple[ShardRecord, str] | None:
    """Return a shard's record with its ETag, or None where there is none.

    Raises:
        StoreError: it cannot be read.
    """
    found = store.get(key)
    if found is None:
        return None
    try:
        return ShardRecord.from_json(orjson.loads(found.body)), found.info.etag
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{key} in the state store {store.label} cannot be read: {unreadable(error)}",
            hint="delete it, and prepare that shard again",
        ) from error


def all_shards(store: ObjectStore) -> Iterator[tuple[str, ShardRecord, str]]:
    """Yield all records with their keys and ETags.

    Raises:
        StoreError: one cannot be read.
    """
    for info in list(store.list(FOLDER)):
        if found := read_shard(store, info.key):
            yield info.key, *found


def _files(index: Index) -> Any:  # noqa: ANN401 - JSON
    return index_json(index, None)["files"]


def _finding(found: Mapping[str, Any]) -> Finding:
    """Read a finding: JSON knows no tuples."""
    ref = found["ref"]
    return Finding(
        **{
            **found,
            "pointer": tuple(found["pointer"]),
            "ref": tuple(ref) if ref else None,
            "anchors": tuple(tuple(one) for one in found["anchors"]),
            "breadcrumb": tuple(found["breadcrumb"]),
            "plans": tuple(found["plans"]),
        }
    )
