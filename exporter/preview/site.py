"""The preview as static files, for a web server that only serves files (a pull request's preview).

The published files stand where a CDN would have them, the page beside them. What a program would
have to look up (lines, authors, rules) is left out, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from exporter.build.encoding import encode
from exporter.preview.answers import Desk, Showing, findings_report, site_report
from exporter.preview.server import page_files

__all__ = ["site_files"]

_HAS = {"explain": False, "source": False, "events": False, "status": False}


def site_files(showing: Showing, desk: Desk) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the site by its path."""
    for name, data in page_files().items():
        is_top = name in ("index.html", "favicon.svg")
        yield name if is_top else f"page/{name}", data
    yield from showing.edition.files()
    yield "api/site.json", encode(site_report(showing, "", _HAS))
    yield "api/findings.json", encode(findings_report(showing, desk.finding))
    if showing.comparison:
        yield "api/compare.json", encode(showing.comparison.summary)
        for path, report in showing.comparison.files():
            yield f"api/compare/{path}", encode(report)
