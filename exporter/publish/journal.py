"""The journal: what a publish touches, noted before it does, so that any later run can mend it.

While a publish runs, an object of the CDN store may be the live one or the new one. The journal
names every object of which that cannot be told from the ledger, what is to be deleted once the
release is live, and what the CDN's cache must forget. It is clean when nothing is left to do, so
reading it (with the head and its record) tells whether there is. Only compare-and-swap replaces
it, which keeps two runs that both believe to hold the lease from uploading at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.core.addressing import has_digest
from exporter.core.jsonvalues import number_of, text_of

__all__ = ["Journal", "Written", "newest"]


@dataclass(frozen=True, slots=True)
class Written:
    """What may stand under a key: body digest (empty for none that is known) and version.

    `before` is the version that was live, None where the key is new. `unseen` says that no cache
    can hold another form: a purge need not name it.
    """

    digest: str
    version: int
    before: int | None = None
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """What is unfinished on a target."""

    run: str = ""
    """The run that wrote this, and the release that it makes."""
    commit: str = ""
    base: str = ""
    """The release that was live then."""
    plans: tuple[str, ...] = ()
    """The plans whose files are touched."""
    put: Mapping[str, Written] = field(default_factory=dict)
    """What is put, and what earlier runs left; all as it should be once the release is live."""
    delete: Mapping[str, int] = field(default_factory=dict)
    """Keys to delete once the release is live, with their last version."""
    suspect: Mapping[str, Written] = field(default_factory=dict)
    """What may be wrong whatever is live."""
    purge: Mapping[str, int | None] = field(default_factory=dict)
    """Keys that the cache must forget besides those above, with their last version."""
    owed: tuple[str, ...] = ()
    """The runs of which `purges/<run>.json` may hold requests that were not accepted."""

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is left to do."""
        return not (self.put or self.delete or self.suspect or self.purge or self.owed)

    @property
    def is_of_a_first_publish(self) -> bool:
        """Tell whether it is what a publish left that found no release."""
        return bool(self.put) and not self.base

    def dirty(self, live: str) -> dict[str, Written]:
        """Return the objects of which the CDN store may hold another form than the ledger says."""
        named = dict(self.suspect)
        named.update({key: Written("", version) for key, version in self.delete.items()})
        return newest(named, self.put) if self.run != live else named

    def unpurged(self) -> dict[str, int | None]:
        """Return all keys that the cache must forget, each with its last version.

        What is deleted under a key that carries a digest was linked from nowhere any more.
        """
        return {
            **self.purge,
            **{key: one.before for key, one in self.put.items() if not one.unseen},
            **{key: version for key, version in self.delete.items() if not has_digest(key)},
            **{key: one.version for key, one in self.suspect.items() if not one.unseen},
        }

    def with_suspects(self, found: Mapping[str, Written], plans: Iterable[str]) -> Journal:
        """Return a journal that also says of these objects that they may be wrong."""
        together = tuple(sorted({*self.plans, *plans}))
        return replace(self, plans=together, suspect=newest(self.suspect, found))

    def to_json(self) -> dict[str, Any]:
        """Return the journal as it is written."""
        return {
            "run": self.run,
            "commit": self.commit,
            "base": self.base,
            "plans": list(self.plans),
            "put": _rows(self.put),
            "delete": dict(self.delete),
            "suspect": _rows(self.suspect),
            "purge": dict(self.purge),
            "owed": list(self.owed),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Journal:
        """Read a journal.

        Raises:
            AttributeError, KeyError, TypeError: it is not one of ours.
        """
        return cls(
            run=text_of(record["run"]),
            commit=text_of(record["commit"]),
            base=text_of(record["base"]),
            plans=tuple(map(text_of, record["plans"])),
            put={key: _written(*row) for key, row in record["put"].items()},
            delete=dict(record["delete"]),
            suspect={key: _written(*row) for key, row in record["suspect"].items()},
            purge=dict(record["purge"]),
            owed=tuple(map(text_of, record["owed"])),
        )


def newest(*found: Mapping[str, Written]) -> dict[str, Written]:
    """Merge what may stand under keys; of two forms the one with the higher version."""
    merged: dict[str, Written] = {}
    for one in found:
        for key, written in one.items():
            known = merged.get(key)
            if known is None or known.version <= written.version:
                merged[key] = written
    return merged


def _rows(found: Mapping[str, Written]) -> dict[str, list[object]]:
    return {key: [w.digest, w.version, w.before, w.unseen] for key, w in found.items()}


def _written(digest: object, version: object, *others: Any) -> Written:  # noqa: ANN401 - JSON
    return Written(text_of(digest), number_of(version), *others)
