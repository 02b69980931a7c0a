from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path

import pytest

from exporter.config import Notify, Secret
from exporter.errors import ConfigError
from tests.config.files import ENVIRON, EXAMPLE, load, refusal

SECRETS = [
    ("source: {url: 'mysql+pymysql://root:hunter2@db/site'}", "source.url"),
    ("source: {url: '${U:-mysql+pymysql://root:hunter2@db/site}'}", "source.url"),
    ("source: {url: 'mysql+pymysql://root:${P:-hunter2}@db/site'}", "source.url"),
    ("source: {url: 'mysql+pymysql://root:a/hunter2@db/site'}", "source.url"),
    ("source: {url: 'mysql+pymysql://root:hunter2${P}@db/site'}", "source.url"),
    ("source: {url: 'mysql+pymysql://root@db/site?password=hunter2'}", "source.url"),
    ("build: {files_base_url: 'https://me:hunter2@files.example.org'}", "build.files_base_url"),
    ("build: {credential_patterns: ['AKIAHUNTER2HUNTER2XX']}", "build.credential_patterns[0]"),
    ("publish: {aws_secret: 'AKIAHUNTER2HUNTER2XX'}", "publish.aws_secret"),
]
TOKENS = ["hunter2", "'${T:-hunter2}'", "'hunter2${T}'", "'${T}hunter2'", "'${T}${hunter2}'"]


@pytest.mark.parametrize(("text", "place"), SECRETS)
def test_a_secret_that_is_written_out_is_refused_and_not_shown(
    folder: Path, text: str, place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, {"P": "p", "U": "u"})
    assert caught.value.message == f"exporter.yaml:1: {place}: a secret is written out here"
    assert "${NAME}" in caught.value.hint
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)).lower()


@pytest.mark.parametrize("token", TOKENS)
def test_an_api_token_is_a_reference_and_nothing_else(folder: Path, token: str) -> None:
    text = f"""\
targets:
  t:
    store: a
    state: b
    base_url: https://cdn.example.org
    purge: {{provider: cloudflare, zone_id: z, api_token: {token}}}
"""
    assert refusal(folder, text, {"T": "t", "hunter2": "x"}) == [
        "exporter.yaml:6: targets.t.purge.api_token: a secret is written out here"
    ]


@pytest.mark.parametrize(
    "url", ["https://hooks.example/hunter2", "'${U:-https://hunter2.example}'"]
)
def test_a_webhook_is_a_secret_as_a_whole(folder: Path, url: str) -> None:
    assert refusal(folder, f"notify: {{url: {url}}}", {"U": ""}) == [
        "exporter.yaml:1: notify.url: a secret is written out here"
    ]


def test_a_webhook_comes_from_the_environment_and_an_empty_one_is_none(folder: Path) -> None:
    text = "notify: {url: '${NOTIFY_URL:-}'}"
    url = "https://hooks.example/services/T0/hunter2?a=b"
    config = load(folder, text, {"NOTIFY_URL": url})
    assert config.notify == Notify(Secret(url))
    assert "hunter2" not in repr(config)
    assert load(folder, text).notify == load(folder, "{}").notify == Notify(None)
    with pytest.raises(
        ConfigError, match=r"notify\.url: the environment variable NOTIFY_URL is not"
    ):
        _ = load(folder, "notify: {url: '${NOTIFY_URL}'}").notify


def test_a_token_of_the_wrong_shape_is_not_shown(folder: Path) -> None:
    environ = {**ENVIRON, "CF_TOKEN": "hunter2\n"}
    config = load(folder, EXAMPLE, environ)
    with pytest.raises(ConfigError) as caught:
        config.target("production")
    assert caught.value.message == (
        "exporter.yaml:17: targets.production.purge.api_token: must be a token without blanks"
    )


@pytest.mark.parametrize(
    "text",
    [
        "targets: {t: {store: a, state: b, s3: {secret_access_key: hunter2}}}",
        "targets: {t: {store: a, state: b, s3: {aws_access_key_id: hunter2}}}",
        "source: {password: hunter2}",
    ],
)
def test_keys_for_credentials_are_unknown_and_say_where_those_go(folder: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert caught.value.message.endswith(": unknown key; credentials are never written here")
    assert "AWS_SECRET_ACCESS_KEY" in caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "source: {url: 'mysql+pymysql://reader:${P}@db:3306/site'}",
        "source: {url: 'mysql+pymysql://reader@db:3306/site'}",
        "source: {url: 'sqlite:///a:b@c.db'}",
        "source: {url: '${P}'}",
    ],
)
def test_a_database_url_without_a_written_password_is_fine(folder: Path, text: str) -> None:
    load(folder, text)


def test_a_repeated_key_does_not_show_its_value(folder: Path) -> None:
    text = "source:\n  url: sqlite:///a.db\n  url: mysql://u:hunter2@db/x\n"
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert caught.value.message == 'exporter.yaml:3: the key "url" is there twice'
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_secret_shows_itself_to_nobody_who_does_not_ask() -> None:
    secret = Secret("hunter2")
    assert [repr(secret), str(secret), f"{secret}", f"{[secret]}"] == ["***", "***", "***", "[***]"]
    assert (secret.reveal(), secret == Secret("hunter2")) == ("hunter2", True)
    assert copy.deepcopy(secret) == pickle.loads(pickle.dumps(secret)) == secret  # noqa: S301
