"""Every damage that a person can do to the CDN store is found, and mended as a release."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from exporter.build.inspection import CheckRules
from exporter.config.model import CACHE_CONTROL
from exporter.core.artifacts import Rules
from exporter.core.release import Kind, PlanState
from exporter.errors import OutsideError, UsageError
from exporter.publish.comparing import Damage, Drift, Expectations
from exporter.publish.livefiles import LiveFiles, read_live_files
from exporter.publish.publisher import Published
from exporter.publish.reader import CdnReader
from exporter.publish.signatures import SignedLessons
from exporter.publish.verifying import (
    compare,
    extra_objects,
    look_in_store,
    look_through_cdn,
    repair,
)
from exporter.stores.base import Attributes, StoredObject
from exporter.stores.s3 import S3Options, S3Store
from tests.core.school import lesson, plan, school, stage
from tests.e2e.command_line import Place
from tests.publish.cdn_standin import cdn_standin
from tests.publish.publishing import Killed, SchoolRepository, Target, broken_links
from tests.publish.test_requests import site
from tests.servers import S3Server
from tests.stores.memory import Faults

EXPECTED = Expectations(CACHE_CONTROL, SignedLessons())
LESSON = "lessons/L.json"
MANIFEST = "plans/PLAN/manifest.json"
TOPIC = "plans/PLAN/O.json"
BIG = 12345678901234567890123
LESSONS = 2_000 if os.environ.get("EXPORTER_THOROUGH") else 250


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A published target with two plans that share a lesson; one name is Arabic."""
    repository = SchoolRepository(tmp_path / "school")
    config = stage(config={"text": "Read this.", "big": BIG, "version": 5, "generated_at": ""})
    documents = school(
        plan("الصف الثاني عشر"), lesson("L", stages=[config]), lesson("درس 2", bit_index=1)
    )
    target = Target(repository)
    target.publish(repository.commit(documents))
    return target


def live(target: Target) -> LiveFiles:
    return read_live_files(target.ledger)


def look(target: Target) -> list[Drift]:
    files = live(target)
    found = compare(files.entries, look_in_store(target.cdn, EXPECTED), 4)
    return [*found, *extra_objects(target.cdn, files.entries)]


def mend(target: Target, drifts: list[Drift]) -> Published:
    mending = repair(target.school.workspace(), target.ledger, live(target), drifts)
    assert mending.lost == ()
    assert mending.prepared is not None
    return target.publisher().publish(mending.prepared, target.run())


def rewrite(target: Target, key: str, body: bytes | None = None, **headers: Any) -> None:
    """Do what a person does in the bucket's web page."""
    found = target.cdn.get(key)
    assert found is not None
    attributes = replace(found.info.attributes, **headers)
    target.cdn.put(key, found.body if body is None else body, attributes)


def body_of(target: Target, key: str) -> bytes:
    return target.cdn.bodies[key]


def test_what_was_just_published_is_clean(target: Target) -> None:
    assert look(target) == []


def test_nothing_published_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="nothing was published yet"):
        read_live_files(Target(None).ledger)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "key", [LESSON, MANIFEST, TOPIC, "plans/PLAN/S_b.json", "lessons/درس 2.json"]
)
def test_a_deleted_object_is_missing_and_comes_back(target: Target, key: str) -> None:
    before = target.cdn.bodies
    target.cdn.delete([key])
    drifts = look(target)
    assert drifts == [Drift(key, Damage.MISSING, "there is no such object")]
    release = mend(target, drifts).release
    assert (release.kind, release.files_put, release.files_deleted) == (Kind.REPAIR, 1, 0)
    assert target.cdn.bodies == before
    assert look(target) == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b'"The L"', b'"The M"', "its content is not the release's"),
        (b"{", b"{ ", "its content is not the release's"),
        (str(BIG).encode(), str(BIG + 1).encode(), "its content is not the release's"),
        (b"}", b"", "it is not JSON"),
    ],
)
def test_an_edited_lesson_is_different(target: Target, old: bytes, new: bytes, why: str) -> None:
    before = target.cdn.bodies
    assert old in before[LESSON]
    rewrite(target, LESSON, before[LESSON].replace(old, new, 1))
    assert look(target) == [Drift(LESSON, Damage.DIFFERENT, why)]
    mend(target, look(target))
    assert target.cdn.bodies == before


