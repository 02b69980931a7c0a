"""Releases as values: the live head, the immutable record, a plan's outcome (spec 5).

A release record answers "what was live on day X, byte for byte, from which commit". This module
knows what a record holds and how it is written as JSON; where it is kept is the ledger's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from exporter.core.artifacts import Entry, Index
from exporter.core.jsonvalues import text_of

__all__ = [
    "Head",
    "Kept",
    "Kind",
    "Outcome",
    "PlanState",
    "Release",
    "index_json",
    "kept_json",
    "parse_index",
    "parse_kept",
]

MAX_ATTEMPTS = 3
"""Failed or held back so often in a row, a plan is a dead letter until it is retried."""


class Kind(Enum):
    """Why there is a release."""

    PUBLISH = "publish"
    ROLLBACK = "rollback"
    REFRESH = "refresh"
    REPAIR = "repair"
    GC = "gc"
    ADOPT = "adopt"


class PlanState(Enum):
    """What a release did with a plan."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    FAILED = "failed"
    HELD = "held back"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan in a release; `index` is the digest of its live index, empty where it has none."""

    state: PlanState
    index: str = ""
    attempts: int = 0
    """Releases in a row that failed or held the plan back; 0 where it was not asked for."""
    error: str = ""
    commit: str = ""
    """The commit of which the plan's live files are."""
    lessons: str = ""
    """Digest of the index of the shared files that they were built against."""
    files: int = 0
    """How many live files of its own the plan has."""

    @property
    def is_behind(self) -> bool:
        """Tell whether the plan stayed at an earlier release."""
        return self.state in (PlanState.FAILED, PlanState.HELD)

    @property
    def is_waiting(self) -> bool:
        """Tell whether the next publish tries this plan again by itself."""
        return self.is_behind and self.attempts < MAX_ATTEMPTS

    @property
    def is_dead(self) -> bool:
        """Tell whether this is a dead letter: not tried again until told to, or changed."""
        return self.is_behind and self.attempts >= MAX_ATTEMPTS

    @property
    def is_bad(self) -> bool:
        """Tell whether the plan failed or was held back, other than by not being asked for."""
        return self.is_behind and self.attempts > 0


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was live until then, in Unix seconds, and stands on (`publish.keep`)."""

    entry: Entry
    until: int


@dataclass(frozen=True, slots=True)
class Head:
    """The live release, as `head.json` names it."""

    release: str
    commit: str
    fingerprint: str

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Head:
        """Read a head.

        Raises:
            TypeError: it is not one of ours.
        """
        return cls(**{name: text_of(value) for name, value in record.items()})


@dataclass(frozen=True, slots=True)
class Release:
    """One immutable release record; times are ISO 8601 UTC, counts are of files and bytes."""

    id: str
    kind: Kind
    commit: str
    fingerprint: str
    exporter: str
    parent_release: str = ""
    parent_commit: str = ""
    trigger: str = ""
    started_at: str = ""
    finished_at: str = ""
    plans: Mapping[str, Outcome] = field(default_factory=dict)
    lessons: str = ""
    """Digest of the index of the shared lessons."""
    kept: str = ""
    """Digest of the index of what stands on the CDN and is live no more; empty for nothing."""
    files_put: int = 0
    bytes_put: int = 0
    files_deleted: int = 0
    urls_to_purge: int = 0
    store: str = ""
    """Where its files are (`store_name`); empty in records of before there was this field."""
    precedent: str = ""
    """The earlier release of which files were taken as they stood; empty where all were made."""

    @property
    def head(self) -> Head:
        """Return the head that makes this release the live one."""
        return Head(self.id, self.commit, self.fingerprint)

    @property
    def is_attempt(self) -> bool:
        """Tell whether plans were held back or failed, and nothing that readers see changed.

        There is a record all the same: it counts the attempts.
        """
        tried = any(plan.is_bad for plan in self.plans.values())
        return tried and not (self.files_put or self.files_deleted)

    def to_json(self) -> dict[str, Any]:
        """Return the record as it is written."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "commit": self.commit,
            "parents": {"release": self.parent_release, "commit": self.parent_commit},
            "trigger": self.trigger,
            "exporter": self.exporter,
            "fingerprint": self.fingerprint,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "plans": {
                name: {**asdict(outcome), "state": outcome.state.value}
                for name, outcome in sorted(self.plans.items())
            },
            "lessons": self.lessons,
            "kept": self.kept,
            "files_put": self.files_put,
            "bytes_put": self.bytes_put,
            "files_deleted": self.files_deleted,
            "urls_to_purge": self.urls_to_purge,
            "store": self.store,
            "precedent": self.precedent,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Release:
        """Read a record.

        Raises:
            KeyError, ValueError: it is not one of ours.
        """
        plans = {
            name: Outcome(**{**found, "state": PlanState(found["state"])})
            for name, found in record["plans"].items()
        }
        counts = ("files_put", "bytes_put", "files_deleted", "urls_to_purge")
        texts = ("id", "commit", "fingerprint", "exporter", "trigger", "started_at", "finished_at")
        return cls(
            kind=Kind(record["kind"]),
            parent_release=record["parents"]["release"],
            parent_commit=record["parents"]["commit"],
            plans=plans,
            lessons=record["lessons"],
            kept=record.get("kept", ""),
            store=record.get("store", ""),
            precedent=record.get("precedent", ""),
            **{name: record[name] for name in (*texts, *counts)},
        )


def index_json(index: Index, plan: str | None) -> dict[str, Any]:
    """Return an index as it is written; `plan` is None for the shared lessons."""
    return {
        "plan": plan,
        "files": {key: _entry_json(entry) for key, entry in sorted(index.items())},
    }


def kept_json(kept: Mapping[str, Kept]) -> dict[str, Any]:
    """Return the index of what stands on, as it is written."""
    return {
        "kept": {
            key: {**_entry_json(one.entry), "until": one.until} for key, one in sorted(kept.items())
        }
    }


def parse_index(record: Mapping[str, Any]) -> dict[str, Entry]:
    """Read an index.

    Raises:
        KeyError, TypeError: it is not one of ours.
    """
    return {key: _entry(found) for key, found in record["files"].items()}


def parse_kept(record: Mapping[str, Any]) -> dict[str, Kept]:
    """Read an index of what stands on.

    Raises:
        KeyError, TypeError: it is not one of ours.
    """
    return {key: Kept(_entry(found), found["until"]) for key, found in record["kept"].items()}


def _entry_json(entry: Entry) -> dict[str, Any]:
    record: dict[str, Any] = {
        "digest": entry.digest,
        "size": entry.size,
        "version": entry.version,
        "links": entry.links,
    }
    return {**record, "lessons": entry.lessons} if entry.lessons else record


def _entry(found: Mapping[str, Any]) -> Entry:
    links, lessons = tuple(found["links"]), found.get("lessons", 0)
    return Entry(found["digest"], found["size"], found["version"], links, lessons)
