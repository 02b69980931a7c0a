"""Charts drawn as SVG: bars over releases, and bars in a row of a table.

Positions are in percent, so a chart is as wide as its place and its letters keep their size.
Colours come from the style sheet. A chart is for the eye only: what it shows stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from exporter.preview.markup import el

__all__ = [
    "LEAST_SLOTS",
    "Bar",
    "Scale",
    "bars",
    "meter",
    "scale_of",
    "size_words",
    "span_words",
    "square",
]

LEAST_SLOTS = 12
"""How many bars fit at least, so that the first few are no wide blocks."""
_STEEP = 50
"""Where the largest value is so many times the middle one, each line is ten times the last."""
_SPANS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 36000, 86400)
_SIZES = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Bar:
    """One release in a chart."""

    value: float
    tone: str
    """A class of the style sheet."""
    told: str
    """What a pointer over it shows."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand between 0 and 1, and the lines to show."""

    lines: tuple[float, ...]
    place: Callable[[float], float]
    times: int = 0
    """By how much each line exceeds the one below; 0 where they are evenly spaced."""


def scale_of(values: Sequence[float], *, spans: bool = False) -> Scale:
    """Choose a scale that shows all values; `spans` are seconds."""
    found = sorted(value for value in values if value > 0)
    if not found:
        return Scale((), lambda _value: 0.0)
    if found[-1] > _STEEP * found[len(found) // 2]:
        return _by_tens(found[0], found[-1])
    top = _round_span(found[-1]) if spans else _round_up(found[-1])
    lines = (top / 2, top) if top > 1 else (top,)
    return Scale(lines, lambda value: value / top)


def bars(given: Sequence[Bar], scale: Scale, label: Callable[[float], str]) -> Element:
    """Draw bars from left to right over labelled lines."""
    lines = [
        el(f"line.{form}", x1="0", x2="100%", y1=_from_top(at), y2=_from_top(at))
        for form, at in [("floor", 0.0), *(("step", scale.place(one)) for one in scale.lines)]
    ]
    labels = [
        el("text", label(value), x="100%", y=_from_top(scale.place(value)), dy="0.32em")
        for value in scale.lines
    ]
    width = 100 / max(len(given), LEAST_SLOTS)
    drawn = [_bar(bar, place * width, width, scale) for place, bar in enumerate(given)]
    return el(
        "div.plot",
        el("svg.bars", lines[1:], drawn, lines[0]),
        el("svg.labels", labels),
        aria_hidden="true",
    )


def meter(part: int, whole: int, tone: str) -> Element:
    """Draw a part of a whole as one bar."""
    return el("svg.meter", square("rest"), square(tone, part / whole if whole else 0))


def square(tone: str, width: float = 1) -> Element:
    """Draw a field of a colour, as wide as a part of its place."""
    return el(f"rect.{tone}", width=_percent(width), height="100%", rx="3")


def size_words(count: float) -> str:
    """Return a number of bytes in three figures at most: `1.2 MB`."""
    size, unit = float(count), 0
    while size >= 999.5 and unit < len(_SIZES) - 1:
        size, unit = size / 1000, unit + 1
    digits = 1 if unit and size < 9.95 else 0
    return f"{size:.{digits}f} {_SIZES[unit]}".replace(".0 ", " ")


def span_words(seconds: float) -> str:
    """Return a span of time: `under 1 s`, `12 s`, `2 min 5 s`, `1 h 10 min`."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    unit, smaller, length = ("min", "s", 60) if seconds < 3600 else ("h", "min", 3600)
    whole, rest = divmod(int(seconds), length)
    below = rest if length == 60 else rest // 60
    return f"{whole} {unit}" + (f" {below} {smaller}" if below else "")


def _bar(bar: Bar, left: float, width: float, scale: Scale) -> Element:
    height = min(1.0, max(0.0, scale.place(bar.value))) if bar.value > 0 else 0.0
    slot = el("rect.slot", x=f"{left:.2f}%", width=f"{width:.2f}%", height="100%")
    shape = el(
        f"rect.{bar.tone}",
        x=f"{left + width * 0.14:.2f}%",
        width=f"{width * 0.72:.2f}%",
        y=_from_top(height),
        height=_percent(height * _PLOT),
        rx="2",
    )
    return el("g", el("title", bar.told), slot, shape if height else None)


_PLOT = 0.9
"""The part of a chart's height that its highest line stands at."""


def _from_top(height: float) -> str:
    return _percent(1 - height * _PLOT)


def _percent(part: float) -> str:
    return f"{part * 100:.2f}%"


def _by_tens(least: float, most: float) -> Scale:
    """Return a scale on which each step is ten times the last; the lowest bar is a step high."""
    low, high = math.floor(math.log10(least)) - 1, math.ceil(math.log10(most))
    powers = range(low + 1, high + 1)
    step = -(-len(powers) // 4)
    lines = tuple(10.0**power for power in sorted(powers[::-1][::step]))

    def place(value: float) -> float:
        return (math.log10(value) - low) / (high - low) if value > 0 else 0.0

    return Scale(lines, place, 10**step)


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 6, 8, 10) if value <= power * step)


def _round_span(value: float) -> float:
    return next((span for span in _SPANS_S if value <= span), value)
