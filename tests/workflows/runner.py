"""Runs one workflow as GitHub would, and tells what came of it.

`act` (https://github.com/nektos/act) is the runner: it reads the workflow and action.yml, and runs
each step's lines in bash on this machine. `actions/` stands for GitHub's own actions. Owned here:
the machine that a run finds (no git identity, nothing of the developer's), how it is cancelled, and
what it said. Secrets are not masked: what would be masked on GitHub is to be seen here.

NOT TESTED: `timeout-minutes`, `environment`, runner images, and installing the exporter: where
action.yml would, it finds the program of `tests.forking` (`actions/cache`).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.forking import programs

__all__ = ["Command", "Job", "Outcome", "run_workflow", "uses_of"]

ACTIONS = Path(__file__).parent / "actions"
CHECKOUT = Path(__file__).parents[2]
TIME_LIMIT_S = 120.0
GRACE_S = 10.0
"""From GitHub's SIGINT to its SIGKILL."""

_SHELL = """\
#!/bin/bash
# act gives a step a terminal, and GitHub none.
set -o pipefail
/bin/bash "$@" 2>&1 < /dev/null | cat
"""

_GIT_CONFIG = """\
[user]
    useConfigOnly = true
[safe]
    directory = *
"""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run: a workflow of the commit that a clone has checked out."""

    clone: Path
    workflow: str
    """Its file, as `publish.yml`."""
    event: str
    payload: Mapping[str, Any]
    run_id: int
    actor: str
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """A workflow command that the runner obeyed, as `::error file=a::text`."""

    kind: str
    properties: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    conclusion: str
    jobs: Mapping[str, str]
    """The result of each job that was not skipped."""
    steps: Mapping[str, str]
    """The result of each step that was not skipped, by its name."""
    said: str
    """What the steps printed."""
    summary: str
    commands: tuple[Command, ...]
    """What the steps' output made the runner do, besides setting outputs through the file."""
    outputs: Mapping[str, str]
    log: str = field(repr=False)
    """All there is, to look for secrets in."""

    @property
    def annotations(self) -> list[Command]:
        return [each for each in self.commands if each.kind in ("error", "warning", "notice")]


