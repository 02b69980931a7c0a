"""The lease: one run at a time works on a target, as far as clocks allow (spec 5, steps 1 and 9).

`lease.json` says who works, since when and until when. It is only ever replaced by compare-and-swap
and never deleted, so a run that lost it cannot take it from its new holder. It spares people wasted
work and mixed uploads; what is live is decided by the head's compare-and-swap alone.

Clocks differ. A lease that seems to have run out is taken over at once only where it did so long
ago; else it is watched for longer than a living holder needs to renew it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import orjson

from exporter.core.wording import unreadable
from exporter.errors import ExporterError, OutsideError, Refused, StoreError
from exporter.publish.run import Run, instant, moment
from exporter.stores.base import Attributes, IfAbsent, IfMatch, ObjectStore, PreconditionFailed

__all__ = ["Lease", "LeaseHolder", "LeaseLost", "read_lease", "refuse_if_held"]

KEY = "lease.json"
TTL_S = 300
RENEW_S = 60
"""A holder renews its lease when it is this old, so it stops at once when somebody else has it."""
WATCH_S = 75
"""A lease that ran out and is not renewed within this time has no living holder."""
SKEW_S = 900
"""A lease that ran out longer ago has none, however wrong the clocks are."""
_JSON = Attributes("application/json; charset=utf-8", "no-store")


class LeaseLost(Refused):
    """Somebody else has the lease: this run must touch nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a target; `since` and `until` are ISO 8601 UTC by the holder's clock."""

    holder: str = ""
    run: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_free(self) -> bool:
        """Tell whether the last holder gave it back."""
        return not self.holder


def read_lease(store: ObjectStore) -> tuple[Lease, str] | None:
    """Return the lease with its ETag, or None where there never was one.

    Raises:
        StoreError: it cannot be read.
    """
    found = store.get(KEY)
    if found is None:
        return None
    try:
        lease = Lease(**orjson.loads(found.body))
        if not lease.is_free:
            moment(lease.since), moment(lease.until)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"{KEY} in the state store {store.label} cannot be read: {unreadable(error)}",
            hint="it was not written by this exporter; if nothing is publishing, delete it",
        ) from error
    return lease, found.info.etag


def refuse_if_held(store: ObjectStore, now: datetime) -> None:
    """Refuse early, before work is done that a living holder would make useless.

    Raises:
        Refused: somebody's lease has not run out yet.
    """
    found = read_lease(store)
    if found and not found[0].is_free and now < moment(found[0].until):
        raise _held(found[0], now)


class LeaseHolder:
    """Holds a target's lease in a `with` block. Safe in threads."""

    def __init__(self, store: ObjectStore, run: Run) -> None:
        self._store = store
        self._run = run
        self._etag = ""
        self._since = self._renewed = run.now()
        self._renewing = threading.Lock()
        self._lost = False

    def __enter__(self) -> Self:
        """Take the lease.

        Raises:
            Refused: somebody else has it.
        """
        found = read_lease(self._store)
        if found and not found[0].is_free:
            self._refuse_if_alive(*found)
        self._since = self._run.now()
        try:
            self._etag = self._write(IfMatch(found[1]) if found else IfAbsent())
        except PreconditionFailed as error:
            now_there = read_lease(self._store)
            raise _held(now_there[0] if now_there else Lease(), self._run.now()) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lease back; where that fails it runs out by itself."""
        if self._lost:
            return
        try:
            self._store.put(KEY, _dump(Lease(run=self._run.release_id)), _JSON, IfMatch(self._etag))
        except ExporterError:
            return

    def keep(self, *, surely: bool = False) -> None:
        """Renew the lease where it is time to, or in any case to be sure of it.

        Raises:
            LeaseLost: somebody else has it now.
            OutsideError: it could not be renewed for so long that it may run out.
        """
        if not surely and not self._lost and self._is_fresh:
            return  # without the lock, for which the threads of an upload would queue
        with self._renewing:
            if self._lost:
                raise _lost()
            if surely or not self._is_fresh:
                self._renew(patient=not surely and self._age_s < TTL_S / 2)

    @property
    def _is_fresh(self) -> bool:
        """Tell whether the lease need not be renewed yet; a clock that went back cannot tell."""
        return 0 <= self._age_s < RENEW_S

    @property
    def _age_s(self) -> float:
        return (self._run.now() - self._renewed).total_seconds()

    def _renew(self, *, patient: bool) -> None:
        """Renew the lease; a patient holder leaves a store that fails now for the next time."""
        try:
            self._write_again()
        except PreconditionFailed as error:
            self._lost = True
            raise _lost() from error
        except StoreError as error:
            if not patient:
                raise OutsideError(
                    f"the lease could not be renewed: {error.message}", hint=error.hint
                ) from error

    def _write_again(self) -> None:
        """Write over this run's own lease, also where the answer to its last renewal was lost.

        Raises:
            PreconditionFailed: it is another run's.
        """
        try:
            self._etag = self._write(IfMatch(self._etag))
        except PreconditionFailed:
            found = read_lease(self._store)
            if found is None or found[0].run != self._run.release_id:
                raise
            self._etag = self._write(IfMatch(found[1]))

    def _write(self, condition: IfAbsent | IfMatch) -> str:
        now = self._run.now()
        until = instant(now + timedelta(seconds=TTL_S))
        lease = Lease(self._run.trigger, self._run.release_id, instant(self._since), until)
        etag = self._store.put(KEY, _dump(lease), _JSON, condition)
        self._renewed = now
        return etag

    def _refuse_if_alive(self, lease: Lease, etag: str) -> None:
        now = self._run.now()
        over_s = (now - moment(lease.until)).total_seconds()
        if over_s < 0:
            raise _held(lease, now)
        if over_s < SKEW_S and _changes(self._store, etag, self._run.sleep):
            raise _held(lease, self._run.now())


def _changes(store: ObjectStore, etag: str, sleep: Callable[[float], None]) -> bool:
    """Watch a lease that seems to have run out; tell whether somebody still works with it."""
    for _ in range(3):
        sleep(WATCH_S / 3)
        found = read_lease(store)
        if found is None or found[1] != etag:
            return True
    return False


def _held(lease: Lease, now: datetime) -> Refused:
    if not lease.holder:
        return Refused(
            "another run took this target's lease at the same moment", hint="run again in a moment"
        )
    lasted = _duration(now - moment(lease.since))
    return Refused(
        f"another run is publishing to this target: {lease.holder} (run {lease.run}), "
        f"since {lease.since}, for {lasted} now; its lease runs until {lease.until}",
        hint="wait until it is done; where a run died, its lease is taken over when it has run out",
    )


def _lost() -> LeaseLost:
    return LeaseLost(
        "another run took over this target while this one was publishing",
        hint="look at `exporter status`; run again when the other one is done",
    )


def _duration(span: timedelta) -> str:
    minutes, seconds = divmod(max(0, int(span.total_seconds())), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _dump(lease: Lease) -> bytes:
    return orjson.dumps(asdict(lease), option=orjson.OPT_INDENT_2)
