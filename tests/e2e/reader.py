"""A reader of the CDN who trusts nothing: follows every link, and checks every file on its own.

What a file is, is told here from its key alone, after spec 4, without asking the exporter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator

__all__ = ["bodies", "crawl", "kind_of", "links_of", "schema_problems"]

SCHEMAS = Path(__file__).parents[2] / "schemas"

_KINDS = (
    (r"lessons/[^/]+\.json", "lesson"),
    (r"plans/[^/]+/manifest\.json", "manifest"),
    (r"plans/[^/]+/search_index\.json", "search-index"),
    (r"plans/[^/]+/search/(_\d+/)?[^/]+\.json", "search-shard"),
    (r"plans/[^/]+/[^/]+_h\.json", "hierarchy"),
    (r"plans/[^/]+/[^/]+_b\.json", "bitmap"),
    (r"plans/[^/]+/[^/]+\.json", "topic"),
)
_HASHED = re.compile(r"\.[0-9a-f]{16}\.json\Z")


def kind_of(key: str) -> str:
    """Return what a key of the atomic layout holds; fails for a key that no layout has."""
    return next(kind for pattern, kind in _KINDS if re.fullmatch(pattern, key))


def schema_problems(files: Mapping[str, bytes]) -> list[str]:
    """Return what does not fit its schema, by the reference implementation in Python."""
    return [
        f"{key}: {error.json_path}: {error.message}"
        for key, body in files.items()
        for error in _validator(kind_of(key)).iter_errors(json.loads(body))
    ]


def crawl(files: Mapping[str, bytes]) -> set[str]:
    """Follow every link from every manifest; return the keys that were read.

    Fails where a link leads nowhere, or names another version than the file has.
    """
    waiting = [key for key in files if kind_of(key) == "manifest"]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        for url in _links(json.loads(files[source])):
            path, _, version = url.partition("?v=")
            key = unquote(path)
            assert key in files, f"{source} links to {key}, which is not there"
            found = json.loads(files[key])["version"]
            wanted = "" if _HASHED.search(key) else str(found)  # its bytes say which it is
            assert version == wanted, f"{source} links to {url}, and it has version {found}"
            if key not in seen:
                seen.add(key)
                waiting.append(key)
    return seen


def links_of(body: bytes) -> set[str]:
    """Return the keys that a file links to."""
    return {unquote(url.partition("?v=")[0]) for url in _links(json.loads(body))}


def bodies(files: Mapping[str, bytes]) -> dict[str, object]:
    """Return every file's content without what a new publish may change: versions, in links too."""
    return {key: _timeless(json.loads(body)) for key, body in files.items()}


@cache
def _validator(kind: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, str) and (name == "url" or name.endswith("_url")):
                yield from [item] if item.startswith(("plans/", "lessons/", "units/")) else []
            else:
                yield from _links(item)
    elif isinstance(value, list):
        for item in value:
            yield from _links(item)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        fixed = {"version": 0, "generated_at": ""}
        return {name: fixed.get(name, _timeless(item)) for name, item in value.items()}
    if isinstance(value, list):
        return [_timeless(item) for item in value]
    return re.sub(r"\?v=\d+$", "", value) if isinstance(value, str) else value
