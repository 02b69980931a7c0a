"""`exporter verify`: do readers get what was released? (spec 5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from exporter.cli.session import OpenTarget, Session, pass_session
from exporter.cli.usage import Command, json_option, target_option
from exporter.core.wording import counted
from exporter.errors import UsageError

if TYPE_CHECKING:
    from exporter.publish.comparing import Drift, Expectations
    from exporter.publish.livefiles import LiveFiles
    from exporter.publish.prepared import Published

__all__ = ["command"]

_SHOWN = 40
_ATTEMPTS = 3


@click.command(
    "verify",
    cls=Command,
    examples={
        "exporter verify": "Compare every file in the store:",
        "exporter verify --via-cdn --sample 200": "Look at some files as readers get them:",
        "exporter verify --repair": "Put right what differs:",
    },
    ends={1: "Something is wrong, and was not put right.", 3: "Another publish is at work."},
)
@target_option
@click.option(
    "--via-cdn", is_flag=True, help="Fetch from `base_url`, past the cache and through it."
)
@click.option(
    "--repair",
    is_flag=True,
    help="Put right what is wrong, as a release of its own; deletes files that no release knows.",
)
@click.option(
    "--sample", metavar="N", type=click.IntRange(min=1), help="Look at so many files only."
)
@json_option
@pass_session
def command(
    session: Session,
    *,
    target: str | None,
    via_cdn: bool,
    repair: bool,
    sample: int | None,
    as_json: bool,
) -> int:
    """Compare what is on the CDN with the live release: missing, different, extra files."""
    opened = session.open_target(target)
    verification = _Verification(session, opened, via_cdn=via_cdn, sample=sample)
    verification.look()
    if repair and verification.drift:
        verification.repair()
    if as_json:
        session.out(json.dumps(verification.report(), ensure_ascii=False, indent=2))
    else:
        verification.tell()
    verification.report_to_github()
    return 0 if verification.is_clean else 1


class _Verification:
    """One run of `verify`."""

    def __init__(
        self, session: Session, opened: OpenTarget, *, via_cdn: bool, sample: int | None
    ) -> None:
        if via_cdn and not opened.target.base_url:
            raise UsageError(
                f"target {opened.target.name} has no `base_url` to fetch files from",
                hint=f"add `base_url: https://cdn.example.org` to targets.{opened.target.name}",
            )
        self.session = session
        self.opened = opened
        self.via_cdn = via_cdn
        self.sample = sample
        self.drift: list[Drift] = []
        self.left: list[Drift] = []
        """What a repair did not put right."""
        self.published: Published | None = None
        self.looked_at = 0
        self.looks_at_kept = not via_cdn and sample is None
        """Only a full look at the store reads what stands on and is live no more."""
        self.live: LiveFiles

    @property
    def is_clean(self) -> bool:
        return not (self.left if self.published else self.drift)

    def look(self) -> None:
        """Compare; again where another release went live meanwhile."""
        from exporter.publish.livefiles import read_live_files

        ledger = self.opened.ledger
        for _ in range(_ATTEMPTS):
            self.live = live = read_live_files(ledger)
            keys = list(live.entries)
            if self.sample is not None:
                keys = self.session.sample(keys, self.sample)
            self.session.say(
                f"looking at {len(keys):,} of {counted(len(live.entries), 'live file')}"
            )
            self.looked_at = len(keys)
            self.drift = self._compare(keys)
            if self.looks_at_kept:
                self.drift += self._unknown()
            head = ledger.head()
            if not self.drift or (head and head[1] == live.state.etag):
                return

    def repair(self) -> None:
        """Publish what puts the drift right, then look at these files again."""
        from exporter.publish.verifying import repair

        session, opened = self.session, self.opened
        mending = repair(session.workspace, opened.ledger, self.live, self.drift)
        if mending.prepared:
            self.published = opened.publisher.publish(mending.prepared, session.new_run())
        if mending.lost:
            session.say(
                f"{counted(len(mending.lost), 'file')} cannot be made again from git as released: "
                "run `exporter publish`, which makes new ones"
            )
        again = [drift.key for drift in self.drift if drift.key in self.live.entries]
        self.left = self._compare(again) if self.published else self.drift

    def report(self) -> dict[str, Any]:
        return {
            "target": self.opened.target.name,
            "release": self.live.release.id,
            "commit": self.live.release.commit,
            "via_cdn": self.via_cdn,
            "live_files": len(self.live.entries),
            "looked_at": self.looked_at,
            "kept_files": len(self.live.kept),
            "drift": [_drift_json(drift) for drift in self.drift],
            "repaired_by": self.published.release.id if self.published else None,
            "left": [_drift_json(drift) for drift in self.left],
            "purge_error": (self.published.purge_error or None) if self.published else None,
            "unfinished": not self.live.noted.journal.is_clean,
        }

    def tell(self) -> None:
        out = self.session.out
        for drift in self.drift if self.session.verbose else self.drift[:_SHOWN]:
            kept = " (kept for rollbacks)" if drift.key in self.live.kept else ""
            out(f"{drift.damage.value:9} {drift.key}: {drift.why}{kept}", fg="red")
        if len(self.drift) > _SHOWN and not self.session.verbose:
            out(f"… and {len(self.drift) - _SHOWN} more (--verbose lists them)")
        scope = self._scope()
        if not self.live.noted.journal.is_clean:
            out("a publish is unfinished: run `exporter publish`, which ends it", fg="yellow")
        if not self.drift:
            out(f"nothing is wrong: {scope} are as released")
        elif self.published is None:
            out(f"wrong: {counted(len(self.drift), 'object')}; looked at {scope}. Try --repair")
        else:
            out(f"{self.published.release.id}: {self._repaired(self.published)}", bold=True)
            for drift in self.left:
                out(f"still {drift.damage.value} {drift.key}: {drift.why}", fg="red")

    def _repaired(self, published: Published) -> str:
        """Say what a repair did; a kept file that is broken or gone is forgotten, not put back."""
        given_up = sum(drift.key in self.live.kept for drift in self.drift)
        gone = published.files_deleted - given_up
        told = f"{counted(published.files_put, 'file')} put right, {gone:,} deleted"
        again = "a rollback makes it again" if given_up == 1 else "a rollback makes them again"
        return f"{told}; {counted(given_up, 'kept file')} given up: {again}" if given_up else told

    def report_to_github(self) -> None:
        """Write outputs and the job summary, where GitHub Actions runs this."""
        from exporter.cli.actions import outcomes_summary, write_outputs, write_summary

        wrong = self.left if self.published else self.drift
        write_outputs({"drift": len(wrong)})
        scope = f"Looked at {self._scope()}"
        shown = [f"{drift.damage.value} {drift.key}: {drift.why}" for drift in wrong[:_SHOWN]]
        lines = [f"{scope}; wrong objects: {len(wrong):,}.", *shown]
        write_summary(outcomes_summary(f"Verified {self.opened.target.name}", lines, {}))

    def _scope(self) -> str:
        """Say how many files were looked at, and whether the kept ones are among them."""
        files = counted(len(self.live.entries), "live file")
        scope = f"{self.looked_at:,} of {files} of {self.live.release.id}"
        if not self.live.kept:
            return scope
        kept = counted(len(self.live.kept), "kept file")
        return f"{scope} and {kept}" if self.looks_at_kept else f"{scope} (not at {kept})"

    def _compare(self, keys: list[str]) -> list[Drift]:
        from exporter.publish.reader import CdnReader
        from exporter.publish.verifying import compare, look_in_store, look_through_cdn

        session, opened, expected = self.session, self.opened, self._expected()
        publish = session.config.publish
        entries = {key: self.live.entries[key] for key in keys}
        if not self.via_cdn:
            look = look_in_store(opened.cdn, expected)
            return compare(entries, look, publish.concurrency, session.progress)
        with CdnReader(publish.concurrency) as reader:
            look = look_through_cdn(
                reader.fetch,
                str(opened.target.base_url),
                expected,
                session.token(),
                version_links=session.config.build.version_links,
            )
            return compare(entries, look, publish.concurrency, session.progress)

    def _unknown(self) -> list[Drift]:
        """Look at what stands besides the live files: what is kept, and what nobody knows."""
        from exporter.publish.gathering import prepared_files
        from exporter.publish.verifying import compare_kept, extra_objects, look_in_store

        live, cdn = self.live, self.opened.cdn
        look = look_in_store(cdn, self._expected())
        broken = compare_kept(live, look, self.session.config.publish.concurrency)
        known = live.entries.keys() | live.kept.keys() | prepared_files(self.opened.ledger.store)
        return [*broken, *extra_objects(cdn, known)]

    def _expected(self) -> Expectations:
        from exporter.publish.comparing import Expectations
        from exporter.publish.signatures import read_signed

        signed = read_signed(self.opened.ledger.store)
        return Expectations(self.session.config.publish.cache_control, signed)


def _drift_json(drift: Drift) -> dict[str, str]:
    return {"key": drift.key, "damage": drift.damage.value, "why": drift.why}
