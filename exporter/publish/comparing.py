"""Comparing a stored object with what an index says of it: bytes first, then headers (spec 5).

A body is compared as bytes, its stamp blanked as for the body digest, so any change shows: another
order of keys, a blank, one digit of a long number. A signed lesson is compared with the digest of
the bytes that were stored (`signatures`), since its URLs are in no index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import orjson

from exporter.build.encoding import instant
from exporter.core.addressing import cache_control_of
from exporter.core.artifacts import Entry, Kind
from exporter.publish.signatures import SignedLesson, SignedLessons
from exporter.stores.base import Attributes, StoredObject

__all__ = ["Damage", "Drift", "Expectations", "blanked_digest", "is_body", "kind_of"]

CONTENT_TYPE = "application/json; charset=utf-8"
_BLANK = b'"version":0,"generated_at":""'


class Damage(Enum):
    """How an object differs from the release."""

    MISSING = "missing"
    DIFFERENT = "different"
    HEADERS = "headers"
    STALE = "stale"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class Drift:
    """One object that is not as the live release has it."""

    key: str
    damage: Damage
    why: str


@dataclass(frozen=True, slots=True)
class Expectations:
    """What objects are compared with besides their entry."""

    cache_control: Mapping[str, str]
    """By kind."""
    signed: SignedLessons

    def drift(self, key: str, entry: Entry, found: StoredObject | None) -> Drift | None:
        """Return what is wrong with a stored object; None where it is as it should be."""
        if found is None:
            return Drift(key, Damage.MISSING, "there is no such object")
        note = self.signed.of(key, entry)
        if not _is_stored(found.body, entry, note):
            return Drift(key, Damage.DIFFERENT, _why_different(found.body, entry, note))
        cache_control = note.cache_control if note else self._cache_control(key, found.body)
        wrong = "; ".join(_wrong_headers(found, cache_control))
        return Drift(key, Damage.HEADERS, wrong) if wrong else None

    def drift_of_body(self, key: str, entry: Entry, body: bytes) -> Drift | None:
        """Return what is wrong with a body alone."""
        note = self.signed.of(key, entry)
        if _is_stored(body, entry, note):
            return None
        return Drift(key, Damage.DIFFERENT, _why_different(body, entry, note))

    def _cache_control(self, key: str, body: bytes) -> str:
        return cache_control_of(key, body, self.cache_control[kind_of(key, body).value])


def is_body(body: bytes, entry: Entry) -> bool:
    """Tell whether these are the bytes that an index names."""
    return len(body) == entry.size and blanked_digest(body, entry.version) == entry.digest


def blanked_digest(body: bytes, version: int) -> str:
    """Return the SHA-256 (hex) of a body of that version with its stamp blanked (spec 4)."""
    stamp = f'"version":{version},"generated_at":"{instant(version)}"'
    return hashlib.sha256(body.replace(stamp.encode(), _BLANK, 1)).hexdigest()


def kind_of(key: str, body: bytes) -> Kind:
    """Return what a sound published file is.

    A key alone does not tell a topic called `X_h` from the hierarchy of a subject `X`.
    """
    folder, _, rest = key.partition("/")
    if folder in ("lessons", "units"):
        return Kind.LESSON if folder == "lessons" else Kind.UNIT
    members = orjson.loads(body).keys()
    for member, kind in _TELLING:
        if member in members:
            return kind
    return Kind.SUBJECT if "/subjects/" in rest else Kind.HIERARCHY


_TELLING = (
    ("subjects", Kind.MANIFEST),
    ("is_sharded", Kind.SEARCH_INDEX),
    ("parts", Kind.SEARCH_SHARD),
    ("mappings", Kind.BITMAP),
    ("lessons", Kind.TOPIC),
)


def _is_stored(body: bytes, entry: Entry, note: SignedLesson | None) -> bool:
    if note is None:
        return is_body(body, entry)
    return hashlib.sha256(body).hexdigest() == note.sha256


def _why_different(body: bytes, entry: Entry, note: SignedLesson | None) -> str:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "it is not JSON"
    version = content.get("version") if isinstance(content, dict) else None
    if version != entry.version:
        return f"it has version {version!r}, the release has {entry.version}"
    if note is None and "signed_url_expiry" in content:
        return "it holds signed URLs that no run has noted"
    return "its content is not the release's"


def _wrong_headers(found: StoredObject, cache_control: str) -> Iterator[str]:
    attributes: Attributes = found.info.attributes
    if attributes.content_type != CONTENT_TYPE:
        yield f"Content-Type is {attributes.content_type!r}, not {CONTENT_TYPE!r}"
    if attributes.content_encoding:
        yield f"Content-Encoding is {attributes.content_encoding!r}, and it is not encoded"
    if attributes.cache_control != cache_control:
        yield f"Cache-Control is {attributes.cache_control!r}, not {cache_control!r}"
    if attributes.metadata.get("sha256") != hashlib.sha256(found.body).hexdigest():
        yield "the metadata `sha256` is not that of its bytes"
    if not attributes.metadata.get("commit"):
        yield "the metadata `commit` is missing"
