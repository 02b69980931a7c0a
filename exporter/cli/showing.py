"""What the preview shows: a content by its name among people, read, and read as it changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from exporter.cli.diff import LIVE, WORKTREE, side_of
from exporter.cli.workbench import read_content
from exporter.content.parsed import Stats, stats_below
from exporter.content.reading import Content, reread_worktree
from exporter.errors import ExporterError
from exporter.preview.answers import Showing
from exporter.preview.comparing import Comparison
from exporter.preview.edition import Edition
from exporter.preview.shelf import Shelf

if TYPE_CHECKING:
    from exporter.cli.session import Session

__all__ = ["Shown"]

_PAUSE_S = 0.4
_REST = 3
"""Between two looks for changed files there is so many times the time that a look takes."""


class Shown:
    """A commit or the work tree, maybe compared with another content."""

    def __init__(
        self,
        session: Session,
        ref: str | None,
        compare: str | None = None,
        target: str | None = None,
    ) -> None:
        """Name what is shown; `compare` is a ref, or `live` for the live release of a target."""
        self._session = session
        self._commit = session.resolve(ref) if ref else None
        self._ref = ref or WORKTREE
        self._compare, self._target = compare, target
        self._compared = self._name_of_compared()
        self._stats = self._seen = self._look()
        self.pause_s = _PAUSE_S

    def shelf(self) -> Shelf:
        """Return the answers that were given of this before."""
        from exporter import __version__

        session = self._session
        commit = self._commit or session.repository.head()
        fingerprint = session.workspace.fingerprint
        told = repr((__version__, fingerprint, commit, self._ref, self._stats, self._compared))
        content = hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()
        return Shelf(session.repository.private_dir, content)

    def read(self) -> Showing:
        """Read all of it."""
        self._compare_with = self._comparing()
        side = side_of(self._session, self._ref, None)
        self._showing = self._showing_of(side.content, side.label)
        return self._showing

    def read_again(self) -> Showing | None:
        """Read what has changed since; None where nothing has, or files are still changing."""
        before = self._stats
        if not self._has_come_to_rest():
            return None
        edited = [path for path, stat in self._stats.items() if before.get(path) != stat]
        is_edited_in_place = before.keys() == self._stats.keys()
        try:
            content = self._reread(edited) if is_edited_in_place else None
            content = content or read_content(self._session, None, worktree=True)
        except ExporterError as error:
            self._session.say(f"the page shows the content as it was before: {error.message}")
            return None
        self._showing = self._showing_of(content, self._showing.label)
        return self._showing

    def _has_come_to_rest(self) -> bool:
        """Tell whether the files are others than those shown, and the same as a moment ago."""
        began, last = self._session.clock(), self._seen
        self._seen = self._look()
        self.pause_s = max(_PAUSE_S, _REST * (self._session.clock() - began))
        if self._seen == self._stats:
            return False
        if self._seen != last:
            self.pause_s = _PAUSE_S
            return False
        self._stats = self._seen
        return True

    def _reread(self, paths: list[str]) -> Content | None:
        session, content = self._session, self._showing.edition.content
        extra = session.config.source.extra_fields
        return reread_worktree(session.content_folder, content, paths, extra)

    def _look(self) -> Stats:
        return {} if self._commit else stats_below(self._session.content_folder)

    def _showing_of(self, content: Content, label: str) -> Showing:
        edition = self._edition(content)
        return Showing(edition, label, self._compare_with(edition))

    def _edition(self, content: Content) -> Edition:
        session = self._session
        commit = content.commit or session.repository.head()
        time = commit.time if commit else int(session.now().timestamp())
        return Edition(content, session.check_rules, time)

    def _comparing(self) -> Callable[[Edition], Comparison | None]:
        """Return what holds an edition against the content that is compared with."""
        if self._compare is None:
            return lambda _edition: None
        side = side_of(self._session, self._compare, self._target)
        before = self._edition(side.content)
        behind = {name: self._edition(content) for name, content in side.behind.items()}
        return lambda after: Comparison(before, after, side.label, behind)

    def _name_of_compared(self) -> str:
        """Return what names the content that is compared with: a commit, or a release."""
        if self._compare in (None, WORKTREE):
            return str(self._compare)
        if self._compare == LIVE:
            head = self._session.open_target(self._target).ledger.head()
            return f"live {head[0].release if head else ''}"
        return self._session.resolve(str(self._compare)).sha
