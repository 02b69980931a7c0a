"""Going back by `exporter rollback`: all content, a plan's part, a document; and it is held."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from exporter.content import rollback
from exporter.content.rollback import RollbackOptions, RollbackResult, roll_back
from exporter.core.model import PLAN, SUBJECT, TOPIC
from exporter.errors import Refused, UsageError
from tests.content.school_repository import FOLDER, SchoolRepository, ref_of
from tests.core.school import lesson, plan, subject, topic, track, unit

A, B = ref_of("A"), ref_of("B")
O = ref_of("O", TOPIC)  # noqa: E741 - the topic's name


@pytest.fixture
def school(tmp_path: Path) -> SchoolRepository:
    return SchoolRepository(tmp_path / "school")


def back(
    school: SchoolRepository,
    to: str,
    plans: tuple[str, ...] = (),
    documents: tuple[str, ...] = (),
    label: str = "20261121T082041Z-3f2a1bc9",
) -> RollbackResult:
    options = RollbackOptions(FOLDER, label, plans, documents)
    return roll_back(school.repository, school.repository.resolve(to), options)


def test_all_content_is_byte_for_byte_as_it_was(school: SchoolRepository) -> None:
    file = school.folder / school.path("A.yaml")
    file.write_text("# by hand\n" + file.read_text())
    (school.folder / FOLDER / "README.md").write_text("Hello")
    then = school.commit("By hand")
    school.database.put(lesson("New"))
    school.database.delete(B)
    school.database.edit(ref_of("C"), parent_topic="P")
    school.snapshot_of(A="A is bad")
    (school.folder / FOLDER / "README.md").write_text("Changed")
    school.commit("Notes")
    (school.folder / "elsewhere.txt").write_text("not content")
    school.commit("Elsewhere")
    result = back(school, then)
    assert school.git("diff", "--stat", then, "HEAD", "--", FOLDER) == ""
    assert school.git("diff", "--name-only", then, "HEAD") == "elsewhere.txt"
    assert school.git("status", "--porcelain") == ""
    assert result.plans == ("PLAN",)
    assert result.message == (
        "rollback: 1 lesson added, 1 lesson removed, 1 lesson changed, 1 lesson moved (The S)\n\n"
        f"Puts all content back as it was in 20261121T082041Z-3f2a1bc9 (commit {then[:12]}).\n\n"
        'changed lesson "A is good" (A) in The S › The T › The U › The O\n'
        'added lesson "B is good" (B) in The S › The T › The U › The O\n'
        'moved lesson "C is good" (C) in The S › The T › The U › The O\n'
        'removed lesson "The New" (New) in The S › The T › The U › The O\n\n'
        "Exporter-Rollback: 20261121T082041Z-3f2a1bc9\n"
        "Exporter-Plans: PLAN\n"
    )
    school.settle(A, B, ref_of("C"), ref_of("New"))


def test_nothing_to_do_makes_no_commit(school: SchoolRepository) -> None:
    head = school.head
    assert back(school, "HEAD") == RollbackResult(None)
    assert school.head == head


def test_only_what_differs_is_read_and_what_is_above_it(
    school: SchoolRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = school.head
    school.database.put(lesson("New", "P"))
    school.snapshot_of(A="A is bad")
    asked: set[str] = set()
    blobs = school.repository.blobs

    def noting(hashes: Iterable[str]) -> Iterable[bytes]:
        wanted = list(hashes)
        asked.update(wanted)
        return blobs(wanted)

    monkeypatch.setattr(school.repository, "blobs", noting)
    back(school, then)
    listed = [school.repository.tree(commit, FOLDER) for commit in (then, "HEAD~1")]
    names = {blob: path.rpartition("/")[2] for tree in listed for path, blob in tree.items()}
    assert sorted(names[blob] for blob in asked) == [
        *("A.yaml", "A.yaml", "New.yaml", "PLAN.yaml"),
        *("_subject.yaml", "_topic.yaml", "_topic.yaml", "_track.yaml", "_unit.yaml"),
    ]


def _edit_at_random(school: SchoolRepository, chance: random.Random) -> None:
    """Edit, add, delete and move some documents, whatever then stands below nothing."""
    database = school.database
    for number in range(4):
        ref = chance.choice(sorted(ref for ref in database.rows if ref[0] != PLAN))
        match chance.choice(["edit", "add", "delete", "move", "rename", "plan"]):
            case "edit":
                database.edit(ref, title=f"Title {chance.random()}")
            case "add":
                database.put(lesson(f"{ref[1]} {number}", chance.choice("OP")))
            case "delete" if ref[0] != SUBJECT:
                database.delete(ref)
            case "move" if ref[0] == TOPIC:
                database.put(unit("U2"))
                database.edit(ref, parent_unit="U2")
            case "rename":
                database.rename(ref, f"{ref[1][:20]}{chance.randrange(9)}")
            case _:
                subjects = sorted(name for doctype, name in database.rows if doctype == SUBJECT)
                database.put(plan("PLAN", subjects, title=f"Plan {chance.random()}"))


@pytest.mark.parametrize("seed", range(2))
def test_the_same_is_told_and_done_as_where_everything_is_read(
    school: SchoolRepository, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, commits = random.Random(seed), [school.head]  # noqa: S311
    for _ in range(3):
        _edit_at_random(school, chance)
        school.snapshot()
        commits.append(school.head)
    told = {then: _told(school, then) for then in commits[:-1]}
    some = rollback._Trees.only

    def all_of_them(self: rollback._Trees, _wanted: Iterable[str]) -> rollback._Trees:
        return some(self, {**self.now, **self.then})

    monkeypatch.setattr(rollback._Trees, "only", all_of_them)
    assert told == {then: _told(school, then) for then in told}


def _told(school: SchoolRepository, then: str) -> tuple[object, ...]:
    """Go back and forth again; return what was said and committed."""
    head = school.head
    result = back(school, then)
    committed = school.git("rev-parse", f"HEAD:{FOLDER}")
    assert committed == school.git("rev-parse", f"{then}:{FOLDER}")
    school.git("reset", "--quiet", "--hard", head)
    return result.message, result.changes, result.plans, committed


def test_a_file_that_was_broken_by_hand_is_put_back(school: SchoolRepository) -> None:
    then = school.head
    file = school.folder / school.path("A.yaml")
    file.write_text(file.read_text() + "title: twice\n")
    school.commit("By hand")
    assert 'changed lesson "A is good" (A)' in back(school, then).message
    assert school.git("diff", "--stat", then, "HEAD") == ""


def test_a_document_alone(school: SchoolRepository) -> None:
    then = school.head
    school.snapshot_of(A="A is bad", B="B is better")
    assert back(school, then, documents=("A",)).commit
    assert (school.title("A"), school.title("B")) == ("A is good", "B is better")
    school.settle(A)


def test_a_document_goes_back_to_its_place_below_a_moved_topic(school: SchoolRepository) -> None:
    then = school.head
    school.database.put(unit("U2"))
    school.database.edit(O, parent_unit="U2")
    school.database.edit(A, parent_topic="P")
    school.snapshot()
    back(school, then, documents=("A",))
    assert "/U2/O/A.yaml" in school.path("A.yaml")
    school.settle(A)


def test_a_document_without_the_topic_it_stood_in_is_refused(school: SchoolRepository) -> None:
    then = school.head
    school.database.edit(A, parent_topic="P")
    school.database.delete(O, B, ref_of("C"), ref_of("L"), ref_of("Unrelated"))
    school.snapshot()
    with pytest.raises(Refused, match="stood below topic 'O'"):
        back(school, then, documents=("A",))
    assert back(school, then, documents=("A", f"{TOPIC}/O")).commit
    assert school.parent("A") == "O"


def test_an_added_document_goes_and_a_deleted_one_comes_back(school: SchoolRepository) -> None:
    then = school.head
    school.database.put(lesson("New"))
    school.database.delete(A)
    school.snapshot()
    back(school, then, documents=("A", "New"))
    assert (school.title("A"), school.title("New")) == ("A is good", None)
    school.settle(A, ref_of("New"))


def test_a_plan_and_what_it_shows(school: SchoolRepository) -> None:
    school.database.put(
        subject("S2"), track("T2", "S2"), unit("U2", "T2"), topic("O2", "U2"), lesson("D", "O2")
    )
    school.database.put(plan("PLAN2", ["S2"], season="2026"), plan("PLAN", ["S"], season="2026"))
    school.snapshot()
    then = school.head
    school.database.edit(ref_of("PLAN", PLAN), title="Bad plan")
    school.database.edit(ref_of("S", SUBJECT), title="Bad subject")
    school.database.edit(ref_of("S2", SUBJECT), title="Better subject")
    school.database.edit(A, parent_topic="O2")
    school.database.put(lesson("New"))
    school.snapshot_of(D="D is better")
    back(school, then, plans=("PLAN",))
    assert school.title("PLAN", PLAN) == "The PLAN"
    assert school.title("S", SUBJECT) == "The S"
    assert school.title("S2", SUBJECT) == "Better subject"
    assert (school.title("D"), school.title("New"), school.parent("A")) == (
        "D is better",
        None,
        "O",
    )
    school.settle(A, ref_of("New"), ref_of("PLAN", PLAN), ref_of("S", SUBJECT))


def test_two_rollbacks_and_the_way_forward_again(school: SchoolRepository) -> None:
    first = school.head
    second = school.snapshot_of(A="A is bad")
    third = school.snapshot_of(A="A is worse")
    back(school, second, documents=("A",))
    back(school, first, documents=("A",))
    school.settle(A, snapshots=1)
    school.database.edit(A, title="A is bad")
    school.settle(A, snapshots=1, git_knows=False)
    back(school, third, documents=("A",))
    assert school.title("A") == "A is worse"
    school.settle(A)
    school.database.edit(A, title="A is worse still")
    school.takes_everything()


def test_names_that_nobody_has_are_refused(school: SchoolRepository) -> None:
    with pytest.raises(UsageError, match="no document 'Nobody'"):
        back(school, "HEAD", documents=("Nobody",))
    with pytest.raises(UsageError, match="no plan 'Nobody'") as caught:
        back(school, "HEAD", plans=("Nobody",))
    assert "exporter show" in caught.value.hint
    with pytest.raises(UsageError, match="no content"):
        back(school, "HEAD~1")


def test_a_name_of_two_documents_asks_which(school: SchoolRepository) -> None:
    then = school.head
    school.database.put(topic("A", title="Topic A"))
    school.snapshot_of(A="A is bad")
    with pytest.raises(UsageError, match="2 documents"):
        back(school, then, documents=("A",))
    back(school, then, documents=("Memora Lesson/A",))
    assert (school.title("A"), school.title("A", TOPIC)) == ("A is good", "Topic A")


def test_uncommitted_edits_are_in_nobodys_way_or_refused(school: SchoolRepository) -> None:
    then = school.head
    school.snapshot_of(A="A is bad")
    (school.folder / "notes.txt").write_text("mine")
    file = school.folder / school.path("B.yaml")
    file.write_text(file.read_text() + "# mine\n")
    with pytest.raises(Refused, match="uncommitted"):
        back(school, then)
    school.git("checkout", "--", FOLDER)
    assert back(school, then).commit
    assert school.git("status", "--porcelain") == "?? notes.txt"
