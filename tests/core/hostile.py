"""Hostile names and texts, as strategies: what editors, imports and old browsers leave behind."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["NAMES", "TEXTS"]

_HOSTILE_NAMES = (
    *("a", "A", "LESSON-MATH-001", "درس", "الدّرس الأوّل", "ß", "SS", "é", "e\u0301", "\u0301a"),
    *("_", "_track", ".", "..", " ", "a ", " a", "a.", ".yaml", "~", "%41", "a/b", "a\\b", "a%2Fb"),
    *("CON", "con.txt", "nul", "aux.", "COM1", "lpt9.a", "COM0", "CONSOLE", "a\nb", "🎓", "\u200f"),
    *("manifest", "S_h", "٣", "½", "x" * 140, "ع" * 140, "🎓" * 140, "a" + "/" * 139),
)
_HOSTILE_TEXTS = (
    *("yes", "null", "~", "012", "1e3", "0x1F", "2026-01-01", "12:30:45", "<<", "=", ".inf", "-"),
    *("a: b", "# a", "- a", "? a", "'", '"', "{}", "[]", "&a", "*a", "!a", "%a", "@a", "`a", "|"),
    *(" a\nb", "\ta\nb", "a\n", "a\n\n", "\n", "\n\n a", "a \nb", "a\n \n", "---\na", "..."),
    *("\u2028", "\x85", "\x07", "\ufeff", "\x7f", "a\tb", "درس\nسطر", "🎓", "\\n", "\u200f\u202e"),
)

_CHARACTERS = st.one_of(
    st.sampled_from(" \t\n-?:,[]{}#&*!|>'\"%@`\\=~<._/aAعdß\u0301\u0651٣\x00\x85\u2028\ufeff"),
    st.characters(exclude_categories=["Cs"]),
)

NAMES = st.one_of(st.sampled_from(_HOSTILE_NAMES), st.text(_CHARACTERS, min_size=1, max_size=12))
TEXTS = st.one_of(st.sampled_from(_HOSTILE_TEXTS), st.text(_CHARACTERS, min_size=1, max_size=20))
