"""The parts of the dashboard that tell what waits, is held or is owed; what is empty is left out.

Everything that people or a database wrote goes through `said`. A link leads to a part of the page,
or to a commit on a host that is known, and nowhere else.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from xml.etree.ElementTree import Element

from exporter.core.wording import counted
from exporter.preview.charts import meter
from exporter.preview.markup import Child, el, said, when

__all__ = [
    "Facts",
    "Report",
    "badge",
    "behind",
    "holds",
    "purges",
    "section",
    "signed",
    "waiting",
]

Report = Mapping[str, Any]

_SHOWN = 10
_MOST = 500
"""Rows of a list that the page holds at all."""
_COMMIT = re.compile(r"[0-9a-f]{40,64}", re.ASCII)
_BANDS = (
    ("expired", "No longer work", "red"),
    ("one_hour", "Within an hour", "amber"),
    ("six_hours", "Within six hours", "accent"),
    ("one_day", "Within a day", "accent"),
    ("later", "Later", "accent"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What `status` and `releases` report, and when that was."""

    status: Report
    releases: Sequence[Report]
    subjects: Mapping[str, str]
    """The first lines of commits' messages."""
    now: datetime

    def when(self, text: str) -> Element:
        """Tell an instant, and how far it is from when the page was made."""
        return when(text, self.now)

    def commit(self, sha: str, subject: str | None = None) -> Element:
        """Name a commit by the start of its id, and what its message says."""
        short, pages = el("code", said(sha[:8])), self.status["commit_pages"]
        if pages and _COMMIT.fullmatch(sha):
            short = el("a", short, href=f"{pages}{sha}", rel="noopener noreferrer")
        told = self.subjects.get(sha, "") if subject is None else subject
        return el("span.commit", short, " ", said(told))

    def plan(self, name: str) -> Element:
        """Name a plan by its title and its name."""
        title = self.status["plan_titles"].get(name, "")
        named = el("code", said(name))
        return el("span.plan", el("strong", said(title)), " ", named) if title else named


def behind(facts: Facts) -> Element | None:
    """Show the plans that stay at an earlier release, with what keeps them there."""
    plans = facts.status["plans_waiting"]
    ordered = sorted(plans, key=lambda name: (not plans[name]["dead_letter"], name))
    rows = (_plan(facts, name, plans[name]) for name in ordered)
    about = "Students see an earlier release of these plans until a publish takes them along."
    return section("behind", "Plans behind", _rows(rows, len(plans)), about=about)


def _plan(facts: Facts, name: str, plan: Report) -> Element:
    tries, form = counted(plan["attempts"], "try", "tries"), "p.error"
    state, tone = "Given up" if plan["dead_letter"] else plan["state"].capitalize(), "problem"
    if not plan["attempts"]:
        state, tone, tries, form = "Left out", "plain", "of the last publish", "p.facts"
    dead = el("p.facts", "No publish tries it again until ", _command("retry", name))
    live = (facts.status["live"] or {}).get("plans", {}).get(name, {}).get("commit", "")
    return el(
        "li",
        el("p.line", facts.plan(name), badge(state, tone), el("span.facts", tries)),
        [el(form, said(line)) for line in plan["error"].splitlines()],
        dead if plan["dead_letter"] else None,
        el("p.facts", "Students see it as of ", facts.commit(live)) if live else None,
    )


def waiting(facts: Facts) -> Element | None:
    """Show the commits that are not live yet, and the plans that they concern."""
    commits, plans = facts.status["unpublished_commits"] or (), facts.status["unpublished_plans"]
    rows = (
        el("li", el("p.line", facts.commit(one["commit"], one["subject"])), _by(facts, one))
        for one in commits
    )
    named = [el("li", facts.plan(name)) for name in plans[:_MOST]]
    concerned = el(
        "div.concerned",
        el("h3", f"{counted(len(plans), 'plan')} {'changes' if len(plans) == 1 else 'change'}"),
        el("ul.chips", named),
    )
    shown = _rows(rows, len(commits))
    return section("waiting", "Waiting to be published", shown, concerned if plans else None)


