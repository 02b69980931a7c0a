"""Names as segments of file paths and object keys (spec 1, "Names").

A name is up to 140 characters of almost anything; a segment is safe in a path, in a key and on
every file system. `segment` is reversible except for cut and normalised names, which is why every
YAML file carries its `name`. `assign` gives the names of one folder segments that do not clash.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

__all__ = ["Assigned", "assign", "is_clash_form", "object_url", "possible_segments", "segment"]

MAX_BYTES = 200
CUT_BYTES = 183
DIGEST_DIGITS = 16
LONGEST_PIECE = 12
"""Bytes of one percent-encoded character."""

_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|COM[1-9]|LPT[1-9])(?:\.|\Z)", re.IGNORECASE)
_ALWAYS_KEPT = frozenset("-.~_ ")
_SIMPLE = re.compile(r"[A-Za-z0-9~-](?:[A-Za-z0-9._~ -]*[A-Za-z0-9_~-])?\Z")


@dataclass(frozen=True, slots=True)
class Assigned:
    """The segments of one folder: `segments` by name, `clashes` as groups of names."""

    segments: Mapping[str, str]
    clashes: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=262_144)
def segment(name: str) -> str:
    """Write a name as a segment of at most 200 bytes."""
    if _SIMPLE.match(name) and len(name) <= MAX_BYTES and not _DEVICE.match(name):
        return name
    whole = "".join(_pieces(name))
    return whole if len(whole.encode()) <= MAX_BYTES else next(_cuts(name))


def assign(names: Iterable[str]) -> Assigned:
    """Give every name of a folder its segment; the later of two that clash takes the cut form.

    Segments clash when they are equal or equal under `casefold`; "later" is by code point.
    """
    taken: dict[str, str] = {}
    segments: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        chosen = segment(name)
        if first := taken.get(chosen.casefold()):
            groups.setdefault(first, [first]).append(name)
            chosen = next(cut for cut in _cuts(name) if cut.casefold() not in taken)
        taken[chosen.casefold()] = name
        segments[name] = chosen
    return Assigned(segments, tuple(tuple(group) for group in groups.values()))


def possible_segments(name: str) -> tuple[str, str]:
    """Return a name's segment alone in its folder, and where it clashes with another."""
    return segment(name), next(_cuts(name))


def is_clash_form(written: str) -> bool:
    """Tell whether a segment has the form that the later of two clashing names takes.

    A name that is cut for its length keeps more than a clash form ever has to; one that only looks
    like it is taken for one.
    """
    kept, _, digest = written.rpartition("~")
    looks_so = re.fullmatch(rf"[0-9a-f]{{{DIGEST_DIGITS}}}", digest) is not None
    return looks_so and len(kept.encode()) <= CUT_BYTES - LONGEST_PIECE


def object_url(key: str) -> str:
    """Write an object key as the URL path that any client would use."""
    return quote(key, safe="/-_.~")


def _cuts(name: str) -> Iterator[str]:
    """Yield the cut form, then others for names made to look like the cut form of another."""
    kept = _longest_prefix(_pieces(name))
    digest = hashlib.sha256(name.encode())
    while True:
        yield f"{kept}~{digest.hexdigest()[:DIGEST_DIGITS]}"
        digest = hashlib.sha256(digest.digest())


def _longest_prefix(pieces: Iterable[str]) -> str:
    kept, room = "", CUT_BYTES
    for piece in pieces:
        room -= len(piece.encode())
        if room < 0:
            break
        kept += piece
    return kept


def _pieces(stored: str) -> list[str]:
    """Return the written form of each character of a name in normal form C."""
    name = unicodedata.normalize("NFC", stored)
    device = bool(_DEVICE.match(name))
    last = len(name) - 1
    pieces: list[str] = []
    encoded = False
    for position, character in enumerate(name):
        leading = position == 0 and (device or character in "_. ")
        trailing = position == last and character in ". "
        encoded = leading or trailing or not _is_kept(character, after_encoded=encoded)
        pieces.append(_percent(character) if encoded else character)
    return pieces


def _is_kept(character: str, *, after_encoded: bool) -> bool:
    if character in _ALWAYS_KEPT:
        return True
    category = unicodedata.category(character)
    if category[0] == "M":
        return not after_encoded
    return category[0] == "L" or category == "Nd"


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
