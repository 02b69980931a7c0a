"""The page's server, asked without a browser: who may ask, for what, and what it never says."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from itertools import repeat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from exporter.errors import UsageError
from exporter.preview.server import CONTENT_SECURITY_POLICY, Answer, json_answer, serving

PAGE = Path(__file__).parents[2] / "exporter" / "preview" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))


@pytest.fixture
def address() -> Iterator[str]:
    routes = {"echo": lambda parts: json_answer(list(parts)), "none": lambda _parts: None}
    with serving(routes, 0) as one:
        yield one


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: HTTPMessage
    body: bytes


def ask(address: str, path: str, method: str = "GET", host: str | None = None) -> Answered:
    with closing(HTTPConnection(urlsplit(address).netloc)) as connection:
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return Answered(answer.status, answer.headers, answer.read())


def test_the_page_and_its_parts_are_served(address: str) -> None:
    kinds = {"/": "text/html", "/page/preview.js": "text/javascript", "/favicon.svg": "image/svg"}
    for path, kind in kinds.items():
        answer = ask(address, path)
        assert (answer.status, answer.headers["Content-Type"].startswith(kind)) == (200, True)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil:80"])
def test_a_request_for_another_host_is_refused(address: str, host: str) -> None:
    for path in ("/", "/echo/x", "/nowhere"):
        assert ask(address, path, host=host).status == 421


def test_localhost_is_the_same_machine(address: str) -> None:
    assert ask(address, "/", host=f"localhost:{urlsplit(address).port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_changed(address: str, method: str) -> None:
    assert ask(address, "/echo/x", method).status == 501


def test_a_head_request_has_no_body(address: str) -> None:
    answer = ask(address, "/echo/x", "HEAD")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "5", b"")


def test_every_answer_forbids_all_but_the_page_itself(address: str) -> None:
    for path in ("/", "/echo/x", "/nowhere"):
        headers = ask(address, path).headers
        assert headers["Content-Security-Policy"] == (
            f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/none/x", "/page/../server.py", "/page/%2e%2e/server.py", "/page/"]
)
def test_what_is_not_there_is_not_found(address: str, path: str) -> None:
    assert ask(address, path).status == 404


def test_names_of_any_kind_arrive_as_they_are(address: str) -> None:
    answer = ask(address, "/echo/a%2Fb/%D8%AF%D8%B1%D8%B3/%25?x=1")
    assert answer.body.decode() == '["a/b","درس","%"]'


def test_only_this_machine_can_reach_it(address: str) -> None:
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for other in others - {"127.0.0.1"}:
        if not str(other).startswith("127."):
            with socket.socket() as connection:
                assert connection.connect_ex((other, urlsplit(address).port)) != 0


def test_a_port_that_is_taken_is_an_error_with_advice(address: str) -> None:
    port = urlsplit(address).port
    refused = pytest.raises(UsageError, match=rf"port {port} .* cannot be used")
    with refused as caught, serving({}, port):
        pass
    assert "--port" in caught.value.hint


def test_without_a_port_a_second_preview_takes_another() -> None:
    with serving({}, None) as one, serving({}, None) as other:
        assert one != other


def test_a_reader_who_leaves_a_stream_ends_nothing() -> None:
    routes = {"events": lambda _parts: Answer(b"", events=repeat(b"data: 1\n\n"))}
    with serving(routes, 0) as one:
        for _ in range(3):
            with closing(HTTPConnection(urlsplit(one).netloc)) as connection:
                connection.request("GET", "/events")
                with connection.getresponse() as answer:
                    assert answer.readline() == b"data: 1\n"
        assert ask(one, "/").status == 200


def test_the_page_carries_the_same_policy_where_no_server_adds_it() -> None:
    assert f'content="{CONTENT_SECURITY_POLICY}"' in (PAGE / "index.html").read_text("utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_turns_text_into_markup_or_code(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|eval\("
    forbidden += r"|new Function|setTimeout\([\"'`]|createContextualFragment|\.cookie"
    assert re.findall(forbidden, source) == []


def test_the_page_names_nobody_elses_address() -> None:
    known = {"http://www.w3.org/2000/svg"}
    for file in PAGE.iterdir():
        found = set(re.findall(r"https?://[^\s\"'`<>)\\]+", file.read_text(encoding="utf-8")))
        assert {url for url in found if "." in url} <= known, file.name
