"""Putting many small objects into a bucket fast: the data plane beside boto3, through obstore.

A put by obstore costs a tenth of the client's CPU (docs/decisions/0006-uploads.md). It goes to the
endpoint, and with the keys, that boto3's client has, so there is one configuration. Objects are
the same to the byte, key and header. Conditional puts, and keys that obstore would write in another
way (empty or dot segments, control characters), are left to boto3.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from exporter.stores.base import Attributes
from exporter.stores.connecting import Connection, open_bucket, sent_headers
from exporter.stores.refusals import Place, Refusal

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Store

__all__ = ["Uploads", "connect_uploads", "takes"]

RETRY_FOR_S = 60
"""How long one put is tried, so that a lease can be renewed between two of them (spec 5)."""
RETRIES_AN_ATTEMPT = 4
"""obstore waits less than boto3 between attempts: so many of its retries for one of boto3's."""
LONGEST_WAIT_S = 5

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f]+"
_PLAIN = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*\Z")


def takes(path: str) -> bool:
    """Tell whether obstore writes a key (bucket and prefix included) as it is."""
    return _PLAIN.match(path) is not None


class Uploads:
    """Puts objects into one bucket, over one pool of connections. Safe in threads."""

    def __init__(self, store: S3Store, place: Place) -> None:
        # Imported here and not at each put: many threads that look a module up get in one another's
        # way, which costs as much as a quarter of the put.
        import obstore
        from obstore.exceptions import BaseError

        self._put = partial(obstore.put, store, use_multipart=False)
        self._errors = (BaseError, OSError)
        self._place = place

    def put(self, key: str, body: bytes, attributes: Attributes) -> str:
        """Store an object and return its ETag as it was sent.

        Raises:
            StoreError: the service refused it, or could not be reached.
        """
        path, headers = self._place.prefix + key, sent_headers(attributes)
        try:
            done = self._put(path, body, attributes=headers)
        except self._errors as error:
            text = str(error)
        else:
            return done["e_tag"] or ""
        # Not `from error`: its text has the service's whole answer, with the access key.
        refusal = Refusal.of_obstore(text)
        doing = f"could not put {key}"
        if refusal is None:
            raise self._place.unreached(doing, f"no answer from {self._place.endpoint}")
        raise refusal.error(self._place, doing)


def connect_uploads(
    connection: Connection, place: Place, attempts: int, concurrency: int
) -> Uploads:
    """Return uploads over a connection."""
    limits: ClientConfig = {
        "timeout": connection.read_timeout,
        "pool_max_idle_per_host": str(concurrency),
    }
    retries: RetryConfig = {
        "max_retries": RETRIES_AN_ATTEMPT * (attempts - 1),
        "retry_timeout": timedelta(seconds=RETRY_FOR_S),
        "backoff": {"max_backoff": timedelta(seconds=LONGEST_WAIT_S)},
    }
    return Uploads(open_bucket(place.bucket, connection, retries, limits), place)
