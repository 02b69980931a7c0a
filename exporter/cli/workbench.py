"""What `check` and `build` share: reading content and making files without a target."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from exporter.core.wording import near
from exporter.errors import ContentProblem, GitError, UsageError

if TYPE_CHECKING:
    from exporter.build.builder import Built
    from exporter.build.inspection import Inspection
    from exporter.cli.session import Session
    from exporter.content.reading import Content
    from exporter.content.repository import Commit
    from exporter.core.artifacts import Artifact
    from exporter.core.findings import Finding
    from exporter.core.model import Document

__all__ = ["build_findings", "findings_folder", "make_files", "plan_of", "read_content", "unknown"]

_SHOWN_NAMES = 3


def read_content(
    session: Session, ref: str | None, *, worktree: bool, jobs: int | None = 1
) -> Content:
    """Return the content of a commit, or of the work tree where none is named.

    `jobs` is the number of processes that read it, None for one for each core.
    """
    from exporter.content.parsed import FreshlyParsed
    from exporter.content.reading import read_commit, read_worktree

    commit = find_content(session, ref, worktree=worktree)
    extra = session.config.source.extra_fields
    known = session.parsed or FreshlyParsed(session.workers(jobs))
    if commit:
        return read_commit(session.repository, commit, session.content_path, extra, known)
    return read_worktree(session.content_folder, extra, known)


def find_content(session: Session, ref: str | None, *, worktree: bool) -> Commit | None:
    """Return the commit that is to be read, or None for the work tree.

    Raises:
        UsageError: both are asked for, or what is asked for is not there.
    """
    if ref and worktree:
        raise UsageError("--ref and --worktree exclude each other", hint="leave one of them out")
    if ref:
        return session.resolve(ref)
    if not session.content_folder.is_dir():
        raise UsageError(
            f"there is no snapshot folder {session.content_folder}",
            hint="take one with `exporter snapshot`, or correct `snapshot.path` in exporter.yaml",
        )
    return None


def findings_folder(session: Session) -> str:
    """Return the snapshot folder as findings name it: from the repository's root, where one is."""
    try:
        return session.content_path
    except GitError:
        return session.config.snapshot.path


def unknown(what: str, name: str, known: Collection[str]) -> UsageError:
    """Return the error that content has nothing of that name, with a few names that it has."""
    otherwise = "it goes by its `name`, as in the YAML files"
    if 0 < len(known) <= _SHOWN_NAMES:
        otherwise = f"there is {' and '.join(map(repr, sorted(known)))}"
    hint = near(name, known, otherwise)
    return UsageError(f"there is no {what} {name!r} in this content", hint=hint)


def plan_of(content: Content, name: str) -> Document:
    """Return the plan of that name.

    Raises:
        ContentProblem: its file cannot be read.
        UsageError: there is none.
    """
    from exporter.core.model import PLAN
    from exporter.core.plan_checks import plan_of_path

    found = content.loaded.snapshot.find(PLAN, name)
    if found is None and name in map(plan_of_path, content.loaded.broken_plans):
        raise ContentProblem(
            f"the file of plan {name!r} cannot be read",
            hint="`exporter check` says what is wrong with it",
        )
    if found is None:
        names = [plan.name for plan in content.loaded.snapshot.of_type(PLAN)]
        raise unknown("plan", name, names)
    return found


def make_files(
    session: Session,
    content: Content,
    inspection: Inspection,
    sink: Callable[[Artifact], object],
    jobs: int | None = None,
) -> Built:
    """Make the files as a first release of this content would have them.

    Versions are the commit's time; for a work tree HEAD's, or now before the first commit. `jobs`
    is the number of processes, one for each core unless given.
    """
    from exporter.build.bench import Stamps, nothing_live
    from exporter.build.builder import build

    commit = content.commit or session.repository.head()
    stamps = Stamps(nothing_live, commit.time if commit else int(time.time()))
    return build(inspection, session.check_rules, stamps, sink, session.workers(jobs))


def build_findings(
    session: Session, content: Content, inspection: Inspection
) -> tuple[Finding, ...]:
    """Return what only shows when the files are made (`E112`, `W204`), also of plans held back."""
    from exporter.build.bench import Stamps, nothing_live
    from exporter.build.builder import check_held

    built = make_files(session, content, inspection, _nowhere).findings
    stamps = Stamps(nothing_live, int(time.time()))
    held = check_held(inspection, session.check_rules, stamps, session.workers(None))
    return (*built, *held)


def _nowhere(_artifact: Artifact) -> None:
    """Take a file and forget it."""
