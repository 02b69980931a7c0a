"""The dashboard: where a target stands, as one HTML file that asks nobody for anything (spec 5).

It shows what `status --json` and `releases --json` say and nothing else. All ages are as of the
moment at which that was looked up, which stands at the top: the file may be read much later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from datetime import datetime
from xml.etree.ElementTree import Element

from exporter.core.wording import counted
from exporter.errors import ExporterError
from exporter.preview.history import history
from exporter.preview.markup import Child, Page, age, el, icon, moment, page, said, sign
from exporter.preview.sections import Facts, Report, badge, behind, holds, purges, signed, waiting

__all__ = ["dashboard", "trouble"]


def dashboard(status: Report, releases: Report, links: Mapping[str, str] | None = None) -> Page:
    """Return the page of a target; `links` lead to the other pages beside it, by name."""
    now = datetime.fromisoformat(status["made_at"])
    facts = Facts(status, releases["releases"], releases["commit_subjects"], now)
    sections = (behind, waiting, holds, purges, signed, history)
    main = el(
        "main",
        _hero(facts),
        _tiles(facts),
        [section(facts) for section in sections],
        id="main",
        tabindex="-1",
    )
    head = _bar(status["target"], el("p.made", "As of ", _exact(facts)), links or {})
    return page(f"{status['target']}: status", _skip(), head, main)


def trouble(target: str, error: ExporterError, links: Mapping[str, str]) -> Page:
    """Return the page that says why there is none."""
    notice = el(
        "section.hero.problem",
        el("h1", sign("problem"), el("span", "Where this target stands cannot be told")),
        el("p", said(error.message)),
        el("p.facts", said(error.hint)) if error.hint else None,
    )
    main = el("main", notice, id="main", tabindex="-1")
    return page(f"{target}: status", _skip(), _bar(target, None, links), main)


def _skip() -> Element:
    return el("a.skip", "Skip to the content", href="#main")


def _bar(target: str, made: Element | None, links: Mapping[str, str]) -> Element:
    others = [el("li", el("a.quiet", said(name), href=href)) for name, href in links.items()]
    return el(
        "header.bar",
        el("span.brand", el("img", src=icon(), alt="", width="24", height="24"), said(target)),
        made,
        el("nav", el("ul", others), aria_label="Other pages") if others else None,
    )


def _exact(facts: Facts) -> Element:
    now = facts.now
    return el("time", f"{now.day} {now:%B %Y, %H:%M} UTC", datetime=f"{now:%Y-%m-%dT%H:%M:%SZ}")


def _hero(facts: Facts) -> Element:
    """Say first what matters most, then the rest, then what is live."""
    (tone, headline), *others = _notes(facts.status)
    rest = [el(f"li.{one}", sign(one), el("span", text)) for one, text in others]
    return el(
        f"section.hero.{tone}",
        el("h1", sign(tone), el("span", headline)),
        el("ul.notes", rest) if rest else None,
        _live(facts),
    )


def _notes(status: Report) -> Iterator[tuple[str, str]]:
    """Yield what a person should know, the worst first; at least that all is well."""
    found = [*_problems(status), *_waits(status)]
    if not status["live"]:
        yield "waiting", "Nothing was published yet"
    elif not found:
        yield "good", "Everything that is committed is published"
    yield from found


def _problems(status: Report) -> Iterator[tuple[str, str]]:
    if bad := sum(plan["attempts"] > 0 for plan in status["plans_waiting"].values()):
        stay = "stays" if bad == 1 else "stay"
        yield "problem", f"{counted(bad, 'plan')} {stay} at an earlier release"
    if expired := status["signed_urls"]["expiring"]["expired"]:
        have = "has" if expired == 1 else "have"
        yield "problem", f"{counted(expired, 'lesson')} {have} media links that no longer work"
    if owed := status["purges_pending"]:
        are = "is" if owed == 1 else "are"
        requests = counted(owed, "purge request")
        yield "problem", f"Readers may get old files: {requests} {are} still owed to the CDN"
    elif status["unfinished"] and not status["lease"]:
        yield "problem", "A publish was cut short; the next one ends it"


def _waits(status: Report) -> Iterator[tuple[str, str]]:
    commits, files = status["unpublished_commits"], status["uncommitted_files"]
    if status["lease"]:
        yield "waiting", "A publish is running now"
    if commits is None:
        yield "waiting", "The live commit is not in this clone, so nobody can tell what waits"
    elif commits:
        wait = "waits" if len(commits) == 1 else "wait"
        yield "waiting", f"{counted(len(commits), 'commit')} {wait} to be published"
    if left := sum(not plan["attempts"] for plan in status["plans_waiting"].values()):
        was = "was" if left == 1 else "were"
        yield "waiting", f"{counted(left, 'plan')} {was} left out of the last publish"
    if status["off_history"]:
        yield "waiting", "The live commit is not in the history of the branch that is checked out"
    if files:
        are = "is" if len(files) == 1 else "are"
        yield "waiting", f"{counted(len(files), 'content file')} {are} changed but not committed"


def _live(facts: Facts) -> Element | None:
    live, freshness = facts.status["live"], facts.status["freshness"]
    store = el("code", said(facts.status["store"]))
    if not live:
        return el("dl.live", _fact("Published to", store))
    kind = badge(live["kind"].capitalize() if live["kind"] != "gc" else "Clean-up")
    snapshot = freshness["last_snapshot_at"]
    content = freshness["live_commit_at"]
    return el(
        "dl.live",
        _fact("Live release", el("code", said(live["id"])), " ", kind),
        _fact("Since", facts.when(live["finished_at"])),
        _fact("Commit", facts.commit(live["commit"])),
        _fact("Committed", facts.when(content)) if content else None,
        _fact("Last snapshot", facts.when(snapshot)) if snapshot else None,
        _fact("Started by", said(live["trigger"])) if live["trigger"] else None,
        _fact("Published to", store),
    )


def _fact(name: str, *children: Child) -> Element:
    return el("div", el("dt", name), el("dd", *children))


def _tiles(facts: Facts) -> Element:
    """Count what there is to look at, each leading to where it is shown."""
    status = facts.status
    live, commits, plans = status["live"], status["unpublished_commits"], status["plans_waiting"]
    dead = sum(plan["dead_letter"] for plan in plans.values())
    since = moment(live["finished_at"]) if live else None
    live_for = age((facts.now - since).total_seconds()) if since else "–"
    urls = status["signed_urls"]
    tiles = (
        _tile("releases", "Live for", live_for),
        _tile("waiting", "Commits waiting", "?" if commits is None else commits, _oldest(status)),
        _tile("behind", "Plans behind", plans, f"{dead:,} given up" if dead else ""),
        _tile("holds", "Held after a rollback", status["holds"]),
        _tile("purges", "Purges owed", status["purges_pending"]),
        _tile(
            "signed",
            "Lessons with signed links",
            urls["lessons"],
            f"{urls['due']:,} due" if urls["due"] else "",
        ),
    )
    return el("ul.tiles", tiles, aria_label="At a glance")


def _tile(place: str, name: str, found: str | int | Sized, note: str = "") -> Element:
    """Show how many there are, as a link to where they are shown where there are any."""
    count = found if isinstance(found, str | int) else len(found)
    figure = f"{count:,}" if isinstance(count, int) else count
    inside = [el("span.figure", figure), el("span.name", name)]
    inside += [el("span.note", note)] if note else []
    is_none = count in (0, "?", "–")
    return el(
        "li", el("div.tile.none", inside) if is_none else el("a.tile", inside, href=f"#{place}")
    )


def _oldest(status: Report) -> str:
    commits, behind_s = status["unpublished_commits"], status["freshness"]["behind_s"]
    return f"the oldest for {age(behind_s)}" if commits else ""
