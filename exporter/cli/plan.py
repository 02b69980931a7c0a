"""`exporter plan`: the steps of a publish, without doing them (spec 5)."""

from __future__ import annotations

import click

from exporter.cli.publish import prepare_publish, show_steps
from exporter.cli.session import Session, pass_session
from exporter.cli.sharding import show_matrix
from exporter.cli.usage import Command, json_option, target_option

__all__ = ["command"]


@click.command(
    "plan",
    cls=Command,
    examples={
        "exporter plan": "See what a publish would do now:",
        "exporter plan --target production --ref HEAD~1 --allow-older": "See how to go back:",
    },
    ends={1: "A plan would stay at its last release.", 3: "A guard would refuse the publish."},
)
@target_option
@click.option(
    "--ref",
    metavar="REF",
    default="HEAD",
    show_default=True,
    help="The commit, branch or tag to publish.",
)
@click.option(
    "--allow-older", is_flag=True, help="Show a commit that is not newer than the live one, too."
)
@click.option("--allow-mass-delete", is_flag=True, help="Show the steps also where much goes.")
@click.option(
    "--matrix",
    metavar="N",
    type=click.IntRange(1),
    help="Print a GitHub matrix instead: at most N machines that share the publish.",
)
@json_option
@pass_session
def command(
    session: Session,
    *,
    target: str | None,
    ref: str,
    allow_older: bool,
    allow_mass_delete: bool,
    matrix: int | None,
    as_json: bool,
) -> int:
    """Show the steps of a publish, without doing them: the same list that `publish` runs."""
    from exporter.publish.planning import PublishOptions

    options = PublishOptions(
        allow_older=allow_older,
        allow_mass_delete=allow_mass_delete,
        max_delete_ratio=session.config.publish.max_delete_ratio,
    )
    opened = session.open_target(target)
    if matrix:
        return show_matrix(session, opened, ref, options, matrix)
    prepared = prepare_publish(session, opened, ref, options)
    return show_steps(session, opened, prepared, as_json=as_json)
