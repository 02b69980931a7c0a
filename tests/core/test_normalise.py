from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.model import (
    DOCTYPES,
    GRADE,
    LESSON,
    PLAN,
    SEASON,
    STREAM,
    Document,
    Field,
    FieldType,
    Json,
    Value,
)
from exporter.core.normalise import MAX_CONFIG_DEPTH, document, document_name
from exporter.errors import SourceError


def fields_of(doctype: str, *extra: Field, **row: object) -> Mapping[str, Value]:
    return document(DOCTYPES[doctype], {"name": "N", **row}, {}, extra).fields


def stage(**row: object) -> Mapping[str, Value]:
    rows = document(DOCTYPES[LESSON], {"name": "L"}, {"stages": [row]}, ()).rows
    (only,) = rows["stages"]
    return only


def test_an_empty_row_has_every_default_and_no_text() -> None:
    assert document(DOCTYPES[LESSON], {"name": "L"}, {}, ()) == Document(
        LESSON,
        "L",
        {"is_published": False, "is_free_preview": False, "sort_order": 0, "bit_index": -1},
    )
    assert stage() == {"config": {}, "weight": 1.0, "target_time": 0, "is_skippable": False}


def test_the_name_is_kept_as_stored() -> None:
    stored = " é\u0301\r\n/ "
    assert document(DOCTYPES[STREAM], {"name": stored}, {}, ()) == Document(STREAM, stored, {})


@pytest.mark.parametrize("raw", [None, ""])
def test_a_row_without_a_name_is_refused(raw: object) -> None:
    with pytest.raises(SourceError, match="a lesson in the database has no name"):
        document_name(raw, "lesson")


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (None, True),
        ("", True),
        (b"", True),
        (0, False),
        (1, True),
        (2, True),
        (True, True),
        (False, False),
        ("0", False),
        ("1", True),
        (b"0", False),
        (b"1", True),
        (b"\x00", False),
        (b"\x01", True),
        (Decimal("0E-9"), False),
        (1.0, True),
    ],
    ids=repr,
)
def test_checks(raw: object, read: object) -> None:
    assert fields_of(PLAN, is_published=raw) == {"is_published": read}


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (None, -1),
        ("", -1),
        (0, 0),
        (-7, -7),
        (True, 1),
        ("12", 12),
        (" 12 ", 12),
        (b"12", 12),
        (b"-12", -12),
        (Decimal("3.000000000"), 3),
        (3.0, 3),
        ("3.0", 3),
        (2**80, 2**80),
    ],
    ids=repr,
)
def test_integers(raw: object, read: int) -> None:
    found = fields_of(LESSON, bit_index=raw)["bit_index"]
    assert (type(found), found) == (int, read)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (None, 1.0),
        ("", 1.0),
        (0, 0.0),
        (2, 2.0),
        (1.5, 1.5),
        ("1.5", 1.5),
        (b"1.5", 1.5),
        (Decimal("1.500000000"), 1.5),
        (Decimal("0.333333333"), 0.333333333),
        ("1e-7", 1e-7),
    ],
    ids=repr,
)
def test_floats(raw: object, read: float) -> None:
    found = stage(weight=raw)["weight"]
    assert (type(found), found) == (float, read)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("a\r\nb\rc\nd\n\r", "a\nb\nc\nd\n\n"),
        ("  kept \t\x00\x85\u2028", "  kept \t\x00\x85\u2028"),
        ("e\u0301", "e\u0301"),
        ("é 👩\u200d🏫".encode(), "é 👩\u200d🏫"),
        (12, "12"),
        (0, "0"),
    ],
    ids=repr,
)
def test_text(raw: object, read: str) -> None:
    assert fields_of(STREAM, title=raw) == {"title": read}


@pytest.mark.parametrize("raw", [None, "", b""], ids=repr)
def test_empty_text_is_left_out(raw: object) -> None:
    assert fields_of(STREAM, title=raw) == {}
    assert stage(title=raw, type=raw) == stage()


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (date(2026, 9, 1), {"start_date": "2026-09-01"}),
        (date(26, 9, 1), {"start_date": "0026-09-01"}),
        (datetime(2026, 9, 1, 8), {"start_date": "2026-09-01"}),  # noqa: DTZ001 - as drivers do
        ("2026-09-01", {"start_date": "2026-09-01"}),
        ("2026-09-01 00:00:00.000000", {"start_date": "2026-09-01"}),
        ("2026-00-00", {"start_date": "2026-00-00"}),
        ("0000-00-00", {}),
        ("0000-00-00 00:00:00", {}),
        ("", {}),
        (None, {}),
    ],
    ids=repr,
)
def test_dates(raw: object, read: Mapping[str, str]) -> None:
    assert fields_of(SEASON, start_date=raw) == {"is_published": False, **read}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"sort_order": "x"}, "sort_order: the database holds 'x', which is not a number"),
        ({"sort_order": 1.5}, "sort_order: the database holds 1.5, which is not a whole number"),
        (
            {"sort_order": "1e99999"},
            "sort_order: the database holds '1e99999', which is not a finite double",
        ),
        ({"title": b"\xff"}, "title: the stored text is not valid Unicode (UTF-8)"),
        ({"title": "\ud800"}, "title: the stored text is not valid Unicode (UTF-8)"),
    ],
)
def test_a_value_that_does_not_fit_names_document_and_field(
    row: Mapping[str, object], message: str
) -> None:
    with pytest.raises(SourceError) as caught:
        fields_of(GRADE, **row)
    assert caught.value.message == f"grade 'N', {message}"


