"""A snapshot from its files: what cannot be placed is told, nothing else is lost (E101-E104)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.content.yaml_reader import read_file
from exporter.core.findings import Finding
from exporter.core.loading import Loaded, ParsedFile, assemble
from exporter.core.model import LESSON, PLAN, SUBJECT, TOPIC, TRACK, UNIT, Document, Json
from exporter.core.tree import grow
from tests.core.inspected import broken, files_of, load, with_field
from tests.core.school import lesson, plan, school, subject, topic, track, unit
from tests.core.test_tree import renamed

S, T, U = subject().ref, track().ref, unit().ref
TRACK_FILE = "subjects/S/T/_track.yaml"
UNIT_FILE = "subjects/S/T/U/_unit.yaml"
TOPIC_FILE = "subjects/S/T/U/O/_topic.yaml"
LESSON_FILE = "subjects/S/T/U/O/L.yaml"


def findings(loaded: Loaded) -> list[tuple[str, str, str]]:
    return [(found.code, found.path, found.message) for found in loaded.findings]


def names(loaded: Loaded) -> str:
    return "".join(sorted(name for doctype, name in loaded.snapshot.documents if doctype != PLAN))


def mapping_of(path: str) -> dict[str, Json]:
    return dict(files_of(*school())[path].mapping or {})


@given(renamed(), st.data())
def test_a_snapshots_files_in_any_order_give_the_snapshot_back(
    documents: tuple[Document, ...], data: st.DataObject
) -> None:
    files = list(files_of(*documents).values())
    loaded = assemble(data.draw(st.permutations(files)), {})
    snapshot = grow(documents)
    assert (loaded.snapshot, loaded.broken_plans) == (snapshot, frozenset())
    clashing = sorted(ref for group in snapshot.clashes for ref in group)
    assert {found.code for found in loaded.findings} <= {"E107"}
    assert sorted({found.ref for found in loaded.findings if found.ref}) == sorted(set(clashing))


def test_no_files_are_an_empty_snapshot() -> None:
    assert assemble((), {}) == Loaded(grow(()))


def test_extra_fields_are_read_where_they_are_configured() -> None:
    files = files_of(*school(lesson(difficulty="hard"))).values()
    loaded = assemble(files, {LESSON: ("difficulty",)})
    found = loaded.snapshot.find(LESSON, "L")
    assert found is not None
    assert (list(found.extras()), loaded.findings) == ([("difficulty", "hard")], ())
    assert [found.code for found in assemble(files, {}).findings] == ["E103"]


def test_an_unreadable_file_is_told_and_its_nearest_readable_ancestor_is_the_anchor() -> None:
    loaded = load(broken(files_of(*school()), LESSON_FILE))
    assert loaded.findings == (
        Finding(
            "E101",
            LESSON_FILE,
            "not YAML",
            "mend the YAML, or find a good version with `git log -- FILE` and bring it back with "
            "`git checkout COMMIT -- FILE`",
            line=3,
            ref=(LESSON, "L"),
            anchors=((TOPIC, "O"),),
        ),
    )
    assert (names(loaded), loaded.broken_plans) == ("OSTU", frozenset())


@pytest.mark.parametrize(
    ("path", "left", "anchor"),
    [
        ("subjects/S/_subject.yaml", "", (SUBJECT, "S")),
        (TRACK_FILE, "S", S),
        (UNIT_FILE, "ST", T),
        (TOPIC_FILE, "STU", U),
    ],
)
def test_what_is_below_an_unreadable_file_is_left_out_and_told_once(
    path: str, left: str, anchor: tuple[str, str]
) -> None:
    loaded = load(broken(files_of(*school()), path))
    assert [(found.code, found.anchors) for found in loaded.findings] == [("E101", (anchor,))]
    assert names(loaded) == left


def test_below_an_unreadable_subject_everything_is_anchored_there() -> None:
    files = broken(files_of(*school()), "subjects/S/_subject.yaml")
    loaded = load(broken(files, LESSON_FILE))
    assert [found.anchors for found in loaded.findings] == [((SUBJECT, "S"),)] * 2


def test_an_unreadable_plan_is_broken_and_not_gone() -> None:
    files = files_of(*school(), plan("OTHER"))
    loaded = load(with_field(broken(files, "plans/PLAN.yaml"), "plans/OTHER.yaml", "name", 1))
    assert loaded.broken_plans == {"plans/PLAN.yaml", "plans/OTHER.yaml"}
    assert [found.code for found in loaded.findings] == ["E103", "E101"]


@pytest.mark.parametrize(
    "path", ["README.md", "plans/x/P.yaml", "subjects/S/notes.yaml", "orphans/Memora Lesson.yaml"]
)
def test_a_file_without_a_place_is_told_and_concerns_nobody(path: str) -> None:
    files = files_of(*school())
    loaded = load({**files, path: ParsedFile(path, {"name": "x"})})
    assert loaded.snapshot == load(files).snapshot
    assert findings(loaded) == [
        ("E102", path, "the snapshot's layout has no place for this file"),
    ]
    assert loaded.findings[0].anchors == ()


def test_a_file_under_another_name_is_told_where_it_belongs() -> None:
    files = with_field(files_of(*school()), LESSON_FILE, "name", "L2")
    loaded = load(files)
    assert findings(loaded) == [
        ("E102", LESSON_FILE, "L2 belongs in subjects/S/T/U/O/L2.yaml"),
    ]
    assert (loaded.findings[0].ref, names(loaded)) == ((LESSON, "L2"), "L2OSTU")


def test_a_folder_under_another_name_is_told_once_at_its_own_file() -> None:
    loaded = load(with_field(files_of(*school()), TRACK_FILE, "name", "T2"))
    assert findings(loaded) == [
        ("E102", TRACK_FILE, "T2 belongs in subjects/S/T2/_track.yaml"),
    ]
    found = loaded.snapshot.find(UNIT, "U")
    assert found is not None
    assert found.parent == "T2"


def test_what_is_in_a_folder_under_another_name_is_not_told_too() -> None:
    loaded = load(with_field(files_of(*school()), TOPIC_FILE, "name", "O2"))
    assert findings(loaded) == [
        ("E102", TOPIC_FILE, "O2 belongs in subjects/S/T/U/O2/_topic.yaml"),
    ]


def test_an_orphan_lesson_that_found_its_topic_is_told_where_it_belongs() -> None:
    loaded = load({**files_of(*school()), **files_of(lesson("L2"))})
    assert findings(loaded) == [
        ("E102", "orphans/Memora Lesson/L2.yaml", "L2 belongs in subjects/S/T/U/O/L2.yaml")
    ]


def test_an_orphan_that_found_its_parent_is_told_where_it_belongs() -> None:
    orphan = files_of(topic("O2", "U"))
    loaded = load({**files_of(*school()), **orphan})
    assert findings(loaded) == [
        (
            "E102",
            "orphans/Memora Topic/O2.yaml",
            "O2 belongs in subjects/S/T/U/O2/_topic.yaml",
        )
    ]


def test_a_document_in_two_files_is_told_at_the_second_and_read_from_the_first() -> None:
    files = files_of(*school(topic("O2"), lesson("L", "O2", bit_index=7)))
    both = {**files, **files_of(*school(topic("O2")))}
    loaded = load(both)
    assert findings(loaded) == [
        (
            "E102",
            "subjects/S/T/U/O2/L.yaml",
            f"L also stands in {LESSON_FILE}: a document has one file",
        )
    ]
    assert loaded.findings[0].anchors == ((LESSON, "L"), (TOPIC, "O2"))
    assert loaded.snapshot.find(LESSON, "L") == lesson()


def test_faults_of_a_file_are_told_at_their_places_in_it() -> None:
    files = with_field(files_of(*school()), LESSON_FILE, "sort_order", "1")
    (found,) = load(with_field(files, LESSON_FILE, "owner", "x")).findings[:1]
    assert (found.code, found.path, found.pointer) == ("E103", LESSON_FILE, ("sort_order",))
    assert (found.ref, found.anchors) == (lesson().ref, (lesson().ref,))


def test_a_fault_that_may_hide_a_document_is_anchored_above_it_too() -> None:
    loaded = load(with_field(files_of(*school()), LESSON_FILE, "is_published", "yes"))
    assert [found.anchors for found in loaded.findings] == [(topic().ref, lesson().ref)]
    nameless = load(with_field(files_of(*school()), LESSON_FILE, "name", 3))
    assert [(found.ref, found.anchors) for found in nameless.findings] == [(None, (topic().ref,))]


def test_a_missing_parent_file_is_told_once_and_what_is_below_is_left_out() -> None:
    files = files_of(*school(lesson("L2"), topic("O2"), lesson("L3", "O2")))
    del files[UNIT_FILE]
    loaded = load(files)
    assert loaded.findings == (
        Finding(
            "E104",
            UNIT_FILE,
            "the unit's own file is missing, but files stand below it",
            "restore it, or delete the folder; a full snapshot mends both",
            line=1,
            ref=U,
            anchors=(T,),
        ),
    )
    assert names(loaded) == "ST"


def test_every_missing_ancestor_is_told() -> None:
    files = {LESSON_FILE: files_of(*school())[LESSON_FILE]}
    loaded = load(files)
    assert [(found.path, found.anchors) for found in loaded.findings] == [
        (path, (S,)) for path in (TOPIC_FILE, UNIT_FILE, TRACK_FILE, "subjects/S/_subject.yaml")
    ]


def test_names_that_clash_are_told_at_both() -> None:
    loaded = load(files_of(*school(lesson("l"))))
    group = ((LESSON, "L"), (LESSON, "l"))
    found = {one.path: one for one in loaded.findings}
    assert [one.code for one in loaded.findings] == ["E107", "E107"]
    assert [one.anchors for one in loaded.findings] == [group, group]
    assert found[LESSON_FILE].message == "the name 'L' cannot be told from 'l' in paths and keys"
    assert len(found) == 2


def test_names_that_clash_may_stand_under_their_own_segments_both() -> None:
    by_hand = "subjects/S/T/U/O/l.yaml"
    added = ParsedFile(by_hand, {**mapping_of(LESSON_FILE), "name": "l"})
    loaded = load({**files_of(*school()), by_hand: added})
    assert [(found.code, found.path) for found in loaded.findings] == [
        ("E107", LESSON_FILE),
        ("E107", by_hand),
    ]


def test_is_published_that_is_missing_next_to_another_fault_is_told_too() -> None:
    mapping = mapping_of(LESSON_FILE)
    del mapping["is_published"]
    misspelt = ParsedFile(LESSON_FILE, {**mapping, "is_publised": True})
    loaded = load({**files_of(*school()), LESSON_FILE: misspelt})
    assert [(found.pointer, found.anchors) for found in loaded.findings] == [
        (("is_publised",), (lesson().ref,)),
        (("is_published",), (topic().ref, lesson().ref)),
    ]
    omitted = load({**files_of(*school()), LESSON_FILE: ParsedFile(LESSON_FILE, mapping)})
    assert omitted.findings == ()
    grade = ParsedFile("grades/12.yaml", {"name": "12", "owner": "x"})
    assert [found.pointer for found in load({grade.path: grade}).findings] == [("owner",)]


def test_doctypes_do_not_clash_with_each_other() -> None:
    same = (subject("A"), track("a", "A"), unit("A", "a"), topic("a", "A"), lesson("A", "a"))
    assert load(files_of(plan("a", subjects=["A"]), *same)).findings == ()
    assert (TRACK, "a") in grow(same).paths


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('name: L\ntitle: "Light\nbit_index: 1\nis_published: true\n', 2),
        ("name: L\nstages: [1,\nbit_index: 1\n", 2),
        ("name: L\ntitle: Light\nbit_index: 1: 2\n", 3),
    ],
)
def test_what_is_not_closed_is_told_where_it_begins(text: str, line: int) -> None:
    assert read_file(LESSON_FILE, text.encode()).line == line
