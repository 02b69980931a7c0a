"""Putting files on the CDN store: by phase, in parallel, with retries; and taking them away.

A phase is complete before the next begins. Where a file cannot be put for good, the plans that
need it have failed: nothing more of theirs is put, and the others go on. A file that no plan of
this publish answers for is one that goes back as it was: where that fails, the publish ends. It
ends too where the store takes nothing at all (a full disk): that is no plan's fault.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import groupby
from typing import Protocol, TypeVar

import orjson

from exporter.core.addressing import cache_control_of
from exporter.core.artifacts import Artifact
from exporter.core.steps import deletion_phases
from exporter.core.wording import counted
from exporter.errors import StoreBusy, StoreError, StoreUnusable
from exporter.publish.prepared import Prepared
from exporter.publish.run import Run
from exporter.stores.base import Attributes, ObjectStore

__all__ = ["CONTENT_TYPE", "Kept", "Unleased", "Uploader", "in_threads"]

T = TypeVar("T")

CONTENT_TYPE = "application/json; charset=utf-8"
FIRST_WAIT_S = 1.0
"""The wait before the first retry; each further one is twice as long, all of them ± a half."""
BETWEEN_TELLING_S = 0.1


class Kept(Protocol):
    """What has to be kept up while files are put: a lease."""

    def keep(self) -> None:
        """Keep it up.

        Raises:
            LeaseLost: somebody else has it now.
        """


class Unleased:
    """Stands in for the lease where nothing leads to what is put."""

    def keep(self) -> None:
        """Keep nothing up."""


class Uploader:
    """Writes to one CDN store while the lease is held.

    Its threads share a dict and a set without a lock, for which they would queue at every put: a
    single change of either is whole in itself.
    """

    def __init__(
        self, cdn: ObjectStore, run: Run, lease: Kept, progress: Callable[[str], None]
    ) -> None:
        self._cdn = cdn
        self._run = run
        self._lease = lease
        self._progress = progress
        self._noting = threading.Lock()
        self._done: dict[str, str] = {}
        """The SHA-256 of what was put."""
        self.attempted: set[str] = set()
        """The keys of which the object may have been replaced."""

    @property
    def has_put(self) -> bool:
        """Tell whether the store took at least one file."""
        return bool(self._done)

    def upload(self, prepared: Prepared) -> dict[str, StoreError]:
        """Put what differs; return the plans that failed, at the end of their phase.

        Raises:
            StoreError: a file could not go back as it was.
        """
        waiting = [one for one in prepared.delta.put.values() if not self._is_put(one)]

        def phase(artifact: Artifact) -> tuple[int, bool]:
            """Sort new files before changed ones: lessons may link to one another."""
            return (artifact.kind.phase, artifact.key in prepared.delta.before)

        ordered = sorted(waiting, key=lambda a: (*phase(a), a.key))
        for (number, _), artifacts in groupby(ordered, key=phase):
            batch = list(artifacts)
            self._progress(f"uploading {counted(len(batch), 'file')} (phase {number + 1})")
            failed = self._upload_all(batch, prepared)
            if failed:
                return failed
        return {}

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, those that refer to others first."""
        for batch in deletion_phases(keys):
            self._progress(f"deleting {counted(len(batch), 'file')} that nothing refers to")
            self._retried(lambda batch=batch: self._cdn.delete(batch))  # type: ignore[misc]

    def _upload_all(
        self, artifacts: Sequence[Artifact], prepared: Prepared
    ) -> dict[str, StoreError]:
        failed: dict[str, StoreError] = {}
        in_threads(
            lambda one: self._upload(one, prepared, failed),
            artifacts,
            self._run.concurrency,
            lambda done: self._run.progress("files put", done, len(artifacts)),
        )
        return failed

    def _upload(
        self, artifact: Artifact, prepared: Prepared, failed: dict[str, StoreError]
    ) -> None:
        """Put one file, unless all who need it have failed already; note who fails with it."""
        plans = prepared.needing(artifact)
        if plans and plans <= failed.keys():
            return
        try:
            self._put(artifact, prepared.origins.get(artifact.key, prepared.commit.sha))
        except StoreUnusable:
            raise
        except StoreError as error:
            if not plans and not self._stands(artifact):
                raise
            with self._noting:
                failed.update(dict.fromkeys(plans, error))

    def _stands(self, artifact: Artifact) -> bool:
        """Tell whether a file that goes back never was replaced: what refused it once does again.

        The version tells, as no two forms of a file have the same; the bytes may be signed.
        """
        found = self._cdn.get(artifact.key)
        try:
            body = orjson.loads(found.body) if found else None
        except ValueError:
            return False
        return isinstance(body, dict) and body.get("version") == artifact.entry.version

    def _is_put(self, artifact: Artifact) -> bool:
        done = self._done.get(artifact.key)
        return done is not None and done == hashlib.sha256(artifact.data).hexdigest()

    def _put(self, artifact: Artifact, commit: str) -> None:
        data = artifact.data
        digest = hashlib.sha256(data).hexdigest()
        of_kind = self._run.cache_control[artifact.kind.value]
        attributes = Attributes(
            CONTENT_TYPE,
            cache_control_of(artifact.key, data, of_kind),
            {"commit": commit, "sha256": digest},
        )
        self.attempted.add(artifact.key)
        self._retried(lambda: self._cdn.put(artifact.key, data, attributes))
        self._done[artifact.key] = digest

    def _retried(self, action: Callable[[], object]) -> None:
        """Do something, again and again while the store is only busy (spec 5, step 4)."""
        run = self._run
        for attempt in range(run.retries):
            self._lease.keep()
            try:
                action()
            except StoreBusy:
                run.sleep(FIRST_WAIT_S * 2.0**attempt * (0.5 + run.random()))
            else:
                return
        self._lease.keep()
        action()


def in_threads(
    action: Callable[[T], None],
    items: Iterable[T],
    threads: int,
    progress: Callable[[int], None],
) -> None:
    """Do something with each item; after an error begin no more, wait for the others and raise it.

    A thread takes its next item itself: one that is handed out as a future costs as much as half a
    put. `progress` is called here, not in the threads, with how many items are begun.
    """
    waiting = deque(items)
    total = len(waiting)
    with ThreadPoolExecutor(threads) as pool:
        try:
            working = [pool.submit(_work_off, action, waiting) for _ in range(min(threads, total))]
            while wait(working, BETWEEN_TELLING_S).not_done:
                progress(total - len(waiting))
            for one in working:
                one.result()
        finally:
            waiting.clear()
    progress(total)


def _work_off(action: Callable[[T], None], waiting: deque[T]) -> None:
    """Do something with one item after the other, until none is left or one fails."""
    try:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            action(item)
    except BaseException:
        waiting.clear()
        raise
