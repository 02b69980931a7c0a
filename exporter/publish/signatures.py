"""What is known of the signed lessons on a CDN: `signed.json` in the state store (spec 4).

It says which lessons hold signed URLs, until when the first of them works, and which bytes were
stored; never a URL. A lesson is noted when it has been stored and before the release that wants it
is live, so after a crash an entry may be too old and never too young: `refresh` then comes early.
`rules` names the configuration under which every lesson was looked at; where it is another one,
`refresh` looks at all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from exporter.config import Media
from exporter.core.artifacts import Entry
from exporter.core.wording import unreadable
from exporter.errors import StoreError
from exporter.stores.base import Attributes, IfAbsent, IfMatch, ObjectStore, PreconditionFailed

__all__ = ["SignedLesson", "SignedLessons", "read_signed", "rules_digest", "update_signed"]

KEY = "signed.json"
MAX_ATTEMPTS = 5
_JSON = Attributes("application/json; charset=utf-8", "no-store")


@dataclass(frozen=True, slots=True)
class SignedLesson:
    """A lesson with signed URLs, as it was stored."""

    expires: int
    """When the first of its URLs expires, in Unix seconds."""
    prefix: str
    """The rule by which that URL was signed."""
    digest: str
    """The body digest of the unsigned lesson, as in the index."""
    version: int
    sha256: str
    """Of the stored bytes (hex)."""
    cache_control: str

    def is_of(self, entry: Entry) -> bool:
        """Tell whether this is the lesson that an index names, not an earlier form of it."""
        return (self.digest, self.version) == (entry.digest, entry.version)


@dataclass(frozen=True, slots=True)
class SignedLessons:
    """All signed lessons of a target, by object key."""

    lessons: Mapping[str, SignedLesson] = field(default_factory=dict)
    rules: str = ""

    def of(self, key: str, entry: Entry) -> SignedLesson | None:
        """Return how a live lesson was signed; None where it was not."""
        found = self.lessons.get(key)
        return found if found and found.is_of(entry) else None

    def due(self, media: Media, now: float) -> set[str]:
        """Return the lessons of which a URL expires within `media.refresh_before`."""
        return {key for key, one in self.lessons.items() if one.expires - now <= _lead(one, media)}


def rules_digest(media: Media) -> str:
    """Name the rules by which URLs are signed; how long they work is not part of it."""
    rules = sorted((rule.prefix, rule.bucket) for rule in media.signed)
    return hashlib.sha256(orjson.dumps(rules)).hexdigest() if rules else ""


def read_signed(store: ObjectStore) -> SignedLessons:
    """Return what the state store says of signed lessons.

    Raises:
        StoreError: it cannot be read.
    """
    return _read(store)[0]


def update_signed(
    store: ObjectStore, changes: Mapping[str, SignedLesson | None], rules: str | None
) -> None:
    """Note how lessons were stored, None for one without signed URLs; `rules` None leaves those.

    Raises:
        StoreError: the file kept changing, or cannot be written.
    """
    for _ in range(MAX_ATTEMPTS):
        current, etag = _read(store)
        merged = {**current.lessons, **changes}
        kept = {key: lesson for key, lesson in merged.items() if lesson is not None}
        wanted = SignedLessons(kept, current.rules if rules is None else rules)
        if wanted == current:
            return
        try:
            store.put(KEY, _dump(wanted), _JSON, IfMatch(etag) if etag else IfAbsent())
        except PreconditionFailed:
            continue
        return
    raise StoreError(
        f"{KEY} in the state store {store.label} changed at each of {MAX_ATTEMPTS} attempts",
        hint="run `exporter refresh` again: another one seems to be at work",
    )


def _lead(lesson: SignedLesson, media: Media) -> int:
    """Return how many seconds before it expires a lesson is due; one without a rule always is."""
    rules = [rule for rule in media.signed if rule.prefix == lesson.prefix]
    return media.refresh_before(rules[0]) if rules else lesson.expires


def _read(store: ObjectStore) -> tuple[SignedLessons, str]:
    found = store.get(KEY)
    if found is None:
        return SignedLessons(), ""
    try:
        record = orjson.loads(found.body)
        lessons = {key: SignedLesson(**one) for key, one in record["lessons"].items()}
        return SignedLessons(lessons, record["rules"]), found.info.etag
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{KEY} in the state store {store.label} cannot be read: {unreadable(error)}",
            hint="delete it and run `exporter refresh`: all media URLs are then signed anew",
        ) from error


def _dump(signed: SignedLessons) -> bytes:
    lessons: dict[str, Any] = {key: asdict(one) for key, one in sorted(signed.lessons.items())}
    record = {"rules": signed.rules, "lessons": lessons}
    return orjson.dumps(record, option=orjson.OPT_INDENT_2)
