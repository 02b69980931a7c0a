"""Trying everything that a target needs: stores, CDN, purge, clock, signing (spec 6, `doctor`).

What is written for a try lies under `probes/`, outside of what readers and `verify` look at, and is
removed again. A try that would change what readers see is not made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import orjson

from exporter.config import Media, Purge, Target
from exporter.core.diagnosis import Check, Health, guarded
from exporter.errors import PurgeError, Refused, StoreBusy, StoreError
from exporter.publish.guarding import refuse_other_store
from exporter.publish.ledger import Ledger, LiveState
from exporter.publish.presigning import Presigner, signing_keys
from exporter.publish.probe import probe_conditional_writes
from exporter.publish.publisher import Purger
from exporter.publish.reader import CdnReader, Fetched, file_url
from exporter.stores.base import Attributes, ObjectStore
from exporter.stores.s3 import S3Store

__all__ = ["Doctor", "Patient", "check_live_release", "check_target"]

CLOCK_WARNING_S = 60
CLOCK_PROBLEM_S = 600
"""S3 refuses requests of which the time is off by a quarter of an hour."""
_AWS = "https://s3.amazonaws.com"
_BODY = b'{"probe":true}'
_ATTRIBUTES = Attributes(
    "application/json; charset=utf-8", "max-age=60", {"commit": "probe", "sha256": "probe"}
)
_CACHE_RULE = (
    "add a Cache Rule in Cloudflare for this host: eligible for cache, edge TTL from the origin's "
    "Cache-Control; JSON is not cached without one"
)


@dataclass(frozen=True, slots=True)
class Doctor:
    """What the tries need from outside: an unused token, the clock, the environment."""

    token: str
    now: Callable[[], datetime]
    environ: Mapping[str, str]
    silent: set[str] = field(default_factory=set)
    """S3 services that gave no answer: they are not asked again."""

    @property
    def key(self) -> str:
        """Return the key of the object that is put for a try."""
        return f"probes/{self.token}.json"


@dataclass(frozen=True, slots=True)
class Patient:
    """A target with its stores opened."""

    target: Target
    cdn: ObjectStore
    state: ObjectStore
    purger: Purger | None
    media: Media
    sharing: tuple[str, ...] = ()
    """Other targets with the same `store` and a `state` of their own."""

    @property
    def service(self) -> str:
        """Return the address of the S3 service of this target's buckets."""
        return self.target.s3.endpoint_url or _AWS


def check_target(patient: Patient, doctor: Doctor) -> Iterator[Check]:
    """Try all that a publish needs of a target."""
    area = f"target {patient.target.name}"
    with CdnReader(concurrency=2) as reader:
        tries: tuple[tuple[str, Iterator[Check]], ...] = (
            ("shared store", _check_sharing(area, patient)),
            ("conditional writes", _check_state(area, patient, doctor)),
            ("CDN store", _check_store(area, patient, doctor, reader)),
            ("purge", _check_purge(area, patient, doctor, reader)),
            ("clock", _check_clock(area, patient.target, doctor, reader)),
            ("media", _check_media(area, patient, doctor, reader)),
        )
        for name, checks in tries:
            yield from guarded(area, name, checks)


def check_live_release(target: Target, ledger: Ledger, live: LiveState) -> Iterator[Check]:
    """Look whether the live release's files are in the target's store."""
    try:
        refuse_other_store(ledger, live)
    except Refused as error:
        area = f"target {target.name}"
        yield Check(area, "live release", Health.PROBLEM, error.message, error.hint)


def _check_sharing(area: str, patient: Patient) -> Iterator[Check]:
    if patient.sharing:
        yield Check(
            area,
            "shared store",
            Health.PROBLEM,
            f"{patient.cdn.label} is the store of target {', '.join(patient.sharing)} too, "
            "with another `state`: either overwrites and deletes what the other put",
            "give each target a bucket, a prefix or a folder of its own",
        )


@contextmanager
def _noticing(patient: Patient, store: ObjectStore, doctor: Doctor) -> Iterator[None]:
    """Remember a service that gives no answer."""
    try:
        yield
    except StoreBusy:
        if isinstance(store, S3Store):
            doctor.silent.add(patient.service)
        raise


def _is_silent(patient: Patient, store: ObjectStore, doctor: Doctor) -> bool:
    return isinstance(store, S3Store) and patient.service in doctor.silent


