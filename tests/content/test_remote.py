"""Spec 2, step 7: two machines and people push to one remote; nothing is lost, nothing twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from exporter.content.branches import Branch, branch_of
from exporter.content.holding import all_holds, hold_rule
from exporter.content.reading import read_commit
from exporter.content.remote import (
    Patience,
    catch_up,
    keep_branch,
    push_commit,
    push_snapshot,
    review_tree,
)
from exporter.content.repository import Repository
from exporter.content.rollback import RollbackOptions, roll_back
from exporter.content.snapshot import SnapshotOptions, SnapshotResult, take_snapshot
from exporter.content.worktree import only_one
from exporter.core.model import Document, Ref
from exporter.errors import GitError, Refused, UsageError
from tests.content.school_repository import FOLDER, MemoryDatabase, git, patience, ref_of
from tests.core.school import lesson, school

BOT = "Bot <bot@example.org>"


class Machine:
    """A clone that takes snapshots of the one database."""

    def __init__(self, remote: Path, folder: Path, database: MemoryDatabase) -> None:
        git(remote.parent, "clone", "--quiet", str(remote), str(folder))
        self.repository = Repository(folder)
        self.database = database
        self.before_taking: list[object] = []

    def take(self, tree: Repository | None = None) -> SnapshotResult:
        for act in self.before_taking:
            assert callable(act)
            act()
        self.before_taking = []
        options = SnapshotOptions(FOLDER, author=BOT, hold=hold_rule(FOLDER, {}))
        return take_snapshot(tree or self.repository, self.database, options)

    def push(self) -> SnapshotResult:
        branch = branch_of(self.repository)
        take = self.take_and_let_others
        return push_snapshot(self.repository, branch, BOT, take, patience())

    def take_and_let_others(self) -> SnapshotResult:
        """Take a snapshot; then the others do what they do before it is pushed."""
        others, self.before_taking = self.before_taking, []
        result = self.take()
        for act in others:
            assert callable(act)
            act()
        return result

    def review(self, name: str) -> SnapshotResult:
        branch = Branch("origin", name)
        tree = review_tree(self.repository, branch, pushed=True)
        result = push_snapshot(tree, branch, BOT, lambda: self.take(tree), patience())
        keep_branch(self.repository, branch, tree.resolve("HEAD"))
        return result


class Clock:
    """Time that passes only by waiting; after each pause the next of some things happens."""

    def __init__(
        self, chance: float = 1.0, step: float = 0.0, after: Iterable[Callable[[], object]] = ()
    ) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._step = step
        self._after = iter(after)
        self.all = Patience(lambda: self.now, self._sleep, lambda: chance)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds + self._step
        next(self._after, lambda: None)()


class World:
    def __init__(self, folder: Path) -> None:
        self.remote = folder / "remote.git"
        git(folder, "init", "--quiet", "--bare", str(self.remote))
        self.database = MemoryDatabase(
            school(lesson("A", title="A is good"), lesson("B", title="B is good"))
        )
        self.folder = folder
        self.one = Machine(self.remote, folder / "one", self.database)
        git(folder / "one", "commit", "--quiet", "--allow-empty", "-m", "Begin")
        self.one.push()
        self.two = Machine(self.remote, folder / "two", self.database)
        git(self.remote.parent, "clone", "--quiet", str(self.remote), str(folder / "person"))

    def person(self, *arguments: str) -> str:
        return git(self.folder / "person", *arguments)

    def person_pushes(self, file: str, text: str) -> None:
        self.person("pull", "--quiet", "--ff-only")
        (self.folder / "person" / file).write_text(text)
        self.person("add", "--all")
        self.person("commit", "--quiet", "--message", f"Edit {file}")
        self.person("push", "--quiet")

    def published(self, ref: str = "main") -> dict[Ref, Document]:
        repository = Repository(self.one.repository.root)
        repository.git("fetch", "--quiet", "origin")
        head = repository.resolve(f"origin/{ref}")
        return dict(read_commit(repository, head, FOLDER, {}).loaded.snapshot.documents)

    def subjects(self, ref: str = "main") -> list[str]:
        return git(self.remote, "log", "--format=%s", ref).split("\n")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_first_push_makes_the_branch(world: World) -> None:
    assert world.published() == world.database.rows
    assert branch_of(world.one.repository) == Branch("origin", "main")


def test_two_jobs_at_once_make_one_commit(world: World) -> None:
    world.database.edit(ref_of("A"), title="A is better")
    world.one.before_taking = [world.two.push]
    result = world.one.push()
    assert result.commit is None
    assert world.published() == world.database.rows
    assert len(world.subjects()) == 3
    assert world.one.repository.head() == world.two.repository.head()


def test_two_jobs_that_saw_different_edits_lose_neither(world: World) -> None:
    def second() -> None:
        world.database.edit(ref_of("B"), title="B is better")
        world.two.push()

    world.database.edit(ref_of("A"), title="A is better")
    world.one.before_taking = [second]
    world.one.push()
    assert world.published() == world.database.rows
    assert len(world.subjects()) == 3


def test_a_push_that_loses_a_race_against_a_person(world: World) -> None:
    world.database.edit(ref_of("A"), title="A is better")
    world.one.before_taking = [lambda: world.person_pushes("README.md", "Hello")]
    result = world.one.push()
    assert result.commit is not None
    assert world.published() == world.database.rows
    assert world.subjects()[:2] == ["content: 1 lesson changed (The S)", "Edit README.md"]
    assert (world.one.repository.root / "README.md").read_text() == "Hello"


def test_a_person_who_edits_the_same_file_meanwhile(world: World) -> None:
    path = f"{FOLDER}/subjects/S/T/U/O/A.yaml"
    world.database.edit(ref_of("A"), title="A is better")
    text = (world.folder / "person" / path).read_text().replace("A is good", "A is mine")
    world.one.before_taking = [lambda: world.person_pushes(path, text)]
    world.one.push()
    assert world.published() == world.database.rows
    assert world.subjects()[1] == f"Edit {path}"


def test_a_rollback_that_is_pushed_meanwhile_is_held(world: World) -> None:
    def revert() -> None:
        world.person("pull", "--quiet", "--ff-only")
        world.person("revert", "--no-edit", "HEAD")
        world.person("push", "--quiet")

    world.database.edit(ref_of("A"), title="A is bad")
    world.one.push()
    world.database.edit(ref_of("B"), title="B is better")
    world.one.before_taking = [revert]
    assert [held.ref for held in world.one.push().held] == [ref_of("A")]
    published = world.published()
    assert (published[ref_of("A")].title, published[ref_of("B")].title) == (
        "A is good",
        "B is better",
    )
    head = world.one.repository.resolve("HEAD")
    assert [one.ref for one in all_holds(world.one.repository, head, FOLDER, {})] == [ref_of("A")]


def test_a_remote_that_is_away_costs_nothing_but_time(world: World) -> None:
    away = world.remote.rename(world.folder / "away.git")
    world.database.edit(ref_of("A"), title="A is better")
    with pytest.raises(GitError, match="ls-remote"):
        world.one.push()
    away.rename(world.remote)
    world.database.edit(ref_of("B"), title="B is better")
    world.two.push()
    world.one.push()
    assert world.published() == world.database.rows
    assert world.one.repository.head() == world.two.repository.head()


def test_a_persons_unsent_commit_in_the_clone_is_kept(world: World) -> None:
    root = world.one.repository.root
    (root / "notes.md").write_text("unsent")
    git(root, "add", "notes.md")
    git(root, "commit", "--quiet", "--message", "Unsent")
    world.person_pushes("README.md", "Hello")
    world.database.edit(ref_of("A"), title="A is better")
    world.one.push()
    assert world.published() == world.database.rows
    assert world.subjects()[1:3] == ["Unsent", "Edit README.md"]


def test_unsent_commits_that_conflict_are_for_people(world: World) -> None:
    root = world.one.repository.root
    (root / "README.md").write_text("Mine")
    git(root, "add", "README.md")
    git(root, "commit", "--quiet", "--message", "Unsent")
    world.person_pushes("README.md", "Theirs")
    with pytest.raises(Refused, match="conflict"):
        world.one.push()
    assert world.one.repository.operation_in_progress() == ""
    assert (root / "README.md").read_text() == "Mine"


def test_a_remote_that_never_stands_still_is_given_up(world: World) -> None:
    number = iter(range(100))

    def take() -> SnapshotResult:
        result = world.one.take()
        world.person_pushes("README.md", str(next(number)))
        return result

    clock = Clock()
    world.database.edit(ref_of("A"), title="A is better")
    with pytest.raises(Refused, match="again and again"):
        push_snapshot(world.one.repository, branch_of(world.one.repository), BOT, take, clock.all)
    assert clock.pauses == [0.25, 0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8]
    world.one.push()
    assert world.published() == world.database.rows


def test_slow_races_are_run_five_times_at_least() -> None:
    clock = Clock(chance=0.0)
    for _ in clock.all.rounds():
        clock.now += 40
    assert clock.pauses == [0.125, 0.25, 0.5, 1]


def test_a_branch_that_another_push_holds_locked_is_pushed_when_it_is_free(world: World) -> None:
    lock = world.remote / "refs" / "heads" / "main.lock"
    lock.touch()
    clock = Clock(after=[lambda: None, lock.unlink])
    world.database.edit(ref_of("A"), title="A is better")
    branch = branch_of(world.one.repository)
    result = push_snapshot(world.one.repository, branch, BOT, world.one.take, clock.all)
    assert (result.pushed, len(clock.pauses)) == (True, 2)
    assert result.commit == world.one.repository.head()
    assert world.published() == world.database.rows
    assert len(world.subjects()) == 3


def test_a_branch_that_stays_locked_is_given_up_with_what_git_says(world: World) -> None:
    (world.remote / "refs" / "heads" / "main.lock").touch()
    world.database.edit(ref_of("A"), title="A is better")
    branch = branch_of(world.one.repository)
    with pytest.raises(GitError, match=r"main\.lock") as caught:
        push_snapshot(world.one.repository, branch, BOT, world.one.take, Clock(step=20).all)
    assert "remove its lock file" in caught.value.hint


def test_a_push_of_which_the_answer_is_lost_has_arrived(world: World) -> None:
    hook = world.remote / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nkill -9 $PPID\n")
    hook.chmod(0o755)
    world.database.edit(ref_of("A"), title="A is better")
    result = world.one.push()
    assert (result.pushed, world.published()) == (True, world.database.rows)


def test_what_the_remote_has_already_is_not_pushed(world: World) -> None:
    assert not world.one.push().pushed
    world.database.edit(ref_of("A"), title="A is better")
    assert world.one.push().pushed
    assert not world.two.push().pushed


def test_credentials_of_the_remote_are_not_told(world: World) -> None:
    url = "https://someone:hunter2@127.0.0.1:9/school.git"
    git(world.one.repository.root, "remote", "set-url", "origin", url)
    with pytest.raises(GitError) as caught:
        world.one.push()
    assert "hunter2" not in repr(caught.value) + caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_rollback_is_pushed_on_top_of_what_the_remote_has(world: World) -> None:
    begin = world.one.repository.resolve("HEAD")
    world.database.edit(ref_of("A"), title="A is bad")
    world.two.push()
    world.person_pushes("README.md", "Hello")
    repository, branch = world.one.repository, branch_of(world.one.repository)
    catch_up(repository, branch, BOT)
    options = RollbackOptions(FOLDER, "then", documents=("A",))
    assert roll_back(repository, begin, options).commit
    world.person_pushes("README.md", "Hello again")
    push_commit(repository, branch, BOT, patience())
    assert world.published()[ref_of("A")].title == "A is good"
    assert [held.ref for held in world.two.push().held] == [ref_of("A")]


class TestReviewBranch:
    def test_the_checked_out_branch_and_its_files_stay(self, world: World) -> None:
        before = world.one.repository.head()
        world.database.edit(ref_of("A"), title="A is better")
        assert world.one.review("content/next").commit
        assert world.one.repository.head() == before
        assert world.one.repository.dirty_paths(".") == []
        assert world.published("content/next") == world.database.rows
        assert world.published()[ref_of("A")].title == "A is good"

    def test_the_next_snapshot_goes_on_top(self, world: World) -> None:
        world.database.edit(ref_of("A"), title="A is better")
        world.one.review("content")
        assert world.one.review("content").commit is None
        world.database.edit(ref_of("B"), title="B is better")
        world.two.review("content")
        world.one.review("content")
        assert world.published("content") == world.database.rows
        assert len(world.subjects("content")) == 4

    def test_after_the_merge_it_starts_from_the_main_branch(self, world: World) -> None:
        world.database.edit(ref_of("A"), title="A is better")
        world.one.review("content")
        root = world.one.repository.root
        git(root, "merge", "--quiet", "--no-ff", "-m", "Merge pull request #1", "content")
        git(root, "push", "--quiet", "origin", "main")
        merge = world.one.repository.head()
        world.database.edit(ref_of("B"), title="B is better")
        result = world.one.review("content")
        assert merge
        assert result.commit
        assert git(root, "rev-parse", f"{result.commit.sha}^") == merge.sha

    def test_the_branch_that_is_checked_out_is_no_review_branch(self, world: World) -> None:
        with pytest.raises(UsageError, match="checked out"):
            world.one.review("main")

    def test_a_killed_run_left_its_work_tree_behind(self, world: World) -> None:
        world.database.edit(ref_of("A"), title="A is better")
        world.one.review("content")
        tree, known = linked(world.one.repository)
        (tree / FOLDER / "plans" / "rubbish.yaml").write_text("half")
        (known / "index.lock").touch()
        world.database.edit(ref_of("B"), title="B is better")
        world.one.review("content")
        assert world.published("content") == world.database.rows

    @pytest.mark.parametrize("emptied", ["", "commondir", "gitdir", "HEAD"])
    def test_a_run_was_killed_while_git_made_the_work_tree(
        self, world: World, emptied: str
    ) -> None:
        world.database.edit(ref_of("A"), title="A is better")
        world.one.review("content")
        tree, known = linked(world.one.repository)
        shutil.rmtree(tree)
        (known / "locked").write_text("initializing")
        if emptied:
            (known / emptied).write_bytes(b"")
        world.database.edit(ref_of("B"), title="B is better")
        world.one.review("content")
        assert world.published("content") == world.database.rows

    def test_a_run_that_is_at_work_in_it_is_left_alone(self, world: World) -> None:
        world.database.edit(ref_of("A"), title="A is better")
        world.one.review("content")
        tree, _ = linked(world.one.repository)
        (tree / "half-written").touch()
        refused = pytest.raises(Refused, match="another snapshot is running")
        with only_one(Repository(tree)), refused:
            world.one.review("content")
        assert (tree / "half-written").exists()


def linked(repository: Repository) -> tuple[Path, Path]:
    """Return the one linked work tree, and git's folder for it."""
    [tree] = (repository.private_dir / "branches").iterdir()
    return tree, repository.root / ".git" / "worktrees" / tree.name
