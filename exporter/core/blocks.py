"""Pieces that the files of every layout share, keys in the specification's order (spec 4).

What is empty is left out, here and nowhere else.
"""

from __future__ import annotations

import re

from exporter.core.access import Access
from exporter.core.artifacts import Body, Rules
from exporter.core.model import GRADE, SEASON, STREAM, Document
from exporter.core.tree import Snapshot

__all__ = ["STAMP", "about", "access_block", "colour", "extra", "heading", "image", "is_colour"]

STAMP: Body = {"version": 0, "generated_at": ""}
"""What stands in a body for its version until that is known."""

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}\Z")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


def is_colour(text: str) -> bool:
    """Tell whether a `color_code` can be published: `#RRGGBB`."""
    return bool(_COLOUR.match(text))


def about(document: Document, title: str, rules: Rules) -> Body:
    """Return what a reader sees of a document first: `id`, `title`, `description`, `image`."""
    body: Body = {"id": document.name, "title": title}
    if description := document.text("description"):
        body["description"] = description
    return {**body, **image(document, "image", rules)}


def heading(snapshot: Snapshot, plan: Document) -> dict[str, str]:
    """Return the titles of a plan and of its season, grade and stream, as its manifest has them.

    A season, grade or stream that is not there goes by its name.
    """
    said = {"title": plan.title}
    for field, doctype in (("season", SEASON), ("grade", GRADE), ("stream", STREAM)):
        if name := plan.text(field):
            linked = snapshot.find(doctype, name)
            said[field] = linked.title if linked else name
    return said


def image(document: Document, field: str, rules: Rules) -> Body:
    """Return an image's address under its field, `build.files_base_url` before a relative one."""
    address = document.text(field)
    if not address:
        return {}
    if rules.files_base_url and not _ABSOLUTE.match(address):
        address = f"{rules.files_base_url.rstrip('/')}/{address.lstrip('/')}"
    return {field: address}


def colour(document: Document) -> Body:
    """Return `color_code`, unless it is none (`W203`)."""
    code = document.text("color_code")
    return {"color_code": code} if is_colour(code) else {}


def access_block(access: Access) -> Body:
    """Return who may open a node, as every file says it."""
    block: Body = {"is_published": True, "access_level": access.level}
    if access.required_item:
        block["required_item"] = access.required_item
    block["is_sold_separately"] = access.is_sold_separately
    block["parent_item_required"] = access.parent_item_required
    return block


def extra(document: Document) -> Body:
    """Return the configured extra fields that are not empty under `extra`."""
    fields: Body = dict(document.extras())
    return {"extra": fields} if fields else {}