def _untried(area: str, name: str, patient: Patient) -> Check:
    return Check(area, name, Health.UNTRIED, f"{patient.service} gave no answer, as said above")


def _check_state(area: str, patient: Patient, doctor: Doctor) -> Iterator[Check]:
    state = patient.state
    if _is_silent(patient, state, doctor):
        yield _untried(area, "conditional writes", patient)
        return
    with _noticing(patient, state, doctor):
        probe_conditional_writes(state, doctor.token)
    message = f"the state store {state.label} honours them"
    yield Check(area, "conditional writes", Health.GOOD, message)


def _check_store(area: str, patient: Patient, doctor: Doctor, reader: CdnReader) -> Iterator[Check]:
    """Put an object, read it back, look at it through the CDN, and delete it."""
    cdn, target = patient.cdn, patient.target
    keys = (doctor.key, f"probes/{doctor.token}-2.json")
    if _is_silent(patient, cdn, doctor):
        yield _untried(area, "CDN store", patient)
        return
    try:
        with _noticing(patient, cdn, doctor):
            for key in keys:
                cdn.put(key, _BODY, _ATTRIBUTES)
        yield _read_back(area, cdn, doctor.key)
        if target.base_url:
            yield from _check_cdn(area, patient, target.base_url, doctor, reader)
        else:
            yield Check(
                area,
                "CDN",
                Health.UNTRIED,
                "this target has no `base_url`, so nothing can be looked at as readers do",
                f"add `base_url: https://cdn.example.org` to targets.{target.name}",
            )
    except BaseException:
        with suppress(StoreError):  # what failed first is what is told
            cdn.delete(keys)
        raise
    cdn.delete(keys)
    yield _deleted(area, cdn, keys)


def _read_back(area: str, cdn: ObjectStore, key: str) -> Check:
    found = cdn.get(key)
    kept = found is not None and (found.body, found.info.attributes) == (_BODY, _ATTRIBUTES)
    if kept:
        return Check(area, "CDN store", Health.GOOD, f"{cdn.label} can be written and read")
    return Check(
        area,
        "CDN store",
        Health.PROBLEM,
        f"{cdn.label} does not give back what was put: body, Content-Type, Cache-Control, metadata",
        "readers would get wrong headers: use a store that keeps them",
    )


def _deleted(area: str, cdn: ObjectStore, keys: tuple[str, ...]) -> Check:
    left = [key for key in keys if cdn.head(key)]
    if left:
        message = f"{cdn.label} still has {', '.join(left)} after they were deleted"
        return Check(area, "deletes", Health.PROBLEM, message, "check what the keys may do there")
    if isinstance(cdn, S3Store) and cdn.refuses_batches:
        message = "batch deletes are refused: objects are deleted one by one, which is slower"
        return Check(area, "deletes", Health.WARNING, message)
    return Check(area, "deletes", Health.GOOD, "objects can be deleted, many in one request")


def _check_cdn(
    area: str, patient: Patient, base_url: str, doctor: Doctor, reader: CdnReader
) -> Iterator[Check]:
    url = file_url(base_url, doctor.key)
    first = reader.fetch(url)
    if (first.status, first.body) != (200, _BODY):
        why = first.problem or f"HTTP {first.status}"
        yield Check(
            area,
            "CDN",
            Health.PROBLEM,
            f"an object of {patient.cdn.label} is not at {url} ({why})",
            "connect the CDN's host to this bucket and folder, or correct `base_url`",
        )
        return
    yield Check(area, "CDN", Health.GOOD, f"{base_url} serves {patient.cdn.label}")
    yield _cache_rule(area, reader.fetch(url))
    exposed = reader.fetch(file_url(base_url, "head.json", bust=doctor.token))
    if exposed.status == 200 and b'"fingerprint"' in exposed.body:
        yield Check(
            area,
            "state store",
            Health.PROBLEM,
            f"the ledger can be read by anybody: {base_url}/head.json",
            "keep `state` in a bucket or folder of its own that no CDN serves",
        )


def _cache_rule(area: str, answer: Fetched) -> Check:
    """Judge by Cloudflare's own header what it does with JSON."""
    status = answer.headers.get("cf-cache-status", "").upper()
    if not status:
        message = "no `cf-cache-status` header: there is no Cloudflare in front, or it hides it"
        return Check(area, "cache rule", Health.UNTRIED, message)
    if status in ("DYNAMIC", "BYPASS"):
        message = f"Cloudflare does not cache JSON here (cf-cache-status: {status})"
        return Check(area, "cache rule", Health.WARNING, message, _CACHE_RULE)
    return Check(
        area, "cache rule", Health.GOOD, f"Cloudflare caches JSON (cf-cache-status: {status})"
    )


