"""JSON values: in canonical order, and of the kind that is wanted.

A stage's config has the keys of its objects sorted by code point at every level, in the snapshot
and in the published JSON alike (spec 2), so both take the order from here.
"""

from __future__ import annotations

from exporter.core.model import Json

__all__ = ["number_of", "sorted_keys", "text_of"]


def sorted_keys(value: Json) -> Json:
    """Return the value with the keys of every object in code point order; lists keep theirs."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_keys(item) for item in value]
    return value


def text_of(value: object) -> str:
    """Return a value that has to be a text.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def number_of(value: object) -> int:
    """Return a value that has to be an integer.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no integer")
    return value