def test_another_version_of_a_file_is_different(target: Target) -> None:
    body = body_of(target, MANIFEST)
    version = live(target).entries[MANIFEST].version
    rewrite(target, MANIFEST, body.replace(str(version).encode(), str(version - 1).encode(), 1))
    why = f"it has version {version - 1}, the release has {version}"
    assert look(target) == [Drift(MANIFEST, Damage.DIFFERENT, why)]


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"content_type": "text/plain"}, "Content-Type is 'text/plain', not"),
        ({"cache_control": "no-store"}, "Cache-Control is 'no-store', not 'max-age=300'"),
        ({"metadata": {}}, "the metadata `sha256` is not that of its bytes"),
        ({"metadata": {"commit": "", "sha256": "0"}}, "the metadata `commit` is missing"),
    ],
)
def test_wrong_headers_are_found_and_mended(
    target: Target, headers: dict[str, Any], why: str
) -> None:
    stored = target.cdn.get(TOPIC)
    rewrite(target, TOPIC, **headers)
    (drift,) = look(target)
    assert (drift.key, drift.damage) == (TOPIC, Damage.HEADERS)
    assert why in drift.why
    mend(target, [drift])
    assert target.cdn.get(TOPIC) == stored


def test_extra_objects_below_our_folders_go_and_others_stay(target: Target) -> None:
    before = target.cdn.bodies
    for key in ("plans/PLAN/old.json", "lessons/gone.json", "units/U.json", "robots.txt"):
        target.cdn.put(key, b"{}", Attributes())
    drifts = look(target)
    why = "no live release knows it"
    assert drifts == [
        Drift("lessons/gone.json", Damage.EXTRA, why),
        Drift("plans/PLAN/old.json", Damage.EXTRA, why),
        Drift("units/U.json", Damage.EXTRA, why),
    ]
    release = mend(target, drifts).release
    assert (release.kind, release.files_put, release.files_deleted) == (Kind.REPAIR, 0, 3)
    assert target.cdn.bodies == {**before, "robots.txt": b"{}"}


def test_a_repair_is_a_release_of_the_live_commit_and_changes_no_index(target: Target) -> None:
    before = target.ledger.live()
    target.cdn.delete(list(target.cdn.bodies))
    after = mend(target, look(target)).release
    assert before.release is not None
    assert (after.kind, after.commit, after.plans, after.lessons, after.parent_release) == (
        Kind.REPAIR,
        before.release.commit,
        before.release.plans,
        before.release.lessons,
        before.release.id,
    )
    assert look(target) == []
    assert broken_links(target.cdn.bodies) == []


def test_a_held_back_plan_is_repaired_from_the_commit_that_made_it(tmp_path: Path) -> None:
    repository = SchoolRepository(tmp_path / "school")
    target = Target(repository)
    target.publish(repository.commit(school(plan("OTHER"))))
    bad = plan("OTHER", overrides=[{"action": "Give Away"}])
    target.publish(repository.commit(school(bad, lesson("L", title="Better"))))
    target.publish(repository.commit(school(bad, lesson("L", title="Best"))))
    release = target.ledger.live().release
    assert release is not None
    assert release.plans["OTHER"].state is PlanState.HELD
    assert release.plans["OTHER"].commit != release.commit
    assert look(target) == []
    before = target.cdn.bodies
    target.cdn.delete(list(before))
    mend(target, look(target))
    assert target.cdn.bodies == before


def test_a_repair_while_a_publish_is_unfinished_keeps_what_is_noted(target: Target) -> None:
    from exporter.publish.journal import Journal, Written

    noted = target.ledger.journal()
    suspects = {MANIFEST: Written("", 1), "lessons/half.json": Written("", 1)}
    target.ledger.save_journal(replace(noted.journal, suspect=suspects), noted.etag)
    target.cdn.delete([LESSON])
    mend(target, [Drift(LESSON, Damage.MISSING, "")])
    left: Journal = target.ledger.journal().journal
    assert left.suspect == suspects
    assert not left.is_clean


