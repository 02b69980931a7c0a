"""Finding out whether a store honours conditional writes, on which all locking rests (spec 5)."""

from __future__ import annotations

from contextlib import suppress

from exporter.errors import StoreError
from exporter.stores.base import Attributes, IfAbsent, IfMatch, ObjectStore, PreconditionFailed

__all__ = ["probe_conditional_writes"]

_PLAIN = Attributes("text/plain; charset=utf-8", "no-store")


def probe_conditional_writes(store: ObjectStore, token: str) -> None:
    """Try conditional writes on an object of our own, and remove it; `token` is this run's own.

    Raises:
        StoreError: the store ignores conditions, so two runs could not be kept apart.
    """
    key = f"probes/{token}.txt"
    try:
        etag = store.put(key, b"first", _PLAIN, IfAbsent())
        changed = store.put(key, b"second", _PLAIN, IfMatch(etag))
        broken = [
            name
            for name, condition in (("If-None-Match", IfAbsent()), ("If-Match", IfMatch(etag)))
            if not _refuses(store, key, condition)
        ]
    finally:
        with suppress(StoreError):
            store.delete([key])
    if broken or changed == etag:
        raise StoreError(
            f"the state store {store.label} ignores conditional writes "
            f"({' and '.join(broken) or 'its ETags do not change'})",
            hint="two runs could not be kept apart there: keep the state in a store that honours "
            "them (R2, AWS S3, a folder)",
        )


def _refuses(store: ObjectStore, key: str, condition: IfAbsent | IfMatch) -> bool:
    try:
        store.put(key, b"third", _PLAIN, condition)
    except PreconditionFailed:
        return True
    return False
