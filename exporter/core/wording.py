"""Words that the messages of several rooms share."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["counted", "near", "unreadable"]

_NEAR_NAMES = 3
_LIKENESS = 0.5  # GRADE-13 is like GRADE-12-SCI-2026


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 file`, `1,200 files`, `2 copies`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def near(name: str, known: Collection[str], otherwise: str = "") -> str:
    """Ask whether one of the known names was meant; where none is like it, return `otherwise`."""
    from difflib import get_close_matches

    found = get_close_matches(name, known, n=_NEAR_NAMES, cutoff=_LIKENESS)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else otherwise


def unreadable(error: Exception) -> str:
    """Say why a stored record could not be read, in words for people."""
    match error:
        case KeyError():
            return f"it lacks {error.args[0]!r}"
        case ValueError() if not type(error).__name__.startswith("JSON"):
            return f"it holds a value of another kind ({error})"
        case ValueError():
            return "it is not JSON, or was cut off"
        case _:
            return "it has not the fields that such a record has"
