"""How a bucket is reached: with which keys, at which endpoint, over which limits, trusting whom.

Two clients ask one bucket. boto3 knows every way in which keys and settings are given, and takes
0.4 s to be imported and to read what S3 is. obstore is told. Where the environment holds the keys,
and nothing that only boto3 reads could say otherwise, it is told from there
(`connection_in`), and a command may need no boto3 at all; else what boto3 found (`connection_of`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.session import Session as CoreSession
    from mypy_boto3_s3 import S3Client
    from obstore.store import ClientConfig, RetryConfig, S3Credential, S3Store

    from exporter.stores.base import Attributes

__all__ = [
    "Connection",
    "S3Options",
    "client_of",
    "connection_in",
    "connection_of",
    "open_bucket",
    "sent_headers",
]

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
KEYS_KEPT = timedelta(minutes=10)
"""obstore asks for keys again five minutes before; botocore renews them ten before they end."""

_KEY = re.compile(r"[\x21-\x7e]+")
_NO_REGION = "aws-global"
"""What boto3 calls AWS without a region: it follows redirects to the right one, obstore cannot."""
_BOTO3_ALONE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
)
"""Where one of these is set, more than the plain variables decides on keys."""
_FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}


@dataclass(frozen=True, slots=True)
class S3Options:
    """How a bucket is reached; without `endpoint_url` it is AWS's own, which knows no `auto`."""

    endpoint_url: str | None = None
    region: str = "auto"
    attempts: int = 10
    """Tries of one request, the first included."""
    reference: bool = False
    """Ask through boto3 alone: ten times slower, and what the fast way is compared with."""
    connect_timeout_s: int = CONNECT_TIMEOUT_S
    read_timeout_s: int = READ_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Connection:
    """What obstore is told."""

    endpoint_url: str
    region: str
    keys: Callable[[], S3Credential]
    authorities: bytes
    """Certificates as PEM, trusted besides the system's own; empty for no more."""
    connect_timeout: timedelta
    read_timeout: timedelta


def connection_in(environ: Mapping[str, str], options: S3Options) -> Connection | None:
    """Return how the environment says that a bucket is reached; None where boto3 is to say it.

    Raises:
        ConfigError: the keys are none.
        StoreError: the certificates that it names cannot be read.
    """
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not (options.endpoint_url and key and secret) or _is_for_boto3(environ):
        return None
    token = environ.get("AWS_SESSION_TOKEN") or None
    _refuse_unsound(key, secret, token)

    def keys() -> S3Credential:
        return {
            "access_key_id": key,
            "secret_access_key": secret,
            "token": token,
            "expires_at": None,
        }

    authorities = _authorities(environ.get("AWS_CA_BUNDLE"), environ)
    return Connection(options.endpoint_url, options.region, keys, authorities, *_timeouts(options))


def connection_of(
    core: CoreSession, session: Session, client: S3Client, options: S3Options
) -> Connection | None:
    """Return how boto3 reaches a bucket; None where obstore cannot do the same.

    Raises:
        StoreError: the certificates that it is told to trust cannot be read.
        BotoCoreError: there are no keys.
    """
    if client.meta.region_name == _NO_REGION:
        return None
    if session.get_credentials() is None:
        from botocore.exceptions import NoCredentialsError

        raise NoCredentialsError
    from obstore.auth.boto3 import Boto3CredentialProvider

    keys = Boto3CredentialProvider(session, ttl=KEYS_KEPT)
    authorities = _authorities(core.get_config_variable("ca_bundle"), os.environ)
    meta = client.meta
    return Connection(meta.endpoint_url, meta.region_name, keys, authorities, *_timeouts(options))


def open_bucket(
    bucket: str, connection: Connection, retries: RetryConfig, limits: ClientConfig
) -> S3Store:
    """Return obstore's store for a bucket."""
    from obstore.store import S3Store

    config: ClientConfig = {
        "allow_http": True,
        "connect_timeout": connection.connect_timeout,
        **limits,
    }
    if connection.authorities:
        config["root_certificate"] = connection.authorities
    return S3Store(
        bucket,
        endpoint=connection.endpoint_url,
        region=connection.region,
        virtual_hosted_style_request=False,
        credential_provider=connection.keys,
        client_options=config,
        retry_config=retries,
    )


def sent_headers(attributes: Attributes) -> dict[str, str]:
    """Return attributes as obstore takes them."""
    headers = {"Content-Type": attributes.content_type, **attributes.metadata}
    if attributes.cache_control:
        headers["Cache-Control"] = attributes.cache_control
    return headers


def client_of(session: Session, options: S3Options, concurrency: int) -> S3Client:
    """Make boto3's client with the settings of spec 7; no request is made yet.

    Raises:
        ConfigError: the keys are none.
    """
    from botocore.config import Config
    from botocore.handlers import add_expect_header

    if keys := session.get_credentials():
        _refuse_unsound(*keys.get_frozen_credentials())
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


def _refuse_unsound(*keys: str | None) -> None:
    """Refuse keys that no header can carry: the errors of HTTP clients show them, or are panics."""
    if not all(map(_KEY.fullmatch, filter(None, keys))):
        raise ConfigError(
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN holds characters that "
            "no key has",
            hint="look for a blank or a line break around it in the environment variable",
        )


def _is_for_boto3(environ: Mapping[str, str]) -> bool:
    """Tell whether something is set that only boto3 knows how to read."""
    if any(environ.get(name) for name in _BOTO3_ALONE):
        return True
    paths = (Path(environ.get(name) or usual).expanduser() for name, usual in _FILES.items())
    return any(_tells_whom_to_trust(path) for path in paths)


def _tells_whom_to_trust(path: Path) -> bool:
    """Tell whether a file of AWS's settings may say more than keys that the environment has."""
    try:
        return b"ca_bundle" in path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _authorities(setting: str | None, environ: Mapping[str, str]) -> bytes:
    """Return the certificates that are trusted besides the usual ones, as PEM.

    boto3 takes those of `REQUESTS_CA_BUNDLE` where its own setting (`AWS_CA_BUNDLE`) names none.

    Raises:
        StoreError: the file cannot be read.
    """
    path = setting or environ.get("REQUESTS_CA_BUNDLE")
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StoreError(
            f"the certificates in {path} cannot be read: {error.strerror}",
            hint="correct or unset AWS_CA_BUNDLE (or `ca_bundle` in AWS's configuration)",
        ) from error


def _timeouts(options: S3Options) -> tuple[timedelta, timedelta]:
    return timedelta(seconds=options.connect_timeout_s), timedelta(seconds=options.read_timeout_s)
