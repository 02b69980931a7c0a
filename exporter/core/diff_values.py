"""What changed inside one document: fields, child rows and configs, each by its path (spec 5).

Rows and list items are matched by what they are (`diff_order`), so that one that is put in between
is an addition and not a change of all that follow. A row that only got another number in the same
order is told once for all of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from exporter.core.diff_order import Key, Pairing, matched
from exporter.core.diff_words import Piece, word_diff, words_of
from exporter.core.model import Document, Json, Row

__all__ = ["Detail", "Effect", "ItemName", "changed_fields", "changed_rows", "paired"]

ORDER = "sort_order"
_LONG = 3
"""Texts of more words than that are told word by word."""


class Effect(Enum):
    """What happened to a value."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    MOVED_UP = "moved up"
    MOVED_DOWN = "moved down"
    RENUMBERED = "renumbered"
    """Other numbers in the same order."""


@dataclass(frozen=True, slots=True)
class ItemName:
    """What people call an item of a list: its number from 1, and its own words where it has some.

    `kind` is `stage`, `subject`, `override` or `item`.
    """

    kind: str
    number: int
    words: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """One change at one place: field names, keys and items, from the outside in.

    `before` and `after` are values; for a move they are places from 1.
    """

    effect: Effect
    path: tuple[str | ItemName, ...]
    before: Json = None
    after: Json = None
    words: tuple[Piece, ...] = ()
    """Where both are longer texts."""


def changed_fields(before: Document, after: Document) -> Iterator[Detail]:
    """Yield the fields that differ, in canonical order, but for the parent link."""
    hidden = after.type.parent_field
    names = [column.name for column in after.type.fields]
    names += [name for one in (before, after) for name, _ in one.extras()]
    for name in dict.fromkeys(names):
        if name != hidden:
            yield from _changed((name,), before.fields.get(name, ""), after.fields.get(name, ""))


def changed_rows(before: Document, after: Document) -> Iterator[Detail]:
    """Yield what differs in the child rows, table by table."""
    for table in after.type.children:
        old, new = before.rows.get(table.field, ()), after.rows.get(table.field, ())
        if old != new:
            yield from _table(table.field, old, new)


def paired(before: Sequence[object], after: Sequence[object], table: str = "") -> Pairing:
    """Match the items of two lists inside a config, or the rows of a child table."""
    return matched(before, after, (_frozen, *_KEYS.get(table, _ITEM_KEYS)), _likeness)


def _table(name: str, before: Sequence[Row], after: Sequence[Row]) -> Iterator[Detail]:
    old = [dict(row.items()) for row in before]
    new = [dict(row.items()) for row in after]
    details = list(_items((name,), old, new, _KEYS.get(name, ())))
    renumbered = [one for one in details if _is_renumbering(one)]
    yield from (one for one in details if one not in renumbered)
    if renumbered:
        yield Detail(Effect.RENUMBERED, (name,), len(renumbered), len(renumbered))


def _is_renumbering(detail: Detail) -> bool:
    return detail.effect is Effect.CHANGED and detail.path[2:] == (ORDER,)


_Path = tuple[str | ItemName, ...]


def _changed(path: _Path, before: object, after: object) -> Iterator[Detail]:
    """Yield what differs between two values; an empty text is none."""
    if before == after and type(before) is type(after):
        return
    match before, after:
        case dict(), dict():
            yield from _mappings(path, before, after)
        case list(), list():
            yield from _items(path, before, after, _ITEM_KEYS)
        case str(), str() if before and after:
            is_long = max(len(words_of(before)), len(words_of(after))) > 2 * _LONG
            words = word_diff(before, after) if is_long else ()
            yield Detail(Effect.CHANGED, path, before, after, words)
        case ("", _):
            yield Detail(Effect.ADDED, path, None, _json(after))
        case (_, ""):
            yield Detail(Effect.REMOVED, path, _json(before), None)
        case _:
            yield Detail(Effect.CHANGED, path, _json(before), _json(after))


