"""HTML made by Python: a tree of elements, so that no text can ever become markup.

Every text and attribute goes through `visible`: nothing in it is hidden or turns the direction of
what follows. A document has its one style inside it and no script, forbids everything else by its
policy, and asks no server for anything.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from exporter.core.diff_safe import visible
from exporter.core.wording import counted

__all__ = ["Child", "Page", "age", "el", "icon", "moment", "page", "said", "sign", "when"]

Child: TypeAlias = "Element | str | Iterable[Child] | None"

_SHEETS = ("page/style.css", "dashboard.css")
_RING = "M8 1.800a6.200 6.200 0 1 0 0 12.400A6.200 6.200 0 0 0 8 1.800z"
_SHAPES = {
    "good": (_RING, "M5.200 8.200l2 2 3.800-4.200"),
    "problem": ("M8 2.200 14.500 13.500h-13z", "M8 6.500v3.200", "M8 11.600v.01"),
    "waiting": (_RING, "M8 4.600V8l2.300 1.700"),
}
_UNITS = (("second", 1, 90), ("minute", 60, 90 * 60), ("hour", 3600, 36 * 3600))


@dataclass(frozen=True, slots=True)
class Page:
    """A document as bytes, and the policy under which it is to be shown."""

    html: bytes
    policy: str


def el(form: str, *children: Child, **attributes: str) -> Element:
    """Make an element: a form is its tag and classes (`p.facts`); `aria_label` is `aria-label`."""
    tag, *classes = form.split(".")
    made = Element(tag)
    if classes:
        made.set("class", " ".join(classes))
    for name, value in attributes.items():
        made.set(name.rstrip("_").replace("_", "-"), visible(value))
    for child in children:
        _add(made, child)
    return made


def said(text: str) -> Element:
    """Return what others wrote, for a line of ours: it finds its own direction."""
    return el("bdi", text, dir="auto")


def sign(name: str) -> Element:
    """Draw a sign; it is for the eye only, so words stand beside it."""
    shapes = [el("path", d=shape) for shape in _SHAPES[name]]
    return el(f"svg.sign.{name}", shapes, viewBox="0 0 16 16", aria_hidden="true")


def moment(text: str) -> datetime | None:
    """Read an instant of ours, or a date as git writes it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def when(text: str, now: datetime, form: str = "span.when") -> Element:
    """Tell an instant, and how long before or after `now` that is."""
    found = moment(text)
    if found is None:
        return el(form, said(text or "at an unknown time"))
    seconds = (now - found).total_seconds()
    side = "earlier" if seconds >= 0 else "later"
    exact = el(
        "time", f"{found.day} {found:%b %Y, %H:%M} UTC", datetime=f"{found:%Y-%m-%dT%H:%M:%SZ}"
    )
    return el(form, exact, " ", el("span.facts", f"{age(abs(seconds))} {side}"))


def age(seconds: float) -> str:
    """Tell a span of time in its largest fitting unit."""
    for unit, length, limit in _UNITS:
        if seconds < limit:
            return counted(int(seconds // length), unit)
    return counted(int(seconds // 86400), "day")


def page(title: str, *children: Child) -> Page:
    """Return a document of its own: its style is inside it, and it asks for nothing."""
    folder = files("exporter.preview")
    style = Element("style")
    style.text = "\n".join((folder / name).read_text(encoding="utf-8") for name in _SHEETS)
    digest = b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("link", rel="icon", type="image/svg+xml", href=icon()),
        style,
    )
    document = el("html", head, el("body", *children), lang="en", dir="ltr")
    text = tostring(document, encoding="unicode", method="html")
    return Page(f"<!doctype html>\n{text}\n".encode(), policy)


def icon() -> str:
    """Return the program's sign as an address that holds it."""
    drawn = (files("exporter.preview") / "page" / "favicon.svg").read_bytes()
    return f"data:image/svg+xml;base64,{b64encode(drawn).decode()}"


def _add(parent: Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, str):
        _write(parent, visible(child))
    elif isinstance(child, Element):
        parent.append(child)
    else:
        for one in child:
            _add(parent, one)


def _write(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text
