"""Spec 5, "Holds", with a real git: what people rolled back does not come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.content.candidates import Replaced
from exporter.content.holding import all_holds
from exporter.content.repository import Repository
from exporter.core.model import LESSON, PLAN, SUBJECT, TOPIC, UNIT
from exporter.errors import GitError
from tests.content.school_repository import FOLDER, SchoolRepository, git, ref_of
from tests.core.school import lesson, plan, topic, unit

A, B, C = (ref_of(name) for name in "ABC")


@pytest.fixture
def school(tmp_path: Path) -> SchoolRepository:
    return SchoolRepository(tmp_path / "school")


def test_a_reverted_edit_is_held_with_who_when_and_why(school: SchoolRepository) -> None:
    bad = school.snapshot_of(A="A is bad")
    school.git("revert", "--no-edit", bad)
    revert = school.head
    [held] = school.snapshot().held
    assert (held.ref, held.title, held.commit) == (A, "A is good", revert)
    assert held.author == "Test Author"
    assert held.date == school.git("show", "-s", "--format=%aI", revert)
    assert held.reason.startswith('Revert "content: ')
    assert school.holds() == (held,)
    school.settle(A)


def test_a_reverted_addition_stays_out(school: SchoolRepository) -> None:
    school.database.put(lesson("New", title="New"))
    added = school.snapshot().commit
    assert added
    school.git("revert", "--no-edit", added.sha)
    [held] = school.holds()
    assert (held.ref, held.title) == (ref_of("New"), "New")
    assert school.title("New") is None
    school.settle(ref_of("New"))


def test_a_reverted_deletion_keeps_the_lesson_in(school: SchoolRepository) -> None:
    school.database.delete(A)
    deleted = school.snapshot().commit
    assert deleted
    school.git("revert", "--no-edit", deleted.sha)
    assert school.title("A") == "A is good"
    school.settle(A)


def test_a_reverted_move_keeps_the_place(school: SchoolRepository) -> None:
    school.database.edit(A, parent_topic="P")
    moved = school.snapshot().commit
    assert moved
    school.git("revert", "--no-edit", moved.sha)
    assert school.parent("A") == "O"
    school.settle(A)


def test_a_reverted_move_of_a_topic_holds_the_topic_alone(school: SchoolRepository) -> None:
    school.database.edit(ref_of("O", TOPIC), parent_unit="U2")
    school.database.put(unit("U2"))
    moved = school.snapshot().commit
    assert moved
    school.git("revert", "--no-edit", moved.sha)
    school.settle(ref_of("O", TOPIC), ref_of("U2", UNIT))
    school.snapshot_of(A="A is better")
    assert school.title("A") == "A is better"
    assert "/U/O/A.yaml" in school.path("A.yaml")
    school.settle(ref_of("O", TOPIC), ref_of("U2", UNIT))


def test_several_commits_reverted_at_once(school: SchoolRepository) -> None:
    first = school.snapshot_of(A="A is bad")
    second = school.snapshot_of(B="B is bad", A="A is worse")
    school.git("revert", "--no-edit", "--no-commit", second, first)
    school.commit(f"Take it all back\n\nThis reverts commits {second} and {first}.")
    assert (school.title("A"), school.title("B")) == ("A is good", "B is good")
    school.settle(A, B)


def test_a_revert_commit_each(school: SchoolRepository) -> None:
    first = school.snapshot_of(A="A is bad")
    second = school.snapshot_of(B="B is bad", A="A is worse")
    school.git("revert", "--no-edit", second, first)
    school.settle(A, B)
    school.database.edit(A, title="A is bad")
    school.settle(A, B, git_knows=False)


def test_a_partial_revert_by_hand_needs_no_words_of_git(school: SchoolRepository) -> None:
    bad = school.snapshot_of(A="A is bad", B="B is bad")
    path = school.path("A.yaml")
    school.git("checkout", f"{bad}~1", "--", path)
    school.commit("Lesson A as it was")
    assert school.title("B") == "B is bad"
    school.settle(A)


def test_a_document_deleted_by_hand_stays_out(school: SchoolRepository) -> None:
    (school.folder / school.path("A.yaml")).unlink()
    school.commit("No more A")
    school.settle(A)


def test_words_that_a_person_wrote_are_no_rollback(school: SchoolRepository) -> None:
    school.snapshot_of(A="A is bad")
    file = school.folder / school.path("A.yaml")
    file.write_text(file.read_text().replace("A is bad", "A is mine"))
    school.commit("My words")
    school.takes_everything()


def test_a_reverted_hand_edit_that_the_database_never_had_is_no_hold(
    school: SchoolRepository,
) -> None:
    file = school.folder / school.path("A.yaml")
    file.write_text(file.read_text().replace("A is good", "A is mine"))
    school.commit("My words")
    school.git("revert", "--no-edit", "HEAD")
    school.settle()


def test_a_reverted_document_of_ones_own_is_no_hold(school: SchoolRepository) -> None:
    own = (school.folder / school.path("A.yaml")).with_name("Mine.yaml")
    own.write_text("name: Mine\ntitle: Mine\n")
    school.commit("Mine")
    school.git("revert", "--no-edit", "HEAD")
    school.settle()


def test_a_hand_edit_reverted_on_top_of_a_rollback(school: SchoolRepository) -> None:
    bad = school.snapshot_of(A="A is bad")
    school.git("revert", "--no-edit", bad)
    rollback = school.head
    file = school.folder / school.path("A.yaml")
    file.write_text(file.read_text().replace("A is good", "A is mine"))
    school.commit("My words")
    school.settle(A, snapshots=2)
    school.git("revert", "--no-edit", "HEAD~2")
    assert [one.commit for one in school.holds()] == [rollback]
    school.settle(A)


def test_two_rollbacks_in_a_row_hold_both_versions(school: SchoolRepository) -> None:
    bad = school.snapshot_of(A="A is bad")
    worse = school.snapshot_of(A="A is worse")
    school.git("revert", "--no-edit", worse)
    school.settle(A, snapshots=2)
    school.git("revert", "--no-edit", bad)
    school.settle(A, snapshots=2)
    school.database.edit(A, title="A is bad")
    school.settle(A, git_knows=False)


def test_the_revert_of_a_revert_lets_the_version_in(school: SchoolRepository) -> None:
    bad = school.snapshot_of(A="A is bad")
    school.git("revert", "--no-edit", bad)
    school.settle(A, snapshots=1)
    school.git("revert", "--no-edit", "HEAD~1")
    assert school.title("A") == "A is bad"
    assert school.holds() == ()
    school.settle()
    school.git("revert", "--no-edit", bad)
    school.settle(A)


def test_a_fixed_document_is_taken_and_so_are_the_same_bad_words_later(
    school: SchoolRepository,
) -> None:
    bad = school.snapshot_of(A="A is bad")
    school.git("revert", "--no-edit", bad)
    school.settle(A)
    school.snapshot_of(A="A is fixed")
    assert school.title("A") == "A is fixed"
    school.settle()
    school.snapshot_of(A="A is bad")
    assert school.title("A") == "A is bad"
    school.settle()


def test_a_deletion_ends_a_hold(school: SchoolRepository) -> None:
    bad = school.snapshot_of(A="A is bad")
    school.git("revert", "--no-edit", bad)
    school.settle(A, snapshots=1)
    school.database.delete(A)
    school.takes_everything()
    school.settle()


def test_a_released_hold_is_over(school: SchoolRepository) -> None:
    bad = school.snapshot_of(A="A is bad", B="B is bad")
    school.git("revert", "--no-edit", bad)
    school.settle(A, B, snapshots=1)
    assert [one.ref for one in school.snapshot(released=[A]).held] == [B]
    assert school.title("A") == "A is bad"
    school.settle(B)


def test_a_rollback_by_trailer(school: SchoolRepository) -> None:
    good = school.head
    school.snapshot_of(A="A is bad")
    school.git("checkout", good, "--", "content-snapshot")
    school.commit("Roll back\n\nExporter-Rollback: 20261121T082041Z-3f2a1bc9")
    school.settle(A)


class TestRevertPullRequest:
    """GitHub's revert button makes a branch with one revert; there are three ways to merge it."""

    def begin(self, school: SchoolRepository) -> str:
        bad = school.snapshot_of(A="A is bad", B="B is bad")
        school.git("switch", "--quiet", "--create", "revert-1")
        school.git("revert", "--no-edit", bad)
        revert = school.head
        school.git("switch", "--quiet", "main")
        school.snapshot_of(C="C is better")
        return revert

    @pytest.mark.parametrize("way", ["merge", "squash", "rebase"])
    def test_every_way_to_merge_gives_the_same_answer(
        self, school: SchoolRepository, way: str
    ) -> None:
        revert = self.begin(school)
        _merge(school, way, "revert-1", 'Revert "content"')
        held = {one.ref: one.commit for one in school.holds()}
        expected = revert if way == "merge" else school.head
        assert held == {A: expected, B: expected}
        school.settle(A, B)
        school.snapshot_of(A="A is fixed")
        school.settle(B)
        school.snapshot_of(A="A is bad")
        school.settle(B)

    @pytest.mark.parametrize("way", ["merge", "squash", "rebase"])
    @pytest.mark.parametrize("edit", ["addition", "deletion", "move"])
    def test_every_kind_of_edit(self, school: SchoolRepository, edit: str, way: str) -> None:
        before = {ref for ref in school.documents() if ref[1] != "New"}
        match edit:
            case "addition":
                school.database.put(lesson("New", title="New"))
            case "deletion":
                school.database.delete(A)
            case _:
                school.database.edit(A, parent_topic="P")
        bad = school.snapshot().commit
        assert bad
        school.git("switch", "--quiet", "--create", "revert-1")
        school.git("revert", "--no-edit", bad.sha)
        school.git("switch", "--quiet", "main")
        school.snapshot_of(C="C is better")
        _merge(school, way, "revert-1", "Take it back")
        assert (set(school.documents()), school.parent("A")) == (before, "O")
        school.settle(ref_of("New") if edit == "addition" else A)

    @pytest.mark.parametrize("way", ["merge", "squash", "rebase"])
    def test_a_revert_with_a_second_commit_on_top(self, school: SchoolRepository, way: str) -> None:
        self.begin(school)
        school.git("switch", "--quiet", "revert-1")
        file = school.folder / school.path("A.yaml")
        file.write_text(file.read_text().replace("A is good", "A is mine"))
        school.commit("Better words")
        school.git("switch", "--quiet", "main")
        _merge(school, way, "revert-1", "Take it back")
        assert school.title("A") == "A is mine"
        school.settle(A, B)

    @pytest.mark.parametrize("way", ["merge", "squash", "rebase"])
    @pytest.mark.parametrize("again", ["merge", "squash", "rebase"])
    def test_the_revert_of_the_revert(self, school: SchoolRepository, way: str, again: str) -> None:
        revert = self.begin(school)
        _merge(school, way, "revert-1", "Take it back")
        school.settle(A, B, snapshots=1)
        school.git("switch", "--quiet", "--create", "revert-2")
        school.git("revert", "--no-edit", revert if way == "merge" else "HEAD~1")
        school.git("switch", "--quiet", "main")
        school.snapshot_of(C="C is best")
        _merge(school, again, "revert-2", "It was right after all")
        assert school.title("A") == "A is bad"
        school.settle()

    def test_an_updated_branch(self, school: SchoolRepository) -> None:
        self.begin(school)
        school.git("switch", "--quiet", "revert-1")
        school.git("merge", "--quiet", "--no-edit", "main")
        school.git("switch", "--quiet", "main")
        school.snapshot_of(C="C is best")
        _merge(school, "merge", "revert-1", "Take it back")
        school.settle(A, B)

    def test_a_stale_revert_over_which_the_snapshot_went_on(self, school: SchoolRepository) -> None:
        self.begin(school)
        school.snapshot_of(A="A is worse")
        with pytest.raises(Exception, match="merge"):
            school.git("merge", "--no-ff", "--message", "Merge", "revert-1")
        school.git("checkout", "--theirs", "--", "content-snapshot")
        school.commit("Merge pull request #1 from school/revert-1")
        assert school.title("A") == "A is good"
        school.settle(A, B)

    def test_a_pull(self, school: SchoolRepository) -> None:
        """A merge in a clone: the remote's snapshots are on the side, the revert on the line."""
        self.begin(school)
        school.git("switch", "--quiet", "revert-1")
        school.git("merge", "--quiet", "--no-edit", "main")
        school.git("switch", "--quiet", "main")
        school.git("merge", "--quiet", "--ff-only", "revert-1")
        school.settle(A, B)


