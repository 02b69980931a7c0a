"""The servers that other tests rely on are there, private, and as strict as the real ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
from botocore.exceptions import ClientError

from tests.servers import MariaDBDatabase, S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def s3_client(s3_server: S3Server) -> Iterator[S3Client]:
    with closing(s3_server.client()) as client:
        yield client


def status_of(failure: ClientError) -> int:
    return failure.response["ResponseMetadata"]["HTTPStatusCode"]


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sqlalchemy.text(question))
        return [tuple(row) for row in result] if result.returns_rows else []


def test_mariadb_answers_on_its_socket(mariadb_database: MariaDBDatabase) -> None:
    assert ask(mariadb_database.url, "SELECT 1") == [(1,)]


def test_a_fresh_database_is_empty_and_has_frappes_collation(
    mariadb_database: MariaDBDatabase,
) -> None:
    collation = "SELECT @@character_set_database, @@collation_database"
    assert ask(mariadb_database.url, "SHOW TABLES") == []
    assert ask(mariadb_database.url, collation) == [("utf8mb4", "utf8mb4_unicode_ci")]


def test_the_reader_can_read_over_tcp_and_cannot_write(mariadb_database: MariaDBDatabase) -> None:
    ask(mariadb_database.url, "CREATE TABLE word (text VARCHAR(140))")
    ask(mariadb_database.url, "INSERT INTO word VALUES ('متغير 🧮')")
    assert ask(mariadb_database.tcp_url, "SELECT text FROM word") == [("متغير 🧮",)]
    with pytest.raises(sqlalchemy.exc.OperationalError, match="command denied"):
        ask(mariadb_database.tcp_url, "DELETE FROM word")


def test_a_wrong_database_password_is_refused(mariadb_database: MariaDBDatabase) -> None:
    wrong = mariadb_database.tcp_url.replace(mariadb_database.server.password, "wrong-horse")
    with pytest.raises(sqlalchemy.exc.OperationalError, match="Access denied"):
        ask(wrong, "SELECT 1")


def test_s3_stores_what_it_is_given_with_its_attributes(
    s3_client: S3Client, s3_bucket: str
) -> None:
    s3_client.put_object(
        Bucket=s3_bucket,
        Key="plans/الصف 12%2F/manifest.json",
        Body=b"{}",
        ContentType="application/json",
        CacheControl="max-age=60",
        Metadata={"sha256": "44136fa3"},
    )
    found = s3_client.get_object(Bucket=s3_bucket, Key="plans/الصف 12%2F/manifest.json")
    attributes = (found["ContentType"], found["CacheControl"], found["Metadata"])
    assert found["Body"].read() == b"{}"
    assert attributes == ("application/json", "max-age=60", {"sha256": "44136fa3"})


def test_s3_refuses_to_create_what_exists(s3_client: S3Client, s3_bucket: str) -> None:
    s3_client.put_object(Bucket=s3_bucket, Key="head", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as failure:
        s3_client.put_object(Bucket=s3_bucket, Key="head", Body=b"2", IfNoneMatch="*")
    assert status_of(failure.value) == 412


def test_s3_refuses_to_replace_what_changed_meanwhile(s3_client: S3Client, s3_bucket: str) -> None:
    read = s3_client.put_object(Bucket=s3_bucket, Key="head", Body=b"1")["ETag"]
    s3_client.put_object(Bucket=s3_bucket, Key="head", Body=b"2", IfMatch=read)
    with pytest.raises(ClientError) as failure:
        s3_client.put_object(Bucket=s3_bucket, Key="head", Body=b"3", IfMatch=read)
    assert status_of(failure.value) == 412
    assert s3_client.get_object(Bucket=s3_bucket, Key="head")["Body"].read() == b"2"


def test_s3_counts_what_it_answers(
    s3_server: S3Server, s3_bucket: str, s3_client: S3Client
) -> None:
    before = s3_server.requests()
    s3_client.put_object(Bucket=s3_bucket, Key="counted", Body=b"1")
    with pytest.raises(ClientError):
        s3_client.get_object(Bucket=s3_bucket, Key="not there")
    assert s3_server.requests() - before == 2


def test_s3_refuses_a_wrong_secret(s3_server: S3Server, s3_bucket: str) -> None:
    stranger = S3Server(endpoint_url=s3_server.endpoint_url, secret_key="wrong")
    with closing(stranger.client()) as client, pytest.raises(ClientError) as failure:
        client.list_objects_v2(Bucket=s3_bucket)
    assert status_of(failure.value) == 403


def test_the_developers_settings_and_credentials_are_out_of_reach() -> None:
    seen = [name for name in os.environ if name.startswith(("AWS_", "EXPORTER_", "GITHUB_"))]
    assert seen == []
    assert "CI" not in os.environ
