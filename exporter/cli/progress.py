"""How far long work is, on standard error: a bar for a person, plain lines in a log (spec 6).

A bar comes after a second, and is gone as soon as anything else is printed; a line comes every ten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from exporter.content.comparing import Source, View
    from exporter.core import progress
    from exporter.core.model import Document, Ref

__all__ = ["Bar", "CountedSource", "Lines"]

PATIENCE_S = 1.0
BETWEEN_REDRAWS_S = 0.1
BETWEEN_LINES_S = 10.0

Clock = Callable[[], float]


class Lines:
    """A line now and then, for logs."""

    def __init__(self, say: Callable[[str], None], clock: Clock) -> None:
        self._say = say
        self._clock = clock
        self._last = clock()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell how far the work is, unless that was told just now."""
        now = self._clock()
        if now - self._last >= BETWEEN_LINES_S:
            self._last = now
            self._say(f"{what}: {done:,} of {total:,}")

    def clear(self) -> None:
        """Leave what was printed as it is."""


class Bar:
    """A bar that fills, for whoever is watching."""

    def __init__(self, clock: Clock, *, color: bool) -> None:
        self._clock = clock
        self._color = color
        self._next = clock() + PATIENCE_S
        self._shown: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """Draw the bar, unless it was drawn just now."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + BETWEEN_REDRAWS_S
        shown = self._shown or self._appear()
        if self._task is None:
            self._task = shown.add_task(what, total=total)
        shown.update(self._task, description=what, completed=done, total=total)
        shown.refresh()

    def clear(self) -> None:
        """Take the bar away, so that something else can be printed."""
        if self._shown:
            self._shown.stop()
        self._shown = self._task = None

    def _appear(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        console = Console(stderr=True, no_color=not self._color)
        # No thread redraws it: processes are forked while it is shown.
        self._shown = Progress(*columns, console=console, transient=True, auto_refresh=False)
        self._shown.start()
        return self._shown


class CountedSource:
    """A source that tells how many of its documents were read."""

    def __init__(self, source: Source, tell: progress.Progress) -> None:
        self._source = source
        self._tell = tell

    @contextmanager
    def view(self) -> Iterator[View]:
        """Open one consistent view."""
        with self._source.view() as view:
            yield _CountedView(view, self._tell)


class _CountedView:
    def __init__(self, view: View, tell: progress.Progress) -> None:
        self.identity = view.identity
        self.sums = view.sums
        self.digests = view.digests
        self.size = view.size
        self._view = view
        self._tell = tell

    def everything(self) -> Iterator[tuple[Document, int | None]]:
        total = self._view.size()
        for done, found in enumerate(self._view.everything(), start=1):
            self._tell("documents read", done, max(done, total))
            yield found

    def documents(self, only: Collection[Ref]) -> Iterator[Document]:
        for done, document in enumerate(self._view.documents(only), start=1):
            self._tell("documents read", done, max(done, len(only)))
            yield document
