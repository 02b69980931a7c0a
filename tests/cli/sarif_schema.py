"""The part of SARIF 2.1.0 that we write, as a schema: nothing else may stand in our logs.

Written by hand from the OASIS standard (sections 3.13 to 3.49), since no package ships its schema.
"""

from __future__ import annotations

from typing import Any

__all__ = ["SARIF"]


def closed(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


TEXT = closed("text", text={"type": "string", "minLength": 1})
LEVEL = {"enum": ["none", "note", "warning", "error"]}
BAG = {"type": "object", "properties": {"tags": {"type": "array"}}}
FINGERPRINTS = {"type": "object", "additionalProperties": {"type": "string"}}

RULE = closed(
    "id",
    id={"type": "string"},
    shortDescription=TEXT,
    defaultConfiguration=closed("", level=LEVEL),
)
LOCATION = closed(
    "physicalLocation",
    physicalLocation=closed(
        "artifactLocation",
        artifactLocation=closed(
            "uri",
            uri={"type": "string", "pattern": "^[A-Za-z0-9._~/%-]+$"},
            uriBaseId={"const": "%SRCROOT%"},
        ),
        region=closed("startLine", startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations={
        "type": "array",
        "minItems": 1,
        "items": closed("", fullyQualifiedName={"type": "string"}, kind={"type": "string"}),
    },
)
RESULT = closed(
    "message",
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=TEXT,
    locations={"type": "array", "items": LOCATION},
    partialFingerprints=FINGERPRINTS,
    properties=BAG,
)
DRIVER = closed(
    "name",
    name={"type": "string"},
    semanticVersion={"type": "string"},
    rules={"type": "array", "uniqueItems": True, "items": RULE},
)
RUN = closed(
    "tool",
    tool=closed("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
    properties=BAG,
)
SARIF = closed(
    "version runs",
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={"type": "array", "items": RUN},
)
