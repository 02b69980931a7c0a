"""Proof that readers see a release: its files fetched through the CDN until they are the new ones.

An edge forgets a purged file within seconds, not at once (spec 7). So what a publish put is fetched
as readers do, in every form that an edge holds apart, again and again within a limit. What is still
old then is said; it is no error, since the release is live and a cache's own age ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson

from exporter.core.addressing import has_digest
from exporter.core.artifacts import Entry
from exporter.publish.reader import Fetched, file_url

__all__ = ["Behind", "Proof", "Wanted", "prove", "wanted_files"]

SAMPLE = 20
"""Changed files that are fetched besides the manifests."""
LIMIT_S = 30.0
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 4.0
FETCHES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """A form of a file, and the version that readers shall get."""

    url: str
    version: int
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Behind:
    """A form of a file that readers did not get in the version of the release."""

    wanted: Wanted
    why: str
    answered: bool = True
    """False where no server answered."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at, how long it took, and what was still behind at the end."""

    looked_at: int
    took_s: float
    behind: tuple[Behind, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the proof as it is reported."""
        return {
            "looked_at": self.looked_at,
            "took_s": round(self.took_s, 3),
            "behind": [
                {"url": one.wanted.url, "origin": one.wanted.origin, "why": one.why}
                for one in self.behind
            ],
        }

    def __str__(self) -> str:
        if not self.behind:
            return f"converged in {self.took_s:.1f} s ({self.looked_at} URLs through the CDN)"
        first = self.behind[0]
        return (
            f"after {self.took_s:.0f} s {len(self.behind)} of {self.looked_at} URLs are not new "
            f"yet, the first of them {first.wanted.url}: {first.why}"
        )


def wanted_files(
    put: Mapping[str, Entry],
    base_url: str,
    origins: Sequence[str],
    choose: Callable[[list[str], int], list[str]],
) -> list[Wanted]:
    """Return what to fetch: every manifest that was put, and a sample of the other files.

    A manifest is fetched as a page of each origin would, another file as links name it.
    """
    manifests = sorted(key for key in put if key.endswith("/manifest.json"))
    others = sorted(put.keys() - set(manifests))
    sample = choose(others, SAMPLE) if len(others) > SAMPLE else others
    forms = [(key, origin) for key in manifests for origin in ("", *origins)]
    return [
        *(Wanted(file_url(base_url, key), put[key].version, origin) for key, origin in forms),
        *(Wanted(_linked_url(base_url, key, put[key]), put[key].version) for key in sample),
    ]


def _linked_url(base_url: str, key: str, entry: Entry) -> str:
    """Return a file's URL as links name it."""
    return file_url(base_url, key, None if has_digest(key) else entry.version)


def prove(
    wanted: Iterable[Wanted],
    fetch: Callable[[str, str], Fetched],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    limit_s: float = LIMIT_S,
) -> Proof:
    """Fetch until every file is the new one, for at most so many seconds (`clock` counts them)."""
    waiting = list(wanted)
    looked_at, started, wait_s = len(waiting), clock(), FIRST_WAIT_S
    behind = _behind(waiting, fetch)
    while _may_change(behind) and (left_s := limit_s - (clock() - started)) > 0:
        sleep(min(wait_s, left_s))
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        behind = _behind([one.wanted for one in behind], fetch)
    return Proof(looked_at, clock() - started, tuple(behind))


def _behind(wanted: list[Wanted], fetch: Callable[[str, str], Fetched]) -> list[Behind]:
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as threads:
        fetched = threads.map(lambda one: fetch(one.url, one.origin), wanted)
        told = [(one, _why(one, found), found) for one, found in zip(wanted, fetched, strict=True)]
    return [Behind(one, why, not found.problem) for one, why, found in told if why]


def _may_change(behind: Sequence[Behind]) -> bool:
    """Tell whether waiting can help: it does not where no server answers at all."""
    return any(one.answered for one in behind)


def _why(wanted: Wanted, found: Fetched) -> str:
    """Say why an answer is not the new file; empty where it is."""
    if found.problem:
        return f"it could not be fetched ({found.problem})"
    if found.status != 200:
        return f"the CDN answers {found.status}"
    try:
        content = orjson.loads(found.body)
    except orjson.JSONDecodeError:
        return "the CDN answers something that is not JSON"
    version = content.get("version") if isinstance(content, dict) else None
    if version == wanted.version:
        return ""
    return f"it has version {version!r}, the release has {wanted.version}"
