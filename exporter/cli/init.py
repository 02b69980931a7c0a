"""`exporter init`: a content repository to start from (spec 6)."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from exporter.cli.session import Session, pass_session

__all__ = ["command", "scaffold"]

_CONFIG = """\
# Where the content comes from and where it goes.
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
    first = "set EXPORTER_DATABASE_URL, " if "EXPORTER_DATABASE_URL" in answers["source"] else ""
    session.out(f"next: {first}commit these files, then `exporter snapshot`, `exporter publish`")


def scaffold(folder: Path, answers: dict[str, str], *, own_repository: bool = False) -> list[str]:
    """Write the files of a content repository; return a line for each.

    `answers` has the keys source, author, target, store and state. With `own_repository` the folder
    becomes a repository of its own, also inside another one.

    Raises:
        ConfigError: an answer cannot stand in exporter.yaml; nothing was written.
    """
    config = _CONFIG.format(**{key: _quoted(value) for key, value in answers.items()})
    _refuse_unsound(config)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [_repository(folder, own=own_repository)]
    files = {"exporter.yaml": config, ".gitignore": _GITIGNORE, "README.md": _README}
    for name, text in files.items():
        file = folder / name
        if file.exists():
            lines.append(f"kept    {name} (it was there)")
        else:
            file.write_text(text, encoding="utf-8")
            lines.append(f"wrote   {name}")
    return lines


def _repository(folder: Path, *, own: bool) -> str:
    """Make a git repository where there is none; return the line that says so."""
    from git import Repo
    from git.exc import InvalidGitRepositoryError

    try:
        with Repo(folder, search_parent_directories=not own) as found:
            return f"kept    the git repository {found.working_tree_dir}"
    except InvalidGitRepositoryError:
        Repo.init(folder, initial_branch="main").close()
        return "made    a git repository"


def _refuse_unsound(config: str) -> None:
    """Read the configuration back before it is written anywhere it could be committed from."""
    from exporter.config import load_config

    with TemporaryDirectory() as place:
        path = Path(place) / "exporter.yaml"
        path.write_text(config, encoding="utf-8")
        load_config(path, {})


def _quoted(value: str) -> str:
    from exporter.core.yamltext import scalar_text

    return scalar_text(value)
