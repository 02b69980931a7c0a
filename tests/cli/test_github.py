"""`exporter github`, by the real command line, as a workflow runs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import commit_all, content_repository, run
from tests.workflows.github_api import REPOSITORY, GitHubAPI, github_api

TOKEN = "ghs_planted"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubAPI]:
    with github_api(tmp_path / "artifacts") as api:
        api.may[TOKEN] = {"actions": "write", "pull-requests": "write", "issues": "write"}
        monkeypatch.setenv("GITHUB_API_URL", api.endpoint)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        yield api


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a clone of which `main` is pushed."""
    root = content_repository(tmp_path / "content", {"note.txt": "one"})
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(root, "branch", "--move", "main")
    git(root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(root, "push", "--quiet", "--set-upstream", "origin", "main")
    return root


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_workflow_is_started_on_the_commit_that_is_checked_out(
    root: Path, api: GitHubAPI
) -> None:
    said = run(root, "github", "start", "publish.yml")
    commit = git(root, "rev-parse", "HEAD")
    assert said.out == f"started publish.yml on main at {commit[:12]}\n"
    assert api.dispatches == [("publish.yml", {"ref": "main"})]
    path = ".github/workflows/publish.yml"
    waiting = {"status": "queued", "conclusion": None}
    api.runs.append({"path": path, "head_sha": commit, "head_branch": "main", **waiting})
    said = run(root, "github", "start", "publish.yml")
    assert said.out == f"there is a run already of publish.yml on main at {commit[:12]}\n"


def test_a_branch_becomes_a_pull_request(root: Path, api: GitHubAPI) -> None:
    assert "nothing to do" in run(root, "github", "pull-request", "--base", "main").out
    git(root, "switch", "--quiet", "--create", "rollback-7")
    (root / "note.txt").write_text("two", encoding="utf-8")
    commit_all(root, "Roll back to R1\n\nlesson L is as it was")
    git(root, "push", "--quiet", "origin", "rollback-7")
    for done in ("opened", "updated"):
        said = run(root, "github", "pull-request", "--base", "main")
        assert said.out == f"{done} https://github.example/{REPOSITORY}/pull/1\n"
    [pull] = api.pulls
    assert (pull["title"], pull["head"]["ref"]) == ("Roll back to R1", "rollback-7")
    assert pull["body"].startswith("### Content: no document changes\n")


def test_drift_becomes_an_issue(root: Path, api: GitHubAPI, tmp_path: Path) -> None:
    report = {
        "target": "production",
        "release": "R1",
        "looked_at": 2,
        "live_files": 2,
        "drift": [{"key": "lessons/L.json", "damage": "missing", "why": "it is not there"}],
        "repaired_by": None,
        "left": [],
    }
    file = tmp_path / "verify.json"
    file.write_text(json.dumps(report), encoding="utf-8")
    assert run(root, "github", "drift", str(file)).out == "the issue about drift is opened\n"
    assert len(api.issues) == 1


@pytest.mark.parametrize("text", [None, "", "[]", '{"error": {"kind": "store"}}'])
def test_a_verification_that_failed_is_no_drift(
    root: Path, api: GitHubAPI, tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "verify.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert run(root, "github", "drift", str(file)).status == 2
    assert api.issues == []


def test_a_comment_without_its_run_is_told(root: Path, api: GitHubAPI) -> None:
    said = run(root, "github", "comment", "--run", "7")
    assert (said.status, "404" in said.err, TOKEN in said.err) == (4, True, False)
    assert api.comments == []


def test_without_a_token_it_is_said_what_to_set(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.delenv("GH_TOKEN", raising=False)
    said = run(root, "github", "start", "publish.yml")
    assert (said.status, "GITHUB_TOKEN" in said.err) == (2, True)
