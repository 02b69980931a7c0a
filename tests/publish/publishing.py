"""A target in memory and a school in git, for tests that publish, fail, crash and publish again.

Git is real; what it says of a commit never changes, so it is asked once. A `Reader` crawls the CDN
store from every manifest before and after each storage call.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from exporter.build.encoding import body_digest
from exporter.build.inspection import CheckRules
from exporter.config.model import CACHE_CONTROL
from exporter.content.repository import Commit, Repository
from exporter.core.addressing import plain_key
from exporter.core.artifacts import Rules
from exporter.core.files import render
from exporter.core.model import Document
from exporter.core.tree import grow
from exporter.publish.ledger import Ledger
from exporter.publish.planning import Prepared, PublishOptions, Workspace, prepare
from exporter.publish.publisher import Published, Publisher, Purger
from exporter.publish.run import Run
from exporter.stores.base import ObjectStore
from tests.stores.memory import Faults, MemoryStore

__all__ = [
    "FOLDER",
    "HASHED",
    "Clock",
    "Killed",
    "ReadingFaults",
    "SchoolRepository",
    "Target",
    "broken_links",
    "manifests",
    "whole_plans",
    "without_versions",
]

FOLDER = "content-snapshot"
HASHED = CheckRules(Rules(addressing="hashed"))
_VERSION = re.compile(rb'"version":\d+,"generated_at":"[^"]*"|\?v=\d+|\.[0-9a-f]{16}(?=\.json")')


class Killed(BaseException):
    """The process died here."""


class Clock:
    """A clock that stands still unless told otherwise; sleeping moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 8, tzinfo=UTC) + timedelta(seconds=self.now_s)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class _RememberingRepository(Repository):
    """Asks git once for what can never change."""

    def __init__(self, inside: Path) -> None:
        super().__init__(inside)
        self.is_ancestor = cache(super().is_ancestor)  # type: ignore[method-assign]
        self.tree = cache(super().tree)  # type: ignore[method-assign]
        self.changed_paths = cache(super().changed_paths)  # type: ignore[method-assign]
        self.find = cache(super().find)  # type: ignore[method-assign]
        self.git = cache(super().git)  # type: ignore[method-assign]
        self._blobs: dict[str, bytes] = {}

    def blobs(self, hashes: Iterable[str]) -> Iterator[bytes]:
        wanted = list(hashes)
        new = [sha for sha in dict.fromkeys(wanted) if sha not in self._blobs]
        self._blobs.update(zip(new, super().blobs(new), strict=True))
        return iter([self._blobs[sha] for sha in wanted])


class SchoolRepository:
    """A repository whose commits are whole schools."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._time = 1_800_000_000
        self._git("init", "--quiet", "--initial-branch=main")
        self.repository: Repository = _RememberingRepository(folder)

    def commit(
        self, documents: Iterable[Document], message: str = "content", parent: str | None = None
    ) -> Commit:
        """Commit a school, on HEAD or on another commit."""
        if parent:
            self._git("checkout", "--quiet", "--detach", parent)
        snapshot = grow(documents)
        root = self.folder / FOLDER
        for old in sorted(root.rglob("*.yaml")):
            old.unlink()
        for ref, document in snapshot.documents.items():
            path = root / snapshot.paths[ref]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(document, orphan=snapshot.is_orphan(document)), "utf-8")
        return self.commit_as_it_stands(message)

    def commit_as_it_stands(self, message: str = "content") -> Commit:
        """Commit the work tree, whatever is in it."""
        self._time += 60
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "-m", message)
        return Repository(self.folder).resolve("HEAD")

    def same_second(self) -> None:
        """Give the next commit the time of the last one."""
        self._time -= 60

    def workspace(self, fingerprint: str = "f1", rules: CheckRules | None = None) -> Workspace:
        return Workspace(self.repository, FOLDER, rules or CheckRules(), {}, fingerprint)

    def addressed(self, *, hashed: bool) -> Workspace:
        """Return the workspace as a configuration of either addressing gives it."""
        return self.workspace("hashed", HASHED) if hashed else self.workspace()

    def _git(self, *arguments: str) -> None:
        when = f"{self._time} +0000"
        stamp = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        identity = ["-c", "user.name=Test Author", "-c", "user.email=author@example.org"]
        subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.folder,
            check=True,
            env={**os.environ, **stamp},
        )


@dataclass(slots=True)
class RecordingPurger:
    """Takes purges; refuses them while told to."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False

    def requests(self, changes: Mapping[str, int | None]) -> list[dict[str, Any]]:
        return [{"files": sorted(changes)}] if changes else []

    def send(self, request: Mapping[str, Any]) -> None:
        from exporter.errors import PurgeError

        if self.refuses:
            raise PurgeError("the CDN is away")
        self.sent.append(dict(request))


class ReadingFaults(Faults):
    """Lets somebody look before and after every storage call."""

    look: Callable[[], None] = staticmethod(lambda: None)

    @contextmanager
    def around_effect(self) -> Iterator[None]:
        self.look()
        with super().around_effect():
            yield
        self.look()


