"""Who wrote a value: the line of a snapshot file, and the commit that it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.content.reading import Content
from exporter.content.repository import Repository
from exporter.content.yaml_reader import lines_of
from exporter.core.findings import Pointer
from exporter.errors import GitError

__all__ = ["Origin", "Origins"]

_UNCOMMITTED = "0" * 40


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands and since which commit; no commit for a line that is not committed.

    `file` is relative to the repository's root, `date` the author's instant in ISO 8601 UTC.
    """

    file: str
    line: int
    commit: str = ""
    author: str = ""
    date: str = ""
    summary: str = ""


class Origins:
    """Finds the origins of values in one content; each line is looked up once."""

    def __init__(self, repository: Repository, content: Content, folder: str) -> None:
        """Take the content of a commit or of the work tree; `folder` is where its files are."""
        self._repository = repository
        self._content = content
        self._folder = folder
        self._lines: dict[str, Callable[[Pointer], int]] = {}
        self._known: dict[tuple[str, int], Origin] = {}

    def of(self, path: str, pointer: Pointer) -> Origin:
        """Return the origin of the value at a place of a snapshot file."""
        return self.of_text(f"{self._folder}/{path}", self._content.text(path), pointer)

    def of_text(self, file: str, text: str, pointer: Pointer) -> Origin:
        """Return the origin of the value at a place of any YAML file, given its text."""
        if file not in self._lines:
            self._lines[file] = lines_of(text)
        line = self._lines[file](pointer)
        if (file, line) not in self._known:
            self._known[file, line] = self._blame(file, line)
        return self._known[file, line]

    def _blame(self, file: str, line: int) -> Origin:
        commit = self._content.commit
        revision = [commit.sha] if commit else []
        try:
            told = self._repository.git(
                "blame", "--porcelain", "-L", f"{line},{line}", *revision, "--", file
            )
        except GitError:  # a file that no commit has
            return Origin(file, line)
        return _origin(file, line, told.decode(errors="replace"))


def _origin(file: str, line: int, porcelain: str) -> Origin:
    first, *rest = porcelain.splitlines()
    sha = first.split()[0]
    if sha == _UNCOMMITTED:
        return Origin(file, line)
    told = dict(row.partition(" ")[::2] for row in rest if not row.startswith("\t"))
    instant = datetime.fromtimestamp(int(told["author-time"]), UTC)
    return Origin(
        file, line, sha, told["author"], f"{instant:%Y-%m-%dT%H:%M:%SZ}", told.get("summary", "")
    )
