"""What cannot be read is reported once, at its own file, and nothing that follows from it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from exporter.build.inspection import CheckRules
from exporter.core.artifacts import Rules
from exporter.core.findings import Severities
from tests.build.contents import Made, content_of, files_of, make
from tests.core.school import lesson, override, plan, school, subject, topic, track, unit

NODES = (subject(), track(), unit(), topic(), lesson())
FILES = files_of(
    *school(plan(overrides=[override(node, "Rename", "Other") for node in NODES]), plan("BESIDE"))
)
PATHS = {
    "subject": "subjects/S/_subject.yaml",
    "track": "subjects/S/T/_track.yaml",
    "unit": "subjects/S/T/U/_unit.yaml",
    "topic": "subjects/S/T/U/O/_topic.yaml",
}


def made(files: Mapping[str, str], levels: Mapping[str, str] | None = None) -> Made:
    return make(content_of(files), CheckRules(Rules(), Severities(levels or {})))


def reported(some: Made) -> list[tuple[str, str]]:
    return [(one.code, one.path) for one in some.inspection.findings]


@pytest.mark.parametrize("label", PATHS)
def test_a_node_that_cannot_be_read_is_reported_alone_and_holds_its_plans(label: str) -> None:
    some = made({**FILES, PATHS[label]: "name: ["})
    assert reported(some) == [("E101", PATHS[label])]
    assert set(some.inspection.held) == {"PLAN", "BESIDE"}
    assert some.files == {}


@pytest.mark.parametrize("label", PATHS)
def test_a_node_without_its_file_is_reported_alone_and_holds_its_plans(label: str) -> None:
    some = made({path: text for path, text in FILES.items() if path != PATHS[label]})
    assert reported(some) == [("E104", PATHS[label])]
    assert set(some.inspection.held) == {"PLAN", "BESIDE"}


def test_a_subject_without_a_name_is_reported_alone() -> None:
    some = made({**FILES, PATHS["subject"]: "title: Nameless\nis_published: true\n"})
    assert reported(some) == [("E103", PATHS["subject"])]
    assert set(some.inspection.held) == {"PLAN", "BESIDE"}


def test_a_row_that_is_wrong_by_itself_is_reported_also_where_its_target_cannot_be_read() -> None:
    wrong = files_of(*school(plan(overrides=[override(track(), "Give")])))
    some = made({**wrong, PATHS["track"]: "name: ["})
    assert reported(some) == [("E101", PATHS["track"]), ("E108", "plans/PLAN.yaml")]


def test_where_the_cause_is_no_error_the_consequence_is_told_and_holds() -> None:
    some = made({**FILES, PATHS["subject"]: "name: ["}, {"E101": "off"})
    assert ("E111", "plans/PLAN.yaml") in reported(some)
    assert set(some.inspection.held) == {"PLAN", "BESIDE"}


def test_a_plan_that_cannot_be_read_is_what_its_finding_holds_back() -> None:
    some = made({**FILES, "plans/BESIDE.yaml": "name: ["})
    (found,) = some.inspection.findings
    assert (found.code, found.plans) == ("E101", ("BESIDE",))
    assert set(some.built.plans) == {"PLAN"}
