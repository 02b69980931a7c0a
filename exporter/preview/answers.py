"""What the page may ask for: the published files, and what a reviewer wants to know besides.

The published files are under `content/`, as a CDN would have them. All else is under `api/`. What
is shown may be replaced while the page is open; the page is then told, and asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Condition
from typing import Any

from exporter.build.encoding import encode
from exporter.core.findings import Finding
from exporter.core.model import CURRICULUM, DOCTYPES, PLAN, Document
from exporter.core.segments import object_url
from exporter.preview.comparing import Comparison, node_key
from exporter.preview.edition import Edition
from exporter.preview.server import Answer, Routes, json_answer
from exporter.preview.shelf import Shelf

__all__ = ["Desk", "Preview", "Showing", "findings_report", "site_report"]

Report = Mapping[str, Any]

HEARTBEAT_S = 15.0
"""How often an open page hears that it is still connected."""
_LEVELS = {DOCTYPES[name].label: name for name in (PLAN, *CURRICULUM)}


@dataclass(frozen=True, slots=True)
class Desk:
    """Who looks up what lies outside the content: files, lines, commits and authors."""

    explain: Callable[[Edition, str, Document], Report]
    """Why a plan shows a document as it does."""
    source: Callable[[Edition, Document], Report]
    """Where a document stands, and who changed it last."""
    finding: Callable[[Finding], Report]


@dataclass(frozen=True, slots=True)
class Showing:
    """What the page shows: a content by its name among people, maybe compared with another."""

    edition: Edition
    label: str
    comparison: Comparison | None = None


class Preview:
    """The page's answers, of what is shown now; safe to ask from several threads."""

    def __init__(self, desk: Desk, shelf: Shelf, *, is_live: bool) -> None:
        """Begin with what lies on the shelf; all other requests wait for the first `show`."""
        self._desk = desk
        self._shelf = shelf
        self._is_live = is_live
        self._now: Future[Showing] = Future()
        self._changed = Condition()
        self._generation = 0

    @property
    def showing(self) -> Showing:
        """Return what is shown; wait for the first of it."""
        return self._now.result()

    def begin(self, showing: Showing) -> None:
        """Show the content that the shelf is of."""
        self._now.set_result(showing)

    def show(self, showing: Showing, shelf: Shelf) -> None:
        """Show another content from now on, and tell the pages that are open."""
        now: Future[Showing] = Future()
        now.set_result(showing)
        self._now, self._shelf = now, shelf
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    @property
    def routes(self) -> Routes:
        """Return who answers for what a path begins with."""
        return {"content": self._content, "api": self._api}

    def _content(self, parts: tuple[str, ...]) -> Answer | None:
        key = "/".join(parts)
        return self._kept(f"content/{key}", lambda now: now.edition.file(key))

    def _api(self, parts: tuple[str, ...]) -> Answer | None:
        first, *rest = parts
        answer = {
            "site.json": self._site,
            "findings.json": self._findings,
            "compare.json": self._summary,
            "compare": self._compared,
            "explain": self._explained,
            "source": self._source,
            "events": self._events,
        }.get(first)
        return answer(tuple(rest)) if answer else None

    def _site(self, _parts: tuple[str, ...]) -> Answer | None:
        has = {"explain": True, "source": True, "events": self._is_live, "status": True}
        return self._kept("site", lambda now: encode(site_report(now, "content/", has)))

    def _findings(self, _parts: tuple[str, ...]) -> Answer | None:
        written = self._desk.finding
        return self._kept("findings", lambda now: encode(findings_report(now, written)))

    def _summary(self, _parts: tuple[str, ...]) -> Answer | None:
        return self._kept("compare", lambda now: _compared(now, lambda one: one.summary))

    def _compared(self, parts: tuple[str, ...]) -> Answer | None:
        """Answer for `compare/plans/PLAN.json` by folder, and `compare/lessons/LESSON.json`."""
        path = "/".join(parts)
        make = partial(_compared, ask=lambda one: one.file(path))
        return self._kept(f"compare/{path}", make)

    def _kept(self, path: str, make: Callable[[Showing], bytes | None]) -> Answer | None:
        """Return an answer from the shelf, or make it and put it there."""
        shelf = self._shelf
        body = shelf.find(path)
        if body is None:
            body = make(self.showing)
            if body is not None:
                shelf.put(path, body)
        return Answer(body) if body is not None else None

    def _explained(self, parts: tuple[str, ...]) -> Answer | None:
        plan, *ref = parts
        edition = self.showing.edition
        document = _document(edition, tuple(ref))
        if document is None or document.doctype == PLAN or not edition.snapshot.find(PLAN, plan):
            return None
        return Answer(encode(dict(self._desk.explain(edition, plan, document))))

    def _source(self, parts: tuple[str, ...]) -> Answer | None:
        edition = self.showing.edition
        document = _document(edition, parts)
        return json_answer(self._desk.source(edition, document)) if document else None

    def _events(self, _parts: tuple[str, ...]) -> Answer | None:
        return Answer(b"", events=self._changes()) if self._is_live else None

    def _changes(self) -> Iterator[bytes]:
        """Yield an event whenever something else is shown, and a sign of life in between."""
        seen = self._generation
        yield b": connected\n\n"
        while True:
            with self._changed:
                if self._generation == seen:
                    self._changed.wait(HEARTBEAT_S)
                is_new, seen = self._generation != seen, self._generation
            yield b"event: content\ndata: %d\n\n" % seen if is_new else b": still here\n\n"


def _compared(
    showing: Showing, ask: Callable[[Comparison], Mapping[str, Any] | None]
) -> bytes | None:
    found = ask(showing.comparison) if showing.comparison else None
    return encode(found) if found is not None else None


def site_report(showing: Showing, content: str, has: Mapping[str, bool]) -> Report:
    """Return what the page needs to begin; `content` is where the published files are."""
    edition, comparison = showing.edition, showing.comparison
    return {
        "label": showing.label,
        "content": content,
        "has": dict(has),
        "compare": {"before": comparison.label} if comparison else None,
        "plans": [
            *(_plan(edition, plan, is_gone=False) for plan in edition.plans),
            *(_plan(before, plan, is_gone=True) for before, plan in _gone_plans(showing)),
        ],
    }


def findings_report(showing: Showing, written: Callable[[Finding], Report]) -> Report:
    """Return every finding with the node that it is about, and the plans that are held back."""
    inspection = showing.edition.inspection
    return {
        "held": sorted(inspection.held),
        "findings": [
            {
                "key": node_key(found.ref) if found.ref else None,
                "path": showing.edition.path(found.ref),
                **written(found),
            }
            for found in inspection.findings
        ],
    }


def _gone_plans(showing: Showing) -> Iterator[tuple[Edition, Document]]:
    """Yield the plans that there are before the change only."""
    if showing.comparison:
        before, after = showing.comparison.before, {plan.name for plan in showing.edition.plans}
        yield from ((before, plan) for plan in before.plans if plan.name not in after)


def _plan(edition: Edition, plan: Document, *, is_gone: bool) -> Report:
    return {
        "id": plan.name,
        "title": plan.title,
        "folder": object_url(edition.folder(plan.name)),
        "is_published": plan.flag("is_published"),
        "is_gone": is_gone,
    }


def _document(edition: Edition, parts: tuple[str, ...]) -> Document | None:
    """Return the document of a level and a name, which may hold slashes."""
    level, _, name = "/".join(parts).partition("/")
    return edition.snapshot.find(_LEVELS.get(level, ""), name)
