"""`exporter init`: a content repository to start from (spec 6).

The workflows are this project's own, from `.github/workflows`, with one substitution: `uses: ./` is
this project's action in its own repository, and elsewhere it is named by repository and commit.
"""

from __future__ import annotations

import json
import re
import subprocess
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

import click

from exporter.cli.session import Session, pass_session
from exporter.cli.usage import Command

__all__ = ["WORKFLOWS", "command", "own_action", "scaffold", "workflow_files"]

WORKFLOWS = (
    "snapshot.yml",
    "publish.yml",
    "pull-request.yml",
    "pull-request-comment.yml",
    "preview.yml",
    "rollback.yml",
    "refresh.yml",
    "verify.yml",
)
"""The workflows of a content repository."""

_NOBODY = "OWNER/exporter"
_GITHUB = re.compile(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?\Z")

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
# Who is told when a publish fails: a webhook of Slack or Teams.
# notify: {{url: "${{NOTIFY_URL}}"}}
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

    export EXPORTER_DATABASE_URL=mysql+pymysql://exporter:PASSWORD@DBHOST/SITE
    exporter snapshot        # the site's content becomes a commit
    exporter check           # every problem, with file and line
    exporter plan            # what a publish would do
    exporter publish         # do it
    git revert COMMIT && exporter publish      # take a release back

## On GitHub

The workflows in `.github/workflows/` sleep until these variables are set:

| variable | meaning |
|---|---|
| `EXPORTER_SNAPSHOT` | `push` or `pull-request`: what becomes of a snapshot, every five minutes |
| `EXPORTER_TARGET` | the target of `exporter.yaml` that is published to |

and these secrets: `EXPORTER_DATABASE_URL`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`; `CF_TOKEN`
and `NOTIFY_URL` where `exporter.yaml` names them.
"""


@click.command(
    "init",
    cls=Command,
    examples={
        "exporter init": "Make this folder a content repository that publishes to a folder:",
        "exporter init content --store s3://school-cdn --state s3://school-state": (
            "Make a new folder a content repository that publishes to a bucket:"
        ),
    },
)
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="[DIR]"
)
@click.option(
    "--source",
    metavar="URL",
    default="${EXPORTER_DATABASE_URL}",
    show_default=True,
    help="The database's URL; a password only as ${NAME}.",
)
@click.option(
    "--target",
    metavar="NAME",
    default="local",
    show_default=True,
    help="The name of the first target.",
)
@click.option(
    "--store",
    metavar="PLACE",
    default="./public/memora_content",
    show_default=True,
    help="Where students' apps read: a folder or s3://bucket/prefix.",
)
@click.option(
    "--state",
    metavar="PLACE",
    default="./.exporter/local",
    show_default=True,
    help="Where the ledger is kept: a folder or s3://bucket/prefix.",
)
@click.option(
    "--author",
    metavar="NAME",
    default="Content Snapshot <snapshot@example.org>",
    show_default=True,
    help="In whose name snapshots are committed.",
)
@click.option(
    "--action",
    default=None,
    metavar="OWNER/REPO@COMMIT",
    help="The exporter's own action, for the workflows; default: where this one came from.",
)
@pass_session
def command(session: Session, /, *, folder: Path, action: str | None, **answers: str) -> None:
    """Scaffold a content repository in DIR (default: here); what is there already stays."""
    place = session.folder / folder
    if action is not None:
        _refuse_unpinned(action)
    rename, action = action is not None, action or own_action()
    for line in scaffold(place, answers, action=action, rename=rename):
        session.out(line)
    if action.startswith(f"{_NOBODY}@"):
        session.out(
            f"the workflows name {_NOBODY}: before you use them, say where on GitHub the exporter "
            "is, with `exporter init --action OWNER/REPO@COMMIT`"
        )
    first = "set EXPORTER_DATABASE_URL, " if "EXPORTER_DATABASE_URL" in answers["source"] else ""
    session.out(f"next: {first}commit these files, then `exporter snapshot`, `exporter publish`")


def scaffold(
    folder: Path,
    answers: dict[str, str],
    *,
    action: str | None = None,
    rename: bool = False,
    own_repository: bool = False,
) -> list[str]:
    """Write the files of a content repository; return a line for each.

    `answers` has the keys source, author, target, store and state. Without an `action` there are no
    workflows; with `rename`, those that name another one, and are else as written here, are written
    anew. With `own_repository` the folder becomes a repository of its own, also inside another
    one.

    Raises:
        ConfigError: an answer cannot stand in exporter.yaml; nothing was written.
        UsageError: the action is none; nothing was written.
    """
    config = _CONFIG.format(**{key: _quoted(value) for key, value in answers.items()})
    _refuse_unsound(config)
    workflows = workflow_files(action) if action else {}
    folder.mkdir(parents=True, exist_ok=True)
    lines = [_repository(folder, own=own_repository)]
    files = {"exporter.yaml": config, ".gitignore": _GITIGNORE, "README.md": _README}
    for name, text in (files | workflows).items():
        file = folder / name
        if file.exists() and action and rename and name in workflows:
            lines.append(_renamed(file, name, text, action))
        elif file.exists():
            lines.append(f"kept    {name} (it was there)")
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            lines.append(f"wrote   {name}")
    return lines


def workflow_files(action: str) -> dict[str, str]:
    """Return the workflows of a content repository by path, with the action that they use.

    Raises:
        UsageError: the action is not named as `owner/repository@ref`.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+(?:/[\w.-]+)*@[\w./-]+", action):
        from exporter.errors import UsageError

        raise UsageError(
            f"{action!r} names no action",
            hint="write --action OWNER/REPO@COMMIT, with a commit's full hash",
        )
    folder = _workflow_folder()
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in WORKFLOWS}
    return {
        f".github/workflows/{name}": text.replace("uses: ./\n", f"uses: {action}\n")
        for name, text in texts.items()
    }


def _refuse_unpinned(action: str) -> None:
    """Refuse an action that is not named by a commit: a branch or a tag can be moved."""
    if not re.fullmatch(r"[0-9a-f]{40}", action.rpartition("@")[2]):
        from exporter.errors import UsageError

        raise UsageError(
            f"{action!r} names no action by a commit's full hash",
            hint="write --action OWNER/REPO@COMMIT, with all 40 digits: `git rev-parse HEAD`",
        )


def _renamed(file: Path, name: str, wanted: str, action: str) -> str:
    """Write a workflow anew where only the action differs; return the line that says so."""
    found = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    if f"uses: {action}\n" in found:
        return f"kept    {name} (it was there)"
    as_written = re.escape(wanted).replace(
        re.escape(f"uses: {action}\n"), r"uses: [\w./-]+@[\w./-]+\n"
    )
    if not re.fullmatch(as_written, found):
        return (
            f"kept    {name}, which is not as `init` writes it: "
            f"there, write `uses: {action}` yourself"
        )
    file.write_text(wanted, encoding="utf-8")
    return f"renamed {name}: it uses {action} now"


def own_action() -> str:
    """Return the action that has this very program: its repository, as far as known, and commit."""
    from exporter import __version__
    from exporter.cli import built_from

    return f"{_own_repository() or _NOBODY}@{built_from() or f'v{__version__}'}"


def _own_repository() -> str:
    """Return where on GitHub this program was installed from, as pip noted it; else nothing."""
    try:
        noted = metadata.distribution("exporter").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return ""
    url = str(json.loads(noted)["url"]) if noted else ""
    if url.startswith("file://"):  # a clone
        place = unquote(urlsplit(url).path)
        command = ["git", "-C", place, "remote", "get-url", "origin"]
        url = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    found = _GITHUB.search(url)
    return found[1] if found else ""


def _workflow_folder() -> Traversable:
    """Return the folder of the workflows: in the installed package, or in a source checkout."""
    packaged = resources.files("exporter") / "workflows"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / ".github" / "workflows"


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
