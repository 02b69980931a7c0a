"""What a comment made of somebody else's artifact may hold: a report, and nothing that acts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.diff_markdown import COMMENT_LIMIT, escape, neutralised
from tests.core.hostile import TEXTS

GOLDEN = Path(__file__).parent / "golden" / "diff"

HARMFUL = {
    "<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "[click](https://evil.example)": "\\[click\\](https:&#8203;//evil.example)",
    "![x](https://evil.example/x.png)": "!\\[x\\](https:&#8203;//evil.example/x.png)",
    "www.evil.example a@evil.example": "www&#8203;.evil.example a@&#8203;evil.example",
    "@you \\@you &#64;you": "@&#8203;you \\\\@&#8203;you &amp;#&#8203;64;you",
    "_www.evil.example (gh-1)": "_www&#8203;.evil.example (gh&#8203;-1)",
    "#1 \\#1 GH-1 o/r#1": "#&#8203;1 \\\\#&#8203;1 GH&#8203;-1 o/r#&#8203;1",
    "<!-- exporter: content diff -->": "&lt;!-- exporter: content diff --&gt;",
    "<code onclick=x>": "&lt;code onclick=x&gt;",
    "```\nx\n```": "\\`\\`\\`\nx\n\\`\\`\\`",
    "~~~": "\\~\\~\\~",
    "| a |\n|---|": "\\| a \\|\n\\|---\\|",
    "$x$": "<span>$</span>x<span>$</span>",
    "::error::x": ":&#8203;:&#8203;error:&#8203;:&#8203;x",
    "\u202egnp": "\\[U+202E\\]gnp",
    "a\x00\x1b[31mb": "a\\[U+0000\\]\\[U+001B\\]\\[31mb",
}
ACTS = re.compile(
    r"<(?!/?(?:code|del|ins|sub)>|span>\$|/span>)|(?<!\\)[`\[]|(?<!&)[@#](?=\w)|://"
    r"|(?<![^\W_])www\.|&#(?!8203;)"
)


@pytest.mark.parametrize("file", sorted(GOLDEN.iterdir()), ids=lambda file: file.stem)
def test_a_report_comes_back_as_it_is(file: Path) -> None:
    report = file.read_text(encoding="utf-8")
    assert neutralised(report, COMMENT_LIMIT) == report


@pytest.mark.parametrize("written", HARMFUL)
def test_what_would_act_is_text(written: str) -> None:
    assert neutralised(written, COMMENT_LIMIT) == HARMFUL[written]


@given(st.lists(st.one_of(TEXTS, st.sampled_from(sorted(HARMFUL))), max_size=5).map("".join))
def test_nothing_acts_and_saying_it_twice_changes_nothing(written: str) -> None:
    once = neutralised(written, COMMENT_LIMIT)
    assert not ACTS.search(once)
    assert neutralised(once, COMMENT_LIMIT) == once
    assert neutralised(escape(written), COMMENT_LIMIT) == escape(written)


def test_what_is_too_long_is_cut_at_a_line() -> None:
    written = "- @somebody was here\n" * 5000
    told = neutralised(written, 1000)
    assert len(told) <= 1000
    assert set(told.splitlines()) == {"- @&#8203;somebody was here", "- …"}
    assert len(neutralised("@x" * 90_000, COMMENT_LIMIT)) <= COMMENT_LIMIT
