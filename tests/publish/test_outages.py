"""Stores, networks, Cloudflare and disks that fail for a while: finished, or refused and whole.

S3 is a real server behind a proxy that spoils exchanges; the commands are the ones people run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.config import Purge, Secret
from exporter.config.model import CACHE_CONTROL
from exporter.core.release import PlanState
from exporter.errors import StoreBusy, StoreError, StoreUnusable
from exporter.publish.edge import CloudflareEdge
from exporter.publish.ledger import Ledger
from exporter.publish.planning import PublishOptions, prepare
from exporter.publish.publisher import Publisher
from exporter.publish.purge import Edge
from exporter.publish.run import Run
from exporter.stores.s3 import S3Options, S3Store
from tests.forking import programs
from tests.publish.cloudflare_standin import CloudflareStandin, cloudflare_standin, failure
from tests.publish.publishing import Clock, SchoolRepository, Target, broken_links
from tests.publish.schools import BASE, EDITED, SHRUNK, changed
from tests.servers import S3Server
from tests.stores.bad_network import (
    LOST_AFTER_THE_EFFECT,
    Answer,
    BadNetwork,
    Request,
    bad_network,
    s3_error,
)
from tests.stores.memory import Faults

OUTAGE_S = 60.0 if os.environ.get("EXPORTER_THOROUGH") else 4.0
CONFIG = """\
source: {{url: "sqlite:///site.db"}}
targets:
  production:
    store: s3://{bucket}/cdn
    state: s3://{bucket}/state
    s3: {{endpoint_url: "{endpoint}"}}
