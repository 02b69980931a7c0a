"""What `check` and `build` share: reading content and making files without a target."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from exporter.errors import GitError, UsageError

if TYPE_CHECKING:
    from exporter.build.builder import Built
    from exporter.build.inspection import Inspection
    from exporter.cli.session import Session
    from exporter.content.reading import Content
    from exporter.core.artifacts import Artifact
    from exporter.core.findings import Finding

__all__ = ["build_findings", "findings_folder", "make_files", "read_content"]


def read_content(session: Session, ref: str | None, *, worktree: bool) -> Content:
    """Return the content of a commit, or of the work tree where none is named."""
    from exporter.content.reading import read_commit, read_worktree

    if ref and worktree:
        raise UsageError("--ref and --worktree exclude each other", hint="leave one of them out")
    extra = session.config.source.extra_fields
    if ref:
        return read_commit(session.repository, session.resolve(ref), session.content_path, extra)
    if not session.content_folder.is_dir():
        raise UsageError(
            f"there is no snapshot folder {session.content_folder}",
            hint="take one with `exporter snapshot`, or correct `snapshot.path` in exporter.yaml",
        )
    return read_worktree(session.content_folder, extra)


def findings_folder(session: Session) -> str:
    """Return the snapshot folder as findings name it: from the repository's root, where one is."""
    try:
        return session.content_path
    except GitError:
        return session.config.snapshot.path


def make_files(
    session: Session, content: Content, inspection: Inspection, sink: Callable[[Artifact], None]
) -> Built:
    """Make the files as a first release of this content would have them.

    Versions are the commit's time; for a work tree HEAD's, or now before the first commit.
    """
    from exporter.build.builder import Stamps, build

    commit = content.commit or session.repository.head()
    stamps = Stamps(lambda _key: None, commit.time if commit else int(time.time()))
    rules = session.check_rules
    return build(inspection, rules.rules, rules.severities, stamps, sink)


def build_findings(
    session: Session, content: Content, inspection: Inspection
) -> tuple[Finding, ...]:
    """Return what only shows when the files are made (`E112`, `W204`)."""
    return make_files(session, content, inspection, lambda _artifact: None).findings
