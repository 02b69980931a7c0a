"""Published files as values: kinds, phases, index entries and the version rule (spec 4, spec 5).

A layout gives `Draft`s: a key, a kind and how to make the body once the versions of the files that
it links to are known. The builder turns drafts into `Artifact`s, in the order of their phases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from exporter.core.model import Json
from exporter.core.segments import object_url

__all__ = [
    "Artifact",
    "Body",
    "Draft",
    "Entry",
    "Index",
    "Kind",
    "Link",
    "Rules",
    "linked_keys",
    "next_version",
    "url_of",
]

Body = dict[str, Json]


class Link(Protocol):
    """Gives the URL of a key, and records it as a link of the file that is being made."""

    def __call__(self, key: str, *, versioned: bool = True) -> str:
        """Return the URL; with its version, the linked file must have been made before."""
        ...


class Kind(Enum):
    """What a published file is; the value names its headers and, but for layouts, its schema."""

    LESSON = "lesson"
    TOPIC = "topic"
    BITMAP = "bitmap"
    SEARCH_SHARD = "search-shard"
    UNIT = "unit"
    HIERARCHY = "hierarchy"
    SUBJECT = "subject"
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
    Kind.UNIT: 1,
    Kind.HIERARCHY: 2,
    Kind.SUBJECT: 2,
    Kind.SEARCH_INDEX: 2,
    Kind.MANIFEST: 3,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The configuration that shapes output (spec 6, `build`)."""

    default_access: str = "authenticated"
    version_links: bool = True
    files_base_url: str | None = None
    layouts: tuple[str, ...] = ("atomic",)
    addressing: str = "stable"
    """`hashed`: keys carry the digest of their bytes (`addressing`)."""

    @property
    def hashed(self) -> bool:
        """Tell whether keys carry the digest of their bytes."""
        return self.addressing == "hashed"

    @property
    def atomic(self) -> bool:
        """Tell whether the layout `atomic` is on."""
        return "atomic" in self.layouts

    @property
    def monolithic(self) -> bool:
        """Tell whether the layout `monolithic` is on."""
        return "monolithic" in self.layouts


@dataclass(frozen=True, slots=True)
class Draft:
    """A file to be made; `make` returns its body with `version` 0 and `generated_at` empty."""

    key: str
    kind: Kind
    make: Callable[[Link], Body]
    layout: str = ""
    """The layout whose form of the kind this is, where that is not the atomic one."""
    shown: tuple[object, ...] = ()
    """What the body is made of, where drafts of several plans have the same: nodes by identity."""

    @property
    def schema(self) -> str:
        """Return the name of the schema that the file must fit."""
        return f"{self.layout}-{self.kind.value}" if self.layout else self.kind.value


@dataclass(frozen=True, slots=True)
class Entry:
    """What an index says of a live file: body digest (hex SHA-256), bytes, version, linked keys."""

    digest: str
    size: int
    version: int
    links: tuple[str, ...] = ()
    lessons: int = field(default=0, compare=False)
    """Of a search shard how many lessons it lists; indexes of before do not say."""

    def __reduce__(self) -> tuple[type[Entry], tuple[object, ...]]:
        """Pickle at half the price of a dataclass: workers return one for each file."""
        return Entry, (self.digest, self.size, self.version, self.links, self.lessons)


Index = Mapping[str, Entry]
"""The files of one plan, or the shared ones (lessons, units), by object key."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A checked file, ready to be published. `plan` is None for a shared one (lesson, unit)."""

    key: str
    kind: Kind
    plan: str | None
    entry: Entry
    stored: bytes | Callable[[], bytes]
    """Its bytes, or what fetches them from where they were set aside."""

    @property
    def data(self) -> bytes:
        """Return its bytes."""
        return self.stored if isinstance(self.stored, bytes) else self.stored()


def next_version(digest: str, live: Entry | None, commit_time: int) -> int:
    """Return a file's version in Unix seconds: the live one while the content is the same."""
    if live is None:
        return commit_time
    return live.version if live.digest == digest else max(commit_time, live.version + 1)


def url_of(key: str, version: int | None, rules: Rules) -> str:
    """Return the link to a file, relative to the CDN's root; None for one without a version.

    A key that carries the digest of its bytes needs no version beside it.
    """
    if version is None or not rules.version_links or rules.hashed:
        return object_url(key)
    return f"{object_url(key)}?v={version}"


def linked_keys(entries: Iterable[Entry]) -> set[str]:
    """Return every key that one of these files links to."""
    return set().union(*(entry.links for entry in entries))
