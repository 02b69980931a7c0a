from __future__ import annotations

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.build.encoding import body_digest, encode, instant, stamped, with_stamp
from exporter.core.jsonvalues import sorted_keys
from exporter.core.model import Json

LESSON: dict[str, object] = {
    "id": "L",
    "title": "متغيرات",
    "version": 1795249241,
    "generated_at": "2026-11-21T08:20:41Z",
    "stages": [],
}

WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


def test_json_is_compact_unescaped_in_key_order_and_without_a_final_line_break() -> None:
    payload = {"b": [1, 2.5, None, True], "a": {"عنوان": 'قال "نعم"/\n🎓'}, "": ""}
    expected = '{"b":[1,2.5,null,true],"a":{"عنوان":"قال \\"نعم\\"/\\n🎓"},"":""}'
    assert encode(payload) == expected.encode()


def test_integers_of_any_length_are_kept_to_the_last_digit() -> None:
    numbers = [2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**300]
    expected = '{"n":[' + ",".join(map(str, numbers)) + '],"x":{"y":[1.5]}}'
    assert encode({"n": numbers, "x": {"y": [1.5]}}) == expected.encode()


def test_a_long_integer_changes_no_other_byte_of_the_file() -> None:
    rest = {"f": [1e16, -0.0, 1e-07, 1.0], "t": "متغيرات \u2028", "n": None, "b": True}
    plain = encode({"i": 0, **rest})
    assert encode({"i": 2**64, **rest}) == plain.replace(b'"i":0', b'"i":18446744073709551616')


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("other", [None, 2**70, "null"])
def test_what_is_not_a_number_is_refused_instead_of_becoming_null(
    number: float, other: object
) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        encode({"stages": [{"other": other, "weight": number}]})


@pytest.mark.parametrize(
    "payload", [{"a": "\ud800"}, {"a": {1, 2}}, {1: "a"}, {"a": object()}, {"a": 2**70, "b": {1}}]
)
def test_what_json_cannot_hold_is_refused(payload: dict[object, object]) -> None:
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        encode(payload)


@pytest.mark.parametrize("levels", [300, 5000])
def test_too_many_levels_are_refused(levels: int) -> None:
    nested: dict[str, object] = {}
    for _ in range(levels):
        nested = {"a": nested}
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        encode(nested)


@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_what_is_written_reads_back_the_same(payload: dict[str, Json]) -> None:
    text = encode(payload)
    assert json.loads(text) == payload
    assert list(json.loads(text)) == list(payload)
    assert encode(json.loads(text)) == text


def test_the_body_digest_is_of_the_bytes_with_version_and_instant_blanked() -> None:
    blank = '{"id":"L","title":"متغيرات","version":0,"generated_at":"","stages":[]}'
    assert body_digest(LESSON) == hashlib.sha256(blank.encode()).hexdigest()


def test_the_body_digest_is_the_same_at_every_version_and_differs_with_the_content() -> None:
    later = json.loads(encode(with_stamp(LESSON, 1795249999)))
    assert body_digest(later) == body_digest(LESSON)
    assert body_digest({**LESSON, "title": "Variables"}) != body_digest(LESSON)


def test_a_stamp_sets_both_fields_where_they_stand() -> None:
    expected = (
        '{"id":"L","title":"متغيرات","version":1800000000,'
        '"generated_at":"2027-01-15T08:00:00Z","stages":[]}'
    )
    assert encode(with_stamp(LESSON, 1_800_000_000)) == expected.encode()
    assert LESSON["version"] == 1795249241


def test_bytes_get_another_stamp_as_if_they_had_never_had_one() -> None:
    blank = encode({**LESSON, "version": 0, "generated_at": ""})
    first = stamped(blank, 1_700_000_000)
    assert first == encode(with_stamp(LESSON, 1_700_000_000))
    assert stamped(first, 9, 1_700_000_000) == stamped(blank, 9) == encode(with_stamp(LESSON, 9))


@pytest.mark.parametrize("missing", ["version", "generated_at"])
def test_a_file_without_a_place_for_the_stamp_is_refused(missing: str) -> None:
    payload = {key: value for key, value in LESSON.items() if key != missing}
    with pytest.raises(ValueError, match="`version` and `generated_at`"):
        body_digest(payload)
    with pytest.raises(ValueError, match="`version` and `generated_at`"):
        with_stamp(payload, 1)


def test_instants_are_utc_with_whole_seconds() -> None:
    assert [instant(s) for s in (0, 951_782_400, 1_795_249_241)] == [
        "1970-01-01T00:00:00Z",
        "2000-02-29T00:00:00Z",
        "2026-11-21T08:20:41Z",
    ]


def test_config_keys_are_sorted_by_code_point_at_every_level() -> None:
    config: Json = {"b": [{"é": 1, "z": 2, "Z": 3}], "a": {"😀": 1, "\uffff": 2, "10": 3, "9": 4}}
    assert encode(sorted_keys(config)).decode() == (
        '{"a":{"10":3,"9":4,"\uffff":2,"😀":1},"b":[{"Z":3,"z":2,"é":1}]}'
    )


@given(VALUES)
def test_sorting_keys_changes_nothing_but_their_order(value: Json) -> None:
    assert sorted_keys(value) == value
    assert encode(sorted_keys(sorted_keys(value))) == encode(sorted_keys(value))