class TestSnapshotPullRequest:
    """Snapshots for review: `snapshot --branch`, merged by people."""

    @pytest.mark.parametrize("way", ["merge", "squash", "rebase"])
    def test_a_fix_that_comes_by_pull_request_ends_the_hold(
        self, school: SchoolRepository, way: str
    ) -> None:
        bad = school.snapshot_of(A="A is bad")
        school.git("revert", "--no-edit", bad)
        school.git("switch", "--quiet", "--create", "content")
        school.snapshot_of(A="A is fixed")
        school.git("switch", "--quiet", "main")
        school.git("commit", "--quiet", "--allow-empty", "-m", "Something else")
        _merge(school, way, "content", "content: 1 lesson changed\n\nExporter-Snapshot: full")
        school.settle()
        school.snapshot_of(A="A is bad")
        school.settle()

    @pytest.mark.parametrize("way", ["merge", "rebase"])
    def test_what_was_taken_back_in_the_pull_request_is_held(
        self, school: SchoolRepository, way: str
    ) -> None:
        school.git("switch", "--quiet", "--create", "content")
        bad = school.snapshot_of(A="A is bad", B="B is better")
        school.git("checkout", f"{bad}~1", "--", school.path("A.yaml"))
        school.commit("Not this one")
        school.git("switch", "--quiet", "main")
        school.git("commit", "--quiet", "--allow-empty", "-m", "Something else")
        _merge(school, way, "content", "Merge")
        assert (school.title("A"), school.title("B")) == ("A is good", "B is better")
        school.settle(A)


