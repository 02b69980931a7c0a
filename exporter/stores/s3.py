"""Objects in a bucket of any S3 API (R2, AWS, SeaweedFS, …) through boto3, puts through obstore.

The settings are the ones that R2 needs (spec 7): checksums only where required, no `Expect`
header, path addressing, standard retries. Keys come from `AWS_ACCESS_KEY_ID` and
`AWS_SECRET_ACCESS_KEY` (boto3's own chain) and appear in no message. boto3 is imported at the
first request, so that commands that need no bucket start fast. A plain put goes through `uploads`;
with `S3Options.reference`, boto3 does everything.

Traps that are closed here:

* A conditional put whose first answer was lost is refused when boto3 repeats it, although it took
  effect. The object then holds our very bytes, and that counts as done.
* HEAD answers 404 for a missing bucket too. A GET, which tells them apart, has the last word.
* Some stores refuse DeleteObjects (R2 over its checksum: unverified): they are asked key by key.
* Some stores list folder by folder (SeaweedFS): keys are sorted here, by code point.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import StoreError
from exporter.stores.base import (
    Attributes,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    PreconditionFailed,
    StoredObject,
)
from exporter.stores.refusals import Place, Refusal
from exporter.stores.uploads import Connection, Uploads, connect_uploads, takes

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.exceptions import ClientError
    from botocore.session import Session as CoreSession
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

__all__ = ["S3Options", "S3Store"]

DELETE_BATCH = 1_000
"""Keys that one DeleteObjects may name (S3)."""
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60

_LOST_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_BATCH_REFUSALS = frozenset({400, 401, 403, 405, 411, 501})
_NO_REGION = "aws-global"
"""What boto3 calls AWS without a region: it follows redirects to the right one, obstore cannot."""
_NO_KEYS_HINT = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_PLACE_HINT = "check the target's `store`, `state` and `s3` in exporter.yaml"


@dataclass(frozen=True, slots=True)
class S3Options:
    """How a bucket is reached; without `endpoint_url` it is AWS's own, which knows no `auto`."""

    endpoint_url: str | None = None
    region: str = "auto"
    attempts: int = 10
    """Tries of one request, the first included."""
    reference: bool = False
    """Put through boto3 too: ten times slower, and what the fast way is compared with."""
    connect_timeout_s: int = CONNECT_TIMEOUT_S
    read_timeout_s: int = READ_TIMEOUT_S


