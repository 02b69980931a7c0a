"""Where the environment says all, boto3 is not asked; and it would have said the same."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.errors import StoreError
from exporter.stores.base import Attributes, IfAbsent
from exporter.stores.connecting import S3Options, client_of, connection_in, connection_of
from exporter.stores.s3 import S3Store
from tests.servers import S3Server
from tests.stores.bad_network import bad_network, s3_error

HERE = S3Options("http://127.0.0.1:9", "auto", connect_timeout_s=3, read_timeout_s=5)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has keys in it and no files of AWS's."""
    return {
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "SK",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }


@pytest.mark.parametrize(
    ("token", "bundle"),
    [(None, None), ("", None), ("T", "AWS_CA_BUNDLE"), ("T", "REQUESTS_CA_BUNDLE")],
)
def test_the_environment_says_what_boto3_would_say(
    settings: dict[str, str],
    token: str | None,
    bundle: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from boto3.session import Session
    from botocore.session import Session as CoreSession

    if token is not None:
        settings["AWS_SESSION_TOKEN"] = token
    if bundle:
        (tmp_path / "authorities.pem").write_bytes(b"a certificate")
        settings[bundle] = str(tmp_path / "authorities.pem")
    (tmp_path / "config").write_text("[default]\nregion = elsewhere\n", "utf-8")
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    direct = connection_in(settings, HERE)
    core = CoreSession()
    session = Session(botocore_session=core)
    told = connection_of(core, session, client_of(session, HERE, 1), HERE)

    assert direct is not None
    assert told is not None
    one, other = ({**found.keys(), "expires_at": None} for found in (direct, told))
    assert (one["access_key_id"], one["secret_access_key"]) == ("AK", "SK")
    assert {**one, "token": one["token"] or ""} == {**other, "token": other["token"] or ""}
    for found in (direct, told):
        assert (found.endpoint_url, found.region) == ("http://127.0.0.1:9", "auto")
        assert found.authorities == (b"a certificate" if bundle else b"")
        assert (found.connect_timeout, found.read_timeout) == (
            timedelta(seconds=3),
            timedelta(seconds=5),
        )


@pytest.mark.parametrize(
    "more",
    [
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_PROFILE": "press"},
        {"AWS_DEFAULT_PROFILE": "press"},
        {"AWS_SECURITY_TOKEN": "T"},
        {"AWS_CREDENTIAL_EXPIRATION": "2026-11-21T20:00:00Z"},
    ],
    ids=str,
)
def test_what_only_boto3_reads_is_left_to_it(
    settings: dict[str, str], more: dict[str, str]
) -> None:
    assert connection_in(settings, HERE) is not None
    assert connection_in({**settings, **more}, HERE) is None


def test_aws_itself_is_left_to_boto3(settings: dict[str, str]) -> None:
    assert connection_in(settings, S3Options(None, "eu-central-1")) is None


@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_file_that_names_authorities_is_left_to_boto3(
    settings: dict[str, str], name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("[default]\nca_bundle = /etc/ours.pem\n", "utf-8")
    assert connection_in(settings, HERE) is None


def test_authorities_that_cannot_be_read_are_named(settings: dict[str, str]) -> None:
    with pytest.raises(StoreError, match=r"nowhere\.pem cannot be read"):
        connection_in({**settings, "AWS_CA_BUNDLE": "/nowhere.pem"}, HERE)


@pytest.mark.parametrize("reference", [False, True])
def test_a_session_token_goes_with_every_request(
    s3_keys: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch, *, reference: bool
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    with bad_network(s3_keys.endpoint_url) as network:
        network.spoil = lambda _: s3_error(403, "AccessDenied")
        options = S3Options(network.endpoint_url, attempts=1, reference=reference)
        store = S3Store(s3_bucket, "", options, 1)
        for ask in (
            lambda: store.put("x", b"", Attributes()),
            lambda: store.put("x", b"", Attributes(), IfAbsent()),
            lambda: store.get("x"),
        ):
            with suppress(StoreError):
                ask()
    sent = [{name.lower(): value for name, value in one.items()} for one in network.headers]
    assert {one.get("x-amz-security-token") for one in sent} == {"a-token"}


_USES_A_BUCKET = """
import sys
from exporter.stores.base import Attributes, IfAbsent, IfMatch
from exporter.stores.s3 import S3Options, S3Store
store = S3Store(sys.argv[2], "p", S3Options(sys.argv[1]), 4)
etag = store.put("head.json", b"1", Attributes(), IfAbsent())
assert store.put("head.json", b"2", Attributes(), IfMatch(etag))
store.put("x", b"3", Attributes())
print(store.get("head.json").body, store.get("none"), {"boto3", "botocore"} & sys.modules.keys())
"""


def test_a_bucket_that_gives_clear_answers_is_used_without_boto3(
    s3_keys: S3Server, s3_bucket: str
) -> None:
    command = [sys.executable, "-c", _USES_A_BUCKET, s3_keys.endpoint_url, s3_bucket]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.stdout, done.stderr) == ("b'2' None set()\n", "")


_ASKS_A_BUCKET = """
import sys
from exporter.stores.s3 import S3Options, S3Store
S3Store("bucket", "", S3Options(sys.argv[1]), 1).get("x")
"""


@pytest.mark.usefixtures("s3_keys")
def test_ctrl_c_ends_the_waiting_for_a_store_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-c", _ASKS_A_BUCKET, url]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as asking:
            silent.settimeout(30)
            waiting, _ = silent.accept()
            asking.send_signal(signal.SIGINT)
            _, told = asking.communicate(timeout=30)
            waiting.close()
    assert asking.returncode == -signal.SIGINT
    assert told.endswith("KeyboardInterrupt\n")
