"""A report as markdown for pull requests and job summaries (spec 5, `diff`).

Content is not trusted: nothing in it becomes markup, mentions a person, refers to an issue or
changes the direction of what stands around it. GitHub takes a comment of 65,536 characters; a
report beyond the limit is cut section by section and says what is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from exporter.core.diff_lines import BRIEF, WHOLE, Block, Line, Span
from exporter.core.diff_report import DiffReport
from exporter.core.diff_safe import isolated, visible
from exporter.core.diff_sentences import Section, headline, sections
from exporter.core.diff_words import Piece

__all__ = ["COMMENT_LIMIT", "escape", "markdown_full", "markdown_summary", "neutralised"]

COMMENT_LIMIT = 60_000
"""Characters; a comment takes 65,536, and a few belong to whoever posts it."""

_BLANK = "&#8203;"
"""A blank of no width: what stands before and after it is no word together."""
_SPECIAL = re.compile(
    r"[\\`*_\[\]~|&<>$]|[@#:](?=\S)|(?<![^\W_])(?:www(?=\.)|gh(?=-))", re.IGNORECASE
)
"""What markdown or GitHub would take for its own: markup, mentions, references, addresses."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "<span>$</span>"}
_OURS = re.compile(
    r"(?P<ours>\\[\\`*_\[\]~|]|</?(?:code|del|ins|sub)>|<span>\$</span>|&(?:amp|lt|gt|#8203);"
    r"|[@#:]&#8203;|^#{1,6} |[*_])|" + _SPECIAL.pattern,
    re.IGNORECASE | re.MULTILINE,
)
"""What stands in a report: first what is ours and harmless, then what could act."""
_SHARES = (0.4, 0.5, 0.6, 1.0)
"""How much of what is left each section may take."""


def markdown_summary(report: DiffReport, limit: int = COMMENT_LIMIT) -> str:
    """Return the report in at most that many characters."""
    return _written(report, sections(report, BRIEF), limit)


def markdown_full(report: DiffReport) -> str:
    """Return the whole report, however long."""
    return _written(report, sections(report, WHOLE), None)


def escape(text: str) -> str:
    """Return content as markdown that reads as the content and does nothing."""
    return _SPECIAL.sub(_disarmed, visible(text))


def neutralised(markdown: str, limit: int) -> str:
    """Return markdown that says it is a report, in at most that many characters and harmless.

    A report comes back as it is. Of anything else headings, lists and emphasis may be left, but no
    link, picture, mention, reference or markup that a report does not have.
    """
    shown = "".join(map(_safe_character, markdown))
    safe = _OURS.sub(_kept_or_disarmed, shown)
    return safe if len(safe) <= limit else f"{safe[: limit - 4].rpartition(chr(10))[0]}\n- …\n"


def _safe_character(character: str) -> str:
    """Return a character of a report; other text has been made visible in one already."""
    return character if character in "\n\u2066\u2067\u2068\u2069" else visible(character)


def _kept_or_disarmed(found: re.Match[str]) -> str:
    return found[0] if found["ours"] else _disarmed(found)


def _disarmed(found: re.Match[str]) -> str:
    text = found[0]
    if text in _ENTITIES:
        return _ENTITIES[text]
    acts = text in "@#:" or len(text) > 1
    return f"{text}{_BLANK}" if acts else f"\\{text}"


def _written(report: DiffReport, parts: Sequence[Section], limit: int | None) -> str:
    head = f"### Content: {headline(report)}\n\n"
    head += f"<sub>From {escape(report.base)} to {escape(report.target)}</sub>\n"
    written, used = [head], len(head)
    for part, share in zip(parts, _SHARES, strict=True):
        room = None if limit is None else int((limit - used) * share)
        text = _section(part, room)
        written.append(text)
        used += len(text)
    return "".join(written)


def _section(part: Section, room: int | None) -> str:
    title = f"\n#### {part.title}\n\n"
    if not part.blocks:
        return f"{title}{part.nothing}\n" if part.nothing else ""
    blocks = [_block(block) for block in part.blocks]
    whole = title + "".join(blocks)
    if room is None or len(whole) <= room:
        return whole
    kept = _fitting(blocks, room - len(title) - _REST)
    rest = sum(block.weight for at, block in enumerate(part.blocks) if at not in kept)
    shown = "".join(blocks[at] for at in sorted(kept))
    return f"{title}{shown}- … and {rest:,} more {part.noun}\n"


_REST = 60
"""Characters for saying what is left out."""


def _fitting(blocks: Iterable[str], room: int) -> set[int]:
    """Return the places of the blocks that fit; one that is too large does not stop the rest."""
    kept: set[int] = set()
    left = room
    for place, block in enumerate(blocks):
        if len(block) <= left:
            kept.add(place)
            left -= len(block)
    return kept


def _block(block: Block) -> str:
    below = "".join(f"  - {_line(line)}\n" for line in block.below)
    return f"- {block.sign} {_line(block.line)}\n{below}"


def _line(line: Line) -> str:
    return "".join(map(_span, line))


def _span(span: Span) -> str:
    match span.style:
        case "plain":
            return span.text
        case "strong":
            return f"**{span.text}**"
        case "title":
            return f"*{isolated(escape(span.text))}*" if span.text else ""
        case "code":
            return f"<code>{isolated(escape(span.text))}</code>"
        case "value":
            text = "".join(map(_piece, span.pieces)).replace("</del><ins>", "</del> <ins>")
            return isolated(text, [piece.text for piece in span.pieces])


def _piece(piece: Piece) -> str:
    text = escape(piece.text)
    match piece.op:
        case "gone":
            return f"<del>{text}</del>"
        case "new":
            return f"<ins>{text}</ins>"
        case _:
            return text
