"""The real command line as a program that starts at once.

A process that has imported everything waits; the program asks it over a socket to fork, hands its
own files over, and ends as the fork ends: with its exit status, or by the same signal. It passes
SIGINT and SIGTERM on, and one that is killed takes its fork with it. So each command is a process
of its own, in a real shell, with pipes, signals and exit statuses, without a second for each start.
Warnings are errors. With EXPORTER_THOROUGH=1 every command is a Python that is started anew.

What a reader of documents starts and stops by hand (`watch`, `preview`, `demo --serve`) gets the
SIGINT of its reader as soon as it has said that it is ready.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

import exporter
from tests.server_process import temporary_folder

__all__ = ["programs", "running_forker"]

ROOT = Path(__file__).parents[1]
THOROUGH = os.environ.get("EXPORTER_THOROUGH") == "1"

_ANEW = '#!/bin/sh\nexec {python} -W error -m exporter "$@"\n'
_PROGRAM = """\
#!{python} -SE
import json, os, re, signal, socket, sys
ready = None
if {is_read}:
    if "watch" in sys.argv: ready = rb" look: "
    if "preview" in sys.argv: ready = rb"http://"
    if "--serve" in sys.argv: ready = rb"serving "
    if "--help" in sys.argv: ready = None
asked = json.dumps({{"argv": sys.argv, "cwd": os.getcwd(), "env": dict(os.environ)}}).encode()
end, out = os.pipe() if ready else (None, 1)
talk = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
talk.connect({address!r})
socket.send_fds(talk, [len(asked).to_bytes(4, "big")], [0, out, 2])
talk.sendall(asked)
answers = talk.makefile("rb")
pid = int(answers.readline())
for each in signal.SIGINT, signal.SIGTERM:
    signal.signal(each, lambda number, _: os.kill(pid, number))
if ready:
    os.close(out)
    said = b""
    while more := os.read(end, 65536):
        said += more
        os.write(1, more)
        if ready and re.search(ready, said):
            os.kill(pid, signal.SIGINT)
            ready = None
status = int(answers.readline())
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(0 if end is not None and status == 130 else status)
"""


@cache
def programs() -> Path:
    """Return a folder for PATH with the program `exporter`, there as long as this process."""
    running = ExitStack()
    folder = running.enter_context(temporary_folder("exporter-forker-"))
    atexit.register(running.close)
    if THOROUGH:
        program = folder / "exporter"
        program.write_text(_ANEW.format(python=sys.executable), "utf-8")
        program.chmod(0o755)
        return folder
    return running.enter_context(running_forker(folder))


@contextmanager
def running_forker(folder: Path, *, is_read: bool = False) -> Iterator[Path]:
    """Start the waiting process; give a folder for PATH that has the program `exporter` in it."""
    address, found = folder / "forker.sock", folder / "programs"
    found.mkdir()
    program = found / "exporter"
    text = _PROGRAM.format(python=sys.executable, address=str(address), is_read=is_read)
    program.write_text(text, "utf-8")
    program.chmod(0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(address))
        listening.listen(16)
        command = [sys.executable, "-W", "error", "-m", "tests.forking", str(listening.fileno())]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,  # its end, whatever becomes of us, is the forker's
            pass_fds=[listening.fileno()],
            start_new_session=True,
        ):
            yield found


def _serve(listening: socket.socket) -> None:
    """Fork for everybody who asks, as long as standard input is open."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()
    while listening in _readable(listening, 0):
        talk, _ = listening.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            _attend(talk)
        talk.close()


def _attend(talk: socket.socket) -> NoReturn:
    """Run what one asks for in a process of its own, and tell how it ended."""
    head, files, _, _ = socket.recv_fds(talk, 4, 3)
    asked = json.loads(talk.makefile("rb").read(int.from_bytes(head, "big")))
    pid = os.fork()
    if pid == 0:
        talk.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        _be(asked["argv"], asked["cwd"], asked["env"])
    for file in files:
        os.close(file)
    with suppress(BrokenPipeError):
        talk.sendall(f"{pid}\n".encode())
    if talk in _readable(talk, os.pidfd_open(pid)):  # who asked is gone
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(BrokenPipeError):
        talk.sendall(f"{status}\n".encode())
    os._exit(0)


def _readable(*files: socket.socket | int) -> list[socket.socket | int]:
    """Wait until something can be read; return from what."""
    return select.select(files, [], [])[0]


def _be(argv: list[str], cwd: str, env: dict[str, str]) -> NoReturn:
    """Be the program `exporter`, started there and so."""
    from exporter.cli import main

    status = 70
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = argv
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    try:
        main()
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
        traceback.print_exc()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
