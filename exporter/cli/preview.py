"""`exporter preview`: what students will see, as a page on this machine (spec 6)."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command, content_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.core.findings import Finding
    from exporter.core.model import Document
    from exporter.preview.answers import Desk
    from exporter.preview.comparing import Comparison
    from exporter.preview.edition import Edition

    Compared = Callable[[Edition], Comparison | None]

__all__ = ["command", "write_site"]


@click.command(
    "preview",
    cls=Command,
    examples={
        "exporter preview": "See the files on disk; the page follows each change:",
        "exporter preview --compare live": "See what differs from the live release:",
        "exporter preview --ref HEAD~1 --port 9000 --no-open": "See a commit, at a certain port:",
    },
    ends={0: "It was told to stop."},
)
@content_options
@click.option(
    "--compare",
    metavar="REF",
    help="Show what changed since a commit, branch or tag, or since the release that is `live`.",
)
@click.option(
    "--target",
    metavar="NAME",
    help="Whose live release `live` is; may be left out where there is one target.",
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65_535),
    help="The port to serve on; default: 8620, or any free one.",
)
@click.option(
    "--open/--no-open",
    "is_opened",
    default=None,
    help="Open the browser; default: where a person is watching.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as one JSON object.")
@pass_session
def command(
    session: Session,
    *,
    ref: str | None,
    worktree: bool,
    compare: str | None,
    target: str | None,
    port: int | None,
    is_opened: bool | None,
    as_json: bool,
) -> None:
    """Show what students will see, in the browser, until interrupted.

    The page reads the published files as students' apps do. Only this machine can reach it.
    """
    from exporter.cli.showing import Shown
    from exporter.cli.standing import status_answers
    from exporter.cli.workbench import find_content
    from exporter.content.parsed import ParsedFiles
    from exporter.preview.answers import Preview
    from exporter.preview.server import serving

    find_content(session, ref, worktree=worktree)
    session.parsed = ParsedFiles(session.repository.private_dir)
    shown = Shown(session, ref, compare, target)
    preview = Preview(_desk(session), shown.shelf(), is_live=ref is None)
    routes = {**preview.routes, "status": status_answers(session, target)}
    with serving(routes, port) as address:
        _tell(session, address, as_json=as_json)
        session.open_browser(address, wanted=is_opened)
        showing = shown.read()
        gc.freeze()  # what was read stays: looking through it for garbage would slow every answer
        stopped = session.until_stopped()
        preview.begin(showing)
        while not stopped(shown.pause_s):
            if now := shown.read_again():
                preview.show(now, shown.shelf())
                session.say("the content has changed, and the page follows")
    session.say("stopped")


def write_site(
    session: Session, refs: tuple[str | None, str | None], out: Path
) -> tuple[Edition, list[int]]:
    """Write what a ref, compared with another, shows as static files; return it, and their sizes.

    A plan that errors hold back is there, as the content has it now.
    """
    from exporter.build.folder import Staging
    from exporter.cli.showing import Shown
    from exporter.preview.site import site_files

    showing = Shown(session, *refs).read()
    sizes = []
    with Staging(session.folder / out) as staging:
        for path, data in site_files(showing, _desk(session)):
            staging.write(path, data)
            sizes.append(len(data))
        staging.replace()
    return showing.edition, sizes


def _desk(session: Session) -> Desk:
    """Return who looks up what the page asks besides the content."""
    from exporter.cli.reporting import finding_json
    from exporter.cli.workbench import findings_folder
    from exporter.preview.answers import Desk

    folder = findings_folder(session)

    def explain(edition: Edition, plan: str, node: Document) -> dict[str, Any]:
        from exporter.cli.explaining import node_report

        return node_report(session, edition.content, (), (plan, node))

    def source(edition: Edition, document: Document) -> dict[str, Any]:
        return _source(session, edition, document)

    def finding(found: Finding) -> dict[str, Any]:
        return finding_json(found, folder)

    return Desk(explain, source, finding)


def _source(session: Session, edition: Edition, document: Document) -> dict[str, Any]:
    """Return a document's file and the last commit that changed it."""
    from exporter.cli.provenance import last_change
    from exporter.cli.workbench import findings_folder

    path = edition.snapshot.paths[document.ref]
    commit = edition.content.commit or session.repository.head()
    file = f"{findings_folder(session)}/{path}"
    is_dirty = edition.content.commit is None and bool(session.repository.dirty_paths(file))
    return {
        "file": file,
        "line": 1,
        "is_committed": not is_dirty,
        "last_change": last_change(session, commit.sha, path) if commit else None,
    }


def _tell(session: Session, address: str, *, as_json: bool) -> None:
    if as_json:
        session.out(json.dumps({"url": address}))
        return
    session.out(f"See what students will see: {address}", bold=True)
    session.say("Only this machine can reach it; Ctrl-C ends it.")
