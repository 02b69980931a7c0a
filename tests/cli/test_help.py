"""Help fits a screen, shows use, and says the same thing in the same words everywhere."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import exporter.cli
from exporter.cli import COMMANDS, GROUPS, cli, main
from exporter.cli.usage import STATUSES, Command

SCREEN, WIDTH = 40, 80
SHARED = {
    "--target": {"NAME"},
    "--ref": {"REF"},
    "--compare": {"REF"},
    "--plan": {"PLAN"},
    "--document": {"DOCUMENT"},
    "--branch": {"BRANCH"},
}
"""Options that several commands have, with what stands for their value."""
ONE_SENTENCE = {"--branch", "--pull-request"}
"""Options that do the same thing wherever they are."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its words on the command line, those below others too."""
    for name in COMMANDS:
        module = importlib.import_module(f"exporter.cli.{name.replace('-', '_')}")
        yield name, module.command
        if isinstance(module.command, click.Group):
            for below, command in module.command.commands.items():
                yield f"{name} {below}", command


def options() -> Iterator[tuple[str, str, click.Option]]:
    for path, command in commands():
        for option in command.params:
            if isinstance(option, click.Option):
                yield path, option.opts[0], option


def shown(*arguments: str) -> list[str]:
    done = CliRunner().invoke(cli, [*arguments, "--help"], prog_name="exporter")
    assert done.exit_code == 0
    return done.output.splitlines()


@pytest.mark.parametrize("path", [path for path, _ in commands()])
def test_help_fits_a_screen_and_begins_with_what_to_type_and_what_for(path: str) -> None:
    lines = shown(*path.split())
    assert lines[0].startswith(f"Usage: exporter {path}")
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= WIDTH
    sentence = re.match(r"  [A-Z][a-z]+ .*?[.:]", " ".join(lines[2:6]))
    assert sentence, lines


def test_the_overview_has_every_command_in_a_line_and_fits_without_scrolling_much() -> None:
    lines = shown()
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) <= 60
    for name, does in COMMANDS.items():
        assert f"  {name.ljust(max(map(len, COMMANDS)))}  {does}" in lines
    assert [line[:-1] for line in lines if re.fullmatch(r"[A-Z][\w ]+:", line)] == [
        *("Options", *GROUPS, "Exit status")
    ]
    for status, meaning in STATUSES.items():
        assert f"  {status:<2}  {meaning}" in lines


def test_every_command_that_there_is_is_in_the_overview() -> None:
    modules = (module.name for module in pkgutil.iter_modules(exporter.cli.__path__))
    having = {
        name.replace("_", "-")
        for name in modules
        if isinstance(
            getattr(importlib.import_module(f"exporter.cli.{name}"), "command", None),
            click.Command,
        )
    }
    assert having == set(COMMANDS)


@pytest.mark.parametrize(("path", "command"), list(commands()))
def test_a_command_shows_examples_of_itself(path: str, command: click.Command) -> None:
    if isinstance(command, click.Group):
        return
    assert isinstance(command, Command), "give it cls=Command and examples"
    assert command.examples
    for line, purpose in command.examples.items():
        assert f"exporter {path}" in line
        assert re.fullmatch(r"[A-Z].*[^.]:", purpose), purpose
        words = re.split(r"[;>|]", line[line.index(f"exporter {path}") :])[0]
        command.make_context(path, shlex.split(words)[1 + len(path.split()) :])
    assert command.ends.keys() <= STATUSES.keys()


def test_an_option_of_several_commands_has_one_form_everywhere() -> None:
    forms = defaultdict(set)
    sentences = defaultdict(set)
    for _, name, option in options():
        if name in SHARED:
            forms[name].add(option.metavar)
        if name in ONE_SENTENCE:
            sentences[name].add(option.help)
    assert forms == SHARED
    assert {name: len(said) for name, said in sentences.items()} == dict.fromkeys(ONE_SENTENCE, 1)


def test_every_option_says_what_stands_for_its_value_and_what_it_does() -> None:
    for path, name, option in options():
        where = f"{path} {name}"
        assert option.help, where
        assert re.match(r"[A-Z…]", option.help), where
        assert option.help.endswith(".") or option.help.endswith("…"), where
        if not option.is_flag and not isinstance(option.type, click.Choice):
            assert option.metavar, where


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("chek", "error: no such command 'chek'. Did you mean 'check'?\n  try: exporter --help\n"),
        (
            "publish --dryrun",
            (
                "error: no such option '--dryrun'. Did you mean '--dry-run'?\n"
                "  try: exporter publish --help\n"
            ),
        ),
        (
            "github strt",
            "error: no such command 'strt'. Did you mean 'start'?\n  try: exporter github --help\n",
        ),
        (
            "rollback",
            "error: missing argument 'RELEASE|COMMIT'\n  try: exporter rollback --help\n",
        ),
    ],
)
def test_what_is_mistyped_is_told_as_every_error_is(
    typed: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["exporter", *typed.split()])
    with pytest.raises(SystemExit) as left:
        main()
    assert (left.value.code, *capsys.readouterr()) == (2, "", said)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (("exporter", "pub"), "publish"),
        (("exporter", "publish", "--dry"), "--dry-run"),
        (("exporter", "github", "st"), "start"),
    ],
)
def test_bash_completes(typed: tuple[str, ...], completed: str, tmp_path: Path) -> None:
    words = shlex.join(typed)
    script = (
        'eval "$(_EXPORTER_COMPLETE=bash_source exporter)"\n'
        f"COMP_WORDS=({words}) COMP_CWORD={len(typed) - 1}\n"
        '_exporter_completion exporter; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, completed), done.stderr
