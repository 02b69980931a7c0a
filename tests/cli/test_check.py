"""What `exporter check` says, to people, programs, pull requests and code scanning (spec 4)."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from exporter.cli.actions import MAX_SUMMARY_BYTES, findings_summary
from exporter.core.findings import Finding
from tests.build.contents import files_of
from tests.cli.running import commit_all, content_repository, run, write_files
from tests.cli.sarif_schema import SARIF
from tests.core.school import lesson, override, plan, school, stage, subject, topic, unit

CLEAN = files_of(*school())
BROKEN = files_of(
    *school(
        plan(overrides=[override(unit(), "Give")]),
        plan("OTHER"),
        subject(color_code="blue"),
        lesson("L2", bit_index=-1, stages=[stage("Video", {})]),
        lesson("DRAFT", bit_index=-1, is_published=False),
    )
)
LESSON = "content-snapshot/subjects/S/T/U/O"
TEXT = f"""\
content-snapshot/plans/PLAN.yaml  (The PLAN)
  8: error E108 unknown override action 'Give'
     correct or remove the override row in Frappe
     holds back: PLAN

{LESSON}/DRAFT.yaml  (The S › The T › The U › The O › The DRAFT)
  6: error E109 bit_index is missing
     give every lesson of the subject a bit_index of its own; never reuse one
     holds back: nothing, as no published plan shows it

{LESSON}/L2.yaml  (The S › The T › The U › The O › The L2)
  6: error E109 bit_index is missing
     give every lesson of the subject a bit_index of its own; never reuse one
     holds back: OTHER, PLAN
  10: warning W205 a stage of type Video needs `video_url` or `url`
     students would see an empty stage; complete it in Frappe

content-snapshot/subjects/S/_subject.yaml  (The S)
  3: warning W203 'blue' is no colour
     write it as # and six hexadecimal digits, such as #1E88E5; it is left out till then

3 errors, 2 warnings
2 plans would stay at the last release:
  OTHER: E109 {LESSON}/L2.yaml:6
  PLAN: E109 {LESSON}/L2.yaml:6, E108 content-snapshot/plans/PLAN.yaml:8