@pytest.mark.parametrize("addressing", ["stable", "hashed"])
def test_nothing_is_deleted_where_what_leads_to_it_cannot_be_put_back(
    tmp_path: Path, addressing: str
) -> None:
    """A publish under a new configuration died; under that, live files come out otherwise."""
    repository = SchoolRepository(tmp_path / "school")
    before, after = (
        repository.workspace(access, CheckRules(Rules(access, addressing=addressing)))
        for access in ("authenticated", "public")
    )
    target = Target(repository)
    target.publish(repository.commit(school(lesson("L"))), None, before)
    commit = repository.commit(school(lesson("L"), lesson("NEW", bit_index=1)))
    prepared = target.prepare(commit, None, after)
    target.set_faults(Faults(len(prepared.delta.put) + 6, error=Killed(), lasting=True))
    with pytest.raises(Killed):
        target.publisher().publish(prepared, target.run())
    target.set_faults(Faults())
    target.clock.now_s += 3600
    files = live(target)
    drifts = compare(files.entries, look_in_store(target.cdn, EXPECTED), 4)
    extra = list(extra_objects(target.cdn, files.entries))
    assert broken_links(target.cdn.bodies) == []
    assert extra
    mending = repair(after, target.ledger, files, [*drifts, *extra])
    assert MANIFEST in mending.lost
    if mending.prepared:
        target.publisher().publish(mending.prepared, target.run())
    assert broken_links(target.cdn.bodies) == []
    target.publish(commit, None, after)
    assert target.audit() == []


def test_a_lost_commit_is_said(target: Target, tmp_path: Path) -> None:
    other = SchoolRepository(tmp_path / "other")
    target.cdn.delete([LESSON])
    with pytest.raises(OutsideError, match="is not in this clone"):
        repair(other.workspace(), target.ledger, live(target), look(target))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_repair_killed_at_any_call_can_be_run_again(
    target: Target, when: Literal["before", "after"]
) -> None:
    whole = target.cdn.bodies
    target.cdn.delete([LESSON, TOPIC])
    target.cdn.put("lessons/gone.json", b"{}", Attributes())
    for call in range(1, 200):
        damaged = target.copy()
        damaged.set_faults(Faults(call, when, Killed(), lasting=True))
        try:
            mend(damaged, look(damaged))
        except Killed:
            damaged.set_faults(Faults())
        else:
            break
        damaged.clock.now_s += 3600
        if drifts := look(damaged):
            mend(damaged, drifts)
        damaged.publish(damaged.school.repository.resolve("HEAD"))
        assert (damaged.cdn.bodies, look(damaged)) == (whole, []), call
        assert damaged.ledger.journal().journal.is_clean, call
    assert call > 15


class TestThroughTheCdn:
    def look(self, target: Target, base_url: str, fetch: CdnReader) -> list[Drift]:
        entries = live(target).entries
        looking = look_through_cdn(fetch.fetch, base_url, EXPECTED, "t1", version_links=True)
        return compare(entries, looking, 4)

    def test_all_is_clean_past_the_cache_and_through_it(self, target: Target) -> None:
        with cdn_standin(target.cdn) as cdn, CdnReader(4) as reader:
            assert self.look(target, cdn.base_url, reader) == []
            entries = live(target).entries
            assert len(cdn.asked) == 2 * len(entries)
            version = entries[TOPIC].version
            assert {one for one in cdn.asked if TOPIC in one} == {
                f"/{TOPIC}?v={version}&exporter-look=t1",
                f"/{TOPIC}?v={version}",
            }

    def test_an_edge_that_kept_the_old_file_is_stale(self, target: Target) -> None:
        with cdn_standin(target.cdn) as cdn, CdnReader(4) as reader:
            reader.fetch(f"{cdn.base_url}/{MANIFEST}")
            old = live(target).entries[MANIFEST].version
            target.publish(target.school.commit(school(lesson("L", title="New"))))
            new = live(target).entries[MANIFEST].version
            why = f"in the CDN's cache: it has version {old}, the release has {new}"
            assert self.look(target, cdn.base_url, reader) == [Drift(MANIFEST, Damage.STALE, why)]

    def test_damage_behind_the_edge_is_told_from_staleness(self, target: Target) -> None:
        target.cdn.delete([LESSON])
        rewrite(target, TOPIC, content_type="text/html")
        with cdn_standin(target.cdn) as cdn, CdnReader(4) as reader:
            assert [(one.key, one.damage) for one in self.look(target, cdn.base_url, reader)] == [
                (LESSON, Damage.MISSING),
                (TOPIC, Damage.HEADERS),
            ]

    def test_a_cdn_that_does_not_answer_is_no_drift(self, target: Target) -> None:
        with (
            CdnReader(4) as reader,
            pytest.raises(OutsideError, match="could not be fetched") as caught,
        ):
            self.look(target, "http://127.0.0.1:9", reader)
        assert caught.value.exit_status == 4


