"""Answers that were given before of the very same content, so that the page is there at once.

A shelf is of one content, named by what makes all of its answers; another content has another
shelf. The cache is inside `.git` and keeps the last few of them.
"""

from __future__ import annotations

from pathlib import Path

from exporter.content.cachefile import CacheFile

__all__ = ["Shelf"]

MAX_BYTES = 50_000_000
"""What one content may keep."""
_CONTENTS = 4
_TABLES = """
CREATE TABLE IF NOT EXISTS answers (content TEXT, path TEXT, body BLOB, UNIQUE (content, path));
"""
_FORGET = """
DELETE FROM answers WHERE content NOT IN
    (SELECT content FROM answers GROUP BY content ORDER BY max(rowid) DESC LIMIT ?)
"""


class Shelf:
    """The answers of one content."""

    def __init__(self, private_dir: Path, content: str) -> None:
        """Name the content by all that its answers follow from."""
        self._cache = CacheFile(private_dir / "preview.db", _TABLES)
        self._content = content
        self._used = 0
        self._cache.use(lambda cache: cache.execute(_FORGET, (_CONTENTS,)))

    def find(self, path: str) -> bytes | None:
        """Return an answer that was given before."""
        asked = (self._content, path)
        query = "SELECT body FROM answers WHERE content = ? AND path = ?"
        row = self._cache.use(lambda cache: cache.execute(query, asked).fetchone())
        return bytes(row[0]) if row else None

    def put(self, path: str, body: bytes) -> None:
        """Keep an answer, unless the shelf is full."""
        self._used += len(body)
        if self._used <= MAX_BYTES:
            row = (self._content, path, body)
            query = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?)"
            self._cache.use(lambda cache: cache.execute(query, row))
