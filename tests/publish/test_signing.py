"""Media URLs are signed while lessons are uploaded, known to nobody else, and refreshed in time."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from exporter.build.encoding import instant
from exporter.config import Media, Secret, SignedMedia
from exporter.config.model import CACHE_CONTROL
from exporter.content.repository import Repository
from exporter.core.release import Kind
from exporter.errors import ConfigError, ExporterError, StoreBusy, StoreError
from exporter.publish.comparing import Damage, Expectations
from exporter.publish.livefiles import read_live_files
from exporter.publish.presigning import Presigner, SigningKeys, signing_keys
from exporter.publish.publisher import Published, Publisher
from exporter.publish.refreshing import due_lessons, refresh
from exporter.publish.signatures import SignedLessons, read_signed, rules_digest
from exporter.publish.signing import SigningStore, capped
from exporter.publish.verifying import compare, look_in_store, repair
from exporter.stores.base import Attributes, ObjectStore
from exporter.stores.s3 import S3Options, S3Store
from tests.core.school import lesson, plan, school, stage
from tests.publish.publishing import Killed, SchoolRepository, Target, broken_links
from tests.servers import S3Server
from tests.stores.memory import Faults, MemoryStore

SECRET = "a-secret-that-must-never-show"
KEYS = SigningKeys("AKIDEXAMPLE", Secret(SECRET))
MEDIA = Media((SignedMedia("https://media.example.org/", "memora-media", 14_400),))
VIDEO = "https://media.example.org/videos/a%20b.mp4"
SIGNED = "lessons/L.json"
PLAIN = "lessons/M.json"


def presigner(keys: Callable[[], SigningKeys] = lambda: KEYS) -> Presigner:
    return Presigner(keys, "https://account.r2.example", "auto")


ONE = presigner()
"""Made once: a client of boto3 takes longer to make than all that it signs here."""


def content(video: str = VIDEO, **fields: Any) -> tuple[Any, ...]:
    """A school with a lesson that has media, and one that has none."""
    config: dict[str, Any] = {
        "video_url": video,
        "more": [{"deep": video}, 12345678901234567890123],
    }
    video_lesson = lesson("L", stages=[stage("Video", config)], **fields)
    return school(plan(), video_lesson, lesson("M", bit_index=1))


@dataclass
class Signer:
    """A target of which the media are signed."""

    target: Target
    media: Media = MEDIA
    presigner: Presigner = ONE
    cdn: ObjectStore | None = None
    """Where files go instead of the target's own store in memory."""

    @property
    def store(self) -> SigningStore:
        cdn = self.cdn or self.target.cdn
        return SigningStore(cdn, self.target.state, self.media, self.presigner)

    def publish(self, documents: tuple[Any, ...]) -> Published:
        self.target.school.commit(documents)
        published = self.publish_head()
        assert published is not None
        return published

    def publish_head(self) -> Published | None:
        target = self.target
        head = Repository(target.school.repository.root).resolve("HEAD")
        prepared = target.prepare(head)
        if prepared.is_nothing:
            return None
        return self._publisher(self.store).publish(prepared, target.run())

    def refresh(self, now: float) -> Published | None:
        target = self.target
        live, signed = read_live_files(target.ledger), read_signed(target.state)
        due = due_lessons(live, signed, self.media, now)
        workspace = target.school.workspace()
        doing = refresh(workspace, target.ledger, live, due, self.media)
        assert doing.lost == ()
        store = self.store
        published = None
        if doing.prepared:
            published = self._publisher(store).publish(doing.prepared, target.run())
        if due.everything:
            store.save(complete=True)
        return published

    def repair(self) -> Published:
        target = self.target
        live = read_live_files(target.ledger)
        mending = repair(target.school.workspace(), target.ledger, live, self.drift())
        assert mending.prepared is not None
        return self._publisher(self.store).publish(mending.prepared, target.run())

    def drift(self) -> list[Any]:
        target = self.target
        expected = Expectations(CACHE_CONTROL, read_signed(target.state))
        entries = read_live_files(target.ledger).entries
        return compare(entries, look_in_store(target.cdn, expected), 2)

    def lesson(self) -> Any:
        return json.loads(self.target.cdn.bodies[SIGNED])

    def _publisher(self, store: SigningStore) -> Publisher:
        target = self.target
        return Publisher(store, target.ledger, target.purger, lambda _text: None, store)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A published target with one signed lesson."""
    signer = Signer(Target(SchoolRepository(tmp_path / "school")))
    signer.publish(content())
    return signer


def seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def test_a_published_lesson_has_signed_urls_and_says_until_when(signer: Signer) -> None:
    found = signer.lesson()
    config = found["stages"][0]["config"]
    url = httpx.URL(config["video_url"])
    assert (url.host, url.path) == ("account.r2.example", "/memora-media/videos/a b.mp4")
    assert url.params["X-Amz-Expires"] == "14400"
    assert config["more"][0]["deep"].startswith("https://account.r2.example/memora-media/")
    assert config["more"][1] == 12345678901234567890123
    signed_at = datetime.strptime(url.params["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    expires = seconds(found["signed_url_expiry"])
    assert expires == signed_at.timestamp() + 14_400
    order = list(found)
    assert order[order.index("generated_at") + 1] == "signed_url_expiry"
    assert "signed_url_expiry" not in json.loads(signer.target.cdn.bodies[PLAIN])


def test_the_index_is_about_the_plain_lesson(signer: Signer) -> None:
    plain = Target(signer.target.school)
    plain.publish(plain.school.repository.resolve("HEAD"))
    ours, theirs = read_live_files(signer.target.ledger), read_live_files(plain.ledger)
    assert ours.entries == theirs.entries
    assert {
        key for key, body in signer.target.cdn.bodies.items() if body != plain.cdn.bodies[key]
    } == {SIGNED}


def test_headers_fit_the_stored_bytes_and_no_cache_outlives_the_urls(signer: Signer) -> None:
    stored = signer.target.cdn.get(SIGNED)
    assert stored is not None
    sha256 = hashlib.sha256(stored.body).hexdigest()
    assert stored.info.attributes.metadata["sha256"] == sha256
    note = read_signed(signer.target.state).lessons[SIGNED]
    entry = read_live_files(signer.target.ledger).entries[SIGNED]
    assert (note.sha256, note.is_of(entry)) == (sha256, True)
    assert note.expires == seconds(signer.lesson()["signed_url_expiry"])


@pytest.mark.parametrize(
    ("configured", "limit_s", "result"),
    [
        ("max-age=300", 7200, "max-age=300"),
        ("max-age=31536000, immutable", 7200, "max-age=7200"),
        ("public, max-age=9000, s-maxage=86400", 7200, "public, max-age=7200, s-maxage=7200"),
        ("max-age=60, stale-while-revalidate=86400, stale-if-error=9", 7200, "max-age=60"),
        ("public", 7200, "public, max-age=7200"),
        ("", 7200, "max-age=7200"),
        ("no-store", 7200, "no-store"),
    ],
)
def test_cache_control_never_reaches_past_the_expiry(
    configured: str, limit_s: int, result: str
) -> None:
    assert capped(configured, limit_s) == result


def test_a_signed_url_is_in_no_record_index_journal_or_commit(signer: Signer) -> None:
    signer.refresh(seconds(signer.lesson()["signed_url_expiry"]))
    for key, body in signer.target.state.bodies.items():
        for trace in (b"X-Amz", b"Signature", b"r2.example", SECRET.encode(), b"AKIDEXAMPLE"):
            assert trace not in body, key
    assert b"signed.json" not in b"".join(signer.target.state.bodies.values())
    history = subprocess.run(
        ["git", "log", "-p", "--all"],
        cwd=signer.target.school.repository.root,
        capture_output=True,
        check=True,
    ).stdout
    assert VIDEO.encode() in history
    assert b"X-Amz" not in history
    assert SECRET.encode() not in b"".join(signer.target.cdn.bodies.values())


def test_publishing_the_same_content_again_signs_nothing(signer: Signer) -> None:
    before = signer.target.cdn.bodies
    target = signer.target
    assert target.prepare(target.school.repository.resolve("HEAD")).is_nothing
    signer.publish(content(title="A better title"))
    changed = {key for key, body in target.cdn.bodies.items() if before[key] != body}
    assert SIGNED in changed
    assert PLAIN not in changed


def test_a_lesson_that_loses_its_media_or_goes_is_forgotten(signer: Signer) -> None:
    signer.publish(content("https://elsewhere.example/x.mp4"))
    assert read_signed(signer.target.state).lessons == {}
    assert "signed_url_expiry" not in signer.lesson()
    signer.publish(content())
    signer.publish(school(plan(), lesson("M", bit_index=1)))
    assert set(read_signed(signer.target.state).lessons) == set()


class TestRefresh:
    def test_nothing_is_due_until_half_of_the_time_is_over(self, signer: Signer) -> None:
        expires = seconds(signer.lesson()["signed_url_expiry"])
        signer.target.cdn.calls.clear()
        assert signer.refresh(expires - 7201) is None
        assert signer.target.cdn.calls == []

    def test_only_the_due_lesson_is_put_and_no_version_changes(self, signer: Signer) -> None:
        target = signer.target
        before = read_live_files(target.ledger)
        bodies = target.cdn.bodies
        target.cdn.calls.clear()
        published = signer.refresh(seconds(signer.lesson()["signed_url_expiry"]) - 7200)
        assert published is not None
        after = read_live_files(target.ledger)
        assert (published.release.kind, published.files_put) == (Kind.REFRESH, 1)
        assert (after.entries, after.release.plans, after.release.commit) == (
            before.entries,
            before.release.plans,
            before.release.commit,
        )
        assert [call for call in target.cdn.calls if call[0] != "get"] == [("put", SIGNED)]
        assert {k for k, body in target.cdn.bodies.items() if bodies[k] != body} <= {SIGNED}
        assert signer.drift() == []

    def test_a_refresh_before_of_ones_own_counts(self, signer: Signer) -> None:
        signer.media = replace(MEDIA, refresh_before_s=600)
        expires = seconds(signer.lesson()["signed_url_expiry"])
        assert signer.refresh(expires - 601) is None
        assert signer.refresh(expires - 600) is not None

    def test_rules_that_come_later_sign_what_is_live(self, tmp_path: Path) -> None:
        signer = Signer(Target(SchoolRepository(tmp_path / "school")), Media())
        signer.publish(content())
        assert "signed_url_expiry" not in signer.lesson()
        signer.media = MEDIA
        assert signer.refresh(0) is not None
        assert "signed_url_expiry" in signer.lesson()
        assert read_signed(signer.target.state).rules == rules_digest(MEDIA)
        assert signer.refresh(0) is None
        assert signer.drift() == []

    def test_rules_that_go_put_the_plain_lesson_back(self, signer: Signer) -> None:
        signer.media = Media()
        assert signer.refresh(0) is not None
        assert signer.lesson()["stages"][0]["config"]["video_url"] == VIDEO
        assert read_signed(signer.target.state) == SignedLessons()
        assert signer.refresh(0) is None
        assert signer.drift() == []

    def test_a_crash_before_the_note_is_made_up_for(self, signer: Signer) -> None:
        """Nothing of a lesson that was signed and never noted can be lost for ever."""
        target = signer.target
        noted = read_signed(target.state)
        signer.publish(content(title="Newer"))
        store = target.state.get("signed.json")
        assert store is not None
        old = json.loads(store.body)
        old["lessons"][SIGNED] = json.loads(json.dumps(old["lessons"][SIGNED])) | {
            "digest": noted.lessons[SIGNED].digest
        }
        target.state.put("signed.json", json.dumps(old).encode(), Attributes())
        (drift,) = signer.drift()
        assert (drift.key, drift.damage) == (SIGNED, Damage.DIFFERENT)
        assert drift.why == "it holds signed URLs that no run has noted"
        signer.repair()
        assert signer.drift() == []


FAULTS: dict[str, Callable[[int, Literal["before", "after"]], Faults]] = {
    "killed": lambda call, when: Faults(call, when, Killed(), lasting=True),
    "refused": lambda call, when: Faults(call, when, StoreError("spoilt")),
    "away": lambda call, when: Faults(call, when, StoreBusy("away"), lasting=True),
}
WHOLE_MATRIX = [(kind, fault) for kind in ("refresh", "publish", "new rules") for fault in FAULTS]
MATRIX = (
    WHOLE_MATRIX
    if os.environ.get("EXPORTER_THOROUGH")
    else [
        ("refresh", "killed"),
        ("refresh", "away"),
        ("publish", "killed"),
        ("new rules", "killed"),
    ]
)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("kind", "fault"), MATRIX)
def test_a_run_that_fails_at_any_call_leaves_no_url_to_expire(
    signer: Signer, kind: str, fault: str, when: Literal["before", "after"]
) -> None:
    """Whatever was lost: what is on the CDN is noted, or is signed again before it expires."""
    soon = seconds(signer.lesson()["signed_url_expiry"]) - 7200
    if kind == "new rules":
        more = SignedMedia("https://elsewhere.example.org/", "memora-media", 14_400)
        signer.media = Media((*MEDIA.signed, more))
    else:
        signer.target.school.commit(content(title="A better title"))
    for call in range(1, 200):
        crashed = Signer(signer.target.copy(), signer.media)
        crashed.target.set_faults(FAULTS[fault](call, when))
        with suppress(ExporterError, Killed):
            crashed.publish_head() if kind == "publish" else crashed.refresh(soon)
        reached = crashed.target.cdn.faults.count >= call
        crashed.target.set_faults(Faults())
        if not reached:
            break
        crashed.target.clock.now_s += 3600
        for first in ("publish", "refresh"):
            _is_mended(Signer(crashed.target.copy(), crashed.media), first, f"{call} {first}")
    assert call > 10


def _broken(target: Target) -> list[str]:
    """Return links that lead nowhere; a film's URL is none of ours."""
    return [link for link in broken_links(target.cdn.bodies) if "://" not in link]


