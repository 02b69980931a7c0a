"""What is wrong with a configuration beyond its schema: secrets written out, and the rules.

A secret is never in the file: the place holds a reference to the environment and nothing else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from exporter.config.reading import REFERENCE, Expansion, Pointer, Problem
from exporter.core.model import DOCTYPES, Json

__all__ = ["broken_rules", "is_secret_place", "seconds", "written_secrets"]

_CREDENTIALS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|PRIVATE KEY-----"
    r"|\bX-Amz-Signature="
    r"|\bgh[opsu]_[0-9A-Za-z]{30}"
    r"|://[^/@:\s]*:[^/@\s]+@"
)
"""What looks like a credential in any value."""

_BUCKET = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9](?:/|\Z)")
_DATABASE_PASSWORD = re.compile(r"://[^/@:]*:[^@]+@|[?&](?:password|passwd|pwd)=[^&]")
_UNIT_S: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EXPIRES_S = (_UNIT_S["h"], _UNIT_S["d"])
_FRAPPE_COLUMNS = frozenset(
    ("name", "creation", "modified", "modified_by", "owner", "docstatus", "idx")
)
"""Never in the snapshot: noise in every review, and personal data (spec 2)."""


def seconds(duration: str) -> int:
    """Return a duration such as `15s`, `5m`, `4h` or `30d` in seconds."""
    return int(duration[:-1]) * _UNIT_S[duration[-1]]


def is_secret_place(pointer: Pointer) -> bool:
    """Tell whether the value there is a secret as a whole, or may hold one."""
    return pointer == ("source", "url") or _is_wholly_secret(pointer)


def written_secrets(value: Json, pointer: Pointer = ()) -> Iterator[Problem]:
    """Find secrets in the document as written; what is named is the place, never the secret."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from written_secrets(item, (*pointer, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from written_secrets(item, (*pointer, place))
    elif isinstance(value, str) and _holds_secret(value, pointer):
        yield Problem(
            pointer,
            "a secret is written out here",
            hint="write a reference such as ${NAME} and set NAME in the environment; "
            "change the secret if it was ever committed",
        )


def broken_rules(document: Expansion, problems: Collection[Problem], root: Path) -> list[Problem]:
    """Find what the schema cannot say, in the parts of a document that fit the schema."""

    def sound(*pointer: str) -> dict[str, Any]:
        """Return the part there; empty where it is absent or has a problem."""
        if any(_touch(problem.pointer, pointer) for problem in problems):
            return {}
        part: dict[str, Any] = document.value
        for key in pointer:
            part = part.get(key, {})
        return part

    names = document.value.get("targets")
    targets = {name: sound("targets", name) for name in names} if isinstance(names, dict) else {}
    broken = (
        *_extra_fields(sound("source", "extra_fields")),
        *_patterns(sound("build")),
        *_signing(sound("media")),
        *_addressing(sound("publish"), sound("build")),
        *_buckets(targets),
        *_stores(targets, root),
    )
    return [
        replace(problem, late=any(_decides(place, problem) for place in document.references))
        for problem in broken
    ]


def _touch(one: Pointer, other: Pointer) -> bool:
    """Tell whether one place is the other, or is in it or around it."""
    size = min(len(one), len(other))
    return one[:size] == other[:size]


def _decides(place: Pointer, problem: Problem) -> bool:
    """Tell whether what the environment gives there has a part in a broken rule."""
    match problem.pointer:
        case ("targets", name, _):
            return place in (("targets", name, "store"), ("targets", name, "state"))
        case ("media", *_):
            return place[0] == "media"
        case pointer:
            return place[:2] == pointer[:2]


def _is_wholly_secret(pointer: Pointer) -> bool:
    is_token = pointer[:1] == ("targets",) and pointer[2:] == ("purge", "api_token")
    return is_token or pointer == ("notify", "url")


def _holds_secret(text: str, pointer: Pointer) -> bool:
    if _is_wholly_secret(pointer):
        reference = REFERENCE.fullmatch(text)
        return reference is None or bool(reference[2])
    written = REFERENCE.sub(lambda match: match[2] or "", text)
    if pointer == ("source", "url") and _DATABASE_PASSWORD.search(written):
        return True
    return _CREDENTIALS.search(written) is not None


def _extra_fields(configured: Mapping[str, list[str]]) -> Iterator[Problem]:
    for doctype, columns in configured.items():
        declared = DOCTYPES[doctype]
        known = {field.name for field in declared.fields} | {c.field for c in declared.children}
        for place, column in enumerate(columns):
            pointer = ("source", "extra_fields", doctype, place)
            if column.lower() in known:
                yield Problem(pointer, f'"{column}" is read already')
            elif column.lower() in _FRAPPE_COLUMNS or column.startswith("_"):
                yield Problem(
                    pointer, f'"{column}" is Frappe\'s own column, which is never exported'
                )


def _patterns(build: Mapping[str, Any]) -> Iterator[Problem]:
    for place, pattern in enumerate(build.get("credential_patterns", [])):
        try:
            re.compile(pattern)
        except re.error as error:
            pointer = ("build", "credential_patterns", place)
            yield Problem(pointer, f"not a regular expression: {error}")


def _signing(media: Mapping[str, Any]) -> Iterator[Problem]:
    least, most = _EXPIRES_S
    before = media.get("refresh_before")
    for place, rule in enumerate(media.get("signed", [])):
        written = rule.get("expires", "4h")
        if not least <= seconds(written) <= most:
            pointer = ("media", "signed", place, "expires")
            yield Problem(pointer, f"must be from 1h to 24h, not {written}")
        elif before and seconds(before) >= seconds(written):
            yield Problem(
                ("media", "refresh_before"),
                f"must be shorter than the {written} that URLs of {rule['prefix']} work, "
                f"not {before}",
            )


def _addressing(publish: Mapping[str, Any], build: Mapping[str, Any]) -> Iterator[Problem]:
    if publish.get("addressing") == "hashed" and "monolithic" in build.get("layouts", []):
        yield Problem(
            ("publish", "addressing"),
            'must be stable with the layout "monolithic": its lessons link to one another, so none '
            "of their keys could carry the digest of what it links to",
            hint="leave `addressing` out, or `monolithic` out of `build.layouts`",
        )


def _buckets(targets: Mapping[str, dict[str, Any]]) -> Iterator[Problem]:
    """Find s3:// locations without a bucket; the text is not shown, as people put keys there."""
    for name, target in targets.items():
        for part in ("store", "state"):
            location = target.get(part, "")
            if location.startswith("s3:") and not _BUCKET.match(location):
                yield Problem(
                    ("targets", name, part),
                    "names no bucket",
                    hint="write s3://bucket/prefix; keys go into AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, the host into `s3.endpoint_url`",
                )


def _stores(targets: Mapping[str, dict[str, Any]], root: Path) -> Iterator[Problem]:
    for name, target in targets.items():
        if target and _overlap(_location(target["store"], root), _location(target["state"], root)):
            yield Problem(
                ("targets", name, "state"),
                "must be apart from `store`: what is in the state store is not for readers",
                hint="use a bucket or a folder of its own",
            )


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _location(text: str, root: Path) -> str:
    """Return a store's location in a form that can be compared."""
    if text.startswith("s3://"):
        return text.rstrip("/")
    folder = text.removeprefix("file://") if text.startswith("file://") else f"{root}/{text}"
    return posixpath.normpath(text if text.startswith("/") else folder)
