"""The command line: `exporter [OPTIONS] COMMAND` (spec 6).

One small file a command. Commands import what they need when they run, so that `--help` answers at
once. Results go to standard output, progress and errors to standard error; every error that a user
may meet has its exit status (`exporter.errors`), and what has none is a bug: 70, with a traceback.
With `--json` there is one object on standard output also where a command fails.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from gc import set_threshold  # not the module: a command of ours has its name
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

import click

from exporter import __version__
from exporter.cli.actions import harmless, in_actions, tell_failure
from exporter.cli.session import Session
from exporter.cli.usage import STATUSES, write_statuses
from exporter.errors import ExporterError, UsageError

__all__ = ["COMMANDS", "GROUPS", "built_from", "cli", "main"]

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Set up": {
        "init": "Scaffold a content repository.",
        "demo": "See the whole story on this machine; needs only Python and git.",
        "doctor": "Try everything that a run needs, and say how to mend it.",
    },
    "Write content into git": {
        "snapshot": "Write the database's content into git, as one commit.",
        "watch": "Take snapshots when content has changed, until stopped.",
        "holds": "List what snapshots leave out because people rolled it back.",
        "release-hold": "Take the database's version of a held document now.",
    },
    "Review it": {
        "check": "Report every problem of the content.",
        "diff": "Show a change in people's words: who can open what, and more.",
        "preview": "See in the browser what students will see.",
        "build": "Write the published JSON files to a folder.",
        "explain": "Say why students see what they see, or what made a file.",
    },
    "Publish it": {
        "plan": "Show the steps of a publish, without doing them.",
        "publish": "Publish a commit to a target.",
        "refresh": "Sign media URLs again before they expire.",
        "github": "Say on GitHub what a workflow found out; start the next one.",
    },
    "Look at what is live": {
        "status": "Show what is live, and what waits.",
        "releases": "List the releases of a target.",
        "show": "Show a release in full.",
        "verify": "Compare what is on the CDN with the live release; repair it.",
    },
    "Mend": {
        "rollback": "Put content back as it was in a release or a commit.",
        "retry": "Try plans again that failed or were held back too often.",
        "gc": "Delete published files that no recent release needs.",
        "adopt": "Make a lost state store again, from the CDN and git.",
        "destroy": "Take a throw-away target down.",
    },
}
"""The commands in the order in which people meet them."""
COMMANDS = {name: does for group in GROUPS.values() for name, does in group.items()}
_GO_ON = frozenset({"snapshot", "rollback", "build", "publish", "refresh", "retry"})
"""What may be stopped at any moment: the next run ends what this one began, or begins anew."""
BUG_EXIT_STATUS = 70
_PIPE_EXIT_STATUS = 141
"""What a shell says of a program that SIGPIPE ended."""
_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|_KEY", re.IGNORECASE)
_SHORTEST_SECRET = 6
"""A shorter value would be found in every second word."""
_URL_PASSWORD = re.compile(r"://[^/@:\s]*:([^@\s]+)@")


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """End as other programs do where nobody reads the output any more; click would end with 1."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(_PIPE_EXIT_STATUS) from None


