"""What stands on a CDN store, told from its objects alone: no ledger is asked (`adopt`).

Every object is read once. What an index would say of it (body digest, size, version, links) can be
told from its bytes; of a lesson with signed URLs only once the plain lesson is at hand. From each
manifest the links are followed as readers do, and name the versions that a plan counts on: those
tell how a file was that is missing or damaged now.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson

from exporter.build.encoding import instant
from exporter.config import Media
from exporter.core.addressing import carries_digest, is_manifest
from exporter.core.artifacts import Entry
from exporter.core.progress import Progress, unseen
from exporter.core.segments import possible_segments
from exporter.publish.comparing import Damage, Drift, Expectations, blanked_digest
from exporter.publish.signing import media_form
from exporter.publish.verifying import FOLDERS
from exporter.stores.base import ObjectStore, StoredObject

__all__ = ["Crawl", "Found", "SignedForm", "Standing", "read_standing"]

_CONTENT = frozenset({"stages", "extra"})
"""What holds an editor's own words, which may look like links."""
_VERSION = re.compile(r"[0-9]{1,12}")
_LAST_INSTANT = 253_402_300_799
"""The last second of the year 9999: no later one can be written as `generated_at`."""


@dataclass(frozen=True, slots=True)
class SignedForm:
    """A lesson with signed URLs: what it is but for these, and how it is stored."""

    form: str
    expires_at: str
    sha256: str
    cache_control: str


@dataclass(frozen=True, slots=True)
class Found:
    """One object; `entry` is None where no index can name it as it is."""

    version: int = 0
    entry: Entry | None = None
    signed: SignedForm | None = None
    drift: Drift | None = None
    """What is wrong with it whatever is live: no JSON of ours, or its headers."""
    linked: Mapping[str, int | None] = field(default_factory=dict)
    """The versions that its links name, by key."""
    plan: str = ""
    """Of a manifest: the plan's name."""
    commit: str = ""
    """The commit that it was put for, as its metadata say."""
    is_genuine: bool = False
    """Whether nobody changed it since it was put, as far as its metadata tell."""
    carries_digest: bool = False


@dataclass(frozen=True, slots=True)
class Crawl:
    """What a plan leads to: keys that stand, keys that do not, and the versions in links."""

    present: frozenset[str]
    missing: frozenset[str]
    versions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything below the exporter's folders."""

    objects: Mapping[str, Found]

    @property
    def manifests(self) -> dict[str, str]:
        """Return the manifests that can be read, by plan; a copy in another folder is none."""
        return {
            found.plan: key
            for key, found in self.objects.items()
            if is_manifest(key) and found.entry and _is_own_folder(found.plan, key)
        }

    def crawl(self, manifest: str) -> Crawl:
        """Follow all links from a manifest."""
        versions: dict[str, int] = {}
        seen, missing, waiting = {manifest}, set[str](), [manifest]
        while waiting:
            for link, version in self.objects[waiting.pop()].linked.items():
                if version is not None:
                    versions[link] = max(version, versions.get(link, 0))
                if link not in self.objects:
                    missing.add(link)
                elif link not in seen:
                    seen.add(link)
                    waiting.append(link)
        return Crawl(frozenset(seen), frozenset(missing), versions)


def read_standing(
    cdn: ObjectStore,
    expected: Expectations,
    media: Media,
    concurrency: int,
    progress: Progress = unseen,
) -> Standing:
    """Read every object below the exporter's folders.

    Raises:
        StoreError: one could not be read.
    """
    keys = sorted({info.key for folder in FOLDERS for info in cdn.list(folder)})

    def look(key: str) -> Found | None:
        stored = cdn.get(key)
        return _found(key, stored, expected, media) if stored else None

    objects: dict[str, Found] = {}
    with ThreadPoolExecutor(concurrency) as threads:
        looks = zip(keys, threads.map(look, keys), strict=True)
        for done, (key, found) in enumerate(looks, start=1):
            progress("files read", done, len(keys))
            if found:
                objects[key] = found
    return Standing(objects)


def _found(key: str, stored: StoredObject, expected: Expectations, media: Media) -> Found:
    body, metadata = stored.body, stored.info.attributes.metadata
    content = _content(body)
    if content is None:
        return Found(drift=Drift(key, Damage.DIFFERENT, "it is not a file of the exporter's"))
    version, linked = int(content["version"]), dict(_links(content))
    sha256 = hashlib.sha256(body).hexdigest()
    is_genuine = metadata.get("sha256", sha256) == sha256
    if "signed_url_expiry" in content and _has_stages(content):
        signed = _signed_form(stored, sha256, media)
        return Found(version, signed=signed, linked=linked, is_genuine=is_genuine)
    entry = Entry(blanked_digest(body, version), len(body), version, tuple(linked))
    plan = content.get("plan_id")
    return Found(
        version,
        entry,
        drift=expected.drift(key, entry, stored),
        linked=linked,
        plan=plan if isinstance(plan, str) else "",
        commit=metadata.get("commit", ""),
        is_genuine=is_genuine,
        carries_digest=carries_digest(key, body),
    )


def _is_own_folder(plan: str, manifest: str) -> bool:
    return manifest.split("/")[1] in possible_segments(plan)


def _content(body: bytes) -> dict[str, Any] | None:
    """Return a file's content; None where its stamp is none that the exporter writes."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    version = content.get("version") if isinstance(content, dict) else None
    if type(version) is not int or not 0 <= version <= _LAST_INSTANT:
        return None
    return content if content.get("generated_at") == instant(version) else None


def _has_stages(content: Mapping[str, Any]) -> bool:
    stages = content.get("stages")
    return isinstance(stages, list) and all(isinstance(stage, dict) for stage in stages)


def _signed_form(stored: StoredObject, sha256: str, media: Media) -> SignedForm:
    lesson = json.loads(stored.body)  # to the last digit of any integer
    return SignedForm(
        media_form(lesson, media),
        str(lesson["signed_url_expiry"]),
        sha256,
        stored.info.attributes.cache_control,
    )


def _links(content: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    """Yield the keys that a file links to, in its order, each with the version that it names."""
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, list):
            waiting += [("", item) for item in reversed(value)]
        elif isinstance(value, dict):
            waiting += [pair for pair in reversed(value.items()) if pair[0] not in _CONTENT]
        elif isinstance(value, str) and (name == "url" or name.endswith("_url")):
            path, _, version = value.partition("?v=")
            if path.startswith(FOLDERS):
                yield unquote(path), int(version) if _VERSION.fullmatch(version) else None
