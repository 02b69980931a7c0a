"""Content made safe to show: nothing in it can act on whoever shows it.

Control characters and those that change the direction of what follows are shown by their numbers;
the marks and joiners that Arabic and Persian need stay. Text with right-to-left letters is put
between isolates, so that it leaves the order of what stands around it alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["inert", "isolated", "visible"]

_FSI, _PDI = "\u2068", "\u2069"
_KEPT = frozenset("\u200c\u200d\u200e\u200f\u061c")
"""Joiners and plain direction marks: they end with the word they stand in."""
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys, other than new lines and tabs."""
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def visible(text: str) -> str:
    """Return text with what cannot be seen, or would act, told by its number."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def inert(text: str, *, is_json: bool = False) -> str:
    """Return lines in which a terminal finds nothing to obey; JSON stays the same value."""
    form = "\\u{:04x}" if is_json else "[U+{:04X}]"
    return _ACTING.sub(lambda found: form.format(ord(found[0])), text)


def isolated(text: str, judged_by: Iterable[str] | None = None) -> str:
    """Return text between isolates where it, or what it is judged by, has right-to-left letters."""
    judged = (text,) if judged_by is None else judged_by
    is_rtl = any(unicodedata.bidirectional(one) in ("R", "AL", "AN") for t in judged for one in t)
    return f"{_FSI}{text}{_PDI}" if is_rtl else text


def _shown(character: str) -> str:
    if character == "\n":
        return " ⏎ "
    if character == "\t":
        return " "
    if character in _KEPT or unicodedata.category(character) not in _UNSEEN:
        return character
    return f"[U+{ord(character):04X}]"
