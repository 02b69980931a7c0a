"""A markdown page as its readers use it: blocks that they type, links that they follow.

Marks are HTML comments on the line above a fenced block, which readers do not see:

    <!-- in: the school -->         from here on in a new copy of that place
    <!-- each in: the school -->    each command line in a new copy of its own
    <!-- not run: needs Docker -->  the block is not run, for one of the listed reasons
    <!-- ends: 1 -->                the exit status that its last command ends with, instead of 0
    <!-- runbook: lost-state -->    the block belongs to a runbook, which has a test of its own
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "Page", "anchor"]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\s`]*)[^`]*$")
_MARK = re.compile(r"^ *<!-- (?P<kind>in|each in|not run|ends|runbook): (?P<value>.+?) -->\s*$")
_LINK = re.compile(r"!?\[(?:[^\[\]]|!?\[[^\]]*\]\([^)]*\))*\]\(\s*(?P<target>[^)\s]+)[^)]*\)")
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, with the marks above it and the line of the page that it begins in."""

    language: str
    text: str
    line: int
    marks: dict[str, str]

    def typed(self) -> str:
        """Return what a reader types: all of it, or in a session on screen what follows a `$`."""
        if self.language != "console":
            return self.text
        lines = (line for line in self.text.splitlines() if line.startswith("$ "))
        return "".join(f"{line[2:]}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of markdown."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def blocks(self) -> Iterator[Block]:
        """Yield the fenced blocks."""
        marks: dict[str, str] = {}
        opened: tuple[str, str, int] | None = None
        inside: list[str] = []
        for number, line in enumerate(self.text.splitlines(), start=1):
            fence = _FENCE.match(line)
            if opened and line.strip() == "```":
                indent, language, begun = opened
                text = "".join(f"{one.removeprefix(indent)}\n" for one in inside)
                yield Block(language, text, begun, marks)
                opened, marks, inside = None, {}, []
            elif opened:
                inside.append(line)
            elif fence:
                opened = fence["indent"], fence["language"], number
            elif mark := _MARK.match(line):
                marks[mark["kind"]] = mark["value"]
            elif line.strip():
                marks = {}

    def prose(self) -> str:
        """Return the page without its fenced blocks."""
        return re.sub(r"^( *)```.*?^ *```\s*$", "", self.text, flags=re.DOTALL | re.MULTILINE)

    def inline(self) -> list[str]:
        """Return what stands between single backticks."""
        return [" ".join(found.split()) for found in _INLINE.findall(self.prose())]

    def links(self) -> list[str]:
        """Return where links and pictures lead to."""
        prose = re.sub(r"`[^`\n]*`", "", self.prose())
        nested = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", prose)
        return [match["target"] for match in _LINK.finditer(prose)] + nested

    def anchors(self) -> set[str]:
        """Return the anchors that GitHub gives the headings, repeated ones numbered."""
        found: set[str] = set()
        for heading in re.findall(r"^#{1,6} +(.+?)\s*#*$", self.prose(), re.MULTILINE):
            first = name = anchor(heading)
            count = 0
            while name in found:
                count += 1
                name = f"{first}-{count}"
            found.add(name)
        return found


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    kept = (letter for letter in shown.lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")
