"""Where the JSON Schemas are: inside the installed package, or at the top of a source checkout."""

from __future__ import annotations

import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

__all__ = ["SUFFIX", "read_schema", "schema_folder"]

SUFFIX = ".schema.json"


def schema_folder() -> Traversable:
    """Return the folder that holds the `*.schema.json` files."""
    packaged = resources.files("exporter") / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "schemas"


def read_schema(kind: str) -> dict[str, Any]:
    """Return the schema of a kind, parsed.

    Raises:
        KeyError: there is no such kind.
    """
    try:
        text = (schema_folder() / f"{kind}{SUFFIX}").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyError(f"no schema for {kind!r}") from None
    schema: dict[str, Any] = json.loads(text)
    return schema
