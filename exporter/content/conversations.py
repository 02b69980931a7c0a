"""What workflows say on GitHub: a comment a pull request, an issue a target, a workflow started.

The comment's text comes from a run that whoever opened the pull request had in hand, perhaps from a
fork. So it is data: of the artifact one file is read, within a limit, and made harmless. Which pull
request it belongs to is GitHub's word, never the artifact's. Our comment and our issue are known by
what others cannot give theirs: a bot's account, a label.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from typing import Any

from exporter.content.github import GitHub
from exporter.core.diff_markdown import COMMENT_LIMIT, escape, neutralised
from exporter.errors import ContentProblem

__all__ = ["ARTIFACT", "Kept", "Said", "comment_on_run", "keep_issue", "start_workflow"]

ARTIFACT = "content-diff"
"""The artifact with the comment's text, as pull-request.yml uploads it."""
LABEL = "content-drift"
MAX_ARTIFACT_BYTES = 20_000_000
MAX_LISTED = 50

_NOT_RUN = ("cancelled", "timed_out", "startup_failure")
_TEXT = "diff.md"
_MARK = "<!-- exporter: content diff -->"


@dataclass(frozen=True, slots=True)
class Said:
    """A comment that was written or brought up to date."""

    number: int
    """The pull request's."""
    url: str


class Kept(Enum):
    """What became of the issue about a target's drift."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    LEFT = "left as it is"


def comment_on_run(github: GitHub, run_id: int) -> Said | None:
    """Say what a run found out in its pull request's one comment; None where it has nothing to say.

    That is so where the pull request is closed or has other commits by now, or the run broke off.

    Raises:
        GitError: GitHub cannot be reached, or refuses.
        ContentProblem: the artifact is not what our workflow uploads.
    """
    _, run = github.call("GET", f"actions/runs/{run_id}")
    number = _pull_request(github, run)
    text = _text(github, run_id) if number else None
    if number is None or text is None:
        return None
    all_of_it = f"\n\n<sub>[The run, with everything as a file]({run['html_url']})</sub>"
    body = f"{_MARK}\n{neutralised(text, COMMENT_LIMIT)}{all_of_it}\n"
    comments = github.listing(f"issues/{number}/comments")
    ours = next((one["id"] for one in comments if _is_ours(one)), None)
    if ours is None:
        request = ("POST", f"issues/{number}/comments")
    else:
        request = ("PATCH", f"issues/comments/{ours}")
    _, comment = github.call(*request, json={"body": body}, accept=(200, 201))
    return Said(number, comment["html_url"])


def keep_issue(github: GitHub, report: Mapping[str, Any]) -> Kept:
    """See to it that there is an open issue about a target's drift just where there is drift.

    `report` is what `exporter verify --json` prints. A sample without drift closes nothing.

    Raises:
        GitError: GitHub cannot be reached, or refuses.
    """
    title = f"The CDN differs from the release: {report['target']}"
    query = {"state": "open", "labels": LABEL}
    found = [issue for issue in github.listing("issues", query) if issue["title"] == title]
    drift = report["left"] if report["repaired_by"] else report["drift"]
    if drift:
        return _tell_drift(github, title, _drift_text(report, drift), found)
    if not found or report["looked_at"] < report["live_files"]:
        return Kept.LEFT
    note = f"All {report['live_files']:,} files are as {report['release']} has them."
    for issue in found:
        path = f"issues/{issue['number']}"
        github.call("POST", f"{path}/comments", json={"body": note}, accept=(201,))
        github.call("PATCH", path, json={"state": "closed", "state_reason": "completed"})
    return Kept.CLOSED


def start_workflow(github: GitHub, workflow: str, branch: str, commit: str) -> bool:
    """Start a workflow on a branch; False where it has run, or waits to, on its commit already.

    A run that was cancelled, as one that waits is when a later one takes its place, has not run.

    Raises:
        GitError: GitHub cannot be reached, or refuses.
    """
    path = f"actions/workflows/{workflow}"
    query = {"head_sha": commit, "branch": branch, "per_page": "100"}
    _, found = github.call("GET", f"{path}/runs", params=query)
    if any(run["conclusion"] not in _NOT_RUN for run in found["workflow_runs"]):
        return False
    github.call("POST", f"{path}/dispatches", json={"ref": branch}, accept=(200, 204))
    return True


def _pull_request(github: GitHub, run: Mapping[str, Any]) -> int | None:
    """Return the open pull request of which the run looked at the newest commit."""
    source = run["head_repository"]
    if source is None or run["event"] != "pull_request":
        return None  # the fork is gone, or it is another kind of run
    head = f"{source['owner']['login']}:{run['head_branch']}"
    for pull in github.listing("pulls", {"state": "open", "head": head}):
        there = pull["head"]
        is_same = there["repo"] and there["repo"]["full_name"] == source["full_name"]
        if is_same and there["sha"] == run["head_sha"]:
            return int(pull["number"])
    return None


def _text(github: GitHub, run_id: int) -> str | None:
    """Return the text that a run left for the comment; None where it left none."""
    _, listing = github.call("GET", f"actions/runs/{run_id}/artifacts", params={"name": ARTIFACT})
    found = [one for one in listing["artifacts"] if one["name"] == ARTIFACT and not one["expired"]]
    if not found:
        return None
    packed = github.download(f"actions/artifacts/{found[-1]['id']}/zip", MAX_ARTIFACT_BYTES)
    try:
        with zipfile.ZipFile(BytesIO(packed)) as archive, archive.open(_TEXT) as file:
            return file.read(4 * COMMENT_LIMIT).decode(errors="replace")
    except (zipfile.BadZipFile, KeyError, RuntimeError, EOFError, zlib.error) as error:
        raise ContentProblem(
            f"the artifact {ARTIFACT} of run {run_id} has no readable {_TEXT}: "
            f"{type(error).__name__}",
            hint="nothing was written; look at what that run did",
        ) from error


def _is_ours(comment: Mapping[str, Any]) -> bool:
    """Tell whether a bot wrote a comment with our mark; a person can copy the mark."""
    return comment["user"]["type"] == "Bot" and str(comment["body"]).startswith(_MARK)


def _tell_drift(github: GitHub, title: str, body: str, found: list[Any]) -> Kept:
    if found:
        github.call("PATCH", f"issues/{found[0]['number']}", json={"body": body})
        return Kept.UPDATED
    request = {"title": title, "body": body, "labels": [LABEL]}
    github.call("POST", "issues", json=request, accept=(201,))
    return Kept.OPENED


def _drift_text(report: Mapping[str, Any], drift: list[Mapping[str, str]]) -> str:
    lines = [
        f"- {escape(one['damage'])}: <code>{escape(one['key'])}</code>: {escape(one['why'])}"
        for one in drift[:MAX_LISTED]
    ]
    if len(drift) > MAX_LISTED:
        lines.append(f"- … and {len(drift) - MAX_LISTED:,} more")
    seen = f"Looked at {report['looked_at']:,} of {report['live_files']:,} files."
    head = f"Readers do not get what release {report['release']} has. {seen}"
    mend = f"Mend it with `exporter verify --target {report['target']} --repair`."
    foot = f"{mend} This issue is kept up to date, and closed when all is well."
    return "\n".join([head, "", *lines, "", foot])
