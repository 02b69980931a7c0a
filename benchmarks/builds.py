"""A full build of all plans, beside hugo and beside the disk."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers import HUGO, missing
from benchmarks.sites import Site
from benchmarks.table import Goal, Line
from benchmarks.timing import Run, cost, median, run

__all__ = ["FULL", "full"]

FULL = "full build, fresh clone"

_HUGO_CONFIG = """\
baseURL = "https://example.org/"
disableKinds = ["home", "section", "taxonomy", "term", "RSS", "sitemap", "robotsTXT", "404"]
[outputs]
page = ["json"]
"""
_HUGO_TEMPLATE = "{{ .Params | jsonify }}\n"


def full(site: Site) -> Iterator[Line]:
    """Measure builds in fresh clones: nothing was parsed before."""
    ours: list[Run] = []
    hugos: list[Run] = []
    raw: list[float] = []
    pages = 0
    for _ in range(site.long_rounds):
        clone = site.clone()
        ours.append(site.exporter("build", "--json", folder=clone))
        if site.is_alone:
            continue
        if HUGO.program:
            rendered, pages = _hugo(site, clone / "content-snapshot")
            hugos.append(rendered)
        source, like, folder = clone / "content-snapshot", clone / "build", site.new_folder("raw")
        raw.append(site.floor("build", str(source), str(like), str(folder)))
    report = json.loads(ours[-1].output)
    files, seconds = report["files"], median(ours)
    yield Line(FULL, seconds, against=f"{files:,} files", cost=cost(ours))
    if site.is_alone:
        return
    yield Line(
        "full build, files a second",
        files / seconds,
        "files/s",
        pages / median(hugos) if hugos else None,
        str(HUGO) if hugos else missing(HUGO),
        Goal(4, at_least=True),
    )
    yield Line(
        "full build, beside the disk",
        seconds,
        beside=statistics.median(raw),
        against="raw read + raw write",
        goal=Goal(6),
    )


def _hugo(site: Site, content: Path) -> tuple[Run, int]:
    """Render every snapshot file to a page of JSON; return the run and the number of pages."""
    project = site.new_folder("hugo")
    layouts = project / "layouts" / "_default"
    layouts.mkdir(parents=True)
    (layouts / "single.json").write_text(_HUGO_TEMPLATE, encoding="utf-8")
    (project / "hugo.toml").write_text(_HUGO_CONFIG, encoding="utf-8")
    for number, file in enumerate(sorted(content.rglob("*.yaml"))):
        page = project / "content" / f"{number // 1_000}" / f"{number}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(b"---\n" + file.read_bytes() + b"---\n")
    rendered = run([HUGO.path, "--quiet", "--destination", "out"], project, site.environment)
    return rendered, sum(len(names) for _, _, names in os.walk(project / "out"))