class TestRenames:
    def test_a_renamed_held_document_stays_held(self, school: SchoolRepository) -> None:
        bad = school.snapshot_of(A="A is bad")
        school.git("revert", "--no-edit", bad)
        school.settle(A, snapshots=2)
        school.database.rename(A, "A2")
        [held] = school.snapshot().held
        assert (held.ref, held.title) == (ref_of("A2"), "A is good")
        assert (school.title("A"), school.title("A2")) == (None, "A is good")
        school.settle(ref_of("A2"))
        school.database.rename(ref_of("A2"), "A3")
        school.snapshot()
        school.settle(ref_of("A3"))
        school.snapshot_of(A3="A is fixed")
        school.settle()

    def test_a_held_lesson_of_a_renamed_topic(self, school: SchoolRepository) -> None:
        bad = school.snapshot_of(A="A is bad")
        school.git("revert", "--no-edit", bad)
        school.settle(A, snapshots=2)
        school.database.rename(ref_of("O", TOPIC), "O2")
        school.snapshot()
        assert (school.title("A"), school.parent("A")) == ("A is good", "O2")
        school.settle(A)

    def test_a_renamed_held_topic(self, school: SchoolRepository) -> None:
        school.database.edit(ref_of("O", TOPIC), title="O is bad")
        bad = school.snapshot_of(A="A is bad")
        school.git("revert", "--no-edit", bad)
        school.settle(A, ref_of("O", TOPIC), snapshots=1)
        school.database.rename(ref_of("O", TOPIC), "O2")
        school.snapshot()
        assert school.title("O2", TOPIC) == "The O"
        school.settle(A, ref_of("O2", TOPIC))

    def test_a_held_plan_of_which_a_subject_is_renamed_is_taken(
        self, school: SchoolRepository
    ) -> None:
        """Its own text names the subject: Frappe's renaming is an edit of the plan."""
        held = ref_of("PLAN", PLAN)
        school.database.edit(held, title="A bad title")
        bad = school.snapshot().commit
        assert bad
        school.git("revert", "--no-edit", bad.sha)
        school.settle(held, snapshots=1)
        school.database.rename(ref_of("S", SUBJECT), "S2")
        school.database.put(plan("PLAN", ["S2"], title="A bad title"))
        school.takes_everything()
        school.settle()

    def test_a_reverted_addition_under_another_name(self, school: SchoolRepository) -> None:
        school.database.put(lesson("New", title="New"))
        added = school.snapshot().commit
        assert added
        school.git("revert", "--no-edit", added.sha)
        school.settle(ref_of("New"), snapshots=1)
        school.database.rename(ref_of("New"), "Newer")
        assert [one.ref for one in school.snapshot().held] == [ref_of("Newer")]
        assert school.title("Newer") is None