def _check_purge(area: str, patient: Patient, doctor: Doctor, reader: CdnReader) -> Iterator[Check]:
    purge, purger = patient.target.purge, patient.purger
    if purge is None or purger is None:
        message = "not configured: version links alone keep readers fresh"
        yield Check(area, "purge", Health.UNTRIED, message)
        return
    yield _token(area, purge, reader)
    try:
        for request in purger.requests({doctor.key: None}):
            purger.send(request)
    except PurgeError as error:
        yield Check(area, "purge", Health.PROBLEM, error.message, error.hint)
        return
    yield Check(area, "purge", Health.GOOD, "Cloudflare purges this zone when it is asked to")


def _token(area: str, purge: Purge, reader: CdnReader) -> Check:
    """Ask Cloudflare about the token; one that belongs to an account is not known there."""
    token = purge.api_token.reveal()
    answer = reader.fetch(f"{purge.endpoint.rstrip('/')}/user/tokens/verify", bearer=token)
    status = _token_status(answer)
    if answer.status == 200 and status == "active":
        return Check(area, "purge token", Health.GOOD, "Cloudflare says that the token is active")
    why = status or answer.problem.replace(token, "***") or f"HTTP {answer.status}"
    return Check(
        area,
        "purge token",
        Health.WARNING,
        f"Cloudflare does not say that the token is active ({why})",
        "a token of an account, not of a user, cannot be looked up there: the purge below decides; "
        "else make one with the permission Zone › Cache Purge",
    )


def _token_status(answer: Fetched) -> str:
    try:
        content = orjson.loads(answer.body)
        return str(content["result"]["status"])
    except (KeyError, TypeError, orjson.JSONDecodeError):
        return ""


def _check_clock(area: str, target: Target, doctor: Doctor, reader: CdnReader) -> Iterator[Check]:
    s3 = [target.s3.endpoint_url or _AWS] if target.store.startswith("s3:") else []
    urls = [url for url in s3 if url not in doctor.silent]
    urls += [target.base_url] if target.base_url else []
    for url in urls:
        answered = reader.fetch(url).headers.get("date", "")
        try:
            theirs = parsedate_to_datetime(answered)
        except ValueError:
            continue
        yield _skew(area, url, (doctor.now() - theirs.astimezone(UTC)).total_seconds())
        return
    yield Check(area, "clock", Health.UNTRIED, "no server of this target tells the time")


def _skew(area: str, url: str, off_s: float) -> Check:
    amount = f"this machine's clock differs from that of {url} by {abs(off_s):.0f} s"
    if abs(off_s) < CLOCK_WARNING_S:
        return Check(area, "clock", Health.GOOD, amount)
    health = Health.WARNING if abs(off_s) < CLOCK_PROBLEM_S else Health.PROBLEM
    hint = "set the clock (NTP): leases, versions and signed URLs go by it"
    return Check(area, "clock", health, amount, hint)


def _check_media(area: str, patient: Patient, doctor: Doctor, reader: CdnReader) -> Iterator[Check]:
    """Ask each media bucket, with a signed URL, for an object that it does not have."""
    s3 = patient.target.s3
    if patient.media.signed and patient.service in doctor.silent:
        yield _untried(area, "media", patient)
        return
    presigner = Presigner(lambda: signing_keys(doctor.environ), s3.endpoint_url, s3.region)
    for bucket in sorted({rule.bucket for rule in patient.media.signed}):
        answer = reader.fetch(presigner.url(bucket, doctor.key, 3600))
        if answer.status == 404 and b"NoSuchBucket" not in answer.body:
            yield Check(area, "media", Health.GOOD, f"signed URLs open objects of bucket {bucket}")
            continue
        code = re.search(rb"<Code>(\w+)</Code>", answer.body)
        why = code[1].decode() if code else f"HTTP {answer.status}"
        yield Check(
            area,
            "media",
            Health.PROBLEM,
            f"signed URLs do not open objects of bucket {bucket} ({why})",
            "MEDIA_AWS_ACCESS_KEY_ID and MEDIA_AWS_SECRET_ACCESS_KEY must be able to read and list "
            "the bucket, and the bucket must be at this target's `s3.endpoint_url`",
        )
