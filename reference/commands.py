"""`docs/commands.md`: every command as its own help has it, with examples that are run.

The words are those of the command line itself: usage, paragraphs, options, examples and exit
statuses are read from the commands, so that page and `--help` cannot say different things.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping

import click

from exporter.cli import GROUPS, cli
from exporter.cli.usage import STATUSES, Command
from reference.outputs import KINDS_OF, OUTPUTS
from reference.page import anchor

__all__ = ["commands_page"]

_INTRODUCTION = """\
# Commands

`make reference` writes this page from the commands themselves; do not edit it by hand. `exporter
COMMAND --help` shows the same. Placeholders in CAPITALS stand for yours; names like
`GRADE-12-SCI-2026` are those of the demo's school.
"""
_EVERYWHERE = """\
## In front of every command

```text
exporter [OPTIONS] COMMAND [ARGUMENTS]
```
"""
_EXIT_STATUSES = """
## Exit status

The same for every command; where one means something of its own, the command says so below.
Beside these, as shells have it: 130 where it was interrupted, 141 where its output is read no more.
"""
_OUTPUT = """
## Output

Results go to standard output, progress and errors to standard error. `--json` prints one object,
also where a command fails: [what is in each](json-reference.md#output-of-the-commands). In GitHub
Actions, commands also write the job summary, outputs and annotations. A mistyped command, option,
target, plan or key is told with the nearest ones that there are.
"""
_COMPLETION = """
## Shell completion

Commands and options are completed by the shell, once it was told so:

| shell | the line to add | to the file |
|---|---|---|
| bash 4.4 or newer | `eval "$(_EXPORTER_COMPLETE=bash_source exporter)"` | `~/.bashrc` |
| zsh | `eval "$(_EXPORTER_COMPLETE=zsh_source exporter)"` | `~/.zshrc` |
| fish | `_EXPORTER_COMPLETE=fish_source exporter \\| source` | `~/.config/fish/config.fish` |
"""
_PLACES: Mapping[str, str] = {
    "exporter adopt": "a school that lost its state store",
    "exporter destroy": "a school with a preview",
    "exporter retry": "a school with a plan that was held back",
}
"""Where the examples of a command are run, where that is not simply `the school`."""


def commands_page() -> str:
    """Return the page."""
    blocks = [_INTRODUCTION, "\n".join(map(_links, GROUPS.items()))]
    blocks += [_EVERYWHERE, _options(cli), _EXIT_STATUSES, _statuses(STATUSES)]
    blocks += [_OUTPUT, _COMPLETION]
    for title, commands in GROUPS.items():
        blocks.append(f"## {title}")
        for name in commands:
            module = importlib.import_module(f"exporter.cli.{name.replace('-', '_')}")
            blocks += _section(f"exporter {name}", module.command)
    return "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def _links(group: tuple[str, Mapping[str, str]]) -> str:
    title, commands = group
    return f"* **{title}**: " + ", ".join(f"[{name}](#exporter-{name})" for name in commands)


def _section(path: str, command: click.Command, level: int = 3) -> Iterator[str]:
    """Yield the blocks of a command, then those of the commands below it."""
    usage = command.collect_usage_pieces(click.Context(command, info_name=path))
    yield f"{'#' * level} {path}"
    yield _paragraphs(command)
    yield f"```text\n{' '.join([path, *usage])}\n```"
    if isinstance(command, Command):
        yield _examples(command.examples, _PLACES.get(path, "the school"))
    if any(isinstance(one, click.Option) for one in command.params):
        yield _options(command)
    if isinstance(command, Command) and command.ends:
        yield _statuses(command.ends)
    if kinds := list(_kinds(path)):
        yield f"`--json` prints {' or '.join(kinds)}."
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _section(f"{path} {name}", below, level + 1)


def _paragraphs(command: click.Command) -> str:
    """Return a command's help, a line a paragraph."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(command.help or ""))


def _examples(examples: Mapping[str, str], place: str) -> str:
    lines = [f"# {purpose.rstrip(':')}\n{line}" for line, purpose in examples.items()]
    return f"<!-- each in: {place} -->\n```sh\n" + "\n".join(lines) + "\n```"


def _options(command: click.Command) -> str:
    """Return how each option is written, and what it does, as a table."""
    context = click.Context(command)
    rows = (
        f"| `{record[0]}` | {_does(option, context)} |"
        for option in command.params
        if isinstance(option, click.Option) and (record := option.get_help_record(context))
    )
    return "\n".join(["| option | what it does |", "|---|---|", *rows])


def _does(option: click.Option, context: click.Context) -> str:
    """Return what an option does, and what it may be."""
    text = (option.help or "").replace("|", "\\|")
    said = [re.sub(r"(?<!`)(\$\{NAME\}|--[a-z]+( json)?)(?!`)", r"`\1`", text)]
    extra = option.get_help_extra(context)
    if default := extra.get("default"):
        said.append(f"Default: `{default}`.")
    if isinstance(option.type, click.IntRange):
        limits = (option.type.min, option.type.max)
        said.append(f"At least {limits[0]}." if limits[1] is None else "{} to {}.".format(*limits))
    if extra.get("required"):
        said.append("Must be given.")
    return " ".join(said)


def _statuses(statuses: Mapping[int, str]) -> str:
    rows = (f"| **{status}** | {meaning} |" for status, meaning in statuses.items())
    return "\n".join(["| exit status | meaning |", "|---|---|", *rows])


def _kinds(path: str) -> Iterator[str]:
    """Yield links to what a command prints as JSON."""
    name = path.removeprefix("exporter ")
    for kind in KINDS_OF.get(name, (f"output-{name}",)):
        if kind in OUTPUTS:
            title = OUTPUTS[kind][0]
            yield f"[{title}](json-reference.md#{anchor(title)})"
