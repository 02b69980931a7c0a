"""A server's plain HTTP behind TLS, with a certificate of a test's own authority."""

from __future__ import annotations

import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

__all__ = ["tls_front"]

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class _Front(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    context: ssl.SSLContext
    behind: tuple[str, int]


class _Relay(socketserver.BaseRequestHandler):
    server: _Front

    def handle(self) -> None:
        with (
            suppress(OSError),
            self.server.context.wrap_socket(self.request, server_side=True) as client,
            socket.create_connection(self.server.behind) as behind,
        ):
            back = threading.Thread(target=_copy, args=(behind, client))
            back.start()
            _copy(client, behind)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def tls_front(endpoint_url: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Serve an endpoint on a free loopback port; give the new URL and the authority's file."""
    if shutil.which("openssl") is None:
        pytest.skip("NOT TESTED: openssl is not installed")
    authority, certificate, key = _certificates(folder)
    url = urlsplit(endpoint_url)
    with _Front(("127.0.0.1", 0), _Relay) as front:
        front.behind = (url.hostname or "", url.port or 80)
        front.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        front.context.load_cert_chain(certificate, key)
        thread = threading.Thread(target=front.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{front.server_address[1]}", authority
        finally:
            front.shutdown()
            thread.join()


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority, and a certificate of its for 127.0.0.1."""
    authority, root_key, request, certificate, key, names = (
        folder / name
        for name in ("ca.pem", "ca.key", "server.csr", "server.pem", "server.key", "names")
    )
    names.write_text("subjectAltName=IP:127.0.0.1\n", encoding="utf-8")
    for arguments in (
        ["req", "-x509", *_NEW_KEY, "-keyout", root_key, "-out", authority, "-subj", "/CN=Tests"],
        ["req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", "/CN=127.0.0.1"],
        [
            *("x509", "-req", "-in", request, "-out", certificate, "-extfile", names),
            *("-CA", authority, "-CAkey", root_key, "-CAcreateserial", "-days", "2"),
        ],
    ):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    return authority, certificate, key
