"""Comparing what readers get with the live release, and putting it right (spec 5, `verify`).

Every file of the release is read, or a sample, from the CDN store or through `base_url`; a full
look at the store also lists what no release knows. A repair is a release like any other: bytes are
made again from git, checked against the indexes and put; what is extra is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from exporter.core.addressing import has_digest
from exporter.core.artifacts import Entry
from exporter.core.progress import Progress, unseen
from exporter.core.release import Kind
from exporter.errors import OutsideError
from exporter.publish.comparing import CONTENT_TYPE, Damage, Drift, Expectations
from exporter.publish.guarding import refuse_other_store
from exporter.publish.ledger import Ledger
from exporter.publish.livefiles import LiveFiles
from exporter.publish.prepared import Prepared, Workspace
from exporter.publish.reader import Fetched, file_url
from exporter.stores.base import ObjectStore

__all__ = [
    "FOLDERS",
    "Repair",
    "compare",
    "compare_kept",
    "extra_objects",
    "look_in_store",
    "look_through_cdn",
    "repair",
]

FOLDERS = ("lessons/", "plans/", "units/")
"""Where every published object is; what is elsewhere in the store is not ours."""

Look = Callable[[str, Entry], Drift | None]
"""Reads one file and says what is wrong with it."""


def look_in_store(store: ObjectStore, expected: Expectations) -> Look:
    """Look at objects in the CDN store, their headers included."""
    return lambda key, entry: expected.drift(key, entry, store.get(key))


@dataclass(frozen=True, slots=True)
class _CdnLook:
    """Looks at files through the CDN: first past its cache, then as readers do."""

    fetch: Callable[[str], Fetched]
    base_url: str
    expected: Expectations
    bust: str
    version_links: bool

    def __call__(self, key: str, entry: Entry) -> Drift | None:
        plain = key.endswith("/manifest.json") or has_digest(key)
        linked = self.version_links and not plain
        version = entry.version if linked else None
        past = self._ask(key, entry, file_url(self.base_url, key, version, self.bust))
        if past:
            return past
        through = self._ask(key, entry, file_url(self.base_url, key, version))
        return Drift(key, Damage.STALE, f"in the CDN's cache: {through.why}") if through else None

    def _ask(self, key: str, entry: Entry, url: str) -> Drift | None:
        found = self.fetch(url)
        if found.status == 404:
            return Drift(key, Damage.MISSING, "the CDN answers 404")
        if found.status != 200:
            raise OutsideError(
                f"{url} could not be fetched: {found.problem or f'HTTP {found.status}'}",
                hint="check the target's `base_url`, and that the CDN reaches the store",
            )
        drift = self.expected.drift_of_body(key, entry, found.body)
        content_type = found.headers.get("content-type", "")
        if drift is None and not _same_type(content_type):
            why = f"Content-Type is {content_type!r}, not {CONTENT_TYPE!r}"
            return Drift(key, Damage.HEADERS, why)
        return drift


def look_through_cdn(
    fetch: Callable[[str], Fetched],
    base_url: str,
    expected: Expectations,
    bust: str,
    *,
    version_links: bool,
) -> Look:
    """Look at files through a CDN, past its cache (`bust` is in no cache yet) and through it."""
    return _CdnLook(fetch, base_url, expected, bust, version_links)


def compare(
    entries: Mapping[str, Entry], look: Look, concurrency: int, progress: Progress = unseen
) -> list[Drift]:
    """Return what is wrong with some files, in the order of their keys.

    Raises:
        StoreError, OutsideError: a file could not be read.
    """
    keys = sorted(entries)
    with ThreadPoolExecutor(concurrency) as threads:
        found = threads.map(lambda key: look(key, entries[key]), keys)
        drifts = []
        for done, drift in enumerate(found, start=1):
            progress("files compared", done, len(keys))
            if drift:
                drifts.append(drift)
        return drifts


def extra_objects(store: ObjectStore, known: Collection[str]) -> Iterator[Drift]:
    """Yield the objects below our folders that no release knows."""
    for folder in FOLDERS:
        for info in store.list(folder):
            if info.key not in known:
                yield Drift(info.key, Damage.EXTRA, "no live release knows it")


def compare_kept(live: LiveFiles, look: Look, concurrency: int) -> list[Drift]:
    """Return what is wrong with the bodies of what stands on: a rollback counts on them.

    Raises:
        StoreError: a file could not be read.
    """
    entries = {key: one.entry for key, one in live.kept.items()}
    found = compare(entries, look, concurrency)
    return [drift for drift in found if drift.damage is not Damage.HEADERS]


@dataclass(frozen=True, slots=True)
class Repair:
    """What puts drift right; `lost` are the files whose bytes cannot be made again."""

    prepared: Prepared | None
    lost: tuple[str, ...] = ()


def repair(
    workspace: Workspace, ledger: Ledger, live: LiveFiles, drifts: Iterable[Drift]
) -> Repair:
    """Work out the release that makes the CDN store as the live release says.

    What stands on and is broken is deleted: should it be wanted again, it is made anew. Where a
    live file cannot be made again, nothing is deleted: what stands in its place may lead there.

    Raises:
        GitError: the live commit is not in this clone.
        Refused: the live files are in another store.
    """
    refuse_other_store(ledger, live.state)
    found = list(drifts)
    extra = sorted(drift.key for drift in found if drift.key not in live.entries)
    broken = [drift.key for drift in found if drift.key in live.entries]
    files = live.rebuilt(workspace, ledger, broken)
    prepared = live.putting(workspace, Kind.REPAIR, files, () if files.missing else extra)
    return Repair(prepared if prepared.delta.touches else None, tuple(sorted(files.missing)))


def _same_type(content_type: str) -> bool:
    """Tell whether a header says what ours says; a CDN may write it in other words."""
    return content_type.replace(" ", "").lower() == CONTENT_TYPE.replace(" ", "")
