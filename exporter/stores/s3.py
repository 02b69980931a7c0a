"""Objects in a bucket of any S3 API (R2, AWS, SeaweedFS, …) through boto3 and obstore.

The settings are the ones that R2 needs (spec 7): checksums only where required, no `Expect`
header, path addressing, standard retries. Keys come from `AWS_ACCESS_KEY_ID` and
`AWS_SECRET_ACCESS_KEY` (boto3's own chain) and appear in no message. A plain put goes through
`uploads`. Gets and conditional puts are first asked once through `asking`, and through boto3 where
that gave no clear answer, so that a publish to which nothing odd happens never pays for boto3's
import. boto3 does the rest, and everything with `S3Options.reference`.

Traps that are closed here:

* A conditional put whose first answer was lost is refused when boto3 repeats it, although it took
  effect. The object then holds our very bytes, and that counts as done.
* HEAD answers 404 for a missing bucket too. A GET, which tells them apart, has the last word.
* Some stores refuse DeleteObjects (R2 over its checksum: unverified): they are asked key by key.
* Some stores list folder by folder (SeaweedFS): keys are sorted here, by code point.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from exporter.errors import StoreError
from exporter.stores.asking import Asking, Unclear, ask_through, unquoted
from exporter.stores.base import Attributes, IfAbsent, IfMatch, ObjectInfo, StoredObject
from exporter.stores.connecting import (
    Connection,
    S3Options,
    client_of,
    connection_in,
    connection_of,
)
from exporter.stores.refusals import Place, Refusal
from exporter.stores.uploads import Uploads, connect_uploads, takes

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.exceptions import ClientError
    from botocore.session import Session as CoreSession
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

__all__ = ["S3Options", "S3Store"]

DELETE_BATCH = 1_000
"""Keys that one DeleteObjects may name (S3)."""

_BATCH_REFUSALS = frozenset({400, 401, 403, 405, 411, 501})
_BUCKET = re.compile(r"[A-Za-z0-9._-]+")
_NO_KEYS_HINT = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_PLACE_HINT = "check the target's `store`, `state` and `s3` in exporter.yaml"


class S3Store:
    """An `ObjectStore` in a bucket, below a prefix of its keys. One client serves all threads."""

    def __init__(self, bucket: str, prefix: str, options: S3Options, concurrency: int) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._place = Place(bucket, self._prefix, options.endpoint_url)
        self._options = options
        self._concurrency = concurrency
        self._opening = threading.Lock()
        self._connecting = threading.Lock()
        self._connected: S3Client | None = None
        self._uploads: Uploads | None = None
        self._asking: Asking | None = None
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
        if condition is None and (uploads := self._uploads_for(key)):
            return unquoted(uploads.put(key, body, attributes))
        if condition is not None and (asking := self._asking_for("put", key)):
            with suppress(Unclear):
                return asking.put(key, body, attributes, condition)
            return self._put(key, body, request, is_repeated=True)
        return self._put(key, body, request, is_repeated=False)

    def get(self, key: str) -> StoredObject | None:
        """Read the object, or return None where there is none."""
        if asking := self._asking_for("get", key):
            with suppress(Unclear):
                return asking.get(key)
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
            yield ObjectInfo(key, found[key]["Size"], unquoted(found[key]["ETag"]))

    def _put(self, key: str, body: bytes, request: dict[str, Any], *, is_repeated: bool) -> str:
        """Put by boto3; `is_repeated` tells that an earlier attempt may have done it already."""
        with self._translated("put", key) as client:
            try:
                answer = client.put_object(Bucket=self._bucket, Key=self._prefix + key, **request)
            except client.exceptions.ClientError as error:
                conditional = "IfNoneMatch" in request or "IfMatch" in request
                if not conditional or not Refusal.of_boto3(error).is_lost_condition:
                    raise
                retried = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                done = self._etag_of(key, body) if is_repeated or retried else None
                if done is None:
                    raise self._place.lost(key) from error
                return done
            return unquoted(answer["ETag"])

    def _etag_of(self, key: str, body: bytes) -> str | None:
        """Return the ETag where the object has this body: our own put did it, its answer lost."""
        current = self.get(key)
        return current.info.etag if current and current.body == body else None

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
        from concurrent.futures import ThreadPoolExecutor  # most commands delete nothing

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
            self._connected = client_of(self._session, self._options, self._concurrency)
            weakref.finalize(self, self._connected.close)
        return self._connected

    def _uploads_for(self, key: str) -> Uploads | None:
        """Return what puts faster than boto3 does, where that is to be used and can be."""
        with self._opening:
            if self._uploads is None and (found := self._connection("put", key)):
                attempts, concurrency = self._options.attempts, self._concurrency
                self._uploads = connect_uploads(found, self._place, attempts, concurrency)
            return self._uploads if self._is_plain(key) else None

    def _asking_for(self, operation: str, key: str) -> Asking | None:
        """Return what asks faster than boto3 does, where that is to be used and can be."""
        with self._opening:
            if self._asking is None and (found := self._connection(operation, key)):
                self._asking = ask_through(found, self._place, self._concurrency)
            return self._asking if self._is_plain(key) else None

    def _is_plain(self, key: str) -> bool:
        """Tell whether obstore names an object as boto3 does."""
        return takes(self._prefix + key) and _BUCKET.fullmatch(self._bucket) is not None

    def _connection(self, operation: str, key: str) -> Connection | None:
        """Return how obstore reaches the bucket; None where boto3 alone is to, or can."""
        if self._options.reference or not self._is_plain(key):
            return None
        if found := connection_in(os.environ, self._options):
            return found
        with self._translated(operation, key) as client:
            return connection_of(self._core, self._session, client, self._options)

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
    return ObjectInfo(key, answer["ContentLength"], unquoted(answer["ETag"]), attributes)


def _is_missing_object(error: ClientError) -> bool:
    refusal = Refusal.of_boto3(error)
    return refusal.status == 404 and refusal.code != "NoSuchBucket"


def _status(error: ClientError) -> int:
    return Refusal.of_boto3(error).status