def _mappings(
    path: _Path, before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[Detail]:
    for key in dict.fromkeys((*before, *after)):
        if key not in after:
            yield Detail(Effect.REMOVED, (*path, key), _json(before[key]), None)
        elif key not in before:
            yield Detail(Effect.ADDED, (*path, key), None, _json(after[key]))
        else:
            yield from _inside((*path, key), before[key], after[key])


def _inside(path: _Path, before: object, after: object) -> Iterator[Detail]:
    """Yield what differs inside a config or row, where an empty text is a value as any other."""
    if "" in (before, after) and before != after:
        yield Detail(Effect.CHANGED, path, _json(before), _json(after))
    else:
        yield from _changed(path, before, after)


def _items(
    path: _Path, before: Sequence[object], after: Sequence[object], keys: Sequence[Key[object]]
) -> Iterator[Detail]:
    pairing = matched(before, after, (_frozen, *keys), _likeness)
    kind = _KINDS.get(str(path[0]), "item") if len(path) == 1 else "item"
    for place in pairing.removed:
        name = _item_name(kind, place, before[place])
        yield Detail(Effect.REMOVED, (*path, name), _json(before[place]), None)
    matches = {match.after: match for match in pairing.matches}
    for place, item in enumerate(after):
        at = (*path, _item_name(kind, place, item))
        match = matches.get(place)
        if match is None:
            yield Detail(Effect.ADDED, at, None, _json(item))
            continue
        if place in pairing.moved:
            effect = Effect.MOVED_UP if place < match.before else Effect.MOVED_DOWN
            yield Detail(effect, at, match.before + 1, place + 1)
        yield from _inside(at, before[match.before], item)


def _item_name(kind: str, place: int, item: object) -> ItemName:
    words = ""
    if isinstance(item, dict):
        named = (item.get(key) for key in _NAMING)
        words = next((text for text in named if isinstance(text, str) and text), "")
    return ItemName(kind, place + 1, words)


_NAMING = ("title", "subject", "target_name", "label", "name", "text")
"""Keys of which the text names an item, the best first."""
_KINDS = {"stages": "stage", "subjects": "subject", "overrides": "override"}


def _frozen(value: object) -> Hashable:
    """Return a value as one that can be looked up; equal values of other types differ."""
    match value:
        case dict():
            return frozenset((key, _frozen(inner)) for key, inner in value.items())
        case list():
            return tuple(map(_frozen, value))
        case _:
            return (type(value).__name__, repr(value))


def _shared(*names: str) -> Key[object]:
    """Return the key of items that have the same non-empty texts under these names."""

    def key(item: object) -> Hashable | None:
        texts = tuple(item.get(name) for name in names) if isinstance(item, dict) else ()
        return texts if texts and all(isinstance(text, str) and text for text in texts) else None

    return key


_ITEM_KEYS = (_shared("id"), _shared("key"), _shared("name"))
_KEYS = {
    "subjects": (_shared("subject"),),
    "overrides": (
        _shared("target_doctype", "target_name", "action"),
        _shared("target_doctype", "target_name"),
    ),
    "stages": (_shared("type", "title"),),
}


def _likeness(one: object, other: object) -> float:
    """Return how alike two values are, from 0 to 1."""
    match one, other:
        case dict(), dict():
            keys = {*one, *other}
            alike = (_likeness(one.get(key, _NOTHING), other.get(key, _NOTHING)) for key in keys)
            return sum(alike) / len(keys) if keys else 1.0
        case str(), str():
            return 1.0 if one == other else _overlap(words_of(one), words_of(other))
        case list(), list():
            return _overlap(map(_frozen, one), map(_frozen, other))
        case _:
            return float(type(one) is type(other) and one == other)


_NOTHING = object()


def _overlap(one: Iterable[Hashable], other: Iterable[Hashable]) -> float:
    first, second = set(one), set(other)
    whole = len(first) + len(second)
    return 2 * len(first & second) / whole if whole else 1.0


def _json(value: object) -> Json:
    """Return a value as the JSON that it is."""
    if value is None or isinstance(value, (bool, int, float, str, list, dict)):
        return value
    raise TypeError(f"a document holds no {type(value).__name__}")
