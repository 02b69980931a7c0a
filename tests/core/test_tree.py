"""The curriculum as a tree and as paths (spec 1 "Order", spec 2)."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.core.model import (
    CURRICULUM,
    DOCTYPES,
    GRADE,
    LESSON,
    PLAN,
    SEASON,
    STREAM,
    SUBJECT,
    TOPIC,
    TRACK,
    UNIT,
    Document,
)
from exporter.core.segments import segment
from exporter.core.tree import Place, Snapshot, grow, place_of
from tests.core.curricula import curricula
from tests.core.hostile import NAMES
from tests.core.school import document, lesson, plan, school, subject, topic, track, unit

FLAT = (plan(), *(document(doctype, "2026") for doctype in (SEASON, GRADE, STREAM)))


@st.composite
def renamed(draw: st.DrawFn) -> tuple[Document, ...]:
    """Draw a curriculum, some flat documents, and hostile names in the place of simple ones."""
    drawn = (*FLAT, *draw(curricula()))
    simple = sorted({one.name for one in drawn} | {one.parent for one in drawn if one.parent})
    names = st.lists(NAMES, min_size=len(simple), max_size=len(simple), unique=True)
    new = dict(zip(simple, draw(names), strict=True))
    return tuple(_renamed(one, new) for one in drawn)


def _renamed(one: Document, new: dict[str, str]) -> Document:
    link = one.type.parent_field
    fields = {**one.fields, link: new[one.parent]} if link else one.fields
    return Document(one.doctype, new[one.name], fields, one.rows)


def test_the_folder_tree_is_the_curriculum_tree() -> None:
    assert grow((*school(), *FLAT, topic("O2", "GONE"))).paths == {
        (PLAN, "PLAN"): "plans/PLAN.yaml",
        (SEASON, "2026"): "seasons/2026.yaml",
        (GRADE, "2026"): "grades/2026.yaml",
        (STREAM, "2026"): "streams/2026.yaml",
        (SUBJECT, "S"): "subjects/S/_subject.yaml",
        (TRACK, "T"): "subjects/S/T/_track.yaml",
        (UNIT, "U"): "subjects/S/T/U/_unit.yaml",
        (TOPIC, "O"): "subjects/S/T/U/O/_topic.yaml",
        (LESSON, "L"): "subjects/S/T/U/O/L.yaml",
        (TOPIC, "O2"): "orphans/Memora Topic/O2.yaml",
    }


def test_what_is_below_an_orphan_is_an_orphan_and_keeps_its_family() -> None:
    snapshot = grow((unit("U", "GONE"), topic(), lesson()))
    assert sorted(snapshot.paths.values()) == [
        "orphans/Memora Lesson/L.yaml",
        "orphans/Memora Topic/O.yaml",
        "orphans/Memora Unit/U.yaml",
    ]
    assert [one.name for one in snapshot.lineage(lesson())] == ["U", "O", "L"]
    assert [one.name for one in snapshot.below(unit())] == ["U", "O", "L"]
    assert snapshot.children.keys() == {unit().ref, topic().ref}
    assert snapshot.is_orphan(lesson())
    assert not snapshot.is_orphan(plan())


def test_names_of_one_folder_that_clash_are_told_and_both_have_a_path() -> None:
    snapshot = grow(school(lesson("l"), lesson("m"), topic("o", "GONE")))
    assert snapshot.clashes == (((LESSON, "L"), (LESSON, "l")),)
    assert len(set(map(str.casefold, snapshot.paths.values()))) == len(snapshot.paths)


def test_orphans_of_a_doctype_clash_as_any_names_of_a_folder() -> None:
    assert grow((topic("o", "X"), topic("O", "Y"))).clashes == (((TOPIC, "O"), (TOPIC, "o")),)


def test_siblings_are_ordered_as_integers_and_then_by_code_point() -> None:
    orders = {"z": 9, "a": 10, "B": 10, "é": 10, "A": -1}
    made = [track(name, sort_order=order) for name, order in orders.items()]
    snapshot = grow((subject(), *made))
    assert [one.name for one in snapshot.children_of(subject())] == ["A", "z", "B", "a", "é"]


def test_documents_of_a_type_come_in_code_point_order() -> None:
    snapshot = grow((plan("b"), plan("B"), plan("é"), subject()))
    assert [one.name for one in snapshot.of_type(PLAN)] == ["B", "b", "é"]


def test_a_snapshot_finds_documents_and_parents() -> None:
    snapshot = grow(school())
    assert snapshot.find(UNIT, "U") == unit()
    assert snapshot.find(UNIT, "X") is None
    assert snapshot.parent_of(unit()) == track()
    assert snapshot.parent_of(subject()) is None
    assert snapshot.children_of(lesson()) == ()


def test_nothing_grows_from_nothing() -> None:
    assert grow(()) == Snapshot()


@given(renamed(), st.data())
def test_any_order_of_the_documents_gives_the_same_snapshot(
    documents: tuple[Document, ...], data: st.DataObject
) -> None:
    again = grow(data.draw(st.permutations(documents)))
    assert again == grow(documents)


@given(renamed())
def test_the_place_of_a_path_is_what_it_was_made_for(documents: tuple[Document, ...]) -> None:
    snapshot = grow(documents)
    for one in documents:
        path = snapshot.paths[one.ref]
        is_orphan = snapshot.is_orphan(one)
        parent = None if is_orphan else snapshot.parent_of(one)
        folder = path.rsplit("/", 1)[0] if one.type.index_file and not is_orphan else path
        own = folder.rsplit("/", 1)[-1]
        assert place_of(path) == Place(
            one.doctype,
            own.removesuffix(".yaml") if folder == path else own,
            snapshot.paths[parent.ref] if parent else None,
            is_orphan,
        )


@given(renamed())
def test_every_document_has_a_path_of_its_own_on_any_file_system(
    documents: tuple[Document, ...],
) -> None:
    snapshot = grow(documents)
    folded = {path.casefold() for path in snapshot.paths.values()}
    assert set(snapshot.paths) == {one.ref for one in documents}
    assert len(folded) == len(documents)
    assert all(len(part.encode()) <= 205 for path in folded for part in path.split("/"))


@given(renamed())
def test_a_name_without_a_clash_stands_in_its_path_as_its_segment(
    documents: tuple[Document, ...],
) -> None:
    snapshot = grow(documents)
    assume(not snapshot.clashes)
    for one in documents:
        parts = snapshot.paths[one.ref].removesuffix(".yaml").split("/")
        in_folder = one.type.index_file and not snapshot.is_orphan(one)
        assert parts[-2 if in_folder else -1] == segment(one.name)


@pytest.mark.parametrize(
    "path",
    [
        *("", "README.md", "plans", "plans/", "plans/P", "plans/P.yml", "plans/a/P.yaml"),
        *("plans/_P.yaml", "Plans/P.yaml", "plans//P.yaml", "/plans/P.yaml", "P.yaml"),
        *("subjects/S.yaml", "subjects/S/_track.yaml", "subjects/_subject.yaml"),
        *(
            "subjects/S/T/_subject.yaml",
            "subjects/S/T.yaml",
            "subjects//T/_track.yaml",
            "subjects/S/T/U/O.yaml",
        ),
        *("subjects/S/T/U/O/L/L.yaml", "subjects/S/T/U/O/L/_lesson.yaml"),
        *("subjects/S/T/U/O/_lesson.yaml", "subjects/S/T/U/O/_unit.yaml"),
        *("orphans/S.yaml", "orphans/Memora Subject/S.yaml", "orphans/Memora Academic Plan/P.yaml"),
        *("orphans/Memora Track/T/T.yaml", "orphans/Track/T.yaml"),
    ],
)
def test_the_layout_has_no_place_for_other_paths(path: str) -> None:
    assert place_of(path) is None


def test_the_layout_follows_the_declaration() -> None:
    flat = {doctype.folder for doctype in DOCTYPES.values() if doctype.name not in CURRICULUM}
    assert flat == {"plans", "seasons", "grades", "streams"}
