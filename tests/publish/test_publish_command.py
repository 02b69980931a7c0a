"""`publish` and `retry` as commands, on a demo school: lease, dead letters, and no secret shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.cli.session import Session
from exporter.publish.run import instant
from exporter.stores.base import Attributes
from tests.publish.cloudflare_standin import TOKEN, ZONE, cloudflare_standin, failure
from tests.publish.publishing import SchoolRepository
from tests.publish.schools import BAD, BASE, EDITED
from tests.servers import S3Server

CONFIG = """\
source: {{url: "sqlite:///site.db"}}
targets:
  local:
    store: {store}
    state: {state}
{more}
"""


def _exporter(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )


@pytest.fixture
def school(tmp_path: Path) -> SchoolRepository:
    found = SchoolRepository(tmp_path / "school")
    text = CONFIG.format(store="./public", state="./state", more="")
    (found.folder / "exporter.yaml").write_text(text, "utf-8")
    (found.folder / ".gitignore").write_text("public\nstate\n", "utf-8")
    found.commit(BASE)
    return found


def test_a_running_publish_keeps_another_one_out(school: SchoolRepository) -> None:
    now = datetime.now(UTC)
    since, until = instant(now - timedelta(minutes=1)), instant(now + timedelta(minutes=4))
    lease = {"holder": "github: alice push 7", "run": "r7", "since": since, "until": until}
    session = Session(None, school.folder, quiet=True, verbose=False, color=False)
    store = session.open_target(None).ledger.store
    store.put("lease.json", json.dumps(lease).encode(), Attributes("application/json"))
    refused = _exporter(school.folder, "publish")
    assert refused.returncode == 3
    assert "github: alice push 7" in refused.stderr
    assert f"since {since}" in refused.stderr
    assert not (school.folder / "public").exists()


def test_dead_letters_are_retried_on_request(school: SchoolRepository) -> None:
    assert _exporter(school.folder, "publish").returncode == 0
    school.commit(BAD)
    assert [_exporter(school.folder, "publish").returncode for _ in range(4)] == [1, 1, 1, 1]
    nothing = _exporter(school.folder, "publish", "--json")
    assert json.loads(nothing.stdout)["changed"] is False
    for command in ("publish", "plan"):
        told = _exporter(school.folder, command)
        assert (told.returncode, told.stdout.startswith("nothing to do")) == (1, True)
        assert "THREE stays as it was: held back, E" in told.stdout
        assert "`exporter retry --target local ONE THREE`" in told.stdout
    retried = _exporter(school.folder, "retry", "ONE", "--json")
    assert retried.returncode == 1
    plans = json.loads(retried.stdout)["record"]["plans"]
    assert (plans["ONE"]["attempts"], plans["THREE"]["attempts"]) == (1, 3)
    unknown = _exporter(school.folder, "retry", "TWO")
    assert unknown.returncode == 2
    assert "such plans: THREE" in unknown.stderr
    school.commit(EDITED)
    assert _exporter(school.folder, "publish").returncode == 0


PLANTED = {
    "AWS_SECRET_ACCESS_KEY": "planted/aws+secret=",
    "AWS_SESSION_TOKEN": "planted-session-token",
    "MEDIA_AWS_SECRET_ACCESS_KEY": "planted-media-secret",
    "CF_TOKEN": "planted-cloudflare-token",
    "GITHUB_TOKEN": "planted-github-token",
    "EXPORTER_DATABASE_URL": "mysql+pymysql://reader:planted%2Dpassword@127.0.0.1:9/site",
}
SHOWN_NOWHERE = (*list(PLANTED.values())[:-1], "planted%2Dpassword", "planted-password")
A_BUG = """
import os
from exporter.publish import uploading
def upload(self, prepared):
    secrets = os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["EXPORTER_DATABASE_URL"]
    more = "planted" + "-password", dict(os.environ)
    raise RuntimeError(f"a bug that tells {secrets} {more}")
