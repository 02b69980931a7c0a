"""Saying what is in no commit yet: content is left out, the configuration is used all the same.

git looks at every file for that, which takes longer than finding out that nothing is to be done; so
it looks while the target is asked and the publish is prepared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.core.wording import counted

if TYPE_CHECKING:
    from exporter.cli.session import Session

__all__ = ["uncommitted_told"]


@contextmanager
def uncommitted_told(session: Session, ref: str) -> Iterator[None]:
    """Look meanwhile for what publishing a ref leaves out, and tell of it at the end."""
    if session.quiet:
        yield
        return
    from concurrent.futures import ThreadPoolExecutor

    settings = _settings_path(session)
    content = session.content_path if ref == "HEAD" else ""
    looked_at = [path for path in (settings, content) if path]
    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(session.repository.dirty_paths, *looked_at) if looked_at else None
        try:
            yield
        finally:
            if looking:
                _tell(session, settings, content, looking.result())


def _tell(session: Session, settings: str, content: str, dirty: Sequence[str]) -> None:
    if settings in dirty:
        session.say(f"{settings} is used as it stands here, and is not committed like that")
    below = "" if content == "." else f"{content}/"
    if content and (changed := [path for path in dirty if path.startswith(below)]):
        files = counted(len(changed), "content file")
        session.say(f"changed, but not committed, so left out: {files}, such as {changed[0]}")


def _settings_path(session: Session) -> str:
    """Return the configuration's path in the repository; empty where it lies outside."""
    root, file = session.repository.root.resolve(), session.config.path.resolve()
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else ""
