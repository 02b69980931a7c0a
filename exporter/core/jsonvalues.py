"""JSON values in canonical order.

A stage's config has the keys of its objects sorted by code point at every level, in the snapshot
and in the published JSON alike (spec 2), so both take the order from here.
"""

from __future__ import annotations

from exporter.core.model import Json

__all__ = ["sorted_keys"]


def sorted_keys(value: Json) -> Json:
    """Return the value with the keys of every object in code point order; lists keep theirs."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_keys(item) for item in value]
    return value
