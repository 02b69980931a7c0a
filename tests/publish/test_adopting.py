"""A lost state store comes back from the CDN store and git: to the byte, and never by guessing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.build.inspection import CheckRules
from exporter.config import Media, Secret, SignedMedia
from exporter.config.model import CACHE_CONTROL
from exporter.content.repository import Commit, Repository
from exporter.core.addressing import plain_key
from exporter.core.artifacts import Rules
from exporter.core.release import Kind, PlanState, Release
from exporter.errors import Refused, UsageError
from exporter.publish.adopting import adopt, find_commit
from exporter.publish.comparing import Expectations
from exporter.publish.crawling import read_standing
from exporter.publish.ledger import Ledger, LostSwap
from exporter.publish.planning import PublishOptions, Workspace
from exporter.publish.presigning import Presigner, SigningKeys
from exporter.publish.publisher import Publisher
from exporter.publish.recognising import Recognised, recognise
from exporter.publish.signatures import SignedLessons, read_signed
from exporter.publish.signing import SigningStore
from exporter.stores.base import Attributes
from tests.core.school import lesson, plan, school, stage
from tests.publish.publishing import (
    HASHED,
    Killed,
    SchoolRepository,
    Target,
    broken_links,
    whole_plans,
)
from tests.publish.schools import BAD, BASE, EDITED, SHRUNK, Documents, changed, without
from tests.stores.memory import Faults, MemoryStore

NO_MEDIA = Media()
MEDIA = Media((SignedMedia("https://media.example.org/", "memora-media", 14_400),))
ANY = PublishOptions(allow_mass_delete=True)
RULES = {
    "stable": CheckRules(),
    "hashed": HASHED,
    "monolithic": CheckRules(Rules(layouts=("monolithic",))),
    "both layouts": CheckRules(Rules(layouts=("atomic", "monolithic"))),
    "links without versions": CheckRules(Rules(version_links=False)),
}


def lose_state(target: Target) -> None:
    target.state = MemoryStore(target.state.faults, "state://")


def look(
    target: Target, place: Workspace, commit: Commit | None = None, media: Media = NO_MEDIA
) -> Recognised:
    expected = Expectations(CACHE_CONTROL, SignedLessons())
    standing = read_standing(target.cdn, expected, media, 2)
    now = replace(place, repository=Repository(target.school.folder))
    at = commit or find_commit(now, standing)
    return recognise(place, standing, at, media)


def adopt_in(
    target: Target, place: Workspace, commit: Commit | None = None, media: Media = NO_MEDIA
) -> tuple[Recognised, Release]:
    """Adopt; the CDN store is not written to."""
    before = target.cdn.bodies
    found = look(target, place, commit, media)
    release = adopt(target.ledger, found, media, place.fingerprint, target.run())
    assert target.cdn.bodies == before
    assert release == target.ledger.live().release
    return found, release


def publish_all(target: Target, place: Workspace, schools: Sequence[Documents]) -> Commit:
    """Publish schools one after the other; return the last commit."""
    for documents in schools:
        commit = target.school.commit(documents)
        target.publish(commit, ANY, place)
    return commit


def live_of(release: Release | None) -> dict[str, Any]:
    """What a release says is live, without why."""
    assert release is not None
    plans = {
        name: (one.index, one.lessons, one.files, one.commit)
        for name, one in release.plans.items()
        if one.state is not PlanState.REMOVED
    }
    return {"commit": release.commit, "lessons": release.lessons, "plans": plans}


def _own(live: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a plan was built against: of one held back only its own part comes back."""
    plans = {name: (one[0], *one[2:]) for name, one in live["plans"].items()}
    return {**live, "plans": plans}