class TestManyFilesAtTheS3Server:
    """Every damage at once among many files (2,000 lessons with EXPORTER_THOROUGH=1)."""

    @pytest.fixture
    def place(
        self,
        s3_server: S3Server,
        s3_bucket: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Place:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
        repository = SchoolRepository(tmp_path / "school")
        (repository.folder / "exporter.yaml").write_text(
            'source: {url: "sqlite:///site.db"}\ntargets:\n  production:\n'
            f"    store: s3://{s3_bucket}/cdn\n    state: s3://{s3_bucket}/state\n"
            f"    s3: {{endpoint_url: {s3_server.endpoint_url}}}\n",
            "utf-8",
        )
        repository.commit(site(LESSONS))
        found = Place(repository.folder, (s3_server.secret_key,))
        found.exporter("publish")
        return found

    def test_every_damage_is_found_and_mended_as_a_release(
        self, place: Place, s3_server: S3Server, s3_bucket: str
    ) -> None:
        before = _everything(s3_server, s3_bucket)
        assert len(before) > LESSONS
        wrong = _damaged(s3_server, s3_bucket, sorted(before))
        found = place.exporter("verify", "--json", status=1).report
        assert {one["key"]: one["damage"] for one in found["drift"]} == wrong
        store = S3Store(s3_bucket, "cdn", S3Options(s3_server.endpoint_url), 8)
        with cdn_standin(store) as cdn:
            place.replace_in(
                "exporter.yaml", "    store:", f"    base_url: {cdn.base_url}\n    store:"
            )
            readers = place.exporter("verify", "--via-cdn", "--sample", "300", "--json", status=1)
            told = {one["key"] for one in readers.report["drift"]}
            assert told
            assert told <= wrong.keys()
            repaired = place.exporter("verify", "--repair", "--json").report
            assert (repaired["left"], _everything(s3_server, s3_bucket)) == ([], before)
            cdn.held.clear()
            sampled = place.exporter("verify", "--via-cdn", "--sample", "100", "--json").report
            assert (sampled["looked_at"], sampled["drift"]) == (100, [])
        shown = place.exporter("show", repaired["repaired_by"], "--json").report
        extra = sum(damage == "extra" for damage in wrong.values())
        assert (shown["kind"], shown["files_put"]) == ("repair", len(wrong) - extra)
        assert place.exporter("verify").out.startswith("nothing is wrong")
        assert place.exporter("publish").out.startswith("nothing to do")


def _everything(server: S3Server, bucket: str) -> dict[str, StoredObject | None]:
    """Every object of the CDN store, headers and all."""
    store = S3Store(bucket, "cdn", S3Options(server.endpoint_url), 8)
    with ThreadPoolExecutor(8) as threads:
        keys = [info.key for info in store.list()]
        return dict(zip(keys, threads.map(store.get, keys), strict=True))


def _damaged(server: S3Server, bucket: str, keys: list[str]) -> dict[str, str]:
    """Do to the objects what people do; return what is wrong now, by key."""
    wrong: dict[str, str] = {}
    with closing(server.client()) as client:

        def put(key: str, body: bytes | None = None, **headers: Any) -> None:
            held = client.get_object(Bucket=bucket, Key=f"cdn/{key}")
            as_it_was = {
                "ContentType": held["ContentType"],
                "CacheControl": held["CacheControl"],
                "Metadata": held["Metadata"],
            }
            kept = held["Body"].read() if body is None else body
            client.put_object(
                Bucket=bucket, Key=f"cdn/{key}", Body=kept, **{**as_it_was, **headers}
            )

        for number, key in enumerate(keys[::20]):
            match number % 8:
                case 0:
                    client.delete_object(Bucket=bucket, Key=f"cdn/{key}")
                    wrong[key] = "missing"
                case 1:
                    put(key, b"{}")
                    wrong[key] = "different"
                case 2:
                    held = client.get_object(Bucket=bucket, Key=f"cdn/{key}")["Body"].read()
                    put(key, held.replace(b"The ", b"Die ", 1) + b" ")
                    wrong[key] = "different"
                case 3:
                    put(key, ContentType="binary/octet-stream")
                    wrong[key] = "headers"
                case 4:
                    put(key, CacheControl="max-age=31536000")
                    wrong[key] = "headers"
                case 5:
                    put(key, Metadata={})
                    wrong[key] = "headers"
                case 6:
                    put(key, ContentEncoding="gzip")
                    wrong[key] = "headers"
                case _:
                    client.put_object(Bucket=bucket, Key=f"cdn/{key}.bak", Body=b"a copy")
                    wrong[f"{key}.bak"] = "extra"
    return wrong
