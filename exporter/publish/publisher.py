"""Carrying out a publish, so that it may die at any moment (spec 5, "Order of a publish").

A reader who follows links from any manifest always finds what they lead to: everything that a file
links to is uploaded before it, and nothing is deleted before the head has moved on. What is touched
is noted in the journal first; whoever runs next ends it or puts it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from exporter.core.artifacts import Entry
from exporter.core.release import Kept, Release
from exporter.errors import ExporterError, StoreBusy
from exporter.publish.debts import Purger, pay
from exporter.publish.journal import Journal
from exporter.publish.lease import LeaseHolder, LeaseLost, refuse_if_held
from exporter.publish.ledger import Ledger, LostSwap, pack_kept
from exporter.publish.prepared import Prepared, Published
from exporter.publish.probe import probe_conditional_writes
from exporter.publish.run import Run, instant
from exporter.publish.uploading import CONTENT_TYPE, Unleased, Uploader
from exporter.stores.base import ObjectStore, PreconditionFailed

__all__ = ["CONTENT_TYPE", "Published", "Publisher", "Purger", "Run"]

_NOTING_ATTEMPTS = 5


class Signatures(Protocol):
    """Remembers what was signed on its way to the CDN store (spec 4, signed media)."""

    def save(self) -> None:
        """Save what is not saved yet."""


class _NoSignatures:
    def save(self) -> None:
        """Do nothing: nothing is signed."""


class Publisher:
    """Carries out what was prepared, on one target."""

    def __init__(
        self,
        cdn: ObjectStore,
        ledger: Ledger,
        purger: Purger | None,
        progress: Callable[[str], None],
        signatures: Signatures | None = None,
    ) -> None:
        """Take the stores of a target and its purger; `progress` is told what is being done."""
        self._signatures = signatures or _NoSignatures()
        self._cdn = cdn
        self._ledger = ledger
        self._purger = purger
        self._progress = progress

    def refuse_if_busy(self, run: Run) -> None:
        """Refuse before any work is done that another run would make useless.

        Raises:
            Refused: somebody holds the lease.
        """
        refuse_if_held(self._ledger.store, run.now())

    def unleased(self, run: Run) -> Uploader:
        """Return what puts files without the lease: only such as nothing leads to yet."""
        return Uploader(self._cdn, run, Unleased(), self._progress)

    def publish(self, prepared: Prepared, run: Run) -> Published:
        """Run the steps.

        Raises:
            StoreError: a store failed; the journal says how far this came, run again.
            Refused: somebody else publishes, or did meanwhile.
        """
        if prepared.live.head is None:
            probe_conditional_writes(self._ledger.store, run.release_id)
        with LeaseHolder(self._ledger.store, run) as lease:
            self._ledger.confirm(prepared.live, prepared.noted)
            work = self._work(run, lease)
            try:
                return work.publish(prepared)
            except (LeaseLost, LostSwap) as error:
                lost = error
        self._undo(prepared, run, work.journal)
        raise lost

    def _work(self, run: Run, lease: LeaseHolder) -> _Publishing:
        uploader = Uploader(self._cdn, run, lease, self._progress)
        tools = _Tools(self._ledger, self._purger, uploader, self._signatures)
        return _Publishing(tools, run, lease)

    def _undo(self, prepared: Prepared, run: Run, mine: Journal) -> None:
        """Put back what the winner's release says; what cannot be done here the next run does.

        The winner may still be at work: then its lease keeps this run out, and the journal tells
        whoever runs next.
        """
        if prepared.rework is None or not (mine.put or mine.delete):
            return
        self._progress("another run was first: undoing what this one put")
        try:
            self._note_suspects(mine)
            with LeaseHolder(self._ledger.store, run) as lease:
                undo = prepared.rework.undo()
                if undo.live.release:  # else nothing is live yet, and this must make no release
                    self._work(run, lease).publish(undo)
        except ExporterError as error:
            self._progress(f"not undone yet, the next run does it: {error.message}")

    def _note_suspects(self, mine: Journal) -> None:
        """Note what this run may have spoilt in the journal that somebody else writes now."""
        for _ in range(_NOTING_ATTEMPTS):
            noted = self._ledger.journal()
            journal = noted.journal.with_suspects(mine.dirty(""), mine.plans)
            try:
                self._ledger.save_journal(journal, noted.etag)
            except PreconditionFailed:
                continue
            return
        self._progress("could not note what this run may have spoilt: run `exporter verify`")


@dataclass(frozen=True, slots=True)
class _Tools:
    ledger: Ledger
    purger: Purger | None
    uploader: Uploader
    signatures: Signatures


class _Publishing:
    """One publish under way: what it noted last, and what it does."""

    def __init__(self, tools: _Tools, run: Run, lease: LeaseHolder) -> None:
        self._ledger = tools.ledger
        self._purger = tools.purger
        self._uploader = tools.uploader
        self._signatures = tools.signatures
        self._run = run
        self._lease = lease
        self._etag: str | None = None
        self.journal = Journal()

    def publish(self, prepared: Prepared) -> Published:
        started = instant(self._run.now())
        self._etag = prepared.noted.etag
        unfinished = prepared.delta.touches or not prepared.noted.journal.is_clean
        if unfinished:
            self._note(prepared.journal(self._run.release_id))
        prepared = self._upload(prepared)
        self._signatures.save()
        release = prepared.live.release
        if release is None or prepared.makes_release:
            release = self._record(prepared, started)
        gone = (*prepared.delta.delete, *prepared.delta.leftovers)
        self._uploader.delete(gone)
        self._signatures.save()
        error = self._purge() if unfinished else ""
        if unfinished:
            self._clean(prepared, owes=bool(error))
        is_new = prepared.makes_release
        return Published(release, error, is_new, _put(prepared), len(gone))

    def _note(self, journal: Journal) -> None:
        """Replace the journal.

        Raises:
            LeaseLost: somebody else wrote it, and so works on this target.
        """
        self._lease.keep()
        try:
            self._etag = self._ledger.save_journal(journal, self._etag)
        except PreconditionFailed as error:
            raise LeaseLost(
                "another run works on this target: it replaced the journal of this one",
                hint="look at `exporter status`; run again when the other one is done",
            ) from error
        self.journal = journal

    def _upload(self, prepared: Prepared) -> Prepared:
        """Upload; leave out the plans that fail for good, and put their files back."""
        failed: dict[str, str] = {}
        while new := self._uploader.upload(prepared):
            error = next(iter(new.values()))
            away = all(isinstance(one, StoreBusy) for one in new.values())
            everyone = new.keys() >= prepared.uploading
            if prepared.rework is None or not self._uploader.has_put or (away and everyone):
                raise error
            failed.update({plan: problem.message for plan, problem in new.items()})
            spoilt = {
                key: written
                for key, written in self.journal.put.items()
                if key in self._uploader.attempted
            }
            prepared = prepared.rework.without(failed, spoilt)
            self._note(prepared.rejournal(self.journal))
        return prepared

    def _record(self, prepared: Prepared, started: str) -> Release:
        """Save the indexes and the release, then make it the live one."""
        for packed in prepared.indexes:
            self._ledger.save_index(packed)
        release = self._release(prepared, started, self._save_kept(prepared))
        self._ledger.save_release(release)
        self._lease.keep(surely=True)
        self._ledger.swap_head(release.head, prepared.live.etag)
        return release

    def _save_kept(self, prepared: Prepared) -> str:
        """Save the index of what stands on although it is live no more; return its digest."""
        now = int(self._run.now().timestamp())
        retired = {key: Kept(entry, now) for key, entry in prepared.delta.retired.items()}
        kept = {**prepared.kept, **retired}
        if not kept:
            return ""
        packed = pack_kept(kept)
        if prepared.live.release is None or packed.digest != prepared.live.release.kept:
            self._ledger.save_index(packed)
        return packed.digest

    def _release(self, prepared: Prepared, started: str, kept: str) -> Release:
        delta, head, run = prepared.delta, prepared.live.head, self._run
        put = _put(prepared)
        release = Release(
            run.release_id,
            prepared.kind,
            prepared.commit.sha,
            prepared.fingerprint,
            run.exporter,
        )
        return replace(
            release,
            parent_release=head.release if head else "",
            parent_commit=head.commit if head else "",
            trigger=run.trigger,
            started_at=started,
            finished_at=instant(run.now()),
            plans=prepared.outcomes,
            lessons=prepared.lessons,
            kept=kept,
            files_put=len(put),
            bytes_put=sum(entry.size for entry in put.values()),
            files_deleted=len(delta.delete) + len(delta.leftovers),
            urls_to_purge=len(self.journal.unpurged()) if self._purger else 0,
            store=self._ledger.cdn_name,
            precedent=prepared.precedent,
        )

    def _purge(self) -> str:
        """Tell the CDN's cache; return what it did not accept."""
        if self._purger is None:
            return ""
        changes, owed = self.journal.unpurged(), self.journal.owed
        return pay(self._ledger, self._purger, changes, owed, self._lease.keep)

    def _clean(self, prepared: Prepared, *, owes: bool) -> None:
        """Note that nothing is left to do but what could not be done."""
        clean = Journal(
            run=self._run.release_id,
            plans=self.journal.plans if prepared.stuck else (),
            suspect=prepared.stuck,
            owed=(self._run.release_id,) if owes else (),
        )
        try:
            self._ledger.save_journal(clean, self._etag)
        except PreconditionFailed:
            self._clean_around(clean)

    def _clean_around(self, clean: Journal) -> None:
        """Keep what another run noted in the journal; leave one alone that is its own."""
        noted = self._ledger.journal()
        if noted.journal.run == self._run.release_id:
            rest = clean.with_suspects(noted.journal.suspect, noted.journal.plans)
            self._ledger.save_journal(rest, noted.etag)


def _put(prepared: Prepared) -> dict[str, Entry]:
    """Return all files that are put for a publish, by shards before it too."""
    put = prepared.delta.put.items()
    return {**prepared.earlier, **{key: artifact.entry for key, artifact in put}}