class S3Store:
    """An `ObjectStore` in a bucket, below a prefix of its keys. One client serves all threads."""

    def __init__(self, bucket: str, prefix: str, options: S3Options, concurrency: int) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._place = Place(bucket, self._prefix, options.endpoint_url)
        self._options = options
        self._concurrency = concurrency
        self._connecting = threading.Lock()
        self._connected: S3Client | None = None
        self._uploads: Uploads | None = None
        self._refuses_batches = False

    @property
    def label(self) -> str:
        """Name the bucket and the prefix."""
        return self._place.label

    @property
    def refuses_batches(self) -> bool:
        """Tell whether the store was found to refuse batch deletes, so keys go one by one."""
        return self._refuses_batches

    def put(
        self,
        key: str,
        body: bytes,
        attributes: Attributes,
        condition: IfAbsent | IfMatch | None = None,
    ) -> str:
        """Store the object and return its ETag."""
        request = _put_request(body, attributes, condition)
        uploads = self._fast_puts(key) if condition is None else None
        if uploads:
            return _unquoted(uploads.put(key, body, attributes))
        with self._translated("put", key) as client:
            try:
                answer = client.put_object(Bucket=self._bucket, Key=self._prefix + key, **request)
            except client.exceptions.ClientError as error:
                if condition is None or not _is_lost(error):
                    raise
                return self._after_lost_answer(key, body, error)
            return _unquoted(answer["ETag"])

    def get(self, key: str) -> StoredObject | None:
        """Read the object, or return None where there is none."""
        with self._translated("get", key) as client:
            try:
                answer = client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            except client.exceptions.ClientError as error:
                if _is_missing_object(error):
                    return None
                raise
            with closing(answer["Body"]) as body:
                return StoredObject(_info(key, answer), body.read())

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of the object, or None where there is none."""
        with self._translated("head", key) as client:
            try:
                return _info(key, client.head_object(Bucket=self._bucket, Key=self._prefix + key))
            except client.exceptions.ClientError as error:
                if _status(error) != 404:
                    raise
        found = self.get(key)
        return found.info if found else None

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, 1,000 a request where the store takes that."""
        remaining = iter(keys)
        while batch := tuple(islice(remaining, DELETE_BATCH)):
            if self._refuses_batches or not self._delete_batch(batch):
                self._delete_singly(batch)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects below `prefix` in the order of their keys."""
        with self._translated("list", prefix) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            found = {
                item["Key"].removeprefix(self._prefix): item
                for page in pages
                for item in page.get("Contents", [])
            }
        for key in sorted(found):
            yield ObjectInfo(key, found[key]["Size"], _unquoted(found[key]["ETag"]))

    def _after_lost_answer(self, key: str, body: bytes, error: ClientError) -> str:
        """Return the ETag where an earlier attempt of this very put did it; else the put lost."""
        repeated = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
        current = self.get(key) if repeated else None
        if current is None or current.body != body:
            raise PreconditionFailed(
                f"{self.label}/{key} is not, or is no longer, as it was read"
            ) from error
        return current.info.etag

    def _delete_batch(self, keys: Sequence[str]) -> bool:
        """Remove up to 1,000 objects in one request; False where the store refuses such ones."""
        with self._translated("delete", f"{len(keys)} objects") as client:
            try:
                answer = client.delete_objects(
                    Bucket=self._bucket,
                    Delete={
                        "Objects": [{"Key": self._prefix + key} for key in keys],
                        "Quiet": True,
                    },
                )
            except client.exceptions.ClientError as error:
                if _status(error) in _BATCH_REFUSALS:
                    return False
                raise
        self._raise_failed([dict(failed) for failed in answer.get("Errors", [])])
        return True

    def _raise_failed(self, errors: Sequence[dict[str, Any]]) -> None:
        """Raise for the objects that a batch could not remove although it was answered with 200."""
        failed = [error for error in errors if error.get("Code") != "NoSuchKey"]
        if failed:
            first = failed[0]
            raise StoreError(
                f"{self.label}: could not delete {len(failed)} objects, the first of them "
                f"{first.get('Key')}: {first.get('Code')}: {first.get('Message')}",
                hint="run again; if it stays so, check what the keys may do in this bucket",
            )

    def _delete_singly(self, keys: Sequence[str]) -> None:
        """Remove objects one by one, the first alone: what refuses it does not mind batches."""
        self._delete_one(keys[0])
        self._refuses_batches = True
        with ThreadPoolExecutor(self._concurrency) as threads:
            for _ in threads.map(self._delete_one, keys[1:]):
                pass

    def _delete_one(self, key: str) -> None:
        with self._translated("delete", key) as client:
            try:
                client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
            except client.exceptions.ClientError as error:
                if not _is_missing_object(error):
                    raise

    @cached_property
    def _session(self) -> Session:
        from boto3.session import Session

        return Session(botocore_session=self._core)

    @cached_property
    def _core(self) -> CoreSession:
        from botocore.session import Session as CoreSession

        return CoreSession()

    def _client(self) -> S3Client:
        with self._connecting:
            return self._connect()

    def _connect(self) -> S3Client:
        if self._connected is None:
            self._connected = _client_of(self._session, self._options, self._concurrency)
            weakref.finalize(self, self._connected.close)
        return self._connected

    def _fast_puts(self, key: str) -> Uploads | None:
        """Return what puts a key faster than boto3 does, where that is to be used and can be."""
        if self._options.reference or not takes(f"{self._bucket}/{self._prefix}{key}"):
            return None
        with self._translated("put", key), self._connecting:
            if self._uploads is None:
                self._uploads = self._connect_uploads()
            return self._uploads

    def _connect_uploads(self) -> Uploads | None:
        client, session, options = self._connect(), self._session, self._options
        if client.meta.region_name == _NO_REGION:
            return None
        if session.get_credentials() is None:
            from botocore.exceptions import NoCredentialsError

            raise NoCredentialsError
        return connect_uploads(
            Connection(
                session,
                client,
                _authorities(self._core),
                options.connect_timeout_s,
                options.read_timeout_s,
            ),
            self._place,
            options.attempts,
            self._concurrency,
        )

    @contextmanager
    def _translated(self, operation: str, key: str) -> Iterator[S3Client]:
        """Lend the client; turn its errors into `StoreError`."""
        from botocore import exceptions
        from botocore.exceptions import BotoCoreError, ClientError

        doing = f"could not {operation} {key or 'objects'}"
        try:
            yield self._client()
        except ClientError as error:
            raise Refusal.of_boto3(error).error(self._place, doing) from error
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            raise self._place.unreached(doing, str(error)) from error
        except BotoCoreError as error:
            no_keys = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)
            hint = _NO_KEYS_HINT if isinstance(error, no_keys) else _PLACE_HINT
            raise StoreError(f"{self.label}: {doing}: {error}", hint=hint) from error


def _authorities(core: CoreSession) -> bytes:
    """Return the certificates that boto3 trusts besides the usual ones (`AWS_CA_BUNDLE`), as PEM.

    Raises:
        StoreError: the file cannot be read.
    """
    path = core.get_config_variable("ca_bundle")
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StoreError(
            f"the certificates in {path} cannot be read: {error.strerror}",
            hint="correct or unset AWS_CA_BUNDLE (or `ca_bundle` in AWS's configuration)",
        ) from error


def _client_of(session: Session, options: S3Options, concurrency: int) -> S3Client:
    """Make a client with the settings of spec 7; no request is made yet."""
    from botocore.config import Config
    from botocore.handlers import add_expect_header

    config: Config = Config(
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=concurrency,
        connect_timeout=options.connect_timeout_s,
        read_timeout=options.read_timeout_s,
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "total_max_attempts": options.attempts},
    )
    region = None if options.endpoint_url is None and options.region == "auto" else options.region
    client = session.client(
        "s3", region_name=region, endpoint_url=options.endpoint_url, config=config
    )
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


def _put_request(
    body: bytes, attributes: Attributes, condition: IfAbsent | IfMatch | None
) -> dict[str, Any]:
    """Return the arguments of a put; ValueError for metadata that HTTP headers cannot carry."""
    metadata = dict(attributes.metadata)
    if not all(f"{name}{value}".isascii() for name, value in metadata.items()):
        raise ValueError(f"metadata must be ASCII: {metadata!r}")
    request: dict[str, Any] = {
        "Body": body,
        "ContentType": attributes.content_type,
        "Metadata": metadata,
    }
    if attributes.cache_control:
        request["CacheControl"] = attributes.cache_control
    if isinstance(condition, IfAbsent):
        request["IfNoneMatch"] = "*"
    elif isinstance(condition, IfMatch):
        request["IfMatch"] = f'"{condition.etag}"'
    return request


def _info(key: str, answer: GetObjectOutputTypeDef | HeadObjectOutputTypeDef) -> ObjectInfo:
    attributes = Attributes(
        answer.get("ContentType", ""),
        answer.get("CacheControl", ""),
        answer.get("Metadata", {}),
        answer.get("ContentEncoding", ""),
    )
    return ObjectInfo(key, answer["ContentLength"], _unquoted(answer["ETag"]), attributes)


def _unquoted(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _is_lost(error: ClientError) -> bool:
    """Tell whether a put was refused for its condition (AWS answers 404 to IfMatch on nothing)."""
    refusal = Refusal.of_boto3(error)
    return refusal.status == 412 or refusal.code in _LOST_CODES


def _is_missing_object(error: ClientError) -> bool:
    refusal = Refusal.of_boto3(error)
    return refusal.status == 404 and refusal.code != "NoSuchBucket"


def _status(error: ClientError) -> int:
    return Refusal.of_boto3(error).status
