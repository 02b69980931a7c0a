"""A fault at every storage call of every kind of publish, with a reader crawling all the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import pytest

from exporter.content.repository import Commit
from exporter.core.release import PlanState
from exporter.errors import ExporterError, StoreError
from exporter.publish.planning import PublishOptions
from tests.core.school import override, plan, topic
from tests.publish.publishing import (
    Killed,
    ReadingFaults,
    SchoolRepository,
    Target,
    broken_links,
    manifests,
    without_versions,
)
from tests.publish.schools import BAD, BASE, EDITED, SHRUNK, Documents, changed, without
from tests.stores.memory import Faults

ANY = PublishOptions(allow_mass_delete=True)


@dataclass(frozen=True)
class Scenario:
    """The schools that were published one after the other, and what is published next."""

    before: tuple[Documents, ...]
    target: Documents


SCENARIOS = {
    "first publish": Scenario((), BASE),
    "edit": Scenario((BASE,), EDITED),
    "deletion": Scenario((BASE,), SHRUNK),
    "plan removed": Scenario((BASE,), without(EDITED, "TWO")),
    "plan unpublished": Scenario((BASE,), changed(BASE, "THREE", is_published=False)),
    "good and bad plans": Scenario((BASE,), BAD),
    "bad plans mended": Scenario((BASE, BAD), EDITED),
    "rollback": Scenario((BASE, EDITED), BASE),
    "rollback of a deletion": Scenario((BASE, SHRUNK), BASE),
    "override": Scenario(
        (BASE,),
        [
            *without(BASE, "ONE"),
            plan("ONE", ["M", "P"], [override(topic("M-O1", "M-U"), "Hide")]),
        ],
    ),
    "subject moves to another plan": Scenario(
        (BASE,), [*without(BASE, "ONE", "TWO"), plan("ONE", ["M"]), plan("TWO", ["P"])]
    ),
}


@dataclass
class Story:
    """A scenario made real: the target before, the commit to publish, a clean publish of it."""

    start: Target
    commit: Commit
    revert: Commit
    clean: Target
    reverted: Target
    """The revert published over the state before."""
    both: Target
    """The revert published over the clean publish."""


def _story(schools: SchoolRepository, scenario: Scenario) -> Story:
    start = Target(schools)
    for documents in scenario.before:
        start.publish(schools.commit(documents), ANY)
    commit = schools.commit(scenario.target)
    revert = schools.commit(scenario.before[-1] if scenario.before else BASE[:-1])
    clean, reverted = start.copy(), start.copy()
    clean.publish(commit, ANY)
    reverted.publish(revert, ANY)
    both = clean.copy()
    both.publish(revert, ANY)
    assert clean.audit() == reverted.audit() == both.audit() == []
    return Story(start, commit, revert, clean, reverted, both)


def _faults(calls: int) -> Iterator[tuple[str, ReadingFaults]]:
    """Yield a failing and a killing fault before and after the effect of every call."""
    moments: tuple[Literal["before", "after"], ...] = ("before", "after")
    for number in range(1, calls + 1):
        for when in moments:
            at = f"{when} call {number}"
            yield f"error {at}", ReadingFaults(number, when, StoreError("spoilt"))
            yield f"kill {at}", ReadingFaults(number, when, Killed(), lasting=True)


def _after(story: Story, target: Target) -> Target | None:
    """Return what the revert must lead to, which depends on what is live by now.

    Where the fault made a plan fail, a revert that holds it back keeps an older form of it.
    """
    live = target.ledger.live()
    if live.head is None or live.head.commit != story.commit.sha:
        return story.reverted
    failed = live.release and any(
        one.state is PlanState.FAILED for one in live.release.plans.values()
    )
    return None if failed else story.both


def _publish_watched(target: Target, commit: Commit, allowed: set[bytes], where: str) -> None:
    """Publish with whatever faults are set; a reader crawls before and after every call."""

    def look() -> None:
        bodies = target.cdn.bodies
        assert broken_links(bodies) == [], where
        unknown = [key for key, body in manifests(bodies).items() if body not in allowed]
        assert unknown == [], where

    faults = target.cdn.faults
    if isinstance(faults, ReadingFaults):
        faults.look = look
    with suppress(ExporterError, Killed):
        target.publish(commit, ANY)
    look()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_every_call_breaks_no_link_and_the_next_run_ends_it(
    name: str, schools: SchoolRepository
) -> None:
    story = _story(schools, SCENARIOS[name])
    counted = story.start.copy()
    counted.set_faults(ReadingFaults())
    counted.publish(story.commit, ANY)
    allowed = {
        body
        for target in (story.start, story.clean, story.reverted, story.both)
        for body in manifests(target.cdn.bodies).values()
    }
    for fault, faults in _faults(counted.cdn.faults.count):
        where = f"{name}, {fault}"
        target = story.start.copy()
        target.set_faults(faults)
        _publish_watched(target, story.commit, allowed, where)
        _next_run(target.copy(), story.commit, story.clean, allowed, where)
        _next_run(target.copy(), story.revert, _after(story, target.copy()), allowed, where)


def _next_run(
    target: Target, commit: Commit, clean: Target | None, allowed: set[bytes], where: str
) -> None:
    """Publish after a fault: the state must be that of one clean publish, and stay so."""
    target.clock.now_s += 3_600
    target.set_faults(ReadingFaults())
    _publish_watched(target, commit, allowed, where)
    assert target.audit() == [], where
    assert target.ledger.journal().journal.is_clean, where
    found = target.cdn.bodies
    if clean is not None:
        wanted = clean.cdn.bodies
        assert found.keys() == wanted.keys(), where
        for key, body in found.items():
            assert without_versions(body) == without_versions(wanted[key]), f"{where}: {key}"
    while target.publish(commit, ANY) is not None:
        assert target.cdn.bodies == found, where
    target.set_faults(Faults())
    assert target.publish(commit, ANY) is None, where
    assert target.cdn.calls == [], where
    assert [operation for operation, _ in target.state.calls] == ["get"] * 3, where