"""
SPOILS = (
    s3_error(503, "SlowDown"),
    s3_error(429, "TooManyRequests"),
    Answer(),
    LOST_AFTER_THE_EFFECT,
    s3_error(500, "InternalError"),
)


@pytest.fixture
def network(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[BadNetwork]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    with bad_network(s3_server.endpoint_url) as network:
        yield network


@pytest.fixture
def school(network: BadNetwork, s3_bucket: str, tmp_path: Path) -> SchoolRepository:
    """A school of which the production target is behind the bad network."""
    found = SchoolRepository(tmp_path / "school")
    text = CONFIG.format(bucket=s3_bucket, endpoint=network.endpoint_url)
    (found.folder / "exporter.yaml").write_text(text, "utf-8")
    found.commit(BASE)
    return found


def run(school: SchoolRepository, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [programs() / "exporter", "-C", school.folder, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def bodies(server: S3Server, bucket: str) -> dict[str, bytes]:
    store = S3Store(bucket, "cdn", S3Options(server.endpoint_url), 8)
    found = {info.key: store.get(info.key) for info in store.list()}
    return {key: held.body for key, held in found.items() if held}


def test_one_call_in_twenty_fails_in_every_way_and_nobody_notices(
    school: SchoolRepository, network: BadNetwork, s3_server: S3Server, s3_bucket: str
) -> None:
    def spoil(request: Request) -> Answer | None:
        """5 % of calls; a slow one besides, which is only slow."""
        if request.number % 97 == 0:
            time.sleep(0.5)
        return SPOILS[request.number // 20 % len(SPOILS)] if request.number % 20 == 7 else None

    network.spoil = spoil
    for documents in (None, EDITED, SHRUNK, BASE):
        if documents:
            school.commit(documents)
        done = run(school, "publish")
        assert done.returncode == 0, done.stderr
        assert broken_links(bodies(s3_server, s3_bucket)) == []
    assert len([one for one in network.seen if one.number % 20 == 7]) >= 8
    network.spoil = lambda _: None
    assert json.loads(run(school, "verify", "--json").stdout)["drift"] == []


def test_a_store_that_is_away_for_a_while_is_waited_for(
    school: SchoolRepository, network: BadNetwork, s3_server: S3Server, s3_bucket: str
) -> None:
    """A minute with EXPORTER_THOROUGH, some seconds without; it begins amid the uploads."""
    began: list[float] = []

    def spoil(request: Request) -> Answer | None:
        if request.number < 20:
            return None
        began.append(time.monotonic())
        away = time.monotonic() - began[0] < OUTAGE_S
        return SPOILS[request.number % 2] if away else None

    network.spoil = spoil
    done = run(school, "publish")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began[0] > OUTAGE_S, "the outage was over before it mattered"
    assert broken_links(bodies(s3_server, s3_bucket)) == []
    assert json.loads(run(school, "verify", "--json").stdout)["drift"] == []


@pytest.mark.parametrize("spoilt", [SPOILS[0], LOST_AFTER_THE_EFFECT], ids=["503", "lost"])
def test_a_store_that_stays_away_is_said_and_the_next_run_ends_the_publish(
    spoilt: Answer,
    school: SchoolRepository,
    network: BadNetwork,
    s3_server: S3Server,
    s3_bucket: str,
) -> None:
    """With less patience than a real run has; the outage begins at any of some moments."""
    first, second = (school.commit(documents) for documents in (BASE, SHRUNK))
    options = S3Options(network.endpoint_url, attempts=1)
    cdn, state = (S3Store(s3_bucket, prefix, options, 4) for prefix in ("cdn", "state"))
    clock, ledger = Clock(), Ledger(state)
    runs = Run("r", "a test", "0", clock.now, 4, CACHE_CONTROL, clock.sleep, lambda: 0.5, retries=1)
    workspace = school.workspace()
    refusals: list[tuple[int, str, bool]] = []
    for number, commit in enumerate((first, second) * 2):
        prepared = prepare(workspace, ledger, commit, PublishOptions(allow_older=True))
        start = len(network.seen) + 5 + 7 * number % 19
        network.spoil = lambda one, start=start: spoilt if one.number >= start else None  # type: ignore[misc]
        try:
            Publisher(cdn, ledger, None, lambda _: None).publish(
                prepared, replace(runs, release_id=f"away-{number}")
            )
        except StoreBusy as error:
            refusals.append((error.exit_status, error.message[:5], bool(error.hint)))
        network.spoil = lambda _: None
        assert broken_links(bodies(s3_server, s3_bucket)) == []
        clock.now_s += 3_600
        again = prepare(workspace, ledger, commit, PublishOptions(allow_older=True))
        Publisher(cdn, ledger, None, lambda _: None).publish(
            again, replace(runs, release_id=f"back-{number}")
        )
        assert ledger.journal().journal.is_clean
        head = ledger.head()
        assert head is not None
        assert head[0].commit == commit.sha
        assert broken_links(bodies(s3_server, s3_bucket)) == []
    assert len(refusals) >= 3
    assert set(refusals) == {(4, "s3://", True)}


@pytest.mark.parametrize("error", [StoreUnusable("disk full"), StoreError("odd name")])
def test_a_store_that_takes_nothing_is_no_plans_fault(
    error: StoreError, schools: SchoolRepository, target: Target
) -> None:
    """A full disk ends the run; what is wrong with one file fails the plans that need it."""
    commit = schools.commit(BASE)
    outcomes = set()
    for number in range(1, 40):
        one = target.copy()
        prepared = one.prepare(commit)
        one.cdn.faults = Faults(number, error=error, lasting=isinstance(error, StoreUnusable))
        with suppress(StoreError):
            one.publisher().publish(prepared, one.run())
        one.cdn.faults = Faults()
        release = one.ledger.live().release
        outcomes |= {plan.state for plan in release.plans.values()} if release else set()
        one.publish(commit)
        assert one.audit() == []
    assert (PlanState.FAILED in outcomes) is (type(error) is StoreError)


def edge_to(cloudflare: CloudflareStandin) -> CloudflareEdge:
    purge = Purge("cloudflare", cloudflare.zone, Secret(cloudflare.token))
    edge = Edge("https://cdn.example.org", batch_size=5)
    return CloudflareEdge(edge, replace(purge, endpoint=cloudflare.endpoint))


def urls(requests: list[dict[str, list[str]]]) -> list[str]:
    return [url for request in requests for url in request["files"]]


def test_what_cloudflare_did_not_take_for_an_hour_is_the_first_that_the_next_run_does(
    schools: SchoolRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("exporter.publish.edge.time.sleep", naps.append)
    away = failure(503, 10_000, "Service Unavailable")
    with cloudflare_standin() as cloudflare:
        target = Target(schools, edge_to(cloudflare))
        target.publish(schools.commit(BASE))
        cloudflare.accepted.clear()
        cloudflare.requests.clear()
        owed: list[str] = []
        for number, documents in enumerate((EDITED, changed(EDITED, "P-1a", title="Waves"))):
            cloudflare.next_answers.extend([away] * 5)
            published = target.publish(schools.commit(documents))
            assert published is not None
            assert "Service Unavailable" in published.purge_error
            assert len(cloudflare.requests) == 5 * (number + 1), "only the first batch was tried"
            live = target.ledger.live().release
            assert live is not None
            assert target.ledger.journal().journal.owed == (live.id,)
            owed = urls(target.ledger.pending_purge(live.id))
            target.clock.now_s += 1_800
        assert sum(naps) <= 2 * 120
        assert any(url.endswith("lessons/M-1a.json") for url in owed)
        assert any(url.endswith("lessons/P-1a.json") for url in owed)
        target.publish(schools.commit(SHRUNK))
        done = urls(cloudflare.accepted)
        assert done[: len(owed)] == owed
        assert any(url.endswith("lessons/M-1b.json") for url in done[len(owed) :])
        assert target.ledger.journal().journal.is_clean
        assert [key for key in target.state.bodies if key.startswith("purges/")] == []


def test_a_refused_batch_does_not_keep_the_others_back(
    schools: SchoolRepository, target: Target
) -> None:
    with cloudflare_standin() as cloudflare:
        target.purger = edge_to(cloudflare)
        cloudflare.next_answers.append(failure(400, 1012, "one URL is bad"))
        published = target.publish(schools.commit(BASE))
        assert published is not None
        assert "one URL is bad" in published.purge_error
        assert len(cloudflare.accepted) > 1
        assert len(target.ledger.pending_purge(published.release.id)) == 1


def namespace() -> list[str]:
    """Return how to run a command that may mount a small disk of its own."""
    for command in (["unshare", "-rm"], ["sudo", "-n", "--preserve-env", "unshare", "-m"]):
        if shutil.which(command[0]):
            trial = [*command, "mount", "-t", "tmpfs", "none", "/mnt"]
            if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
                return command
    pytest.skip("NOT TESTED: a small disk cannot be mounted here")


@pytest.mark.parametrize("whole", [True, False], ids=["all on it", "only the CDN store on it"])
def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, *, whole: bool) -> None:
    place = "disk" if whole else "elsewhere"
    done = subprocess.run(
        [*namespace(), sys.executable, "-m", "tests.publish.full_disk", str(tmp_path), place],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["statuses"]) == {4}
    assert len(told["statuses"]) >= 3
    assert len(set(told["files"])) > 1, "the disk was full at different moments"
    for error in told["errors"]:
        assert "No space left on device" in error
        assert "free some space on that disk, then run again" in error
