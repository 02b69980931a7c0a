"""What `docs/checks.md` says of every check is so: each example fails and passes as it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import ryaml

from exporter.build.inspection import CheckRules
from exporter.core.artifacts import Rules
from exporter.core.findings import CODES, Finding, Severities
from exporter.core.plan_checks import held_plans
from exporter.core.yamltext import emit
from tests.build.contents import Made, content_of, make

TEXT = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
HOLDS_NOTHING = {"E102"}
"""Errors that may stand outside of any document: nobody can say who would show it."""

Files = Mapping[str, str]
Place = tuple[str, str, int]
"""A code, a path and a line."""


@dataclass(frozen=True)
class Example:
    """Files that take the place of the school's, and those of it that are not there."""

    files: Files
    absent: frozenset[str] = frozenset()

    def over(self, school: Files) -> dict[str, str]:
        """Return the school's files with these in their place, without the marks."""
        whole = {**school, **self.files}
        kept = {path: text for path, text in whole.items() if path not in self.absent}
        return {
            path: re.sub(r" *# ← \w+$", "", text, flags=re.MULTILINE) for path, text in kept.items()
        }

    @property
    def marked(self) -> set[Place]:
        """Return what the marks say: `# ← CODE` at a line, or for a file that is not there."""
        return {
            (found[1], path, number)
            for path, text in self.files.items()
            for number, line in enumerate(text.splitlines(), start=1)
            if (found := re.search(r"# ← (\w+)$", line))
        }


def read_blocks(text: str) -> Example:
    blocks = re.findall(
        r"^```yaml (\S.*?)( \(absent\))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    files = {path: body.replace("{10 MB}", "a" * 10_000_000) for path, _, body in blocks}
    return Example(files, frozenset(path for path, absent, _ in blocks if absent))


SECTIONS = {
    found[1]: found[2]
    for found in re.finditer(
        r"^### (\w+): [^\n]*\n(.*?)(?=^###? |\Z)", TEXT, re.MULTILINE | re.DOTALL
    )
}
TITLES = dict(re.findall(r"^### (\w+): (.*)$", TEXT, re.MULTILINE))
SCHOOL = read_blocks(TEXT[: TEXT.index("## Errors")]).files
FAILING = {
    code: read_blocks(section[section.index("Fails:") : section.index("Passes:")])
    for code, section in SECTIONS.items()
}
PASSING = {
    code: read_blocks(section[section.index("Passes:") :]) for code, section in SECTIONS.items()
}


def made(files: Files, levels: Mapping[str, str] | None = None) -> Made:
    return make(content_of(files), CheckRules(Rules(), Severities(levels or {})))


def findings(some: Made) -> list[Finding]:
    return [*some.inspection.findings, *some.built.findings]


def places(found: list[Finding]) -> set[Place]:
    return {(one.code, one.path, one.line) for one in found}


def test_every_code_has_its_section_under_its_title_in_order() -> None:
    assert list(TITLES.items()) == list(CODES.items())


@pytest.mark.parametrize("code", [code for code in CODES if code != "E101"])
def test_the_examples_are_written_as_a_snapshot_writes_them(code: str) -> None:
    for example in (FAILING[code], PASSING[code]):
        texts = example.over({}).values()
        assert [emit(ryaml.loads(text)) for text in texts] == list(texts)


def test_the_school_itself_is_clean() -> None:
    assert findings(made(SCHOOL)) == []


@pytest.mark.parametrize("code", CODES)
def test_the_failing_example_has_that_finding_at_its_mark_and_no_other(code: str) -> None:
    example = FAILING[code]
    assert {mark[0] for mark in example.marked} == {code}
    some = made(example.over(SCHOOL))
    found = findings(some)
    assert places(found) == example.marked
    assert all(one.hint and one.message for one in found)
    is_held = code.startswith("E") and code not in HOLDS_NOTHING
    assert set(held_plans(found)) == ({"GRADE-12"} if is_held else set())
    assert (some.built.plans == {}) is is_held


@pytest.mark.parametrize("code", CODES)
def test_the_passing_example_has_no_finding(code: str) -> None:
    assert findings(made(PASSING[code].over(SCHOOL))) == []


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_raised_lowered_and_switched_off_by_configuration(code: str) -> None:
    files = FAILING[code].over(SCHOOL)
    for level in ("error", "warning"):
        found = findings(made(files, {code: level}))
        assert {(one.code, one.severity) for one in found} == {(code, level)}
        holds = level == "error" and code not in HOLDS_NOTHING | {"W201"}
        assert set(held_plans(found)) == ({"GRADE-12"} if holds else set())
    assert findings(made(files, {code: "off"})) == []


# All of them at once


def renamed(text: str, code: str) -> str:
    """Give an example's documents names of their own."""
    return re.sub(r"\b(MATH|GRADE-12|manifest)\b", rf"\1-{code}" if code != "E106" else _own, text)


def _own(match: re.Match[str]) -> str:
    return match[1] if match[1] == "manifest" else f"{match[1]}-E106"


def plan(name: str, subjects: list[str], *, is_published: bool = True) -> str:
    rows = "".join(f"  - subject: {one}\n    sort_order: 0\n" for one in subjects)
    head = f"name: {name}\ntitle: {name}\nis_published: {str(is_published).lower()}\n"
    return f"{head}subjects:\n{rows}"


def everything() -> tuple[dict[str, str], set[Place]]:
    """Return the files of all failing examples beside one another, and all that is marked."""
    files = dict(SCHOOL)
    marked: set[Place] = set()
    for code, example in FAILING.items():
        whole = example.over(SCHOOL)
        files |= {renamed(path, code): renamed(text, code) for path, text in whole.items()}
        marked |= {(name, renamed(path, code), line) for name, path, line in example.marked}
    subjects = [f"MATH-{code}" for code in CODES if code != "E111"]
    files["plans/ALL.yaml"] = plan("ALL", ["MATH", *subjects])
    files["plans/DRAFT.yaml"] = plan("DRAFT", ["MATH", *subjects], is_published=False)
    return files, marked


def test_all_problems_at_once_are_reported_in_one_run_and_hold_exactly_the_right_plans() -> None:
    files, marked = everything()
    some = made(files)
    found = findings(some)
    assert places(found) == marked
    errors = {code for code in CODES if code.startswith("E")} - HOLDS_NOTHING
    assert set(held_plans(found)) == {"ALL", *(f"GRADE-12-{code}" for code in errors)}
    sound = {f"GRADE-12-{code}" for code in CODES if code not in errors}
    assert some.built.plans.keys() == {"GRADE-12", *sound}


def test_a_plan_that_hides_what_is_wrong_goes_on() -> None:
    code = "E113"
    row = "  - target_doctype: Memora Lesson\n    target_name: MATH-L1\n    action: Hide\n"
    files = FAILING[code].over(SCHOOL)
    files["plans/OTHER.yaml"] = f"{plan('OTHER', ['MATH'])}overrides:\n{row}"
    assert set(held_plans(findings(made(files)))) == {"GRADE-12"}
