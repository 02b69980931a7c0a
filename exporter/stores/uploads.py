"""Putting many small objects into a bucket fast: the data plane beside boto3, through obstore.

A put by obstore costs a tenth of the client's CPU (docs/decisions/0006-uploads.md). It goes to the
endpoint, and with the keys, that boto3's client has, so there is one configuration. Objects are
the same to the byte, key and header. Conditional puts, and keys that obstore would write in another
way (empty or dot segments, control characters), are left to boto3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from exporter.stores.base import Attributes
from exporter.stores.refusals import Place, Refusal

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client
    from obstore.store import ClientConfig, S3Store

__all__ = ["Connection", "Uploads", "connect_uploads", "takes"]

RETRY_FOR_S = 60
"""How long one put is tried, so that a lease can be renewed between two of them (spec 5)."""
RETRIES_AN_ATTEMPT = 4
"""obstore waits less than boto3 between attempts: so many of its retries for one of boto3's."""
LONGEST_WAIT_S = 5
KEYS_KEPT = timedelta(minutes=10)
"""obstore asks for keys again five minutes before; botocore renews them ten before they end."""

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f]+"
_PLAIN = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*\Z")


def takes(path: str) -> bool:
    """Tell whether obstore writes a key (bucket and prefix included) as it is."""
    return _PLAIN.match(path) is not None


class Uploads:
    """Puts objects into one bucket, over one pool of connections. Safe in threads."""

    def __init__(self, store: S3Store, place: Place) -> None:
        self._store = store
        self._place = place

    def put(self, key: str, body: bytes, attributes: Attributes) -> str:
        """Store an object and return its ETag as it was sent.

        Raises:
            StoreError: the service refused it, or could not be reached.
        """
        import obstore
        from obstore.exceptions import BaseError

        headers = {"Content-Type": attributes.content_type, **attributes.metadata}
        if attributes.cache_control:
            headers["Cache-Control"] = attributes.cache_control
        path = self._place.prefix + key
        try:
            done = obstore.put(self._store, path, body, attributes=headers, use_multipart=False)
        except (BaseError, OSError) as error:
            text = str(error)
        else:
            return done["e_tag"] or ""
        # Not `from error`: its text has the service's whole answer, with the access key.
        refusal = Refusal.of_obstore(text)
        doing = f"could not put {key}"
        if refusal is None:
            raise self._place.unreached(doing, f"no answer from {self._place.endpoint}")
        raise refusal.error(self._place, doing)


@dataclass(frozen=True, slots=True)
class Connection:
    """What boto3 connects with: the keys of a session, a client's endpoint, whom it trusts."""

    session: Session
    client: S3Client
    authorities: bytes
    """Certificates as PEM, trusted besides the system's own; empty for no more."""
    connect_timeout_s: int
    read_timeout_s: int


def connect_uploads(
    connection: Connection, place: Place, attempts: int, concurrency: int
) -> Uploads:
    """Return uploads that connect as boto3 does."""
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Store

    options: ClientConfig = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=connection.connect_timeout_s),
        "timeout": timedelta(seconds=connection.read_timeout_s),
        "pool_max_idle_per_host": str(concurrency),
    }
    if connection.authorities:
        options["root_certificate"] = connection.authorities
    meta = connection.client.meta
    store = S3Store(
        place.bucket,
        endpoint=meta.endpoint_url,
        region=meta.region_name,
        virtual_hosted_style_request=False,
        credential_provider=Boto3CredentialProvider(connection.session, ttl=KEYS_KEPT),
        client_options=options,
        retry_config={
            "max_retries": RETRIES_AN_ATTEMPT * (attempts - 1),
            "retry_timeout": timedelta(seconds=RETRY_FOR_S),
            "backoff": {"max_backoff": timedelta(seconds=LONGEST_WAIT_S)},
        },
    )
    return Uploads(store, place)
