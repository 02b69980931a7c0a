"""The demo's story: each step is done for real, then told in a line with its counts and time."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli.init import scaffold
from exporter.cli.publish import prepare_publish
from exporter.cli.session import Session
from exporter.cli.snapshot import held_line, run_snapshot
from exporter.core.access import Node
from exporter.core.model import DOCTYPES, SUBJECT

if TYPE_CHECKING:
    from exporter.build.inspection import Inspection
    from exporter.content.snapshot import SnapshotResult
    from exporter.core.release import Release

__all__ = ["tell"]

_STORE = "public/memora_content"
_COMMITTED = ("exporter.yaml", "README.md", ".gitignore")
_ANSWERS = {
    "source": "sqlite:///site.db",
    "target": "local",
    "store": f"./{_STORE}",
    "state": "./.exporter/local",
    "author": "Content Snapshot <snapshot@demo-school.example>",
}
_REVIEWER = "Head of Content <content@demo-school.example>"
"""Who takes the bad edit back."""


@dataclass(slots=True)
class _Story:
    """Prints numbered steps."""

    folder: Path
    color: bool
    step: int = 0
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.session = Session(None, self.folder, quiet=True, verbose=False, color=self.color)

    @contextmanager
    def chapter(self, title: str) -> Iterator[list[str]]:
        """Time a step; print its title, the time, and the lines that it collects."""
        self.step += 1
        lines: list[str] = []
        started = time.perf_counter()
        yield lines
        took = time.perf_counter() - started
        self.session.out(f"{self.step}. {title}  ({took:.2f} s)", bold=True)
        for line in lines:
            self.session.out(f"   {line}")


def tell(folder: Path, lessons: int, *, color: bool) -> Path:
    """Live through the whole story in an empty folder; return the CDN folder."""
    started = time.perf_counter()
    story = _Story(folder, color)
    _open_school(story, lessons)
    _snapshot(story, "The site's content becomes text in git")
    _publish(story, "The commit is published: checked JSON for the students' apps")
    subject, lesson, plans = _shared_lesson(story)
    _edit_title(story, lesson, plans)
    _snapshot(story, "A snapshot sees one changed document")
    _publish(story, "Publishing puts just what follows from it", show=True)
    _give_away(story, subject)
    _snapshot(story, "Nobody notices: the next snapshot takes it in")
    before = _free_lessons(story)
    _publish(story, "…and it is published")
    given_away = _free_lessons(story)
    _revert(story)
    _publish(story, "Publishing the revert puts it right")
    *_, other = subject.lessons()
    _edit_title(story, other, plans)
    _snapshot(story, "The bad tick is still in the database, and the next snapshot leaves it there")
    _publish(story, "Publishing again: the good edit goes out, the bad one does not")
    after = _free_lessons(story)
    out = story.session.out
    out(f"Free lessons on the CDN: {before} before, {given_away} after the bad edit, {after} now.")
    out("The hold lasts until somebody changes that document once more.")
    out(f"All of it took {time.perf_counter() - started:.1f} s. Look around:")
    for line in _ways_on(folder):
        out(f"  {line}")
    return folder / _STORE


def _ways_on(folder: Path) -> Iterator[str]:
    """Yield commands that run as they are printed, each with what it shows."""
    place, here = shlex.quote(str(folder)), f"{_this_program()} -C {shlex.quote(str(folder))}"
    yield f"git -C {place} log --stat  # what was released, and why"
    yield f"ls {place}/content-snapshot  # the content as reviewers see it"
    yield f"ls {place}/{_STORE}  # what students' apps read"
    yield f"{here} releases  # the ledger; also: status, check, plan"
    yield f"{here} holds  # what snapshots leave out until it changes once more"


def _this_program() -> str:
    """Return how a shell starts the program that is running."""
    started = Path(sys.argv[0])
    if started.name != "exporter":
        return f"{shlex.quote(sys.executable)} -m exporter"
    found = shutil.which("exporter")
    return "exporter" if found and started.samefile(found) else shlex.quote(sys.argv[0])


def _open_school(story: _Story, lessons: int) -> None:
    from exporter.content.objects import hash_files
    from exporter.demo.site import create_site

    with story.chapter("A school opens: a Frappe site in a SQLite file") as lines:
        scaffold(story.folder, _ANSWERS, own_repository=True)
        repository = story.session.repository
        blobs = hash_files(repository, _COMMITTED, store=True)
        repository.commit_files(
            "A content repository", blobs, author=_ANSWERS["author"], parent=None
        )
        create_site(story.folder / "site.db", lessons)
        lines.append(f"{story.folder / 'site.db'}, a new git repository, exporter.yaml")


def _snapshot(story: _Story, title: str) -> None:
    with story.chapter(f"{title} (exporter snapshot)") as lines:
        result = run_snapshot(story.session, commit=True, allow_mass_delete=False)
        sha = result.commit.sha[:12] if result.commit else "no commit"
        lines.append(f"{sha} {_headline(result)}")
        if len(result.changes) <= 3:
            lines.extend(result.message.splitlines()[2 : 2 + len(result.changes)])
        lines.append(f"{result.files_written} of {result.documents} files written")
        lines.extend(held_line(held) for held in result.held)


def _headline(result: SnapshotResult) -> str:
    return result.message.split("\n", 1)[0] or "nothing changed"


def _publish(story: _Story, title: str, *, show: bool = False) -> Release:
    from exporter.publish.planning import PublishOptions

    session = story.session
    with story.chapter(f"{title} (exporter publish)") as lines:
        opened = session.open_target(None)
        prepared = prepare_publish(session, opened, "HEAD", PublishOptions())
        release = opened.publisher.publish(prepared, session.new_run()).release
        lines.append(
            f"release {release.id}: {release.files_put} files put "
            f"({release.bytes_put:,} bytes), {release.files_deleted} deleted"
        )
        if show:
            lines += [f"put {key}" for key in sorted(prepared.delta.put)]
        held = [name for name, plan in release.plans.items() if plan.error]
        lines += [f"held back: {name}" for name in held]
    return release


def _shared_lesson(story: _Story) -> tuple[Node, Node, int]:
    """Return the paid subject that most plans list, a lesson of it, and the number of plans."""
    from exporter.build.inspection import inspect
    from exporter.cli.workbench import read_content

    session = story.session
    inspection = inspect(read_content(session, "HEAD", worktree=False), session.check_rules)
    subjects = [s for view in inspection.views.values() for s in view.subjects if _is_sold(s)]
    best = max(subjects, key=lambda s: (_listings(inspection, s.name), s.name))
    return best, next(best.lessons()), _listings(inspection, best.name)


def _is_sold(subject: Node) -> bool:
    return subject.access.level == "paid" and any(True for _ in subject.lessons())


def _listings(inspection: Inspection, subject: str) -> int:
    return sum(subject in {s.name for s in view.subjects} for view in inspection.views.values())


def _edit_title(story: _Story, lesson: Node, plans: int) -> None:
    title = f"{lesson.document.title} (revised)"

    def edit(connection: object) -> None:
        from exporter.demo.site import edit_lesson_title

        edit_lesson_title(connection, lesson.name, title)  # type: ignore[arg-type]

    with story.chapter("An editor improves a title in Frappe") as lines:
        _in_database(story, edit)
        shared = f"its subject is in {plans} plans" if plans > 1 else "its subject is in one plan"
        lines.append(f'{lesson.name} is now "{title}"; {shared}')


def _give_away(story: _Story, subject: Node) -> None:
    def edit(connection: object) -> None:
        from exporter.demo.site import set_field

        set_field(connection, SUBJECT, subject.name, "is_free_preview", 1)  # type: ignore[arg-type]

    with story.chapter("A bad edit: one tick too many gives a paid subject away") as lines:
        _in_database(story, edit)
        label = DOCTYPES[SUBJECT].label
        lines.append(
            f'{label} "{subject.document.title}" is now a free preview, with all that is in it'
        )


def _in_database(story: _Story, edit: Callable[[object], None]) -> None:
    from exporter.demo.site import edit_site

    with edit_site(story.folder / "site.db") as connection:
        edit(connection)


def _revert(story: _Story) -> None:
    with story.chapter("Rollback: git revert HEAD") as lines:
        commit = story.session.repository.revert("HEAD", author=_REVIEWER)
        lines.append(f"{commit.sha[:12]} the content is as it was before the bad edit")


def _free_lessons(story: _Story) -> int:
    """Count the lessons that the published topic files let everyone open."""
    import orjson

    free = 0
    for file in (story.folder / _STORE / "plans").glob("*/*.json"):
        body = orjson.loads(file.read_bytes())
        lessons = body.get("lessons", ()) if "parent" in body else ()
        free += sum(lesson["access"]["access_level"] == "free_preview" for lesson in lessons)
    return free
