"""What GitHub does around the runs: which workflows an event starts, when, with what rights.

Owns the bare repository, the runs that wait, and what each run is given. A push with a run's token
starts nothing; a dispatch, a person's push, the schedule and a finished run do. A run's workflow
comes from the commit that GitHub would take it from. A fork's pull request gets a token that reads,
and no secret. Nothing runs by itself: a test says when, and in which order.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ryaml

from tests.workflows.github_api import REPOSITORY, GitHubAPI, Record
from tests.workflows.runner import CHECKOUT, Job, Outcome, run_workflow

__all__ = ["Hub", "Run"]

_PULL_TYPES = ("opened", "synchronize", "reopened")
_OWNER = {"login": REPOSITORY.partition("/")[0], "type": "Organization"}


@dataclass(slots=True)
class Run:
    """A run of a workflow, waiting or over."""

    record: Record
    """What the API says of it."""
    workflow: str
    event: str
    payload: Record
    sha: str
    """The commit that it runs on, and has its workflow from."""
    trusted: bool = True
    """Gets secrets and the rights that it asks for: not so for a fork."""
    outcome: Outcome | None = None

    @property
    def done(self) -> Outcome:
        """Return how it ended."""
        assert self.outcome is not None, f"{self.workflow} has not run"
        return self.outcome


@dataclass
class Hub:
    """A repository on GitHub with Actions."""

    folder: Path
    api: GitHubAPI
    secrets: dict[str, str]
    variables: dict[str, str]
    waiting: list[Run] = field(default_factory=list)
    over: list[Run] = field(default_factory=list)

    @property
    def remote(self) -> Path:
        """The bare repository."""
        return self.folder / "remote.git"

    @property
    def main(self) -> str:
        """The newest commit of the main branch."""
        return self.git("rev-parse", "refs/heads/main").strip()

    def create(self, source: Path) -> None:
        """Take a local repository as the first content of the remote."""
        self.folder.mkdir()
        (self.folder / "action").mkdir()
        for name in ("action.yml", "requirements.lock"):
            shutil.copyfile(CHECKOUT / name, self.folder / "action" / name)
        _git(self.folder, "clone", "--quiet", "--bare", str(source), str(self.remote))
        for key in ("allowFilter", "allowAnySHA1InWant"):
            self.git("config", f"uploadpack.{key}", "true")
        hook = self.remote / "hooks" / "pre-receive"
        hook.write_text(f"#!/bin/sh\ngrep -q '^contents: write$' '{self._rights}'\n", "utf-8")
        hook.chmod(0o755)

    def git(self, *arguments: str) -> str:
        """Run git in the bare repository."""
        return _git(self.remote, *arguments)

    # What happens

    def schedule(self, cron: str) -> None:
        """Let a schedule's time come."""
        self._happens("schedule", {"schedule": cron}, self.main)

    def dispatch(self, workflow: str, **inputs: str) -> None:
        """Let a person start a workflow by hand."""
        self._enqueue(workflow, "workflow_dispatch", {"inputs": inputs}, self.main)

    def push(self, commit: str) -> None:
        """Let a person's commit, which is in the repository, become the main branch."""
        before = self.main
        self.git("update-ref", "refs/heads/main", commit)
        self._happens("push", {"ref": "refs/heads/main", "before": before, "after": commit}, commit)

    def pull_request(self, pull: Record, action: str) -> None:
        """Let something happen to a pull request; its head commit is in the repository."""
        number, head = pull["number"], pull["head"]
        self.git("update-ref", f"refs/pull/{number}/head", head["sha"])
        tree = self.git("merge-tree", "--write-tree", self.main, head["sha"]).strip()
        merge = self.git(
            *("-c", "user.name=GitHub", "-c", "user.email=noreply@github.example"),
            *("commit-tree", tree, "-p", self.main, "-p", head["sha"], "-m", "Merge"),
        ).strip()
        self.git("update-ref", f"refs/pull/{number}/merge", merge)
        payload = {
            "action": action,
            "number": number,
            "pull_request": pull | {"base": pull["base"] | {"sha": self.main}},
        }
        self._happens("pull_request", payload, merge, trusted=not head["repo"]["fork"])

    # What runs

    def settle(self) -> list[Run]:
        """Run whatever waits, in order, and what that starts; return these runs."""
        ran = []
        while self.waiting:
            ran.append(self.run(self.waiting[0]))
        return ran

    def supersede(self) -> None:
        """Let one run of each group wait, the newest: GitHub cancels the others."""
        newest = {run.workflow: run for run in self.waiting}
        for run in [run for run in self.waiting if run is not newest[run.workflow]]:
            self.cancel(run)

    def cancel(self, run: Run) -> None:
        """Cancel a run that waits."""
        self.waiting.remove(run)
        run.record |= {"status": "completed", "conclusion": "cancelled"}

    def again(self, run: Run) -> Run:
        """Let a person run it again: on the same commit, however old."""
        self._enqueue(run.workflow, run.event, run.payload, run.sha, trusted=run.trusted)
        return self.waiting[-1]

    def run(self, run: Run, cancel: Callable[[], bool] | None = None) -> Run:
        """Run one that waits; with `cancel`, until that says so."""
        self.waiting.remove(run)
        run.record |= {"status": "in_progress"}
        token = f"ghs_planted_{run.record['id']}"
        self.api.may[token] = rights = self._permissions(run)
        self._rights.write_text("".join(f"{k}: {v}\n" for k, v in rights.items()), "utf-8")
        place = self.folder / str(run.record["id"])
        place.mkdir()
        run.outcome = run_workflow(self._job(run, token), place, cancel)
        del self.api.may[token]
        sys.stdout.write(f"{run.workflow} {run.outcome.conclusion}\n{run.outcome.said}\n")
        self.over.append(run)
        run.record |= {"status": "completed", "conclusion": run.outcome.conclusion}
        for workflow, body in self.api.dispatches:
            assert body["ref"] == "main", body
            self._enqueue(workflow, "workflow_dispatch", {"inputs": body.get("inputs")}, self.main)
        self.api.dispatches.clear()
        payload = {"action": "completed", "workflow_run": run.record}
        self._happens("workflow_run", payload, self.main)
        return run

    def last(self, workflow: str) -> Outcome:
        """Return how the last run of a workflow ended."""
        return next(run.done for run in reversed(self.over) if run.workflow == workflow)

    def everything_said(self) -> dict[str, str]:
        """Return all that people can read of the runs; a summary is in its log."""
        said = {f"log of {run.workflow} {run.record['id']}": run.done.log for run in self.over}
        for name in ("pulls", "issues", "comments", "notices"):
            said[name] = repr(getattr(self.api, name))
        for file in self.api.artifacts_folder.rglob("*.zip"):
            said[f"artifact {file}"] = _texts(file)
        said["git"] = self.git("log", "--all", "--patch")
        return said

    @property
    def _rights(self) -> Path:
        return self.folder / "rights"

    def _happens(self, event: str, payload: Record, sha: str, *, trusted: bool = True) -> None:
        """Let every workflow that an event starts wait for its turn."""
        for file in self.git("ls-tree", "--name-only", sha, ".github/workflows/").splitlines():
            workflow = Path(file).name
            if _starts(self._read(sha, workflow)["on"], event, payload):
                self._enqueue(workflow, event, payload, sha, trusted=trusted)

    def _enqueue(
        self, workflow: str, event: str, payload: Record, sha: str, *, trusted: bool = True
    ) -> None:
        pull = payload.get("pull_request")
        record = {
            "id": 7_000 + len(self.api.runs),
            "name": self._read(sha, workflow)["name"],
            "path": f".github/workflows/{workflow}",
            "event": event,
            "status": "queued",
            "conclusion": None,
            "head_branch": pull["head"]["ref"] if pull else "main",
            "head_sha": pull["head"]["sha"] if pull else sha,
            "head_repository": pull["head"]["repo"] if pull else _repository(),
            "html_url": f"https://github.example/{REPOSITORY}/actions/runs/{len(self.api.runs)}",
        }
        self.api.runs.append(record)
        whole = {"repository": _repository(), "sender": {"login": "somebody"}, **payload}
        self.waiting.append(Run(record, workflow, event, whole, sha, trusted))

    def _read(self, sha: str, workflow: str) -> Record:
        read: Record = ryaml.loads(self.git("show", f"{sha}:.github/workflows/{workflow}"))
        return read

    def _permissions(self, run: Run) -> Mapping[str, str]:
        """Return the rights of a run: what its jobs ask for, together; a fork's only reads."""
        given: dict[str, str] = {}
        for job in self._read(run.sha, run.workflow)["jobs"].values():
            for scope, level in job.get("permissions", {}).items():
                given[scope] = "write" if "write" in (level, given.get(scope)) else level
        return given if run.trusted else dict.fromkeys(given, "read")

    def _job(self, run: Run, token: str) -> Job:
        place = self.folder / str(run.record["id"])
        clone = self.folder / f"clone-{run.record['id']}"
        _git(self.folder, "clone", "--quiet", "--shared", "--no-checkout", "remote.git", clone.name)
        _git(clone, "checkout", "--quiet", "--detach", run.sha)
        _git(clone, "remote", "set-url", "origin", f"https://github.com/{REPOSITORY}.git")
        environment = {
            "GITHUB_API_URL": self.api.endpoint,
            "GITHUB_REPOSITORY": REPOSITORY,
            "HARNESS_REMOTE": str(self.remote),
            "HARNESS_ARTIFACTS": str(self.api.artifacts_folder),
            "TMPDIR": str(place),
        }
        return Job(
            clone,
            run.workflow,
            run.event,
            run.payload,
            run.record["id"],
            run.payload["sender"]["login"],
            environment,
            {**(self.secrets if run.trusted else {}), "GITHUB_TOKEN": token},
            self.variables,
        )


def _starts(on: Any, event: str, payload: Record) -> bool:
    """Tell whether what a workflow says under `on` is met by an event."""
    if isinstance(on, str | list):
        on = dict.fromkeys([on] if isinstance(on, str) else on)
    if event not in on:
        return False
    asked = on[event] or {}
    match event:
        case "schedule":
            return any(each["cron"] == payload["schedule"] for each in asked)
        case "push":
            branch = payload["ref"].removeprefix("refs/heads/")
            return branch in asked.get("branches", [branch])
        case "pull_request":
            return payload["action"] in asked.get("types", _PULL_TYPES)
        case "workflow_run":
            return payload["workflow_run"]["name"] in asked["workflows"]
        case _:
            return True


def _repository() -> Record:
    return {
        "full_name": REPOSITORY,
        "name": REPOSITORY.partition("/")[2],
        "default_branch": "main",
        "fork": False,
        "owner": _OWNER,
    }


def _texts(artifact: Path) -> str:
    with zipfile.ZipFile(artifact) as archive:
        return "".join(archive.read(name).decode(errors="replace") for name in archive.namelist())


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"git {arguments}: {done.stderr}"
    return done.stdout
