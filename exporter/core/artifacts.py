"""Published files as values: kinds, phases, index entries and the version rule (spec 4, spec 5).

A layout gives `Draft`s: a key, a kind and how to make the body once the versions of the files that
it links to are known. The builder turns drafts into `Artifact`s, in the order of their phases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from exporter.core.model import Json
from exporter.core.segments import object_url

__all__ = ["Artifact", "Body", "Draft", "Entry", "Index", "Kind", "Link", "Rules", "next_version", "url_of"]

Body = dict[str, Json]
Link = Callable[[str], str]
"""Give the URL of a key that was built before; it is recorded as a link of the file being made."""


class Kind(Enum):
    """What a published file is; the value names its schema."""

    LESSON = "lesson"
    TOPIC = "topic"
    BITMAP = "bitmap"
    SEARCH_SHARD = "search-shard"
    HIERARCHY = "hierarchy"
    SEARCH_INDEX = "search-index"
    MANIFEST = "manifest"

    @property
    def phase(self) -> int:
        """Return the upload phase, from 0; each is complete before the next (spec 5, step 4)."""
        return _PHASES[self]


_PHASES = {
    Kind.LESSON: 0,
    Kind.TOPIC: 1,
    Kind.BITMAP: 1,
    Kind.SEARCH_SHARD: 1,
    Kind.HIERARCHY: 2,
    Kind.SEARCH_INDEX: 2,
    Kind.MANIFEST: 3,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The configuration that shapes output (spec 6, `build`)."""

    default_access: str = "authenticated"
    version_links: bool = True
    files_base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A file to be made; `make` returns its body with `version` 0 and `generated_at` empty."""

    key: str
    kind: Kind
    make: Callable[[Link], Body]


@dataclass(frozen=True, slots=True)
class Entry:
    """What an index says of a live file: body digest (hex SHA-256), bytes, version, linked keys."""

    digest: str
    size: int
    version: int
    links: tuple[str, ...] = ()


Index = Mapping[str, Entry]
"""The files of one plan, or the shared lessons, by object key."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A checked file, ready to be published. `plan` is None for a shared lesson."""

    key: str
    kind: Kind
    plan: str | None
    entry: Entry
    data: bytes


def next_version(digest: str, live: Entry | None, commit_time: int) -> int:
    """Return a file's version in Unix seconds: the live one while the content is the same."""
    if live is None:
        return commit_time
    return live.version if live.digest == digest else max(commit_time, live.version + 1)


def url_of(key: str, version: int, rules: Rules) -> str:
    """Return the link to a file, relative to the CDN's root."""
    return f"{object_url(key)}?v={version}" if rules.version_links else object_url(key)


def linked_keys(entries: Iterable[Entry]) -> set[str]:
    """Return every key that one of these files links to."""
    return {link for entry in entries for link in entry.links}
