"""One look at all texts and numbers of a document: whether any of them may need a closer one.

Nearly every document is clean, and to see that of all its texts together takes a fraction of what
it takes to look at each. `checks` looks at what is not, text by text, and says what is wrong where.
"""

from __future__ import annotations

import math
import re

from exporter.core.model import Document

__all__ = ["fits_double", "is_clean", "is_harmless"]

_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")
_SIGNS = ("/private/files/", "X-Amz-Signature=", "-----BEGIN ", "AKIA")
"""What a text has that names a private file, or that one of the usual patterns of secrets finds."""


def is_clean(document: Document) -> bool:
    """Tell whether no text of a document can be wrong by itself, nor any number be too large.

    The usual patterns of secrets are looked for, not those that are configured.
    """
    texts = _texts(document)
    if texts is None:
        return False
    joined = "\n".join(texts)
    for sign in _SIGNS:
        if sign in joined:
            return False
    return is_harmless(joined)


def is_harmless(text: str) -> bool:
    """Tell at once that a text has nothing of `W208`, as nearly all have."""
    if ":" not in text and text.isprintable():
        return True
    data = text.encode(errors="surrogatepass")
    if len(data.translate(None, _CONTROLS)) != len(data) or b"script:" in data.lower():
        return False
    if b"\xe2\x80\xad" in data or b"\xe2\x80\xae" in data:
        return False
    return b"\xc2" not in data or not _C1_CONTROL.search(data)


def fits_double(number: float) -> bool:
    """Tell whether a number is one that double precision can hold."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _texts(document: Document) -> list[str] | None:
    """Return all texts, or None where a value is none of JSON's; this sees each, so it is lean."""
    texts = [document.name]
    waiting: list[object] = [dict(document.fields), *document.rows.values()]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind is str:
            texts.append(value)  # type: ignore[arg-type]
        elif kind is dict:
            texts.extend(value)  # type: ignore[arg-type]
            waiting.extend(value.values())  # type: ignore[attr-defined]
        elif kind is list or kind is tuple:
            waiting.extend(value)  # type: ignore[arg-type]
        elif kind is int or kind is float:
            if not fits_double(value):  # type: ignore[arg-type]
                return None
        elif value is not None and kind is not bool:
            return None
    return texts
