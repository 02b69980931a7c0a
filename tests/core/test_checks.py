"""Every check of spec 4 by the smallest school that it finds something in, and by a clean one."""

from __future__ import annotations

import pytest

from exporter.core.checks import check_documents
from exporter.core.findings import CODES, Finding
from exporter.core.model import SEASON, SUBJECT, Document, Json
from exporter.core.tree import grow
from tests.core.inspected import findings_of
from tests.core.school import (
    document,
    lesson,
    override,
    plan,
    school,
    stage,
    subject,
    topic,
    track,
    unit,
)

VIDEO: dict[str, Json] = {"video_url": "https://video.example.org/1"}
QUESTION: dict[str, Json] = {"question": "2 + 2?", "options": ["3", "4"], "correct_answer": 1}

CLEAN = school(
    plan(
        season="2026",
        overrides=[
            override(subject(), "Rename", "العلوم"),
            override(track(), "Set Sold Separately", "BOOK"),
            override(unit(), "Set Linear", " No "),
            override(topic(), "Set Free"),
            override(lesson(), "Set Access Level", "public"),
            override(lesson("L2"), "Hide"),
        ],
    ),
    document(SEASON, "2026"),
    subject(color_code="#1e88E5", image="/files/s.png"),
    lesson(
        stages=[
            stage("Video", VIDEO),
            stage("Question", QUESTION),
            stage("Text", {"html": "<p>Read.</p>"}),
            stage("Interactive", {"game": {}}),
        ]
    ),
    lesson("L2", bit_index=1),
    lesson("DRAFT", bit_index=2, is_published=False),
)


def found(code: str, *documents: Document) -> list[Finding]:
    """Return the findings of a code, and refuse any other."""
    findings = findings_of(*school(*documents))
    assert {finding.code for finding in findings} <= {code}
    return findings


def summary(findings: list[Finding]) -> list[tuple[object, ...]]:
    return [(one.path, one.pointer, one.message) for one in findings]


def in_lesson(code: str, *stages: object) -> list[tuple[object, ...]]:
    findings = found(code, lesson(stages=stages))  # type: ignore[arg-type]
    assert {one.path for one in findings} <= {"subjects/S/T/U/O/L.yaml"}
    return [(one.pointer, one.message) for one in findings]


def test_a_clean_school_has_no_findings() -> None:
    assert findings_of(*CLEAN) == []
    assert findings_of(*school()) == []


def test_every_finding_knows_where_it_is_and_what_to_do() -> None:
    documents = (
        subject(color_code="red", title="العلوم"),
        lesson(stages=[stage(config_text="[]"), stage("Video", {})]),
        plan(subjects=["S", "GONE"], overrides=[override(unit(), "Give")]),
        topic("O2", "GONE"),
    )
    findings = findings_of(*school(*documents))
    assert sorted(one.code for one in findings) == ["E105", "E108", "E111", "W201", "W203", "W205"]
    assert all(one.hint and one.message and one.ref and one.breadcrumb for one in findings)
    assert all(one.code in CODES for one in findings)
    (config,) = [one for one in findings if one.code == "E105"]
    assert config.breadcrumb == ("العلوم", "The T", "The U", "The O", "The L")


# Documents by themselves


def test_e105_config_that_is_not_a_json_object() -> None:
    row = stage("Video", config_text="{not json")
    assert in_lesson("E105", stage(), row) == [
        (("stages", 1, "config_text"), "the stage's config is not a JSON object")
    ]


@pytest.mark.parametrize("number", [10**400, float("inf"), float("nan"), -(10**309)])
def test_e105_config_with_a_number_that_no_double_holds(number: float) -> None:
    row = stage("Interactive", {"a": [{"b": number}]})
    assert in_lesson("E105", row) == [
        (
            ("stages", 0, "config", "a", 0, "b"),
            "the stage's config has a number beyond double precision's range",
        )
    ]


@pytest.mark.parametrize("number", [0, True, 2**64, 10**308, 1.7e308, 5e-324])
def test_any_other_number_may_stand_in_a_config(number: float) -> None:
    assert in_lesson("E105", stage("Interactive", {"a": number})) == []