"""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return content_repository(tmp_path / "content", BROKEN)


def test_people_read_findings_by_file_and_which_plans_are_held_and_why(broken: Path) -> None:
    said = run(broken, "check")
    assert (said.status, said.out, said.err) == (1, TEXT, "")


def test_errors_are_red_and_warnings_yellow_unless_told_otherwise(broken: Path) -> None:
    assert "\x1b[31m  8: error E108" in run(broken, "check", color=True).out
    assert "\x1b[33m  3: warning W203" in run(broken, "check", color=True).out
    assert run(broken, "--no-color", "check", color=True).out == TEXT


def test_clean_content_says_so_in_every_format(tmp_path: Path) -> None:
    root = content_repository(tmp_path / "content", CLEAN)
    assert (run(root, "check").status, run(root, "check").out) == (0, "0 errors, 0 warnings\n")
    assert run(root, "check", "--format", "github").out == ""
    report = run(root, "check", "--json").report
    assert (report["findings"], report["held_plans"], report["errors"]) == ([], [], 0)
    (log,) = run(root, "check", "--format", "sarif").report["runs"]
    assert log["results"] == []


def test_a_commit_is_checked_as_it_is_and_the_work_tree_as_it_stands(broken: Path) -> None:
    bad = commit_all_of(broken)
    write_files(broken / "content-snapshot", CLEAN)
    for name in ("L2", "DRAFT"):
        (broken / f"{LESSON}/{name}.yaml").unlink()
    (broken / "content-snapshot/plans/OTHER.yaml").unlink()
    assert run(broken, "check").status == 0
    assert run(broken, "check", "--worktree").status == 0
    assert run(broken, "check", "--ref", "HEAD").out == TEXT
    assert run(broken, "check", "--ref", bad, "--json").report["commit"] == bad
    both = run(broken, "check", "--ref", "HEAD", "--worktree")
    assert (both.status, "exclude each other" in both.err) == (2, True)


def commit_all_of(root: Path) -> str:
    (root / "note.txt").write_text("x", encoding="utf-8")
    return commit_all(root, "A note")


def test_programs_read_the_plans_that_are_held_with_what_holds_them(broken: Path) -> None:
    report = run(broken, "check", "--format", "json").report
    assert report["held_plans"] == ["OTHER", "PLAN"]
    assert [one["code"] for one in report["held_by"]["PLAN"]] == ["E109", "E108"]
    assert (report["errors"], report["warnings"]) == (3, 2)
    (row,) = [one for one in report["findings"] if one["code"] == "E108"]
    assert row == {
        "code": "E108",
        "title": "override action or value",
        "severity": "error",
        "file": "content-snapshot/plans/PLAN.yaml",
        "line": 8,
        "pointer": ["overrides", 0],
        "doctype": "Memora Academic Plan",
        "name": "PLAN",
        "breadcrumb": ["The PLAN"],
        "message": "unknown override action 'Give'",
        "hint": "correct or remove the override row in Frappe",
        "plans": ["PLAN"],
    }


def test_a_plan_whose_own_file_cannot_be_read_is_held_back(tmp_path: Path) -> None:
    files = {**CLEAN, "plans/خطة.yaml": "name: [\n"}
    root = content_repository(tmp_path / "content", files)
    report = run(root, "check", "--json").report
    assert report["held_plans"] == ["خطة"]
    assert [one["code"] for one in report["held_by"]["خطة"]] == ["E101"]


def test_code_scanning_reads_a_sarif_log(broken: Path) -> None:
    log = run(broken, "check", "--format", "sarif").report
    jsonschema.Draft202012Validator(SARIF).validate(log)
    (ran,) = log["runs"]
    rules = [rule["id"] for rule in ran["tool"]["driver"]["rules"]]
    results = ran["results"]
    assert [rules[one["ruleIndex"]] for one in results] == [one["ruleId"] for one in results]
    (row,) = [one for one in results if one["ruleId"] == "E108"]
    (place,) = row["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "content-snapshot/plans/PLAN.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 8},
    }
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "The PLAN"


def test_sarif_locations_are_written_as_uris(tmp_path: Path) -> None:
    named = files_of(*school(topic("درس a%", is_published=False, image="/private/files/x")))
    root = content_repository(tmp_path / "content", named)
    log = run(root, "check", "--format", "sarif").report
    jsonschema.Draft202012Validator(SARIF).validate(log)
    (one,) = log["runs"][0]["results"]
    uri = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.endswith("/%D8%AF%D8%B1%D8%B3%20a%2525/_topic.yaml")


def test_a_sarif_fingerprint_stays_while_a_finding_moves(broken: Path) -> None:
    def fingerprints() -> dict[str, str]:
        results = run(broken, "check", "--format", "sarif").report["runs"][0]["results"]
        return {
            f"{one['ruleId']}{one['locations']}": one["partialFingerprints"]["findingIdentity/v1"]
            for one in results
        }

    before = fingerprints()
    file = broken / f"{LESSON}/L2.yaml"
    file.write_text(f"# a note\n\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    after = fingerprints()
    assert after.keys() != before.keys()
    assert sorted(after.values()) == sorted(before.values())
    assert len(set(before.values())) == len(before)


# GitHub


def test_a_pull_request_shows_ten_of_a_kind_the_most_important_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [lesson(f"L{n:02}", bit_index=-1, is_published=n % 2 == 0) for n in range(24)]
    files = files_of(*school(plan("P2"), *many))
    root = content_repository(tmp_path / "content", files)
    lines = run(root, "check", "--format", "github").out.splitlines()
    assert lines == [
        f"::error file={LESSON}/L{n:02}.yaml,line=6,title=E109 bit_index missing or twice in a "
        "subject::bit_index is missing%0Agive every lesson of the subject a bit_index of its own; "
        "never reuse one"
        for n in range(0, 20, 2)
    ]
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    run(root, "check", "--format", "github")
    written = summary.read_text(encoding="utf-8")
    assert written.startswith("### Content: 24 errors, 0 warnings\n\nHeld back: P2, PLAN\n")
    assert [line[2:16] for line in written.splitlines() if line.startswith("- ")] == 24 * [
        "**error E109**"
    ]


def test_one_place_takes_one_annotation_however_many_plans_it_concerns(tmp_path: Path) -> None:
    documents = school(
        topic("manifest"), lesson("L2", "manifest", bit_index=1), *(plan(f"P{n}") for n in range(9))
    )
    root = content_repository(tmp_path / "content", files_of(*documents))
    assert len(run(root, "check", "--format", "github").out.splitlines()) == 1
    assert len(run(root, "check", "--json").report["findings"]) == 10


def test_in_actions_the_text_comes_with_annotations(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    said = run(broken, "check")
    assert said.out.startswith(TEXT)
    kinds = [line.split(" ", 1)[0] for line in said.err.splitlines()]
    assert kinds == ["::error"] * 3 + ["::warning"] * 2


def test_in_actions_a_later_step_can_read_the_counts(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    run(broken, "check")
    assert outputs.read_text(encoding="utf-8") == "errors=3\nwarnings=2\nheld=2\n"


def test_content_cannot_write_annotations_or_markup_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    evil = "red\n::error file=x::pwned <img src=x> [a](b) `c`"
    root = content_repository(tmp_path / "content", files_of(*school(subject(color_code=evil))))
    for form in ("text", "github"):
        said = run(root, "check", "--format", form)
        lines = (said.out + said.err).splitlines()
        assert [line for line in lines if line.startswith("::")] == [
            line for line in lines if line.startswith("::warning file=content-snapshot/")
        ]
    assert "&lt;img src=x&gt; \\[a\\](b) \\`c\\`" in summary.read_text(encoding="utf-8")


def test_a_summary_stays_within_what_github_takes() -> None:
    findings = [
        Finding("W207", f"subjects/{'ع' * 60}/{n}.yaml", "a private file", severity="warning")
        for n in range(9000)
    ]
    written = findings_summary(findings, {}, "content-snapshot")
    shown = written.count("- **warning W207**")
    assert len(written.encode()) <= MAX_SUMMARY_BYTES + 100
    assert 3000 < shown < 9000
    assert written.endswith(f"\n… and {9000 - shown} more: see the log\n")


def test_a_plan_that_is_held_back_anyway_hides_no_mistake_in_its_lessons(tmp_path: Path) -> None:
    odd = lesson("L2", bit_index=1, stages=[stage("Hologram")])
    wrong = plan(overrides=[override(lesson(), "Give")])
    root = content_repository(tmp_path / "content", files_of(*school(odd, wrong)))
    report = run(root, "check", "--json").report
    found = [(one["code"], one["name"], one["plans"]) for one in report["findings"]]
    assert sorted(found) == [("E108", "PLAN", ["PLAN"]), ("E112", "L2", ["PLAN"])]
    (line,) = [one["line"] for one in report["findings"] if one["code"] == "E112"]
    lines = (root / "content-snapshot/subjects/S/T/U/O/L2.yaml").read_text().splitlines()
    assert "Hologram" in lines[line - 1]
