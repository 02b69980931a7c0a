"""What an S3 service refuses, in our words, whichever client it was asked by.

Both clients (boto3 and obstore) are turned into the same `StoreError`s: status, code and message of
the service, and what to do. Nothing else of an answer is shown: services put access keys and the
strings that were signed into it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.errors import StoreBusy, StoreError, StoreUnusable
from exporter.stores.base import PreconditionFailed

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

__all__ = ["Place", "Refusal"]

_KEYS_HINT = (
    "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: they must be of this store, "
    "and may read and write this bucket"
)
_CLOCK_HINT = "set this machine's clock: it differs from the store's by too much"
_REGION_HINT = "set the target's `s3.region` to the region of the bucket"
_LATER_HINT = "the store is busy or broken at the moment; run again later"
_OTHER_HINT = "look the code up in the store's documentation; nothing was half-written"

_UNUSABLE = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "NoSuchBucket", "RequestTimeTooSkewed"}
    | {"SignatureDoesNotMatch", "Unauthorized"}
)
"""What is so for every object. AccessDenied is not: a policy may name some keys only."""
_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})

_STATUS = re.compile(r"status code: (\d{3}) ?([^:\n]*)")
_CODE = re.compile(r"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_UNREACHED = "error sending request"
_REDIRECTED = "Received redirect without LOCATION"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, a prefix of its keys (with its slash), and the service; no endpoint is AWS."""

    bucket: str
    prefix: str
    endpoint_url: str | None

    @property
    def label(self) -> str:
        """Name the bucket and the prefix."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def endpoint(self) -> str:
        """Name the service."""
        return self.endpoint_url or "AWS"

    def unreached(self, doing: str, why: str) -> StoreBusy:
        """Return the error for a request that got no answer."""
        hint = f"check `s3.endpoint_url` and the network; the endpoint is {self.endpoint}"
        return StoreBusy(f"{self.label}: {doing}: {why}", hint=hint)

    def lost(self, key: str) -> PreconditionFailed:
        """Return the error for a put of which the condition did not hold."""
        return PreconditionFailed(f"{self.label}/{key} is not, or is no longer, as it was read")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that says no; `status` 0 where the client did not understand it."""

    status: int
    code: str
    message: str

    @classmethod
    def of_boto3(cls, error: ClientError) -> Refusal:
        """Read what boto3 raised."""
        found = error.response.get("Error", {})
        return cls(
            error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
            found.get("Code", "unknown"),
            found.get("Message", "no message"),
        )

    @classmethod
    def of_obstore(cls, text: str) -> Refusal | None:
        """Read the text of what obstore raised; None where there was no answer at all."""
        from xml.sax.saxutils import unescape  # brings urllib along, and few are refused

        told = text.partition("\n\nDebug source:")[0]
        if _UNREACHED in told:
            return None
        if _REDIRECTED in told:
            return cls(301, "PermanentRedirect", "the bucket is in another region")
        status, code, message = (one.search(told) for one in (_STATUS, _CODE, _MESSAGE))
        return cls(
            int(status[1]) if status else 0,
            unescape(code[1]) if code else (status[1] if status else "unknown"),
            unescape(message[1]) if message else (status[2].strip() if status else "no message"),
        )

    @property
    def is_busy(self) -> bool:
        """Tell whether the same request may succeed a little later."""
        return self.status in (408, 429) or self.status >= 500

    @property
    def is_lost_condition(self) -> bool:
        """Tell whether a put was refused for its condition (AWS: 404 to IfMatch on nothing)."""
        return self.status == 412 or self.code in _LOST

    def error(self, place: Place, doing: str) -> StoreError:
        """Return the error for people; `doing` is `could not put x`."""
        kind = StoreUnusable if self.code in _UNUSABLE else StoreError
        kind = StoreBusy if self.is_busy else kind
        return kind(f"{place.label}: {doing}: {self._reason(place)}", hint=self._hint(place))

    def _reason(self, place: Place) -> str:
        if self.code == "NoSuchBucket":
            return f'there is no bucket "{place.bucket}" at {place.endpoint}'
        return f"{self.code}: {self.message} (HTTP {self.status})"

    def _hint(self, place: Place) -> str:
        if self.code == "NoSuchBucket":
            return (
                f"make it (`aws s3 mb s3://{place.bucket}`, or for R2 "
                f"`npx wrangler r2 bucket create {place.bucket}`), or correct the target"
            )
        if self.code == "RequestTimeTooSkewed":
            return _CLOCK_HINT
        if self.code in ("PermanentRedirect", "AuthorizationHeaderMalformed"):
            return _REGION_HINT
        if self.status in (401, 403):
            return _KEYS_HINT
        return _LATER_HINT if self.is_busy else _OTHER_HINT
