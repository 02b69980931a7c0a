"""Two forms of a lesson side by side: stages that belong together, and the words between them."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.artifacts import Body
from exporter.core.diff_words import Piece
from exporter.core.model import Json
from exporter.core.side_by_side import Lined, side_by_side

WHOLE_GONE, WHOLE_NEW = (Piece("gone", ""),), (Piece("new", ""),)


def lesson(*stages: Body, title: str = "A lesson") -> Body:
    numbered = [{"idx": place, **stage} for place, stage in enumerate(stages, start=1)]
    return {"id": "L", "title": title, "version": 1, "stages": cast("list[Json]", numbered)}


def text(title: str, words: str) -> Body:
    return {"title": title, "type": "Text", "weight": 1.0, "config": {"text": words}}


def test_the_same_lesson_has_no_marks() -> None:
    one = lesson(text("A", "some words"), text("B", "more words"))
    assert side_by_side(one, {**one, "version": 2}) == Lined(((0, 0), (1, 1)))


def test_a_changed_word_is_marked_on_both_sides() -> None:
    lined = side_by_side(lesson(text("A", "an old word")), lesson(text("A", "a new word")))
    assert lined.pairs == ((0, 0),)
    at = "/stages/0/config/text"
    assert "".join(piece.text for piece in lined.left[at]) == "an old word"
    assert "".join(piece.text for piece in lined.right[at]) == "a new word"
    assert {piece.op for piece in lined.left[at]} == {"same", "gone"}
    assert {piece.op for piece in lined.right[at]} == {"same", "new"}


def test_a_stage_put_in_between_marks_only_itself() -> None:
    first, last = text("A", "the first words"), text("B", "the last words")
    between: Body = {"title": "C", "type": "Video", "weight": 1.0, "config": {"url": "u"}}
    lined = side_by_side(lesson(first, last), lesson(first, between, last))
    assert lined == Lined(((0, 0), (None, 1), (1, 2)), {}, {"/stages/1": WHOLE_NEW})


def test_a_stage_that_is_gone_stands_where_it_stood() -> None:
    first, last = text("A", "the first words"), text("B", "the last words")
    gone: Body = {"title": "C", "type": "Video", "weight": 1.0, "config": {"url": "u"}}
    lined = side_by_side(lesson(first, gone, last), lesson(first, last))
    assert lined == Lined(((0, 0), (1, None), (2, 1)), {"/stages/1": WHOLE_GONE}, {})


def test_numbers_and_list_items_are_marked_as_wholes() -> None:
    def question(options: list[Json], attempts: int) -> Body:
        config: Body = {"question": "Which one of these?", "options": options, "tries~": attempts}
        return {"title": "Q", "type": "Question", "weight": 1.0, "config": config}

    lined = side_by_side(lesson(question(["a", "b"], 2)), lesson(question(["b", "c"], 3)))
    at = "/stages/0/config"
    assert lined.left == {f"{at}/options/0": WHOLE_GONE, f"{at}/tries~0": WHOLE_GONE}
    assert lined.right == {f"{at}/options/1": WHOLE_NEW, f"{at}/tries~0": WHOLE_NEW}


def test_a_lesson_that_is_only_on_one_side_is_marked_as_a_whole() -> None:
    lined = side_by_side({}, lesson(text("A", "words")))
    assert lined.pairs == ((None, 0),)
    assert lined.left == {}
    assert lined.right["/stages/0"] == WHOLE_NEW


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab ", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b/", "~c"]), inner, max_size=3)
    ),
    max_leaves=8,
)
STAGES = st.lists(
    st.fixed_dictionaries({"title": st.text("ab ", max_size=4), "config": JSON}), max_size=4
)


@given(STAGES, STAGES)
def test_every_stage_of_both_sides_stands_once_and_texts_are_whole(
    before: list[Body], after: list[Body]
) -> None:
    one, other = lesson(*before), lesson(*after)
    lined = side_by_side(one, other)
    olds, news = zip(*lined.pairs, strict=True) if lined.pairs else ((), ())
    assert sorted(place for place in olds if place is not None) == list(range(len(before)))
    assert [place for place in news if place is not None] == list(range(len(after)))
    for body, marks in ((one, lined.left), (other, lined.right)):
        for pointer, pieces in marks.items():
            value = found(body, pointer)
            if isinstance(value, str) and pieces not in (WHOLE_GONE, WHOLE_NEW):
                assert "".join(piece.text for piece in pieces) == value


def found(value: Json, pointer: str) -> Json:
    """Return what a JSON pointer leads to; KeyError or IndexError where it leads nowhere."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[int(name)]
        else:
            assert isinstance(value, dict)
            value = value[name]
    return value
