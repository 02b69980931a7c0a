"""`addressing: hashed`: keys that say what the bytes are, and plans that flip with one write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import pytest

from exporter.config.model import CACHE_CONTROL
from exporter.content.repository import Commit
from exporter.core.addressing import IMMUTABLE, has_digest, plain_key
from exporter.core.model import Document
from exporter.core.release import PlanState
from exporter.errors import Refused, StoreError
from exporter.publish.comparing import Damage, Drift, Expectations
from exporter.publish.livefiles import read_live_files
from exporter.publish.planning import PublishOptions, Workspace
from exporter.publish.provenance import trace
from exporter.publish.publisher import Published
from exporter.publish.signatures import SignedLessons
from exporter.publish.verifying import (
    compare,
    compare_kept,
    extra_objects,
    look_in_store,
    repair,
)
from exporter.stores.base import Attributes, IfAbsent, IfMatch
from tests.core.school import lesson, override, plan, stage, subject, topic, track, unit
from tests.publish.publishing import (
    HASHED,
    RecordingPurger,
    SchoolRepository,
    Target,
    broken_links,
    whole_plans,
    without_versions,
)
from tests.publish.schools import BAD, BASE, EDITED, SHRUNK, changed
from tests.stores.memory import Faults, MemoryStore

LESSONS = 2_000
LOOK = Expectations(CACHE_CONTROL, SignedLessons())


@pytest.fixture
def place(schools: SchoolRepository) -> Workspace:
    return schools.addressed(hashed=True)


def publish(target: Target, *schools: Sequence[Document]) -> list[Published]:
    """Publish schools one after the other, all with digests in their keys."""
    place = target.school.addressed(hashed=True)
    found = (target.publish(target.school.commit(one), None, place) for one in schools)
    return [published for published in found if published]


def puts(target: Target) -> list[str]:
    return [key for operation, key in target.cdn.calls if operation == "put"]


def is_manifest(key: str) -> bool:
    return key.endswith("/manifest.json")


def test_every_file_but_the_manifests_is_named_by_its_bytes_and_never_changes(
    target: Target,
) -> None:
    publish(target, BASE)
    for key, body in target.cdn.bodies.items():
        found = target.cdn.get(key)
        assert found is not None
        cache_control = found.info.attributes.cache_control
        if is_manifest(key):
            assert (has_digest(key), cache_control) == (False, CACHE_CONTROL["manifest"])
        else:
            digest = hashlib.sha256(body).hexdigest()[:16]
            assert key == f"{plain_key(key).removesuffix('.json')}.{digest}.json"
            assert cache_control == IMMUTABLE
        assert b"?v=" not in body
    assert broken_links(target.cdn.bodies) == []


def test_the_files_say_what_they_say_with_stable_keys_too(target: Target) -> None:
    stable = target.copy()
    commit = target.school.commit(BASE)
    target.publish(commit, None, target.school.addressed(hashed=True))
    stable.publish(commit)
    assert whole_plans(target.cdn.bodies) == whole_plans(stable.cdn.bodies)


def test_an_edit_puts_what_changed_and_deletes_nothing(target: Target) -> None:
    purger = RecordingPurger()
    target.purger = purger
    publish(target, BASE)
    before = target.cdn.bodies
    purger.sent.clear()
    target.cdn.calls.clear()
    publish(target, EDITED)
    plan_files = ("M-O1", "M_h", "manifest", "search_index")
    assert sorted(plain_key(key) for key in puts(target)) == [
        "lessons/M-1a.json",
        *(f"plans/{name}/{file}.json" for name in ("ONE", "TWO") for file in plan_files),
    ]
    assert target.cdn.counts.keys() == {"put"}
    assert {key: target.cdn.bodies[key] for key in before if not is_manifest(key)} == {
        key: body for key, body in before.items() if not is_manifest(key)
    }
    named = ["plans/ONE/manifest.json", "plans/TWO/manifest.json"]
    assert purger.sent == [{"files": named}]
    assert target.audit() == []


def test_a_second_publish_of_the_commit_asks_three_things_and_changes_nothing(
    target: Target, place: Workspace
) -> None:
    publish(target, BASE, EDITED)
    commit = target.school.repository.resolve("HEAD")
    target.state.calls.clear()
    target.cdn.calls.clear()
    assert target.publish(commit, None, place) is None
    assert (target.cdn.calls, len(target.state.calls)) == ([], 3)


def test_going_back_writes_manifests_alone_and_these_are_new_versions(target: Target) -> None:
    publish(target, BASE)
    first = target.cdn.bodies
    publish(target, EDITED, SHRUNK)
    target.cdn.calls.clear()
    publish(target, BASE)
    assert sorted(target.cdn.calls) == [
        ("put", f"plans/{name}/manifest.json") for name in ("ONE", "THREE", "TWO")
    ]
    for key, body in first.items():
        now = target.cdn.bodies[key]
        if is_manifest(key):
            assert without_versions(now) == without_versions(body)
            assert now != body
        else:
            assert now == body


def many(title: str, lessons: int = LESSONS) -> list[Document]:
    """Return a school of lessons in two plans, each with this word in its title."""
    documents = [subject("S"), track("T", "S"), unit("U", "T"), plan("P", ["S"]), plan("Q", ["S"])]
    for number in range(lessons):
        place = f"O{number // 50:02}"
        if number % 50 == 0:
            documents.append(topic(place, "U"))
        name = f"L{number:04}"
        documents.append(lesson(name, place, number, title=f"{title} {number}"))
    return documents


def test_a_rollback_counts_on_no_file_that_was_unsure_when_it_was_replaced(target: Target) -> None:
    """A live lesson is gone; the repair that should bring it back dies; then it is edited."""
    place = target.school.addressed(hashed=True)
    publish(target, BASE)
    (lost,) = (key for key in target.cdn.bodies if key.startswith("lessons/M-1a."))
    target.cdn.delete([lost])
    live = read_live_files(target.ledger)
    mending = repair(place, target.ledger, live, [Drift(lost, Damage.MISSING, "")])
    assert mending.prepared is not None
    target.cdn.faults = Faults(1, lasting=True)
    with pytest.raises(StoreError):
        target.publisher().publish(mending.prepared, target.run())
    target.set_faults(Faults())
    publish(target, EDITED)
    assert target.audit() == []
    publish(target, BASE)
    assert (target.audit(), broken_links(target.cdn.bodies)) == ([], [])


def test_a_rollback_of_2000_files_is_one_write_a_plan(target: Target) -> None:
    publish(target, many("Good"))
    first = target.cdn.bodies
    publish(target, many("Bad"))
    target.cdn.calls.clear()
    publish(target, many("Good"))
    assert target.cdn.calls == [("put", "plans/P/manifest.json"), ("put", "plans/Q/manifest.json")]
    assert whole_plans(target.cdn.bodies) == whole_plans(first)


def test_with_stable_keys_a_rollback_of_2000_files_gives_them_back_with_new_versions(
    target: Target,
) -> None:
    school = target.school
    target.publish(school.commit(many("Good")))
    first = target.cdn.bodies
    target.publish(school.commit(many("Bad")))
    bad = target.cdn.bodies
    target.publish(school.commit(many("Good")))
    after = target.cdn.bodies
    assert after.keys() == first.keys()
    assert sum(after[key] != bad[key] for key in after) >= LESSONS
    for key, body in after.items():
        assert without_versions(body) == without_versions(first[key])
        if bad[key] != first[key]:
            assert _version(first[key]) < _version(bad[key]) < _version(body)


def _version(body: bytes) -> int:
    found = re.search(rb'"version":(\d+),"generated_at"', body)
    assert found
    return int(found[1])


def test_a_plan_that_is_held_back_keeps_the_lessons_that_it_had(target: Target) -> None:
    publish(target, BASE)
    before = whole_plans(target.cdn.bodies)
    publish(target, BAD)
    after = whole_plans(target.cdn.bodies)
    same = {name: after[name] == before[name] for name in before}
    assert same == {
        "plans/ONE/manifest.json": True,
        "plans/THREE/manifest.json": True,
        "plans/TWO/manifest.json": False,
    }


class TestSwitching:
    def test_to_hashed_leaves_every_stable_file_where_it_is(self, target: Target) -> None:
        target.publish(target.school.commit(BASE))
        before = target.cdn.bodies
        (published,) = publish(target, BASE)
        assert published.files_deleted == 0
        now = target.cdn.bodies
        assert {key: now[key] for key in before if not is_manifest(key)} == {
            key: body for key, body in before.items() if not is_manifest(key)
        }
        assert whole_plans(now) == whole_plans(before)
        lessons = {plain_key(k): b for k, b in now.items() if k.startswith("lessons/")}
        assert lessons == {k: b for k, b in before.items() if k.startswith("lessons/")}
        assert target.audit() == []

    def test_and_back_and_on_again_gives_what_a_clean_publish_gives(self, target: Target) -> None:
        school = target.school
        for documents, hashed in ((BASE, False), (EDITED, True), (BASE, False), (EDITED, True)):
            place = school.addressed(hashed=hashed)
            commit = school.commit(documents)
            clean = Target(school)
            clean.publish(commit, None, place)
            target.publish(commit, None, place)
            assert whole_plans(target.cdn.bodies) == whole_plans(clean.cdn.bodies)
            assert broken_links(target.cdn.bodies) == []
            assert target.audit() == []

    def test_a_plan_that_fails_on_the_way_keeps_its_stable_files(
        self, target: Target, place: Workspace
    ) -> None:
        target.publish(target.school.commit(BASE))
        before = whole_plans(target.cdn.bodies)
        commit = target.school.commit(EDITED)
        published = target.publish(commit, None, place, _Refusing(target, "plans/ONE/"))
        assert published is not None
        states = {name: one.state for name, one in published.release.plans.items()}
        assert states["ONE"] is PlanState.FAILED
        after = whole_plans(target.cdn.bodies)
        assert after["plans/ONE/manifest.json"] == before["plans/ONE/manifest.json"]
        assert after["plans/TWO/manifest.json"] != before["plans/TWO/manifest.json"]
        assert target.audit() == []
        target.publish(commit, None, place)
        clean = Target(target.school)
        clean.publish(commit, None, place)
        assert whole_plans(target.cdn.bodies) == whole_plans(clean.cdn.bodies)

    def test_the_stable_manifest_is_put_back_where_only_the_last_write_fails(
        self, target: Target, place: Workspace
    ) -> None:
        target.publish(target.school.commit(BASE))
        before = target.cdn.bodies
        cdn = _Refusing(target, "plans/ONE/manifest.json")
        target.publish(target.school.commit(EDITED), None, place, cdn)
        assert target.cdn.bodies["plans/ONE/manifest.json"] == before["plans/ONE/manifest.json"]
        assert broken_links(target.cdn.bodies) == []
        assert target.audit() == []


class _Refusing(MemoryStore):
    """The CDN store of a target, refusing some keys; one manifest it takes and says no."""

    def __init__(self, target: Target, prefix: str) -> None:
        super().__init__(label=target.cdn.label)
        self._objects = target.cdn._objects
        self._prefix = prefix
        self._taken = False

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        if not key.startswith(self._prefix) or self._taken:
            return super().put(key, body, attributes, condition)
        if is_manifest(self._prefix):
            self._taken = True
            super().put(key, body, attributes, condition)
        raise StoreError("refused")


class TestGuards:
    def test_losing_much_of_the_site_is_refused_though_nothing_is_deleted(
        self, target: Target, place: Workspace
    ) -> None:
        publish(target, many("Good", 150))
        commit = target.school.commit(many("Good", 50))
        with pytest.raises(Refused, match="live files would be deleted"):
            target.prepare(commit, None, place)

    def test_new_forms_of_all_files_are_no_loss(self, target: Target, place: Workspace) -> None:
        publish(target, many("Good", 150))
        commit = target.school.commit(many("Bad", 150))
        assert target.prepare(commit, PublishOptions(), place).delta.delete == {}


class TestVerify:
    def test_what_stands_on_is_no_surprise_and_what_nobody_knows_is(self, target: Target) -> None:
        publish(target, BASE, EDITED)
        assert _drifts(target) == []
        target.cdn.put("lessons/M-1a.0123456789abcdef.json", b"{}", Attributes())
        assert [(one.key, one.damage) for one in _drifts(target)] == [
            ("lessons/M-1a.0123456789abcdef.json", Damage.EXTRA)
        ]

    def test_a_missing_live_file_is_made_again_under_its_key(self, target: Target) -> None:
        publish(target, BASE, EDITED)
        wanted = target.cdn.bodies
        key = next(k for k in read_live_files(target.ledger).entries if "M-O1" in k)
        target.cdn.delete([key])
        assert [one.damage for one in _drifts(target)] == [Damage.MISSING]
        _mend(target)
        assert target.cdn.bodies == wanted
        assert _drifts(target) == []

    def test_a_lasting_header_is_expected(self, target: Target) -> None:
        publish(target, BASE)
        key = next(key for key in target.cdn.bodies if key.startswith("lessons/"))
        found = target.cdn.get(key)
        assert found is not None
        attributes = found.info.attributes
        target.cdn.put(key, found.body, Attributes(attributes.content_type, "max-age=300"))
        assert [one.damage for one in _drifts(target)] == [Damage.HEADERS]
        _mend(target)
        again = target.cdn.get(key)
        assert again is not None
        assert again.info.attributes.cache_control == IMMUTABLE

    @pytest.mark.parametrize("damage", [Damage.MISSING, Damage.DIFFERENT])
    def test_a_rollback_never_counts_on_a_kept_file_that_a_person_broke(
        self, target: Target, damage: Damage
    ) -> None:
        publish(target, BASE, EDITED)
        kept = target.ledger.kept(target.ledger.live().release)
        key = next(key for key in kept if key.startswith("lessons/M-1a"))
        wanted = target.cdn.bodies[key]
        if damage is Damage.MISSING:
            target.cdn.delete([key])
        else:
            target.cdn.put(key, wanted.replace(b"The", b"Teh"), Attributes())
        assert [(one.key, one.damage) for one in _drifts(target)] == [(key, damage)]
        _mend(target)
        assert (_drifts(target), key in target.cdn.bodies) == ([], False)
        publish(target, BASE)
        assert broken_links(target.cdn.bodies) == []
        assert _drifts(target) == []


def _drifts(target: Target) -> list[Drift]:
    live = read_live_files(target.ledger)
    look = look_in_store(target.cdn, LOOK)
    known = live.entries.keys() | live.kept.keys()
    return [
        *compare(live.entries, look, 2),
        *compare_kept(live, look, 2),
        *extra_objects(target.cdn, known),
    ]


def _mend(target: Target) -> None:
    live = read_live_files(target.ledger)
    mending = repair(target.school.addressed(hashed=True), target.ledger, live, _drifts(target))
    assert mending.prepared is not None
    target.publisher().publish(mending.prepared, target.run())


def test_a_file_is_explained_by_its_key_and_by_its_plain_key(target: Target) -> None:
    first, _ = publish(target, BASE, EDITED)
    key = next(k for k in read_live_files(target.ledger).entries if "M-1b" in k)
    found = [trace(target.ledger, name) for name in (key, "lessons/M-1b.json")]
    assert [(one.key, one.release.id) for one in found] == [(key, first.release.id)] * 2


def test_a_lesson_with_signed_media_is_put_again_when_it_comes_back(target: Target) -> None:
    video = stage("Video", config={"video_url": "https://media.example.org/a.mp4"})
    with_video = [
        *[one for one in BASE if one.name != "M-1a"],
        lesson("M-1a", "M-O1", 0, stages=[video]),
    ]
    place = _signing(target)
    for documents in (with_video, changed(with_video, "M-1a", title="Better")):
        target.publish(target.school.commit(documents), None, place)
    target.cdn.calls.clear()
    target.publish(target.school.commit(with_video), None, place)
    assert sorted({plain_key(key) for key in puts(target)}) == [
        "lessons/M-1a.json",
        "plans/ONE/manifest.json",
        "plans/TWO/manifest.json",
    ]


def _signing(target: Target) -> Workspace:
    school = target.school
    return Workspace(
        school.repository, "content-snapshot", HASHED, {}, "h", (b"https://media.example.org/",)
    )


def test_hiding_a_topic_and_showing_it_again_writes_two_kinds_of_files_once(
    target: Target,
) -> None:
    hidden = [
        *[one for one in BASE if one.name != "ONE"],
        plan("ONE", ["M", "P"], [override(topic("M-O1", "M-U"), "Hide")]),
    ]
    publish(target, BASE, hidden, BASE)
    target.cdn.calls.clear()
    publish(target, hidden)
    assert target.cdn.calls == [("put", "plans/ONE/manifest.json")]


def test_a_commit_of_the_same_second_gets_other_keys(target: Target) -> None:
    publish(target, BASE)
    target.school.same_second()
    commit: Commit = target.school.commit(EDITED)
    target.publish(commit, None, target.school.addressed(hashed=True))
    assert target.audit() == []
    assert broken_links(target.cdn.bodies) == []
