"""One pull request a branch, against a local server that behaves like GitHub's pulls API."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest

from exporter.content.github import GitHub, repository_in_url
from exporter.content.pull_request import PullRequest, open_or_update
from exporter.errors import GitError, UsageError
from tests.content.github_standin import TOKEN, GitHubStandIn, pull_of


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
    first = open_or_update(github, "content", "main", "Content snapshot", "one")
    assert first == PullRequest(1, "https://github.example/pull/1", created=True)
    second = open_or_update(github, "content", "main", "Content snapshot", "two")
    assert second == PullRequest(1, "https://github.example/pull/1", created=False)
    assert [pull["body"] for pull in server.pulls] == ["two"]


def test_another_branchs_pull_request_is_left_alone(github: GitHub, server: GitHubStandIn) -> None:
    open_or_update(github, "content", "main", "Content snapshot", "one")
    assert open_or_update(github, "other", "main", "Other", "two").number == 2
    assert [pull["body"] for pull in server.pulls] == ["one", "two"]


def test_one_that_somebody_opens_meanwhile_is_updated(
    github: GitHub, server: GitHubStandIn
) -> None:
    theirs = {"head": "content", "base": "main", "title": "T", "body": "theirs"}
    server.race = [pull_of(7, theirs)]
    found = open_or_update(github, "content", "main", "Content snapshot", "ours")
    assert (found.number, found.created) == (7, False)
    assert [pull["body"] for pull in server.pulls] == ["ours"]


def test_a_refusal_is_told_with_its_reason_and_without_the_token(server: GitHubStandIn) -> None:
    with pytest.raises(GitError, match=r"401.*Bad credentials") as caught:
        open_or_update(GitHub(server.url, "school/content", "wrong"), "b", "main", "t", "x")
    assert "wrong" not in repr(caught.value)
    with pytest.raises(GitError, match="No commits between"):
        open_or_update(GitHub(server.url, "school/content", TOKEN), "main", "main", "t", "x")
    assert TOKEN not in repr(GitHub(server.url, "school/content", TOKEN))


def test_a_server_that_is_away(server: GitHubStandIn) -> None:
    with pytest.raises(GitError, match="could not be reached"):
        open_or_update(GitHub("http://127.0.0.1:9", "s/c", TOKEN), "b", "m", "t", "x")
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
