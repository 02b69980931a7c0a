"""What checks and builds go by; apart from both, as finding out whether to build needs it too."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.core.artifacts import Rules
from exporter.core.findings import Severities

__all__ = ["CheckRules"]


@dataclass(frozen=True, slots=True)
class CheckRules:
    """The configuration that checks and builds go by."""

    rules: Rules = field(default_factory=Rules)
    severities: Severities = field(default_factory=Severities)
    credential_patterns: tuple[str, ...] = ()
