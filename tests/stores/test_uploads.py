"""Uploads by obstore and by boto3 alone are the same: objects, headers, errors; and none leaks."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import StoreBusy, StoreError
from exporter.stores.base import Attributes
from exporter.stores.s3 import S3Options, S3Store
from exporter.stores.uploads import takes
from tests.servers import S3Server
from tests.stores.bad_network import Answer, BadNetwork, Request, bad_network, s3_error
from tests.stores.test_contract import HARD_KEYS
from tests.stores.tls_front import tls_front

JSON = Attributes(
    "application/json; charset=utf-8", "max-age=300", {"commit": "3f2a1bc9", "sha256": "00ff"}
)
HELL = (
    *HARD_KEYS,
    ".hidden",
    "a/.b/..c",
    "100%",
    "%zz",
    'a^`|<>"[]{}',
    "e\u0301",
    "é",
    "x" * 200,
)
"""Keys that some client somewhere writes in another way."""


@pytest.fixture
def network(s3_keys: S3Server) -> Iterator[BadNetwork]:
    with bad_network(s3_keys.endpoint_url) as network:
        yield network


def both(endpoint_url: str, bucket: str, attempts: int = 1) -> tuple[S3Store, S3Store]:
    """The store as it is used, and the one that puts by boto3 alone."""
    fast, slow = (
        S3Store(bucket, "p", S3Options(endpoint_url, attempts=attempts, reference=only), 8)
        for only in (False, True)
    )
    return fast, slow


def stored(server: S3Server, bucket: str) -> dict[str, Any]:
    """Every object as the server has it: all headers but the times."""
    with closing(server.client()) as client:
        found = {}
        for item in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            answer = client.get_object(Bucket=bucket, Key=item["Key"])
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            kept = {
                name: value
                for name, value in headers.items()
                if name not in ("date", "last-modified", "x-amz-request-id", "x-amz-id-2")
            }
            found[item["Key"]] = (answer["Body"].read(), kept)
        return found


def test_both_ways_store_the_same_objects_under_the_same_keys(
    s3_keys: S3Server, s3_bucket: str
) -> None:
    fast, slow = both(s3_keys.endpoint_url, s3_bucket)
    big = b"x" * 6_000_000
    kinds = (JSON, Attributes(), Attributes("text/plain", "no-store", {}))
    results = []
    for one in (fast, slow):
        etags = [one.put(key, key.encode(), JSON) for key in HELL]
        etags += [one.put(f"kind/{n}", b"{}", kind) for n, kind in enumerate(kinds)]
        etags.append(one.put("big", big, JSON))
        results.append((etags, stored(s3_keys, s3_bucket)))
        one.delete([info.key for info in one.list()])
    assert results[0] == results[1]
    assert set(results[0][1]) == {
        f"p/{key}" for key in (*HELL, *(f"kind/{n}" for n in range(len(kinds))), "big")
    }
    served = results[0][1]["p/lessons/日本語.json"][1]
    assert {name: served[name] for name in ("content-type", "cache-control")} == {
        "content-type": "application/json; charset=utf-8",
        "cache-control": "max-age=300",
    }
    assert {name: value for name, value in served.items() if name.startswith("x-amz-meta-")} == {
        "x-amz-meta-commit": "3f2a1bc9",
        "x-amz-meta-sha256": "00ff",
    }


SEGMENTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="/"),
    min_size=1,
    max_size=12,
).filter(lambda segment: segment not in (".", ".."))


def test_any_key_is_asked_for_under_the_same_path(network: BadNetwork, s3_bucket: str) -> None:
    network.spoil = lambda _: s3_error(403, "AccessDenied")
    stores = both(network.endpoint_url, s3_bucket)

    @settings(max_examples=100)
    @given(key=st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join))
    def check(key: str) -> None:
        assert takes(key)
        for one in stores:
            with pytest.raises(StoreError):
                one.put(key, b"", JSON)
        assert network.seen[-1].path == network.seen[-2].path

    check()


@pytest.mark.parametrize("key", ["/a", "a/", "a//b", ".", "a/..", "../a", "a/./b", "a\nb", ""])
def test_keys_that_obstore_would_change_or_refuse_are_left_to_boto3(key: str) -> None:
    assert not takes(key)


def test_a_large_object_is_one_put(network: BadNetwork, s3_bucket: str) -> None:
    fast, _ = both(network.endpoint_url, s3_bucket)
    fast.put("big", b"x" * 12_000_000, JSON)
    assert [request.method for request in network.seen] == ["PUT"]


def test_so_many_at_once_as_asked_for_over_one_pool_of_connections(
    network: BadNetwork, s3_bucket: str
) -> None:
    fast, _ = both(network.endpoint_url, s3_bucket)
    under_way: list[int] = []
    counting, now = threading.Lock(), [0]

    def count(_: Request) -> None:
        with counting:
            now[0] += 1
            under_way.append(now[0])
        threading.Event().wait(0.002)
        with counting:
            now[0] -= 1

    network.spoil = count
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: fast.put(f"{n}.json", b"{}", JSON), range(200)))
    assert len(network.seen) == 200
    assert 2 <= max(under_way) <= 8
    assert len(network.clients) <= 2 * 8


REFUSALS = [
    s3_error(400, "EntityTooLarge"),
    s3_error(400, "AuthorizationHeaderMalformed"),
    s3_error(401, "Unauthorized"),
    s3_error(403, "AccessDenied"),
    s3_error(403, "InvalidAccessKeyId"),
    s3_error(403, "RequestTimeTooSkewed"),
    s3_error(403, "SignatureDoesNotMatch", "a &lt;b&gt; &amp; c"),
    s3_error(404, "NoSuchBucket"),
    s3_error(409, "ConditionalRequestConflict"),
    s3_error(412, "PreconditionFailed"),
    s3_error(429, "TooManyRequests"),
    s3_error(500, "InternalError"),
    s3_error(503, "SlowDown"),
    Answer(502, b"<html>Bad Gateway</html>"),
    Answer(403, b""),
]


@pytest.mark.parametrize("answer", REFUSALS, ids=lambda one: f"{one.status}-{len(one.body)}")
def test_a_refusal_is_the_same_error_by_either_way(
    answer: Answer, network: BadNetwork, s3_bucket: str
) -> None:
    network.spoil = lambda _: answer
    found = []
    for one in both(network.endpoint_url, s3_bucket):
        with pytest.raises(StoreError) as raised:
            one.put("x y.json", b"{}", JSON)
        found.append((type(raised.value), raised.value.message, raised.value.hint))
    if answer.body.startswith(b"<?xml"):
        assert found[0] == found[1]
    else:
        kind, message, hint = found[0]
        assert (kind, hint) == (found[1][0], found[1][2])
        assert f"(HTTP {answer.status})" in message


def test_a_store_that_nobody_answers_for_is_busy_by_either_way(s3_keys: S3Server) -> None:
    assert s3_keys.access_key
    found = []
    for one in both("http://127.0.0.1:9", "bucket"):
        with pytest.raises(StoreBusy) as raised:
            one.put("x", b"", JSON)
        assert raised.value.message.startswith("s3://bucket/p: could not put x: ")
        found.append(raised.value.hint)
    assert found[0] == found[1]
    assert "http://127.0.0.1:9" in found[0]


def test_missing_keys_are_the_same_error_by_either_way(
    s3_keys: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    found = []
    for one in both(s3_keys.endpoint_url, s3_bucket):
        with pytest.raises(StoreError) as raised:
            one.put("x", b"", JSON)
        found.append((raised.value.message, raised.value.hint))
    assert found[0] == found[1]
    assert found[0][1] == "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def test_what_a_service_tells_of_keys_and_signatures_is_in_no_traceback(
    network: BadNetwork, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS answers a wrong signature with the access key and the string that was signed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPLANTED")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-planted-secret")
    body = s3_error(403, "SignatureDoesNotMatch").body.replace(
        b"</Error>",
        b"<AWSAccessKeyId>AKIAPLANTED</AWSAccessKeyId><StringToSign>x</StringToSign></Error>",
    )
    network.spoil = lambda _: Answer(403, body)
    fast, _ = both(network.endpoint_url, s3_bucket)
    try:
        fast.put("x", b"", JSON)
    except StoreError:
        shown = traceback.format_exc()
    assert "SignatureDoesNotMatch" in shown
    for secret in ("AKIAPLANTED", "a-planted-secret", "StringToSign"):
        assert secret not in shown
    assert "a-planted-secret" not in repr(vars(fast))


def test_one_in_seven_requests_failing_loses_nothing(network: BadNetwork, s3_bucket: str) -> None:
    fast, _ = both(network.endpoint_url, s3_bucket, attempts=10)
    spoils = {0: s3_error(503, "SlowDown"), 1: s3_error(429, "TooManyRequests"), 2: Answer()}
    network.spoil = lambda request: spoils.get(request.number % 20)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: fast.put(f"{n:03}", str(n).encode(), JSON), range(200)))
    network.spoil = lambda _: None
    assert [info.key for info in fast.list()] == [f"{n:03}" for n in range(200)]
    assert len(network.seen) > 220


def test_the_keys_come_from_where_boto3_looks_for_them(
    s3_keys: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A profile's file serves uploads too; obstore alone would not read it."""
    secrets = f"aws_access_key_id = {s3_keys.access_key}\naws_secret_access_key = "
    (tmp_path / "credentials").write_text(f"[press]\n{secrets}{s3_keys.secret_key}\n", "utf-8")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "press")
    fast, _ = both(s3_keys.endpoint_url, s3_bucket)
    fast.put("x", b"1", JSON)
    assert [info.key for info in fast.list()] == ["x"]
    assert "AWS_ACCESS_KEY_ID" not in os.environ


def test_an_authority_that_boto3_is_told_of_is_trusted_by_uploads(
    s3_keys: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with tls_front(s3_keys.endpoint_url, tmp_path) as (endpoint_url, authority):
        fast, slow = both(endpoint_url, s3_bucket)
        for one in (fast, slow):
            with pytest.raises(StoreError, match="could not put x"):
                one.put("x", b"0", JSON)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
        fast, slow = both(endpoint_url, s3_bucket)
        assert fast.put("x", b"1", JSON) == slow.put("y", b"1", JSON)
        assert [info.key for info in fast.list()] == ["x", "y"]
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
        fast, _ = both(endpoint_url, s3_bucket)
        with pytest.raises(StoreError, match=r"nowhere\.pem"):
            fast.put("x", b"2", JSON)
