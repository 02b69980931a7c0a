"""What is particular to S3: headers, lost answers, refused batches, errors, cheap imports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from urllib.request import urlopen

import pytest

from exporter.errors import ConfigError, ExporterError, StoreError
from exporter.stores.base import Attributes, IfAbsent, IfMatch, PreconditionFailed
from exporter.stores.s3 import S3Options, S3Store
from tests.servers import S3Server
from tests.stores.bad_network import (
    LOST_AFTER_THE_EFFECT,
    Answer,
    BadNetwork,
    bad_network,
    s3_error,
)

PLAIN = Attributes()
JSON = Attributes(
    content_type="application/json; charset=utf-8",
    cache_control="max-age=60",
    metadata={"commit": "3f2a1bc9", "sha256": "00ff"},
)


@pytest.fixture
def network(s3_keys: S3Server) -> Iterator[BadNetwork]:
    with bad_network(s3_keys.endpoint_url) as network:
        yield network


@pytest.fixture
def spoilt(network: BadNetwork, s3_bucket: str) -> S3Store:
    """A store whose requests go through the bad network."""
    return S3Store(s3_bucket, "", S3Options(network.endpoint_url), concurrency=8)


def names(store: S3Store) -> list[str]:
    return [info.key for info in store.list()]


def failure(store: S3Store, operation: str = "get") -> StoreError:
    with pytest.raises(StoreError) as raised:
        store.put("x", b"", PLAIN) if operation == "put" else store.get("x")
    return raised.value


def test_attributes_are_served_over_http(
    s3_store: S3Store, s3_keys: S3Server, s3_bucket: str
) -> None:
    s3_store.put("plans/خطة 12/manifest.json", b"{}", JSON)
    with closing(s3_keys.client()) as client:
        url = client.generate_presigned_url(
            "get_object",
            {"Bucket": s3_bucket, "Key": "below/here/plans/خطة 12/manifest.json"},
        )

    with urlopen(url) as answer:  # noqa: S310 (the loopback)
        served = {name.lower(): value for name, value in answer.headers.items()}
        body = answer.read()
    wanted = ("content-type", "cache-control", "x-amz-meta-commit", "x-amz-meta-sha256")
    assert body == b"{}"
    assert {name: served.get(name) for name in wanted} == {
        "content-type": "application/json; charset=utf-8",
        "cache-control": "max-age=60",
        "x-amz-meta-commit": "3f2a1bc9",
        "x-amz-meta-sha256": "00ff",
    }


@pytest.mark.parametrize("operation", ["get", "put", "list"])
@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
def test_a_key_with_a_line_break_is_refused_and_not_shown(
    s3_keys: S3Server, monkeypatch: pytest.MonkeyPatch, name: str, operation: str
) -> None:
    """Such as one that was pasted into a secret with the end of its line."""
    monkeypatch.setenv(name, "a-planted-key\n")
    store = S3Store("bucket", "", S3Options(s3_keys.endpoint_url, attempts=1), concurrency=1)
    asks: dict[str, Callable[[], object]] = {
        "get": partial(store.get, "x"),
        "put": partial(store.put, "x", b"", PLAIN),
        "list": partial(names, store),
    }
    with pytest.raises(ConfigError, match="holds characters that no key has") as caught:
        asks[operation]()
    assert "planted" not in f"{caught.value} {caught.value.hint}"


def test_keys_lie_below_the_prefix_and_others_are_not_seen(
    s3_store: S3Store, s3_keys: S3Server, s3_bucket: str
) -> None:
    above = S3Store(s3_bucket, "", S3Options(s3_keys.endpoint_url), concurrency=1)
    above.put("below/hereafter.json", b"", PLAIN)
    s3_store.put("x.json", b"", PLAIN)

    assert names(above) == ["below/here/x.json", "below/hereafter.json"]
    assert names(s3_store) == ["x.json"]
    assert (above.label, s3_store.label) == (
        f"s3://{s3_bucket}",
        f"s3://{s3_bucket}/below/here",
    )


def test_a_put_sends_no_expect_header_and_no_checksum(spoilt: S3Store, network: BadNetwork) -> None:
    spoilt.put("x.json", b"{}", JSON)

    sent = {name.lower() for name in network.headers[-1]}
    assert "authorization" in sent
    assert not {name for name in sent if name == "expect" or "checksum" in name or "crc" in name}


def test_metadata_that_headers_cannot_carry_is_a_bug_of_the_caller(s3_store: S3Store) -> None:
    with pytest.raises(ValueError, match="metadata must be ASCII"):
        s3_store.put("x", b"", Attributes(metadata={"title": "الصف"}))


def test_busy_answers_are_asked_again(spoilt: S3Store, network: BadNetwork) -> None:
    spoils = {1: s3_error(503, "SlowDown"), 2: s3_error(429, "TooManyRequests"), 3: Answer()}
    network.spoil = lambda request: spoils.get(request.number)
    spoilt.put("x.json", b"{}", JSON)

    assert [request.method for request in network.seen] == ["PUT"] * 4
    assert names(spoilt) == ["x.json"]


@pytest.mark.parametrize("condition", [IfAbsent(), IfMatch("")])
def test_a_conditional_put_whose_answer_was_lost_is_known_as_done(
    spoilt: S3Store, network: BadNetwork, condition: IfAbsent | IfMatch
) -> None:
    if isinstance(condition, IfMatch):
        condition = IfMatch(spoilt.put("head.json", b"before", JSON))
    first = len(network.seen) + 1
    network.spoil = lambda request: LOST_AFTER_THE_EFFECT if request.number == first else None
    etag = spoilt.put("head.json", b"mine", JSON, condition)

    held = spoilt.get("head.json")
    assert held is not None
    assert (held.body, held.info.etag) == (b"mine", etag)


def test_a_conditional_put_that_lost_after_a_lost_answer_is_lost(
    spoilt: S3Store, network: BadNetwork
) -> None:
    spoilt.put("head.json", b"another's", JSON)
    network.spoil = lambda request: Answer() if request.number == 2 else None
    with pytest.raises(PreconditionFailed):
        spoilt.put("head.json", b"mine", JSON, IfAbsent())


CONDITIONS: tuple[IfAbsent | IfMatch, ...] = (IfAbsent(), IfMatch("00"))


def both(endpoint_url: str, bucket: str, attempts: int = 1) -> tuple[S3Store, S3Store]:
    """The store as it is used, and the one that asks by boto3 alone."""
    fast, slow = (
        S3Store(bucket, "p", S3Options(endpoint_url, attempts=attempts, reference=only), 4)
        for only in (False, True)
    )
    return fast, slow


ANSWERS = [
    s3_error(400, "AuthorizationHeaderMalformed"),
    s3_error(403, "AccessDenied"),
    s3_error(403, "RequestTimeTooSkewed"),
    s3_error(404, "NoSuchBucket"),
    s3_error(404, "NoSuchKey"),
    s3_error(404, "Odd"),
    s3_error(409, "ConditionalRequestConflict"),
    s3_error(412, "PreconditionFailed"),
    s3_error(429, "TooManyRequests"),
    s3_error(503, "SlowDown"),
    Answer(404, b""),
    Answer(412, b""),
    Answer(502, b"<html>Bad Gateway</html>"),
    Answer(),
]


def test_every_answer_means_the_same_by_either_way(network: BadNetwork, s3_bucket: str) -> None:
    def asked(store: S3Store, answer: Answer, condition: IfAbsent | IfMatch | None) -> object:
        network.spoil = lambda _: answer
        try:
            if condition is None:
                return store.get("x y.json")
            return store.put("x y.json", b"{}", JSON, condition)
        except ExporterError as error:
            return type(error), error.message, error.hint

    fast, slow = both(network.endpoint_url, s3_bucket)
    for answer in ANSWERS:
        for condition in (None, *CONDITIONS):
            wanted = asked(slow, answer, condition)
            assert asked(fast, answer, condition) == wanted, (answer, condition)
            assert wanted is None or isinstance(wanted, tuple)


def test_a_get_without_a_clear_answer_is_asked_for_again(
    network: BadNetwork, s3_bucket: str
) -> None:
    fast, _ = both(network.endpoint_url, s3_bucket, attempts=10)
    etag = fast.put("x", b"whole", JSON)
    spoils = {2: s3_error(503, "SlowDown"), 3: s3_error(500, "InternalError"), 4: Answer()}
    network.spoil = lambda request: spoils.get(request.number)

    held = fast.get("x")
    assert held is not None
    assert (held.body, held.info.etag, held.info.attributes) == (b"whole", etag, JSON)
    assert len(network.seen) == 5


def test_equal_bytes_of_another_are_not_ours(spoilt: S3Store) -> None:
    spoilt.put("lease.json", b"same", JSON)
    with pytest.raises(PreconditionFailed):
        spoilt.put("lease.json", b"same", JSON, IfAbsent())


def test_a_conflict_between_conditional_puts_is_a_lost_one(
    spoilt: S3Store, network: BadNetwork
) -> None:
    network.spoil = lambda _: s3_error(409, "ConditionalRequestConflict")
    with pytest.raises(PreconditionFailed) as raised:
        spoilt.put("head.json", b"mine", JSON, IfAbsent())
    assert (
        raised.value.message == f"{spoilt.label}/head.json is not, or is no longer, as it was read"
    )


def test_a_store_without_conditions_on_an_unconditional_put_is_an_error(
    spoilt: S3Store, network: BadNetwork
) -> None:
    network.spoil = lambda _: s3_error(412, "PreconditionFailed")
    assert "PreconditionFailed" in failure(spoilt, "put").message


@pytest.mark.parametrize(
    "refusal",
    [
        s3_error(400, "MissingContentMD5"),
        s3_error(400, "InvalidRequest"),
        s3_error(401, "Unauthorized"),
        s3_error(403, "SignatureDoesNotMatch"),
        s3_error(405, "MethodNotAllowed"),
        s3_error(501, "NotImplemented"),
    ],
)
def test_a_store_that_refuses_batches_is_asked_key_by_key(
    spoilt: S3Store, network: BadNetwork, refusal: Answer
) -> None:
    keys = [f"lessons/{number}.json" for number in range(12)]
    for key in [*keys, "stays"]:
        spoilt.put(key, b"", PLAIN)
    network.spoil = lambda request: refusal if request.method == "POST" else None
    spoilt.delete(keys[:8])
    spoilt.delete(keys[8:])

    assert names(spoilt) == ["stays"]
    asked = [request.method for request in network.seen if request.method in ("POST", "DELETE")]
    assert asked == ["POST"] + ["DELETE"] * 12


def test_a_delete_that_is_really_forbidden_asks_for_one_key_only(
    spoilt: S3Store, network: BadNetwork
) -> None:
    for key in "abc":
        spoilt.put(key, b"", PLAIN)
    network.seen.clear()
    forbidden = s3_error(403, "AccessDenied")
    network.spoil = lambda request: forbidden if request.method in ("POST", "DELETE") else None
    with pytest.raises(StoreError, match="could not delete a: AccessDenied"):
        spoilt.delete("abc")

    assert [request.method for request in network.seen] == ["POST", "DELETE"]


def test_a_batch_that_fails_for_some_keys_is_an_error(spoilt: S3Store, network: BadNetwork) -> None:
    failed = (
        b"<DeleteResult><Error><Key>gone</Key><Code>NoSuchKey</Code><Message>-</Message></Error>"
        b"<Error><Key>b</Key><Code>AccessDenied</Code><Message>locked</Message></Error>"
        b"<Error><Key>c</Key><Code>InternalError</Code><Message>-</Message></Error></DeleteResult>"
    )
    network.spoil = lambda _: Answer(200, failed)
    with pytest.raises(StoreError) as raised:
        spoilt.delete(["gone", "b", "c"])
    assert raised.value.message == (
        f"{spoilt.label}: could not delete 2 objects, the first of them b: AccessDenied: locked"
    )


def test_a_batch_that_found_nothing_to_delete_is_no_error(
    spoilt: S3Store, network: BadNetwork
) -> None:
    gone = b"<DeleteResult><Error><Key>gone</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
    network.spoil = lambda _: Answer(200, gone)
    spoilt.delete(["gone"])


def test_a_key_that_is_gone_when_asked_singly_is_no_error(
    spoilt: S3Store, network: BadNetwork
) -> None:
    answers = {"POST": s3_error(501, "NotImplemented"), "DELETE": s3_error(404, "NoSuchKey")}
    network.spoil = lambda request: answers[request.method]
    spoilt.delete(["gone", "too"])


def test_a_listing_that_fails_on_a_later_page_yields_nothing(
    spoilt: S3Store, network: BadNetwork
) -> None:
    page = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
        b"</NextContinuationToken><Contents><Key>a</Key><Size>1</Size><ETag>&quot;e&quot;</ETag>"
        b"</Contents></ListBucketResult>"
    )
    network.spoil = lambda request: (
        Answer(200, page) if request.number == 1 else s3_error(403, "AccessDenied")
    )
    with pytest.raises(StoreError, match="could not list objects: AccessDenied"):
        next(spoilt.list())


def test_a_missing_bucket_is_never_taken_for_a_missing_object(s3_keys: S3Server) -> None:
    store = S3Store("no-such-bucket", "p", S3Options(s3_keys.endpoint_url), concurrency=1)
    for ask in (
        lambda: store.get("x"),
        lambda: store.head("x"),
        lambda: store.put("x", b"", PLAIN),
        lambda: store.put("x", b"", PLAIN, IfAbsent()),
        lambda: store.delete(["x"]),
        lambda: next(store.list()),
    ):
        with pytest.raises(StoreError) as raised:
            ask()
        why = f'there is no bucket "no-such-bucket" at {s3_keys.endpoint_url}'
        assert raised.value.message.startswith("s3://no-such-bucket/p: could not ")
        assert raised.value.message.endswith(why)
        assert "npx wrangler r2 bucket create no-such-bucket" in raised.value.hint


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("AWS_SECRET_ACCESS_KEY", "not-the-secret", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "not-the-key-id", "InvalidAccessKeyId"),
    ],
)
def test_wrong_keys_are_named_but_not_shown(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: str
) -> None:
    monkeypatch.setenv(name, value)
    error = failure(s3_store)

    assert code in error.message
    assert "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in error.hint
    for shown in (error.message, error.hint, str(error.__cause__)):
        assert os.environ["AWS_ACCESS_KEY_ID"] not in shown
        assert os.environ["AWS_SECRET_ACCESS_KEY"] not in shown


def test_missing_keys_are_named(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    error = failure(s3_store)

    assert error.message == f"{s3_store.label}: could not get x: Unable to locate credentials"
    assert error.hint == "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


@pytest.mark.usefixtures("s3_keys")
def test_an_endpoint_that_nobody_answers_at_is_named() -> None:
    options = S3Options("http://127.0.0.1:9", attempts=1)
    error = failure(S3Store("bucket", "", options, concurrency=1))

    assert error.message.startswith("s3://bucket: could not get x: Could not connect")
    assert error.hint == (
        "check `s3.endpoint_url` and the network; the endpoint is http://127.0.0.1:9"
    )


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (s3_error(500, "InternalError"), "run again later"),
        (s3_error(429, "TooManyRequests"), "run again later"),
        (s3_error(403, "RequestTimeTooSkewed"), "set this machine's clock"),
        (s3_error(400, "EntityTooLarge"), "look the code up"),
        (s3_error(400, "InvalidBucketName"), "look the code up"),
    ],
)
def test_other_refusals_say_what_to_do(
    network: BadNetwork, s3_bucket: str, answer: Answer, hint: str
) -> None:
    network.spoil = lambda _: answer
    options = S3Options(network.endpoint_url, attempts=1)
    error = failure(S3Store(s3_bucket, "", options, concurrency=1), "put")

    assert f"HTTP {answer.status}" in error.message
    assert hint in error.hint


def test_a_forbidden_head_is_not_a_missing_object(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_store.put("x", b"", PLAIN)
    wrong = S3Store(s3_store._bucket, "below/here", s3_store._options, concurrency=1)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    with pytest.raises(StoreError, match=r"could not head x: 403: Forbidden \(HTTP 403\)"):
        wrong.head("x")


def test_a_bucket_name_that_cannot_be_one_is_named(s3_keys: S3Server) -> None:
    store = S3Store("a bucket", "", S3Options(s3_keys.endpoint_url), concurrency=1)
    error = failure(store)

    assert 'Invalid bucket name "a bucket"' in error.message
    assert error.hint == "check the target's `store`, `state` and `s3` in exporter.yaml"


def test_an_object_that_is_cut_off_is_an_error(network: BadNetwork, s3_bucket: str) -> None:
    store = S3Store(s3_bucket, "", S3Options(network.endpoint_url, attempts=1), concurrency=1)
    network.spoil = lambda _: Answer()

    assert "could not get x" in failure(store).message


@pytest.mark.usefixtures("s3_keys")
def test_aws_itself_is_asked_in_a_region_that_it_has() -> None:
    def endpoint(options: S3Options) -> str:
        return S3Store("bucket", "", options, concurrency=1)._client().meta.endpoint_url

    assert endpoint(S3Options()) == "https://s3.amazonaws.com"
    assert endpoint(S3Options(region="eu-central-1")) == "https://s3.eu-central-1.amazonaws.com"


def test_importing_the_stores_loads_no_boto3() -> None:
    asked = "import sys, exporter.stores.opening as o; print('boto3' in sys.modules, o.__name__)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert done.stdout == "False exporter.stores.opening\n"
