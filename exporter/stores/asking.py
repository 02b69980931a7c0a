"""Asking a bucket once, through obstore: gets, and puts with a condition.

Only answers that leave no doubt are taken: here it is, there is none, it was written, the condition
did not hold. Whatever else happens, also no answer at all, is `Unclear`: boto3 then asks again,
which has the patience, the redirects and the words (`stores/s3.py`). Nothing is repeated here, so a
condition that did not hold was not met by an earlier attempt of ours either.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from exporter.stores.base import Attributes, IfAbsent, IfMatch, ObjectInfo, StoredObject
from exporter.stores.connecting import Connection, open_bucket, sent_headers
from exporter.stores.refusals import Place, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore import GetResult, PutMode
    from obstore.store import ClientConfig, S3Store

__all__ = ["Asking", "Unclear", "ask_through", "unquoted"]

LONGEST_ANSWER = timedelta(minutes=10)
"""An index of a large site is megabytes; what stalls is ended by the read timeout."""
_HEADERS = frozenset(
    {"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language"}
    | {"Content-Type", "Storage-Class"}
)
"""What obstore gives among an object's attributes that is no metadata."""

_Answer = TypeVar("_Answer")


class Unclear(Exception):
    """There was no answer, or none that settles it: ask again."""


class Asking:
    """Asks for objects of one bucket, over one pool of connections. Safe in threads."""

    def __init__(self, store: S3Store, place: Place) -> None:
        self._store = store
        self._place = place

    def get(self, key: str) -> StoredObject | None:
        """Return the object, or None where there is none.

        Raises:
            Unclear: it is not known whether there is one.
        """
        return _interruptible(partial(self._get, key))

    def put(
        self, key: str, body: bytes, attributes: Attributes, condition: IfAbsent | IfMatch
    ) -> str:
        """Store an object if the condition holds, and return its ETag.

        Raises:
            PreconditionFailed: it does not hold; nothing was written.
            Unclear: it may have been written.
        """
        return _interruptible(partial(self._put, key, body, attributes, condition))

    def _get(self, key: str) -> StoredObject | None:
        import obstore
        from obstore.exceptions import BaseError

        try:
            found = obstore.get(self._store, self._place.prefix + key)
            info = _info(key, found)
            body = found.bytes().to_bytes()
        except (BaseError, OSError) as error:
            refusal = Refusal.of_obstore(str(error))
        else:
            return StoredObject(info, body)
        if refusal and refusal.code == "NoSuchKey":
            return None
        raise Unclear

    def _put(
        self, key: str, body: bytes, attributes: Attributes, condition: IfAbsent | IfMatch
    ) -> str:
        import obstore
        from obstore.exceptions import BaseError

        mode: PutMode = "create"
        if isinstance(condition, IfMatch):
            mode = {"e_tag": f'"{condition.etag}"'}
        path, headers = self._place.prefix + key, sent_headers(attributes)
        try:
            done = obstore.put(
                self._store, path, body, attributes=headers, mode=mode, use_multipart=False
            )
        except (BaseError, OSError) as error:
            refusal = Refusal.of_obstore(str(error))
        else:
            return _etag(done["e_tag"])
        if refusal and refusal.is_lost_condition:
            raise self._place.lost(key)
        raise Unclear


def ask_through(connection: Connection, place: Place, concurrency: int) -> Asking:
    """Return what asks over a connection."""
    limits: ClientConfig = {
        "read_timeout": connection.read_timeout,
        "timeout": LONGEST_ANSWER,
        "pool_max_idle_per_host": str(concurrency),
    }
    return Asking(open_bucket(place.bucket, connection, {"max_retries": 0}, limits), place)


def _interruptible(ask: Callable[[], _Answer]) -> _Answer:
    """Ask in a thread where Ctrl-C arrives in this one: obstore waits without looking for it."""
    if threading.current_thread() is not threading.main_thread():
        return ask()
    answer: Future[_Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()  # the program ends without waiting for it
    return answer.result()


def unquoted(etag: str) -> str:
    """Return an ETag as stores tell it, without its quotes."""
    return etag.removeprefix("W/").strip('"')


def _etag(sent: str | None) -> str:
    if not sent:
        raise Unclear
    return unquoted(sent)


def _info(key: str, found: GetResult) -> ObjectInfo:
    meta, told = found.meta, found.attributes
    attributes = Attributes(
        told.get("Content-Type", ""),
        told.get("Cache-Control", ""),
        {name: value for name, value in told.items() if name not in _HEADERS},
        told.get("Content-Encoding", ""),
    )
    return ObjectInfo(key, meta["size"], _etag(meta["e_tag"]), attributes)
