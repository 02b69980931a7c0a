"""Signing media URLs while lessons are uploaded, and at no other time (spec 4).

`SigningStore` stands in front of the CDN store. A lesson that is put has the media URLs in its
stages replaced by presigned GET URLs, and gets `signed_url_expiry`; everything else passes as it
is. So indexes, journals, diffs and git only ever know the plain lesson, and a signed URL exists in
nothing but the published object. How each lesson was stored is noted in `signatures`.

What follows a rule's prefix is the object's key in the rule's bucket, percent-decoded; a query is
dropped, a fragment (`#t=30`) is kept. Where several prefixes fit, the longest one counts.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from exporter.build.encoding import body_digest, encode, instant
from exporter.build.schemas import validator
from exporter.config import Media, SignedMedia
from exporter.publish.presigning import Presigner
from exporter.publish.signatures import SignedLesson, rules_digest, update_signed
from exporter.stores.base import (
    Attributes,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    ObjectStore,
    StoredObject,
)

__all__ = ["SigningStore", "capped", "media_form"]

_LESSONS = "lessons/"
_AGES = frozenset({"max-age", "s-maxage"})
_STALE = frozenset({"immutable", "stale-while-revalidate", "stale-if-error"})


@dataclass(frozen=True, slots=True)
class _Signed:
    """A lesson as it is stored, and what is noted of it."""

    body: bytes
    attributes: Attributes
    note: SignedLesson


class SigningStore:
    """The CDN store of a target, signing the lessons that go into it. Safe in threads."""

    def __init__(
        self, cdn: ObjectStore, state: ObjectStore, media: Media, presigner: Presigner
    ) -> None:
        """Sign what goes to `cdn` by the rules of `media`; notes go to `state`."""
        self._cdn = cdn
        self._state = state
        self._media = media
        self._presigner = presigner
        self._noting = threading.Lock()
        self._notes: dict[str, SignedLesson | None] = {}

    @property
    def label(self) -> str:
        """Name the CDN store."""
        return self._cdn.label

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        """Store an object, a lesson with its media URLs signed."""
        signed = self._signed(body, attributes) if key.startswith(_LESSONS) else None
        if signed is None:
            etag = self._cdn.put(key, body, attributes, condition)
        else:
            etag = self._cdn.put(key, signed.body, signed.attributes, condition)
        self._note(key, signed.note if signed else None)
        return etag

    def get(self, key: str) -> StoredObject | None:
        """Return the object as it is stored."""
        return self._cdn.get(key)

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of the object as it is stored."""
        return self._cdn.head(key)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects."""
        named = list(keys)
        self._cdn.delete(named)
        for key in named:
            self._note(key, None)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects below a prefix."""
        return self._cdn.list(prefix)

    def save(self, *, complete: bool = False) -> None:
        """Note in the state store how lessons were stored since the last time.

        `complete` says that all lessons of the target are now as the rules want them; that is so
        by itself before there is any release.
        """
        with self._noting:
            notes, self._notes = self._notes, {}
        rules = rules_digest(self._media)
        if not complete and not notes:
            return
        if not complete and self._state.head("head.json") is not None:
            update_signed(self._state, notes, None)
        else:
            update_signed(self._state, notes, rules)

    def _note(self, key: str, note: SignedLesson | None) -> None:
        if key.startswith(_LESSONS):
            with self._noting:
                self._notes[key] = note

    def _signed(self, body: bytes, attributes: Attributes) -> _Signed | None:
        """Return a lesson with its media URLs signed; None where it has none."""
        if not any(rule.prefix.encode() in body for rule in self._media.signed):
            return None
        plain: dict[str, Any] = json.loads(body)  # to the last digit of any integer
        signing = _Signing(self._media.signed, self._presigner)
        stages = [
            {**stage, "config": signing.replaced(stage["config"])} for stage in plain["stages"]
        ]
        if not signing.expiries:
            return None
        expires, rule = min(signing.expiries, key=lambda found: found[0])
        stored = encode(_checked(_with_expiry({**plain, "stages": stages}, expires)))
        limit_s = min(self._media.refresh_before(rule), rule.expires_s)
        cache_control = capped(attributes.cache_control, limit_s)
        sha256 = hashlib.sha256(stored).hexdigest()
        note = SignedLesson(
            expires, rule.prefix, body_digest(plain), plain["version"], sha256, cache_control
        )
        metadata = {**attributes.metadata, "sha256": sha256}
        return _Signed(
            stored, replace(attributes, cache_control=cache_control, metadata=metadata), note
        )


