"""Findings as a SARIF 2.1.0 log: what code scanning services and editors read.

Written from the OASIS standard. Locations are relative to the repository's root (`%SRCROOT%`) and
percent-encoded; a fingerprint stays the same while a finding moves up or down its file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from exporter import __version__
from exporter.core.findings import CODES, Finding, Severities

__all__ = ["sarif_log"]

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif_log(
    findings: Iterable[Finding], folder: str, severities: Severities, commit: str | None
) -> dict[str, Any]:
    """Return one run with a rule for every code that is not switched off."""
    codes = [code for code in CODES if severities.of(code) != "off"]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "exporter",
                "semanticVersion": __version__,
                "rules": [_rule(code, severities.of(code)) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, folder, codes.index(found.code)) for found in findings],
    }
    if commit:
        run["properties"] = {"commit": commit}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, level: str) -> dict[str, Any]:
    return {
        "id": code,
        "shortDescription": {"text": CODES[code]},
        "defaultConfiguration": {"level": level},
    }


def _result(found: Finding, folder: str, rule: int) -> dict[str, Any]:
    return {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": found.severity,
        "message": {"text": f"{found.message}. {found.hint}" if found.hint else found.message},
        "locations": [_location(found, folder)],
        "partialFingerprints": {"findingIdentity/v1": _identity(found)},
        "properties": {"plans": list(found.plans)},
    }


def _location(found: Finding, folder: str) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {
                "uri": quote(f"{folder}/{found.path}", safe="/-_.~"),
                "uriBaseId": "%SRCROOT%",
            },
            "region": {"startLine": max(found.line, 1)},
        }
    }
    if found.breadcrumb:
        name = " › ".join(found.breadcrumb)
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "resource"}]
    return location


def _identity(found: Finding) -> str:
    identity = [found.code, found.ref or found.path, found.pointer, found.message]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()
