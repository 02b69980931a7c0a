"""Publishing: plans that fail, attempts, guards, requests, outages, debts."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from exporter.build.inspection import CheckRules
from exporter.core.artifacts import Rules
from exporter.core.release import Kind, PlanState
from exporter.errors import Refused, StoreBusy, StoreError, UsageError
from exporter.publish.planning import PublishOptions
from exporter.stores.base import Attributes, IfAbsent, IfMatch
from exporter.stores.folder import FolderStore
from tests.core.school import plan
from tests.publish.publishing import (
    FOLDER,
    Killed,
    RecordingPurger,
    SchoolRepository,
    Target,
    broken_links,
    without_versions,
)
from tests.publish.schools import BAD, BASE, EDITED, SHRUNK, changed, without
from tests.stores.memory import Faults, MemoryStore

ANY = PublishOptions(allow_mass_delete=True)


class PickyStore:
    """Refuses to store some keys, for good or for a while."""

    def __init__(self, store: MemoryStore, refusal: Callable[[str], Exception | None]) -> None:
        self._store = store
        self._refusal = refusal
        self.label = store.label
        self.get, self.head = store.get, store.head
        self.delete, self.list = store.delete, store.list

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        if refused := self._refusal(key):
            raise refused
        return self._store.put(key, body, attributes, condition)


def _refusing(target: Target, part: str, error: type[StoreError] = StoreError) -> PickyStore:
    return PickyStore(target.cdn, lambda key: error(f"no room for {key}") if part in key else None)


def _states(target: Target) -> dict[str, tuple[str, int]]:
    release = target.ledger.live().release
    assert release is not None
    return {name: (one.state.value, one.attempts) for name, one in release.plans.items()}


def test_a_plan_that_cannot_be_uploaded_goes_back_and_the_others_go_on(
    schools: SchoolRepository, target: Target
) -> None:
    target.publish(schools.commit(BASE))
    before = target.cdn.bodies
    edited = schools.commit(changed(EDITED, "P-1a", title="Waves"))
    published = target.publish(edited, cdn=_refusing(target, "plans/ONE/manifest"))
    assert published is not None
    assert _states(target) == {
        "ONE": ("failed", 1),
        "THREE": ("published", 0),
        "TWO": ("published", 0),
    }
    after = target.cdn.bodies
    own = {key for key in before if key.startswith("plans/ONE/")}
    assert {key: after[key] for key in own} == {key: before[key] for key in own}
    assert b"Better" in after["lessons/M-1a.json"]
    assert target.audit() == []
    assert broken_links(after) == []
    assert published.release.plans["ONE"].error == "no room for plans/ONE/manifest.json"


def test_a_lesson_that_only_a_failed_plan_needs_goes_back_too(
    schools: SchoolRepository, target: Target
) -> None:
    only_one = without(BASE, "TWO", "THREE")
    target.publish(schools.commit([*only_one, *[d for d in BASE if d.name == "THREE"]]))
    before = target.cdn.bodies
    edited = changed(changed(BASE, "M-1a", title="Better"), "P-1a", title="Waves")
    target.publish(
        schools.commit(without(edited, "TWO")), cdn=_refusing(target, "plans/ONE/manifest")
    )
    after = target.cdn.bodies
    assert after["lessons/M-1a.json"] == before["lessons/M-1a.json"]
    assert b"Waves" in after["lessons/P-1a.json"]
    assert target.audit() == []


def test_a_failed_plan_is_tried_thrice_then_is_a_dead_letter_until_retried(
    schools: SchoolRepository, target: Target
) -> None:
    target.publish(schools.commit(BASE))
    edited = schools.commit(changed(EDITED, "P-1a", title="Waves"))
    attempts = []
    for _ in range(3):
        target.publish(edited, cdn=_refusing(target, "plans/ONE/manifest"))
        attempts.append(_states(target)["ONE"])
    assert attempts == [("failed", 1), ("failed", 2), ("failed", 3)]
    assert target.publish(edited) is None
    target.publish(edited, PublishOptions(retry=frozenset({"ONE"})))
    assert _states(target)["ONE"] == ("published", 0)
    assert target.audit() == []


def test_a_dead_letter_is_tried_again_when_its_content_changes(
    schools: SchoolRepository, target: Target
) -> None:
    target.publish(schools.commit(BASE))
    bad = schools.commit(BAD)
    while target.publish(bad) is not None:
        pass
    assert _states(target) == {
        "ONE": ("held back", 3),
        "THREE": ("held back", 3),
        "TWO": ("unchanged", 0),
    }
    unrelated = schools.commit(changed(BAD, "TWO", title="Two"))
    target.publish(unrelated)
    assert _states(target)["THREE"] == ("held back", 3)
    still_bad = schools.commit(changed(BAD, "P-1b", title="Waves"))
    target.publish(still_bad)
    assert _states(target)["THREE"] == ("held back", 1)
    target.publish(schools.commit(EDITED))
    assert set(_states(target).values()) <= {("published", 0), ("unchanged", 0)}
    assert target.audit() == []


def test_a_plan_that_was_not_selected_stays_and_comes_along_next_time(
    schools: SchoolRepository, target: Target
) -> None:
    target.publish(schools.commit(BASE))
    before = target.cdn.bodies
    edited = schools.commit(EDITED)
    target.publish(edited, PublishOptions(plans=frozenset({"TWO"})))
    assert _states(target)["ONE"] == ("held back", 0)
    assert target.cdn.bodies["plans/ONE/manifest.json"] == before["plans/ONE/manifest.json"]
    assert target.audit() == []
    target.publish(edited)
    assert _states(target)["ONE"] == ("published", 0)


def test_a_plan_whose_file_was_moved_by_a_clash_and_broke_stays(target: Target) -> None:
    """Its name differs from another plan's by case alone, so its file has another name."""
    school = target.school
    target.publish(school.commit([*BASE, plan("one-a", ["M"])]))
    before = {key for key in target.cdn.bodies if key.startswith("plans/one-a/")}
    target.publish(school.commit([*BASE, plan("one-a", ["M"]), plan("ONE-A", ["M"])]))
    (moved,) = (school.folder / FOLDER / "plans").glob("one-a~*.yaml")
    moved.write_text("<<<<<<< HEAD\nname: one-a\n", encoding="utf-8")
    prepared = target.prepare(school.commit_as_it_stands())
    assert prepared.outcomes["one-a"].state is PlanState.HELD
    assert prepared.outcomes["one-a"].error.startswith(f"E101 {FOLDER}/plans/{moved.name}:")
    target.publisher().publish(prepared, target.run())
    assert before
    assert before <= target.cdn.bodies.keys()