def drift(found: Recognised) -> list[tuple[str, str]]:
    return [(one.damage.value, one.key) for one in found.drift]


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_an_untouched_target_is_adopted_as_its_ledger_had_it(
    schools: SchoolRepository, rules: CheckRules
) -> None:
    place, target = schools.workspace("f", rules), Target(schools)
    commit = publish_all(target, place, [BASE, EDITED, without(SHRUNK, "TWO")])
    before, stood = live_of(target.ledger.live().release), target.cdn.bodies
    lose_state(target)
    found, release = adopt_in(target, place)
    assert (found.is_whole, found.drift, release.kind) == (True, (), Kind.ADOPT)
    assert live_of(release) == before
    target.cdn.calls.clear()
    assert target.publish(commit, None, place) is None
    assert (target.audit(), target.cdn.calls) == ([], [])
    published = target.publish(target.school.commit(EDITED), ANY, place)
    assert published is not None
    assert target.audit() == broken_links(target.cdn.bodies) == []
    assert target.cdn.bodies != stood


def test_a_plan_that_was_held_back_waits_at_its_own_commit(schools: SchoolRepository) -> None:
    place, target = schools.workspace(), Target(schools)
    publish_all(target, place, [BASE])
    bad = publish_all(target, place, [BAD])
    before, stood = live_of(target.ledger.live().release), target.cdn.bodies
    lose_state(target)
    found, release = adopt_in(target, place)
    assert _own(live_of(release)) == _own(before)
    states = {name: (one.state, one.attempts) for name, one in release.plans.items()}
    held = (PlanState.HELD, 0)
    assert states == {"ONE": held, "THREE": held, "TWO": (PlanState.PUBLISHED, 0)}
    assert (found.is_whole, drift(found)) == (False, [])
    again = target.publish(bad, None, place)
    assert again is not None
    assert again.release.plans["ONE"].error.startswith("E109")
    assert target.cdn.bodies == stood
    target.publish(target.school.commit(EDITED), None, place)
    assert target.audit() == broken_links(target.cdn.bodies) == []


@pytest.mark.parametrize("hashed", [False, True])
def test_damage_is_named_and_put_right_by_the_next_publish(
    schools: SchoolRepository, hashed: bool
) -> None:
    place, target = schools.addressed(hashed=hashed), Target(schools)
    commit = publish_all(target, place, [EDITED])
    whole = target.cdn.bodies
    by_name = {plain_key(key): key for key in whole}
    changed_lesson, lost, plain_text = (
        by_name[key] for key in ("lessons/M-1a.json", "plans/ONE/P-O1.json", "lessons/P-1a.json")
    )
    _replace(target.cdn, changed_lesson, whole[changed_lesson].replace(b"Better", b"Bitter"))
    _replace(target.cdn, plain_text, b"not ours")
    target.cdn.delete([lost])
    _replace(target.cdn, "lessons/nobody.json", whole[changed_lesson])
    header = by_name["plans/TWO/M_b.json"]
    _replace(target.cdn, header, whole[header], content_type="text/plain")
    lose_state(target)
    found, release = adopt_in(target, place)
    if not hashed:  # there links tell every version, so nothing has to be made anew
        assert drift(found) == [
            ("different", changed_lesson),
            ("different", plain_text),
            ("extra", "lessons/nobody.json"),
            ("missing", lost),
            ("headers", header),
        ]
        assert not any(one.is_behind for one in release.plans.values())
    target.publish(commit, None, place)
    assert target.audit() == broken_links(target.cdn.bodies) == []
    assert target.publish(commit, None, place) is None
    if not hashed:
        assert target.cdn.bodies == whole
        stored = target.cdn.get(header)
        assert stored is not None
        assert stored.info.attributes.content_type == "application/json; charset=utf-8"


