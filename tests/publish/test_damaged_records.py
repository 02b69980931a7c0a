"""Records that somebody damaged: they are said, never believed, and no command breaks on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from exporter.config import Purge, Secret
from exporter.errors import PurgeError, StoreError
from exporter.publish.edge import CloudflareEdge
from exporter.publish.journal import Written
from exporter.publish.purge import Edge
from exporter.publish.shards import read_shard
from exporter.stores.base import Attributes
from tests.publish.publishing import SchoolRepository, Target, broken_links
from tests.publish.schools import BASE, without
from tests.publish.sharded import ANY, prepare_all

Damage = Callable[[dict[str, Any]], object]


def change(target: Target, start: str, damage: Damage) -> str:
    """Damage the record of which the key starts so; return its key."""
    key = next(key for key in target.state.bodies if key.startswith(start))
    record = orjson.loads(target.state.bodies[key])
    damage(record)
    target.state.put(key, orjson.dumps(record), Attributes())
    return key


def test_an_index_that_was_changed_deletes_nothing(target: Target) -> None:
    """It says that plan THREE needs no lesson; when ONE needs them no more, none would."""
    target.publish(target.school.commit(BASE))
    release = target.ledger.live().release
    assert release is not None

    def unlink(index: dict[str, Any]) -> None:
        for entry in index["files"].values():
            entry["links"] = [one for one in entry["links"] if not one.startswith("lessons/")]

    key = change(target, f"indexes/{release.plans['THREE'].index}", unlink)
    with pytest.raises(StoreError, match="was changed since it was written") as caught:
        target.publish(target.school.commit(without(BASE, "ONE")), ANY)
    assert (key in caught.value.message, "backup" in caught.value.hint) == (True, True)
    assert broken_links(target.cdn.bodies) == []


def put(path: str, value: object) -> Damage:
    """Return what puts another value in a place of a record, such as `put/KEY`."""
    *above, last = path.split("/")

    def damage(record: dict[str, Any]) -> None:
        for name in above:
            record = record[name]
        record[last] = value

    return damage


@pytest.mark.parametrize(
    ("start", "path", "value"),
    [
        ("head.json", "commit", None),
        ("head.json", "release", ["r"]),
        ("releases/", "plans", []),
        ("journal.json", "put", None),
        ("journal.json", "put/K", ["", None]),
        ("journal.json", "suspect", []),
        ("journal.json", "owed", [{}]),
    ],
)
def test_a_value_of_another_kind_is_said(
    target: Target, start: str, path: str, value: object
) -> None:
    target.publish(target.school.commit(BASE))
    noted = target.ledger.journal()
    left = noted.journal.with_suspects({"lessons/M-1a.json": Written("", 1)}, ())
    target.ledger.save_journal(left, noted.etag)
    key = change(target, start, put(path, value))
    with pytest.raises(
        StoreError, match=f"{key} in the state store state:// cannot be read"
    ) as caught:
        target.publish(target.school.commit(without(BASE, "TWO")), ANY)
    todo = "verify --repair" if key == "journal.json" else "exporter adopt"
    assert todo in caught.value.hint


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("plans", []),
        ("manifests", None),
        ("held", 5),
        ("put", ["lessons/nobody.json"]),
    ],
)
def test_a_shard_of_another_kind_is_said(
    schools: SchoolRepository, path: str, value: object
) -> None:
    target = Target(schools)
    prepare_all(target, schools.commit(BASE), 1)
    key = change(target, "shards/", put(path, value))
    with pytest.raises(StoreError, match="cannot be read"):
        read_shard(target.state, key)


@pytest.mark.parametrize(
    "request_", [None, "x", {"files": 5}, {"files": [{}]}], ids=["null", "text", "number", "object"]
)
def test_a_debt_that_is_none_is_no_bug(request_: Any) -> None:
    edge = CloudflareEdge(Edge("https://cdn.example.org"), Purge("cloudflare", "zone", Secret("t")))
    with pytest.raises(PurgeError, match="cannot be read"):
        edge.send(request_)