def run_workflow(job: Job, folder: Path, cancel: Callable[[], bool] | None = None) -> Outcome:
    """Run a workflow in an empty folder; as soon as `cancel` says so, cancel it as GitHub does."""
    act = Path(sysconfig.get_path("scripts")) / "act"
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(act), *_arguments(job, folder)],
            cwd=job.clone,
            env=_machine(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            cancelled = _wait(process, cancel)
        finally:
            _kill(process)
    outcome = _read(log.read_text(encoding="utf-8", errors="replace"), process.returncode)
    assert not re.search(r"unable to (clone|resolve)|Traceback", outcome.log), outcome.log
    if cancelled:
        return Outcome("cancelled", *[getattr(outcome, n) for n in Outcome.__slots__[1:]])
    return outcome


def uses_of(workflows: Path) -> set[str]:
    """Return the actions of other repositories that workflows and this project's action use."""
    files = [*workflows.glob("*.yml"), CHECKOUT / "action.yml"]
    used = {
        name
        for file in files
        for name in re.findall(r"uses: *([^\s#]+)", file.read_text(encoding="utf-8"))
    }
    return {name for name in used if not name.startswith("./")}


def _arguments(job: Job, folder: Path) -> list[str]:
    event, secrets, variables = folder / "event.json", folder / "secrets", folder / "variables"
    event.write_text(json.dumps(job.payload), encoding="utf-8")
    secrets.write_text("".join(f"{k}={json.dumps(v)}\n" for k, v in job.secrets.items()), "utf-8")
    variables.write_text("".join(f"{k}={v}\n" for k, v in job.variables.items()), "utf-8")
    environment = {
        **job.environment,
        "GITHUB_RUN_ID": str(job.run_id),
        "HARNESS_PROGRAMS": str(programs()),
        "HARNESS_VENV": sys.prefix,
    }
    return [
        job.event,
        *("--workflows", f".github/workflows/{job.workflow}"),
        *("--eventpath", str(event)),
        *("--secret-file", str(secrets)),
        *("--var-file", str(variables)),
        *("--actor", job.actor),
        *("--action-cache-path", str(folder / "act")),
        *(part for key, value in environment.items() for part in ("--env", f"{key}={value}")),
        *(part for local in _local_actions(job.clone) for part in ("--local-repository", local)),
        *("--platform", "ubuntu-latest=-self-hosted"),
        *("--no-skip-checkout", "--no-cache-server", "--insecure-secrets", "--json"),
    ]


def _local_actions(clone: Path) -> Iterator[str]:
    """Yield `owner/name@ref=folder` for each action; one that nobody stands for fails its run."""
    for used in uses_of(clone / ".github" / "workflows"):
        name, _, ref = used.partition("@")
        own = clone.parent / "action"
        yield f"{name}@{ref}={own if not name.startswith('actions/') else ACTIONS / name[8:]}"


def _machine(folder: Path) -> dict[str, str]:
    """Return the environment of a new virtual machine: a PATH, an empty home, no git identity."""
    home, shell = folder / "home", folder / "shell" / "bash"
    home.mkdir()
    (home / "gitconfig").write_text(_GIT_CONFIG, encoding="utf-8")
    shell.parent.mkdir()
    shell.write_text(_SHELL, encoding="utf-8")
    shell.chmod(0o755)
    own = sysconfig.get_path("scripts")
    paths = [path for path in os.environ["PATH"].split(os.pathsep) if path != own]
    return {
        "PATH": os.pathsep.join([str(shell.parent), *paths]),
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
    }


def _wait(process: subprocess.Popen[bytes], cancel: Callable[[], bool] | None) -> bool:
    """Wait for the end; tell whether it was cancelled."""
    if cancel is None:
        process.wait(TIME_LIMIT_S)
        return False
    give_up_at = time.monotonic() + TIME_LIMIT_S
    while process.poll() is None and time.monotonic() < give_up_at:
        if cancel():
            _interrupt(process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
            return True
        time.sleep(0.02)
    return False


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Send SIGINT to the bash of the step that runs, and to nothing that it started, as GitHub."""
    for shell in _children(process.pid):
        for step in _children(shell)[:1]:
            os.kill(step, signal.SIGINT)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        for each in _tree(process.pid):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        process.wait()


def _tree(pid: int) -> list[int]:
    return [*(each for child in _children(pid) for each in _tree(child)), pid]


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended
            found += [int(child) for child in task.read_text().split()]
    return found


def _read(log: str, status: int) -> Outcome:
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    steps = [e for e in entries if e.get("stage") == "Main" and len(e.get("stepID", ())) == 1]
    commands = [e for e in entries if "command" in e and "raw" in e]
    outputs = [e for e in entries if e.get("command") == "set-output" and "raw" not in e]
    jobs = {e["jobID"]: e["jobResult"] for e in entries if "jobResult" in e}
    return Outcome(
        ("success" if status == 0 else "failure") if jobs else "skipped",
        jobs,
        {e["step"]: e["stepResult"] for e in steps if "stepResult" in e},
        "".join(e["msg"] for e in entries if e.get("raw_output")),
        "".join(_summaries(entries)),
        tuple(_command(e) for e in commands),
        {e["name"]: e["arg"] for e in outputs},
        log,
    )


def _command(entry: Mapping[str, Any]) -> Command:
    """Read a command's line as GitHub does; act loses a value with `=`, and unescapes twice."""
    head, _, text = entry["raw"].rstrip("\r\n")[2:].partition("::")
    kind, _, listed = head.partition(" ")
    properties = dict(each.partition("=")[::2] for each in listed.split(",") if each)
    return Command(
        kind, {key: _unescaped(value) for key, value in properties.items()}, _unescaped(text)
    )


def _unescaped(text: str) -> str:
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")):
        text = text.replace(escape, character)
    return text.replace("%25", "%")


def _summaries(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what steps added to the summary; act says a composite action's last part twice."""
    for entry in entries:
        inner = len(entry.get("stepID", ())) > 1
        if entry.get("command") == "summary" and (inner or not _is_action(entry)):
            yield entry["content"]


def _is_action(entry: Mapping[str, Any]) -> bool:
    return bool(re.match(r"\./|[\w.-]+/[\w./-]+@", entry["step"]))
