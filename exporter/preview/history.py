"""The dashboard's releases over time: three charts side by side, and a table that says the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from exporter.preview.charts import (
    LEAST_SLOTS,
    Bar,
    Scale,
    bars,
    scale_of,
    size_words,
    span_words,
    square,
)
from exporter.preview.markup import Child, el, moment, said
from exporter.preview.sections import Facts, Report, badge, section

__all__ = ["history"]

_KINDS = {
    "publish": ("Publish", "accent"),
    "rollback": ("Rollback", "amber"),
    "refresh": ("Refresh", "blue"),
    "repair": ("Repair", "violet"),
    "gc": ("Clean-up", "soft"),
    "adopt": ("Adoption", "soft"),
}
_COLUMNS = ("Release", "Commit", "Files", "Size", "Took", "Plans behind")
_SHOWN = 10
_NAMED = 5


def history(facts: Facts) -> Element | None:
    """Show the newest releases: files, bytes and time of each."""
    if not facts.releases:
        return None
    oldest_first = list(reversed(facts.releases))
    count = len(oldest_first)
    about = "The only one so far." if count == 1 else f"The newest {count}, from left to right."
    return section("releases", "Releases", _charts(oldest_first), _table(facts), about=about)


def _charts(releases: Sequence[Report]) -> Element:
    files = [float(one["files_put"]) for one in releases]
    sizes = [float(one["bytes_put"]) for one in releases]
    spans = [_took_s(one) for one in releases]
    charts = (
        _chart("Files put", releases, files, (scale_of(files), lambda value: f"{value:,.0f}")),
        _chart("Bytes put", releases, sizes, (scale_of(sizes), size_words)),
        _chart("Time taken", releases, spans, (scale_of(spans, spans=True), span_words)),
    )
    kinds = dict.fromkeys(one["kind"] for one in releases)
    return el("div.charts-box", el("div.charts", charts), _legend(tuple(kinds)))


def _chart(
    name: str,
    releases: Sequence[Report],
    values: Sequence[float],
    measure: tuple[Scale, Callable[[float], str]],
) -> Element:
    scale, label = measure
    given = [
        Bar(value, _KINDS[one["kind"]][1], f"{label(value)}, {_day(one)}, {_KINDS[one['kind']][0]}")
        for one, value in zip(releases, values, strict=True)
    ]
    first, last, most = _day(releases[0]), _day(releases[-1]), label(max(values))
    dates = (first, last) if len(releases) >= LEAST_SLOTS else (f"{first} to {last}",)
    steep = f"; each line is {scale.times:,} times the one below" if scale.times else ""
    return el(
        "figure",
        el("figcaption", el("strong", name), " ", el("span.facts", f"most {most}{steep}")),
        bars(given, scale, label),
        el("p.dates", [el("span", one) for one in dates]),
    )


def _legend(kinds: Sequence[str]) -> Element | None:
    named = [
        el("li", el("svg.key", square(tone), aria_hidden="true"), name)
        for name, tone in (_KINDS[kind] for kind in kinds)
    ]
    return el("ul.legend", named, aria_label="What the colours mean") if len(named) > 1 else None


def _table(facts: Facts) -> list[Element]:
    rows = [_row(facts, one) for one in facts.releases]
    shown = [_grid("Releases, newest first", rows[:_SHOWN])]
    if older := rows[_SHOWN:]:
        summary = el("summary", f"{len(older):,} older")
        shown.append(el("details.more", summary, _grid("Older releases", older)))
    return shown


def _grid(name: str, rows: Sequence[Element]) -> Element:
    """Return a table; roles are named because a phone shows its rows as blocks."""
    head = el(
        "tr", [el("th", one, scope="col", role="columnheader") for one in _COLUMNS], role="row"
    )
    return el(
        "table.releases",
        el("caption.unseen", name),
        el("thead", head, role="rowgroup"),
        el("tbody", rows, role="rowgroup"),
        role="table",
    )


def _row(facts: Facts, one: Report) -> Element:
    kind = badge(*_KINDS[one["kind"]])
    deleted = f", {one['files_deleted']:,} deleted" if one["files_deleted"] else ""
    cells: tuple[Child, ...] = (
        (facts.when(one["finished_at"]), el("span.name", kind, el("code", said(one["id"])))),
        facts.commit(one["commit"]),
        f"{one['files_put']:,} put{deleted}",
        size_words(one["bytes_put"]),
        span_words(_took_s(one)),
        _bad_plans(one["plans"]),
    )
    return el(
        "tr",
        [
            el("td", cell, role="cell", data_name=column)
            for column, cell in zip(_COLUMNS, cells, strict=True)
        ],
        role="row",
    )


def _bad_plans(plans: Report) -> Child:
    """Name the plans that failed or were held back, other than by not being asked for."""
    bad = [
        name
        for name, plan in sorted(plans.items())
        if plan["state"] in ("failed", "held back") and plan["attempts"] > 0
    ]
    more = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else None
    return [said(", ".join(bad[:_NAMED])), more] if bad else el("span.facts", "none")


def _took_s(release: Report) -> float:
    began, ended = moment(release["started_at"]), moment(release["finished_at"])
    return max(0.0, (ended - began).total_seconds()) if began and ended else 0.0


def _day(release: Report) -> str:
    found: datetime | None = moment(release["finished_at"])
    return f"{found.day} {found:%b, %H:%M}" if found else ""
