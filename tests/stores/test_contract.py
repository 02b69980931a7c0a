"""What every store promises, run over memory, a folder and a real S3 server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.stores.base import (
    Attributes,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    ObjectStore,
    PreconditionFailed,
    StoredObject,
)

PLAIN = Attributes()
JSON = Attributes(
    content_type="application/json; charset=utf-8",
    cache_control="max-age=60",
    metadata={"commit": "3f2a1bc9", "sha256": "00ff"},
)

HARD_KEYS = (
    "plans/P/manifest.json",
    "plans/P-1/manifest.json",
    "plans/P.json",
    "plans/خطة الصف 12/الرياضيات_h.json",
    "plans/two  spaces/x.json",
    "lessons/100%25.json",
    "lessons/%2Fetc%2Fpasswd.json",
    "lessons/+&=#?;,'()!*@$.json",
    "lessons/~tilde_under-dash.json",
    "lessons/日本語.json",
    "lessons/😀.json",
    "lessons/ﬁ.json",
    "lessons/" + "ل" * 98 + "~0123456789abcdef.json",
    "lessons/" + "x" * 200 + ".0123456789abcdef.json",
)


def names(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


def race(attempts: int, attempt: Callable[[int], object]) -> list[int]:
    """Run an attempt in so many threads at once; return the numbers of those that did it."""
    ready = threading.Barrier(attempts)

    def run(number: int) -> bool:
        ready.wait()
        try:
            attempt(number)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(attempts) as threads:
        won = list(threads.map(run, range(attempts)))
    return [number for number, did in enumerate(won) if did]


def test_what_is_put_is_what_is_got_with_its_attributes(store: ObjectStore) -> None:
    etag = store.put("plans/P/manifest.json", b'{"a":1}', JSON)

    info = ObjectInfo("plans/P/manifest.json", 7, etag, JSON)
    assert store.get("plans/P/manifest.json") == StoredObject(info, b'{"a":1}')
    assert store.head("plans/P/manifest.json") == info
    assert etag
    assert '"' not in etag


def test_an_overwrite_replaces_body_and_attributes(store: ObjectStore) -> None:
    first = store.put("x.json", b"old and longer", JSON)
    newer = Attributes("text/plain", "no-store", {"commit": "2"})
    second = store.put("x.json", b"new", newer)

    assert store.get("x.json") == StoredObject(ObjectInfo("x.json", 3, second, newer), b"new")
    assert first != second
    assert names(store) == ["x.json"]


def test_an_empty_body_is_an_object_like_any_other(store: ObjectStore) -> None:
    etag = store.put("empty", b"", PLAIN)

    assert store.get("empty") == StoredObject(ObjectInfo("empty", 0, etag, PLAIN), b"")
    assert list(store.list()) == [ObjectInfo("empty", 0, etag)]


def test_a_missing_key_is_none_and_deleting_it_is_no_error(store: ObjectStore) -> None:
    store.put("there/is.json", b"1", PLAIN)

    for key in ("there/is", "there", "there/is.json/below", "nowhere/at/all"):
        assert store.get(key) is None
        assert store.head(key) is None
        store.delete([key])
    assert names(store) == ["there/is.json"]


def test_an_empty_store_lists_nothing(store: ObjectStore) -> None:
    assert names(store) == []
    assert names(store, "plans/") == []
    assert store.get("x") is None
    store.delete([])
    store.delete(["x"])


def test_names_of_any_script_come_back_as_they_went(store: ObjectStore) -> None:
    etags = {key: store.put(key, key.encode(), JSON) for key in HARD_KEYS}

    listed = {info.key: info for info in store.list()}
    assert listed == {key: ObjectInfo(key, len(key.encode()), etags[key]) for key in HARD_KEYS}
    for key in HARD_KEYS:
        info = ObjectInfo(key, len(key.encode()), etags[key], JSON)
        assert store.get(key) == StoredObject(info, key.encode())
    store.delete(HARD_KEYS)
    assert names(store) == []


def test_list_is_in_the_order_of_whole_keys_by_code_point(store: ObjectStore) -> None:
    keys = ["z", "a/b.json", "a/b-/c", "a/b/c", "a.json", "a-", "ab", "a b", "B", "é", "ﬁ", "😀"]
    for key in keys:
        store.put(key, b"x", PLAIN)

    assert names(store) == sorted(keys)


def test_a_prefix_is_any_beginning_of_a_key(store: ObjectStore) -> None:
    for key in ("plans/P/m.json", "plans/P/s/1.json", "plans/P2/m.json", "plant.json", "q/plans/x"):
        store.put(key, b"x", PLAIN)

    assert names(store, "plans/P/") == ["plans/P/m.json", "plans/P/s/1.json"]
    assert names(store, "plans/P") == ["plans/P/m.json", "plans/P/s/1.json", "plans/P2/m.json"]
    assert names(store, "plan")[-1:] == ["plant.json"]
    assert names(store, "plans/P/m.json") == ["plans/P/m.json"]
    assert names(store, "plans/P/m.json/") == []
    assert names(store, "nothing/") == []


def test_a_thousand_and_one_keys_are_listed_and_deleted(store: ObjectStore) -> None:
    keys = [f"lessons/{number:04}.json" for number in range(1_001)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: store.put(key, b"x", PLAIN), [*keys, "plans/stays"]))
    assert names(store) == [*keys, "plans/stays"]

    store.delete(iter(keys))
    assert names(store) == ["plans/stays"]


def test_if_absent_puts_once_and_leaves_the_first(store: ObjectStore) -> None:
    etag = store.put("lease.json", b"first", JSON, IfAbsent())

    with pytest.raises(PreconditionFailed):
        store.put("lease.json", b"second", PLAIN, IfAbsent())
    assert store.get("lease.json") == StoredObject(
        ObjectInfo("lease.json", 5, etag, JSON), b"first"
    )
    store.delete(["lease.json"])
    store.put("lease.json", b"third", JSON, IfAbsent())


def test_if_match_swaps_only_what_was_read(store: ObjectStore) -> None:
    first = store.put("head.json", b"1", JSON)
    second = store.put("head.json", b"2", JSON, IfMatch(first))

    with pytest.raises(PreconditionFailed):
        store.put("head.json", b"3", PLAIN, IfMatch(first))
    held = store.get("head.json")
    assert held == StoredObject(ObjectInfo("head.json", 1, second, JSON), b"2")


def test_if_match_on_nothing_is_a_lost_swap(store: ObjectStore) -> None:
    etag = store.put("other.json", b"1", JSON)

    with pytest.raises(PreconditionFailed):
        store.put("head.json", b"1", JSON, IfMatch(etag))
    assert store.get("head.json") is None


def test_of_sixteen_who_take_the_lease_one_has_it(store: ObjectStore) -> None:
    winners = race(16, lambda me: store.put("lease.json", b"%d" % me, PLAIN, IfAbsent()))

    held = store.get("lease.json")
    assert held is not None
    assert [int(held.body)] == winners


def test_of_sixteen_who_swap_the_head_one_does(store: ObjectStore) -> None:
    etag = store.put("head.json", b"before", PLAIN)
    winners = race(16, lambda me: store.put("head.json", b"%d" % me, PLAIN, IfMatch(etag)))

    held = store.get("head.json")
    assert held is not None
    assert [int(held.body)] == winners


def test_readers_meanwhile_see_whole_objects_only(store: ObjectStore) -> None:
    bodies = [bytes([65 + number]) * 20_000 * (number + 1) for number in range(4)]
    store.put("x", bodies[0], PLAIN)
    done = threading.Event()

    def read() -> set[bytes]:
        seen = set()
        while not done.is_set():
            held = store.get("x")
            assert held is not None
            seen.add(held.body)
        return seen

    with ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        try:
            for body in bodies * 5:
                store.put("x", body, PLAIN)
        finally:
            done.set()
        for reader in readers:
            assert reader.result() <= set(bodies)


def test_the_label_has_no_credentials(store: ObjectStore) -> None:
    assert store.label
    assert "key" not in store.label
    assert "secret" not in store.label
