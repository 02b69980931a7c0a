"""A fault at every storage call of every kind of publish, with a reader crawling all the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from exporter.content.repository import Commit
from exporter.core.release import PlanState
from exporter.errors import ExporterError, StoreError
from exporter.publish.planning import PublishOptions
from exporter.publish.publisher import Published
from tests.core.school import override, plan, topic
from tests.publish.publishing import (
    Killed,
    ReadingFaults,
    SchoolRepository,
    Target,
    broken_links,
    manifests,
    whole_plans,
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
    was_hashed: bool = False
    """Whether keys carry digests in what was published before, and in what is published next."""
    hashed: bool = False


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


HASHED = {
    **{
        f"hashed: {name}": replace(SCENARIOS[name], was_hashed=True, hashed=True)
        for name in (
            "first publish",
            "edit",
            "deletion",
            "plan removed",
            "good and bad plans",
            "bad plans mended",
            "rollback",
            "rollback of a deletion",
        )
    },
    "from stable to hashed": Scenario((BASE,), EDITED, hashed=True),
    "from stable to hashed with a bad plan": Scenario((BASE,), BAD, hashed=True),
    "from hashed to stable": Scenario((BASE,), EDITED, was_hashed=True),
    "from hashed to stable and back in time": Scenario((BASE, SHRUNK), BASE, was_hashed=True),
}


@dataclass
class Story:
    """A scenario made real: the target before, the commit to publish, a clean publish of it."""

    scenario: Scenario
    start: Target
    commit: Commit
    revert: Commit
    clean: Target
    reverted: Target
    """The revert published over the state before."""
    both: Target
    """The revert published over the clean publish."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Return every state that was reached without a fault."""
        return (self.start, self.clean, self.reverted, self.both)

    def publish(self, target: Target, commit: Commit) -> Published | None:
        """Publish as the scenario does."""
        return target.publish(commit, ANY, target.school.addressed(hashed=self.scenario.hashed))


def _story(schools: SchoolRepository, scenario: Scenario) -> Story:
    start = Target(schools)
    for documents in scenario.before:
        place = schools.addressed(hashed=scenario.was_hashed)
        start.publish(schools.commit(documents), ANY, place)
    commit = schools.commit(scenario.target)
    revert = schools.commit(scenario.before[-1] if scenario.before else BASE[:-1])
    clean, reverted = start.copy(), start.copy()
    story = Story(scenario, start, commit, revert, clean, reverted, clean)
    story.publish(clean, commit)
    story.publish(reverted, revert)
    story.both = clean.copy()
    story.publish(story.both, revert)
    assert [problem for target in story.targets for problem in target.audit()] == []
    return story


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


class _Reader:
    """Crawls the CDN store, and knows what it may find there."""

    def __init__(self, story: Story) -> None:
        bodies = [target.cdn.bodies for target in story.targets]
        self.hashed = story.scenario.hashed
        self._seen: dict[str, bytes] = {}
        self.manifests = {body for one in bodies for body in manifests(one).values()}
        self.plans = {plan for one in bodies for plan in whole_plans(one).items()}
        self.old = {key: body for key, body in bodies[0].items() if key not in manifests(bodies[0])}

    def look(self, target: Target, where: str) -> None:
        bodies = target.cdn.bodies
        if bodies == self._seen:
            return
        self._seen = bodies
        assert broken_links(bodies) == [], where
        unknown = [key for key, body in manifests(bodies).items() if body not in self.manifests]
        assert unknown == [], where
        if self.hashed:  # only then does spec 5 promise whole releases
            mixed = [plan for plan in whole_plans(bodies).items() if plan not in self.plans]
            assert [name for name, _ in mixed] == [], where
            gone = [key for key, body in self.old.items() if bodies.get(key) != body]
            assert gone == [], where  # whoever has an older manifest still finds all of it

    def watch(self, target: Target, story: Story, commit: Commit, where: str) -> None:
        """Publish with whatever faults are set; crawl before and after every call."""
        faults = target.cdn.faults
        if isinstance(faults, ReadingFaults):
            faults.look = lambda: self.look(target, where)
        with suppress(ExporterError, Killed):
            story.publish(target, commit)
        self.look(target, where)


@pytest.mark.parametrize("name", [*SCENARIOS, *HASHED])
def test_a_fault_at_every_call_breaks_no_link_and_the_next_run_ends_it(
    name: str, schools: SchoolRepository
) -> None:
    story = _story(schools, {**SCENARIOS, **HASHED}[name])
    reader = _Reader(story)
    counted = story.start.copy()
    counted.set_faults(ReadingFaults())
    reader.watch(counted, story, story.commit, name)
    for fault, faults in _faults(counted.cdn.faults.count):
        where = f"{name}, {fault}"
        target = story.start.copy()
        target.set_faults(faults)
        reader.watch(target, story, story.commit, where)
        for commit, clean in (
            (story.commit, story.clean),
            (story.revert, _after(story, target.copy())),
        ):
            again = target.copy()
            again.clock.now_s += 3_600
            again.set_faults(ReadingFaults())
            reader.watch(again, story, commit, where)
            _assert_settled(again, story, commit, clean, where)


def _assert_settled(
    target: Target, story: Story, commit: Commit, clean: Target | None, where: str
) -> None:
    """After a fault and one more run the state must be that of one clean publish, and stay so."""
    assert target.audit() == [], where
    assert target.ledger.journal().journal.is_clean, where
    found = target.cdn.bodies
    if clean is not None:
        _assert_same(found, clean.cdn.bodies, story.scenario, where)
    while story.publish(target, commit) is not None:
        assert target.cdn.bodies == found, where
    target.set_faults(Faults())
    assert story.publish(target, commit) is None, where
    assert target.cdn.calls == [], where
    assert [operation for operation, _ in target.state.calls] == ["get"] * 3, where


def _assert_same(
    found: dict[str, bytes], wanted: dict[str, bytes], scenario: Scenario, where: str
) -> None:
    """Compare what readers get; where files stand on, what was live between does not count."""
    if scenario.hashed or scenario.was_hashed:
        assert whole_plans(found) == whole_plans(wanted), where
        return
    assert found.keys() == wanted.keys(), where
    for key, body in found.items():
        assert without_versions(body) == without_versions(wanted[key]), f"{where}: {key}"
