"""`exporter publish`: a commit becomes what students see (spec 5)."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import OpenTarget, Session, pass_session
from exporter.cli.sharding import Sharing, forget_shards, prepare_shard_of, share_options
from exporter.cli.usage import Command, json_option, plan_option, target_option
from exporter.core.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.core.release import Outcome
    from exporter.publish.planning import Prepared, PublishOptions
    from exporter.publish.prepared import Published
    from exporter.publish.proof import Proof

__all__ = ["command", "prepare_publish", "publish_ref", "show_steps"]


@click.command(
    "publish",
    cls=Command,
    examples={
        "exporter publish": "Publish the last commit:",
        "exporter publish --target production --dry-run": "See what it would do:",
        "exporter publish --plan GRADE-12-SCI-2026": "Let one plan go ahead of the others:",
        "exporter publish --ref HEAD~1 --allow-older": "Go back to an earlier commit:",
    },
    ends={
        1: "A plan stayed at its last release, as it has an error.",
        3: "It would delete too much, is not newer, or another publish is at work.",
        4: "A store or the CDN failed; the next publish goes on from there.",
    },
)
@target_option
@click.option(
    "--ref",
    metavar="REF",
    default="HEAD",
    show_default=True,
    help="The commit, branch or tag to publish.",
)
@click.option("--dry-run", is_flag=True, help="Only show the steps, as `exporter plan` does.")
@plan_option
@click.option(
    "--allow-older", is_flag=True, help="Publish a commit that is not newer than the live one."
)
@click.option("--allow-mass-delete", is_flag=True, help="Let this publish delete much.")
@share_options
@json_option
@pass_session
def command(
    session: Session,
    /,
    *,
    target: str | None,
    ref: str,
    dry_run: bool,
    plans: tuple[str, ...],
    allow_older: bool,
    allow_mass_delete: bool,
    as_json: bool,
    **sharing: Any,  # noqa: ANN401 - `Sharing` names them
) -> int:
    """Publish a commit to a target: build, check, upload, record, delete, purge.

    A plan with an error stays at its last release, and the others go on.
    """
    from exporter.cli.alerting import alerting
    from exporter.publish.planning import PublishOptions

    shared = Sharing(**sharing)
    shared.refuse_unsound(session, whole=not (plans or dry_run))
    options = PublishOptions(
        frozenset(plans),
        allow_older=allow_older,
        allow_mass_delete=allow_mass_delete,
        max_delete_ratio=session.config.publish.max_delete_ratio,
        shards=shared.shards or 0,
    )
    if dry_run:
        opened = session.open_target(target)
        prepared = prepare_publish(session, opened, ref, options)
        return show_steps(session, opened, prepared, as_json=as_json)
    with alerting(session, f"publish to {target}" if target else "publish"):
        opened = session.open_target(target)
        if shared.shard:
            return prepare_shard_of(session, opened, ref, options, shared.shard, as_json=as_json)
        return publish_ref(session, opened, ref, options, as_json=as_json)


def publish_ref(
    session: Session, opened: OpenTarget, ref: str, options: PublishOptions, *, as_json: bool
) -> int:
    """Publish a ref to a target and tell what was done; the exit status."""
    from exporter.cli.actions import annotate_unseen
    from exporter.stores.folder import FolderStore

    if isinstance(opened.cdn, FolderStore):
        annotate_unseen(opened.target.store)
    run = session.new_run()
    prepared = prepare_publish(
        session, opened, ref, options, lambda: opened.publisher.refuse_if_busy(run)
    )
    if prepared.is_nothing:
        return _tell_nothing(session, opened, prepared, as_json=as_json)
    if prepared.precedent:
        session.say(f"going back to release {prepared.precedent}: its files stand, and are taken")
    published = opened.publisher.publish(prepared, run)
    if options.shards:
        forget_shards(session, opened, prepared, options.shards)
    proof = _prove(session, opened, published)
    _alert(session, opened, prepared, published)
    _show_in_actions(session, opened, prepared, published, proof)
    report = _report(opened, published, proof) if as_json else None
    return _tell(session, published, proof, report)


def prepare_publish(
    session: Session,
    opened: OpenTarget,
    ref: str,
    options: PublishOptions,
    before_work: Callable[[], None] = lambda: None,
) -> Prepared:
    """Work out what publishing a ref to a target means; `before_work` may refuse to build it."""
    from exporter.cli.uncommitted import uncommitted_told
    from exporter.publish.guarding import refuse_forgotten_files
    from exporter.publish.planning import prepare

    with uncommitted_told(session, ref):
        commit, workspace = session.resolve(ref), session.workspace
        prepared = prepare(workspace, opened.ledger, commit, options, before_work)
        refuse_forgotten_files(opened.cdn, opened.ledger, workspace, prepared, options)
    return prepared


def show_steps(session: Session, opened: OpenTarget, prepared: Prepared, *, as_json: bool) -> int:
    """Print the steps of a publish; the exit status is 1 where a plan is held back."""
    from exporter.cli.reporting import step_json, tell_outcomes, tell_steps
    from exporter.core.steps import DeleteFile, PutFile

    steps = prepared.steps(purges=opened.purger is not None)
    if as_json:
        report = {
            "target": opened.target.name,
            "commit": prepared.commit.sha,
            "live_release": prepared.live.head.release if prepared.live.head else None,
            "files_put": len(prepared.delta.put),
            "bytes_put": sum(step.size for step in steps if isinstance(step, PutFile)),
            "files_deleted": sum(isinstance(step, DeleteFile) for step in steps),
            "steps": [step_json(step) for step in steps],
            "plans": _outcomes_json(prepared),
        }
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    elif not steps:
        session.out(f"nothing to do: commit {prepared.commit.sha[:12]} is live")
        _tell_behind(session, opened, prepared.outcomes)
    else:
        tell_steps(session, steps)
        tell_outcomes(session, prepared.outcomes)
    return _status(prepared.outcomes)


def _tell_nothing(
    session: Session, opened: OpenTarget, prepared: Prepared, *, as_json: bool
) -> int:
    """Report that the commit is live already."""
    from exporter.cli.actions import in_actions, outcomes_summary, write_summary

    release = prepared.live.release
    if as_json and release:
        from exporter.publish.prepared import Published

        report = _report(opened, Published(release, is_new=False), None)
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    elif release:
        session.out(f"nothing to do: commit {prepared.commit.sha[:12]} is live as {release.id}")
        _tell_behind(session, opened, prepared.outcomes)
    if in_actions():
        line = f"Nothing to publish: commit {prepared.commit.sha[:12]} is live."
        write_summary(outcomes_summary(opened.target.name, [line], prepared.outcomes))
    return _status(prepared.outcomes)


def _tell_behind(session: Session, opened: OpenTarget, outcomes: Mapping[str, Outcome]) -> None:
    """Name the plans that stay behind although there is nothing to do, and how to try again."""
    behind = {name: one for name, one in sorted(outcomes.items()) if one.is_bad}
    for name, one in behind.items():
        why = one.error.partition("\n")[0] or "no reason was recorded"
        session.out(f"  {name} stays as it was: {one.state.value}, {why}", fg="red")
    if dead := shlex.join(name for name, one in behind.items() if one.is_dead):
        target = shlex.join(["--target", opened.target.name])
        session.out(
            "they were tried too often to be tried again by themselves: correct the content, or "
            f"run `exporter retry {target} {dead}`"
        )


def _prove(session: Session, opened: OpenTarget, published: Published) -> Proof | None:
    """Look through the CDN whether readers get what was put; None where none can be asked."""
    from exporter.publish.proof import LIMIT_S, prove, wanted_files
    from exporter.publish.reader import CdnReader

    target = opened.target
    if not target.base_url or not published.put:
        return None
    origins = target.purge.origins if target.purge else ()
    wanted = wanted_files(published.put, target.base_url, origins, session.sample)
    limit_s = LIMIT_S if opened.purger and not published.purge_error else 0.0
    with CdnReader(session.config.publish.concurrency) as reader:
        return prove(wanted, reader.fetch, session.clock, session.sleep, limit_s)


def _alert(session: Session, opened: OpenTarget, prepared: Prepared, published: Published) -> None:
    """Tell the webhook what this publish left undone."""
    from exporter.cli.alerting import alert, alert_outcomes

    what = f"publish to {opened.target.name}"
    before = prepared.live.release.plans if prepared.live.release else {}
    alert_outcomes(session, what, before, published.release.plans)
    if published.purge_error:
        alert(session, f"{what} was not purged from the CDN: {published.purge_error}")


def _show_in_actions(
    session: Session,
    opened: OpenTarget,
    prepared: Prepared,
    published: Published,
    proof: Proof | None,
) -> None:
    """Write annotations, the job summary and outputs, where GitHub Actions runs this."""
    from exporter.cli.actions import (
        annotate,
        annotate_outcomes,
        in_actions,
        outcomes_summary,
        write_outputs,
        write_summary,
    )

    if not in_actions():
        return
    release = published.release
    annotate(prepared.findings, session.config.snapshot.path)
    annotate_outcomes(release.plans)
    not_purged = f"Not purged: {published.purge_error}" if published.purge_error else ""
    lines = [_line(published), not_purged, str(proof) if proof else ""]
    title = f"Published to {opened.target.name}"
    write_summary(outcomes_summary(title, lines, release.plans))
    record = opened.ledger.digest(release.id)
    write_outputs({"release": release.id, "record": record, "files_put": published.files_put})


def _tell(
    session: Session,
    published: Published,
    proof: Proof | None,
    report: Mapping[str, object] | None,
) -> int:
    """Tell people, or print the report for programs; the exit status."""
    from exporter.cli.reporting import tell_outcomes

    release = published.release
    if report is not None:
        session.out(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        session.out(_line(published), bold=True)
        tell_outcomes(session, release.plans)
        _tell_purge(session, published.purge_error)
        if proof:
            session.out(str(proof), fg="yellow" if proof.behind else None)
    return 4 if published.purge_error else _status(release.plans)


def _report(opened: OpenTarget, published: Published, proof: Proof | None) -> dict[str, object]:
    """Return what a publish did, as documented JSON, also where there was nothing to do."""
    release = published.release
    return {
        "target": opened.target.name,
        "release": release.id,
        "commit": release.commit,
        "changed": published.is_new,
        "files_put": published.files_put,
        "bytes_put": sum(entry.size for entry in published.put.values()),
        "files_deleted": published.files_deleted,
        "purge_error": published.purge_error or None,
        "proof": proof.to_json() if proof else None,
        "record": release.to_json(),
    }


def _line(published: Published) -> str:
    release, put, gone = published.release, published.files_put, published.files_deleted
    if published.is_new and release.is_attempt:
        return f"{release.id}: nothing was published"
    if published.is_new:
        size = f"({release.bytes_put:,} bytes)"
        return f"{release.id}: {counted(put, 'file')} put {size}, {gone:,} deleted"
    return (
        f"{release.id} is live already; what an unfinished publish had left is in order now: "
        f"{counted(put, 'file')} put, {gone:,} deleted"
    )


def _tell_purge(session: Session, error: str) -> None:
    if error:
        session.say(f"not purged: {error}; the next publish tries again")


def _status(outcomes: Mapping[str, Outcome]) -> int:
    """Return 1 where a plan failed or is held back."""
    return 1 if any(outcome.is_bad for outcome in outcomes.values()) else 0


def _outcomes_json(prepared: Prepared) -> dict[str, dict[str, object]]:
    return {
        name: {"state": outcome.state.value, "attempts": outcome.attempts, "error": outcome.error}
        for name, outcome in sorted(prepared.outcomes.items())
    }
