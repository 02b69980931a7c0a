"""After a publish it is known whether readers get the new files, and which they do not get yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from exporter.core.artifacts import Entry
from exporter.publish.proof import LIMIT_S, Behind, Proof, Wanted, prove, wanted_files
from exporter.publish.reader import CdnReader, Fetched, file_url
from exporter.stores.base import Attributes
from tests.publish.cdn_standin import cdn_standin
from tests.stores.memory import MemoryStore

MANIFEST = "plans/P/manifest.json"


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now_s: float = 100.0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def first(items: list[str], count: int) -> list[str]:
    return items[:count]


def answers(*versions: int) -> Callable[[str, str], Fetched]:
    """Fetch one version after the other; the last one from then on."""
    waiting = list(versions)

    def fetch(_url: str, _origin: str) -> Fetched:
        version = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return Fetched(200, b'{"version":%d}' % version)

    return fetch


def test_manifests_are_fetched_per_origin_and_a_sample_of_the_rest_as_links_name_it() -> None:
    put = {
        MANIFEST: Entry("d", 1, 7),
        **{f"lessons/{n:02}.json": Entry("d", 1, 8) for n in range(30)},
    }
    wanted = wanted_files(put, "https://cdn.example.org", ["https://app.example.org"], first)
    assert wanted[:3] == [
        Wanted("https://cdn.example.org/plans/P/manifest.json", 7),
        Wanted("https://cdn.example.org/plans/P/manifest.json", 7, "https://app.example.org"),
        Wanted("https://cdn.example.org/lessons/00.json?v=8", 8),
    ]
    assert len(wanted) == 2 + 20


def test_what_is_new_at_once_needs_no_waiting(time: Time) -> None:
    proof = prove([Wanted("u", 5)], answers(5), time.clock, time.sleep)
    assert proof == Proof(1, 0.0)
    assert str(proof) == "converged in 0.0 s (1 URLs through the CDN)"


def test_it_waits_longer_and_longer_until_the_edge_has_forgotten(time: Time) -> None:
    proof = prove([Wanted("u", 5)], answers(4, 4, 4, 5), time.clock, time.sleep)
    assert time.waits == [0.25, 0.5, 1.0]
    assert proof == Proof(1, 1.75)
    assert str(proof) == "converged in 1.8 s (1 URLs through the CDN)"


def test_what_stays_old_is_said_after_the_limit(time: Time) -> None:
    wanted = [Wanted("https://cdn/a", 5), Wanted("https://cdn/b", 4)]
    proof = prove(wanted, answers(4), time.clock, time.sleep)
    why = "it has version 4, the release has 5"
    assert proof == Proof(2, LIMIT_S, (Behind(wanted[0], why),))
    assert f"1 of 2 URLs are not new yet, the first of them https://cdn/a: {why}" in str(proof)
    assert max(time.waits) == 4.0


@pytest.mark.parametrize(
    ("fetched", "why"),
    [
        (Fetched(404), "the CDN answers 404"),
        (Fetched(200, b"<html>"), "the CDN answers something that is not JSON"),
        (Fetched(200, b"[]"), "it has version None, the release has 5"),
    ],
)
def test_other_answers_are_waited_for_too(time: Time, fetched: Fetched, why: str) -> None:
    proof = prove([Wanted("u", 5)], lambda _url, _origin: fetched, time.clock, time.sleep, 1.0)
    assert proof == Proof(1, 1.0, (Behind(Wanted("u", 5), why),))


def test_a_cdn_that_answers_nothing_is_not_waited_for(time: Time) -> None:
    fetched = Fetched(problem="connection refused")
    proof = prove([Wanted("u", 5)], lambda _url, _origin: fetched, time.clock, time.sleep)
    why = "it could not be fetched (connection refused)"
    assert proof == Proof(1, 0.0, (Behind(Wanted("u", 5), why, answered=False),))
    assert time.waits == []


def test_an_edge_converges_when_it_is_purged(time: Time) -> None:
    store = MemoryStore()
    store.put(MANIFEST, b'{"version":1}', Attributes("application/json"))
    with cdn_standin(store) as cdn, CdnReader(2) as reader:
        reader.fetch(file_url(cdn.base_url, MANIFEST))
        store.put(MANIFEST, b'{"version":2}', Attributes("application/json"))
        wanted = wanted_files({MANIFEST: Entry("d", 1, 2)}, cdn.base_url, [], first)

        def purge_late(seconds: float) -> None:
            time.sleep(seconds)
            if time.now_s > 101:
                cdn.purge(f"/{MANIFEST}")

        proof = prove(wanted, reader.fetch, time.clock, purge_late)
    assert proof == Proof(1, 1.75)
