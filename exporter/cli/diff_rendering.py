"""A diff on a terminal: the same sentences as in a pull request, in colours (spec 5, `diff`).

No columns: right-to-left titles would break them. Content is shown safely, as in markdown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from exporter.core.diff_lines import BRIEF, Block, Line, Span
from exporter.core.diff_safe import isolated, visible
from exporter.core.diff_sentences import Section, headline, sections

if TYPE_CHECKING:
    from rich.text import Text

    from exporter.core.diff_report import DiffReport
    from exporter.core.diff_words import Piece

__all__ = ["terminal_text"]

_SHOWN_BLOCKS = 60
"""Blocks a section; whoever wants more asks for the full text."""
_STYLES = {"plain": "", "strong": "bold", "title": "italic", "code": "cyan"}
_PIECES = {"same": "", "cut": "dim", "gone": "red strike", "new": "green"}


def terminal_text(report: DiffReport) -> Text:
    """Return the report as text for a terminal; without colours it still reads the same."""
    from rich.text import Text

    text = Text(f"{headline(report)}\n", style="bold")
    text.append(f"from {visible(report.base)} to {visible(report.target)}\n", style="not bold dim")
    for part in sections(report, BRIEF):
        for piece in _section(part):
            text.append_text(piece)
    return text


def _section(part: Section) -> Iterator[Text]:
    from rich.text import Text

    if not part.blocks and not part.nothing:
        return
    yield Text(f"\n{part.title}\n", style="bold underline")
    if not part.blocks:
        yield Text(f"  {part.nothing}\n", style="dim")
    for block in part.blocks[:_SHOWN_BLOCKS]:
        yield from _block(block)
    rest = sum(block.weight for block in part.blocks[_SHOWN_BLOCKS:])
    if rest:
        yield Text(f"  … and {rest:,} more {part.noun}: see them all with --full FILE\n")


def _block(block: Block) -> Iterator[Text]:
    from rich.text import Text

    yield Text(f"  {block.sign} ").append_text(_line(block.line)).append("\n")
    for line in block.below:
        yield Text("       ").append_text(_line(line)).append("\n")


def _line(line: Line) -> Text:
    from rich.text import Text

    text = Text()
    for span in line:
        text.append_text(_span(span))
    return text


def _span(span: Span) -> Text:
    from rich.text import Text

    if span.style != "value":
        shown = span.text if span.style in ("plain", "strong") else isolated(visible(span.text))
        return Text(shown, style=_STYLES[span.style])
    start, end = _around(span.pieces)
    text = Text(start)
    for piece in span.pieces:
        text.append(_bracketed(piece), style=_PIECES[piece.op])
    return text.append(end)


def _around(pieces: tuple[Piece, ...]) -> tuple[str, str]:
    """Return what isolates a value from the line; nothing where it has no right-to-left letters."""
    whole = isolated("", [piece.text for piece in pieces])
    return (whole[:1], whole[1:])


def _bracketed(piece: Piece) -> str:
    """Mark what is gone and new by signs too: colours are not for everyone."""
    text = visible(piece.text)
    match piece.op:
        case "gone":
            return f"[-{text}-]"
        case "new":
            return f"{{+{text}+}}"
        case _:
            return text
