"""What every command starts from: the configuration, the repository, a target's stores.

This is the one place where the environment, the clock and randomness come in.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import random
import secrets
import signal
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from exporter.cli.actions import harmless

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.build.rules import CheckRules
    from exporter.cli.progress import Bar, Lines
    from exporter.config import Config, Target
    from exporter.content.github import GitHub
    from exporter.content.parsed import ParsedFiles
    from exporter.content.remote import Patience
    from exporter.content.repository import Commit, Repository
    from exporter.publish.debts import Purger
    from exporter.publish.diagnosis import Doctor
    from exporter.publish.ledger import Ledger
    from exporter.publish.prepared import Workspace
    from exporter.publish.publisher import Publisher
    from exporter.publish.run import Run
    from exporter.publish.signing import SigningStore
    from exporter.source.database import Source
    from exporter.stores.base import ObjectStore
    from exporter.workers import Workers

__all__ = ["OpenTarget", "Session", "pass_session"]

GENERATOR = 1
"""Raised whenever the same content would give other bytes: everything is then built anew."""


class Session:
    """One run of the command line."""

    def __init__(
        self, config: Path | None, folder: Path, *, quiet: bool, verbose: bool, color: bool
    ) -> None:
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # without git: our error, not its
        self._config_path = config
        self.folder = folder
        self.quiet = quiet
        self.verbose = verbose
        self.color = color and "NO_COLOR" not in os.environ
        self.parsed: ParsedFiles | None = None

    @cached_property
    def config(self) -> Config:
        """Return the configuration."""
        from exporter.config import find_config, load_config

        path = self._config_path or find_config(self.folder.absolute())
        return load_config(path.absolute(), os.environ)

    @cached_property
    def repository(self) -> Repository:
        """Return the repository around the configuration."""
        from exporter.content.repository import Repository

        return Repository(self.config.root)

    @property
    def content_folder(self) -> Path:
        """Return the snapshot folder on disk."""
        return self.config.root / self.config.snapshot.path

    @property
    def content_path(self) -> str:
        """Return the snapshot folder relative to the repository's root."""
        return self.repository.path_of(self.content_folder)

    @property
    def check_rules(self) -> CheckRules:
        """Return what checks and builds go by."""
        from exporter.build.rules import CheckRules
        from exporter.core.artifacts import Rules
        from exporter.core.findings import Severities

        build = self.config.build
        rules = Rules(
            build.default_access,
            build.version_links,
            build.files_base_url,
            build.layouts,
            self.config.publish.addressing,
        )
        return CheckRules(rules, Severities(self.config.checks), build.credential_patterns)

    @property
    def workspace(self) -> Workspace:
        """Return where content comes from and how it is built."""
        from exporter import __version__
        from exporter.publish.prepared import Workspace

        extra = self.config.source.extra_fields
        return Workspace(
            self.repository,
            self.content_path,
            self.check_rules,
            extra,
            self._fingerprint(),
            tuple(rule.prefix.encode() for rule in self.config.media.signed),
            __version__,
        )

    def source(self) -> Source:
        """Return the database."""
        from exporter.source.database import open_source

        return open_source(self.config.source_url().reveal(), self.config.source.extra_fields)

    def github(self, remote_url: str = "") -> GitHub:
        """Return the repository on GitHub, as the environment or else the remote's URL says.

        Raises:
            UsageError: there is no token.
        """
        from exporter.content.github import GitHub, repository_in_url
        from exporter.errors import UsageError

        token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN")
        if not token:
            raise UsageError(
                "GitHub's API needs a token",
                hint="set GITHUB_TOKEN (or GH_TOKEN) in the environment",
            )
        api = os.environ.get("GITHUB_API_URL") or "https://api.github.com"
        repository = os.environ.get("GITHUB_REPOSITORY") or repository_in_url(remote_url)
        return GitHub(api, repository, token)

    def until_stopped(self) -> Callable[[float], bool]:
        """Return a wait that SIGTERM and SIGINT end; True when one has come."""
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        return stop.wait

    def resolve(self, ref: str) -> Commit:
        """Return the commit that a ref names."""
        return self.repository.resolve(ref)

    def open_target(self, name: str | None, *, is_trial: bool = False) -> OpenTarget:
        """Return a target, its stores opened; in a trial, no request is waited for long.

        Raises:
            ConfigError: the configuration asks for what this version cannot do.
        """
        from exporter.publish.ledger import Ledger
        from exporter.stores.opening import open_store, store_name
        from exporter.stores.s3 import S3Options

        target = self.config.target(name)
        reference = os.environ.get("EXPORTER_REFERENCE") == "1"
        s3 = S3Options(target.s3.endpoint_url, target.s3.region, reference=reference)
        if is_trial:
            s3 = replace(s3, attempts=2, connect_timeout_s=3, read_timeout_s=5)
        concurrency = self.config.publish.concurrency
        cdn, state = (
            open_store(location, base=self.config.root, s3=s3, concurrency=concurrency)
            for location in (target.store, target.state)
        )
        endpoint = target.s3.endpoint_url
        name = store_name(target.store, base=self.config.root, endpoint_url=endpoint)
        return OpenTarget(target, cdn, Ledger(state, name), _purger(target), self)

    def check_up(self) -> Doctor:
        """Return what `doctor` needs of the world outside."""
        from exporter.publish.diagnosis import Doctor

        return Doctor(self.token(), self.now, os.environ)

    def open_browser(self, address: str, *, wanted: bool | None) -> None:
        """Open a page in the browser; unless told so, only where a person is watching."""
        if wanted or (wanted is None and sys.stdout.isatty()):
            import webbrowser

            webbrowser.open(address)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def clock(self) -> float:
        """Return seconds that only ever go forward, to measure by."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def patience(self) -> Patience:
        """Return how long lost races for a branch are run again."""
        from exporter.content.remote import Patience

        return Patience(self.clock, self.sleep, random.random)

    def token(self) -> str:
        """Return a name that nobody has used."""
        return secrets.token_hex(8)

    def sample(self, items: list[str], count: int) -> list[str]:
        """Choose some of the items by chance, in their order."""
        chosen = set(secrets.SystemRandom().sample(items, min(count, len(items))))
        return [item for item in items if item in chosen]

    def new_run(self) -> Run:
        """Return what a publish needs to know of this run."""
        from exporter import __version__
        from exporter.publish.run import Run

        publish = self.config.publish
        now = datetime.now(UTC)
        release = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        return Run(
            release,
            _trigger(),
            __version__,
            lambda: datetime.now(UTC),
            publish.concurrency,
            publish.cache_control,
            time.sleep,
            random.random,
            publish.retries,
            self.progress,
        )

    @cached_property
    def progress(self) -> Bar | Lines:
        """Return what shows how far long work is."""
        from exporter.cli.progress import Bar, Lines

        if is_terminal() and not self.quiet:
            return Bar(self.clock, color=self.color)
        return Lines(self.say, self.clock)

    def workers(self, jobs: int | None) -> Workers:
        """Return processes that share work: as many as pay, unless told otherwise."""
        from exporter.workers import Workers, worthwhile_jobs

        return Workers(jobs or worthwhile_jobs(), self.progress)

    def say(self, text: str) -> None:
        """Tell progress on standard error, unless told to be quiet."""
        self.end_progress()
        if not self.quiet:
            click.secho(harmless(text), err=True, dim=self.color)

    def end_progress(self) -> None:
        """Take a bar away that is on the screen."""
        if "progress" in self.__dict__:
            self.progress.clear()

    def out(self, text: str = "", *, is_inert: bool = False, **style: object) -> None:
        """Write a line of the result to standard output, made harmless."""
        self.end_progress()
        colour = None if self.color else False
        shown = harmless(text, is_inert=is_inert)
        click.secho(shown, color=colour, **style)  # type: ignore[arg-type]

    def _fingerprint(self) -> str:
        from exporter.build.schemas import document, published_kinds

        schemas = {kind: document(kind) for kind in published_kinds()}
        shaping = [GENERATOR, schemas, self.config.shaping(), self.config.snapshot.path]
        return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A target with its stores."""

    target: Target
    cdn: ObjectStore
    ledger: Ledger
    purger: Purger | None
    session: Session

    @property
    def publisher(self) -> Publisher:
        """Return what carries out a publish on this target."""
        if not self.session.config.media.signed:
            return self._publisher(None)
        return self._publisher(self.signing)

    @property
    def signing(self) -> SigningStore:
        """Return the CDN store behind what signs the media URLs of lessons."""
        from exporter.publish.presigning import Presigner, signing_keys
        from exporter.publish.signing import SigningStore

        s3 = self.target.s3
        presigner = Presigner(lambda: signing_keys(os.environ), s3.endpoint_url, s3.region)
        return SigningStore(self.cdn, self.ledger.store, self.session.config.media, presigner)

    def signing_publisher(self, signing: SigningStore) -> Publisher:
        """Return a publisher that signs, also where no rule asks for it any more."""
        return self._publisher(signing)

    def _publisher(self, signing: SigningStore | None) -> Publisher:
        from exporter.publish.publisher import Publisher

        return Publisher(signing or self.cdn, self.ledger, self.purger, self.session.say, signing)


pass_session = click.make_pass_decorator(Session)


def is_terminal() -> bool:
    """Tell whether a person is watching standard error."""
    return sys.stderr.isatty()


def _purger(target: Target) -> Purger | None:
    if target.purge is None:
        return None
    from exporter.publish.edge import edge_of

    return edge_of(target)


def _trigger() -> str:
    """Return who or what started this run, for the release record."""
    if os.environ.get("GITHUB_ACTIONS"):
        parts = (
            os.environ.get(name, "")
            for name in ("GITHUB_ACTOR", "GITHUB_EVENT_NAME", "GITHUB_RUN_ID")
        )
        return "github: " + " ".join(part for part in parts if part)
    try:
        return f"command line: {getpass.getuser()}"
    except (KeyError, OSError):
        return "command line"
