"""`exporter demo`: the whole story on this machine, told while it really happens (spec 6)."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command
from exporter.errors import UsageError

__all__ = ["command"]

_MARK = ".exporter-demo"


@click.command(
    "demo",
    cls=Command,
    examples={
        "exporter demo": "Live through the story in ./demo-site:",
        "exporter demo school --lessons 50 --serve": "Serve a smaller school's files:",
    },
)
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), default="demo-site", metavar="[DIR]"
)
@click.option(
    "--lessons",
    metavar="N",
    type=click.IntRange(min=20),
    default=200,
    show_default=True,
    help="The size of the school.",
)
@click.option("--serve", is_flag=True, help="Afterwards, serve the CDN folder on this machine.")
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port to serve on; 0 takes any free one.",
)
@pass_session
def command(session: Session, *, folder: Path, lessons: int, serve: bool, port: int) -> None:
    """Run snapshot, publish, an edit, a bad edit and its rollback on a made-up school.

    DIR (default: demo-site) becomes a real git repository with a real database and a real CDN
    folder. A demo that is there is replaced; anything else is left alone.
    """
    from exporter.cli.story import tell

    place = (session.folder / folder).absolute()
    if _clear(place):
        session.say(f"{folder} was made by an earlier demo: made anew")
    place.mkdir(parents=True)
    (place / _MARK).touch()
    cdn = tell(place, lessons, color=session.color)
    if serve:
        _serve(session, cdn, port)


def _clear(place: Path) -> bool:
    """Remove an earlier demo, and tell whether there was one.

    Raises:
        UsageError: the folder is not one.
    """
    if not place.exists() or not any(place.iterdir()):
        shutil.rmtree(place, ignore_errors=True)
        return False
    if not (place / _MARK).exists():
        raise UsageError(
            f"{place} is there already, and no demo made it",
            hint="name another folder: `exporter demo DIR`",
        )
    shutil.rmtree(place)
    return True


def _serve(session: Session, cdn: Path, port: int) -> None:
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    handler = partial(SimpleHTTPRequestHandler, directory=str(cdn))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        session.out(f"serving {cdn} on http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            session.out("stopped")