def _is_mended(crashed: Signer, first: str, where: str) -> None:
    """Run what comes next: a publish, or the refresh that cron starts."""
    target = crashed.target
    assert _broken(target) == [], where
    if first == "publish":
        crashed.publish_head()
    expires = seconds(crashed.lesson()["signed_url_expiry"])
    note = read_signed(target.state).lessons[SIGNED]
    assert note.expires <= expires, where
    crashed.refresh(expires)
    assert "X-Amz-Signature" in crashed.lesson()["stages"][0]["config"]["video_url"], where
    assert crashed.refresh(expires - 14_400) is None, where
    target.clock.now_s += 3600
    crashed.publish_head()
    assert crashed.drift() == [], where
    assert target.ledger.journal().journal.is_clean, where
    assert _broken(target) == [], where


def test_verify_finds_an_edit_of_a_signed_lesson_and_repair_signs_it_anew(signer: Signer) -> None:
    target = signer.target
    stored = target.cdn.get(SIGNED)
    assert stored is not None
    target.cdn.put(SIGNED, stored.body.replace(b'"The L"', b'"The X"'), stored.info.attributes)
    assert [(one.key, one.damage) for one in signer.drift()] == [(SIGNED, Damage.DIFFERENT)]
    signer.repair()
    assert signer.drift() == []
    assert signer.lesson()["title"] == "The L"
    assert "X-Amz-Signature" in signer.lesson()["stages"][0]["config"]["video_url"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("https://media.example.org/فيديو.mp4", "/memora-media/فيديو.mp4"),
        ("https://media.example.org/a.mp4?v=3", "/memora-media/a.mp4"),
        ("https://media.example.org/private/a.mp4", "/private-media/a.mp4"),
        ("https://media.example.org/", None),
        ("https://media.example.org.evil.example/a.mp4", None),
        ("see https://media.example.org/a.mp4", None),
    ],
)
def test_what_is_signed(text: str, path: str | None) -> None:
    media = Media(
        (
            SignedMedia("https://media.example.org", "memora-media"),
            SignedMedia("https://media.example.org/private/", "private-media"),
        )
    )
    cdn = MemoryStore()
    store = SigningStore(cdn, MemoryStore(), media, presigner())
    store.put(SIGNED, _body(text), Attributes())
    found = json.loads(cdn.bodies[SIGNED])["stages"][0]["config"]["video_url"]
    if path is None or text.endswith(".org/"):
        assert found == text
    else:
        assert httpx.URL(found).path == path


