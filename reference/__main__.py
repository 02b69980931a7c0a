"""Write `schemas/` and the generated pages of `docs/` from the declarations: `make reference`.

Examples of published files and of snapshots are the demo school's, the same each time. Those of
outputs hold times and ids, so they stay as they are until they no longer fit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from reference.commands import commands_page
from reference.compatibility import bare, broken
from reference.configuration import configuration_page
from reference.page import page
from reference.published import published_examples
from reference.shapes import Schema
from reference.writing import Examples, all_schemas, recorded_examples, text_of

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write what differs, and say what was written."""
    with TemporaryDirectory() as place:
        examples = Examples(
            published_examples(Path(place) / "published"),
            recorded_examples(ROOT, Path(place) / "recorded"),
        )
    schemas = all_schemas(ROOT, examples)
    files = {f"schemas/{kind}.schema.json": text_of(schema) for kind, schema in schemas.items()}
    files["docs/json-reference.md"] = page(schemas)
    files["docs/configuration.md"] = configuration_page(schemas["config"])
    files["docs/commands.md"] = commands_page()
    files["tests/schemas/baseline.json"] = _baseline(schemas)
    for name, text in files.items():
        file = ROOT / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


def _baseline(schemas: Mapping[str, Schema]) -> str:
    """Return what later changes are compared with, one line a schema.

    Raises:
        SystemExit: a schema breaks what the committed one promises, and its version is the same.
    """
    now = {kind: bare(schema) for kind, schema in schemas.items()}
    file = ROOT / "tests" / "schemas" / "baseline.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if lines := broken(before, now):
        hint = "raise its version (VERSIONS in reference/shapes.py, or the `$id`), or take it back"
        raise SystemExit("\n".join([*lines, hint]))
    rows = (f"{json.dumps(kind)}: {json.dumps(now[kind])}" for kind in sorted(now))
    return "{\n" + ",\n".join(rows) + "\n}\n"


main()