class Target:
    """A CDN store and a state store in memory, with one clock and one count of calls."""

    def __init__(self, school: SchoolRepository, purger: Purger | None = None) -> None:
        self.school = school
        self.clock = Clock()
        self.purger = purger
        self.runs = 0
        self.concurrency = 1
        self.hashed = False
        """Whether keys carry digests where nothing else is said."""
        self.cdn = MemoryStore(label="cdn://")
        self.state = MemoryStore(label="state://")
        self.set_faults(Faults())

    def set_faults(self, faults: Faults) -> None:
        self.cdn.faults = self.state.faults = faults
        self.cdn.calls.clear()
        self.state.calls.clear()

    def copy(self) -> Target:
        """Return another target in the same state."""
        twin = Target(self.school, self.purger)
        twin.cdn._objects.update(self.cdn._objects)
        twin.state._objects.update(self.state._objects)
        twin.clock.now_s, twin.runs = self.clock.now_s, self.runs
        twin.hashed = self.hashed
        return twin

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.state)

    def run(self, **changes: Any) -> Run:
        self.runs += 1
        values: dict[str, Any] = {
            "release_id": f"run-{self.runs:03}",
            "trigger": "a test",
            "exporter": "0",
            "now": self.clock.now,
            "concurrency": self.concurrency,
            "cache_control": CACHE_CONTROL,
            "sleep": self.clock.sleep,
            "random": lambda: 0.5,
        }
        return Run(**{**values, **changes})

    def prepare(
        self,
        commit: Commit,
        options: PublishOptions | None = None,
        workspace: Workspace | None = None,
    ) -> Prepared:
        place = workspace or self.school.addressed(hashed=self.hashed)
        return prepare(place, self.ledger, commit, options or PublishOptions())

    def publisher(self, cdn: ObjectStore | None = None) -> Publisher:
        return Publisher(cdn or self.cdn, self.ledger, self.purger, lambda _text: None)

    def publish(
        self,
        commit: Commit,
        options: PublishOptions | None = None,
        workspace: Workspace | None = None,
        cdn: ObjectStore | None = None,
    ) -> Published | None:
        """Publish a commit; None where there was nothing to do."""
        prepared = self.prepare(commit, options, workspace)
        if prepared.is_nothing:
            return None
        return self.publisher(cdn).publish(prepared, self.run())

    def audit(self) -> list[str]:
        """Return how the CDN store differs from what the ledger says is live, or stands on."""
        release = self.ledger.live().release
        expected = {key: one.entry for key, one in self.ledger.kept(release).items()}
        expected.update(self.ledger.index(release.lessons if release else ""))
        for outcome in release.plans.values() if release else ():
            expected.update(self.ledger.index(outcome.index))
        bodies = self.cdn.bodies
        wrong = [f"missing {key}" for key in sorted(expected.keys() - bodies.keys())]
        wrong += [f"extra {key}" for key in sorted(bodies.keys() - expected.keys())]
        for key in sorted(expected.keys() & bodies.keys()):
            entry = expected[key]
            found = _facts(bodies[key])
            if found != (entry.digest, entry.version, entry.size):
                wrong.append(f"different {key}")
        return wrong


@cache
def _facts(body: bytes) -> tuple[str, int, int]:
    payload = orjson.loads(body)
    return (body_digest(payload), payload["version"], len(body))


def manifests(bodies: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the manifests of a CDN store, without what versions say."""
    return {
        key: without_versions(body)
        for key, body in bodies.items()
        if re.fullmatch(r"plans/[^/]+/manifest\.json", key)
    }


@cache
def without_versions(body: bytes) -> bytes:
    return _VERSION.sub(b"", body)


def broken_links(bodies: Mapping[str, bytes]) -> list[str]:
    """Crawl from every manifest; return the links that lead nowhere."""
    waiting = list(manifests(bodies))
    seen: set[str] = set(waiting)
    broken = []
    while waiting:
        key = waiting.pop()
        for link in _links_of(bodies[key]):
            if link not in bodies:
                broken.append(f"{key} -> {link}")
            elif link not in seen:
                seen.add(link)
                waiting.append(link)
    return broken


def whole_plans(bodies: Mapping[str, bytes]) -> dict[str, frozenset[tuple[str, bytes]]]:
    """Return all that each manifest leads to, without digests and what versions say."""
    return {
        manifest: frozenset((plain_key(key), without_versions(bodies[key])) for key in found)
        for manifest in manifests(bodies)
        if (found := _reached(bodies, manifest))
    }


def _reached(bodies: Mapping[str, bytes], key: str) -> set[str]:
    found, waiting = {key}, [key]
    while waiting:
        for link in _links_of(bodies[waiting.pop()]):
            if link in bodies and link not in found:
                found.add(link)
                waiting.append(link)
    return found


@cache
def _links_of(body: bytes) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_links(orjson.loads(body))))


def _links(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _links(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, str) and (name == "url" or name.endswith("_url")):
                yield unquote(item.partition("?")[0])
            else:
                yield from _links(item)
