"""Words, order and nested values of a diff, and what content may not do to a report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from exporter.core.diff_markdown import escape
from exporter.core.diff_order import moved
from exporter.core.diff_safe import isolated, visible
from exporter.core.diff_values import Detail, Effect, ItemName, changed_fields, changed_rows
from exporter.core.diff_words import Piece, excerpt, word_diff, words_of
from exporter.core.model import Document
from tests.core.documents import documents
from tests.core.hostile import TEXTS
from tests.core.school import lesson, override, plan, stage, topic, unit


def told(before: str, after: str, context: int = 3) -> str:
    marks = {"same": "{}", "cut": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
    pieces = excerpt(word_diff(before, after), context)
    return "".join(marks[piece.op].format(piece.text) for piece in pieces)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "the red small cat sat",
            "the blue large cat sat",
            "the [-red small-]{+blue large+} cat sat",
        ),
        ("يكتب الطالبُ الدرسَ", "يكتب المعلّمُ الدرسَ", "يكتب [-الطالبُ-]{+المعلّمُ+} الدرسَ"),
        ("我喜欢数学", "我喜欢物理", "我喜欢[-数学-]{+物理+}"),
        ("one", "one two", "one{+ two+}"),
        ("a b c d e f g h i j X k", "a b c d e f g h i j Y k", "…h i j [-X-]{+Y+} k"),
        ("can\u200cnot go", "cannot go", "[-can\u200cnot-]{+cannot+} go"),
        ("one\ntwo\nthree", "one\nthree", "one\n[-two\n-]three"),
    ],
)
def test_a_change_is_told_by_whole_words(before: str, after: str, expected: str) -> None:
    assert told(before, after) == expected


def test_four_words_in_three_hundred_are_told_as_those_words() -> None:
    words = [f"word{number}" for number in range(300)]
    fixed = [*words[:150], "four", "new", "words", "here", *words[154:]]
    expected = "…word147 word148 word149 [-word150 word151 word152 word153-]"
    expected += "{+four new words here+} word154 word155 word156…"
    assert told(" ".join(words), " ".join(fixed)) == expected


@given(TEXTS, TEXTS)
def test_pieces_make_both_texts(before: str, after: str) -> None:
    pieces = word_diff(before, after)
    assert "".join(one.text for one in pieces if one.op != "new") == before
    assert "".join(one.text for one in pieces if one.op != "gone") == after


@given(TEXTS)
def test_the_words_of_a_text_are_the_text(text: str) -> None:
    assert "".join(words_of(text)) == text


def test_a_text_of_equal_words_beyond_all_bounds_is_told_as_replaced() -> None:
    before, after = "x " + "a b " * 5_000 + "y", "z " + "b a " * 5_000 + "w"
    start = time.process_time()
    ops = [piece.op for piece in word_diff(before, after)]
    assert ops == ["gone", "new"]
    assert time.process_time() - start < 5


@given(st.permutations(range(8)))
def test_what_did_not_move_ascends_and_nothing_more_could_stay(ranks: list[int]) -> None:
    taken = moved(ranks)
    kept = [rank for place, rank in enumerate(ranks) if place not in taken]
    assert kept == sorted(kept)
    assert len(kept) == max(len(chain) for chain in _ascending(ranks))


def _ascending(ranks: list[int]) -> list[list[int]]:
    chains: list[list[int]] = [[]]
    for rank in ranks:
        chains += [[*chain, rank] for chain in chains if not chain or chain[-1] < rank]
    return chains


def test_what_kept_its_number_is_not_what_moved() -> None:
    assert moved([2, 1], [True, False]) == {1}
    assert moved([2, 1], [False, True]) == {0}


def rows(before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]) -> list[Detail]:
    """Return what differs between two lessons of one stage with these cards."""
    sides = (
        lesson(stages=[stage("Text", {"cards": [dict(card) for card in cards]})])
        for cards in (before, after)
    )
    return list(changed_rows(*sides))


def test_an_item_put_first_is_one_addition() -> None:
    a, b, new = ({"text": text, "box": "left"} for text in ("alpha", "beta", "gamma"))
    path = (*_STAGE, "cards", ItemName("item", 1, "gamma"))
    assert rows([a, b], [new, a, b]) == [Detail(Effect.ADDED, path, None, dict(new))]


_STAGE = ("stages", ItemName("stage", 1, "A Text"), "config")


def test_the_last_item_dragged_to_the_top_moved_and_nothing_else() -> None:
    a, b, c = ({"text": text} for text in ("alpha", "beta", "gamma"))
    path = (*_STAGE, "cards", ItemName("item", 1, "gamma"))
    assert rows([a, b, c], [c, a, b]) == [Detail(Effect.MOVED_UP, path, 3, 1)]


def test_an_item_that_changed_is_matched_by_what_it_kept() -> None:
    a = {"text": "the first of all the cards", "box": "left"}
    b = {"text": "something else", "box": "right"}
    fixed = {"text": "the first of all our cards", "box": "left"}
    details = rows([a, b], [b, fixed])
    places = [(one.effect, one.path[-1]) for one in details]
    assert places[1] == (Effect.CHANGED, "text")
    assert places[0][0] in (Effect.MOVED_UP, Effect.MOVED_DOWN)
    assert details[1].words == (
        Piece("same", "the first of all "),
        Piece("gone", "the"),
        Piece("new", "our"),
        Piece("same", " cards"),
    )


def test_types_and_emptiness_of_config_values_count() -> None:
    before = lesson(stages=[stage("Text", {"a": 1, "b": "", "c": None, "d": [1, 2], "e": True})])
    after = lesson(stages=[stage("Text", {"a": "1", "b": "x", "d": [2], "e": 1, "f": {}})])
    found = {
        one.path[-1]: (one.effect, one.before, one.after) for one in changed_rows(before, after)
    }
    assert found == {
        "a": (Effect.CHANGED, 1, "1"),
        "b": (Effect.CHANGED, "", "x"),
        "c": (Effect.REMOVED, None, None),
        ItemName("item", 1): (Effect.REMOVED, 1, None),
        "e": (Effect.CHANGED, True, 1),
        "f": (Effect.ADDED, None, {}),
    }


def test_an_override_with_another_value_is_the_same_row() -> None:
    before = plan(overrides=[override(topic(), "Rename", "Old"), override(unit(), "Hide")])
    after = plan(overrides=[override(unit(), "Hide"), override(topic(), "Rename", "New")])
    details = list(changed_rows(before, after))
    assert [(one.effect, one.path[2:], one.before, one.after) for one in details] in (
        [(Effect.MOVED_UP, (), 2, 1), (Effect.CHANGED, ("override_value",), "Old", "New")],
        [(Effect.MOVED_DOWN, (), 1, 2), (Effect.CHANGED, ("override_value",), "Old", "New")],
    )


@given(documents(), documents())
def test_equal_documents_have_no_details_and_others_have_some(
    one: Document, other: Document
) -> None:
    assert [*changed_fields(one, one), *changed_rows(one, one)] == []
    if one.doctype == other.doctype:
        hidden = one.type.parent_field
        sides = [{k: v for k, v in d.fields.items() if k != hidden} for d in (one, other)]
        details = [*changed_fields(one, other), *changed_rows(one, other)]
        if sides[0] != sides[1] or one.rows != other.rows:
            assert details


class _Text(HTMLParser):
    """The text of an HTML page, and the names of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.elements: set[str] = set()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        assert attrs == []


@given(TEXTS | st.text(alphabet="<>&*_`[]()!@#:/~|\\$ \nawxGH-1.{}", max_size=30))
def test_content_reads_as_itself_in_markdown_and_makes_no_markup(text: str) -> None:
    page = _Text()
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    page.feed(markdown.render(f"- title *x{escape(text)}x* end"))
    seen = page.text.replace("\u200b", "").replace("\n", "")
    assert seen == f"title x{visible(text).replace(chr(0x200B), '')}x end"
    assert page.elements <= {"ul", "li", "em", "span"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@octocat", "@&#8203;octocat"),
        ("owner/repo#12", "owner/repo#&#8203;12"),
        ("GH-12", "GH&#8203;-12"),
        ("https://evil.example", "https:&#8203;//evil.example"),
        ("www.evil.example", "www&#8203;.evil.example"),
        ("a\u202eb\u2067c\x07", "a\\[U+202E\\]b\\[U+2067\\]c\\[U+0007\\]"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_content_mentions_nobody_and_turns_nothing_around(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_only_right_to_left_text_is_isolated() -> None:
    assert isolated("الدرس 1") == "\u2068الدرس 1\u2069"
    assert isolated("Lesson 1") == "Lesson 1"