def test_a_held_document_below_a_deleted_topic_becomes_an_orphan(
    school: SchoolRepository,
) -> None:
    bad = school.snapshot_of(A="A is bad")
    school.git("revert", "--no-edit", bad)
    school.settle(A, snapshots=1)
    school.database.delete(ref_of("O", TOPIC))
    school.snapshot()
    assert school.path("A.yaml") == f"content-snapshot/orphans/{LESSON}/A.yaml"
    school.settle(A)
    school.database.put(topic("O"))
    school.snapshot()
    assert "/U/O/A.yaml" in school.path("A.yaml")
    school.settle(A)


def test_a_held_topic_whose_lessons_are_deleted(school: SchoolRepository) -> None:
    school.database.edit(ref_of("O", TOPIC), title="O is bad")
    bad = school.snapshot().commit
    assert bad
    school.git("revert", "--no-edit", bad.sha)
    school.database.delete(A, B)
    school.snapshot()
    assert (school.title("A"), school.title("C")) == (None, "C is good")
    school.settle(ref_of("O", TOPIC))


def test_a_restored_topic_keeps_its_lessons(school: SchoolRepository) -> None:
    school.database.delete(ref_of("O", TOPIC), A)
    deleted = school.snapshot().commit
    assert deleted
    school.git("revert", "--no-edit", deleted.sha)
    assert "/U/O/B.yaml" in school.path("B.yaml")
    school.settle(A, ref_of("O", TOPIC))


