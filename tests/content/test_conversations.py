"""One comment a pull request, one issue a target, a workflow started once: against GitHub's API."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.content.conversations import (
    ARTIFACT,
    MAX_ARTIFACT_BYTES,
    Kept,
    comment_on_run,
    keep_issue,
    start_workflow,
)
from exporter.content.github import GitHub
from exporter.errors import ContentProblem, GitError
from tests.workflows.github_api import REPOSITORY, GitHubAPI, github_api

TOKEN = "ghs_planted"
PERMISSIONS = {"actions": "write", "pull-requests": "write", "issues": "write"}
RUN = 71
SHA = "c" * 40
FORK = "stranger/content"
PERSON = {"login": "stranger", "type": "User"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHubAPI]:
    with github_api(tmp_path) as api:
        api.may[TOKEN] = PERMISSIONS
        yield api
        assert api.unknown == []


@pytest.fixture
def github(server: GitHubAPI) -> GitHub:
    return GitHub(server.endpoint, REPOSITORY, TOKEN)


class TestTheComment:
    def test_it_is_written_once_and_updated_then(self, github: GitHub, server: GitHubAPI) -> None:
        a_pull_request(server)
        a_run(server, diff="### Content: one\n")
        first = comment_on_run(github, RUN)
        server.runs[0]["id"] = RUN + 1
        upload(server, RUN + 1, {"diff.md": b"### Content: two\n"})
        second = comment_on_run(github, RUN + 1)
        assert first == second
        assert first is not None
        assert first.number == 1
        [comment] = server.comments
        assert comment["body"] == (
            "<!-- exporter: content diff -->\n### Content: two\n\n\n"
            "<sub>[The run, with everything as a file](https://github.example/run)</sub>\n"
        )

    def test_the_artifact_is_data_and_is_made_harmless(
        self, github: GitHub, server: GitHubAPI
    ) -> None:
        a_pull_request(server)
        a_run(
            server, diff="@octocat <script>x</script> [a](https://evil.example)\n" + "x\n" * 90_000
        )
        comment_on_run(github, RUN)
        [comment] = server.comments
        assert (
            "@&#8203;octocat &lt;script&gt;x&lt;/script&gt; \\[a\\](https:&#8203;//"
            in (comment["body"])
        )
        assert len(comment["body"]) < 65_536

    def test_a_person_who_copies_our_mark_gets_no_say(
        self, github: GitHub, server: GitHubAPI
    ) -> None:
        a_pull_request(server)
        a_run(server, diff="ours\n")
        server.comment(1, "<!-- exporter: content diff -->\nall is well", PERSON)
        comment_on_run(github, RUN)
        assert [one["user"]["type"] for one in server.comments] == ["User", "Bot"]
        assert server.comments[0]["body"].endswith("all is well")

    @pytest.mark.parametrize(
        "other",
        [
            {"sha": "d" * 40},
            {"repo": {"full_name": "somebody/else"}},
            {"repo": None},
            {"label": "stranger:another"},
        ],
        ids=["newer commits", "another fork", "a fork that is gone", "another branch"],
    )
    def test_a_run_that_belongs_to_no_open_pull_request_says_nothing(
        self, github: GitHub, server: GitHubAPI, other: dict[str, Any]
    ) -> None:
        a_pull_request(server)["head"].update(other)
        a_run(server, diff="x\n")
        assert comment_on_run(github, RUN) is None
        assert server.comments == []

    def test_a_run_of_a_push_or_of_a_fork_that_is_gone_says_nothing(
        self, github: GitHub, server: GitHubAPI
    ) -> None:
        a_pull_request(server)
        run = a_run(server, diff="x\n")
        run["event"] = "push"
        assert comment_on_run(github, RUN) is None
        run.update(event="pull_request", head_repository=None)
        assert comment_on_run(github, RUN) is None

    def test_a_run_that_broke_off_says_nothing(self, github: GitHub, server: GitHubAPI) -> None:
        a_pull_request(server)
        a_run(server)
        assert comment_on_run(github, RUN) is None

    @pytest.mark.parametrize(
        "packed",
        [b"no zip at all", b"PK\x03\x04broken"],
    )
    def test_a_broken_artifact_is_refused(
        self, github: GitHub, server: GitHubAPI, packed: bytes
    ) -> None:
        a_pull_request(server)
        a_run(server)
        place = server.artifacts_folder / str(RUN)
        place.mkdir()
        (place / f"{ARTIFACT}.zip").write_bytes(packed)
        with pytest.raises(ContentProblem, match=r"no readable diff\.md"):
            comment_on_run(github, RUN)

    def test_an_artifact_without_the_text_or_with_a_path_that_climbs_is_refused(
        self, github: GitHub, server: GitHubAPI
    ) -> None:
        a_pull_request(server)
        a_run(server)
        upload(server, RUN, {"../../diff.md": b"x", "full.md": b"x"})
        with pytest.raises(ContentProblem, match="KeyError"):
            comment_on_run(github, RUN)

    def test_a_bomb_is_opened_no_further_than_a_comment_is_long(
        self, github: GitHub, server: GitHubAPI
    ) -> None:
        a_pull_request(server)
        a_run(server)
        upload(server, RUN, {"diff.md": b"x" * 30_000_000})
        comment_on_run(github, RUN)
        assert len(server.comments[0]["body"]) < 65_536

    def test_an_artifact_that_is_too_large_is_not_read(
        self, github: GitHub, server: GitHubAPI
    ) -> None:
        a_pull_request(server)
        a_run(server)
        place = server.artifacts_folder / str(RUN)
        place.mkdir()
        (place / f"{ARTIFACT}.zip").write_bytes(bytes(MAX_ARTIFACT_BYTES + 1))
        with pytest.raises(GitError, match="larger than 20,000,000 bytes"):
            comment_on_run(github, RUN)


class TestTheIssue:
    def test_it_is_opened_updated_and_closed(self, github: GitHub, server: GitHubAPI) -> None:
        assert keep_issue(github, verified()) is Kept.LEFT
        assert keep_issue(github, verified("lessons/L.json")) is Kept.OPENED
        assert keep_issue(github, verified("a`b@c.json", "lessons/M.json")) is Kept.UPDATED
        [issue] = server.issues
        assert issue["title"] == "The CDN differs from the release: production"
        assert "missing: <code>a\\`b@&#8203;c.json</code>: gone" in issue["body"]
        assert keep_issue(github, {**verified(), "looked_at": 3}) is Kept.LEFT
        assert issue["state"] == "open"
        assert keep_issue(github, verified()) is Kept.CLOSED
        assert issue["state"] == "closed"
        assert [one["body"] for one in server.comments] == ["All 10 files are as R1 has them."]

    def test_each_target_has_its_own_and_a_long_list_is_cut(
        self, github: GitHub, server: GitHubAPI
    ) -> None:
        keep_issue(github, verified("a"))
        keep_issue(github, {**verified(*map(str, range(80))), "target": "staging"})
        assert [issue["title"].rpartition(" ")[2] for issue in server.issues] == [
            "production",
            "staging",
        ]
        assert server.issues[1]["body"].count("- missing") == 50
        assert "- … and 30 more" in server.issues[1]["body"]

    def test_what_a_repair_put_right_is_no_drift(self, github: GitHub, server: GitHubAPI) -> None:
        keep_issue(github, {**verified("a"), "repaired_by": "R2", "left": []})
        assert server.issues == []


class TestStarting:
    def test_a_workflow_is_started_once_a_commit(self, github: GitHub, server: GitHubAPI) -> None:
        assert start_workflow(github, "publish.yml", "main", SHA)
        assert server.dispatches == [("publish.yml", {"ref": "main"})]
        a_publish(server, status="queued", conclusion=None)
        assert not start_workflow(github, "publish.yml", "main", SHA)
        assert start_workflow(github, "publish.yml", "main", "d" * 40)

    @pytest.mark.parametrize(
        ("conclusion", "starts"),
        [("cancelled", True), ("timed_out", True), ("failure", False), ("success", False)],
    )
    def test_a_run_that_was_cancelled_has_not_run(
        self, github: GitHub, server: GitHubAPI, conclusion: str, *, starts: bool
    ) -> None:
        a_publish(server, status="completed", conclusion=conclusion)
        assert start_workflow(github, "publish.yml", "main", SHA) == starts

    def test_a_token_without_the_permission_is_told(
        self, github: GitHub, server: GitHubAPI
    ) -> None:
        server.may[TOKEN] = {"actions": "read"}
        with pytest.raises(GitError, match=r"403.*not accessible") as caught:
            start_workflow(github, "publish.yml", "main", SHA)
        assert "permission" in caught.value.hint
        assert TOKEN not in repr(caught.value)


def a_pull_request(server: GitHubAPI) -> dict[str, Any]:
    head = {
        "ref": "$(touch pwned)",
        "sha": SHA,
        "label": "stranger:$(touch pwned)",
        "repo": {"full_name": FORK},
    }
    return server.open_pull(head, "A title")


def a_run(server: GitHubAPI, diff: str | None = None) -> dict[str, Any]:
    run = {
        "id": RUN,
        "event": "pull_request",
        "path": ".github/workflows/pull-request.yml",
        "head_sha": SHA,
        "head_branch": "$(touch pwned)",
        "head_repository": {"full_name": FORK, "owner": {"login": "stranger"}},
        "html_url": "https://github.example/run",
    }
    server.runs.append(run)
    if diff is not None:
        upload(server, RUN, {"diff.md": diff.encode(), "full.md": b"full"})
    return run


def a_publish(server: GitHubAPI, status: str, conclusion: str | None) -> None:
    path = ".github/workflows/publish.yml"
    state = {"status": status, "conclusion": conclusion}
    server.runs.append({"id": 1, "path": path, "head_sha": SHA, "head_branch": "main", **state})


def upload(server: GitHubAPI, run: int, files: dict[str, bytes]) -> None:
    place = server.artifacts_folder / str(run)
    place.mkdir(exist_ok=True)
    with zipfile.ZipFile(place / f"{ARTIFACT}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)


def verified(*wrong: str) -> dict[str, Any]:
    return {
        "target": "production",
        "release": "R1",
        "looked_at": 10,
        "live_files": 10,
        "drift": [{"key": key, "damage": "missing", "why": "gone"} for key in wrong],
        "repaired_by": None,
        "left": [],
    }
