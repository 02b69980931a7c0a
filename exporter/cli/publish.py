"""`exporter publish`: a commit becomes what students see (spec 5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from exporter.cli.session import OpenTarget, Session, pass_session

if TYPE_CHECKING:
    from exporter.publish.planning import Prepared, PublishOptions
    from exporter.publish.publisher import Published

__all__ = ["command", "prepare_publish", "show_steps"]


@click.command("publish")
@click.option("--target", default=None, help="The target; may be left out where there is one.")
@click.option("--ref", default="HEAD", show_default=True, help="The commit to publish.")
@click.option("--dry-run", is_flag=True, help="Only show the steps, as `exporter plan` does.")
@click.option("--plan", "plans", multiple=True, help="Only this plan; may be given again.")
@click.option("--allow-older", is_flag=True, help="Publish a commit that is not newer than the live one.")
@click.option("--allow-mass-delete", is_flag=True, help="Let this publish delete much.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_session
def command(
    session: Session,
    *,
    target: str | None,
    ref: str,
    dry_run: bool,
    plans: tuple[str, ...],
    allow_older: bool,
    allow_mass_delete: bool,
    as_json: bool,
) -> int:
    """Publish a commit to a target: build, check, upload, record, delete, purge.

    A plan with an error stays at its last release; the exit status is then 1.
    """
    from exporter.publish.planning import PublishOptions

    options = PublishOptions(
        frozenset(plans),
        allow_older=allow_older,
        allow_mass_delete=allow_mass_delete,
        max_delete_ratio=session.config.publish.max_delete_ratio,
    )
    opened = session.open_target(target)
    prepared = prepare_publish(session, opened, ref, options)
    if dry_run:
        return show_steps(session, opened, prepared, as_json=as_json)
    if prepared.is_nothing:
        return _tell_nothing(session, opened, prepared, as_json=as_json)
    published = opened.publisher.publish(prepared, session.new_run())
    return _tell(session, prepared, published, as_json=as_json)


def prepare_publish(
    session: Session, opened: OpenTarget, ref: str, options: PublishOptions
) -> Prepared:
    """Work out what publishing a ref to a target means."""
    from exporter.publish.planning import prepare

    return prepare(session.workspace, opened.ledger, session.resolve(ref), options)


def show_steps(session: Session, opened: OpenTarget, prepared: Prepared, *, as_json: bool) -> int:
    """Print the steps of a publish; the exit status is 1 where a plan is held back."""
    from exporter.cli.reporting import step_json, tell_outcomes, tell_steps

    steps = prepared.steps(purges=opened.purger is not None)
    if as_json:
        report = {
            "target": opened.target.name,
            "commit": prepared.commit.sha,
            "live": prepared.live.head.release if prepared.live.head else None,
            "steps": [step_json(step) for step in steps],
            "plans": _outcomes_json(prepared),
        }
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    elif not steps:
        session.out(f"nothing to do: commit {prepared.commit.sha[:12]} is live")
    else:
        tell_steps(session, steps)
        tell_outcomes(session, prepared.outcomes)
    return _status(prepared)


def _tell_nothing(session: Session, opened: OpenTarget, prepared: Prepared, *, as_json: bool) -> int:
    """Report that the commit is live already, after paying what is still owed to the CDN."""
    error = opened.publisher.settle(prepared)
    release = prepared.live.head.release if prepared.live.head else ""
    if as_json:
        session.out(json.dumps({"release": release, "changed": False, "purge_error": error}))
    else:
        session.out(f"nothing to do: commit {prepared.commit.sha[:12]} is live as {release}")
        _tell_purge(session, error)
    return 4 if error else _status(prepared)


def _tell(session: Session, prepared: Prepared, published: Published, *, as_json: bool) -> int:
    from exporter.cli.reporting import annotate, tell_outcomes, write_outputs, write_summary

    release = published.release
    line = (
        f"{release.id}: {release.files_put} files put ({release.bytes_put:,} bytes), "
        f"{release.files_deleted} deleted"
    )
    if as_json:
        report = {"release": release.id, "changed": True, "purge_error": published.purge_error}
        session.out(json.dumps({**report, "record": release.to_json()}, ensure_ascii=False, indent=2))
    else:
        session.out(line, bold=True)
        tell_outcomes(session, prepared.outcomes)
        annotate(session, prepared.findings, session.config.snapshot.path)
        _tell_purge(session, published.purge_error)
    write_summary(f"### Published\n\n{line}\n")
    write_outputs({"release": release.id, "files_put": release.files_put})
    return 4 if published.purge_error else _status(prepared)


def _tell_purge(session: Session, error: str) -> None:
    if error:
        session.say(f"not purged: {error}; the next publish tries again")


def _status(prepared: Prepared) -> int:
    bad = {"failed", "held back"}
    return 1 if any(outcome.state.value in bad for outcome in prepared.outcomes.values()) else 0


def _outcomes_json(prepared: Prepared) -> dict[str, dict[str, object]]:
    return {
        name: {"state": outcome.state.value, "attempts": outcome.attempts, "error": outcome.error}
        for name, outcome in sorted(prepared.outcomes.items())
    }
