"""The sections of a configuration, with every default filled in (spec 6).

Names ending in `_s` are seconds. Locations of stores stay as they are written: a relative one
starts at `Config.root`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["error", "warning", "off"]

CACHE_CONTROL: Mapping[str, str] = {
    "manifest": "max-age=60",
    "hierarchy": "max-age=300",
    "bitmap": "max-age=300",
    "topic": "max-age=300",
    "lesson": "max-age=300",
    "search-index": "max-age=300",
    "search-shard": "max-age=300",
    "subject": "max-age=300",
    "unit": "max-age=300",
}
"""The Cache-Control header by kind of file, where the configuration says nothing (spec 5)."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A value that no output, log or traceback may show."""

    _value: str

    def reveal(self) -> str:
        """Return the value, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Source:
    """What is read besides the declared columns; the URL is `Config.source_url`."""

    extra_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How the content is written to git; `path` is relative to the root."""

    path: str = "content-snapshot"
    max_delete_ratio: float = 0.2
    author: str | None = None
    """`Name <address>`; None for git's own identity."""


@dataclass(frozen=True, slots=True)
class Watch:
    """When `exporter watch` takes a snapshot."""

    poll_s: int = 15
    interval_s: int = 300
    threshold: int = 50


@dataclass(frozen=True, slots=True)
class Build:
    """How the published files look."""

    layouts: tuple[str, ...] = ("atomic",)
    default_access: str = "authenticated"
    version_links: bool = True
    files_base_url: str | None = None
    credential_patterns: tuple[str, ...] = ()
    """Regular expressions that E113 looks for, besides its own."""


@dataclass(frozen=True, slots=True)
class SignedMedia:
    """URLs starting with `prefix` are signed for the objects of `bucket`."""

    prefix: str
    bucket: str
    expires_s: int = 14_400


@dataclass(frozen=True, slots=True)
class Media:
    """Media files in private buckets."""

    signed: tuple[SignedMedia, ...] = ()
    refresh_before_s: int | None = None

    def refresh_before(self, rule: SignedMedia) -> int:
        """Return how many seconds before its URLs expire a lesson is signed again."""
        return rule.expires_s // 2 if self.refresh_before_s is None else self.refresh_before_s


@dataclass(frozen=True, slots=True)
class Publish:
    """How files reach the CDN; `cache_control` has every kind."""

    addressing: str = "stable"
    max_delete_ratio: float = 0.3
    concurrency: int = 32
    retries: int = 3
    keep_s: int = 2_592_000
    cache_control: Mapping[str, str] = field(default_factory=lambda: dict(CACHE_CONTROL))


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told when a publish fails or leaves a plan behind."""

    url: Secret | None = None
    """A webhook; whoever knows its URL can write there."""


@dataclass(frozen=True, slots=True)
class S3:
    """How both stores' buckets are reached; the keys are only in the environment."""

    endpoint_url: str | None = None
    region: str = "auto"


@dataclass(frozen=True, slots=True)
class Purge:
    """How the CDN's cache is told of changes."""

    provider: str
    zone_id: str
    api_token: Secret
    method: str = "files"
    origins: tuple[str, ...] = ()
    batch_size: int = 30
    endpoint: str = "https://api.cloudflare.com/client/v4"


@dataclass(frozen=True, slots=True)
class Target:
    """A CDN store and its state store; `base_url` has no final slash."""

    name: str
    store: str
    state: str
    s3: S3 = field(default_factory=S3)
    base_url: str | None = None
    purge: Purge | None = None
