"""Carrying out a publish: uploads by phase, the ledger, deletions last, then the purge (spec 5).

A reader who follows links from any manifest always finds what they lead to: everything that a file
links to is uploaded before it, and nothing is deleted before the head has moved on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Protocol

from exporter.core.artifacts import Artifact
from exporter.core.release import Kind, Release
from exporter.errors import PurgeError
from exporter.publish.ledger import Ledger
from exporter.publish.planning import Prepared
from exporter.stores.base import Attributes, ObjectStore

__all__ = ["Published", "Publisher", "Purger", "Run"]

CONTENT_TYPE = "application/json; charset=utf-8"


class Purger(Protocol):
    """Asks a CDN to forget URLs. A request is one call's body, as plain JSON."""

    def requests(self, changes: Mapping[str, int | None]) -> list[dict[str, Any]]:
        """Return the requests for changed keys, given each one's last version."""

    def send(self, request: Mapping[str, Any]) -> None:
        """Send one request; PurgeError where the CDN did not accept it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Who publishes, when, and how hard: what comes from outside into a publish."""

    release_id: str
    trigger: str
    exporter: str
    now: Callable[[], datetime]
    concurrency: int
    cache_control: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did; `purge_error` says what the CDN did not accept."""

    release: Release
    purge_error: str = ""


class Publisher:
    """Carries out what was prepared, on one target."""

    def __init__(
        self, cdn: ObjectStore, ledger: Ledger, purger: Purger | None, progress: Callable[[str], None]
    ) -> None:
        """Take the stores of a target and its purger; `progress` is told what is being done."""
        self._cdn = cdn
        self._ledger = ledger
        self._purger = purger
        self._progress = progress

    def publish(self, prepared: Prepared, run: Run) -> Published:
        """Run the steps.

        Raises:
            StoreError: a store failed; the head has not moved, run again.
            Refused: another publish finished first.
        """
        started = run.now()
        debt = self._debt(prepared)
        self._upload(prepared, run)
        for packed in prepared.indexes:
            self._ledger.save_index(packed)
        requests = debt + self._requests(prepared)
        release = _release(prepared, run, started)
        if requests:
            self._ledger.owe_purge(release.id, requests)
        self._ledger.save_release(release)
        self._ledger.swap_head(release.head, prepared.live.etag)
        self._delete(prepared)
        error = self._purge(release.id, requests)
        if debt and prepared.live.head:
            self._ledger.owe_purge(prepared.live.head.release, [])
        return Published(release, error)

    def settle(self, prepared: Prepared) -> str:
        """Send what the live release still owes the CDN; return what it did not accept."""
        head = prepared.live.head
        return self._purge(head.release, self._debt(prepared)) if head else ""

    def _debt(self, prepared: Prepared) -> list[dict[str, Any]]:
        head = prepared.live.head
        return self._ledger.pending_purge(head.release) if head and self._purger else []

    def _upload(self, prepared: Prepared, run: Run) -> None:
        """Upload what differs; each phase is complete before the next."""
        ordered = sorted(prepared.delta.put.values(), key=lambda a: (a.kind.phase, a.key))
        for phase, artifacts in groupby(ordered, key=lambda a: a.kind.phase):
            batch = list(artifacts)
            self._progress(f"uploading {len(batch)} files (phase {phase + 1} of 4)")
            self._upload_all(batch, prepared.commit.sha, run)

    def _upload_all(self, artifacts: Iterable[Artifact], commit: str, run: Run) -> None:
        with ThreadPoolExecutor(run.concurrency) as pool:
            futures = [pool.submit(self._put, artifact, commit, run) for artifact in artifacts]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _put(self, artifact: Artifact, commit: str, run: Run) -> None:
        cache_control = run.cache_control[artifact.kind.value]
        digest = hashlib.sha256(artifact.data).hexdigest()
        metadata = {"commit": commit, "sha256": digest}
        self._cdn.put(artifact.key, artifact.data, Attributes(CONTENT_TYPE, cache_control, metadata))

    def _delete(self, prepared: Prepared) -> None:
        keys = list(prepared.delta.delete)
        if keys:
            self._progress(f"deleting {len(keys)} files that nothing refers to")
            self._cdn.delete(keys)

    def _requests(self, prepared: Prepared) -> list[dict[str, Any]]:
        delta = prepared.delta
        changes: dict[str, int | None] = dict.fromkeys(delta.put)
        changes.update({key: entry.version for key, entry in (*delta.before.items(), *delta.delete.items())})
        return self._purger.requests(changes) if self._purger and changes else []

    def _purge(self, release: str, requests: list[dict[str, Any]]) -> str:
        """Send purge requests; those that fail stay in the ledger for the next run."""
        if not requests or self._purger is None:
            return ""
        self._progress(f"purging the CDN's cache ({len(requests)} requests)")
        failed: list[dict[str, Any]] = []
        error = ""
        for request in requests:
            try:
                self._purger.send(request)
            except PurgeError as problem:
                failed.append(request)
                error = problem.message
        self._ledger.owe_purge(release, failed)
        return error


def _release(prepared: Prepared, run: Run, started: datetime) -> Release:
    delta = prepared.delta
    head = prepared.live.head
    return replace(
        Release(run.release_id, Kind.PUBLISH, prepared.commit.sha, prepared.fingerprint, run.exporter),
        parent_release=head.release if head else "",
        parent_commit=head.commit if head else "",
        trigger=run.trigger,
        started_at=_instant(started),
        finished_at=_instant(run.now()),
        plans=prepared.outcomes,
        lessons=prepared.lessons,
        files_put=len(delta.put),
        bytes_put=sum(artifact.entry.size for artifact in delta.put.values()),
        files_deleted=len(delta.delete),
        urls_to_purge=0,
    )


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