@pytest.mark.parametrize("raw", [float("inf"), float("nan"), "-Infinity", Decimal("NaN"), "1e309"])
def test_a_weight_that_json_cannot_hold_names_the_row(raw: object) -> None:
    with pytest.raises(
        SourceError, match=r"^lesson 'L', a row of stages, weight: .*not a finite double"
    ):
        stage(weight=raw)


def test_an_idx_that_is_no_number_names_the_table() -> None:
    with pytest.raises(SourceError, match=r"^lesson 'L', the order of stages: .* not a number"):
        stage(idx="first")


def test_extra_fields_come_last_in_their_order() -> None:
    extra = (
        Field("zeta"),
        Field("count", FieldType.INT, 0),
        Field("alpha"),
        Field("flag", FieldType.CHECK, default=False),
        Field("due", FieldType.DATE),
    )
    found = fields_of(STREAM, *extra, title="T", zeta="z", alpha="a\r\nb", due=date(2026, 1, 2))
    assert list(found.items()) == [
        ("title", "T"),
        ("zeta", "z"),
        ("count", 0),
        ("alpha", "a\nb"),
        ("flag", False),
        ("due", "2026-01-02"),
    ]


def test_any_order_of_the_rows_gives_the_same_document() -> None:
    rows: list[Mapping[str, object]] = [
        {"name": "b", "idx": 1, "sort_order": 2, "subject": "fourth"},
        {"name": "a", "idx": 10, "sort_order": 1, "subject": "third"},
        {"name": "Z", "idx": "9", "sort_order": 1, "subject": "first"},
        {"name": "z", "idx": 9, "sort_order": Decimal(1), "subject": "second"},
        {"name": "c", "idx": None, "sort_order": 3, "subject": "fifth"},
    ]
    for order in permutations(rows):
        found = document(DOCTYPES[PLAN], {"name": "P"}, {"subjects": order, "overrides": []}, ())
        assert list(found.rows) == ["subjects"]
        assert [row["subject"] for row in found.rows["subjects"]] == [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
        ]


@pytest.mark.parametrize("raw", [None, "", b""], ids=repr)
def test_a_missing_config_is_an_empty_object(raw: object) -> None:
    assert stage(config=raw)["config"] == {}


def test_a_config_keeps_what_is_empty_and_its_types() -> None:
    stored = '{"z": "", "a": null, "o": {}, "l": [[]], "i": 1, "f": 1.0, "b": true, "n": -0.0}'
    assert repr(stage(config=stored)["config"]) == repr(json.loads(stored))


def test_carriage_returns_go_from_values_and_stay_in_keys() -> None:
    stored = r'{"k\r\n": "a\r\nb\u000dc", "l": ["\r", {"x": "\u000D\n"}]}'
    expected = {"k\r\n": "a\nb\nc", "l": ["\n", {"x": "\n"}]}
    assert stage(config=stored.encode())["config"] == expected


@pytest.mark.parametrize(
    "stored",
    [
        "[]",
        "null",
        "1",
        '"text"',
        "NaN",
        "not json",
        " ",
        "{'a': 1}",
        '{"a": 1,}',
        '{"a": 1} x',
        '\ufeff{"a": 1}',
        '{"a": "tab\tinside"}',
        '{"a": 1, "a": 1}',
        '{"x": [{"a": 1, "b": 2, "\\u0061": 3}]}',
        '{"a": NaN}',
        '{"a": [Infinity]}',
        '{"a": -Infinity}',
        '{"a": 1e400}',
        '{"a": -1e400}',
        f'{{"a": {10**309}}}',
        f'{{"a": -{2**1024}}}',
        pytest.param(f'{{"a": {"9" * 5000}}}', id="more digits than Python reads"),
        '{"a": "\\ud800"}',
        '{"a": ["\\uDFFF\\uD800"]}',
        '{"\\udc00": 1}',
    ],
)
def test_a_config_that_is_no_plain_object_is_kept_as_text(stored: str) -> None:
    row = stage(title="T", config=stored)
    assert list(row) == ["title", "config_text", "weight", "target_time", "is_skippable"]
    assert row["config_text"] == stored


