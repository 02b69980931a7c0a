"""Presigned GET URLs for objects in private buckets, by boto3 with Signature Version 4 (spec 4).

The keys come from the environment and nowhere else: `MEDIA_AWS_ACCESS_KEY_ID` and
`MEDIA_AWS_SECRET_ACCESS_KEY` (with `MEDIA_AWS_SESSION_TOKEN` where there is one), else the stores'
own `AWS_…`. Nothing is requested over the network; a URL is arithmetic.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.config import Secret
from exporter.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["Presigner", "SigningKeys", "signing_keys"]


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The account in whose name media URLs are signed."""

    access_key: str
    secret_key: Secret
    session_token: Secret | None = None


def signing_keys(environ: Mapping[str, str]) -> SigningKeys:
    """Return the keys to sign with: `MEDIA_AWS_…`, or the stores' own `AWS_…`.

    Raises:
        ConfigError: there are none, or only one of two.
    """
    for start in ("MEDIA_AWS", "AWS"):
        names = (f"{start}_ACCESS_KEY_ID", f"{start}_SECRET_ACCESS_KEY")
        access_key, secret_key = (environ.get(name, "") for name in names)
        token = environ.get(f"{start}_SESSION_TOKEN", "")
        if access_key and secret_key:
            return SigningKeys(access_key, Secret(secret_key), Secret(token) if token else None)
        if access_key or secret_key:
            missing = names[1] if access_key else names[0]
            raise ConfigError(
                f"media URLs cannot be signed: {missing} is not set",
                hint=f"set both {names[0]} and {names[1]} in the environment",
            )
    raise ConfigError(
        "`media.signed` asks for signed URLs, but there are no keys to sign with",
        hint="set MEDIA_AWS_ACCESS_KEY_ID and MEDIA_AWS_SECRET_ACCESS_KEY (read access to the "
        "media buckets is enough) in the environment",
    )


class Presigner:
    """Makes presigned GET URLs. It asks for its keys when it signs for the first time."""

    def __init__(
        self, keys: Callable[[], SigningKeys], endpoint_url: str | None, region: str
    ) -> None:
        """Sign for objects behind an endpoint; None is AWS's own."""
        self._keys = keys
        self._endpoint_url = endpoint_url
        self._region = region
        self._connecting = threading.Lock()
        self._connected: S3Client | None = None

    def url(self, bucket: str, key: str, expires_s: int) -> str:
        """Return a URL that opens an object for so many seconds from now.

        Raises:
            ConfigError: there are no keys to sign with.
            StoreError: boto3 cannot sign for this endpoint.
        """
        from botocore.exceptions import BotoCoreError

        try:
            return self._client().generate_presigned_url(
                "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=expires_s
            )
        except BotoCoreError as error:
            raise StoreError(
                f"could not sign a URL of bucket {bucket}: {error}",
                hint="check the target's `s3` and `media.signed` in exporter.yaml",
            ) from error

    def _client(self) -> S3Client:
        with self._connecting:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def _connect(self) -> S3Client:
        from boto3.session import Session
        from botocore.config import Config

        keys = self._keys()
        automatic = self._endpoint_url is None and self._region == "auto"
        session = Session(
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key.reveal(),
            aws_session_token=keys.session_token.reveal() if keys.session_token else None,
            region_name=None if automatic else self._region,
        )
        config: Config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
        return session.client("s3", endpoint_url=self._endpoint_url, config=config)
