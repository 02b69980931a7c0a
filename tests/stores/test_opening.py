"""From a location in `exporter.yaml` to a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.stores.folder import FolderStore
from exporter.stores.opening import open_store, store_name
from exporter.stores.s3 import S3Options, S3Store

BASE = Path("/srv/content")


@pytest.mark.parametrize(
    ("location", "root"),
    [
        ("./public/memora_content", "/srv/content/public/memora_content"),
        ("public", "/srv/content/public"),
        (".", "/srv/content"),
        ("محتوى", "/srv/content/محتوى"),
        ("/var/www", "/var/www"),
        ("file:///var/www", "/var/www"),
        ("file://localhost/var/www", "/var/www"),
        ("file:///var/my%20site", "/var/my site"),
        ("FILE:///var/www", "/var/www"),
    ],
)
def test_a_folder_is_a_path_or_a_file_url(location: str, root: str) -> None:
    store = open_store(location, base=BASE, s3=None, concurrency=4)

    assert store == FolderStore(Path(root))


@pytest.mark.parametrize(
    ("location", "label"),
    [
        ("s3://memora-cdn", "s3://memora-cdn"),
        ("s3://memora-cdn/", "s3://memora-cdn"),
        ("s3://memora-state/production", "s3://memora-state/production"),
        ("s3://memora-state/production/a/", "s3://memora-state/production/a"),
    ],
)
@pytest.mark.parametrize("options", [None, S3Options("https://account.example.org")])
def test_a_bucket_is_an_s3_url(location: str, label: str, options: S3Options | None) -> None:
    store = open_store(location, base=BASE, s3=options, concurrency=4)

    assert isinstance(store, S3Store)
    assert store.label == label


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("ftp://host/x", "ftp: is no kind of store"),
        ("https://bucket.example.org", "https: is no kind of store"),
        ("file://var/www", "file://var/www is not a folder on this machine"),
        ("file:www", "file:www is not a folder on this machine"),
        ("file:///a?b", "file:///a?b is not a folder on this machine"),
        ("file://[/a", "file://[/a is not a folder on this machine"),
        ("", "a store's location is empty"),
        ("s3://", "an s3:// store has no valid bucket name"),
        ("s3:///x", "an s3:// store has no valid bucket name"),
        ("s3://AKIAKEY:hunter2@memora-cdn", "an s3:// store has no valid bucket name"),
    ],
)
def test_other_locations_are_refused(location: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_store(location, base=BASE, s3=None, concurrency=4)

    assert raised.value.message == message
    assert raised.value.hint


@pytest.mark.parametrize(
    "endpoint",
    ["account.example.org", "ftp://x", "https://", "https://AKIAKEY:hunter2@x", "https://[x", ""],
)
def test_an_endpoint_is_a_plain_address(endpoint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_store("s3://memora-cdn", base=BASE, s3=S3Options(endpoint), concurrency=4)

    assert raised.value.message == "`s3.endpoint_url` is not the address of an S3 service"
    assert "hunter2" not in raised.value.hint


@pytest.mark.parametrize(
    ("location", "endpoint", "name"),
    [
        ("./public/../cdn/", None, "cdn"),
        ("file:///srv/site/cdn", None, "cdn"),
        ("../cdn", None, "/srv/cdn"),
        ("/mnt/cdn", None, "/mnt/cdn"),
        ("s3://bucket/a/b/", None, "s3://bucket/a/b"),
        ("s3://bucket", "https://s3.eu-central-1.amazonaws.com", "s3://bucket"),
        ("s3://bucket/a", "https://S3.example.org:9000/x", "s3://bucket/a at s3.example.org"),
    ],
)
def test_a_store_has_a_name_that_lasts(location: str, endpoint: str | None, name: str) -> None:
    assert store_name(location, base=Path("/srv/site"), endpoint_url=endpoint) == name
