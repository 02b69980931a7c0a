"""From a location as it is written in `exporter.yaml` to the store behind it (spec 5, spec 6).

    s3://bucket/prefix     a bucket of any S3 API
    file:///srv/content    a folder
    ./public               a folder, from where `exporter.yaml` is

Nothing is read, written or connected to yet.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from exporter.errors import ConfigError
from exporter.stores.base import ObjectStore
from exporter.stores.folder import FolderStore
from exporter.stores.s3 import S3Options, S3Store

__all__ = ["open_store", "store_name"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_FORMS = "a store is s3://bucket/prefix, file:///folder or a folder's path"


def open_store(location: str, *, base: Path, s3: S3Options | None, concurrency: int) -> ObjectStore:
    """Return the store at a location; `base` is the folder where relative paths start.

    Raises:
        ConfigError: the location or the endpoint is none that a store can have.
    """
    scheme = _SCHEME.match(location)
    match scheme.group().lower() if scheme else "":
        case "s3":
            return _bucket(location, s3 or S3Options(), concurrency)
        case "file":
            return FolderStore(_file_path(location))
        case "":
            return FolderStore(base / _not_empty(location))
        case other:
            raise ConfigError(f"{other}: is no kind of store", hint=_FORMS)


def store_name(location: str, *, base: Path, endpoint_url: str | None = None) -> str:
    """Return the name by which a release record knows the store at a location.

    It is the same on every machine where that can be: a folder inside `base` is named from there,
    a bucket with the host of its service, unless that is AWS.

    Raises:
        ConfigError: the location is none that a store can have.
    """
    store = open_store(location, base=base, s3=S3Options(endpoint_url), concurrency=1)
    if isinstance(store, FolderStore):
        folder, root = (Path(os.path.normpath(path)) for path in (store.root, base))
        return (folder.relative_to(root) if folder.is_relative_to(root) else folder).as_posix()
    host = _split(endpoint_url or "").hostname or ""
    is_aws = not host or host.endswith(".amazonaws.com")
    return store.label if is_aws else f"{store.label} at {host}"


def _bucket(location: str, options: S3Options, concurrency: int) -> S3Store:
    bucket, _, prefix = location[len("s3:") :].removeprefix("//").partition("/")
    if not _BUCKET.fullmatch(bucket):
        # Not shown: people put keys there, as in s3://KEY:SECRET@bucket.
        raise ConfigError(
            "an s3:// store has no valid bucket name",
            hint="write s3://bucket/prefix; keys go into AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, the host into `s3.endpoint_url`",
        )
    _check_endpoint(options.endpoint_url)
    return S3Store(bucket, prefix.strip("/"), options, concurrency)


def _check_endpoint(endpoint_url: str | None) -> None:
    if endpoint_url is None:
        return
    url = _split(endpoint_url)
    if url.scheme not in ("http", "https") or not url.netloc or "@" in url.netloc:
        raise ConfigError(
            "`s3.endpoint_url` is not the address of an S3 service",
            hint="write https://host without user and password; keys go into AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY",
        )


def _file_path(location: str) -> Path:
    url = _split(location)
    path = unquote(url.path)
    if url.netloc not in ("", "localhost") or not path.startswith("/") or url.query or url.fragment:
        raise ConfigError(f"{location} is not a folder on this machine", hint=_FORMS)
    return Path(path)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _not_empty(location: str) -> str:
    if not location.strip():
        raise ConfigError("a store's location is empty", hint=_FORMS)
    return location
