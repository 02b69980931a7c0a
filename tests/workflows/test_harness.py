"""The harness itself: what GitHub would do, it does, and what GitHub would refuse, it refuses."""

from __future__ import annotations

import pytest

from tests.workflows.conftest import School, refuse_leaks
from tests.workflows.hub import Run

PROBE = """\
name: Probe
on:
  workflow_dispatch:
    inputs: {word: {type: string, required: true}}
permissions: {}
jobs:
  first:
    runs-on: ubuntu-latest
    permissions: {RIGHTS}
    outputs: {word: '${{ steps.say.outputs.word }}'}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
        with: {fetch-depth: 0}
      - id: say
        env:
          WORD: ${{ inputs.word }}
          SECRET: ${{ secrets.CF_TOKEN }}
          TOKEN: ${{ github.token }}
        run: |
          echo "word=$WORD" >> "$GITHUB_OUTPUT"
          echo "# $WORD" >> "$GITHUB_STEP_SUMMARY"
          echo "::warning file=a=b%2C%250A.yaml,line=3::told"
          test ! -t 1
          LINE
      - if: success()
        run: echo after
  second:
    needs: first
    if: needs.first.outputs.word == 'yes'
    runs-on: ubuntu-latest
    steps:
      - run: echo "second says ${{ needs.first.outputs.word }}"
  third:
    needs: second
    if: failure()
    runs-on: ubuntu-latest
    steps:
      - run: echo "third runs"
"""
PUSH = 'new=$(git commit-tree -p HEAD -m x "HEAD^{tree}"); git push origin "$new:refs/heads/new"'
ME = "export GIT_{AUTHOR,COMMITTER}_NAME=me GIT_{AUTHOR,COMMITTER}_EMAIL=me@example.org;"
POST = (
    'curl -sSf -H "Authorization: Bearer $TOKEN" -d \'{"ref": "main"}\' '
    '"$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/actions/workflows/probe.yml/dispatches"'
)


def test_jobs_steps_outputs_and_summaries_are_githubs(school: School) -> None:
    run = _probe(school, "true").done
    assert run.jobs == {"first": "success", "second": "success"}
    assert "second says yes" in run.said
    assert run.summary == "# yes\n"
    assert [(each.kind, each.properties, each.text) for each in run.annotations] == [
        ("warning", {"file": "a=b,%0A.yaml", "line": "3"}, "told")
    ]
    assert _probe(school, "true", word="no").done.jobs == {"first": "success"}
    failed = _probe(school, "exit 3").done
    assert (failed.conclusion, failed.jobs) == ("failure", {"first": "failure", "third": "success"})
    assert "echo after" not in failed.steps


def test_a_run_may_do_what_its_permissions_say_and_no_more(school: School) -> None:
    push = f"{ME} {PUSH}"
    assert _probe(school, push, "contents: read").done.conclusion == "failure"
    assert _probe(school, push, "contents: write").done.conclusion == "success"
    assert _probe(school, PUSH, "contents: write").done.conclusion == "failure", "who are you?"
    assert _probe(school, POST, "actions: read").done.conclusion == "failure"
    assert school.hub.api.refused != []
    school.hub.api.refused.clear()
    assert _probe(school, POST, "actions: write").done.conclusion == "success"
    assert [run.workflow for run in school.hub.waiting] == ["probe.yml"]


def test_a_leak_is_found(school: School) -> None:
    _probe(school, 'echo "$SECRET" | tr a-z A-Z | tr A-Z a-z')
    with pytest.raises(AssertionError, match="CF_TOKEN is readable in log of probe"):
        refuse_leaks(school)
    school.hub.over.clear()


def _probe(school: School, line: str, rights: str = "contents: read", word: str = "yes") -> Run:
    """Run a workflow whose first job runs a line."""
    text = PROBE.replace("LINE", line).replace("RIGHTS", rights)
    (school.desk / ".github" / "workflows" / "probe.yml").write_text(text, encoding="utf-8")
    school.hub.git("update-ref", "refs/heads/main", school.commit("A probe"))
    school.hub.dispatch("probe.yml", word=word)
    return school.hub.run(school.hub.waiting[0])