@pytest.mark.parametrize("rules", ["stable", "hashed"])
@pytest.mark.parametrize("body", [None, b'{"plan_id": "ON'], ids=["missing", "cut off"])
def test_a_plan_without_its_manifest_loses_nothing(
    schools: SchoolRepository, rules: str, body: bytes | None
) -> None:
    place, target = schools.workspace("f", RULES[rules]), Target(schools)
    publish_all(target, place, [BASE, EDITED])
    live, before = live_of(target.ledger.live().release), target.cdn.bodies
    lose_state(target)
    manifest = "plans/ONE/manifest.json"
    if body is None:
        target.cdn.delete([manifest])
    else:
        target.cdn.put(manifest, body, Attributes("application/json"))
    found, release = adopt_in(target, place)
    assert [key for _, key in drift(found)] == [manifest]
    assert live_of(release)["plans"].keys() == live["plans"].keys()
    assert release.plans["ONE"].files == live["plans"]["ONE"][2]
    target.publish(schools.commit(BAD), PublishOptions(), place)
    assert before.keys() <= target.cdn.bodies.keys(), "a plan that cannot be built lost its files"
    target.publish(schools.commit(EDITED), PublishOptions(), place)
    assert whole_plans(target.cdn.bodies).keys() == whole_plans(before).keys()
    assert broken_links(target.cdn.bodies) == []


def test_what_is_left_of_a_plan_that_nothing_explains_is_not_deleted(
    schools: SchoolRepository,
) -> None:
    place, target = schools.workspace(), Target(schools)
    publish_all(target, place, [BASE, BAD])
    lose_state(target)
    gone = [key for key in target.cdn.bodies if key.endswith("/manifest.json")][:1]
    target.cdn.delete(gone)
    left = set(target.cdn.bodies)
    adopt_in(target, place)
    target.publish(schools.commit(BAD), PublishOptions(), place)
    assert left <= target.cdn.bodies.keys()


def test_a_copy_of_a_manifest_is_no_plan(schools: SchoolRepository) -> None:
    """Somebody kept a copy beside the plan, which is held back now."""
    place, target = schools.workspace(), Target(schools)
    publish_all(target, place, [BASE])
    stood = target.cdn.get("plans/ONE/manifest.json")
    assert stood is not None
    publish_all(target, place, [BAD])
    before, copy = target.cdn.bodies, "plans/ONE_as_it_was/manifest.json"
    target.cdn.put(copy, stood.body, stood.info.attributes)
    lose_state(target)
    found, _ = adopt_in(target, place)
    assert drift(found) == [("extra", copy)]
    publish_all(target, place, [changed(BAD, "P-1b", title="Later")])
    assert target.cdn.bodies == before


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("after", [SHRUNK, without(EDITED, "TWO"), BAD])
def test_a_publish_that_died_and_lost_its_journal_is_ended_by_the_next_one(
    schools: SchoolRepository, hashed: bool, after: Documents
) -> None:
    place, start = schools.addressed(hashed=hashed), Target(schools)
    publish_all(start, place, [BASE])
    commit = schools.commit(after)
    clean = start.copy()
    clean.publish(commit, ANY, place)
    wanted = whole_plans(clean.cdn.bodies)
    for number in range(1, 60):
        target = start.copy()
        faults = Faults(number, error=Killed(), lasting=True)
        target.cdn.faults = faults  # the state store stays out of it: it is lost anyway
        with suppress(Killed):
            target.publish(commit, ANY, place)
        target.cdn.faults = Faults()
        lose_state(target)
        adopt_in(target, place)
        target.publish(commit, ANY, place)
        assert target.audit() == broken_links(target.cdn.bodies) == [], number
        assert whole_plans(target.cdn.bodies) == wanted, number
        if faults.count < number:
            return
    raise AssertionError("the publish never came to its end")


