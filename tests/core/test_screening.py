"""What one look takes for clean, a look at each text and number finds nothing in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.core import checks, screening
from exporter.core.checks import DEFAULT_SECRET_PATTERNS, check_documents
from exporter.core.findings import Finding
from exporter.core.model import Document
from exporter.core.packed import packed
from exporter.core.screening import is_clean
from exporter.core.tree import grow
from tests.core.school import lesson, stage
from tests.core.test_checks import CLEAN, SECRETS

PIECES = [
    *SECRETS,
    *("/private/files/a", "javascript:x", "](JavaScript:x)", " vbscript:a", "AKIA", "script", ":"),
    *("\x07", "\x7f", "\x85", "\u202e", "\u202d", "\xa0", "«é»", "درس", "\u200f", "\n", "\t", "\r"),
    *("-----BEGIN ", "PRIVATE KEY-----", "AKIAIOSFODNN7", "EXAMPLE", "X-Amz-Sig", "nature=", "x"),
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
NUMBERS = st.sampled_from([0, 1.5, 2**64, 10**400, -(10**309), float("inf"), float("nan"), True])
VALUES = st.recursive(
    TEXT | st.none() | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def every_finding(document: Document) -> list[Finding]:
    """Return what a look at each text and number finds, as if nothing were ever clean."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "is_clean", lambda _document: False)
        patch.setattr(checks, "is_harmless", lambda _text: False)
        return list(check_documents(grow([document]), DEFAULT_SECRET_PATTERNS))


@settings(max_examples=50)
@given(st.dictionaries(TEXT, VALUES, max_size=3), TEXT, TEXT.filter(bool))
@example({"a": {"b": [float("nan")]}}, "", "L")
@example({"key AKIAIOSFODNN7EXAMPLE": 1}, "", "L")
def test_the_findings_are_those_of_a_look_at_each(
    config: dict[str, Any], text: str, name: str
) -> None:
    made = lesson(name, description=text, stages=[stage("Interactive", config)])
    found = list(check_documents(grow([packed(made)]), DEFAULT_SECRET_PATTERNS))
    assert repr(found) == repr(every_finding(made))


@settings(max_examples=50)
@given(VALUES)
def test_clean_is_what_nothing_is_found_in(value: Any) -> None:
    made = lesson(stages=[stage("Interactive", {"a": value})])
    found = [one.code for one in every_finding(made) if one.code != "W201"]
    assert not (is_clean(made) and found)


def test_nearly_every_document_is_clean_at_once() -> None:
    assert all(map(is_clean, CLEAN))
    arabic = lesson(stages=[stage("Text", {"text": "«درس»\u200f: سطر\n\tآخر\xa0😀"})])
    assert is_clean(arabic)


def test_a_value_that_is_none_of_jsons_is_looked_at_closely() -> None:
    assert not is_clean(lesson(stages=[stage("Interactive", {"a": object()})]))  # type: ignore[dict-item]


def test_each_usual_pattern_has_its_sign() -> None:
    assert all(any(sign in text for sign in screening._SIGNS) for text in SECRETS)
    assert len(DEFAULT_SECRET_PATTERNS) == len(screening._SIGNS) - 1
