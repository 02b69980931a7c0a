"""A publish that several machines share: `plan --matrix`, `publish --prepare`, `publish --finish`.

In GitHub Actions the matrix is a step's output, and each of its jobs prepares one shard.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from exporter.cli.session import OpenTarget, Session
from exporter.core.wording import counted
from exporter.errors import StoreError, UsageError

if TYPE_CHECKING:
    from exporter.publish.planning import Prepared, PublishOptions
    from exporter.publish.shards import ShardRecord

__all__ = ["Sharing", "forget_shards", "prepare_shard_of", "share_options", "show_matrix"]

_Asked = TypeVar("_Asked", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Sharing:
    """What was asked of a publish that several machines share."""

    prepare: bool
    shard: str | None
    finish: bool
    shards: int | None

    def refuse_unsound(self, session: Session, *, whole: bool) -> None:
        """Refuse what does not go together; `whole` says that all plans are really published.

        Raises:
            UsageError: options do not fit, or this publish cannot be shared out.
        """
        from exporter.publish.guarding import refuse_sharing

        if not (self.prepare or self.finish or self.shard or self.shards):
            return
        if self.prepare is not bool(self.shard) or self.finish is not bool(self.shards):
            raise UsageError(
                "--prepare goes with --shard, and --finish with --shards",
                hint="`exporter publish --prepare --shard 1/3` on each of three machines, then "
                "`exporter publish --finish --shards 3` on one",
            )
        if self.prepare and self.finish:
            raise UsageError(
                "--prepare and --finish are two steps", hint="finish when all shards are prepared"
            )
        if not whole:
            raise UsageError(
                "a publish that several machines share is of all plans, and is really done",
                hint="leave out --plan and --dry-run; `exporter plan` shows the steps",
            )
        refuse_sharing(session.workspace)


def share_options(command: _Asked) -> _Asked:
    """Let several machines share a publish."""
    for option in (
        click.option(
            "--shards",
            metavar="N",
            type=click.IntRange(1),
            help="Into how many shares the plans were split.",
        ),
        click.option("--finish", is_flag=True, help="Publish what all shares have prepared."),
        click.option("--shard", metavar="I/N", help="The share to prepare, such as 2/3."),
        click.option("--prepare", is_flag=True, help="Only build and upload a share of the plans."),
    ):
        command = option(command)
    return command


def show_matrix(
    session: Session, opened: OpenTarget, ref: str, options: PublishOptions, count: int
) -> int:
    """Print the matrix of a GitHub workflow, a job a shard; empty where nothing is to be shared."""
    from exporter.cli.actions import write_outputs
    from exporter.publish.guarding import refuse_sharing

    refuse_sharing(session.workspace)
    shares = _shares(session, opened, ref, options, count)
    jobs = [
        {"shard": f"{number}/{len(shares)}", "plans": len(share)}
        for number, share in enumerate(shares, start=1)
        if share
    ]
    matrix = json.dumps({"include": jobs})
    session.out(matrix)
    write_outputs({"matrix": matrix, "shards": len(shares)})
    return 0


def _shares(
    session: Session, opened: OpenTarget, ref: str, options: PublishOptions, count: int
) -> list[frozenset[str]]:
    """Return the plans of each shard; none where one machine does as well."""
    from exporter.publish.planning import Prepared, begin

    begun = begin(session.workspace, opened.ledger, session.resolve(ref), options)
    if isinstance(begun, Prepared):
        session.say(f"nothing to share out: commit {begun.commit.sha[:12]} is live")
        return []
    if not begun.can_be_shared:
        session.say("not shared out: an unfinished publish has to be ended on one machine first")
        return []
    chosen, _ = begun.wanted()
    count = min(count, len(chosen))
    if count > 1:
        return begun.shares(chosen, count)
    session.say(f"nothing to share out: {counted(len(chosen), 'plan')} to build")
    return []


def prepare_shard_of(
    session: Session,
    opened: OpenTarget,
    ref: str,
    options: PublishOptions,
    shard: str,
    *,
    as_json: bool,
) -> int:
    """Prepare a shard and tell what was done; a plan that stays behind is told again at the end."""
    from exporter.publish.planning import Prepared, begin
    from exporter.publish.sharding import prepare_shard
    from exporter.publish.shards import Binding, ShardRecord, parse_shard

    mine, run, publisher = parse_shard(shard), session.new_run(), opened.publisher
    begun = begin(
        session.workspace,
        opened.ledger,
        session.resolve(ref),
        options,
        lambda: publisher.refuse_if_busy(run),
    )
    if isinstance(begun, Prepared):
        head = begun.live.head
        record = ShardRecord(mine, Binding.to(begun.commit.sha, head, begun.fingerprint), "")
    else:
        record = prepare_shard(begun, mine, publisher.unleased(run), run)
    if as_json:
        session.out(json.dumps(_report(opened, record), ensure_ascii=False, indent=2))
    else:
        _tell(session, record)
    return 0


def _report(opened: OpenTarget, record: ShardRecord) -> dict[str, object]:
    """Return what was prepared, as documented JSON."""
    return {
        "target": opened.target.name,
        "commit": record.binding.commit,
        "live_release": record.binding.base or None,
        "shard": record.shard.number,
        "shards": record.shard.of,
        "plans": sorted(record.share),
        "files_put": len(record.put),
        "bytes_put": _bytes(record),
        "held": record.held,
        "failed": record.failed,
    }


def _bytes(record: ShardRecord) -> int:
    return sum(entry.size for entry in record.put_entries.values())


def _tell(session: Session, record: ShardRecord) -> None:
    if not record.share:
        session.out(f"nothing to do: no plan is left for shard {record.shard}")
        return
    put, plans = counted(len(record.put), "file"), counted(len(record.share), "plan")
    session.out(
        f"shard {record.shard} is ready: {put} put ({_bytes(record):,} bytes) for {plans}",
        bold=True,
    )
    for name, why in sorted(record.held.items()):
        session.out(f"  {name}: held back, {why}", fg="red")
    for name, why in sorted(record.failed.items()):
        session.out(f"  {name}: failed, {why}", fg="red")


def forget_shards(session: Session, opened: OpenTarget, prepared: Prepared, count: int) -> None:
    """Remove what the shards of a publish that is live have noted."""
    from exporter.publish.gathering import forget_finished
    from exporter.publish.shards import Binding

    binding = Binding.to(prepared.commit.sha, prepared.live.head, prepared.fingerprint)
    try:
        forget_finished(opened.ledger.store, binding, count)
    except StoreError as error:
        session.say(f"published; what the shards noted is left to `exporter gc`: {error.message}")