def capped(cache_control: str, limit_s: int) -> str:
    """Return a Cache-Control under which no copy outlives so many seconds.

    A copy that a cache takes just before the lesson is signed again must not outlive its URLs.
    """
    kept = []
    for directive in (part.strip() for part in cache_control.split(",") if part.strip()):
        name, _, value = directive.partition("=")
        if name.lower() in _AGES and value.strip('"').isdigit():
            kept.append(f"{name}={min(int(value.strip(chr(34))), limit_s)}")
        elif name.lower() not in _STALE:
            kept.append(directive)
    names = {directive.partition("=")[0].lower() for directive in kept}
    if not names & {"max-age", "no-store", "no-cache"}:
        kept.append(f"max-age={limit_s}")
    return ", ".join(kept)


def media_form(lesson: Mapping[str, Any], media: Media) -> str:
    """Return a digest of a lesson that is the same for its plain and for any signed form."""
    rules = _by_length(media.signed)

    def named(value: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a config in which every media URL is the name of its object."""
        if isinstance(value, dict):
            return {key: named(item) for key, item in value.items()}
        if isinstance(value, list):
            return [named(item) for item in value]
        return _object_name(value, rules) if isinstance(value, str) else value

    stages = [{**stage, "config": named(stage.get("config"))} for stage in lesson["stages"]]
    plain = {key: item for key, item in lesson.items() if key != "signed_url_expiry"}
    return body_digest({**plain, "stages": stages})


def _object_name(text: str, rules: Sequence[SignedMedia]) -> str:
    """Return `media:bucket/key#fragment` for a media URL, plain or signed; else the text."""
    if "X-Amz-Signature=" in text:
        address, hash_sign, fragment = text.partition("#")
        return f"media:{unquote(urlsplit(address).path).lstrip('/')}{hash_sign}{fragment}"
    place = _place(text, rules)
    return f"media:{place.rule.bucket}/{place.key}{place.fragment}" if place else text


class _Signing:
    """Replaces the URLs of one lesson; `expiries` has when each expires, and by which rule."""

    def __init__(self, rules: Sequence[SignedMedia], presigner: Presigner) -> None:
        self._rules = _by_length(rules)
        self._presigner = presigner
        self.expiries: list[tuple[int, SignedMedia]] = []

    def replaced(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a config with its media URLs signed."""
        if isinstance(value, dict):
            return {key: self.replaced(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.replaced(item) for item in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        place = _place(text, self._rules)
        if place is None:
            return text
        url = self._presigner.url(place.rule.bucket, place.key, place.rule.expires_s)
        self.expiries.append((_expiry(url), place.rule))
        return f"{url}{place.fragment}"


@dataclass(frozen=True, slots=True)
class _Place:
    """The object behind a plain media URL; `fragment` begins with its `#`, if there is one."""

    rule: SignedMedia
    key: str
    fragment: str


def _place(text: str, rules: Sequence[SignedMedia]) -> _Place | None:
    """Find the object of a media URL; None for what is none. Longer prefixes come first."""
    rule = next((rule for rule in rules if _fits(text, rule.prefix)), None)
    if rule is None:
        return None
    address, hash_sign, fragment = text.removeprefix(rule.prefix).partition("#")
    path = address.partition("?")[0]
    key = unquote(path if rule.prefix.endswith("/") else path.removeprefix("/"))
    return _Place(rule, key, f"{hash_sign}{fragment}") if key else None


def _by_length(rules: Iterable[SignedMedia]) -> list[SignedMedia]:
    return sorted(rules, key=lambda rule: len(rule.prefix), reverse=True)


def _fits(text: str, prefix: str) -> bool:
    """Tell whether a URL is below a prefix; one that ends with the host names just that host."""
    rest = text.removeprefix(prefix)
    return text.startswith(prefix) and (bool(urlsplit(prefix).path) or rest.startswith("/"))


def _expiry(url: str) -> int:
    """Return when a presigned URL expires, in Unix seconds, as the store will read it."""
    query = parse_qs(urlsplit(url).query)
    signed_at = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return int(signed_at.timestamp()) + int(query["X-Amz-Expires"][0])


def _with_expiry(lesson: Mapping[str, Any], expires: int) -> dict[str, Any]:
    """Put `signed_url_expiry` in its place, after `generated_at` (spec 4)."""
    complete: dict[str, Any] = {}
    for key, value in lesson.items():
        complete[key] = value
        if key == "generated_at":
            complete["signed_url_expiry"] = instant(expires)
    return complete


def _checked(lesson: dict[str, Any]) -> dict[str, Any]:
    """Return a lesson that fits its schema: nothing is uploaded that was not checked (spec 4)."""
    problems = validator("monolithic-lesson" if "access" in lesson else "lesson")(lesson)
    if problems:
        raise ValueError(f"a signed lesson does not fit its schema: {problems[0].pointer}")
    return lesson
