"""The dashboard as a file: what it says, that content stays text, and that it asks for nothing."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest

from exporter.build.schemas import validator
from exporter.content.webpages import pages_of
from exporter.errors import StoreError
from exporter.preview.charts import scale_of, size_words, span_words
from exporter.preview.dashboard import dashboard, trouble
from exporter.preview.markup import Page, age
from tests.preview.reports import PAGES, calm, troubled

HOSTILE = (
    "</style></bdi><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;\u202e\x00\ud800"
)
SHOWN = (
    "</style></bdi><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;"
    "[U+202E][U+0000][U+D800]"
)
EMPTY = {"meta", "link", "img"}


@dataclass
class Read(HTMLParser):
    """A page as a browser takes it: its elements, and the text outside of its style."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    style: str = ""
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.opened[-1:] == ["style"]:
            self.style += data
        else:
            self.text += data

    def every(self, *names: str) -> list[str]:
        """Return what attributes of these names hold."""
        return [found[name] for _, found in self.elements for name in names if name in found]


def read(page: Page) -> Read:
    found = Read()
    found.feed(page.html.decode())
    found.close()
    assert found.opened == []
    return found


@pytest.mark.parametrize("made", [troubled, calm])
def test_the_reports_of_these_tests_are_as_the_commands_print_them(
    made: Callable[[], tuple[Any, Any]],
) -> None:
    status, releases = made()
    assert (validator("output-status")(status), validator("output-releases")(releases)) == ([], [])


def with_words(words: str) -> Page:
    """Return the page of a target of which every text that others write is this one."""
    status, releases = troubled()
    status["store"] = words
    for commit in status["unpublished_commits"]:
        commit |= {"subject": words, "author": words, "date": words}
    for held in status["holds"]:
        held |= {"name": words, "title": words, "author": words, "reason": words, "date": words}
    for one in status["signed_urls"]["next"]:
        one["key"] = words
    (first, second) = status["plans_waiting"].values()
    status["plans_waiting"] = {words: first | {"error": words}, "OTHER": second | {"error": words}}
    status["unpublished_plans"] = [words]
    status["plan_titles"] = {words: words}
    status["live"]["trigger"] = words
    releases["commit_subjects"] = dict.fromkeys(releases["commit_subjects"], words)
    for release in releases["releases"]:
        release["plans"] = dict.fromkeys([words], next(iter(release["plans"].values())))
    return dashboard(status, releases)


def test_hostile_content_stays_text() -> None:
    harmless, hostile = read(with_words("words")), read(with_words(HOSTILE))
    shape = Counter((tag, *sorted(found)) for tag, found in harmless.elements)
    assert Counter((tag, *sorted(found)) for tag, found in hostile.elements) == shape
    assert hostile.text.count(SHOWN) >= harmless.text.count("words") - 1
    assert "script" not in {tag for tag, _ in hostile.elements}
    assert hostile.style == harmless.style


@pytest.mark.parametrize("made", [troubled, calm])
def test_nothing_leads_outside_but_commits(made: Callable[[], tuple[Any, Any]]) -> None:
    status, releases = made()
    page = read(dashboard(status, releases))
    outside = [
        address
        for address in page.every("href", "src", "action", "data", "srcset", "poster")
        if not address.startswith(("#", "data:image/svg+xml;base64,"))
    ]
    shas = {one["commit"] for one in [*releases["releases"], *status["unpublished_commits"]]}
    shas |= {held["commit"] for held in status["holds"]}
    wanted = {f"{PAGES}{sha}" for sha in shas} if status["commit_pages"] else set()
    assert set(outside) == wanted
    assert not re.search(r"url\(|@import|https?:", page.style)
    parts = set(page.every("id"))
    assert {href[1:] for href in page.every("href") if href.startswith("#")} <= parts


def test_a_commit_that_is_none_is_no_link() -> None:
    status, releases = troubled()
    status["live"]["commit"] = "javascript:alert(1)"
    releases["releases"] = [{**releases["releases"][0], "commit": "../" * 14}]
    page = read(dashboard(status, releases))
    assert not any("alert" in href or ".." in href for href in page.every("href"))
    assert "javascri" in page.text


def test_the_policy_lets_nothing_in_but_the_one_style() -> None:
    page = dashboard(*troubled())
    found = read(page)
    digest = b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    assert page.policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    metas = [one for tag, one in found.elements if tag == "meta" and "http-equiv" in one]
    assert metas == [{"http-equiv": "Content-Security-Policy", "content": page.policy}]
    names = {name for _, attributes in found.elements for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}


def headline(status: Any) -> list[str]:
    """Return what the page says first, and the notes below it."""
    html = dashboard(status, calm()[1]).html.decode()
    hero = html[html.index("<h1>") : html.index("<dl")]
    return re.findall(r"<span>([^<]*)</span>", hero)


def test_what_matters_most_is_said_first() -> None:
    assert headline(troubled()[0]) == [
        "2 plans stay at an earlier release",
        "2 lessons have media links that no longer work",
        "Readers may get old files: 3 purge requests are still owed to the CDN",
        "2 commits wait to be published",
    ]


