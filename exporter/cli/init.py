"""`exporter init`: a content repository to start from (spec 6)."""

from __future__ import annotations

from pathlib import Path

import click

from exporter.cli.session import Session, pass_session

__all__ = ["command", "scaffold"]

_CONFIG = """\
# Where the content comes from and where it goes. Every key: `exporter --help` and the manual.
source:
  url: {source}
snapshot:
  path: content-snapshot
  author: {author}
targets:
  {target}:
    store: {store}
    state: {state}
"""

_GITIGNORE = """\
# What is built from the content is never committed.
/public/
/build/
/.exporter/
*.db
*.db-*
"""

_README = """\
# Content

This repository holds the school's content as text, one file a document, in `content-snapshot/`.
`exporter` writes it from the Frappe site; every commit is a release to review and to revert.

    export EXPORTER_DATABASE_URL=mysql+pymysql://reader:PASSWORD@HOST/SITE
    exporter snapshot        # the site's content becomes a commit
    exporter check           # every problem, with file and line
    exporter plan            # what a publish would do
    exporter publish         # do it
    git revert COMMIT && exporter publish      # take a release back
"""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option(
    "--source",
    default="${EXPORTER_DATABASE_URL}",
    show_default=True,
    help="The database's URL; a password only as ${NAME}.",
)
@click.option("--target", default="local", show_default=True, help="The name of the first target.")
@click.option(
    "--store",
    default="./public/memora_content",
    show_default=True,
    help="Where students' apps read: a folder or s3://bucket/prefix.",
)
@click.option(
    "--state",
    default="./.exporter/local",
    show_default=True,
    help="Where the ledger is kept: a folder or s3://bucket/prefix.",
)
@click.option(
    "--author",
    default="Content Snapshot <snapshot@example.org>",
    show_default=True,
    help="In whose name snapshots are committed.",
)
@pass_session
def command(session: Session, /, *, folder: Path, **answers: str) -> None:
    """Scaffold a content repository in FOLDER; what is there already stays."""
    place = session.folder / folder
    for line in scaffold(place, answers):
        session.out(line)
    session.out("next: set EXPORTER_DATABASE_URL, then `exporter snapshot` and `exporter publish`")


def scaffold(folder: Path, answers: dict[str, str]) -> list[str]:
    """Write the files of a content repository; return a line for each.

    `answers` has the keys source, author, target, store and state.
    """
    from git import Repo
    from git.exc import InvalidGitRepositoryError

    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    try:
        Repo(folder, search_parent_directories=True).close()
    except InvalidGitRepositoryError:
        Repo.init(folder, initial_branch="main").close()
        lines.append("made    a git repository")
    quoted = {key: _quoted(value) for key, value in answers.items()}
    files = {
        "exporter.yaml": _CONFIG.format(**quoted),
        ".gitignore": _GITIGNORE,
        "README.md": _README,
    }
    for name, text in files.items():
        file = folder / name
        if file.exists():
            lines.append(f"kept    {name} (it was there)")
        else:
            file.write_text(text, encoding="utf-8")
            lines.append(f"wrote   {name}")
    return lines


def _quoted(value: str) -> str:
    from exporter.core.yamltext import scalar_text

    return scalar_text(value)