@pytest.mark.parametrize("name", ["درس المتغيّرات", "é", "a/b: c", "Ω" * 140, "CON", "x" * 140])
def test_names_from_hell(school: SchoolRepository, name: str) -> None:
    school.database.put(lesson(name, title="good"))
    school.snapshot()
    school.database.edit(ref_of(name), title="bad")
    bad = school.snapshot().commit
    assert bad
    school.git("revert", "--no-edit", bad.sha)
    school.settle(ref_of(name), snapshots=2)


def test_a_shallow_clone_is_deepened_to_know(school: SchoolRepository, tmp_path: Path) -> None:
    bad = school.snapshot_of(A="A is bad")
    school.git("revert", "--no-edit", bad)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{school.folder}", "clone")
    clone = Repository(tmp_path / "clone")
    assert all_holds(clone, clone.resolve("HEAD"), FOLDER, {}) == school.holds()


def test_a_shallow_clone_that_cannot_be_deepened_fails(
    school: SchoolRepository, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{school.folder}", "clone")
    git(tmp_path / "clone", "commit", "--quiet", "--allow-empty", "-m", "More")
    school.folder.rename(tmp_path / "away")
    clone = Repository(tmp_path / "clone")
    with pytest.raises(GitError, match="shallow and could not be deepened"):
        all_holds(clone, clone.resolve("HEAD"), FOLDER, {})


def _merge(school: SchoolRepository, way: str, branch: str, title: str) -> None:
    """Merge a pull request as GitHub does."""
    if way == "merge":
        message = f"Merge pull request #2 from school/{branch}\n\n{title.splitlines()[0]}"
        school.git("merge", "--quiet", "--no-ff", "--message", message, branch)
    elif way == "squash":
        school.git("merge", "--quiet", "--squash", branch)
        reverts = "\n\nReverts school/content#1" if branch.startswith("revert") else ""
        school.commit(f"{title}{reverts} (#2)")
    else:
        base = school.head
        school.git("switch", "--quiet", "--detach", branch)
        school.git("rebase", "--quiet", base)
        rebased = school.head
        school.git("switch", "--quiet", "main")
        school.git("merge", "--quiet", "--ff-only", rebased)


def by_hand(school: SchoolRepository, new: str, subject: str = "By hand") -> str:
    """Give lesson A another title with an editor and a commit; return the commit."""
    file = school.folder / school.path("A.yaml")
    file.write_text(file.read_text().replace(f"title: {school.title('A')}", f"title: {new}"))
    return school.commit(subject)


def test_an_edit_by_hand_that_the_database_lacks_is_told_once(school: SchoolRepository) -> None:
    school.snapshot_of(B="B is better")
    mine = by_hand(school, "A is mine")
    result = school.snapshot()
    assert result.replaced == (Replaced(A, "A is mine", mine, "Test Author"),)
    assert (school.title("A"), result.held) == ("A is good", ())
    school.database.edit(A, title="A is newer")
    assert school.snapshot().replaced == ()


def test_a_document_made_by_hand_that_the_database_lacks_is_told(school: SchoolRepository) -> None:
    file = school.folder / school.path("A.yaml")
    text = file.read_text().replace("name: A\n", "name: Mine\n").replace("A is good", "Mine")
    file.with_name("Mine.yaml").write_text(text)
    mine = school.commit("A lesson of mine")
    assert school.snapshot().replaced == (Replaced(ref_of("Mine"), "Mine", mine, "Test Author"),)
    assert school.title("Mine") is None


def test_an_edit_by_hand_that_was_merged_is_told(school: SchoolRepository) -> None:
    school.git("checkout", "--quiet", "-b", "side")
    mine = by_hand(school, "A is mine")
    school.git("checkout", "--quiet", "-")
    school.snapshot_of(B="B is better")
    school.git("merge", "--quiet", "--no-edit", "side")
    assert [one.commit for one in school.snapshot().replaced] == [mine]


def test_an_edit_by_hand_that_the_database_has_too_is_not_told(school: SchoolRepository) -> None:
    by_hand(school, "A is mine")
    school.database.edit(A, title="A is mine")
    school.snapshot_of(B="B is better")
    school.git("commit", "--quiet", "--allow-empty", "--message", "So that nothing is remembered")
    school.database.edit(A, title="A is newer")
    assert (school.snapshot().replaced, school.title("A")) == ((), "A is newer")


@pytest.mark.parametrize("between", [True, False], ids=["looked at", "straight on"])
def test_a_rollback_that_the_database_leaves_behind_is_not_told(
    school: SchoolRepository, between: bool
) -> None:
    bad = school.snapshot_of(A="A is bad")
    school.git("revert", "--no-edit", bad)
    if between:
        assert (school.snapshot().replaced, school.title("A")) == ((), "A is good")
    school.database.edit(A, title="A is mended")
    assert (school.snapshot().replaced, school.title("A")) == ((), "A is mended")


def test_a_first_snapshot_that_a_person_committed_is_no_edit_by_hand(
    school: SchoolRepository,
) -> None:
    school.git("commit", "--quiet", "--amend", "--message", "The first content, by me")
    school.database.edit(A, title="A is newer")
    assert (school.snapshot().replaced, school.title("A")) == ((), "A is newer")