def test_a_fragment_stays_behind_the_signature() -> None:
    cdn = MemoryStore()
    SigningStore(cdn, MemoryStore(), MEDIA, presigner()).put(
        SIGNED, _body(f"{VIDEO}#t=30"), Attributes()
    )
    assert json.loads(cdn.bodies[SIGNED])["stages"][0]["config"]["video_url"].endswith("#t=30")


def _body(video: str) -> bytes:
    one = {
        "idx": 1,
        "title": "A Video",
        "type": "Video",
        "weight": 1.0,
        "target_time": 60,
        "is_skippable": False,
        "config": {"video_url": video},
    }
    whole = {
        "id": "L",
        "title": "The L",
        "version": 1,
        "generated_at": instant(1),
        "stages": [one],
        "navigation": {"is_standalone": True},
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def test_keys_come_from_the_environment_media_first() -> None:
    stores = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    media = {"MEDIA_AWS_ACCESS_KEY_ID": "m", "MEDIA_AWS_SECRET_ACCESS_KEY": "n"}
    assert signing_keys(stores).access_key == "a"
    assert signing_keys({**stores, **media}).access_key == "m"
    assert signing_keys({**stores, **media}).secret_key.reveal() == "n"
    with pytest.raises(ConfigError, match="no keys to sign with"):
        signing_keys({})
    with pytest.raises(ConfigError, match="MEDIA_AWS_SECRET_ACCESS_KEY is not set"):
        signing_keys({**stores, "MEDIA_AWS_ACCESS_KEY_ID": "m"})


def test_without_keys_nothing_is_put_in_the_place_of_a_media_lesson() -> None:
    def no_keys() -> SigningKeys:
        return signing_keys({})

    cdn = MemoryStore()
    store = SigningStore(cdn, MemoryStore(), MEDIA, presigner(no_keys))
    with pytest.raises(ConfigError):
        store.put(SIGNED, _body(VIDEO), Attributes())
    assert cdn.bodies == {}
    store.put(SIGNED, _body("https://elsewhere.example/a"), Attributes())


class TestWithARealStore:
    @pytest.fixture
    def video(self, s3_server: S3Server, s3_bucket: str) -> str:
        with closing(s3_server.client()) as client:
            client.put_object(Bucket=s3_bucket, Key="videos/a b.mp4", Body=b"moving pictures")
        return s3_bucket

    def signed_url(self, server: S3Server, bucket: str, expires_s: int = 3600) -> str:
        cdn = MemoryStore()
        media = Media((SignedMedia("https://media.example.org/", bucket, expires_s),))
        keys = SigningKeys(server.access_key, Secret(server.secret_key))
        signing = Presigner(lambda: keys, server.endpoint_url, server.region)
        SigningStore(cdn, MemoryStore(), media, signing).put(SIGNED, _body(VIDEO), Attributes())
        url: str = json.loads(cdn.bodies[SIGNED])["stages"][0]["config"]["video_url"]
        return url

    def test_a_signed_url_opens_the_object(self, s3_server: S3Server, video: str) -> None:
        url = self.signed_url(s3_server, video)
        assert httpx.get(url).content == b"moving pictures"
        assert httpx.get(url.partition("?")[0]).status_code == 403
        assert httpx.get(url.replace("a%20b", "c")).status_code in (403, 404)
        assert httpx.get(url.replace("Expires=3600", "Expires=7200")).status_code == 403

    def test_refresh_alone_keeps_a_film_open_and_every_url_ends_when_it_should(
        self,
        s3_server: S3Server,
        video: str,
        schools: SchoolRepository,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A reader opens the film again and again for two lifetimes of a URL; cron refreshes."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
        keys = SigningKeys(s3_server.access_key, Secret(s3_server.secret_key))
        rule = SignedMedia("https://media.example.org/", video, 4)
        cdn = S3Store(video, "cdn", S3Options(s3_server.endpoint_url), 4)
        signing = Presigner(lambda: keys, s3_server.endpoint_url, s3_server.region)
        signer = Signer(Target(schools), Media((rule,), refresh_before_s=2), signing, cdn)
        signer.publish(content())
        ends: dict[str, float] = {}
        with httpx.Client() as reader:
            stop = time.time() + 9
            while time.time() < stop:
                signer.refresh(time.time())
                stored = cdn.get(SIGNED)
                assert stored is not None
                found = json.loads(stored.body)
                url = found["stages"][0]["config"]["video_url"]
                ends[url] = seconds(found["signed_url_expiry"])
                opens = reader.get(url).content == b"moving pictures"
                assert opens or time.time() > ends[url], "it does not open in its time"
                for old, end in ends.items():
                    if time.time() > end + 1.5:
                        assert reader.get(old).status_code == 403, "it opens after its end"
                time.sleep(0.4)
        assert len(ends) >= 3
        assert [end for end in ends.values() if end + 1.5 < stop]
        entry = read_live_files(signer.target.ledger).entries[SIGNED]
        assert found["version"] == entry.version, "a refresh changes no version"
        for key, body in signer.target.state.bodies.items():
            assert b"X-Amz" not in body, key
