"""How a command fails that was asked for JSON: one documented object, whatever went wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from exporter import errors
from exporter.build.schemas import document, validator
from exporter.cli import main, releases
from exporter.cli.reporting import asked_for_json, failure_json
from exporter.errors import ExporterError
from tests.cli.running import CONFIG, content_repository
from tests.e2e.command_line import Place


def failures() -> Iterator[tuple[BaseException, str]]:
    """Yield every error that a user may meet, with the kind that it should be."""
    named = {
        *("ContentProblem=content", "UsageError=usage", "ConfigError=configuration"),
        *("Refused=refused", "OutsideError=outside", "SourceError=database", "GitError=git"),
        *("StoreError=store", "PurgeError=purge"),
    }
    kinds = dict(one.split("=") for one in named)
    for name in errors.__all__:
        cls = getattr(errors, name)
        if cls is not ExporterError:  # a narrower error is of its parent's kind
            kind = next(kinds[one.__name__] for one in cls.__mro__ if one.__name__ in kinds)
            yield cls("it went wrong", hint="do this"), kind


@pytest.mark.parametrize(("error", "kind"), list(failures()))
def test_every_error_has_its_kind(error: ExporterError, kind: str) -> None:
    told = failure_json(error, error.exit_status)
    assert told == {
        "error": {
            "kind": kind,
            "message": "it went wrong",
            "hint": "do this",
            "exit_status": error.exit_status,
        }
    }
    assert validator("output-error")(told) == []


def test_who_reads_the_output_may_leave(tmp_path: Path) -> None:
    """Such as `exporter releases | head -1`; 1 would say that the content has problems."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "exporter", "-C", str(tmp_path), "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_program_alone_prints_its_help_and_nothing_else(tmp_path: Path) -> None:
    alone = Place(tmp_path).exporter(status=2)
    assert (alone.out, alone.err) == ("", Place(tmp_path).exporter("--help").out)


def test_kinds_are_those_of_the_schema() -> None:
    others = {"interrupted": click.Abort(), "bug": KeyError("x"), "usage": errors.UsageError("x")}
    for kind, error in others.items():
        told = failure_json(error, 70)
        assert (told["error"]["kind"], validator("output-error")(told)) == (kind, [])
    words = document("output-error")["properties"]["error"]["properties"]["kind"]["enum"]
    assert set(words) == {*others, *(kind for _, kind in failures())}


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["status", "--json"], True),
        (["check", "--format", "json"], True),
        (["diff", "--format=json", "HEAD"], True),
        (["diff", "--format", "markdown"], False),
        (["explain", "json", "--format"], False),
        (["status"], False),
    ],
)
def test_json_is_asked_for_by_the_option_alone(arguments: list[str], asked: bool) -> None:
    assert asked_for_json(arguments) is asked


def test_a_failure_is_told_to_programs_and_to_people(tmp_path: Path) -> None:
    place = Place(content_repository(tmp_path / "content", {}, CONFIG))
    for command in (("publish", "--json"), ("check", "--format", "json", "--ref", "nowhere")):
        said = place.exporter(*command, status=None)
        told = json.loads(said.out)["error"]
        assert told["exit_status"] == said.status in (2, 3)
        assert said.err.startswith(f"error: {told['message']}\n")
    assert place.exporter("publish", status=3).out == ""


def test_wrong_usage_and_a_missing_configuration_are_told_as_json(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.exporter("status", "--nonsense", "--json", status=2).report["error"] == {
        "kind": "usage",
        "message": "no such option '--nonsense'",
        "hint": "exporter status --help",
        "exit_status": 2,
    }
    assert place.exporter("status", "--json", status=2).report["error"]["exit_status"] == 2


def test_a_bug_is_told_as_one_and_shows_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(releases.command, "callback", broken)
    monkeypatch.setattr("sys.argv", ["exporter", "-C", str(tmp_path), "releases", "--json"])
    with pytest.raises(SystemExit, match="70"):
        main()
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert validator("output-error")(told) == []
    assert (told["error"]["kind"], "planted" in said.out) == ("bug", False)
    assert "RuntimeError: planted" in said.err
