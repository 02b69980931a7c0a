"""Pull requests: what reviewers see, and what a stranger's can do, which is nothing."""

from __future__ import annotations

import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.workflows.conftest import School, ran

LESSON, OTHER = "LESSON-MATH-001", "LESSON-MATH-002"
REVIEWED = [("pull-request.yml", "success"), ("pull-request-comment.yml", "success")]

HOSTILE = (
    "$(touch pwned) `touch pwned` ; touch pwned # ${{ secrets.CF_TOKEN }}\n"
    "::error file=x::spoofed\n::set-output name=record::spoofed\n::add-mask::e\n"
    "::stop-commands::x\n##[error]spoofed\n"
    "</details><script>alert(1)</script><img src=x onerror=alert(1)> "
    "![p](https://evil.example/p.png) [c](javascript:alert(1)) <https://evil.example/a> "
    "@school/teachers school/content#1 GH-1 https://evil.example/b"
)
FILES = (
    "$(touch pwned).yaml",
    "`touch pwned`.yaml",
    "; touch pwned #.yaml",
    "--config=pwned.yaml",
    "a\n::error file=x::spoofed\n::set-output name=record::spoofed\n.yaml",
    "%0A::stop-commands::x.yaml",
    "<img src=x onerror=alert(1)>.yaml",
)
HARMLESS = {"h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "br"} | {
    *("strong", "em", "code", "span", "sub", "ins", "del", "a"),
}
OUR_LINK = re.compile(r"https://github\.example/school/content/actions/runs/\d+\Z")
BRANCH = 'x"$(touch${IFS}pwned)`touch${IFS}pwned`;touch${IFS}pwned;#'


def test_a_pull_request_has_one_comment_that_follows_its_commits(content: School) -> None:
    hub, api = content.hub, content.hub.api
    content.retitle(LESSON, "A better title")
    content.commit("A better title")
    pull = content.open_pull("better", "A better title")
    assert ran(hub.settle()) == REVIEWED
    [comment] = api.comments
    assert comment["issue"] == pull["number"]
    assert "A better title" in comment["body"]
    assert "A better title" in hub.last("pull-request.yml").summary

    fake = comment["body"]
    api.comment(pull["number"], fake, {"login": "stranger", "type": "User"})
    file = content.lesson_file(OTHER)
    file.write_text(file.read_text("utf-8") + "no_such_field: 1\n", "utf-8")
    content.retitle(LESSON, "The best title")
    pull["head"]["sha"] = content.commit("The best title, and a mistake")
    hub.pull_request(pull, "synchronize")
    assert ran(hub.settle()) == [("pull-request.yml", "failure"), REVIEWED[1]]
    updated, untouched = api.comments
    assert updated["id"] == comment["id"]
    assert "The best title" in updated["body"]
    assert untouched["body"] == fake
    errors = [each for each in hub.last("pull-request.yml").annotations if each.kind == "error"]
    assert {each.properties["file"] for each in errors} == {
        file.relative_to(content.desk).as_posix()
    }


def test_a_preview_is_there_while_its_pull_request_is_open(content: School) -> None:
    hub = content.hub
    hub.variables["EXPORTER_PREVIEW_TARGET"] = "preview"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        hub.secrets[f"PREVIEW_{name}"] = hub.secrets[name]
    content.retitle(LESSON, "Seen before it is merged")
    content.commit("For a preview")
    pull = content.open_pull("preview", "A preview")
    assert ("preview.yml", "success") in ran(hub.settle())
    below = f"previews/pr-{pull['number']}/cdn/lessons/{LESSON}.json"
    assert b"Seen before it is merged" in content.objects(below)[""]
    assert content.objects("cdn/") == {}

    pull["state"] = "closed"
    hub.pull_request(pull, "closed")
    assert ran(hub.settle()) == [("preview.yml", "success")]
    assert content.objects("previews/") == {}


def test_nothing_that_a_strangers_pull_request_says_is_executed_or_shown_as_markup(
    content: School, tmp_path: Path
) -> None:
    hub, api = content.hub, content.hub.api
    plan = content.lesson_file("GRADE-12-SCI-2026").read_text("utf-8")
    for name in FILES:
        (content.desk / "content-snapshot" / "plans" / name).write_text(plan, "utf-8")
    content.retitle(LESSON, HOSTILE)
    content.commit(f"{HOSTILE}\n\nExporter-Rollback: {HOSTILE}")
    pull = content.open_pull(BRANCH, HOSTILE, owner="stranger")
    assert ran(hub.settle()) == [("pull-request.yml", "failure"), REVIEWED[1]]

    run = hub.last("pull-request.yml")
    assert {each.kind for each in run.commands} == {"error", "warning"}
    assert {each.properties["file"].partition("/")[0] for each in run.commands} == {
        "content-snapshot"
    }
    assert run.outputs.get("record") is None
    [comment] = api.comments
    assert comment["issue"] == pull["number"]
    _assert_harmless(comment["body"])
    _assert_harmless(run.summary)
    assert list(tmp_path.rglob("*pwned")) == []


def test_a_forged_artifact_becomes_one_harmless_comment_on_its_own_pull_request(
    content: School, tmp_path: Path
) -> None:
    hub, api = content.hub, content.hub.api
    content.retitle(LESSON, "Harmless")
    content.commit("Harmless")
    other = content.open_pull("other", "Somebody else's")
    hub.waiting.clear()
    content.retitle(LESSON, "Forged")
    content.commit("Forged")
    pull = content.open_pull("forged", "Forged", owner="stranger")
    run = next(each for each in hub.waiting if each.workflow == "pull-request.yml")
    hub.run(run)
    forged = f"<!-- exporter: content diff -->\n{HOSTILE}\n" + "x <b>@all</b>\n" * 4_000_000
    (artifact,) = (tmp_path / "artifacts").rglob("content-diff.zip")
    with zipfile.ZipFile(artifact, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("diff.md", forged)
        archive.writestr("../../../../../pwned", "pwned")
        archive.writestr("number", str(other["number"]))
    hub.settle()
    [comment] = api.comments
    assert comment["issue"] == pull["number"]
    assert 1_000 < len(comment["body"]) <= 65_536
    _assert_harmless(comment["body"])
    assert list(tmp_path.rglob("*pwned")) == []


@pytest.mark.parametrize(
    "acting",
    [
        HOSTILE,
        "<script>alert(1)</script>",
        "![p](https://github.example/p.png)",
        "[c](//evil.example)",
        "see https://evil.example/b",
        "@school/teachers",
        "school/content#1",
    ],
)
def test_what_would_act_on_a_reader_is_recognised(acting: str) -> None:
    with pytest.raises(AssertionError):
        _assert_harmless(f"text\n\n{acting}\n")


class _Shown(HTMLParser):
    """The tags of a page, and all values of their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.values: set[str | None] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.values |= {value for _, value in attrs}


def _assert_harmless(markdown: str) -> None:
    """Fail where GitHub would show more than text of what a stranger wrote."""
    shown = _Shown(MarkdownIt("commonmark").render(markdown))
    assert shown.tags <= HARMLESS
    assert {value for value in shown.values if not OUR_LINK.match(value or "")} == set()
    for acting in ("@school/", "@all", "school/content#1", "GH-1 ", "https://evil"):
        assert acting not in markdown
