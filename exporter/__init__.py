"""Content-as-code exporter for Frappe sites: database to git, git to published JSON."""

from __future__ import annotations

__version__ = "0.1.0"
