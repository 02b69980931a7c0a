"""Names as segments: the rules of spec 1, "Names", one by one, and the laws that they keep."""

from __future__ import annotations

import hashlib
import unicodedata
from random import Random
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.core.segments import Assigned, assign, object_url, segment
from tests.core.hostile import NAMES

LONG_NAMES = st.one_of(NAMES, st.lists(NAMES, max_size=20).map("".join).filter(bool))


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "name",
    [
        *("LESSON-MATH-001", "4f2c9a1b7e", "a.b~c_d-e", "two words", "~", "-", "a_", "x" * 140),
        *("الجبر", "الدّرس الأوّل", "é", "学", "Ωμέγα", "٣٤", "हिन्दी", "\u0301a"),
        *("CONSOLE", "COM", "COM0", "COM10", "LPT", "AUXILIARY", "acon", "con-1", "nul x"),
    ],
)
def test_a_name_of_kept_characters_is_its_own_segment(name: str) -> None:
    assert segment(name) == name


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a/b", "a%2Fb"),
        ("a\\b", "a%5Cb"),
        ("100%", "100%25"),
        ("%41", "%2541"),
        ("a:b?c*d", "a%3Ab%3Fc%2Ad"),
        ("a\nb", "a%0Ab"),
        ("a\u00a0b", "a%C2%A0b"),
        ("½", "%C2%BD"),
        ("Ⅷ", "%E2%85%A7"),
        ("🎓", "%F0%9F%8E%93"),
        ("\u200f", "%E2%80%8F"),
        ("a،b", "a%D8%8Cb"),
    ],
)
def test_every_other_character_is_percent_encoded_in_upper_case(name: str, written: str) -> None:
    assert segment(name) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("_track", "%5Ftrack"),
        ("_", "%5F"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        (" a", "%20a"),
        (" ", "%20"),
        ("a ", "a%20"),
        ("a.", "a%2E"),
        ("a..", "a.%2E"),
        ("a. .b", "a. .b"),
        ("__a", "%5F_a"),
        ("_.", "%5F%2E"),
    ],
)
def test_what_a_path_may_not_start_or_end_with_is_encoded(name: str, written: str) -> None:
    assert segment(name) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a/\u0651b", "a%2F%D9%91b"),
        ("/\u0651\u0651", "%2F%D9%91%D9%91"),
        ("_\u0651a\u0651", "%5F%D9%91a\u0651"),
        ("\u0651", "\u0651"),
    ],
)
def test_a_mark_after_an_encoded_character_is_encoded_too(name: str, written: str) -> None:
    assert segment(name) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("CON", "%43ON"),
        ("con", "%63on"),
        ("Prn.txt", "%50rn.txt"),
        ("aux.", "%61ux%2E"),
        ("NUL.a.b", "%4EUL.a.b"),
        *((f"COM{n}", f"%43OM{n}") for n in range(1, 10)),
        *((f"lpt{n}.x", f"%6Cpt{n}.x") for n in range(1, 10)),
    ],
)
def test_the_first_character_of_a_device_name_is_encoded(name: str, written: str) -> None:
    assert segment(name) == written


def test_a_name_is_put_into_normal_form_c_first() -> None:
    assert segment("e\u0301") == segment("é") == "é"
    assert segment("\u212b") == "Å"


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("ع" * 140, "ع" * 91),  # 2 bytes each
        ("🎓" * 40, "%F0%9F%8E%93" * 15),  # 12 bytes each, never cut inside
        ("ab" + "/" * 139, "ab" + "%2F" * 60),  # 182 bytes
        ("x" * 201, "x" * 183),
        ("a" * 182 + "é" * 10, "a" * 182),  # the next would end at byte 184
        ("a" * 181 + "é" * 10, "a" * 181 + "é"),
        ("b" + "e\u0301" * 120, "b" + "é" * 91),  # normalised, then cut
    ],
)
def test_a_segment_beyond_200_bytes_is_cut_and_told_apart_by_the_stored_names_digest(
    name: str, prefix: str
) -> None:
    assert segment(name) == f"{prefix}~{digest(name)}"


def test_a_segment_of_200_bytes_is_not_cut() -> None:
    assert segment("ع" * 100) == "ع" * 100
    assert segment("x" * 200) == "x" * 200
    assert segment("/" + "x" * 197) == "%2F" + "x" * 197


@given(LONG_NAMES)
def test_a_segment_is_safe_in_a_path_and_in_a_key(name: str) -> None:
    written = segment(name)
    assert 1 <= len(written.encode()) <= 200
    assert written[0] not in "_. "
    assert written[-1] not in ". "
    assert written.casefold().split(".")[0] not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
    assert unicodedata.is_normalized("NFC", written)
    assert all(
        character in "%-.~_ "
        or unicodedata.category(character)[0] in "LM"
        or unicodedata.category(character) == "Nd"
        for character in written
    )


@given(LONG_NAMES.map(lambda name: unicodedata.normalize("NFC", name)))
@example("%2F")
@example("a~0123456789abcdef")
def test_an_uncut_segment_of_a_normalised_name_is_reversible(name: str) -> None:
    written = segment(name)
    if not written.endswith(f"~{digest(name)}"):
        assert unquote(written) == name


@given(LONG_NAMES, LONG_NAMES)
def test_only_names_of_one_normal_form_share_a_segment(one: str, other: str) -> None:
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert (segment(one) == segment(other)) <= same


# The names of one folder


@pytest.mark.parametrize(
    ("first", "later"),
    [("A", "a"), ("e\u0301", "é"), ("SS", "ß"), ("STRASSE", "straße"), ("Σ", "ς"), ("A/b", "a/b")],
)
def test_the_later_of_two_names_that_clash_takes_the_cut_form(first: str, later: str) -> None:
    segments = {first: segment(first), later: f"{segment(later)}~{digest(later)}"}
    assert assign([later, first]) == Assigned(segments, ((first, later),))


def test_all_names_that_clash_are_one_group() -> None:
    assert assign(["ab", "Ab", "AB", "b"]).clashes == (("AB", "Ab", "ab"),)


def test_a_name_that_looks_like_the_cut_form_of_another_gets_a_form_of_its_own() -> None:
    names = ["A", "a", f"A~{digest('a')}", f"a~{digest('a')}"]
    assigned = assign(names)
    assert len({written.casefold() for written in assigned.segments.values()}) == 4
    assert {name for group in assigned.clashes for name in group} == set(names)


@given(st.lists(LONG_NAMES, unique=True, max_size=8), st.randoms(use_true_random=False))
def test_a_folder_has_no_two_equal_segments_in_any_order_of_its_names(
    names: list[str], random: Random
) -> None:
    assigned = assign(names)
    folded = [written.casefold() for written in assigned.segments.values()]
    assert sorted(set(folded)) == sorted(folded)
    assert all(len(written.encode()) <= 200 for written in assigned.segments.values())
    random.shuffle(names)
    assert assign(names) == assigned


@given(st.lists(NAMES, unique=True, max_size=8))
def test_a_name_that_clashes_with_no_other_keeps_its_segment(names: list[str]) -> None:
    assigned = assign(names)
    clashing = {name for group in assigned.clashes for name in group}
    kept = {name: segment(name) for name in names if name not in clashing}
    assert {name: assigned.segments[name] for name in kept} == kept


def test_the_url_of_a_key_is_the_key_percent_encoded_once_more() -> None:
    key = "plans/a%2Fb/two words~é.json"
    assert object_url(key) == "plans/a%252Fb/two%20words~%C3%A9.json"
    assert unquote(object_url(key)) == key