def test_an_unknown_plan_is_wrong_usage(schools: SchoolRepository, target: Target) -> None:
    with pytest.raises(UsageError, match="no plan 'FOUR'"):
        target.publish(schools.commit(BASE), PublishOptions(plans=frozenset({"FOUR"})))


def test_an_empty_site_is_not_published_by_mistake(
    schools: SchoolRepository, target: Target
) -> None:
    target.publish(schools.commit(BASE))
    empty = schools.commit(without(BASE, "ONE", "TWO", "THREE"))
    before = target.cdn.bodies
    with pytest.raises(Refused, match="would be empty"):
        target.publish(empty)
    assert target.cdn.bodies == before
    target.publish(empty, ANY)
    assert target.cdn.bodies == {}


def test_deleting_much_is_refused(
    schools: SchoolRepository, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.publish.guarding.MASS_DELETE_FLOOR", 20)
    target.publish(schools.commit(BASE))
    with pytest.raises(Refused, match=r"\d+ of \d+ live files would be deleted; the limit is 30%"):
        target.publish(schools.commit(without(BASE, "ONE")))
    assert target.audit() == []


def test_an_older_commit_is_refused_unless_it_is_meant(
    schools: SchoolRepository, target: Target
) -> None:
    older, newer = schools.commit(BASE), schools.commit(EDITED)
    target.publish(newer)
    live = target.cdn.bodies
    with pytest.raises(Refused, match="may be older than what is live"):
        target.publish(older)
    assert target.cdn.bodies == live
    target.publish(older, PublishOptions(allow_older=True))
    assert target.audit() == []
    assert b"Better" not in target.cdn.bodies["lessons/M-1a.json"]


def test_a_second_publish_makes_three_requests_and_no_write(
    schools: SchoolRepository, target: Target
) -> None:
    commit = schools.commit(BASE)
    target.publish(commit)
    target.set_faults(Faults())
    assert target.publish(commit) is None
    assert (target.cdn.calls, [operation for operation, _ in target.state.calls]) == (
        [],
        ["get", "get", "get"],
    )


def test_an_edit_costs_its_files_and_a_small_constant(
    schools: SchoolRepository, target: Target
) -> None:
    target.publish(schools.commit(BASE))
    target.set_faults(Faults())
    published = target.publish(schools.commit(EDITED))
    assert published is not None
    assert target.cdn.counts == {"put": published.files_put}
    plans = 2
    assert "list" not in target.state.counts
    assert target.state.counts.total() <= 16 + 2 * plans


def test_busy_answers_are_tried_again_with_growing_pauses(
    schools: SchoolRepository, target: Target
) -> None:
    answers = iter([StoreBusy("503"), StoreBusy("429"), StoreBusy("503")])
    store = PickyStore(
        target.cdn, lambda key: next(answers, None) if key == "lessons/M-1a.json" else None
    )
    target.publish(schools.commit(BASE), cdn=store)
    assert target.clock.slept == [1.0, 2.0, 4.0]
    assert target.audit() == []


@pytest.mark.parametrize("concurrency", [1, 8])
def test_an_outage_ends_the_run_cleanly_and_the_next_one_goes_on(
    concurrency: int, schools: SchoolRepository, target: Target
) -> None:
    target.concurrency = concurrency
    target.publish(schools.commit(BASE))
    edited = schools.commit(changed(EDITED, "P-1a", title="Waves"))
    with pytest.raises(StoreBusy, match="away"):
        target.publish(edited, cdn=PickyStore(target.cdn, lambda _key: StoreBusy("away")))
    assert _states(target)["ONE"] == ("published", 0)
    assert not target.ledger.journal().journal.is_clean
    target.publish(edited)
    assert target.audit() == []
    assert set(_states(target).values()) == {("published", 0)}


def test_one_call_in_twenty_that_fails_is_not_noticed(
    schools: SchoolRepository, target: Target
) -> None:
    count = iter(range(10_000))
    store = PickyStore(target.cdn, lambda _key: StoreBusy("503") if next(count) % 20 == 7 else None)
    published = target.publish(schools.commit(BASE), cdn=store)
    assert published is not None
    assert target.audit() == []
    assert {one.state for one in published.release.plans.values()} == {PlanState.PUBLISHED}


def test_purges_that_are_refused_stay_owed_and_come_first_next_time(
    schools: SchoolRepository,
) -> None:
    purger = RecordingPurger(refuses=True)
    target = Target(schools, purger)
    commit = schools.commit(BASE)
    published = target.publish(commit)
    assert published is not None
    assert published.purge_error == "the CDN is away"
    owed = target.ledger.journal().journal.owed
    assert owed == (published.release.id,)
    debt = target.ledger.pending_purge(owed[0])
    assert debt == [{"files": sorted(target.cdn.bodies)}]

    again = target.publish(commit)
    assert again is not None
    assert (again.is_new, again.purge_error) == (False, "the CDN is away")

    purger.refuses = False
    target.publish(schools.commit(EDITED))
    assert purger.sent[0] == debt[0]
    assert "lessons/M-1a.json" in purger.sent[1]["files"]
    assert target.publish(schools.repository.resolve("HEAD")) is None
    assert not [key for key in target.state.bodies if key.startswith("purges/")]


def test_what_is_deleted_is_purged_too(schools: SchoolRepository) -> None:
    purger = RecordingPurger()
    target = Target(schools, purger)
    target.publish(schools.commit(BASE))
    before = target.cdn.bodies.keys()
    target.publish(schools.commit(SHRUNK))
    gone = before - target.cdn.bodies.keys()
    assert gone
    assert gone <= set(purger.sent[-1]["files"])


def test_another_fingerprint_builds_everything_and_puts_only_what_differs(
    schools: SchoolRepository, target: Target
) -> None:
    commit = schools.commit(BASE)
    target.publish(commit)
    published = target.publish(commit, workspace=schools.workspace("another"))
    assert published is not None
    assert (published.files_put, published.files_deleted) == (0, 0)


@dataclass
class IgnorantStore:
    """Takes every put, whatever its condition: such stores exist."""

    store: MemoryStore

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def put(self, key: str, body: bytes, attributes: Attributes, _condition: object = None) -> str:
        return self.store.put(key, body, attributes)


def test_a_state_store_that_ignores_conditions_is_refused(
    schools: SchoolRepository, target: Target
) -> None:
    prepared = target.prepare(schools.commit(BASE))
    target.ledger.__class__(target.state)
    publisher = target.publisher()
    publisher._ledger._store = IgnorantStore(target.state)  # type: ignore[assignment]
    with pytest.raises(StoreError, match="ignores conditional writes") as refused:
        publisher.publish(prepared, target.run())
    assert "honours" in refused.value.hint
    assert target.state.bodies == target.cdn.bodies == {}


@pytest.mark.parametrize(
    "message",
    ["content: back\n\nExporter-Rollback: run-001", 'Revert "x"\n\nThis reverts commit 3f2a1bc.'],
)
def test_a_commit_that_goes_back_makes_a_rollback_with_the_old_bodies(
    message: str, schools: SchoolRepository, target: Target
) -> None:
    target.publish(schools.commit(BASE))
    before = target.cdn.bodies
    target.publish(schools.commit(EDITED))
    published = target.publish(schools.commit(BASE, message))
    assert published is not None
    assert published.release.kind is Kind.ROLLBACK
    after = target.cdn.bodies
    assert after.keys() == before.keys()
    assert {key: without_versions(body) for key, body in after.items()} == {
        key: without_versions(body) for key, body in before.items()
    }
    assert after["lessons/M-1a.json"] != before["lessons/M-1a.json"]


def test_files_that_cannot_be_rebuilt_stay_noted_and_nothing_is_deleted(
    schools: SchoolRepository, target: Target
) -> None:
    """A new generator's publish dies, and then the content holds the plan back."""
    target.publish(schools.commit(BASE))
    edited = schools.commit(changed(BASE, "P-1a", title="Waves"))
    target.cdn.faults = Faults(4, "after", Killed(), lasting=True)
    with pytest.raises(Killed):
        target.publish(edited)
    assert target.cdn.calls[-1][1].startswith("plans/")
    target.set_faults(Faults())
    other = schools.workspace("f2", CheckRules(Rules(version_links=False)))
    held = schools.commit(changed(BASE, "P-1b", bit_index=-1))
    target.publish(held, workspace=other)
    journal = target.ledger.journal().journal
    assert journal.suspect
    assert broken_links(target.cdn.bodies) == []

    target.publish(schools.commit(EDITED), workspace=other)
    assert target.ledger.journal().journal.is_clean
    assert target.audit() == []


def test_a_full_disk_is_said_and_the_next_run_ends_the_publish(
    schools: SchoolRepository, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cdn = FolderStore(tmp_path / "public")
    first, second = schools.commit(BASE), schools.commit(EDITED)
    target.publish(first, cdn=cdn)
    before = _files(cdn)

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr("exporter.stores.folder.os.fsync", full)
        with pytest.raises(StoreError, match="No space left on device") as refused:
            target.publish(second, cdn=cdn)
    assert "free some space" in refused.value.hint
    assert _files(cdn) == before
    target.publish(second, cdn=cdn)
    assert _files(cdn).keys() == before.keys()
    assert b"Better" in _files(cdn)["lessons/M-1a.json"]


def _files(store: FolderStore) -> dict[str, bytes]:
    found = {info.key: store.get(info.key) for info in store.list()}
    return {key: held.body for key, held in found.items() if held}


def test_no_version_stands_for_two_contents_even_after_a_publish_died(
    schools: SchoolRepository, target: Target
) -> None:
    """A cache may hold what was put: a link with the same `?v=` must never mean other bytes."""
    target.publish(schools.commit(BASE))
    died = schools.commit(changed(BASE, "M-1a", title="Bad"))
    target.cdn.faults = Faults(1, "after", Killed(), lasting=True)
    with pytest.raises(Killed):
        target.publish(died)
    target.set_faults(Faults())
    put = orjson.loads(target.cdn.bodies["lessons/M-1a.json"])
    schools.same_second()
    target.publish(schools.commit(EDITED))
    now = orjson.loads(target.cdn.bodies["lessons/M-1a.json"])
    assert (put["title"], now["title"]) == ("Bad", "Better")
    assert now["version"] == put["version"] + 1
    assert target.audit() == []
