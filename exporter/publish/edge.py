"""A target's CDN as the publisher sees it: changed keys in, purge requests out, sent one by one."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from typing import Any, Literal, cast

from exporter.config import Purge, Target
from exporter.errors import ConfigError, PurgeError
from exporter.publish.purge import CloudflarePurger, Edge, purge_batch_from, purge_batches

__all__ = ["CloudflareEdge", "edge_of"]


class CloudflareEdge:
    """Cloudflare in front of a target's CDN store."""

    def __init__(self, edge: Edge, purge: Purge) -> None:
        """Take how URLs are named, and how the zone is reached."""
        self._edge = edge
        self._purge = purge
        self._connected: CloudflarePurger | None = None

    def count(self, changes: Mapping[str, int | None]) -> int:
        """Return how many URLs or prefixes the requests for changed keys name."""
        return sum(map(len, purge_batches(changes, self._edge)))

    def requests(self, changes: Mapping[str, int | None]) -> list[dict[str, Any]]:
        """Return the requests for changed keys, given each one's last version."""
        return [batch.body() for batch in purge_batches(changes, self._edge)]

    def send(self, request: Mapping[str, Any]) -> None:
        """Send one request, all of them over one connection.

        Raises:
            PurgeError: it was refused, or is none of ours.
        """
        try:
            batch = purge_batch_from(request)
        except (AttributeError, KeyError, TypeError) as error:
            raise PurgeError(
                "a purge that is owed cannot be read",
                hint="delete what is in `purges/` of the state store, and purge everything once",
            ) from error
        if self._connected is None:
            self._connected = self._connect()
        self._connected.purge(batch)

    def _connect(self) -> CloudflarePurger:
        zone, token = self._purge, self._purge.api_token.reveal()
        purger = CloudflarePurger(zone.zone_id, token, sleep=time.sleep, endpoint=zone.endpoint)
        weakref.finalize(self, purger.close)
        return purger


def edge_of(target: Target) -> CloudflareEdge | None:
    """Return the CDN in front of a target, or None where none is configured.

    Raises:
        ConfigError: it cannot be purged without knowing its URL.
    """
    purge = target.purge
    if purge is None:
        return None
    if not target.base_url:
        raise ConfigError(
            f"target {target.name} has `purge`, but no `base_url` to name files by",
            hint=f"add `base_url: https://cdn.example.org` to targets.{target.name}",
        )
    method = cast("Literal['files', 'prefixes']", purge.method)
    return CloudflareEdge(Edge(target.base_url, method, purge.origins, purge.batch_size), purge)
