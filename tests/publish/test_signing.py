"""Media URLs are signed while lessons are uploaded, known to nobody else, and refreshed in time."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from contextlib import closing
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
from exporter.errors import ConfigError
from exporter.publish.comparing import Damage, Expectations
from exporter.publish.livefiles import read_live_files
from exporter.publish.presigning import Presigner, SigningKeys, signing_keys
from exporter.publish.publisher import Published, Publisher
from exporter.publish.refreshing import due_lessons, refresh
from exporter.publish.signatures import SignedLessons, read_signed, rules_digest
from exporter.publish.signing import SigningStore, capped
from exporter.publish.verifying import compare, look_in_store, repair
from exporter.stores.base import Attributes
from tests.core.school import lesson, plan, school, stage
from tests.publish.publishing import Killed, SchoolRepository, Target
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

    @property
    def store(self) -> SigningStore:
        return SigningStore(self.target.cdn, self.target.state, self.media, ONE)

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


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["refresh", "publish"])
def test_a_run_killed_at_any_call_leaves_no_url_to_expire(
    signer: Signer, kind: str, when: Literal["before", "after"]
) -> None:
    """Whatever was lost: what is on the CDN is noted, or is signed again before it expires."""
    soon = seconds(signer.lesson()["signed_url_expiry"]) - 7200
    edited = content(title="A better title")
    signer.target.school.commit(edited)
    for call in range(1, 200):
        crashed = Signer(signer.target.copy())
        crashed.target.set_faults(Faults(call, when, Killed(), lasting=True))
        try:
            crashed.refresh(soon) if kind == "refresh" else crashed.publish_head()
        except Killed:
            crashed.target.set_faults(Faults())
        else:
            break
        crashed.target.clock.now_s += 3600
        crashed.publish_head()
        expires = seconds(crashed.lesson()["signed_url_expiry"])
        note = read_signed(crashed.target.state).lessons[SIGNED]
        assert note.expires <= expires, call
        crashed.refresh(expires)
        assert crashed.drift() == [], call
        assert crashed.target.ledger.journal().journal.is_clean, call
    assert call > 10


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

    def test_a_signed_url_expires(self, s3_server: S3Server, video: str) -> None:
        import time

        url = self.signed_url(s3_server, video, expires_s=1)
        time.sleep(2.1)
        assert httpx.get(url).status_code == 403
