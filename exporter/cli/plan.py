"""`exporter plan`: the steps of a publish, without doing them (spec 5)."""

from __future__ import annotations

import click

from exporter.cli.publish import prepare_publish, show_steps
from exporter.cli.session import Session, pass_session

__all__ = ["command"]


@click.command("plan")
@click.option("--target", default=None, help="The target; may be left out where there is one.")
@click.option("--ref", default="HEAD", show_default=True, help="The commit to publish.")
@click.option(
    "--allow-older", is_flag=True, help="Show a commit that is not newer than the live one, too."
)
@click.option("--allow-mass-delete", is_flag=True, help="Show the steps also where much goes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(
    session: Session,
    *,
    target: str | None,
    ref: str,
    allow_older: bool,
    allow_mass_delete: bool,
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
    prepared = prepare_publish(session, opened, ref, options)
    return show_steps(session, opened, prepared, as_json=as_json)