def test_an_adoption_that_is_killed_anywhere_can_be_run_again(schools: SchoolRepository) -> None:
    place, start = schools.workspace(), Target(schools)
    commit = publish_all(start, place, [BASE, BAD])
    _replace(start.cdn, "lessons/M-1a.json", b"not ours")
    lose_state(start)
    for number in range(1, 60):
        target = start.copy()
        target.state.faults = faults = Faults(number, "after", Killed(), lasting=True)
        found = None
        with suppress(Killed):
            found, _ = adopt_in(target, place)
        target.state.faults = Faults()
        target.clock.now_s += 3600  # the lease of the dead one has run out
        if target.ledger.head() is None:
            adopt_in(target, place)
        target.publish(commit, None, place)
        assert target.audit() == broken_links(target.cdn.bodies) == [], number
        if found and faults.count < number:
            return
    raise AssertionError("the adoption never came to its end")


DAMAGES = ("delete", "garble", "retitle", "unmark")


@settings(max_examples=300 if os.environ.get("EXPORTER_THOROUGH") else 12)
@given(data=st.data())
def test_whatever_was_published_and_damaged_comes_back_whole(
    schools: SchoolRepository, data: st.DataObject
) -> None:
    """A target with a ledger that published the same is what the adopted one ends as."""
    hashed = data.draw(st.booleans(), "hashed")
    place = schools.addressed(hashed=hashed)
    target, every = Target(schools), (BASE, EDITED, SHRUNK, BAD, without(BASE, "TWO"))
    commit = publish_all(target, place, data.draw(st.lists(st.sampled_from(every), min_size=1)))
    twin = target.copy()
    for kind in data.draw(st.lists(st.sampled_from(DAMAGES), max_size=3), "damages"):
        key = data.draw(st.sampled_from(sorted(target.cdn.bodies)), "key")
        _damage(target.cdn, key, kind)
    lose_state(target)
    if not any(key.endswith("/manifest.json") for key in target.cdn.bodies):
        return
    adopt_in(target, place, commit)
    for one in (target, twin):
        one.publish(commit, ANY, place)
    if not (hashed and _holds_back(twin)):  # no version is told there, so what is held waits
        assert target.audit() == broken_links(target.cdn.bodies) == []
    assert target.cdn.bodies.keys() >= _sound(twin)
    mended = schools.commit(EDITED)
    for one in (target, twin):
        one.publish(mended, ANY, place)
    assert target.audit() == broken_links(target.cdn.bodies) == []
    assert whole_plans(target.cdn.bodies) == whole_plans(twin.cdn.bodies)


def _holds_back(target: Target) -> bool:
    release = target.ledger.live().release
    return release is not None and any(one.is_behind for one in release.plans.values())


def _sound(target: Target) -> set[str]:
    """Return the manifests of the plans that no error holds back: those can be made again."""
    release = target.ledger.live().release
    plans = release.plans.items() if release else ()
    return {f"plans/{name}/manifest.json" for name, one in plans if one.index and not one.is_behind}


def _damage(store: MemoryStore, key: str, kind: str) -> None:
    found = store.get(key)
    assert found is not None
    match kind:
        case "delete":
            store.delete([key])
        case "garble":
            _replace(store, key, b"{")
        case "retitle":
            _replace(store, key, found.body.replace(b'"title":"', b'"title":"not '))
        case _:
            _replace(store, key, found.body, metadata={})


def test_versions_never_go_back_whatever_is_adopted(schools: SchoolRepository) -> None:
    place, target = schools.workspace(), Target(schools)
    old = publish_all(target, place, [BASE])
    new = publish_all(target, place, [EDITED])
    stood = target.cdn.bodies
    lose_state(target)
    found, release = adopt_in(target, place, old)
    assert {one.state for one in release.plans.values()} == {PlanState.PUBLISHED, PlanState.HELD}
    assert (release.commit, found.is_whole) == (old.sha, False)
    target.cdn.calls.clear()
    target.publish(new, None, place)
    assert target.cdn.bodies == stood
    assert [call for call in target.cdn.calls if call[0] in ("put", "delete")] == []