WAITING = {"state": "held back", "attempts": 1, "error": "E108", "dead_letter": False}
COMMIT = {"commit": "a" * 40, "subject": "s", "author": "a", "date": "2026-11-21T10:00:00Z"}
LEASE = {"holder": "ci", "run": "r", "since": "s", "until": "u"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Everything that is committed is published"),
        ({"live": None}, "Nothing was published yet"),
        ({"plans_waiting": {"P": WAITING}}, "1 plan stays at an earlier release"),
        (
            {"plans_waiting": {"P": {**WAITING, "attempts": 0}}},
            "1 plan was left out of the last publish",
        ),
        ({"unfinished": True}, "A publish was cut short; the next one ends it"),
        ({"unfinished": True, "lease": LEASE}, "A publish is running now"),
        ({"unpublished_commits": [COMMIT]}, "1 commit waits to be published"),
        (
            {"unpublished_commits": None},
            "The live commit is not in this clone, so nobody can tell what waits",
        ),
        (
            {"off_history": True},
            "The live commit is not in the history of the branch that is checked out",
        ),
        ({"uncommitted_files": ["a"]}, "1 content file is changed but not committed"),
    ],
)
def test_each_state_has_its_sentence(change: dict[str, Any], said: str) -> None:
    assert headline({**calm()[0], **change}) == [said]


def test_times_are_told_exactly_and_from_when_the_page_was_made() -> None:
    text = " ".join(read(dashboard(*troubled())).text.split())
    assert "As of 21 November 2026, 14:30 UTC" in text
    assert "21 Nov 2026, 11:30 UTC 3 hours earlier" in text
    assert "20 Nov 2026, 08:05 UTC 30 hours earlier" in text, "a date with an offset"
    assert "21 Nov 2026, 14:48 UTC 18 minutes later" in text


def test_what_is_empty_is_left_out() -> None:
    parts = ("behind", "waiting", "holds", "purges", "signed", "releases")
    assert [id_ for id_ in read(dashboard(*troubled())).every("id") if id_ in parts] == [*parts]
    assert [id_ for id_ in read(dashboard(*calm())).every("id") if id_ in parts] == ["releases"]


def test_a_dead_letter_says_how_it_is_tried_again() -> None:
    status, releases = troubled()
    dead = status["plans_waiting"].pop("GRADE-11-BRIDGE-2026")
    status["plans_waiting"]["it's one"] = dead
    text = read(dashboard(status, releases)).text
    assert "Given up" in text
    assert "exporter retry 'it'\"'\"'s one'" in text


def test_long_lists_are_folded_and_in_the_end_cut() -> None:
    status, releases = calm()
    status["unpublished_commits"] = [deepcopy(COMMIT) for _ in range(640)]
    html = dashboard(status, releases).html.decode()
    assert "<summary>630 more</summary>" in html
    assert "and 140 more that this page leaves out" in html
    assert html.count('<span class="commit">') == 500 + 2


def test_every_release_is_in_the_table_also_where_its_bar_is_nothing() -> None:
    status, releases = troubled()
    page = dashboard(status, releases).html.decode()
    rows = page.count('<td role="cell" data-name="Release">')
    assert rows == len(releases["releases"]) == 26
    assert page.count('<rect class="slot"') == 3 * 26
    assert "<summary>16 older</summary>" in page
    assert "0 put, 2 deleted" in page


def test_why_there_is_no_page_is_told_as_one() -> None:
    error = StoreError(f"s3://state is away {HOSTILE}", hint="run again")
    page = read(trouble("production", error, {"Preview": "/"}))
    assert "Where this target stands cannot be told" in page.text
    assert f"s3://state is away {SHOWN}" in page.text
    assert "/" in page.every("href")


@pytest.mark.parametrize(
    ("remote", "pages"),
    [
        ("https://github.com/school/content.git", PAGES),
        ("https://github.com/school/content/", PAGES),
        ("https://bot:a-secret@github.com/school/content", PAGES),
        ("git@github.com:school/content.git", PAGES),
        ("ssh://git@GitHub.com:22/school/content.git", PAGES),
        ("git@gitlab.com:a/b/content.git", "https://gitlab.com/a/b/content/-/commit/"),
        ("https://bitbucket.org/school/content", "https://bitbucket.org/school/content/commits/"),
        ("https://git.school.example/school/content.git", None),
        ("https://github.com.evil.example/school/content", None),
        ("https://evil.example/github.com/content", None),
        ("/srv/git/content.git", None),
        ("../content", None),
        ('https://github.com/school/"><script>', None),
    ],
)
def test_commits_are_linked_on_hosts_that_are_known(remote: str, pages: str | None) -> None:
    assert pages_of(remote) == pages


def test_spans_and_sizes_in_words() -> None:
    ages = [1, 89, 90, 3600, 5400, 129_600, 200_000]
    assert [age(one) for one in ages] == [
        *("1 second", "89 seconds", "1 minute", "60 minutes", "1 hour", "1 day", "2 days")
    ]
    assert [span_words(one) for one in (0.4, 1, 60, 125, 3600, 4200)] == [
        *("under 1 s", "1 s", "1 min", "2 min 5 s", "1 h", "1 h 10 min")
    ]
    assert [size_words(one) for one in (0, 999, 1000, 1234, 12_345, 999_600, 5e12, 5e15)] == [
        *("0 B", "999 B", "1 kB", "1.2 kB", "12 kB", "1 MB", "5 TB", "5000 TB")
    ]


def test_a_scale_holds_every_value_and_shows_small_ones_beside_huge_ones() -> None:
    even = scale_of([3, 0, 7])
    assert (even.lines, even.times, even.place(0), even.place(7)) == ((4, 8), 0, 0, 7 / 8)
    steep = scale_of([50_000, 1, 2, 0])
    assert (steep.lines, steep.times) == ((10, 1_000, 100_000), 100)
    assert 0 == steep.place(0) < 0.1 < steep.place(1) < steep.place(2) < steep.place(50_000) <= 1
    assert scale_of([]).lines == scale_of([0, 0]).lines == ()
    assert scale_of([95], spans=True).lines == (60, 120)
