"""A publish that several machines share gives what one machine gives, whatever dies on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.content.repository import Commit
from exporter.core import search
from exporter.core.release import PlanState
from exporter.errors import ExporterError, Refused, StoreBusy, StoreError, UsageError
from exporter.publish.collecting import collect
from exporter.publish.destroying import destroy
from exporter.publish.gathering import abandoned, forget, prepared_files
from exporter.publish.guarding import refuse_sharing
from exporter.publish.livefiles import read_live_files
from exporter.publish.planning import PublishOptions, Workspace, begin
from exporter.publish.prepared import Prepared
from exporter.publish.publisher import Published
from exporter.publish.shards import Shard, parse_shard
from exporter.publish.verifying import extra_objects
from exporter.stores.base import Attributes, IfAbsent, IfMatch
from tests.build.edits import Edit, State, apply, edits, first_state
from tests.build.test_incremental import History
from tests.publish.publishing import (
    HASHED,
    Killed,
    ReadingFaults,
    RecordingPurger,
    SchoolRepository,
    Target,
    broken_links,
    whole_plans,
)
from tests.publish.schools import BAD, BASE, EDITED, SHRUNK, Documents, changed, without
from tests.publish.sharded import ANY, finish, finishing, prepare_all, prepare_one
from tests.stores.memory import Faults, MemoryStore

THOROUGH = os.environ.get("EXPORTER_THOROUGH") == "1"
DAY = 86_400
BOTH = Shard(1, 2), Shard(2, 2)


@pytest.fixture
def target(schools: SchoolRepository) -> Target:
    target = Target(schools)
    target.hashed = True
    return target


def gc(target: Target, keep: int = 30 * DAY) -> Published | None:
    """Collect as the command does."""
    left = abandoned(target.state, target.clock.now())
    limit = int(target.clock.now().timestamp()) - keep
    live = read_live_files(target.ledger)
    place = target.school.addressed(hashed=True)
    prepared = collect(place, target.ledger, live, limit, left.files).prepared
    published = target.publisher().publish(prepared, target.run()) if prepared else None
    forget(target.state, left.records)
    return published


def assert_same(shared: Target, alone: Target, where: str = "") -> None:
    """Compare all that two targets hold, headers included."""
    assert shared.cdn._objects == alone.cdn._objects, where
    assert shared.state._objects == alone.state._objects, where
    assert shared.audit() == [], where


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("history") / "content")


STEPS = st.lists(
    st.tuples(
        st.lists(edits("move", "override", "list", "mistake"), min_size=1, max_size=4),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("entries", [search.MAX_ENTRIES, 0], ids=["read whole", "read in part"])
@settings(
    max_examples=400 if THOROUGH else 12,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if THOROUGH else [])],
)
@given(steps=STEPS)
def test_any_school_in_any_number_of_shards_is_byte_for_byte_what_one_machine_publishes(
    entries: int, history: History, steps: list[tuple[list[Edit], int]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MAX_ENTRIES", entries)
        shared, state = Target(history, RecordingPurger()), first_state()
        commit = history.add(state.files, None)
        shared.publish(commit, ANY, _hashed(history, state))
        for changes, count in steps:
            for edit in changes:
                state = apply(state, edit)
            commit = history.add(state.files, commit)
            _publish_both(shared, commit, _hashed(history, state), count)


def _hashed(history: History, state: State) -> Workspace:
    rules = replace(state.rules.rules, addressing="hashed", layouts=("atomic",))
    found = replace(state.rules, rules=rules)
    return history.workspace(repr(found), found)


def _publish_both(shared: Target, commit: Commit, place: Workspace, count: int) -> None:
    alone = shared.copy()
    alone.purger = RecordingPurger()
    shared.purger = RecordingPurger()
    prepare_all(shared, commit, count, place)
    published = finish(shared, commit, count, place)
    assert published == alone.publish(commit, ANY, place)
    assert_same(shared, alone)
    assert shared.purger.sent == alone.purger.sent


def test_shards_that_share_lessons_put_the_same_bytes_once_under_one_key(target: Target) -> None:
    commit = target.school.commit(BASE)
    first, second, third = prepare_all(target, commit, 3)
    assert first
    assert second
    assert third
    together = [*first.put, *second.put, *third.put]
    assert [one.share for one in (first, second, third)] == [{"ONE"}, {"THREE"}, {"TWO"}]
    assert len(set(together)) < len(together)
    assert [key for key in target.cdn.bodies if key.endswith("manifest.json")] == []
    published = finish(target, commit, 3)
    assert published
    assert published.release.files_put == len(set(together)) + 3
    assert set(published.put) == set(target.cdn.bodies)


def test_a_plan_that_is_held_back_in_one_shard_lets_the_others_go_on(target: Target) -> None:
    target.publish(target.school.commit(BASE))
    before = whole_plans(target.cdn.bodies)
    commit = target.school.commit(BAD)
    alone = target.copy()
    alone.publish(commit, ANY)
    prepare_all(target, commit, 2)
    published = finish(target, commit, 2)
    assert published
    plans = published.release.plans
    assert {name: one.state for name, one in plans.items()} == {
        "ONE": PlanState.HELD,
        "THREE": PlanState.HELD,
        "TWO": PlanState.PUBLISHED,
    }
    assert "P-1a" in plans["ONE"].error
    assert (
        whole_plans(target.cdn.bodies)["plans/ONE/manifest.json"]
        == (before["plans/ONE/manifest.json"])
    )
    assert_same(target, alone)


class _Refusing(MemoryStore):
    """The CDN store of a target, which takes no file below a folder."""

    def __init__(self, target: Target, below: str, error: StoreError) -> None:
        super().__init__(label=target.cdn.label)
        self._objects = target.cdn._objects
        self._below = below
        self._error = error

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        if key.startswith(self._below):
            raise self._error
        return super().put(key, body, attributes, condition)


def test_a_plan_that_one_shard_cannot_put_fails_and_what_was_put_of_it_goes(
    target: Target,
) -> None:
    target.publish(target.school.commit(BASE))
    commit = target.school.commit(EDITED)
    before = whole_plans(target.cdn.bodies)
    refusing = _Refusing(target, "plans/ONE/M_h", StoreError("refused"))
    record = prepare_one(target, commit, Shard(1, 2), cdn=refusing)
    assert record
    assert record.share == {"ONE"}
    assert record.failed == {"ONE": "refused"}
    prepare_one(target, commit, Shard(2, 2))
    published = finish(target, commit, 2)
    assert published
    assert published.release.plans["ONE"].state is PlanState.FAILED
    assert published.release.plans["TWO"].state is PlanState.PUBLISHED
    after = whole_plans(target.cdn.bodies)
    assert after["plans/ONE/manifest.json"] == before["plans/ONE/manifest.json"]
    assert after["plans/TWO/manifest.json"] != before["plans/TWO/manifest.json"]
    assert target.audit() == []


def test_a_store_that_is_away_fails_the_shard_which_is_prepared_again(target: Target) -> None:
    commit = target.school.commit(BASE)
    away = _Refusing(target, "", StoreBusy("away"))
    with pytest.raises(StoreBusy, match="away"):
        prepare_one(target, commit, Shard(1, 2), cdn=away)
    prepare_one(target, commit, Shard(2, 2))
    with pytest.raises(Refused, match=r"shard 1/2 was begun at 2026-\S+ and is not complete"):
        finish(target, commit, 2)
    prepare_one(target, commit, Shard(1, 2))
    assert finish(target, commit, 2)
    assert target.audit() == []


def _other_commit(target: Target) -> Commit:
    return target.school.commit(changed(EDITED, "P-1b", title="Later"))


class TestStale:
    def test_a_shard_that_is_missing_is_named_with_what_to_run(self, target: Target) -> None:
        commit = target.school.commit(BASE)
        prepare_one(target, commit, Shard(2, 3))
        with pytest.raises(Refused) as caught:
            finish(target, commit, 3)
        assert "shard 1/3 is missing; shard 3/3 is missing" in caught.value.message
        assert "`exporter publish --prepare --shard 1/3`" in caught.value.hint
        assert "--shard 2/3" not in caught.value.hint

    def test_shards_of_another_commit_are_refused(self, target: Target) -> None:
        target.publish(target.school.commit(BASE))
        early = target.school.commit(EDITED)
        prepare_all(target, early, 2)
        late = _other_commit(target)
        with pytest.raises(Refused, match=f"shard 1/2 is of commit {early.sha[:12]}, not of"):
            finish(target, late, 2)

    def test_shards_from_before_another_release_are_refused(self, target: Target) -> None:
        target.publish(target.school.commit(BASE))
        between, commit = target.school.commit(EDITED), _other_commit(target)
        prepare_all(target, commit, 2)
        target.publish(between)
        with pytest.raises(Refused, match="while run-001 was live; now it is run-002"):
            finish(target, commit, 2)
        assert target.audit() != []
        target.publish(commit)
        target.clock.now_s += DAY + 1
        gc(target)
        assert target.audit() == []

    def test_shards_of_another_configuration_are_refused(self, target: Target) -> None:
        commit = target.school.commit(BASE)
        prepare_all(target, commit, 2, target.school.workspace("other", HASHED))
        with pytest.raises(Refused, match="with another configuration"):
            finish(target, commit, 2)

    def test_shards_of_another_number_are_refused(self, target: Target) -> None:
        commit = target.school.commit(BASE)
        prepare_all(target, commit, 3)
        with pytest.raises(Refused, match="shard 1/2 is missing; shard 2/2 is missing"):
            finish(target, commit, 2)
        assert finish(target, commit, 3)

    def test_what_another_machine_was_to_mend_first_is_refused(self, target: Target) -> None:
        target.publish(target.school.commit(BASE))
        died = _die_before_the_swap(target, target.school.commit(EDITED))
        commit = _other_commit(target)
        for step in (lambda: prepare_one(died, commit, BOTH[0]), lambda: finish(died, commit, 2)):
            with pytest.raises(Refused, match="was left unfinished") as caught:
                step()
            assert "run `exporter publish`" in caught.value.hint
        died.publish(commit)
        assert died.audit() == []

    def test_a_manifest_that_somebody_else_put_since_is_refused(self, target: Target) -> None:
        """A rollback puts manifests alone, and one that died may have given a version away."""
        first = target.school.commit(BASE)
        for commit in (first, target.school.commit(EDITED)):
            target.publish(commit)
        back = target.school.commit(BASE)
        target.school.same_second()
        on = target.school.commit(changed(EDITED, "M-1a", title="Best"))
        prepare_all(target, on, 2)
        died = _die_before_the_swap(target, back)
        with pytest.raises(Refused, match="before another publish, which was left unfinished"):
            finish(died, on, 2)
        prepare_all(died, on, 2)
        assert finish(died, on, 2)
        assert died.audit() == []

    def test_shards_of_which_a_run_that_mended_deleted_the_files_are_refused(
        self, target: Target
    ) -> None:
        """One machine publishes the same commit and dies, and the live commit is put right."""
        live = target.school.commit(BASE)
        target.publish(live)
        commit = target.school.commit(EDITED)
        prepare_all(target, commit, 2)
        died = _die_before_the_swap(target, commit)
        died.publish(live)
        with pytest.raises(Refused, match="while run-001 was live; now it is run-003"):
            finish(died, commit, 2)
        assert (died.audit(), broken_links(died.cdn.bodies)) == ([], [])

    def test_shards_that_know_nothing_of_a_plan_that_is_unsure_now_are_refused(
        self, target: Target
    ) -> None:
        for documents in (BASE, EDITED):
            target.publish(target.school.commit(documents))
        back, on = target.school.commit(BASE), _other_commit(target)
        first, second = prepare_all(target, on, 2)
        assert [one.share for one in (first, second) if one] == [{"ONE"}, {"THREE"}]
        died = _die_before_the_swap(target, back)
        with pytest.raises(Refused, match="before another publish, which was left unfinished"):
            finish(died, on, 2)
        prepare_all(died, on, 2)
        assert finish(died, on, 2)
        assert died.audit() == []

    def test_stable_keys_and_signed_media_cannot_be_shared(self, schools: SchoolRepository) -> None:
        place = schools.addressed(hashed=True)
        refuse_sharing(place)
        with pytest.raises(UsageError, match="shared out only where no file"):
            refuse_sharing(schools.addressed(hashed=False))
        with pytest.raises(UsageError, match=r"`media\.signed` cannot be shared out"):
            refuse_sharing(replace(place, signed=(b"https://media.example.org/",)))

    @pytest.mark.parametrize("text", ["", "2", "0/2", "3/2", "1/2/3", "-1/2", "1/", "a/b", "١/٢"])
    def test_what_is_no_shard_is_refused(self, text: str) -> None:
        assert parse_shard("2/3") == Shard(2, 3)
        with pytest.raises(UsageError, match="is no shard"):
            parse_shard(text)


class _Dying(MemoryStore):
    """The state store of a target, at which a process dies before the head moves on."""

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        if key == "head.json":
            raise Killed
        return super().put(key, body, attributes, condition)


def _die_before_the_swap(target: Target, commit: Commit) -> Target:
    """Return the target after a publish on one machine that died when all was put."""
    died, state = target.copy(), _Dying()
    state._objects = target.copy().state._objects
    died.state = state
    with pytest.raises(Killed):
        died.publish(commit)
    after = target.copy()
    after.cdn._objects, after.state._objects = died.cdn._objects, died.state._objects
    after.clock.now_s += 3_600
    after.runs = died.runs
    return after


def test_two_that_finish_at_once_make_one_release(target: Target) -> None:
    target.publish(target.school.commit(BASE))
    commit = target.school.commit(EDITED)
    prepare_all(target, commit, 2)
    first, second = finishing(target, commit, 2), finishing(target, commit, 2)
    target.publisher().publish(first, target.run())
    with pytest.raises(Refused, match="another publish ran on this target"):
        target.publisher().publish(second, target.run())
    assert target.audit() == []
    assert finish(target, commit, 2) is None


def test_nobody_finishes_while_another_one_does(target: Target) -> None:
    commit = target.school.commit(BASE)
    prepare_all(target, commit, 2)
    prepared = finishing(target, commit, 2)
    refused: list[Refused] = []

    class Looking(ReadingFaults):
        def look(self) -> None:
            if self.count == 8 and not refused:
                other = target.copy()
                other.runs = 500
                with pytest.raises(Refused, match="another run is publishing") as caught:
                    other.publisher().publish(finishing(other, commit, 2), other.run())
                refused.append(caught.value)

    target.set_faults(Looking())
    target.publisher().publish(prepared, target.run())
    assert len(refused) == 1
    assert target.audit() == []


class TestCollecting:
    def test_what_a_running_publish_prepared_stays_and_what_nobody_finishes_goes(
        self, target: Target
    ) -> None:
        target.publish(target.school.commit(BASE))
        live = target.cdn.bodies
        prepare_all(target, target.school.commit(EDITED), 2)
        prepared = target.cdn.bodies
        target.clock.now_s += DAY
        assert gc(target) is None
        assert target.cdn.bodies == prepared
        assert list(extra_objects(target.cdn, live.keys() | prepared_files(target.state))) == []
        target.clock.now_s += 1
        assert gc(target)
        assert target.cdn.bodies == live
        assert list(target.state.list("shards/")) == []
        assert target.audit() == []

    def test_what_a_younger_shard_counts_on_stays(self, target: Target) -> None:
        target.publish(target.school.commit(BASE))
        commit = target.school.commit(EDITED)
        prepare_all(target, commit, 2)
        target.clock.now_s += DAY + 1
        prepare_all(target, commit, 3)
        prepared = target.cdn.bodies
        assert gc(target) is None
        assert target.cdn.bodies == prepared
        assert len(list(target.state.list("shards/"))) == 2
        assert finish(target, commit, 3)
        assert target.audit() == []

    def test_a_publish_that_a_gc_came_before_is_refused(self, target: Target) -> None:
        target.publish(target.school.commit(BASE))
        prepare_all(target, target.school.commit(EDITED), 2)
        target.clock.now_s += DAY
        commit = _other_commit(target)
        prepare_all(target, commit, 2)
        target.clock.now_s += 1
        assert gc(target)
        with pytest.raises(Refused, match="while run-001 was live; now it is run-002"):
            finish(target, commit, 2)
        prepare_all(target, commit, 2)
        assert finish(target, commit, 2)
        target.clock.now_s += DAY + 1
        gc(target)
        assert target.audit() == []

    def test_records_alone_go_without_a_release(self, target: Target) -> None:
        commit = target.school.commit(BASE)
        prepare_all(target, commit, 2)
        target.publish(commit)
        target.clock.now_s += DAY + 1
        assert gc(target) is None
        assert list(target.state.list("shards/")) == []
        assert target.audit() == []

    def test_a_record_that_was_written_again_meanwhile_stays(self, target: Target) -> None:
        target.publish(target.school.commit(BASE))
        commit = target.school.commit(EDITED)
        prepare_all(target, commit, 2)
        target.clock.now_s += DAY + 1
        left = abandoned(target.state, target.clock.now())
        prepare_one(target, commit, Shard(1, 2))
        forget(target.state, left.records)
        assert [info.key[-11:] for info in target.state.list("shards/")] == ["1-of-2.json"]

    def test_a_target_that_is_taken_down_keeps_no_record(self, target: Target) -> None:
        prepare_all(target, target.school.commit(BASE), 2)
        destroy(target.cdn, target.ledger, None, target.run(), lambda _text: None)
        assert (target.cdn.bodies, target.state.bodies) == ({}, {})


def test_two_that_prepare_one_shard_at_once_do_not_both_say_that_it_is_ready(
    target: Target,
) -> None:
    commit = target.school.commit(BASE)
    other = target.copy()
    other.cdn._objects, other.state._objects = target.cdn._objects, target.state._objects

    class Overtaking(Faults):
        done = False

        def around_effect(self):  # type: ignore[no-untyped-def]
            if self.count == 12 and not self.done:
                self.done = True
                other.clock.now_s += 5
                prepare_one(other, commit, Shard(1, 2))
            return super().around_effect()

    target.set_faults(Overtaking())
    with pytest.raises(Refused, match="another run prepares shard 1/2"):
        prepare_one(target, commit, Shard(1, 2))
    target.set_faults(Faults())
    prepare_one(target, commit, Shard(2, 2))
    assert finish(target, commit, 2)
    assert target.audit() == []


def test_plans_that_need_nothing_leave_shards_without_work(target: Target) -> None:
    commit = target.school.commit(BASE)
    records = prepare_all(target, commit, 5)
    assert [len(one.share) for one in records if one] == [1, 1, 1, 0, 0]
    assert len(list(target.state.list("shards/"))) == 3
    assert finish(target, commit, 5)
    assert prepare_all(target, commit, 5) == [None] * 5
    assert finish(target, commit, 5) is None


SCENARIOS: dict[str, tuple[tuple[Documents, ...], Documents]] = {
    "first publish": ((), without(BASE, "THREE")),
    "good and bad plans": ((BASE,), BAD),
    "plan removed": ((BASE,), without(EDITED, "TWO")),
    "rollback": ((BASE, EDITED), BASE),
}
QUICK = ("good and bad plans", "plan removed")


def _faults(calls: int) -> Iterator[tuple[str, ReadingFaults]]:
    moments: tuple[Literal["before", "after"], ...] = ("before", "after")
    for number in range(1, calls + 1):
        for when in moments:
            at = f"{when} call {number}"
            yield f"error {at}", ReadingFaults(number, when, StoreError("spoilt"))
            yield f"kill {at}", ReadingFaults(number, when, Killed(), lasting=True)


@pytest.mark.parametrize("step", ["prepare", "finish"])
@pytest.mark.parametrize("name", SCENARIOS if THOROUGH else QUICK)
def test_a_fault_at_every_call_breaks_no_link_and_the_next_run_ends_it(
    name: str, step: str, schools: SchoolRepository, target: Target
) -> None:
    before, documents = SCENARIOS[name]
    for one in before:
        target.publish(schools.commit(one), ANY)
    commit = schools.commit(documents)
    back = schools.commit(before[-1] if before else BASE)
    run: Callable[[Target], object] = lambda one: prepare_one(one, commit, BOTH[0])  # noqa: E731
    if step == "finish":
        prepare_all(target, commit, 2)
        run = lambda one: finish(one, commit, 2)  # noqa: E731
    clean, reverted = target.copy(), target.copy()
    prepare_all(clean, commit, 2)
    finish(clean, commit, 2)
    reverted.publish(back, ANY)
    plans = [set(whole_plans(one.cdn.bodies).items()) for one in (target, clean)]
    counted = target.copy()
    counted.set_faults(ReadingFaults())
    run(counted)
    for fault, faults in _faults(counted.cdn.faults.count):
        where = f"{name}, {step}, {fault}"
        died = target.copy()
        faults.look = lambda died=died, where=where: _assert_readers_are_well(  # type: ignore[misc]
            died, plans[0] | plans[1], where
        )
        died.set_faults(faults)
        with suppress(ExporterError, Killed):
            run(died)
        died.set_faults(Faults())
        died.clock.now_s += 3_600
        _assert_it_can_be_done_again(died.copy(), commit, clean, where)
        if faults.lasting:
            _assert_one_machine_ends_it(died, back, reverted, where)
        else:
            _assert_one_machine_ends_it(died, commit, clean, where)


def _assert_readers_are_well(
    target: Target, plans: set[tuple[str, frozenset[tuple[str, bytes]]]], where: str
) -> None:
    assert broken_links(target.cdn.bodies) == [], where
    assert set(whole_plans(target.cdn.bodies).items()) <= plans, where


def _assert_it_can_be_done_again(target: Target, commit: Commit, clean: Target, where: str) -> None:
    """Whatever died, the same commands again end it."""
    if any(prepare_all(target, commit, 2)):
        finish(target, commit, 2)
    _assert_settled(target, commit, clean, where)


def _assert_one_machine_ends_it(target: Target, commit: Commit, clean: Target, where: str) -> None:
    target.publish(commit, ANY)
    _assert_settled(target, commit, clean, where)


def _assert_settled(target: Target, commit: Commit, clean: Target, where: str) -> None:
    while target.publish(commit, ANY):  # what is left to purge or delete, and plans that wait
        pass
    target.clock.now_s += DAY + 1
    gc(target)
    assert whole_plans(target.cdn.bodies) == whole_plans(clean.cdn.bodies), where
    assert target.audit() == [], where
    assert list(target.state.list("shards/")) == [], where
    assert target.ledger.journal().journal.is_clean, where


def test_a_finish_that_died_is_run_again_with_the_same_shards(target: Target) -> None:
    target.publish(target.school.commit(BASE))
    commit = target.school.commit(SHRUNK)
    prepare_all(target, commit, 2)
    alone = target.copy()
    finish(alone, commit, 2)
    for number in range(1, 40):
        died = target.copy()
        died.set_faults(Faults(number, "after", Killed(), lasting=True))
        with suppress(Killed):
            finish(died, commit, 2)
        died.set_faults(Faults())
        died.clock.now_s += 3_600
        finish(died, commit, 2)
        assert whole_plans(died.cdn.bodies) == whole_plans(alone.cdn.bodies), number
        assert died.audit() == [], number


def test_what_is_to_be_built_is_told_before_any_of_it_is(target: Target) -> None:
    target.publish(target.school.commit(BASE))
    begun = begin(
        target.school.addressed(hashed=True),
        target.ledger,
        target.school.commit(EDITED),
        PublishOptions(),
    )
    assert not isinstance(begun, Prepared)
    chosen, _ = begun.wanted()
    assert begun.can_be_shared
    assert begun.shares(chosen, 2) == [{"ONE"}, {"TWO"}]
