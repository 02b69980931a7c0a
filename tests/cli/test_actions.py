"""What GitHub Actions and the webhook show of a publish, and what content cannot make them show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.cli.actions import harmless
from exporter.demo.site import create_site
from tests.cli.running import CONFIG, commit_all, content_repository, run, write_files
from tests.e2e.command_line import Place
from tests.workflows.github_api import REPOSITORY, GitHubAPI, github_api

EVIL = "::set-output name=record::x ##[set-output name=record;]x <!channel> @here"
FILES = {
    "plans/P.yaml": "name: P\ntitle: Plan\nis_published: true\nsubjects:\n"
    "  - subject: S\n    sort_order: 1\n",
    "subjects/S/_subject.yaml": "name: S\ntitle: Subject\nis_published: true\n",
}
BROKEN = {"plans/P.yaml": FILES["plans/P.yaml"].replace("subject: S", f'subject: "{EVIL}"')}
NOTIFIED = CONFIG + 'notify: {url: "${NOTIFY_URL}"}\n'
LINK = f"https://github.example/{REPOSITORY}/actions/runs/7"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[GitHubAPI]:
    with github_api(tmp_path / "artifacts") as api:
        yield api


@pytest.fixture
def root(tmp_path: Path, api: GitHubAPI, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": "7",
        "NOTIFY_URL": api.webhook,
    }.items():
        monkeypatch.setenv(name, value)
    return content_repository(tmp_path / "content", FILES, NOTIFIED)


def held_back(root: Path) -> None:
    """Commit content of which plan P cannot be published."""
    write_files(root / "content-snapshot", BROKEN)
    commit_all(root, "A bad edit")


def test_a_publish_says_what_it_did_and_which_record_it_left(root: Path, tmp_path: Path) -> None:
    said = run(root, "publish")
    assert said.status == 0
    release = said.out.split(":")[0]
    record = (root / ".exporter" / "local" / "releases" / f"{release}.json").read_bytes()
    outputs = (tmp_path / "outputs").read_text(encoding="utf-8").splitlines()
    assert outputs[:2] == [f"release={release}", f"record={hashlib.sha256(record).hexdigest()}"]
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith(f"### Published to local\n\n{release}: ")


def test_a_plan_that_is_held_back_is_seen_everywhere(
    root: Path, tmp_path: Path, api: GitHubAPI
) -> None:
    run(root, "publish")
    assert api.notices == []
    held_back(root)
    said = run(root, "publish")
    assert said.status == 1
    assert "::error title=Plan P held back::E1" in said.err
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "- ⚠️ **P** held back: E1" in summary
    [notice] = api.notices
    assert notice["text"].startswith("exporter: publish to local left 1 plan behind\nP held back")
    assert notice["text"].endswith(LINK)
    assert "&lt;!channel&gt;" in notice["text"]
    assert "<!channel>" not in notice["text"]


def test_a_plan_that_stays_behind_is_told_once_a_try(root: Path, api: GitHubAPI) -> None:
    held_back(root)
    for number in range(5):
        write_files(root, {"note.txt": str(number)})
        commit_all(root, "Something else")
        assert run(root, "publish").status == 1
    assert len(api.notices) == 3  # then it is a dead letter


def test_a_publish_that_fails_is_told_without_the_secret(
    root: Path, api: GitHubAPI, capfd: pytest.CaptureFixture[str]
) -> None:
    run(root, "publish")
    write_files(root, {"exporter.yaml": NOTIFIED + "snapshot: {path: contnt}\n"})
    assert run(root, "publish").status == 3
    [notice] = api.notices
    assert notice["text"].startswith("exporter: publish failed: ")
    api.endpoint = "http://127.0.0.1:9"
    assert api.webhook not in str(capfd.readouterr())


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/secret", "could not be reached (ConnectError)"),
        ("not a url", "notify.url: must be an http:// or https:// URL, or nothing"),
        (None, "NOTIFY_URL"),
    ],
)
def test_an_alert_that_cannot_be_sent_is_said_and_changes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, url: str | None, why: str
) -> None:
    if url is None:
        monkeypatch.delenv("NOTIFY_URL")
    else:
        monkeypatch.setenv("NOTIFY_URL", url)
    held_back(root)
    said = run(root, "publish")
    assert said.status == 1
    assert "no alert was sent" in said.err
    assert why in said.err
    assert "secret" not in said.err


def test_an_empty_webhook_is_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_URL", "")
    write_files(root, {"exporter.yaml": NOTIFIED.replace("NOTIFY_URL", "NOTIFY_URL:-")})
    held_back(root)
    assert "no alert" not in run(root, "publish").err


def test_a_wrong_command_line_alerts_nobody_but_a_workflows_does(
    root: Path, api: GitHubAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(root, "publish", "--target", "nowhere").status == 2
    [notice] = api.notices
    assert notice["text"].startswith("exporter: publish to nowhere failed: exporter.yaml has no")
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert run(root, "publish", "--target", "nowhere").status == 2
    assert len(api.notices) == 1


def test_a_command_that_fails_says_why_in_the_summary_and_as_an_annotation(
    root: Path, tmp_path: Path
) -> None:
    done = Place(root).exporter("publish", "--target", "nowhere", "--json", status=2)
    assert json.loads(done.out)["error"]["kind"] == "usage"
    assert "::error title=exporter publish failed::" in done.err
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("### ❌ exporter publish failed\n\n")


def test_content_cannot_give_the_runner_commands(root: Path) -> None:
    held_back(root)
    for command in (["check"], ["diff", "HEAD~1", "HEAD"], ["publish"], ["status"], ["plan"]):
        said = run(root, *command)
        for line in (said.out + said.err).splitlines():
            assert "##[" not in line
            assert not line.strip().startswith("::") or line.startswith(("::error ", "::warning "))
    report = run(root, "check", "--json")
    assert "##[" not in report.out
    assert EVIL in json.dumps(report.report)


def test_outside_actions_text_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert harmless(EVIL) == EVIL


@pytest.mark.parametrize(("runner", "warned"), [("github-hosted", True), ("self-hosted", False)])
def test_a_folder_on_a_runner_of_githubs_is_warned_of(
    root: Path, monkeypatch: pytest.MonkeyPatch, runner: str, warned: bool
) -> None:
    monkeypatch.setenv("RUNNER_ENVIRONMENT", runner)
    said = run(root, "publish")
    assert said.status == 0
    warning = "::./public is a folder on this runner; nobody will see it. Give the target an s3://"
    assert (warning in said.err) is warned


def test_content_cannot_turn_a_terminal_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    acting = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x1b\x07\r\x9b\x7f"
    name = f"S{acting}T"
    broken = BROKEN["plans/P.yaml"].replace("title: Plan", f"title: {json.dumps(name)}")
    place = content_repository(tmp_path / "acting", {"plans/P.yaml": broken})
    said = run(place, "check")
    assert not set(acting) & set(said.out + said.err)
    assert "S[U+202A]" in said.out
    assert "[U+001B][U+0007][U+000D][U+009B][U+007F]T" in said.out
    as_json = harmless(json.dumps({"title": name}, ensure_ascii=False))
    assert not set(acting) & set(as_json)
    assert json.loads(as_json) == {"title": name}
    assert harmless("two\nlines\tand a tab, عربي") == "two\nlines\tand a tab, عربي"


def test_the_freshness_is_told_to_a_monitor(root: Path) -> None:
    before = run(root, "status", "--json").report["freshness"]
    assert (before["last_snapshot_at"], before["last_snapshot_age_s"]) == (None, None)
    run(root, "publish")
    message = "content: 1 subject changed\n\nExporter-Snapshot: full\n"
    write_files(root / "content-snapshot", {"subjects/S/_subject.yaml": "name: S\ntitle: T\n"})
    at = {"GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
    commit_all(root, message, at)
    told = run(root, "status", "--json").report["freshness"]
    assert told["last_snapshot_at"] == told["oldest_unpublished_at"] == "2026-01-02T03:04:05Z"
    assert told["last_snapshot_age_s"] == pytest.approx(told["behind_s"], abs=2)
    assert told["behind_s"] > 86_400


def test_a_snapshot_without_changes_is_a_good_one_too(tmp_path: Path) -> None:
    root = content_repository(tmp_path / "content", {})
    create_site(root / "site.db", 20)
    (root / ".gitignore").write_text("*.db\n", encoding="utf-8")
    commit_all(root, "Ignore the site")
    run(root, "snapshot")
    mark = root / ".git" / "exporter" / "last-snapshot"
    mark.unlink()
    assert run(root, "snapshot").out.startswith("nothing changed")
    assert mark.exists()
    assert run(root, "status", "--json").report["freshness"]["last_snapshot_age_s"] < 60