def test_a_living_ledger_is_never_written_over(schools: SchoolRepository) -> None:
    place, target = schools.workspace(), Target(schools)
    publish_all(target, place, [BASE])
    before = target.state.bodies
    found = look(target, place)
    with pytest.raises(Refused, match="knows what is live"):
        adopt(target.ledger, found, NO_MEDIA, "f1", target.run())
    assert {key: body for key, body in target.state.bodies.items() if key != "lease.json"} == {
        key: body for key, body in before.items() if key != "lease.json"
    }


def test_a_head_that_appears_meanwhile_wins(
    schools: SchoolRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, target = schools.workspace(), Target(schools)
    publish_all(target, place, [BASE])
    head = target.state.bodies["head.json"]
    found = look(target, place)
    lose_state(target)
    save = Ledger.save_release

    def slow(ledger: Ledger, release: Release) -> None:
        save(ledger, release)
        target.state.put("head.json", head, Attributes())

    monkeypatch.setattr(Ledger, "save_release", slow)
    with pytest.raises(LostSwap):
        adopt(target.ledger, found, NO_MEDIA, "f1", target.run())
    assert target.state.bodies["head.json"] == head


def test_an_empty_store_is_published_to_and_not_adopted(schools: SchoolRepository) -> None:
    target = Target(schools)
    with pytest.raises(UsageError, match="no plan's manifest"):
        look(target, schools.workspace())


def test_a_commit_that_is_not_in_the_history_has_to_be_named(tmp_path: Path) -> None:
    schools = SchoolRepository(tmp_path / "school")
    place, target = schools.workspace(), Target(schools)
    first = schools.commit(without(BASE, "ONE"))
    publish_all(target, place, [BASE])
    stood = target.cdn.bodies
    rewritten = schools.commit(BASE, "the same, in another history", parent=first.sha)
    with pytest.raises(Refused, match="the history of HEAD has no such commit"):
        look(target, place)
    lose_state(target)
    found, release = adopt_in(target, place, rewritten)
    assert (found.is_whole, release.commit) == (True, rewritten.sha)
    assert target.publish(rewritten, None, place) is None
    assert target.cdn.bodies == stood


def test_a_copy_without_metadata_is_dated_by_its_versions(tmp_path: Path) -> None:
    schools = SchoolRepository(tmp_path / "school")
    place, target = schools.workspace(), Target(schools)
    commit = publish_all(target, place, [BASE, EDITED])
    schools.commit(SHRUNK)
    for key, body in target.cdn.bodies.items():
        _replace(target.cdn, key, body, metadata={})
    lose_state(target)
    found, release = adopt_in(target, place)
    assert (release.commit, {one.damage.value for one in found.drift}) == (commit.sha, {"headers"})
    assert not any(one.is_behind for one in release.plans.values())


@pytest.mark.parametrize("hashed", [False, True])
def test_signed_lessons_are_known_again_and_signed_again_in_time(
    tmp_path: Path, hashed: bool
) -> None:
    schools = SchoolRepository(tmp_path / "school")
    place, target = schools.addressed(hashed=hashed), Target(schools)
    url = "https://media.example.org/a%20b.mp4#t=30"
    config: dict[str, Any] = {"video_url": url, "big": 10**25}
    documents = school(
        plan(), lesson("L", stages=[stage("Video", config)]), lesson("M", bit_index=1)
    )
    commit = schools.commit(documents)
    keys = SigningKeys("AKIDEXAMPLE", Secret("a-secret"))
    signing = SigningStore(
        target.cdn, target.state, MEDIA, Presigner(lambda: keys, "https://r2.example", "auto")
    )
    publisher = Publisher(signing, target.ledger, None, lambda _text: None, signing)
    publisher.publish(target.prepare(commit, None, place), target.run())
    before, signed = live_of(target.ledger.live().release), read_signed(target.state)
    assert signed.lessons
    lose_state(target)
    found, release = adopt_in(target, place, media=MEDIA)
    assert (found.is_whole, live_of(release)) == (True, before)
    assert read_signed(target.state) == signed
    key = next(iter(signed.lessons))
    body = json.loads(target.cdn.bodies[key])
    body["stages"][0]["config"]["video_url"] += "x"
    _replace(target.cdn, key, json.dumps(body).encode())
    lose_state(target)
    found, release = adopt_in(target, place, media=MEDIA)
    assert drift(found) == [("different", key)]
    assert read_signed(target.state) == SignedLessons()


@pytest.mark.parametrize("hashed", [False, True])
def test_an_expiry_that_somebody_edited_is_over(tmp_path: Path, hashed: bool) -> None:
    schools = SchoolRepository(tmp_path / "school")
    place, target = schools.addressed(hashed=hashed), Target(schools)
    config: dict[str, Any] = {"video_url": "https://media.example.org/a.mp4"}
    commit = schools.commit(school(plan(), lesson("L", stages=[stage("Video", config)])))
    keys = SigningKeys("AKIDEXAMPLE", Secret("a-secret"))
    signing = SigningStore(
        target.cdn, target.state, MEDIA, Presigner(lambda: keys, "https://r2.example", "auto")
    )
    publisher = Publisher(signing, target.ledger, None, lambda _text: None, signing)
    publisher.publish(target.prepare(commit, None, place), target.run())
    (key,) = read_signed(target.state).lessons
    body = {**json.loads(target.cdn.bodies[key]), "signed_url_expiry": "soon"}
    _replace(target.cdn, key, json.dumps(body).encode())
    lose_state(target)
    adopt_in(target, place, media=MEDIA)
    assert {one.expires for one in read_signed(target.state).lessons.values()} == {0}


@pytest.mark.parametrize("odd", ["-x", "main", "+refs/heads/main:refs/heads/other", "a\0b"])
def test_metadata_that_name_no_commit_name_none(tmp_path: Path, odd: str) -> None:
    """Whoever may write to the CDN store may write anything there, and git is asked for it."""
    schools = SchoolRepository(tmp_path / "school")
    place, target = schools.workspace(), Target(schools)
    commit, key = publish_all(target, place, [BASE, EDITED]), "plans/TWO/manifest.json"
    body = target.cdn.bodies[key].replace(b'"plan_id":"TWO"', b'"plan_id":"TWO","title":"?"', 1)
    _replace(target.cdn, key, body, metadata={"commit": odd})
    schools._git("remote", "add", "origin", str(schools.folder))
    lose_state(target)
    found = look(target, place, commit)
    assert found.plans["TWO"].commit == ""
    assert Repository(schools.folder).find("other") is None


def test_a_version_in_a_link_that_is_no_number_is_none(schools: SchoolRepository) -> None:
    place, target = schools.workspace(), Target(schools)
    commit, key = publish_all(target, place, [BASE]), "plans/TWO/M-O1.json"
    body = target.cdn.bodies[key]
    _replace(target.cdn, key, body.replace(b"?v=1", "?v=²".encode()))
    lose_state(target)
    assert drift(look(target, place, commit)) == [("different", key)]


def _replace(store: MemoryStore, key: str, body: bytes, **attributes: Any) -> None:
    """Put other bytes or headers under a key, as a person could."""
    found = store.get(key)
    kept = found.info.attributes if found else Attributes()
    store.put(key, body, replace(kept, **attributes))


def test_editors_words_are_no_links(schools: SchoolRepository) -> None:
    words = {"url": "lessons/M.json?v=9999999999", "more": [{"next_url": "plans/nowhere.json"}]}
    config: dict[str, Any] = {**words}
    target, place = Target(schools), schools.workspace()
    talking = lesson("L", stages=[stage("Video", config)])
    publish_all(target, place, [school(plan(), talking, lesson("M", bit_index=1))])
    lose_state(target)
    found, _ = adopt_in(target, place)
    assert found.is_whole
