"""Keys that carry the digest of their bytes: `publish.addressing: hashed` (spec 5).

`lessons/L.json` is then `lessons/L.<16 hex digits>.json`: the key says what the bytes are, so an
object never changes, links need no `?v=`, and several forms of one file stand side by side. Only
manifests keep their plain key. The digest is that of the file as it was built, before any media
URL in it is signed (spec 4).

A file is known from one form to the next by its plain key, the key without the digest. `Forms`
finds the forms that stand: where the content is one of theirs, the file gets that one's version,
and so its bytes and its key, which is why going back writes manifests alone.
"""

from __future__ import annotations

import hashlib
import re

from exporter.core.artifacts import Entry, Index

__all__ = [
    "IMMUTABLE",
    "Forms",
    "cache_control_of",
    "carries_digest",
    "has_digest",
    "hashed_key",
    "is_manifest",
    "plain_key",
]

IMMUTABLE = "max-age=31536000, immutable"
"""The Cache-Control of a file whose key carries its digest (spec 5)."""

_DIGITS = 16
_DOT = -len(".json") - _DIGITS - 1
_DIGEST = re.compile(rf"\.[0-9a-f]{{{_DIGITS}}}(?=\.json\Z)")


def hashed_key(key: str, data: bytes) -> str:
    """Return the key of a file with these bytes, given its plain key."""
    return f"{key.removesuffix('.json')}.{hashlib.sha256(data).hexdigest()[:_DIGITS]}.json"


def plain_key(key: str) -> str:
    """Return a key without its digest."""
    return _DIGEST.sub("", key) if _may_have_digest(key) else key


def has_digest(key: str) -> bool:
    """Tell whether a key looks as if it carried a digest."""
    return _may_have_digest(key) and _DIGEST.search(key) is not None


def carries_digest(key: str, data: bytes) -> bool:
    """Tell whether a key carries the digest of just these bytes."""
    return has_digest(key) and hashed_key(plain_key(key), data) == key


def _may_have_digest(key: str) -> bool:
    """Tell whether the dot before a digest is in its place: all keys of a site are asked."""
    return key[_DOT : _DOT + 1] == "."


def is_manifest(key: str) -> bool:
    """Tell whether this is the key of a plan's entry point, which never carries a digest."""
    return key.startswith("plans/") and key.count("/") == 2 and key.endswith("/manifest.json")


def cache_control_of(key: str, data: bytes, of_kind: str) -> str:
    """Return a file's Cache-Control, given that of its kind."""
    return IMMUTABLE if carries_digest(key, data) else of_kind


class Forms:
    """The forms of files that stand on the CDN store, by plain key."""

    def __init__(self, live: Index, kept: Index | None = None) -> None:
        """Take what is live, and what stands although it is live no more."""
        self._live = live
        self._newest: dict[str, Entry] = {}
        self._versions: dict[tuple[str, str], int] = {}
        for key, entry in (kept or {}).items():
            self._versions[plain_key(key), entry.digest] = entry.version
        for key, entry in live.items():
            plain = plain_key(key)
            self._versions[plain, entry.digest] = entry.version
            known = self._newest.get(plain)
            if known is None or known.version < entry.version:
                self._newest[plain] = entry

    def newest(self, key: str) -> Entry | None:
        """Return the live form of a file; the newest, where plans show different ones."""
        return self._live.get(key) or self._newest.get(key)

    def version(self, key: str, digest: str) -> int | None:
        """Return the version of the form with that body digest; None where none stands."""
        return self._versions.get((key, digest))
