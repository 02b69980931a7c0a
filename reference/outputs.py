"""Every kind of object that `--json` prints, and which command prints which."""

from __future__ import annotations

from collections.abc import Mapping

from reference.content_outputs import (
    build_output,
    check_output,
    diff_output,
    failure_output,
    holds_output,
    key_output,
    node_output,
    preview_output,
    rollback_output,
    snapshot_output,
)
from reference.parts import DEFINITIONS
from reference.shapes import Schema, document
from reference.target_outputs import (
    adopt_output,
    destroy_output,
    doctor_output,
    gc_output,
    matrix_output,
    plan_output,
    prepare_output,
    publish_output,
    refresh_output,
    releases_output,
    show_output,
    status_output,
    verify_output,
)

__all__ = ["KINDS_OF", "OUTPUTS", "output_schemas"]

KINDS_OF: Mapping[str, tuple[str, ...]] = {
    "explain": ("output-explain-node", "output-explain-key"),
    "plan": ("output-plan", "output-matrix"),
    "publish": ("output-publish", "output-plan", "output-prepare"),
}
"""The kinds that a command prints, where that is not simply `output-COMMAND`."""


OUTPUTS: Mapping[str, tuple[str, Schema]] = {
    "output-error": ("A failure", failure_output()),
    "output-snapshot": ("exporter snapshot --json", snapshot_output()),
    "output-holds": ("exporter holds --json", holds_output()),
    "output-release-hold": ("exporter release-hold --json", snapshot_output()),
    "output-rollback": ("exporter rollback --json", rollback_output()),
    "output-check": ("exporter check --json", check_output()),
    "output-diff": ("exporter diff --json", diff_output()),
    "output-build": ("exporter build --json", build_output()),
    "output-preview": ("exporter preview --json", preview_output()),
    "output-plan": ("exporter plan --json", plan_output()),
    "output-matrix": ("exporter plan --matrix N", matrix_output()),
    "output-publish": ("exporter publish --json", publish_output()),
    "output-prepare": ("exporter publish --prepare --json", prepare_output()),
    "output-retry": ("exporter retry --json", publish_output()),
    "output-status": ("exporter status --json", status_output()),
    "output-releases": ("exporter releases --json", releases_output()),
    "output-show": ("exporter show --json", show_output()),
    "output-explain-node": ("exporter explain PLAN NODE --json", node_output()),
    "output-explain-key": ("exporter explain KEY --json", key_output()),
    "output-verify": ("exporter verify --json", verify_output()),
    "output-refresh": ("exporter refresh --json", refresh_output()),
    "output-doctor": ("exporter doctor --json", doctor_output()),
    "output-gc": ("exporter gc --json", gc_output()),
    "output-adopt": ("exporter adopt --json", adopt_output()),
    "output-destroy": ("exporter destroy --json", destroy_output()),
}
"""Title and body of every kind of output."""


def output_schemas() -> dict[str, Schema]:
    """Return the schema of every kind of output, without examples."""
    return {
        kind: document(kind, title, body, DEFINITIONS) for kind, (title, body) in OUTPUTS.items()
    }
