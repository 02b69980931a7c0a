"""What `exporter diff` says, and from what to what (spec 5)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.build.diffing import Side, diff_contents
from exporter.build.inspection import CheckRules
from exporter.core.diff_markdown import COMMENT_LIMIT, markdown_full, markdown_summary
from exporter.core.model import Document
from tests.build.contents import content_of, files_of
from tests.cli.running import commit_all, content_repository, run, write_files
from tests.core.school import lesson, override, plan, school, subject, topic

BEFORE = files_of(*school(subject(required_item="ITEM")))
AFTER = files_of(*school(subject(required_item="ITEM", is_free_preview=True)))
PURGED = """\
source: {url: sqlite:///site.db}
targets:
  local: {store: ./public, state: ./.exporter/local}
  cdn:
    store: ./cdn
    state: ./cdn-state
    base_url: https://cdn.example.org
    purge: {provider: cloudflare, zone_id: zone, api_token: "${CDN_TOKEN}"}
"""
TEXT = """\
1 subject changed
from HEAD (commit {sha}) to the work tree

Who can open what
  🔓 1 lesson of The S becomes free in The PLAN — paid before
       The L

What else students will notice
  Nothing else.

The release
  📄 3 files to put (0 new, {bytes} bytes), 0 to delete
  🔎 Findings: 0 errors, 0 warnings; 0 new, 0 mended

Documents
  ✏️ subject The S S changed
       is free preview: [-no-] → {{+yes+}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return content_repository(tmp_path / "content", BEFORE)


def test_a_commit_to_the_work_tree_for_people(root: Path) -> None:
    write_files(root / "content-snapshot", AFTER)
    said = run(root, "diff", "HEAD")
    report = run(root, "diff", "HEAD", "--json").report
    size = f"{report['files']['bytes_put']:,}"
    sha = report["base"].removeprefix("HEAD (commit ").removesuffix(")")
    assert said.status == 0
    assert said.out == TEXT.format(sha=sha, bytes=size)


def test_a_long_text_that_is_written_anew_shows_how_both_begin(root: Path) -> None:
    texts = [" ".join(f"{word}{number}" for number in range(300)) for word in ("old", "new")]
    for text in texts:
        told = files_of(*school(subject(required_item="ITEM", description=text)))
        write_files(root / "content-snapshot", told)
        commit_all(root, "Told anew")
    for form in ("text", "markdown"):
        said = run(root, "diff", "HEAD~1", "HEAD", "--format", form).out
        assert [f"{word}0 {word}1 {word}2" in said for word in ("old", "new")] == [True, True]
        assert not any(f"{word}299" in said for word in ("old", "new"))


def test_two_commits_as_json(root: Path) -> None:
    first = run(root, "check", "--ref", "HEAD", "--json").report["commit"]
    write_files(root / "content-snapshot", AFTER)
    second = commit_all(root, "Free")
    report = run(root, "diff", first, second, "--format", "json").report
    assert report["base"] == f"commit {first[:12]}"
    assert report["target"] == f"commit {second[:12]}"
    assert [(one["sign"], one["plans"]) for one in report["access"]] == [("opens", ["PLAN"])]
    assert {node["name"] for node in report["access"][0]["nodes"]} == {"S", "T", "U", "O", "L"}
    assert report["documents"] == [
        {
            "kind": "changed",
            "doctype": "Memora Subject",
            "name": "S",
            "name_before": None,
            "title": "The S",
            "breadcrumb": [],
            "breadcrumb_before": [],
            "details": [
                {
                    "effect": "changed",
                    "path": ["is_free_preview"],
                    "before": False,
                    "after": True,
                    "words": [],
                }
            ],
        }
    ]


def test_from_live_to_the_work_tree_by_default(root: Path) -> None:
    assert "nothing (no release of local yet)" in run(root, "diff").out
    assert run(root, "publish").status == 0
    write_files(root / "content-snapshot", AFTER)
    said = run(root, "diff").out
    assert said.splitlines()[0] == "1 subject changed"
    assert said.splitlines()[1].startswith("from release 2")


def test_the_counted_files_are_those_that_a_publish_puts(root: Path) -> None:
    run(root, "publish")
    write_files(root / "content-snapshot", AFTER)
    commit_all(root, "Free")
    counted = run(root, "diff", "--json").report["files"]
    steps = run(root, "plan", "--json").report["steps"]
    put = [step for step in steps if step["step"] == "put"]
    assert counted["put"] == len(put)
    assert counted["bytes_put"] == sum(step["size"] for step in put)


def test_live_is_what_students_see_also_of_a_plan_that_was_held_back(root: Path) -> None:
    assert run(root, "publish").status == 0
    broken = plan("PLAN", title="Renamed", overrides=[override(lesson(), "Rename")])
    files = files_of(*school(subject(required_item="ITEM", is_free_preview=True))[:-1], broken)
    write_files(root / "content-snapshot", files)
    commit_all(root, "Free, and a mistake")
    assert run(root, "publish").status == 1
    write_files(root / "content-snapshot", AFTER)
    commit_all(root, "Mended")
    report = run(root, "diff", "--json").report
    assert [(one["sign"], one["plans"]) for one in report["access"]] == [("opens", ["PLAN"])]
    assert run(root, "publish").status == 0
    assert run(root, "diff", "--json").report["access"] == []


def test_a_plan_that_was_never_published_appears_when_it_is_mended(root: Path) -> None:
    mended = plan("B")
    broken = plan("B", overrides=[override(lesson(), "Rename")])
    write_files(root / "content-snapshot", files_of(*school(), broken))
    commit_all(root, "A plan with a mistake")
    assert run(root, "publish").status == 1
    write_files(root / "content-snapshot", files_of(*school(), mended))
    signs = [(one["sign"], one["plans"]) for one in run(root, "diff", "--json").report["access"]]
    assert signs == [("plan appears", ["B"])]


def test_the_urls_to_purge_are_counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDN_TOKEN", "a-token")
    (root / "exporter.yaml").write_text(PURGED, encoding="utf-8")
    write_files(root / "content-snapshot", AFTER)
    said = run(root, "diff", "HEAD", "--target", "cdn")
    files = run(root, "diff", "HEAD", "--target", "cdn", "--json").report["files"]
    assert files["urls_to_purge"] == 2 * files["changed"], "plain, and with its last ?v="
    assert f"to delete, {files['urls_to_purge']} URLs to purge" in said.out
    assert "to purge" not in run(root, "diff", "HEAD").out, "no target is meant"


def test_no_change_is_said(root: Path) -> None:
    said = run(root, "diff", "HEAD", "HEAD").out
    assert said.splitlines()[0] == "no document changes"
    assert "Nothing changes in who can open what." in said


def test_a_ref_that_is_not_there_is_refused(root: Path) -> None:
    said = run(root, "diff", "nowhere")
    assert said.status == 2
    assert "nowhere" in said.err


def test_colours_are_for_those_who_want_them(root: Path) -> None:
    write_files(root / "content-snapshot", AFTER)
    assert "\x1b" not in run(root, "--no-color", "diff", "HEAD").out


def test_five_thousand_changed_documents_fit_into_a_comment() -> None:
    lessons = [
        lesson(f"L{number}", f"O{number % 50}", number, title=f"درس <b>{number}</b> @all")
        for number in range(5_000)
    ]
    topics = [topic(f"O{number}") for number in range(50)]
    before = [*school(*topics, subject(required_item="ITEM")), plan("B"), *lessons]
    after = [*before[:-5_000], *map(_edited, range(5_000), lessons)]
    base, target = (Side(content_of(files_of(*one)), "x") for one in (before, after))
    report = diff_contents(base, target, CheckRules())
    summary, full = markdown_summary(report), markdown_full(report)
    assert len(summary) <= COMMENT_LIMIT < 65_536 < len(full)
    assert summary.startswith("### Content: 5,000 lessons changed\n")
    assert "🔓 **2,500 lessons** of *The S* › *The T* › *The U* become free in 2 plans" in summary
    assert " more documents\n" in summary
    assert all(f" {number}&lt;/b&gt;" in full or str(number) in full for number in range(5_000))


def _edited(number: int, document: Document) -> Document:
    fields = {**document.fields, "description": f"A text of its own, number {number}."}
    free = {"is_free_preview": True} if number % 2 else {}
    return replace(document, fields={**fields, **free})


def test_everything_is_written_to_a_file(root: Path) -> None:
    write_files(root / "content-snapshot", AFTER)
    said = run(root, "diff", "HEAD", "--format", "markdown", "--full", "full.md")
    assert said.status == 0
    assert (root / "full.md").read_text(encoding="utf-8") == said.out
    refused = run(root, "diff", "HEAD", "--full", "nowhere/full.md")
    assert refused.status == 2
    assert "nowhere/full.md cannot be written" in refused.err


def test_json_is_one_object_without_markup(root: Path) -> None:
    assert set(json.loads(run(root, "diff", "HEAD", "--json").out)) == {
        "base",
        "target",
        "access",
        "notices",
        "files",
        "files_known",
        "held_plans",
        "findings",
        "hold_lines",
        "documents",
    }


def test_a_finding_is_told_with_its_file_and_line_as_check_does(root: Path) -> None:
    write_files(root / "content-snapshot", files_of(*school(lesson(bit_index=-1))))
    told = run(root, "check").out.splitlines()
    assert told[0].startswith("content-snapshot/subjects/S/T/U/O/L.yaml  ")
    assert told[1].startswith("  6: error E109 ")
    assert (
        "E109 content-snapshot/subjects/S/T/U/O/L.yaml, line 6: " in run(root, "diff", "HEAD").out
    )
    markdown = run(root, "diff", "HEAD", "--format", "markdown").out
    assert "E109 <code>content-snapshot/subjects/S/T/U/O/L.yaml</code>, line 6: " in markdown


def test_files_are_not_counted_where_other_settings_built_what_is_live(root: Path) -> None:
    assert run(root, "publish").status == 0
    assert run(root, "diff", "--json").report["files_known"]
    config = root / "exporter.yaml"
    config.write_text(config.read_text() + "build: {version_links: false}\n")
    said = run(root, "diff").out
    assert "📄 the settings or the exporter changed since this release: `exporter plan`" in said
    assert "to put" not in said
    assert not run(root, "diff", "--json").report["files_known"]
    assert run(root, "diff", "HEAD", "--json").report["files_known"]
    assert run(root, "plan", "--json").report["steps"]