def test_w201_orphan() -> None:
    orphans = (topic("O2", "GONE"), track("T2", parent_subject=""))
    assert summary(found("W201", *orphans)) == [
        (
            "orphans/Memora Topic/O2.yaml",
            ("parent_unit",),
            "parent_unit 'GONE' leads to no subject",
        ),
        ("orphans/Memora Track/T2.yaml", (), "parent_subject is empty"),
    ]


@pytest.mark.parametrize(
    "colour", ["red", "#12345", "#1234567", "#12345G", "123456", "#123456\n", "#١٢٣٤٥٦"]
)
def test_w203_bad_colour(colour: str) -> None:
    assert summary(found("W203", subject(color_code=colour))) == [
        ("subjects/S/_subject.yaml", ("color_code",), f"{colour!r} is no colour")
    ]


NEEDS = {
    "Video": "`video_url` or `url`",
    "Text": "`text`, `content` or `html`",
    "Interactive": "a config",
}
LACKING: list[tuple[str, dict[str, Json], str]] = [
    *((kind, {}, needs) for kind, needs in NEEDS.items()),
    ("Video", {"video_url": "", "url": ""}, NEEDS["Video"]),
    ("Video", {"video_url": 12}, NEEDS["Video"]),
    ("Video", {"url": {"href": "x"}}, NEEDS["Video"]),
    ("Text", {"text": "", "content": [], "html": None}, NEEDS["Text"]),
    ("Text", {"body": "x"}, NEEDS["Text"]),
    ("Question", {}, "`question`, a list of `options`, `correct_answer` or `answer`"),
    ("Question", {**QUESTION, "question": ""}, "`question`"),
    ("Question", {**QUESTION, "options": []}, "a list of `options`"),
    ("Question", {**QUESTION, "options": "a, b"}, "a list of `options`"),
    ("Question", {**QUESTION, "correct_answer": None}, "`correct_answer` or `answer`"),
    ("Question", {"question": "?", "options": [1]}, "`correct_answer` or `answer`"),
]


@pytest.mark.parametrize(("kind", "config", "needs"), LACKING)
def test_w205_stage_without_what_its_type_needs(
    kind: str, config: dict[str, Json], needs: str
) -> None:
    assert in_lesson("W205", stage(kind, config)) == [
        (("stages", 0, "config"), f"a stage of type {kind} needs {needs}")
    ]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Video", {"url": "u"}),
        ("Video", {"video_url": "", "url": "u"}),
        ("Text", {"text": "t"}),
        ("Text", {"content": [{"p": "blocks"}]}),
        ("Question", {"question": {"html": "?"}, "options": [0], "answer": 0}),
        ("Question", {**QUESTION, "correct_answer": 0}),
        ("Question", {**QUESTION, "correct_answer": ""}),
        ("Interactive", {"a": None}),
        ("Poster", {}),
    ],
)
def test_a_stage_with_what_its_type_needs_is_complete(kind: str, config: dict[str, Json]) -> None:
    assert in_lesson("W205", stage(kind, config)) == []


