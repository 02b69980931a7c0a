"""`exporter gc`: what no recent release refers to goes, what one refers to never does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.content.repository import Commit
from exporter.core.release import Kind
from exporter.errors import ExporterError, Refused, StoreError
from exporter.publish.collecting import Collection, collect
from exporter.publish.lease import LeaseLost
from exporter.publish.livefiles import read_live_files
from exporter.publish.planning import PublishOptions
from exporter.publish.publisher import Published
from tests.publish.publishing import (
    Killed,
    ReadingFaults,
    RecordingPurger,
    SchoolRepository,
    Target,
    broken_links,
    whole_plans,
)
from tests.publish.schools import BAD, BASE, EDITED, SHRUNK, changed, without
from tests.publish.test_races import Interrupting
from tests.stores.memory import Faults

DAY = 86_400
KEEP = 30 * DAY
THOROUGH = os.environ.get("EXPORTER_THOROUGH") == "1"
ANY = PublishOptions(allow_mass_delete=True, allow_older=True)
SCHOOLS = (
    BASE,
    EDITED,
    SHRUNK,
    BAD,
    without(EDITED, "TWO"),
    changed(BASE, "M-T", title="Moved on"),
)


def collection(target: Target, keep: int = KEEP) -> Collection:
    live = read_live_files(target.ledger)
    limit = int(target.clock.now().timestamp()) - keep
    return collect(target.school.addressed(hashed=True), target.ledger, live, limit, {})


def gc(target: Target, keep: int = KEEP) -> Published | None:
    prepared = collection(target, keep).prepared
    return target.publisher().publish(prepared, target.run()) if prepared else None


def publish(target: Target, commit: Commit, plans: frozenset[str] = frozenset()) -> None:
    options = PublishOptions(plans, allow_mass_delete=True, allow_older=True)
    target.publish(commit, options, target.school.addressed(hashed=True))


@pytest.fixture(scope="module")
def commits(schools: SchoolRepository) -> list[Commit]:
    return [schools.commit(documents) for documents in SCHOOLS]


def test_a_file_goes_when_the_last_release_that_had_it_is_too_old(
    target: Target, commits: list[Commit]
) -> None:
    publish(target, commits[0])
    first = target.cdn.bodies
    publish(target, commits[1])
    both = target.cdn.bodies
    target.clock.now_s += KEEP
    assert gc(target) is None
    assert target.cdn.bodies == both
    target.clock.now_s += 1
    found = collection(target)
    assert (len(found.expired), found.kept) == (7, {})
    published = gc(target)
    assert published is not None
    assert (published.release.kind, published.files_deleted) == (Kind.GC, 7)
    assert both.keys() - target.cdn.bodies.keys() == found.expired.keys()
    assert found.expired.keys() < first.keys()
    assert broken_links(target.cdn.bodies) == []
    assert target.audit() == []
    assert gc(target) is None


def test_a_release_that_was_live_until_yesterday_is_recent_however_old_it_is(
    target: Target, commits: list[Commit]
) -> None:
    publish(target, commits[0])
    first = whole_plans(target.cdn.bodies)
    target.clock.now_s += 10 * KEEP
    publish(target, commits[1])
    target.clock.now_s += DAY
    assert gc(target) is None
    target.cdn.calls.clear()
    publish(target, commits[0])
    assert target.cdn.calls == [
        ("put", "plans/ONE/manifest.json"),
        ("put", "plans/TWO/manifest.json"),
    ]
    assert whole_plans(target.cdn.bodies) == first


def test_what_gc_took_is_put_again_when_it_comes_back(
    target: Target, commits: list[Commit]
) -> None:
    publish(target, commits[0])
    first = whole_plans(target.cdn.bodies)
    publish(target, commits[1])
    target.clock.now_s += KEEP + 1
    gc(target)
    publish(target, commits[0])
    assert whole_plans(target.cdn.bodies) == first
    assert target.audit() == []


def test_nobody_lists_a_bucket_and_no_cache_is_told(target: Target, commits: list[Commit]) -> None:
    purger = RecordingPurger()
    target.purger = purger
    for commit in commits:
        publish(target, commit)
    target.clock.now_s += KEEP + 1
    purger.sent.clear()
    target.cdn.calls.clear()
    target.state.calls.clear()
    gc(target)
    assert target.cdn.counts.keys() == {"delete"}
    assert "list" not in target.state.counts
    assert purger.sent == []


def test_the_stable_files_of_before_the_switch_go_too_and_caches_forget_them(
    target: Target, commits: list[Commit]
) -> None:
    purger = RecordingPurger()
    target.purger = purger
    target.publish(commits[0], ANY)
    stable = {key for key in target.cdn.bodies if not key.endswith("/manifest.json")}
    publish(target, commits[0])
    target.clock.now_s += KEEP + 1
    purger.sent.clear()
    gc(target)
    assert not stable & target.cdn.bodies.keys()
    assert purger.sent == [{"files": sorted(stable)}]


def test_a_file_that_the_exporter_did_not_put_stays(target: Target, commits: list[Commit]) -> None:
    publish(target, commits[0])
    publish(target, commits[1])
    found = target.cdn.get("plans/ONE/manifest.json")
    assert found is not None
    for key in ("lessons/mine.0123456789abcdef.json", "lessons/mine.json", "other/file"):
        target.cdn.put(key, b"{}", found.info.attributes)
    target.clock.now_s += KEEP + 1
    gc(target)
    assert {"lessons/mine.0123456789abcdef.json", "lessons/mine.json", "other/file"} < {
        *target.cdn.bodies
    }


def test_a_publish_left_unfinished_is_ended_first(target: Target, commits: list[Commit]) -> None:
    publish(target, commits[0])
    publish(target, commits[1])
    died = _died_before_the_swap(target, commits[0])
    died.clock.now_s += KEEP + 1
    with pytest.raises(Refused, match="left unfinished"):
        gc(died)
    publish(died, commits[0])
    died.clock.now_s += KEEP + 1
    assert gc(died) is not None
    assert broken_links(died.cdn.bodies) == []


def _died_before_the_swap(target: Target, commit: Commit) -> Target:
    """Return a target on which all manifests are new and the head is not."""
    for number in range(1, 200):
        died = target.copy()
        died.set_faults(ReadingFaults(number, "after", Killed(), lasting=True))
        with suppress(Killed, ExporterError):
            publish(died, commit)
        puts = sum(operation == "put" for operation, _ in died.cdn.calls)
        died.set_faults(Faults())
        if puts == 2:
            return died
    raise AssertionError("no publish puts two manifests")


def test_another_run_that_got_there_first_loses_nothing(
    target: Target, commits: list[Commit]
) -> None:
    publish(target, commits[0])
    publish(target, commits[1])
    target.clock.now_s += KEEP + 1
    prepared = collection(target).prepared
    assert prepared is not None
    publish(target, commits[0])
    with pytest.raises(Refused):
        target.publisher().publish(prepared, target.run())
    assert broken_links(target.cdn.bodies) == []
    assert target.audit() == []


def test_a_gc_that_slept_past_its_lease_harms_nobody(target: Target, commits: list[Commit]) -> None:
    publish(target, commits[0])
    publish(target, commits[1])
    target.clock.now_s += KEEP + 1
    prepared = collection(target).prepared
    assert prepared is not None
    asleep = ReadingFaults()

    def sleep_before_deleting() -> None:
        if asleep.count and target.cdn.calls[-1:] and target.cdn.calls[-1][0] == "delete":
            asleep.look = lambda: None
            target.clock.now_s += 3_600
            publish(target, commits[0])

    asleep.look = sleep_before_deleting
    target.set_faults(asleep)
    with suppress(LeaseLost, Refused):
        target.publisher().publish(prepared, target.run())
    target.set_faults(Faults())
    while collection_is_unfinished(target):
        publish(target, commits[0])
    assert broken_links(target.cdn.bodies) == []
    assert target.audit() == []


def collection_is_unfinished(target: Target) -> bool:
    return not target.ledger.journal().journal.is_clean


def test_a_gc_that_is_overtaken_at_any_call_harms_nothing(
    target: Target, commits: list[Commit]
) -> None:
    """A paused gc wakes up after another run put back what it is about to delete."""
    for number in (0, 2, 1):
        publish(target, commits[number])
    target.clock.now_s += KEEP + 1
    counted = target.copy()
    counted.set_faults(Interrupting(0, None))
    gc(counted)
    for at in range(1, counted.cdn.faults.count + 1):
        one = target.copy()
        prepared = collection(one).prepared
        assert prepared is not None

        def overtake(one: Target = one) -> None:
            quiet = one.copy()
            quiet.cdn._objects, quiet.state._objects = one.cdn._objects, one.state._objects
            one.clock.now_s += 4_000
            quiet.clock, quiet.runs = one.clock, 500
            publish(quiet, commits[0])

        one.set_faults(Interrupting(at, overtake))
        with suppress(Refused):
            one.publisher().publish(prepared, one.run())
        one.set_faults(Faults())
        _assert_live(one, whole_plans(one.cdn.bodies), str(at))
        one.clock.now_s += 4_000
        publish(one, commits[0])
        assert one.audit() == [], at


def _faults(calls: int) -> Iterator[tuple[str, ReadingFaults]]:
    moments: tuple[Literal["before", "after"], ...] = ("before", "after")
    for number in range(1, calls + 1):
        for when in moments:
            yield f"error {when} {number}", ReadingFaults(number, when, StoreError("spoilt"))
            yield f"kill {when} {number}", ReadingFaults(number, when, Killed(), lasting=True)


def test_a_fault_at_every_call_of_a_gc_breaks_no_link_and_the_next_run_ends_it(
    target: Target, commits: list[Commit]
) -> None:
    for number in (0, 2, 1):
        publish(target, commits[number])
    target.clock.now_s += KEEP + 1
    live = whole_plans(target.cdn.bodies)
    wanted, back = target.copy(), target.copy()
    gc(wanted)
    publish(back, commits[0])
    counted = target.copy()
    counted.set_faults(ReadingFaults())
    gc(counted)
    for where, faults in _faults(counted.cdn.faults.count):
        died = target.copy()
        faults.look = lambda died=died, where=where: _assert_live(died, live, where)  # type: ignore[misc]
        died.set_faults(faults)
        with suppress(ExporterError, Killed):
            gc(died)
        died.set_faults(Faults())
        died.clock.now_s += 3_600
        again = died.copy()
        with suppress(Refused):
            gc(again)
        publish(again, commits[1])
        gc(again)
        assert again.cdn.bodies == wanted.cdn.bodies, where
        _assert_in_order(again, where)
        publish(died, commits[0])
        assert whole_plans(died.cdn.bodies) == whole_plans(back.cdn.bodies), where
        _assert_in_order(died, where)


def _assert_live(target: Target, live: object, where: str) -> None:
    assert broken_links(target.cdn.bodies) == [], where
    assert whole_plans(target.cdn.bodies) == live, where


def _assert_in_order(target: Target, where: str) -> None:
    assert target.audit() == [], where
    assert broken_links(target.cdn.bodies) == [], where
    assert target.ledger.journal().journal.is_clean, where


@dataclass
class History:
    """What was live and until when, told by the CDN store alone."""

    target: Target
    past: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    live: frozenset[str] = frozenset()

    def publish(self, commit: Commit, plans: frozenset[str]) -> None:
        head = self.target.ledger.head()
        publish(self.target, commit, plans)
        if self.target.ledger.head() != head:
            self.past.append((self._now(), self.live))
            self.live = frozenset(key for key in self._reached() if "/manifest" not in key)

    def wanted(self) -> set[str]:
        """Return what has to be there after a gc now: what is live, or was within the limit."""
        recent = [files for until, files in self.past if until >= self._now() - KEEP]
        manifests = {key for key in self.target.cdn.bodies if key.endswith("/manifest.json")}
        return manifests.union(self.live, *recent)

    def _now(self) -> int:
        return int(self.target.clock.now().timestamp())

    def _reached(self) -> Iterator[str]:
        live = read_live_files(self.target.ledger)
        yield from live.entries


actions = st.lists(
    st.tuples(
        st.integers(0, len(SCHOOLS) - 1),
        st.sampled_from([0, 60, 10 * DAY, 20 * DAY, 31 * DAY]),
        st.sampled_from([(), (), (), ("TWO",), ("ONE", "THREE")]),
        st.booleans(),
    ),
    min_size=2,
    max_size=10,
)


@settings(
    max_examples=1_000 if THOROUGH else 100,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=actions, first_is_stable=st.booleans())
def test_after_any_history_just_what_no_recent_release_refers_to_is_gone(
    schools: SchoolRepository,
    commits: list[Commit],
    actions: list[tuple[int, int, tuple[str, ...], bool]],
    *,
    first_is_stable: bool,
) -> None:
    target = Target(schools)
    history = History(target)
    if first_is_stable:
        target.publish(commits[0], ANY)
        live = read_live_files(target.ledger).entries
        history.live = frozenset(key for key in live if "/manifest" not in key)
    for number, later_s, plans, collects in actions:
        target.clock.now_s += later_s
        before = read_live_files(target.ledger).plans if target.ledger.head() else {}
        known = frozenset(plans) <= {*before.values()}
        history.publish(commits[number], frozenset(plans) if known else frozenset())
        if collects:
            gc(target)
            assert set(target.cdn.bodies) == history.wanted()
        assert broken_links(target.cdn.bodies) == []
        assert target.audit() == []
        files = read_live_files(target.ledger)
        assert not files.kept.keys() & files.entries.keys()
