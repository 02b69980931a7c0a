"""The table: what was measured, what stands beside it, and whether the goal is met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.timing import Cost

__all__ = ["Goal", "Line", "growth", "heading", "memory", "shown", "to_json"]


@dataclass(frozen=True, slots=True)
class Goal:
    """The limit: `times` what stands beside it, and `plus`; reached from above if `at_least`."""

    times: float = 0.0
    plus: float = 0.0
    at_least: bool = False

    def is_met(self, ours: float, beside: float | None) -> bool | None:
        """Tell whether the goal is met; None where nothing stands beside that has to."""
        if self.times and beside is None:
            return None
        limit = self.times * (beside or 0.0) + self.plus
        return ours >= limit if self.at_least else ours <= limit

    def text(self, unit: str) -> str:
        """Return the goal in words."""
        parts = [f"{self.times:g} ×"] if self.times else []
        if self.plus or not parts:
            parts.append(f"{self.plus:g} {unit}".rstrip())
        return f"{'≥' if self.at_least else '≤'} {' + '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of ours with the one beside it; medians, in the same unit."""

    scenario: str
    ours: float | None
    unit: str = "s"
    beside: float | None = None
    against: str = ""
    """What stands beside it; or, where nothing does though it should, why not."""
    goal: Goal | None = None
    cost: Cost | None = None
    requests: int | None = None
    is_peers: bool = False
    """Whether all figures are another program's."""

    @property
    def ratio(self) -> float | None:
        """Return ours over what stands beside it."""
        return self.ours / self.beside if self.ours is not None and self.beside else None

    @property
    def is_met(self) -> bool | None:
        """Tell whether the goal is met; None where there is none, or it could not be measured."""
        if self.goal is None or self.ours is None:
            return None
        return self.goal.is_met(self.ours, self.beside)

    @property
    def verdict(self) -> str:
        """Return whether the goal is met, in a word."""
        if self.goal is None:
            return ""
        return {True: "met", False: "MISSED", None: "not measured"}[self.is_met]


_WIDTHS = (50, 15, 15, 24, 7, 10, 8, 9, 16)


def heading() -> str:
    """Return the table's first line."""
    names = ("scenario", "ours", "beside", "", "ratio", "CPU", "peak MB", "requests", "goal", "")
    return _row(names)


def shown(line: Line) -> str:
    """Return a line of the table."""
    return _row(
        (
            line.scenario,
            _figure(line.ours, line.unit),
            _figure(line.beside, line.unit),
            line.against,
            "" if line.ratio is None else f"{line.ratio:.2f}",
            f"{line.cost.cpu_s:.2f} s" if line.cost else "",
            f"{line.cost.peak_mb:.0f}" if line.cost else "",
            "" if line.requests is None else f"{line.requests:,}",
            line.goal.text(line.unit) if line.goal else "",
            line.verdict,
        )
    )


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    *figures, verdict = rest
    spaced = [f"{cell:>{width}}" for cell, width in zip(figures, _WIDTHS[1:], strict=True)]
    spaced[2] = f" {figures[2]:<{_WIDTHS[3] - 1}}"
    return f"{first:<{_WIDTHS[0]}}{''.join(spaced)}  {verdict}".rstrip()


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if value >= 1_000 or unit == "requests" else 2
    return f"{value:,.{digits}f} {unit}"


def growth(lines: Sequence[Line], larger: Sequence[Line], limits: Mapping[str, Goal]) -> list[Line]:
    """Return the lines of a larger site beside the same ones of a smaller."""
    before = {line.scenario: line for line in lines}
    return [
        Line(
            line.scenario,
            line.ours,
            line.unit,
            before[line.scenario].ours,
            "the smaller site",
            limits[line.scenario],
            line.cost,
        )
        for line in larger
        if line.scenario in limits and line.scenario in before
    ]


def memory(lines: Sequence[Line], goal: Goal) -> Iterator[Line]:
    """Yield the line of ours with the highest peak of memory, as one about memory."""
    ours = [line for line in lines if not line.is_peers]
    peaks = {line.cost.peak_mb: line.scenario for line in ours if line.cost}
    if peaks:
        yield Line(f"most memory: {peaks[max(peaks)]}", max(peaks), "MB", goal=goal)


def to_json(line: Line) -> dict[str, object]:
    """Return a line for programs; what it has not got is left out."""
    figures = {"ours": line.ours, "beside": line.beside, "ratio": line.ratio}
    rounded = {name: round(value, 4) for name, value in figures.items() if value is not None}
    kept = {
        name: value
        for name, value in asdict(line).items()
        if value not in (None, "") and name not in ("ours", "beside", "goal", "cost", "is_peers")
    }
    goal = {"goal": line.goal.text(line.unit), "met": line.is_met} if line.goal else {}
    cost = {name: round(value, 2) for name, value in asdict(line.cost).items()} if line.cost else {}
    return {**kept, **rounded, **cost, **goal}