uploading.Uploader.upload = upload
"""


def test_planted_credentials_are_nowhere_whatever_command_fails_on_them(
    school: SchoolRepository,
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wrong keys, a database that is away, and a bug that tells all it knows."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    text = f"""\
source: {{url: "${{EXPORTER_DATABASE_URL}}"}}
media: {{signed: [{{prefix: "https://media.example.org/", bucket: {s3_bucket}}}]}}
targets:
  wrong:
    store: s3://{s3_bucket}/cdn
    state: s3://{s3_bucket}/state
    s3: {{endpoint_url: "{s3_server.endpoint_url}"}}
    base_url: http://127.0.0.1:9
    purge: {{provider: cloudflare, zone_id: {ZONE}, api_token: "${{CF_TOKEN}}",
      endpoint: "http://127.0.0.1:9"}}
  mixed:
    store: s3://{s3_bucket}/cdn
    state: ./state
    s3: {{endpoint_url: "{s3_server.endpoint_url}"}}
  local: {{store: ./public, state: ./local}}
"""
    (school.folder / "exporter.yaml").write_text(text, "utf-8")
    shown = [
        _exporter(school.folder, "--verbose", command, *(["--target", target] if target else []))
        for command, target in (
            ("snapshot", ""),
            ("publish", "wrong"),
            ("publish", "mixed"),
            ("status", "wrong"),
            ("verify", "wrong"),
            ("refresh", "wrong"),
        )
    ]
    assert [one.returncode for one in shown] == [4] * len(shown)
    assert "could not put lessons/" in shown[2].stderr, "by way of obstore"
    (tmp_path / "sitecustomize.py").write_text(A_BUG, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for more in ([], ["--json"]):
        bug = _exporter(school.folder, "publish", "--target", "local", *more)
        assert (bug.returncode, "a bug that tells" in bug.stderr) == (70, True)
        shown.append(bug)
    texts = [one.stdout + one.stderr for one in shown]
    folders = (school.folder, tmp_path)
    files = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    texts += [path.read_bytes().decode("latin-1") for path in files]
    texts.append(
        subprocess.run(
            ["git", "log", "-p", "--all"], cwd=school.folder, capture_output=True, check=True
        ).stdout.decode("latin-1")
    )
    for secret in SHOWN_NOWHERE:
        assert [text for text in texts if secret in text] == []


def test_credentials_are_in_no_output_record_or_traceback(
    school: SchoolRepository, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("CF_TOKEN", TOKEN)
    with cloudflare_standin() as cloudflare:
        more = f"""\
    s3: {{endpoint_url: "{s3_server.endpoint_url}"}}
    base_url: https://cdn.example.org
    purge:
      provider: cloudflare
      zone_id: {ZONE}
      api_token: "${{CF_TOKEN}}"
      endpoint: "{cloudflare.endpoint}"
"""
        text = CONFIG.format(
            store=f"s3://{s3_bucket}/cdn", state=f"s3://{s3_bucket}/state", more=more
        )
        (school.folder / "exporter.yaml").write_text(text, "utf-8")
        cloudflare.next_answers.extend([failure(403, 10000, "Authentication error")] * 9)
        shown = [_exporter(school.folder, "--verbose", "publish")]
        shown.append(_exporter(school.folder, "--verbose", "publish"))
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-planted-secret")
        shown.append(_exporter(school.folder, "--verbose", "publish"))
    assert [one.returncode for one in shown] == [4, 4, 4]
    client = s3_server.client()
    listed = client.list_objects_v2(Bucket=s3_bucket).get("Contents", [])
    stored = [client.get_object(Bucket=s3_bucket, Key=item["Key"]) for item in listed]
    texts = [one["Body"].read().decode() + repr(one["Metadata"]) for one in stored]
    texts += [one.stdout + one.stderr for one in shown]
    client.close()
    for secret in (s3_server.secret_key, "another-planted-secret", TOKEN):
        assert [text for text in texts if secret in text] == []
