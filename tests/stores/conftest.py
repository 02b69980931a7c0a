"""The stores that the contract is run over."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.stores.base import ObjectStore
from exporter.stores.folder import FolderStore
from exporter.stores.s3 import S3Options, S3Store
from tests.servers import S3Server
from tests.stores.memory import MemoryStore


@pytest.fixture
def s3_keys(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Put the server's keys where a user would, and return the server."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    return s3_server


@pytest.fixture
def s3_store(s3_keys: S3Server, s3_bucket: str) -> S3Store:
    return S3Store(s3_bucket, "below/here", S3Options(s3_keys.endpoint_url), concurrency=16)


@pytest.fixture
def reference_store(s3_keys: S3Server, s3_bucket: str) -> S3Store:
    """The same place, by boto3 alone."""
    options = S3Options(s3_keys.endpoint_url, reference=True)
    return S3Store(s3_bucket, "below/here", options, concurrency=16)


@pytest.fixture(params=["memory", "folder", "s3", "s3 by boto3 alone"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    match request.param:
        case "memory":
            return MemoryStore()
        case "folder":
            return FolderStore(tmp_path / "root")
        case other:
            name = "s3_store" if other == "s3" else "reference_store"
            found = request.getfixturevalue(name)
            assert isinstance(found, S3Store)
            return found
