"""How long work says how far it is: one call, which a shell may show and everyone may ignore."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "unseen"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done ("lessons built"), how much of it is, and how much there is."""


def unseen(_what: str, _done: int, _total: int) -> None:
    """Let nobody know."""
