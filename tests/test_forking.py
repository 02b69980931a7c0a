"""The program that tests start is the exporter: what it says, how it ends, what stops it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.running import content_repository
from tests.forking import programs


def test_it_says_and_ends_as_a_python_that_is_started_anew(tmp_path: Path) -> None:
    for arguments in (["--help"], ["status"], ["no-such-command"]):
        anew = [sys.executable, "-W", "error", "-m", "exporter", *arguments]
        said = [
            subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
            for command in (anew, [str(programs() / "exporter"), *arguments])
        ]
        ended = [(done.returncode, done.stdout, done.stderr) for done in said]
        assert ended[0] == ended[1]


@pytest.mark.parametrize(
    ("number", "statuses"),
    [(signal.SIGINT, {0, 130}), (signal.SIGTERM, {-15}), (signal.SIGKILL, {-9})],
)
def test_what_stops_it_stops_the_fork(tmp_path: Path, number: int, statuses: set[int]) -> None:
    root = content_repository(tmp_path / "school", {"plans/P.yaml": "name: P\n"})
    with subprocess.Popen(
        [programs() / "exporter", "-C", root, "preview", "--port", "0", "--no-open"],
        stdout=subprocess.PIPE,
        text=True,
    ) as preview:
        assert preview.stdout
        address = urlsplit(next(word for word in preview.stdout.readline().split() if "//" in word))
        assert address.port
        preview.send_signal(number)
    assert preview.returncode in statuses, "Ctrl-C may come before it waits for that"
    give_up_at = time.monotonic() + 60
    while _answers(address.port):
        assert time.monotonic() < give_up_at, "the fork goes on without it"
        time.sleep(0.02)


def _answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0
