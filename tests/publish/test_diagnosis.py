"""`doctor` tries a target for real, says what is wrong with it, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from exporter.config import Media, Purge, Secret, SignedMedia, Target
from exporter.config.model import S3
from exporter.core.diagnosis import Check, Health
from exporter.publish.diagnosis import Doctor, Patient, check_target
from exporter.publish.edge import edge_of
from exporter.stores.base import Attributes, IfAbsent, IfMatch, ObjectStore
from exporter.stores.s3 import S3Options, S3Store
from tests.publish.cdn_standin import cdn_standin
from tests.publish.cloudflare_standin import cloudflare_standin
from tests.servers import S3Server
from tests.stores.memory import MemoryStore

PLAIN = Target("production", "./public", "./state")


class CarelessStore(MemoryStore):
    """Ignores every condition, as `rclone serve s3` does."""

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        del condition
        return super().put(key, body, attributes)


class ForgetfulStore(MemoryStore):
    """Keeps no headers."""

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        del attributes
        return super().put(key, body, Attributes(), condition)


@dataclass
class Ward:
    """A target to look at."""

    target: Target = PLAIN
    cdn: ObjectStore = field(default_factory=MemoryStore)
    state: ObjectStore = field(default_factory=MemoryStore)
    media: Media = field(default_factory=Media)
    environ: Mapping[str, str] = field(default_factory=dict)
    ahead_s: float = 0.0

    def checks(self) -> dict[str, Check]:
        patient = Patient(self.target, self.cdn, self.state, edge_of(self.target), self.media)
        doctor = Doctor(
            "t0ken", lambda: datetime.now(UTC) + timedelta(seconds=self.ahead_s), self.environ
        )
        found = list(check_target(patient, doctor))
        assert {check.area for check in found} == {"target production"}
        assert len({check.name for check in found}) == len(found)
        return {check.name: check for check in found}

    def health(self) -> dict[str, Health]:
        return {name: check.health for name, check in self.checks().items()}


def with_purge(target: Target, endpoint: str, zone: str, token: str) -> Target:
    return replace(target, purge=Purge("cloudflare", zone, Secret(token), endpoint=endpoint))


def test_a_folder_target_is_well_and_nothing_is_left_behind() -> None:
    ward = Ward()
    assert ward.health() == {
        "conditional writes": Health.GOOD,
        "CDN store": Health.GOOD,
        "CDN": Health.UNTRIED,
        "deletes": Health.GOOD,
        "purge": Health.UNTRIED,
        "clock": Health.UNTRIED,
    }
    for store in (ward.cdn, ward.state):
        assert list(store.list()) == []


def test_a_state_store_that_ignores_conditions_is_a_problem() -> None:
    check = Ward(state=CarelessStore()).checks()["conditional writes"]
    assert check.health is Health.PROBLEM
    assert "ignores conditional writes" in check.message


def test_a_store_that_keeps_no_headers_is_a_problem() -> None:
    check = Ward(cdn=ForgetfulStore()).checks()["CDN store"]
    assert check.health is Health.PROBLEM
    assert "does not give back what was put" in check.message


def test_a_cdn_in_front_is_looked_at_as_readers_do() -> None:
    ward = Ward()
    with cdn_standin(ward.cdn) as cdn:
        ward.target = replace(PLAIN, base_url=cdn.base_url)
        checks = ward.checks()
        assert (checks["CDN"].health, checks["cache rule"].health, checks["clock"].health) == (
            Health.GOOD,
            Health.GOOD,
            Health.GOOD,
        )
        cdn.caches = False
        cdn.held.clear()
        dynamic = ward.checks()["cache rule"]
    assert dynamic.health is Health.WARNING
    assert "cf-cache-status: DYNAMIC" in dynamic.message
    assert "Cache Rule" in dynamic.hint


def test_a_base_url_that_serves_another_bucket_is_a_problem() -> None:
    with cdn_standin(MemoryStore()) as cdn:
        check = Ward(replace(PLAIN, base_url=cdn.base_url)).checks()["CDN"]
    assert check.health is Health.PROBLEM
    assert "(HTTP 404)" in check.message


def test_a_ledger_that_anybody_can_read_is_a_problem() -> None:
    ward = Ward()
    ward.cdn.put("head.json", b'{"fingerprint":"f"}', Attributes())
    with cdn_standin(ward.cdn) as cdn:
        ward.target = replace(PLAIN, base_url=cdn.base_url)
        check = ward.checks()["state store"]
    assert check.health is Health.PROBLEM
    assert "can be read by anybody" in check.message


@pytest.mark.parametrize(
    ("ahead_s", "health"),
    [(5, Health.GOOD), (-120, Health.WARNING), (700, Health.PROBLEM)],
)
def test_a_clock_that_is_off_is_seen_by_the_servers_own(ahead_s: float, health: Health) -> None:
    ward = Ward(ahead_s=ahead_s)
    with cdn_standin(ward.cdn) as cdn:
        ward.target = replace(PLAIN, base_url=cdn.base_url)
        assert ward.checks()["clock"].health is health


def test_a_purge_token_is_looked_up_and_tried_on_the_zone() -> None:
    ward = Ward()
    with cdn_standin(ward.cdn) as cdn, cloudflare_standin() as cloudflare:
        based = replace(PLAIN, base_url=cdn.base_url)
        ward.target = with_purge(based, cloudflare.endpoint, cloudflare.zone, cloudflare.token)
        good = ward.health()
        assert (good["purge token"], good["purge"]) == (Health.GOOD, Health.GOOD)
        assert cloudflare.accepted == [{"files": [f"{cdn.base_url}/probes/t0ken.json"]}]
        cloudflare.token_status = "disabled"
        assert "(disabled)" in ward.checks()["purge token"].message
        ward.target = with_purge(based, cloudflare.endpoint, cloudflare.zone, "wrong-token")
        bad = ward.checks()
        assert (bad["purge token"].health, bad["purge"].health) == (Health.WARNING, Health.PROBLEM)
        assert "Cache Purge" in bad["purge"].hint
        assert all("wrong-token" not in f"{c.message}{c.hint}" for c in bad.values())


class TestWithARealBucket:
    @pytest.fixture
    def ward(self, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Ward:
        keys = {
            "AWS_ACCESS_KEY_ID": s3_server.access_key,
            "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
        }
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        options = S3Options(s3_server.endpoint_url, s3_server.region, attempts=1)
        cdn, state = (S3Store(s3_bucket, prefix, options, 4) for prefix in ("cdn", "state"))
        s3 = S3(s3_server.endpoint_url, s3_server.region)
        target = Target("production", f"s3://{s3_bucket}/cdn", f"s3://{s3_bucket}/state", s3)
        media = Media((SignedMedia("https://media.example.org/", s3_bucket),))
        return Ward(target, cdn, state, media, keys)

    def test_all_is_well(self, ward: Ward) -> None:
        assert ward.health() == {
            "conditional writes": Health.GOOD,
            "CDN store": Health.GOOD,
            "CDN": Health.UNTRIED,
            "deletes": Health.GOOD,
            "purge": Health.UNTRIED,
            "clock": Health.GOOD,
            "media": Health.GOOD,
        }
        assert list(ward.cdn.list()) == []

    def test_a_service_that_gives_no_answer_is_asked_and_told_once(self, ward: Ward) -> None:
        nowhere = "http://127.0.0.1:9"
        options = S3Options(nowhere, attempts=1)
        ward.target = replace(ward.target, s3=S3(nowhere, "auto"))
        ward.cdn, ward.state = (S3Store("b", prefix, options, 4) for prefix in ("cdn", "state"))
        checks = ward.checks()
        assert {name: check.health for name, check in checks.items()} == {
            "conditional writes": Health.PROBLEM,
            "CDN store": Health.UNTRIED,
            "purge": Health.UNTRIED,
            "clock": Health.UNTRIED,
            "media": Health.UNTRIED,
        }
        assert "could not put probes/t0ken.txt" in checks["conditional writes"].message
        for name in ("CDN store", "media"):
            assert checks[name].message == f"{nowhere} gave no answer, as said above"

    def test_without_keys_the_put_is_told_and_not_the_tidying_up(
        self, ward: Ward, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        check = ward.checks()["CDN store"]
        assert check.health is Health.PROBLEM
        assert "could not put probes/t0ken.json: Unable to locate credentials" in check.message

    def test_wrong_signing_keys_are_a_problem(self, ward: Ward) -> None:
        wrong = {"MEDIA_AWS_ACCESS_KEY_ID": "nobody", "MEDIA_AWS_SECRET_ACCESS_KEY": "s3cret-one"}
        ward.environ = {**ward.environ, **wrong}
        check = ward.checks()["media"]
        assert check.health is Health.PROBLEM
        assert "MEDIA_AWS_ACCESS_KEY_ID" in check.hint
        assert "s3cret-one" not in f"{check.message}{check.hint}"

    def test_a_missing_bucket_is_told_and_the_rest_is_tried(
        self, ward: Ward, s3_server: S3Server
    ) -> None:
        options = S3Options(s3_server.endpoint_url, s3_server.region, attempts=1)
        ward.cdn = S3Store("no-such-bucket", "", options, 4)
        checks = ward.checks()
        assert checks["CDN store"].health is Health.PROBLEM
        assert 'no bucket "no-such-bucket"' in checks["CDN store"].message
        assert checks["clock"].health is Health.GOOD