def _by(facts: Facts, one: Report) -> Element:
    return el("p.facts", said(one["author"]), ", ", facts.when(one["date"]))


def holds(facts: Facts) -> Element | None:
    """Show what people rolled back and snapshots leave out since."""
    found = facts.status["holds"]
    rows = (
        el(
            "li",
            el("p.line", el("strong", said(one["title"])), el("code", said(one["name"]))),
            el("p.facts", f"{one['doctype']}, rolled back by ", _by_inline(facts, one)),
            el("p", facts.commit(one["commit"], one["reason"])),
        )
        for one in found
    )
    about = "The database still has these versions; snapshots leave them out until they change."
    return section("holds", "Held after a rollback", _rows(rows, len(found)), about=about)


def _by_inline(facts: Facts, one: Report) -> Iterable[Child]:
    return said(one["author"]), ", ", facts.when(one["date"])


def purges(facts: Facts) -> Element | None:
    """Show what the CDN has not accepted yet, by the run that owes it."""
    owed = facts.status["purges_owed"]
    rows = (
        el("li", el("p.line", el("code", said(run)), counted(count, "purge request")))
        for run, count in sorted(owed.items())
    )
    about = (
        "The CDN has not accepted these yet, and may give old files. The next publish sends them."
    )
    return section("purges", "Purges owed to the CDN", _rows(rows, len(owed)), about=about)


def signed(facts: Facts) -> Element | None:
    """Show how long the signed media links still work."""
    urls = facts.status["signed_urls"]
    if not urls["lessons"]:
        return None
    bands = [
        _band(name, urls["expiring"][band], (urls["lessons"], tone)) for band, name, tone in _BANDS
    ]
    table = el(
        "table.bands", el("caption.unseen", "Lessons by when a link expires"), el("tbody", bands)
    )
    expiries = [
        el("li", el("code", said(one["key"])), " ", facts.when(one["expires"]))
        for one in urls["next"]
    ]
    following = el("div.concerned", el("h3", "The next to expire"), el("ul.next", expiries))
    due = f"{counted(urls['due'], 'lesson')} due: the next " if urls["due"] else "None is due. "
    told = (due, _command("refresh"), " signs them again.") if urls["due"] else (due,)
    return section("signed", "Signed media links by expiry", table, following, about=told)


def _band(name: str, count: int, of: tuple[int, str]) -> Element:
    whole, tone = of
    return el(
        "tr",
        el("th", name, scope="row"),
        el("td.bar-cell", meter(count, whole, tone), aria_hidden="true"),
        el("td.number", counted(count, "lesson")),
    )


def section(place: str, name: str, *children: Child, about: Child = "") -> Element | None:
    """Return a part of the page; None where there is nothing to show in it."""
    shown = [child for child in children if child is not None]
    if not shown:
        return None
    return el(
        "section.part",
        el("h2", name, id=f"{place}-name"),
        el("p.about", about) if about else None,
        shown,
        id=place,
        aria_labelledby=f"{place}-name",
    )


def badge(text: str, tone: str = "plain") -> Element:
    """Return a few words of ours in a coloured field."""
    return el(f"span.badge.{tone}", text)


def _rows(rows: Iterable[Element], count: int) -> Child:
    """List rows, those after the first ten behind a fold."""
    if not count:
        return None
    found = iter(rows)
    shown = el("ul.rows", list(islice(found, _SHOWN)))
    more = list(islice(found, _MOST - _SHOWN))
    if not more:
        return shown
    left_out = count - _SHOWN - len(more)
    rest = el("p.facts", f"and {left_out:,} more that this page leaves out") if left_out else None
    summary = el("summary", f"{count - _SHOWN:,} more")
    return [shown, el("details.more", summary, el("ul.rows", more), rest)]


def _command(*words: str) -> Element:
    return el("code", said(shlex.join(("exporter", *words))))
