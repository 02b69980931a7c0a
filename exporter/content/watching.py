"""When a snapshot is taken by itself: `exporter watch` (spec 2).

The watermark is cheap and may miss an edit that leaves `modified` alone, so where nothing is seen
for an interval a snapshot looks at everything anyway. What fails is told in a line and tried again,
later and later; wrong usage or configuration stays wrong, and ends it. Time, waiting and the word
to stop come from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from exporter.errors import ExporterError, UsageError

__all__ = ["Pace", "Watch"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, and when to take a snapshot; seconds, and a number of plans."""

    poll_s: float
    interval_s: float
    threshold: int


@dataclass(slots=True)
class Watch:
    """A loop that ends only when it is told to, between two steps."""

    pace: Pace
    watermark: Callable[[], str]
    affected: Callable[[], int]
    """Count the plans that a snapshot taken now would affect."""
    snapshot: Callable[[], str]
    """Take one; return what to say of it."""
    say: Callable[[str], None]
    clock: Callable[[], float]
    """Seconds that only ever grow."""
    wait: Callable[[float], bool]
    """Wait for some seconds; True when it is time to stop."""
    _polled: str | None = field(default=None, init=False)
    """The watermark at the last look."""
    _taken: str | None = field(default=None, init=False)
    """The watermark of the last snapshot."""
    _taken_at: float = field(default=0.0, init=False)
    _unseen_since: float | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)

    def run(self) -> None:
        """Watch until it is time to stop; the first snapshot is taken at once.

        Raises:
            UsageError: what is asked for will never work.
        """
        while True:
            pause = self._cycle()
            if self.wait(pause):
                return

    def _cycle(self) -> float:
        """Look once, take a snapshot if it is time; return the seconds until the next look."""
        try:
            why = self._reason()
            if why:
                self._take(why)
            elif self._failures:
                self.say("works again")
        except UsageError:
            raise
        except (ExporterError, OSError) as error:
            return self._failed(error)
        self._failures = 0
        return self.pace.poll_s

    def _reason(self) -> str:
        """Return why a snapshot is due; empty where it is not."""
        now = self.clock()
        mark = self.watermark()
        moved, self._polled = mark != self._polled, mark
        if self._taken is None:
            return "first look"
        if mark == self._taken:
            self._unseen_since = None
            return "regular look" if now - self._taken_at >= self.pace.interval_s else ""
        if self._unseen_since is None:
            self._unseen_since = now
        if now - self._unseen_since >= self.pace.interval_s:
            return "interval"
        if (moved or self._failures) and self.affected() >= self.pace.threshold:
            return "threshold"
        return ""

    def _take(self, why: str) -> None:
        mark = self._polled
        told = self.snapshot()
        self._taken, self._taken_at, self._unseen_since = mark, self.clock(), None
        self.say(f"{why}: {told}")

    def _failed(self, error: ExporterError | OSError) -> float:
        """Tell a failure in one line; return the seconds until the next try."""
        self._failures += 1
        longest = max(self.pace.interval_s, self.pace.poll_s)
        pause = min(self.pace.poll_s * 2.0 ** min(self._failures - 1, 16), longest)
        hint = getattr(error, "hint", "")
        words = " ".join(f"{error}{f' ({hint})' if hint else ''}".split())
        self.say(f"failed, next try in {pause:g} s: {words}")
        return pause
