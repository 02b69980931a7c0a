"""`docs/configuration.md`: every key of `exporter.yaml`, from the schema that checks it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from exporter.core.yamltext import emit
from reference.page import anchor, type_words
from reference.shapes import Schema

__all__ = ["configuration_page"]

_INTRODUCTION = """\
# Configuration

`exporter.yaml` stands at the root of the content repository; it is looked for from the working
folder upwards, or named by `--config`. `make reference` writes this page from
[`schemas/config.schema.json`](../schemas/config.schema.json), which every command checks the file
against. A source and one target are enough, everything else has a default:

```yaml
source: {url: "${EXPORTER_DATABASE_URL}"}
targets:
  production: {store: ./public/memora_content, state: ./.exporter/production}
```

* `${NAME}` and `${NAME:-default}` in a value read the environment. A secret that is written out is
  refused.
* Relative paths, also that of `sqlite:///site.db`, start at the folder of the file.
* A mistake is told with its file and line, and with what was probably meant.
"""
_CHECKS = """\
Each check has a level: `error` holds back the plans that would show the problem, `warning` is only
told, `off` is silent. [checks.md](checks.md) shows an example of each.
"""


def configuration_page(schema: Schema) -> str:
    """Return the page."""
    sections = schema["properties"]
    links = (f"[`{name}`](#{anchor(name)})" for name in sections)
    blocks = [_INTRODUCTION, f"Sections: {', '.join(links)}. [Types](#types) are told at the end."]
    for name, section in sections.items():
        blocks += [f"## `{name}`", f"{section['description']}."]
        blocks.append(f"```yaml\n{emit({name: schema['examples'][0][name]})}```")
        blocks += (
            [_CHECKS, _levels(section)] if name == "checks" else [_table(schema, name, section)]
        )
    blocks += ["## Types", _types(schema)]
    return "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def _types(schema: Schema) -> str:
    lines = ["| type | what it may be |", "|---|---|"]
    lines += (f"| {_name(one)} | {one['description']} |" for one in schema["$defs"].values())
    return "\n".join(lines)


def _name(definition: Schema) -> str:
    """Return what a type is called: in small letters, unless it is an abbreviation."""
    title = str(definition["title"])
    return title if re.search(r"\B[A-Z]|-[A-Z]", title) else title[0].lower() + title[1:]


def _levels(section: Schema) -> str:
    lines = ["| key | default | what is found |", "|---|---|---|"]
    for code, found in section["properties"].items():
        level = "error" if code.startswith("E") else "warning"
        what = found["description"].removesuffix(": error, warning or off")
        lines.append(f"| `checks.{code}` | `{level}` | {what} |")
    return "\n".join(lines)


def _table(schema: Schema, name: str, section: Schema) -> str:
    rows = _rows(schema, f"{name}.", section)
    lines = ["| key | type | default | what it is |", "|---|---|---|---|"]
    lines += (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join(lines)


def _rows(schema: Schema, path: str, node: Schema) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each key, those inside it after it."""
    for name, found in node.get("properties", {}).items():
        must = name in node.get("required", ())
        default = json.dumps(found["default"], ensure_ascii=False) if "default" in found else ""
        told = "**must be given**" if must else default and f"`{default}`"
        yield f"`{path}{name}`", _kind(schema, found), told, found["description"]
        yield from _rows(schema, f"{path}{name}.", found)
        yield from _rows(schema, f"{path}{name}[].", found.get("items", {}))
    if isinstance(node.get("additionalProperties"), dict):
        yield from _rows(schema, f"{path}NAME.", node["additionalProperties"])


def _kind(schema: Schema, found: Schema) -> str:
    """Say what a value may be: the name of its type, or its type in words."""
    if "$ref" in found:
        return _name(schema["$defs"][found["$ref"].rpartition("/")[2]])
    if found.get("type") == "array":
        return f"list: {_kind(schema, found['items'])}"
    words = type_words(schema, found)
    if "maximum" in found:
        return f"{words}, {found['minimum']} to {found['maximum']}"
    return f"{words}, at least {found['minimum']}" if "minimum" in found else words