def test_a_kept_text_has_line_feeds() -> None:
    assert stage(config='{"a":\r\n1,\r"a": 2}')["config_text"] == '{"a":\n1,\n"a": 2}'


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ('{"a": "\\ud83d\\ude00"}', "😀"),
        ('{"a": "\\\\ud800"}', "\\ud800"),
        (f'{{"a": {2**64}}}', 2**64),
        (f'{{"a": -{10**308}}}', -(10**308)),
        ('{"a": 1.7976931348623157e308}', 1.7976931348623157e308),
        ('{"a": 1E-7}', 1e-7),
        ('\r\n{"a":\t1}\n', 1),
    ],
)
def test_a_config_at_the_edge_is_still_an_object(stored: str, value: Json) -> None:
    assert repr(stage(config=stored)["config"]) == repr({"a": value})


@pytest.mark.parametrize("text", ['"[[{{"', "1"])
def test_a_config_may_be_deep_but_not_bottomless(text: str) -> None:
    def nested(levels: int) -> str:
        return '{"a":[' * (levels // 2) + text + "]}" * (levels // 2)

    assert "config" in stage(config=nested(MAX_CONFIG_DEPTH))
    assert stage(config=nested(MAX_CONFIG_DEPTH + 2)) == {
        **{key: value for key, value in stage().items() if key != "config"},
        "config_text": nested(MAX_CONFIG_DEPTH + 2),
    }
    assert "config_text" in stage(config=nested(200_000))


def test_a_wide_config_is_not_deep() -> None:
    value: dict[str, Json] = {"cards": [{"at": [number]} for number in range(500)]}
    assert stage(config=json.dumps(value))["config"] == value


@dataclass(frozen=True)
class Written:
    """A piece of JSON text, its value, and whether it may stand in a config."""

    text: str
    value: Json
    plain: bool = True


def _string(text: str) -> st.SearchStrategy[Written]:
    return st.sampled_from(
        [
            Written(json.dumps(text), text),
            Written(json.dumps(text, ensure_ascii=False), text),
        ]
    )


LONE_SURROGATES = [Written(f'"x{escape}y"', "", plain=False) for escape in (r"\ud800", r"\uDfFf")]
STRINGS = (
    st.text(max_size=6).flatmap(_string)
    | st.sampled_from(
        ["\r\n", "a\rb", "\\r", "\\u000d", "\\ud800", "👩\u200d🏫", "{[", ""]
    ).flatmap(_string)
    | st.sampled_from(LONE_SURROGATES)
)
SCALARS = (
    STRINGS
    | st.integers().map(lambda number: Written(str(number), number))
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda n: Written(repr(n), n))
    | st.sampled_from(
        [
            Written("null", None),
            Written("true", True),
            Written("-0", 0),
            Written("1E400", 0, plain=False),
            Written("-" + "9" * 400, 0, plain=False),
            Written("NaN", 0, plain=False),
            Written("-Infinity", 0, plain=False),
        ]
    )
)


def _array(items: list[Written]) -> Written:
    return Written(
        "[" + " ,\r\n".join(item.text for item in items) + "]",
        [item.value for item in items],
        all(item.plain for item in items),
    )


def _object(pairs: list[tuple[Written, Written]]) -> Written:
    keys = [str(key.value) for key, _ in pairs]
    return Written(
        "{" + ",".join(f"{key.text} : {item.text}" for key, item in pairs) + "}",
        {str(key.value): item.value for key, item in pairs},
        len(set(keys)) == len(keys) and all(key.plain and item.plain for key, item in pairs),
    )


def _containers(inner: st.SearchStrategy[Written]) -> st.SearchStrategy[Written]:
    return st.lists(inner, max_size=3).map(_array) | st.lists(
        st.tuples(STRINGS, inner), max_size=3
    ).map(_object)


ANY_JSON = st.recursive(SCALARS, _containers, max_leaves=8)
OBJECTS = st.lists(st.tuples(STRINGS, ANY_JSON), max_size=3).map(_object)


def _line_fed(value: Json) -> Json:
    if isinstance(value, str):
        return re.sub("\r\n?", "\n", value)
    if isinstance(value, list):
        return [_line_fed(item) for item in value]
    return {k: _line_fed(v) for k, v in value.items()} if isinstance(value, dict) else value


@settings(max_examples=1_500)
@given(OBJECTS | ANY_JSON)
def test_a_config_is_its_object_or_its_text_and_nothing_is_lost(written: Written) -> None:
    row = stage(config=written.text)
    if written.plain and isinstance(written.value, dict):
        assert repr(row["config"]) == repr(_line_fed(written.value))
        assert "config_text" not in row
    else:
        assert row["config_text"] == _line_fed(written.text)
        assert "config" not in row


@given(OBJECTS, st.data())
def test_a_config_cut_short_is_kept_as_text(written: Written, data: st.DataObject) -> None:
    cut = written.text[: data.draw(st.integers(1, len(written.text) - 1))]
    assert stage(config=cut)["config_text"] == _line_fed(cut)
