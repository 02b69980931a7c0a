"""Reviewers' diffs of real editorial changes, as golden files (issue 5, must be seen 3).

`EXPORTER_WRITE_GOLDEN=1` writes them anew; look at what changed before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exporter.core.diff_markdown import COMMENT_LIMIT, markdown_summary
from tests.core.editorial import CHANGES, report_of

WRITE = bool(os.environ.get("EXPORTER_WRITE_GOLDEN"))
GOLDEN = Path(__file__).parent / "golden" / "diff"


@pytest.mark.parametrize("name", CHANGES)
def test_an_editorial_change_reads_as_agreed(name: str) -> None:
    told = markdown_summary(report_of(CHANGES[name]))
    file = GOLDEN / f"{name}.md"
    if WRITE:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")
    assert len(told) <= COMMENT_LIMIT


def test_every_golden_file_has_its_change() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(CHANGES)
