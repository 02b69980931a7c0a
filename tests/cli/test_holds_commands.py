"""The commands around holds, from a real SQLite site: what they say, and their exit status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from exporter.core.model import LESSON
from exporter.demo.site import (
    create_site,
    delete_document,
    edit_lesson_title,
    edit_site,
)
from tests.cli.running import run
from tests.content.github_standin import TOKEN, GitHubStandIn
from tests.content.school_repository import git

LESSON_1, LESSON_2 = "LESSON-MATH-001", "LESSON-MATH-002"


@pytest.fixture
def school(tmp_path: Path) -> Path:
    """Return a content repository that pushes to a bare one, with a first snapshot in both."""
    root = tmp_path / "content"
    run(tmp_path, "init", str(root), "--source", "sqlite:///site.db")
    create_site(root / "site.db", 20)
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(root, "remote", "add", "origin", str(remote))
    assert run(root, "snapshot", "--push").status == 0
    return root


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubStandIn]:
    with GitHubStandIn() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", "school/content")
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        yield server
        server.shutdown()
        thread.join()


def edit(school: Path, lesson: str, title: str) -> None:
    with edit_site(school / "site.db") as connection:
        edit_lesson_title(connection, lesson, title)


def bad_edit_rolled_back(school: Path) -> tuple[str, str]:
    """Return the good title, and the rollback's commit."""
    edit(school, LESSON_1, "A bad title")
    run(school, "snapshot")
    report = run(school, "rollback", "HEAD~1", "--json").report
    return report["changes"][0]["title"], report["commit"]


def test_a_rollback_is_held_listed_and_released(school: Path) -> None:
    title, rollback = bad_edit_rolled_back(school)
    edit(school, LESSON_2, "A good title")
    said = run(school, "snapshot")
    line = f'held: {LESSON_1} "{title}" (rolled back in {rollback[:7]} by Test Author)'
    assert line in said.out.split("\n")
    assert "A good title" in said.out
    again = run(school, "snapshot", "--json").report
    assert (again["commit"], [held["name"] for held in again["holds"]]) == (None, [LESSON_1])
    held = run(school, "holds", "--json").report["holds"]
    assert held == again["holds"]
    assert held[0] == {
        "doctype": LESSON,
        "name": LESSON_1,
        "title": title,
        "commit": rollback,
        "author": "Test Author",
        "date": git(school, "show", "-s", "--format=%aI", rollback),
        "reason": git(school, "show", "-s", "--format=%s", rollback),
    }
    assert run(school, "holds").out.startswith(line)
    assert run(school, "release-hold", "Nobody").status == 2
    assert run(school, "release-hold").status == 2
    released = run(school, "release-hold", LESSON_1, "--json").report
    assert [change["title"] for change in released["changes"]] == ["A bad title"]
    assert run(school, "holds").out == "nothing is held\n"
    assert run(school, "snapshot").out.startswith("nothing changed")


def test_all_holds_can_be_released_at_once(school: Path) -> None:
    bad_edit_rolled_back(school)
    assert "A bad title" in run(school, "release-hold", "--all", "--push").out
    assert run(school, "holds", "--json").report["holds"] == []
    assert git(school, "rev-parse", "origin/main") == git(school, "rev-parse", "HEAD")


def test_a_rollback_to_a_release_names_it(school: Path) -> None:
    release = run(school, "publish", "--json").report["release"]
    edit(school, LESSON_1, "A bad title")
    run(school, "snapshot")
    run(school, "publish")
    said = run(school, "rollback", release, "--push")
    assert said.status == 0
    message = git(school, "show", "-s", "--format=%B", "origin/main")
    assert f"Exporter-Rollback: {release}" in message.split("\n")
    assert run(school, "rollback", release).out.startswith("nothing to do")
    assert run(school, "rollback", "20000101T000000Z-00000000").status == 2
    assert run(school, "rollback", "no-such-commit").status == 2


def test_one_pull_request_for_all_snapshots_of_a_branch(
    school: Path, github: GitHubStandIn
) -> None:
    arguments = ("snapshot", "--branch", "content", "--pull-request")
    assert "opened" not in run(school, *arguments).out
    edit(school, LESSON_1, "A better title")
    assert "opened https://github.example/pull/1" in run(school, *arguments).out
    edit(school, LESSON_2, "Another title")
    report = run(school, *arguments, "--json").report
    assert (report["branch"], report["pushed"]) == ("content", True)
    assert report["pull_request"] == "https://github.example/pull/1"
    [pull] = github.pulls
    assert (pull["head"], pull["base"]) == ("content", "main")
    diff = run(school, "diff", "main", "content", "--format", "markdown").out
    assert str(pull["body"]).strip().split("\n")[4:] == diff.strip().split("\n")[4:]
    assert "<ins>Another title</ins>" in str(pull["body"])
    assert git(school, "rev-parse", "HEAD") == git(school, "rev-parse", "origin/main")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--push", "--no-commit"),
        ("--pull-request",),
        ("--branch", "content", "--no-commit"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    school: Path, arguments: tuple[str, ...]
) -> None:
    assert run(school, "snapshot", *arguments).status == 2


