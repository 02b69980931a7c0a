"""How commands are asked for: the options that several of them share, and help that shows use.

The same thing has the same word, placeholder and sentence in every command. A command's help ends
in examples, which the tests run, and in what its exit statuses mean; what they mean in general is
told once, by `exporter --help`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

__all__ = [
    "STATUSES",
    "Command",
    "Group",
    "branch_option",
    "content_options",
    "json_option",
    "plan_option",
    "pull_request_option",
    "push_option",
    "target_option",
    "write_statuses",
]

STATUSES: Mapping[int, str] = {
    0: "Done, also where there was nothing to do.",
    1: "Problems of the content, or a plan that stays at its last release.",
    2: "Wrong usage or configuration.",
    3: "Refused: by a guard, a lease, an older commit, or a lost race.",
    4: "The outside failed: database, git, store, CDN. Safe to run again.",
    70: "A bug.",
}
"""What every command's exit status means (spec 6)."""

_Asked = TypeVar("_Asked", bound=Callable[..., Any])


class Command(click.Command):
    """A command of which the help ends in examples and exit statuses.

    `examples` maps command lines to what they are for, `ends` statuses to what they mean here.
    """

    def __init__(
        self,
        name: str | None,
        *,
        examples: Mapping[str, str],
        ends: Mapping[int, str] | None = None,
        **attributes: Any,  # noqa: ANN401 - click's
    ) -> None:
        super().__init__(name, **attributes)
        self.examples = examples
        self.ends = ends or {}

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the examples, then the exit statuses."""
        with formatter.section("Examples"):
            for line, purpose in self.examples.items():
                formatter.write_text(purpose)
                formatter.write(f"{'':{formatter.current_indent}}  {line}\n")
        if self.ends:
            write_statuses(formatter, self.ends)


class Group(click.Group):
    """A command with commands of its own, each of which has examples."""

    command_class = Command


def write_statuses(formatter: click.HelpFormatter, statuses: Mapping[int, str]) -> None:
    """Write what exit statuses mean."""
    with formatter.section("Exit status"):
        formatter.write_dl([(str(status), meaning) for status, meaning in statuses.items()])


target_option = click.option(
    "--target", metavar="NAME", help="The target; may be left out where there is one."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
push_option = click.option("--push", is_flag=True, help="Push the commit.")
branch_option = click.option(
    "--branch", metavar="BRANCH", help="Commit to this branch, for review."
)
pull_request_option = click.option(
    "--pull-request", is_flag=True, help="Push the branch, and open a pull request."
)
plan_option = click.option(
    "--plan", "plans", metavar="PLAN", multiple=True, help="Only this plan; may be given again."
)
_ref_option = click.option(
    "--ref", metavar="REF", help="A commit, branch or tag; default: the work tree."
)
_worktree_option = click.option(
    "--worktree", is_flag=True, help="The files as they stand on disk (the default)."
)


def content_options(command: _Asked) -> _Asked:
    """Let a command be told which content it reads: a commit's, or that of the work tree."""
    return _ref_option(_worktree_option(command))