class _LazyGroup(click.Group):
    """A group of which a command's module is imported when the command is asked for."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:  # noqa: ANN401 - click's
        """Read the command line; `--help` is printed here."""
        with _readers_may_leave():
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        with _readers_may_leave():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # click knows no command that sleeps
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=COMMANDS, ctx=ctx
            ) from error

    def get_command(  # click's signature
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"exporter.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        widest = max(map(len, COMMANDS))
        formatter.write_paragraph()
        for title, commands in GROUPS.items():  # no sections: with empty lines it is no screenful
            formatter.write_heading(title)
            with formatter.indentation():
                formatter.write_dl([(name.ljust(widest), does) for name, does in commands.items()])

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        write_statuses(formatter, STATUSES)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Use this instead of the nearest exporter.yaml.",
)
@click.option(
    "-C",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="Run as if started in this folder.",
)
@click.option("--verbose/--quiet", default=None, help="Say more, or only what matters.")
@click.option("--no-color", is_flag=True, help="Plain output, without colours.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _option, wanted: _show_version(ctx) if wanted else None,
    help="Show the version, and the commit it is from.",
)
@click.pass_context
def cli(
    ctx: click.Context,
    *,
    config: Path | None,
    folder: Path,
    verbose: bool | None,
    no_color: bool,
) -> None:
    """Publish courses from a Frappe site to a CDN, with git in between.

    Every release is a commit: reviewed as a diff, audited, and taken back with a revert.
    """
    ctx.obj = Session(
        config, folder, quiet=verbose is False, verbose=verbose is True, color=not no_color
    )
    ctx.call_on_close(ctx.obj.end_progress)


def _show_version(ctx: click.Context) -> NoReturn:
    commit = built_from()
    click.echo(f"exporter {__version__}{f' ({commit[:12]})' if commit else ''}")
    ctx.exit()


def built_from() -> str:
    """Return the commit of this program, noted in the wheel or the checkout's; else nothing."""
    package = Path(__file__).parents[1]
    if (package / "COMMIT").is_file():
        return (package / "COMMIT").read_text(encoding="utf-8").strip()
    if not (package.parent / ".git").exists():
        return ""
    command = ["git", "-C", str(package.parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:  # there is no git
        return ""


def main() -> NoReturn:
    """Run the command line and exit with the documented status."""
    set_threshold(100_000, 20, 100)  # documents hold no cycles: looking for them costs a fifth
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # titles are in any script; JSON is UTF-8
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(_status())


def _status() -> int:
    try:
        result = cli.main(prog_name="exporter", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as error:  # its message is the whole help
        click.echo(error.format_message(), err=True)
        return _failed(error, UsageError.exit_status)
    except click.ClickException as error:
        told = _in_our_words(error)
        _show(told)
        return _failed(told, told.exit_status)
    except click.Abort as error:
        again = "; nothing is lost, run it again" if _asked_for() in _GO_ON else ""
        click.echo(f"interrupted{again}", err=True)
        return _failed(error, 130)
    except ExporterError as error:
        _show(error)
        return _failed(error, error.exit_status)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug, told as one
        click.echo(harmless(without_secrets(traceback.format_exc(), os.environ)), err=True)
        click.echo(f"exporter {__version__} has a bug: please report the lines above", err=True)
        return _failed(error, BUG_EXIT_STATUS)
    return result if isinstance(result, int) else 0


def without_secrets(text: str, environ: Mapping[str, str]) -> str:
    """Return text without what the environment holds of secrets: a bug's message may hold any."""
    for name, value in environ.items():
        in_url = _URL_PASSWORD.search(value)
        secrets = {in_url[1], unquote(in_url[1])} if in_url else set()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET:
            secrets.add(value)
        for secret in secrets:
            text = text.replace(secret, "***")
    return text


def _failed(error: BaseException, status: int) -> int:
    """Print what failed as one JSON object, where that is asked for; the exit status."""
    from exporter.cli.reporting import asked_for_json, failure_json

    if asked_for_json(sys.argv[1:]):
        report = json.dumps(failure_json(error, status), ensure_ascii=False, indent=2)
        click.echo(harmless(report))
    return status


def _in_our_words(error: click.ClickException) -> UsageError:
    """Return what click finds wrong as one of our errors, with where its help is."""
    context = getattr(error, "ctx", None)
    message = error.format_message().strip()
    return UsageError(
        message[:1].lower() + message[1:].removesuffix("."),
        hint=f"{context.command_path if context else 'exporter'} --help",
    )


def _show(error: ExporterError) -> None:
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(harmless(error.message), err=True)
    if error.hint:
        click.secho("  try: ", fg="cyan", nl=False, err=True)
        click.echo(harmless(error.hint), err=True)
    if in_actions():
        tell_failure(_asked_for(), error)


def _asked_for() -> str:
    return next((word for word in sys.argv[1:] if word in COMMANDS), "")
