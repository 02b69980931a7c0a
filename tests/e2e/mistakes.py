"""Everything that people get wrong, as data: what they did, and what a command must answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest

from exporter.demo.site import edit_lesson_title
from tests.e2e.command_line import AUTHOR, Place

__all__ = [
    "ARTS",
    "DATABASE",
    "HINTED",
    "LESSON",
    "MISTAKES",
    "PASSWORD",
    "TABLE",
    "Mistake",
    "config",
    "empty_repository",
    "without_author",
]

PASSWORD = "Tr0ub4dor-and-3"
LESSON = "LESSON-MATH-001"
ARTS, BRIDGE = "GRADE-12-LIT-2026", "GRADE-11-BRIDGE-2026"
TABLE = "tabMemora Lesson Stage"


@dataclass(frozen=True, slots=True)
class Mistake:
    """What was done wrong in a place where all was well, and what a command then answers."""

    make: Callable[[Place], None]
    command: tuple[str, ...]
    status: int
    says: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


def config(old: str, new: str) -> Callable[[Place], None]:
    return lambda place: place.replace_in("exporter.yaml", old, new)


def _url(text: str) -> tuple[tuple[str, str], ...]:
    return (("EXPORTER_DATABASE_URL", text),)


def _sql(*statements: str) -> Callable[[Place], None]:
    def run(place: Place) -> None:
        with closing(sqlite3.connect(place.root / "site.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return run


def _nothing(_: Place) -> None:
    """The mistake is in the command."""


def _no_config(place: Place) -> None:
    place.config.unlink()


def _no_target(place: Place) -> None:
    place.config.write_text("source: {url: 'sqlite:///site.db'}\n", "utf-8")


def _two_slips(place: Place) -> None:
    place.replace_in("exporter.yaml", "  author:", "  autor:")
    place.replace_in("exporter.yaml", "    store:", "    shop:")


def _unsaved_edit(place: Place) -> None:
    place.replace_in(
        f"content-snapshot/plans/{ARTS}.yaml", "is_published: true", "is_published: false"
    )


def _stray_file(place: Place) -> None:
    (place.content / "plans" / "notes.txt").write_text("to do", "utf-8")


def _unfinished(command: str) -> Callable[[Place], None]:
    """Leave a merge, a revert, … in a conflict outside the snapshot folder."""

    def run(place: Place) -> None:
        for branch, text in (("other", "theirs"), ("main", "ours")):
            place.git("checkout", "--quiet", *(["-b", branch] if branch == "other" else [branch]))
            (place.root / "notes.txt").write_text(text, "utf-8")
            place.commit_all(text)
        with pytest.raises(AssertionError):
            place.git(*command.split())
        (place.root / "notes.txt").write_text("settled", "utf-8")
        place.git("add", "notes.txt")

    return run


def empty_repository(place: Place) -> None:
    place.git("update-ref", "-d", "HEAD")


def _no_snapshot_folder(place: Place) -> None:
    place.git("rm", "-r", "--quiet", "content-snapshot")
    place.git("commit", "--quiet", "-m", "No content")


def without_author(place: Place) -> None:
    place.replace_in("exporter.yaml", f"snapshot:\n  author: {AUTHOR}\n", "")
    with place.editing() as connection:
        edit_lesson_title(connection, LESSON, "A title that waits")


def _damaged(name: str) -> Callable[[Place], None]:
    def run(place: Place) -> None:
        (file,) = place.state.glob(name)
        file.write_text('{"release": ', "utf-8")
        with place.editing() as connection:
            edit_lesson_title(connection, LESSON, "Another title")
        place.exporter("snapshot")

    return run


def _older_than_live(place: Place) -> None:
    with place.editing() as connection:
        edit_lesson_title(connection, LESSON, "A newer title")
    place.exporter("snapshot")
    place.exporter("publish")


def _unrelated_history(place: Place) -> None:
    place.git("checkout", "--quiet", "--orphan", "elsewhere")
    place.git("commit", "--quiet", "-m", "Another beginning")


CONFIGURATION = {
    "no configuration": Mistake(
        _no_config, ("snapshot",), 2, ("there is no exporter.yaml in", "`exporter init`")
    ),
    "a configuration that is not there": Mistake(
        _nothing, ("--config", "prod.yaml", "status"), 2, ("prod.yaml", "No such file")
    ),
    "an unknown key": Mistake(
        config("  author:", "  autor:"),
        ("snapshot",),
        2,
        ("exporter.yaml:4: snapshot.autor: unknown key", 'did you mean "author"?'),
    ),
    "a wrong type": Mistake(
        config("snapshot:\n", "snapshot:\n  max_delete_ratio: lots\n"),
        ("check",),
        2,
        ("exporter.yaml:4: snapshot.max_delete_ratio: must be", 'not "lots"'),
    ),
    "a configuration that is not YAML": Mistake(
        config("targets:\n", "targets: {local\n"),
        ("status",),
        2,
        ("exporter.yaml:", "not valid YAML"),
    ),
    "two mistakes at once": Mistake(
        _two_slips,
        ("publish",),
        2,
        (
            "exporter.yaml:4: snapshot.autor",
            "exporter.yaml:7: targets.local.shop",
            '"store" is missing',
        ),
    ),
    "a variable that is not set": Mistake(
        config("sqlite:///site.db", "${EXPORTER_DATABASE_URL}"),
        ("snapshot",),
        2,
        ("exporter.yaml:2: source.url", "EXPORTER_DATABASE_URL is not set"),
    ),
    "a password in the configuration": Mistake(
        config("sqlite:///site.db", f"mysql+pymysql://reader:{PASSWORD}@db/site"),
        ("snapshot",),
        2,
        ("exporter.yaml:2: source.url: a secret is written out here", "${NAME}"),
    ),
    "an unknown target": Mistake(
        _nothing,
        ("publish", "--target", "locl"),
        2,
        ('exporter.yaml has no target "locl", only local', 'did you mean "local"?'),
    ),
    "several targets and none chosen": Mistake(
        config("targets:\n", "targets:\n  staging: {store: ./s/cdn, state: ./s/state}\n"),
        ("publish",),
        2,
        ("which target? exporter.yaml has staging, local", "--target staging"),
    ),
    "no target": Mistake(
        _no_target,
        ("publish",),
        2,
        ("no target to publish to", "targets:"),
    ),
    "an unknown kind of store": Mistake(
        config("./public/memora_content", "ftp://cdn.example.org/content"),
        ("publish",),
        2,
        ("exporter.yaml:7: targets.local.store: must be a folder", "s3://bucket/prefix"),
    ),
}

COMMAND_LINE = {
    "an unknown command": Mistake(
        _nothing, ("pubish",), 2, ("error: no such command 'pubish'. Did you mean 'publish'?",)
    ),
    "an unknown option": Mistake(
        _nothing, ("publish", "--forse"), 2, ("no such option '--forse'", "exporter publish --help")
    ),
    "a folder that is not there": Mistake(
        _nothing, ("-C", "nowhere", "status"), 2, ("'nowhere' does not exist",)
    ),
    "an unknown ref": Mistake(
        _nothing,
        ("publish", "--ref", "release-7"),
        2,
        ("there is no commit 'release-7' in", "git fetch --unshallow"),
    ),
    "an option as a ref": Mistake(
        _nothing, ("publish", "--ref=--upload-pack=touch x"), 2, ("is no git ref",)
    ),
    "a ref and the work tree": Mistake(
        _nothing,
        ("check", "--ref", "HEAD", "--worktree"),
        2,
        ("--ref and --worktree exclude each other", "leave one of them out"),
    ),
    "an unknown plan": Mistake(
        _nothing,
        ("build", "--plan", "GRADE-13"),
        2,
        ("there is no plan 'GRADE-13'", "did you mean 'GRADE-12-"),
    ),
    "an unknown plan to publish": Mistake(
        _nothing, ("publish", "--plan", "GRADE-13"), 2, ("there is no plan 'GRADE-13'", BRIDGE)
    ),
    "a build over other people's files": Mistake(
        _nothing,
        ("build", "--out", "content-snapshot"),
        2,
        ("content-snapshot holds files that no build wrote", "--out"),
    ),
}

DATABASE = {
    "no database URL": Mistake(
        _nothing,
        ("snapshot",),
        2,
        ("source.url: must be a database URL", "mysql+pymysql://"),
        _url("site db"),
    ),
    "a path in the place of a URL": Mistake(
        _nothing,
        ("snapshot",),
        2,
        ("source.url: must be a database URL", "try: for a SQLite file write sqlite:////srv/a.db"),
        _url("/srv/a.db"),
    ),
    "a piece of a URL that looks like a path": Mistake(
        _nothing,
        ("snapshot",),
        2,
        ("source.url: must be a database URL", "mysql+pymysql://"),
        _url(f"/reader:{PASSWORD}@db/site"),
    ),
    "another kind of database": Mistake(
        _nothing,
        ("snapshot",),
        2,
        ("source.url: must be a database URL", "mysql+pymysql://"),
        _url(f"postgresql://reader:{PASSWORD}@db/site"),
    ),
    "a password that breaks the URL": Mistake(
        _nothing,
        ("snapshot",),
        2,
        ("more than one `@`", "percent-encode the password"),
        _url(f"mysql+pymysql://reader:{PASSWORD}@x@db/site"),
    ),
    "no database name": Mistake(
        _nothing,
        ("snapshot",),
        2,
        ("names no database",),
        _url(f"mysql+pymysql://reader:{PASSWORD}@db"),
    ),
    "a SQLite file that is not there": Mistake(
        _nothing,
        ("snapshot",),
        4,
        ("there is no SQLite file", "typo.db", "nothing was created"),
        _url("sqlite:///typo.db"),
    ),
    "a file that is no database": Mistake(
        _nothing,
        ("snapshot",),
        4,
        ("exporter.yaml", "cannot be read as a SQLite database"),
        _url("sqlite:///exporter.yaml"),
    ),
    "a server that does not answer": Mistake(
        _nothing,
        ("snapshot",),
        4,
        ("reader:***@127.0.0.1:9/site", "cannot be reached", "check host and port"),
        _url(f"mysql+pymysql://reader:{PASSWORD}@127.0.0.1:9/site"),
    ),
}

SITE = {
    "a missing table": Mistake(
        _sql(f"DROP TABLE `{TABLE}`"),
        ("snapshot",),
        4,
        (f"the database lacks table `{TABLE}`", "is it migrated"),
    ),
    "a missing column": Mistake(
        _sql("ALTER TABLE `tabMemora Lesson` RENAME COLUMN parent_topic TO topic"),
        ("snapshot",),
        4,
        ("lacks column `parent_topic` of `tabMemora Lesson`",),
    ),
    "an empty site": Mistake(
        _sql("DELETE FROM `tabMemora Academic Plan`", "DELETE FROM `tabMemora Subject`"),
        ("snapshot", "--allow-mass-delete"),
        3,
        ("the snapshot was refused", "look at the database first"),
    ),
    "too much deleted": Mistake(
        _sql("DELETE FROM `tabMemora Lesson` WHERE name LIKE 'LESSON-%'"),
        ("snapshot",),
        3,
        ("the snapshot was refused", "lesson", "--allow-mass-delete"),
    ),
}

GIT = {
    "an unsaved edit": Mistake(
        _unsaved_edit,
        ("snapshot",),
        3,
        ("1 uncommitted change", f"content-snapshot/plans/{ARTS}.yaml", "commit them"),
    ),
    "a stray file": Mistake(
        _stray_file, ("snapshot",), 3, ("content-snapshot/plans/notes.txt", "git clean")
    ),
    "an unfinished merge": Mistake(
        _unfinished("merge other"), ("snapshot",), 3, ("in the middle of a merge", "abort it")
    ),
    "an unfinished rebase": Mistake(
        _unfinished("rebase other"), ("snapshot",), 3, ("rebase", "finish or abort it")
    ),
    "an unfinished cherry-pick": Mistake(
        _unfinished("cherry-pick other"), ("snapshot",), 3, ("CHERRY_PICK_HEAD", "abort it")
    ),
    "no git identity": Mistake(
        without_author,
        ("snapshot",),
        2,
        ("git does not know in whose name to commit", "snapshot.author", "git config user.email"),
        (("GIT_CONFIG_GLOBAL", "/dev/null"),),
    ),
    "no git": Mistake(
        _nothing, ("snapshot",), 4, ("git is not installed", "install git"), (("PATH", "/nowhere"),)
    ),
    "an older commit than the live one": Mistake(
        _older_than_live,
        ("publish", "--ref", "HEAD~1"),
        3,
        ("may be older than what is live", "release", "--allow-older"),
    ),
    "an unrelated commit": Mistake(
        _unrelated_history, ("publish",), 3, ("is not among its ancestors", "--allow-older")
    ),
    "no snapshot folder": Mistake(
        _no_snapshot_folder, ("check",), 2, ("there is no snapshot folder", "exporter snapshot")
    ),
    "nothing but plans without content": Mistake(
        _no_snapshot_folder, ("publish",), 3, ("--allow-mass-delete",)
    ),
}

STORES = {
    "a damaged head": Mistake(
        _damaged("head.json"), ("publish",), 4, ("head.json in the state store", "damaged")
    ),
    "a damaged release record": Mistake(
        _damaged("releases/*.json"), ("publish",), 4, ("releases/", "cannot be read")
    ),
}

MISTAKES = {**CONFIGURATION, **COMMAND_LINE, **DATABASE, **SITE, **GIT, **STORES}
HINTED = frozenset({*SITE, *GIT, *STORES})
"""Those of which the remedy stands in a line of its own; the others' messages hold it."""
