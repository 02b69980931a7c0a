"""One pull request a branch, against a local server that behaves like GitHub's pulls API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from exporter.content.pull_request import (
    MAX_BODY,
    GitHub,
    PullRequest,
    body_of,
    repository_in_url,
)
from exporter.content.repository import Repository
from exporter.errors import GitError, UsageError
from tests.content.github_standin import TOKEN, GitHubStandIn, pull_of
from tests.content.school_repository import git


@pytest.fixture
def server() -> Iterator[GitHubStandIn]:
    with GitHubStandIn() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def github(server: GitHubStandIn) -> GitHub:
    return GitHub(server.url, "school/content", TOKEN)


def test_a_pull_request_is_opened_once_and_updated_then(
    github: GitHub, server: GitHubStandIn
) -> None:
    first = github.open_or_update("content", "main", "Content snapshot", "one")
    assert first == PullRequest(1, "https://github.example/pull/1", created=True)
    second = github.open_or_update("content", "main", "Content snapshot", "two")
    assert second == PullRequest(1, "https://github.example/pull/1", created=False)
    assert [pull["body"] for pull in server.pulls] == ["two"]


def test_another_branchs_pull_request_is_left_alone(github: GitHub, server: GitHubStandIn) -> None:
    github.open_or_update("content", "main", "Content snapshot", "one")
    assert github.open_or_update("other", "main", "Other", "two").number == 2
    assert [pull["body"] for pull in server.pulls] == ["one", "two"]


def test_one_that_somebody_opens_meanwhile_is_updated(
    github: GitHub, server: GitHubStandIn
) -> None:
    theirs = {"head": "content", "base": "main", "title": "T", "body": "theirs"}
    server.race = [pull_of(7, theirs)]
    found = github.open_or_update("content", "main", "Content snapshot", "ours")
    assert (found.number, found.created) == (7, False)
    assert [pull["body"] for pull in server.pulls] == ["ours"]


def test_a_refusal_is_told_with_its_reason_and_without_the_token(server: GitHubStandIn) -> None:
    with pytest.raises(GitError, match=r"401.*Bad credentials") as caught:
        GitHub(server.url, "school/content", "wrong").open_or_update("b", "main", "t", "x")
    assert "wrong" not in repr(caught.value)
    with pytest.raises(GitError, match="No commits between"):
        GitHub(server.url, "school/content", TOKEN).open_or_update("main", "main", "t", "x")
    assert TOKEN not in repr(GitHub(server.url, "school/content", TOKEN))


def test_a_server_that_is_away(server: GitHubStandIn) -> None:
    with pytest.raises(GitError, match="could not be reached"):
        GitHub("http://127.0.0.1:9", "school/content", TOKEN).open_or_update("b", "m", "t", "x")
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/school/content.git",
        "https://x:secret@github.com/school/content",
        "git@github.com:school/content.git",
        "ssh://git@github.example:22/school/content/",
    ],
)
def test_the_repository_in_a_remotes_url(url: str) -> None:
    assert repository_in_url(url) == "school/content"


def test_a_url_that_says_no_repository() -> None:
    with pytest.raises(UsageError, match="which repository"):
        repository_in_url("content")


def test_the_text_lists_what_each_commit_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "Begin")
    message = (
        "content: 1 lesson changed (Physics)\n\n"
        'changed lesson "By @someone, *new*" (L) in Physics\n\n'
        "Exporter-Snapshot: full\nExporter-Plans: P\n"
    )
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", message)
    assert body_of(Repository(tmp_path), "HEAD~1", "HEAD") == (
        "**content: 1 lesson changed (Physics)**\n\n"
        '- changed lesson "By @\u200bsomeone, \\*new\\*" (L) in Physics'
    )
    assert body_of(Repository(tmp_path), "HEAD", "HEAD") == ""
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "Long\n\n" + "x\n" * MAX_BODY)
    long = body_of(Repository(tmp_path), "HEAD~1", "HEAD")
    assert len(long) < MAX_BODY + 10
    assert long.endswith("\n- …")
