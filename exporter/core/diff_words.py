"""What changed inside one text, word by word.

A text's words are found by what Unicode says of its characters, so that Arabic words keep their
marks and Chinese ones need no blanks. Blanks never anchor a match, and what stands unchanged
between two changes counts only where it holds a word.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal

__all__ = ["Piece", "excerpt", "word_diff", "words_of"]

Op = Literal["same", "gone", "new", "cut"]

MAX_COST = 2_000_000
"""Pairs of equal words that are looked at; a text beyond that is told as replaced."""
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text: the same in both, gone, new, or cut out because it is the same."""

    op: Op
    text: str


def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """Return the pieces that make both texts: `same` and `gone` the old one, with `new` the new."""
    return tuple(_joined(_tidied(list(_compared(words_of(before), words_of(after))))))


def excerpt(pieces: Sequence[Piece], context: int) -> tuple[Piece, ...]:
    """Return the changed pieces with that many words around each; the rest is `cut`."""
    shown: list[Piece] = []
    last = len(pieces) - 1
    for place, piece in enumerate(pieces):
        if piece.op == "same":
            shown += _clipped(piece, context if place else 0, context if place < last else 0)
        else:
            shown.append(piece)
    return tuple(shown)


def words_of(text: str) -> list[str]:
    """Return a text's words, marks and blanks, in order."""
    words: list[str] = []
    for kind, run in groupby(text, key=_kind):
        together = "".join(run)
        words += list(together) if kind in ("mark", "ideograph") else [together]
    return words


def _kind(character: str) -> str:
    """Return what a character is part of: a word, blanks, or itself alone."""
    if character == "\n":
        return "break"
    if character.isspace():
        return "blank"
    category = unicodedata.category(character)
    if category == "Lo" and unicodedata.east_asian_width(character) in "WF":
        return "ideograph"
    is_word = category[0] in "LMN" or character in _JOINERS
    return "word" if is_word else "mark"


def _compared(before: list[str], after: list[str]) -> Iterator[Piece]:
    """Compare two lists of words; what they begin and end with needs no search."""
    start = _common(zip(before, after, strict=False))
    rest = min(len(before), len(after)) - start
    end = min(_common(zip(reversed(before), reversed(after), strict=False)), rest)
    yield _piece("same", before[:start])
    yield from _searched(before[start : len(before) - end], after[start : len(after) - end])
    yield _piece("same", before[len(before) - end :])


def _common(pairs: Iterable[tuple[str, str]]) -> int:
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


def _searched(before: list[str], after: list[str]) -> Iterator[Piece]:
    if _cost(before, after) > MAX_COST:
        yield from (_piece("gone", before), _piece("new", after))
        return
    matcher = SequenceMatcher(str.isspace, before, after, autojunk=False)
    for op, old, old_end, new, new_end in matcher.get_opcodes():
        if op == "equal":
            yield _piece("same", before[old:old_end])
            continue
        yield _piece("gone", before[old:old_end])
        yield _piece("new", after[new:new_end])


def _cost(before: list[str], after: list[str]) -> int:
    words = Counter(word for word in before if not word.isspace())
    return sum(words[word] for word in after)


def _piece(op: Op, words: Iterable[str]) -> Piece:
    return Piece(op, "".join(words))


def _tidied(pieces: list[Piece]) -> Iterator[Piece]:
    """Make unchanged blanks and marks between two changes part of the change."""
    last = len(pieces) - 1
    for place, piece in enumerate(pieces):
        between = 0 < place < last and not any(map(_is_word, piece.text))
        if piece.op == "same" and between and _is_changed(pieces, place):
            yield Piece("gone", piece.text)
            yield Piece("new", piece.text)
        else:
            yield piece


def _is_word(character: str) -> bool:
    return _kind(character) in ("word", "ideograph")


def _is_changed(pieces: Sequence[Piece], place: int) -> bool:
    """Tell whether something changed right before and right after."""
    around = (pieces[:place], pieces[place + 1 :])
    return all(any(one.text and one.op != "same" for one in side) for side in around)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Join neighbours of a kind; in a change what is gone stands before what is new."""
    for is_same, run in groupby((p for p in pieces if p.text), key=lambda p: p.op == "same"):
        members = list(run)
        ops: tuple[Op, ...] = ("same",) if is_same else ("gone", "new")
        for op in ops:
            text = "".join(one.text for one in members if one.op == op)
            if text:
                yield Piece(op, text)


def _clipped(piece: Piece, head: int, tail: int) -> list[Piece]:
    """Return the first and last words of an unchanged piece, and that something is cut."""
    words = words_of(piece.text)
    places = [place for place, word in enumerate(words) if _is_word(word[0])]
    if len(places) <= head + tail:
        return [piece]
    kept_head = "".join(words[: places[head]]).rstrip() if head else ""
    kept_tail = "".join(words[places[-tail] :]) if tail else ""
    shown = [Piece("same", kept_head), Piece("cut", "…"), Piece("same", kept_tail)]
    return [one for one in shown if one.text]
