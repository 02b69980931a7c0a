"""`exporter retry`: plans that failed too often are tried again (spec 5, dead letters)."""

from __future__ import annotations

import click

from exporter.cli.publish import publish_ref
from exporter.cli.session import OpenTarget, Session, pass_session
from exporter.cli.usage import Command, json_option, target_option
from exporter.errors import UsageError

__all__ = ["command"]


@click.command(
    "retry",
    cls=Command,
    examples={
        "exporter retry --all --ref HEAD": "Try every such plan with the last commit:",
        "exporter retry GRADE-12-SCI-2026 --ref HEAD": "Try one plan with it:",
    },
    ends={1: "A plan failed, or is held back, once more.", 3: "Another publish is at work."},
)
@click.argument("plans", nargs=-1, metavar="[PLAN]...")
@click.option("--all", "every", is_flag=True, help="Every plan that was tried too often.")
@target_option
@click.option("--ref", metavar="REF", help="The commit to publish instead of the live one.")
@json_option
@pass_session
def command(
    session: Session,
    *,
    plans: tuple[str, ...],
    every: bool,
    target: str | None,
    ref: str | None,
    as_json: bool,
) -> int:
    """Try plans again that failed or were held back three times in a row.

    Publishes the live commit again, with these plans in it; their attempts start anew.
    """
    from exporter.cli.alerting import alerting
    from exporter.publish.planning import PublishOptions

    if bool(plans) == every:
        raise UsageError("name the plans to try again, or say --all")
    opened = session.open_target(target)
    commit = _live_commit(session, opened, frozenset(plans))
    options = PublishOptions(
        retry=frozenset(plans),
        retry_all=every,
        max_delete_ratio=session.config.publish.max_delete_ratio,
    )
    with alerting(session, f"retry on {opened.target.name}"):
        return publish_ref(session, opened, ref or commit, options, as_json=as_json)


def _live_commit(session: Session, opened: OpenTarget, plans: frozenset[str]) -> str:
    """Return the commit that is live, fetched if need be, once it is clear what to try again.

    Raises:
        UsageError: nothing is live, or a plan was not tried too often.
    """
    from exporter.content.deepening import find_or_fetch

    live = opened.ledger.live()
    if live.head is None or live.release is None:
        raise UsageError("nothing was published yet", hint="run `exporter publish`")
    dead = {name for name, outcome in live.release.plans.items() if outcome.is_dead}
    if unknown := sorted(plans - dead):
        raise UsageError(
            f"{', '.join(unknown)}: no plan of {opened.target.name} that was tried too often",
            hint=f"such plans: {', '.join(sorted(dead)) or 'none'}; "
            "`exporter publish` tries all others by itself",
        )
    find_or_fetch(session.repository, live.head.commit)
    return live.head.commit