def test_w207_private_file_anywhere_in_what_is_published() -> None:
    private = "/private/files/a.png"
    config: dict[str, Json] = {"url": f"https://x.example.org{private}", "more": [{"x": private}]}
    found_ = found("W207", subject(image=private), lesson(stages=[stage("Video", config)]))
    assert [(one.path, one.pointer) for one in found_] == [
        ("subjects/S/T/U/O/L.yaml", ("stages", 0, "config", "more", 0, "x")),
        ("subjects/S/T/U/O/L.yaml", ("stages", 0, "config", "url")),
        ("subjects/S/_subject.yaml", ("image",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\x07b", "a control character (U+0007), which nobody sees"),
        ("line\nbell\x1b[31m", "a control character (U+001B), which nobody sees"),
        ("caf\x92", "a control character (U+0092), which nobody sees"),
        ("درس\x0b", "a control character (U+000B), which nobody sees"),
        ("\u202eexe.txt", "a hidden character (U+202E) that turns the letters after it around"),
        ("a \u202d", "a hidden character (U+202D) that turns the letters after it around"),
        ("javascript:alert(1)", "a link that runs a script"),
        (" JavaScript:void(0)", "a link that runs a script"),
        ('<a href="javascript:alert(1)">x</a>', "a link that runs a script"),
        ("<a href=javascript:x>", "a link that runs a script"),
        ("[x](javascript:alert(1))", "a link that runs a script"),
        ("vbscript:x", "a link that runs a script"),
    ],
)
def test_w208_what_acts_without_being_seen(text: str, message: str) -> None:
    made = (unit(image=text), lesson(stages=[stage("Text", {"text": text})]))
    assert [(one.path, one.pointer, one.message) for one in found("W208", *made)] == [
        ("subjects/S/T/U/O/L.yaml", ("stages", 0, "config", "text"), message),
        ("subjects/S/T/U/_unit.yaml", ("image",), message),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "درس\u200f (x) \u061c\u200e",  # marks
        "\u2067درس\u2069 and \u202bدرس\u202c",  # isolates and embeddings
        "می\u200cخواهم",  # a joiner
        "line\n\ttabbed",
        "« café »\xa0",
        "In JavaScript: x, and javascript: is no link here",
        "JavaScript: the good parts",
        "Typescript:5",
        "emoji 👩\u200d🔬",
    ],
)
def test_what_content_needs_is_no_w208(text: str) -> None:
    made = (unit(title=text), lesson(stages=[stage("Text", {"text": text})]))
    assert found("W208", *made) == []


def test_a_lesson_may_be_called_after_a_language() -> None:
    assert found("W208", lesson(title="JavaScript:مقدمة")) == []
    assert len(found("W208", lesson(title="a\x00"))) == 1


SECRETS = [
    "https://b.example.org/x?X-Amz-Signature=00",
    "-----BEGIN PRIVATE KEY-----",
    "text\n-----BEGIN RSA PRIVATE KEY-----\nMII",
    "key AKIAIOSFODNN7EXAMPLE.",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_e113_what_looks_like_a_credential(secret: str) -> None:
    documents = (
        plan(season="2026", overrides=[override(unit(), "Rename", secret)]),
        document(SEASON, "2026", {"title": secret}),
        lesson(stages=[stage("Text", {"text": secret}), stage("Text", {"html": "x", secret: 1})]),
    )
    assert [(one.path, one.pointer) for one in found("E113", *documents)] == [
        ("plans/PLAN.yaml", ("overrides", 0, "override_value")),
        ("seasons/2026.yaml", ("title",)),
        ("subjects/S/T/U/O/L.yaml", ("stages", 0, "config", "text")),
        ("subjects/S/T/U/O/L.yaml", ("stages", 1, "config")),
    ]


def test_a_name_is_checked_once_and_not_again_as_the_parent_of_others() -> None:
    name = "/private/files/x"
    made = (topic(name, title="T"), lesson("L2", name, bit_index=1))
    assert [(one.ref, one.pointer) for one in found("W207", *made)] == [
        (topic(name).ref, ("name",))
    ]


def test_no_finding_repeats_a_credential() -> None:
    (one,) = found("E113", unit(description=SECRETS[0]))
    assert "Signature" not in f"{one.message} {one.hint}"


@pytest.mark.parametrize(
    "text", ["AKIA", "AKIAiosfodnn7example", "XAKIAIOSFODNN7EXAMPLE", "PRIVATE KEY"]
)
def test_other_text_is_no_credential(text: str) -> None:
    assert found("E113", unit(description=text)) == []


def test_the_patterns_of_credentials_can_be_chosen() -> None:
    snapshot = grow(school(unit(description="TOKEN-1")))
    assert [one.code for one in check_documents(snapshot, ["TOKEN-[0-9]", "never"])] == ["E113"]
    assert list(check_documents(snapshot, [])) == []


def test_documents_are_checked_in_the_order_of_their_paths() -> None:
    colours = [subject(name, color_code="red") for name in ("b", "A", "a/b")]
    paths = [one.path for one in found("W203", *colours)]
    assert paths == sorted(paths)
    assert len(paths) == 3


def test_a_colour_is_a_field_of_subjects_alone() -> None:
    assert list(check_documents(grow((subject(), track(color_code="red"))), [])) == []
    assert grow((subject(),)).documents.keys() == {(SUBJECT, "S")}
