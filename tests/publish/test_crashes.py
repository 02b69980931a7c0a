"""A fault at every storage call of every kind of publish, with a reader crawling all the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from exporter.content.repository import Commit
from exporter.core.model import Document
from exporter.errors import ExporterError, StoreBusy, StoreError
from exporter.publish.planning import PublishOptions
from tests.core.school import lesson, override, plan, subject, topic, track, unit
from tests.publish.publishing import (
    Killed,
    ReadingFaults,
    SchoolRepository,
    Target,
    broken_links,
    manifests,
    without_versions,
)
from tests.stores.memory import Faults

Documents = Sequence[Document]

ANY = PublishOptions(allow_mass_delete=True)


def _subject(name: str, **fields: object) -> list[Document]:
    """Return a subject with two topics of two lessons each."""
    found: list[Document] = [
        subject(name, **fields),  # type: ignore[arg-type]
        track(f"{name}-T", name),
        unit(f"{name}-U", f"{name}-T"),
    ]
    for t in ("1", "2"):
        found.append(topic(f"{name}-O{t}", f"{name}-U"))
        for number in ("a", "b"):
            bit = "1a 1b 2a 2b".split().index(t + number)
            found.append(lesson(f"{name}-{t}{number}", f"{name}-O{t}", bit))
    return found


def changed(documents: Documents, name: str, **fields: object) -> list[Document]:
    return [
        replace(one, fields={**one.fields, **fields}) if one.name == name else one  # type: ignore[dict-item]
        for one in documents
    ]


def without(documents: Documents, *names: str) -> list[Document]:
    return [one for one in documents if one.name not in names]


BASE: Documents = [
    *_subject("M"),
    *_subject("P"),
    plan("ONE", ["M", "P"]),
    plan("TWO", ["M"]),
    plan("THREE", ["P"]),
]
EDITED = changed(BASE, "M-1a", title="Better")
SHRUNK = without(EDITED, "P-2a", "P-2b", "P-O2", "M-1b")
BAD = changed(changed(BASE, "P-1a", bit_index=-1), "M-1a", title="Better")
"""Lesson P-1a holds back plans ONE and THREE; plan TWO goes on."""


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


@pytest.fixture(scope="module")
def schools(tmp_path_factory: pytest.TempPathFactory) -> SchoolRepository:
    return SchoolRepository(tmp_path_factory.mktemp("school"))


@dataclass
class Story:
    """A scenario made real: the target before, the commit to publish, a clean publish of it."""

    start: Target
    commit: Commit
    revert: Commit
    clean: Target
    reverted: Target


def _story(schools: SchoolRepository, scenario: Scenario) -> Story:
    start = Target(schools)
    for documents in scenario.before:
        start.publish(schools.commit(documents), ANY)
    commit = schools.commit(scenario.target)
    revert = schools.commit(scenario.before[-1] if scenario.before else BASE[:-1])
    clean, reverted = start.copy(), start.copy()
    clean.publish(commit, ANY)
    reverted.publish(revert, ANY)
    assert clean.audit() == reverted.audit() == []
    return Story(start, commit, revert, clean, reverted)


def _faults(calls: int) -> Iterator[tuple[str, Callable[[], Faults]]]:
    for number in range(1, calls + 1):
        for when in ("before", "after"):
            at = f"{when} call {number}"
            yield f"error {at}", lambda n=number, w=when: ReadingFaults(n, w, StoreError("spoilt"))
            yield f"busy {at}", lambda n=number, w=when: ReadingFaults(n, w, StoreBusy("busy"))
            yield (
                f"kill {at}",
                lambda n=number, w=when: ReadingFaults(n, w, Killed(), lasting=True),
            )


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
    try:
        target.publish(commit, ANY)
    except (ExporterError, Killed):
        pass
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
        for target in (story.start, story.clean, story.reverted)
        for body in manifests(target.cdn.bodies).values()
    }
    for fault, make in _faults(counted.cdn.faults.count):
        where = f"{name}, {fault}"
        target = story.start.copy()
        target.set_faults(make())
        _publish_watched(target, story.commit, allowed, where)
        for commit, clean in ((story.commit, story.clean), (story.revert, story.reverted)):
            _next_run(target.copy(), commit, clean, allowed, where)


def _next_run(
    target: Target, commit: Commit, clean: Target, allowed: set[bytes], where: str
) -> None:
    """Publish after a fault: the state must be that of one clean publish, and stay so."""
    live = target.ledger.live()
    target.clock.now_s += 3_600
    target.set_faults(ReadingFaults())
    _publish_watched(target, commit, allowed, where)
    assert target.audit() == [], where
    assert target.ledger.journal().journal.is_clean, where
    wanted, found = clean.cdn.bodies, target.cdn.bodies
    if live.head is None or live.head.commit != commit.sha:
        assert found.keys() == wanted.keys(), where
    for key, body in found.items():
        assert without_versions(body) == without_versions(wanted[key]), f"{where}: {key}"
    while target.publish(commit, ANY) is not None:
        assert target.cdn.bodies == found, where
    target.set_faults(Faults())
    assert target.publish(commit, ANY) is None, where
    assert target.cdn.calls == [], where
    assert [operation for operation, _ in target.state.calls] == ["get"] * 3, where
