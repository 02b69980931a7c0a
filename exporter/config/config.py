"""A configuration as the commands use it.

A section that could not be read for want of an environment variable is kept as its `ConfigError`,
which is raised when the section is used, and not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from exporter.config.model import (
    Build,
    Level,
    Media,
    Notify,
    Publish,
    Secret,
    Snapshot,
    Source,
    Target,
    Watch,
)
from exporter.errors import ConfigError, UsageError

__all__ = ["Config", "Sections"]

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Sections:
    """Every section, or the error that its use raises."""

    source: Source | ConfigError
    source_url: Secret | ConfigError
    snapshot: Snapshot | ConfigError
    watch: Watch | ConfigError
    build: Build | ConfigError
    checks: Mapping[str, Level] | ConfigError
    media: Media | ConfigError
    publish: Publish | ConfigError
    notify: Notify | ConfigError
    targets: Mapping[str, Target | ConfigError]


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that was read from `path`; every property may raise `ConfigError`."""

    path: Path
    sections: Sections

    @property
    def root(self) -> Path:
        """Return the file's folder, where relative paths start."""
        return self.path.parent

    @property
    def source(self) -> Source:
        """Return what is read from the database."""
        return _used(self.sections.source)

    def source_url(self) -> Secret:
        """Return the database's URL, a relative SQLite path made absolute."""
        return _used(self.sections.source_url)

    @property
    def snapshot(self) -> Snapshot:
        """Return how the content is written to git."""
        return _used(self.sections.snapshot)

    @property
    def watch(self) -> Watch:
        """Return when a snapshot is taken."""
        return _used(self.sections.watch)

    @property
    def build(self) -> Build:
        """Return how the published files look."""
        return _used(self.sections.build)

    @property
    def checks(self) -> Mapping[str, Level]:
        """Return the levels of the findings that are configured, by code."""
        return _used(self.sections.checks)

    @property
    def media(self) -> Media:
        """Return which media URLs are signed."""
        return _used(self.sections.media)

    @property
    def publish(self) -> Publish:
        """Return how files reach the CDN."""
        return _used(self.sections.publish)

    @property
    def notify(self) -> Notify:
        """Return who is told of a publish that fails."""
        return _used(self.sections.notify)

    @property
    def target_names(self) -> tuple[str, ...]:
        """Return the names of the targets, as they are ordered in the file."""
        return tuple(self.sections.targets)

    def target(self, name: str | None = None) -> Target:
        """Return the target of that name, or the only one.

        Raises:
            UsageError: there is none of that name, or no name was given and there are several.
        """
        names = self.target_names
        if not names:
            raise UsageError(
                f"{self.path.name} has no target to publish to",
                hint="add `targets: {local: {store: ./public, state: ./.exporter/local}}`",
            )
        if name is None and len(names) > 1:
            raise UsageError(
                f"which target? {self.path.name} has {', '.join(names)}",
                hint=f"choose one, as in --target {names[0]}",
            )
        chosen = names[0] if name is None else name
        if chosen not in names:
            raise UsageError(
                f'{self.path.name} has no target "{chosen}", only {", ".join(names)}',
                hint=_nearest(chosen, names),
            )
        return _used(self.sections.targets[chosen])

    def shaping(self) -> dict[str, Any]:
        """Return what shapes the output, as plain JSON for the fingerprint (spec 5).

        A default that is written out gives the same as one that is left out.
        """
        build, extra_fields = self.build, self.source.extra_fields
        return {
            "layouts": sorted(build.layouts),
            "default_access": build.default_access,
            "version_links": build.version_links,
            "files_base_url": build.files_base_url,
            "credential_patterns": sorted(build.credential_patterns),
            "extra_fields": {name: list(extra_fields[name]) for name in sorted(extra_fields)},
            "checks": {
                code: level
                for code, level in sorted(self.checks.items())
                if level != _default_level(code)
            },
            "signed": [[rule.prefix, rule.bucket, rule.expires_s] for rule in self.media.signed],
            "addressing": self.publish.addressing,
        }


def _used(part: _Part | ConfigError) -> _Part:
    if isinstance(part, ConfigError):
        raise ConfigError(part.message, hint=part.hint)
    return part


def _nearest(name: str, names: tuple[str, ...]) -> str:
    near = get_close_matches(name, names, n=1)
    there = f"choose one of: {', '.join(names)}; or add it under `targets`"
    return f'did you mean "{near[0]}"?' if near else there


def _default_level(code: str) -> Level:
    return "error" if code.startswith("E") else "warning"