def test_a_pull_request_without_a_token_says_where_it_comes_from(school: Path) -> None:
    edit(school, LESSON_1, "A better title")
    said = run(school, "snapshot", "--branch", "content", "--pull-request")
    assert said.status == 2
    assert "GITHUB_TOKEN" in said.err
    watch = run(school, "watch", "--branch", "content", "--pull-request")
    assert (watch.status, watch.out) == (2, "")
    assert git(school, "branch", "--list", "content") == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("snapshot",),
        ("snapshot", "--push"),
        ("watch",),
        ("release-hold", "--all"),
        ("rollback", "HEAD"),
    ],
    ids=" ".join,
)
def test_no_commit_is_made_where_no_branch_would_have_it(
    school: Path, arguments: tuple[str, ...]
) -> None:
    git(school, "switch", "--quiet", "--detach")
    edit(school, LESSON_1, "A better title")
    said = run(school, *arguments)
    assert (said.status, "has no branch checked out" in said.err) == (3, True), said
    assert "git switch main" in said.err
    assert git(school, "rev-parse", "HEAD") == git(school, "rev-parse", "main")
    assert "! git: branch: none is checked out" in run(school, "doctor").out
    on_a_branch = run(school, "snapshot", "--branch", "content", "--json")
    assert on_a_branch.report["commit"] == git(school, "rev-parse", "content")


def test_a_snapshot_says_what_was_pushed(school: Path) -> None:
    assert "nothing to push: origin has all of main\n" in run(school, "snapshot", "--push").out
    assert not run(school, "snapshot", "--push", "--json").report["pushed"]
    edit(school, LESSON_1, "A better title")
    assert run(school, "snapshot", "--push").out.endswith("pushed to main\n")
    edit(school, LESSON_1, "A still better title")
    assert run(school, "snapshot", "--push", "--json").report["pushed"]


def test_a_deletion_that_is_let_through_is_told_with_its_counts(tmp_path: Path) -> None:
    run(tmp_path, "init", "--source", "sqlite:///site.db")
    create_site(tmp_path / "site.db", 40)
    lessons = [
        change["name"]
        for change in run(tmp_path, "snapshot", "--json").report["changes"]
        if change["doctype"] == LESSON
    ]
    with edit_site(tmp_path / "site.db") as connection:
        for name in lessons[:10]:
            delete_document(connection, LESSON, name)
    counts = "10 of 40 lessons (25%) would be deleted; the limit is 20%"
    refused = run(tmp_path, "snapshot")
    assert (refused.status, counts in refused.err) == (3, True)
    said = run(tmp_path, "snapshot", "--allow-mass-delete").out
    assert said.endswith(f"10 deleted\nallowed this once: {counts}\n")


def test_people_are_spared_what_a_message_says_to_programs(school: Path) -> None:
    edit(school, LESSON_1, "A bad title")
    before = git(school, "rev-parse", "HEAD")
    snapshot, back = run(school, "snapshot"), run(school, "rollback", before)
    for said in (snapshot, back):
        assert "A bad title" in snapshot.out
        assert "Exporter-" not in said.out
    assert f"Puts all content back as it was in commit {before[:12]}.\n" in back.out
    message = git(school, "show", "-s", "--format=%B", "HEAD")
    assert f"Exporter-Rollback: {before}" in message.split("\n")
    assert run(school, "rollback", before).out == (
        f"nothing to do: it is as it was in {before[:12]} already\n"
    )


def test_outputs_and_summary_in_github_actions(
    school: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, rollback = bad_edit_rolled_back(school)
    edit(school, LESSON_2, "A good title")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    run(school, "snapshot")
    head = git(school, "rev-parse", "HEAD")
    outputs = (tmp_path / "outputs").read_text().split("\n")
    assert outputs == [f"commit={head}", "changed=true", "held=1", ""]
    summary = (tmp_path / "summary").read_text()
    assert f"rolled back in {rollback[:7]} by Test Author" in summary


@pytest.mark.parametrize("command", ["snapshot", "watch"])
def test_what_has_nowhere_to_go_is_refused_before_the_database_is_read(
    tmp_path: Path, command: str
) -> None:
    run(tmp_path, "init", "--source", "sqlite:///not-there.db")
    for arguments, why in (
        (("--push",), "no remotes"),
        (("--branch", "content", "--push"), "no remotes"),
        (("--branch", "content", "--pull-request"), "no remotes"),
        (("--branch", "bad..name"), "is no name that a branch can have"),
        (("--branch", "-f"), "is no name that a branch can have"),
        (("--branch", ""), "is no name that a branch can have"),
    ):
        said = run(tmp_path, command, *arguments)
        assert (said.status, why in said.err) == (2, True), (arguments, said)
        assert "reading" not in said.err


def test_edits_by_hand_that_a_snapshot_replaces_are_named(school: Path) -> None:
    files = sorted(school.glob("content-snapshot/subjects/**/LESSON-*.yaml"))[:7]
    for file in files:
        file.write_text(re.sub(r"(?m)^title: .*$", "title: Mine", file.read_text("utf-8")), "utf-8")
    git(school, "commit", "--quiet", "--all", "--message", "By hand")
    mine = git(school, "rev-parse", "HEAD")
    names = [file.stem for file in files]
    lines = run(school, "snapshot").out.split("\n")
    assert [line for line in lines if line.startswith(("replaced", "and "))] == [
        *(
            f'replaced: {name} "Mine": what Test Author wrote in {mine[:12]} is not in the database'
            for name in names[:5]
        ),
        "and 2 more",
    ]
    git(school, "reset", "--quiet", "--hard", mine)
    report = run(school, "snapshot", "--json").report
    told = {"doctype": LESSON, "title": "Mine", "commit": mine, "author": "Test Author"}
    assert report["replaced"] == [{**told, "name": name} for name in names]
    assert run(school, "snapshot", "--full", "--json").report["replaced"] == []
