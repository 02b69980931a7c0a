"""The webhook `notify.url`: who is told when a publish fails or leaves a plan behind (spec 6).

The message is `{"text": …}`, which Slack and Teams take. The URL is a secret and is never shown.
An alert that cannot be sent is said, and changes nothing about the publish.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.cli.actions import in_actions, run_url
from exporter.errors import ConfigError, ExporterError, UsageError

if TYPE_CHECKING:
    from exporter.cli.session import Session
    from exporter.core.release import Outcome

__all__ = ["alert", "alert_outcomes", "alerting"]

MAX_CHARACTERS = 1500
_TIMEOUT_S = 10.0
_SHOWN_PLANS = 5
_MARKUP = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
"""What Slack takes for its own: mentions, channels, links."""


@contextmanager
def alerting(session: Session, what: str) -> Iterator[None]:
    """Send an alert where the block fails, and let it fail.

    A command line or configuration that is wrong alerts nobody where a person has typed it.
    """
    try:
        yield
    except ExporterError as error:
        if in_actions() or not isinstance(error, UsageError):
            alert(session, f"{what} failed: {error.message}")
        raise
    except Exception:
        alert(session, f"{what} failed: a bug of the exporter; see the log")
        raise


def alert_outcomes(
    session: Session, what: str, before: Mapping[str, Outcome], after: Mapping[str, Outcome]
) -> None:
    """Send an alert about the plans that this release left behind, and not an earlier one."""
    bad = {name: one for name, one in after.items() if one.is_bad and one != before.get(name)}
    if not bad:
        return
    plans = f"{len(bad)} plan{'' if len(bad) == 1 else 's'}"
    lines = [f"{name} {one.state.value}: {one.error}" for name, one in sorted(bad.items())]
    more = [f"… and {len(lines) - _SHOWN_PLANS} more"] * (len(lines) > _SHOWN_PLANS)
    alert(session, "\n".join([f"{what} left {plans} behind", *lines[:_SHOWN_PLANS], *more]))


def alert(session: Session, text: str) -> None:
    """Send a message to the webhook, where there is one."""
    try:
        url = session.config.notify.url
    except ConfigError as error:
        session.say(f"no alert was sent: {error.message}")
        return
    if url is None:
        return
    problem = _post(url.reveal(), _message(text))
    if problem:
        session.say(f"no alert was sent: the webhook of notify.url {problem}")


def _message(text: str) -> str:
    from exporter.core.diff_safe import visible

    lines = [visible(line).translate(_MARKUP) for line in text.split("\n")]
    told = "\n".join(lines)
    shown = told if len(told) <= MAX_CHARACTERS else f"{told[:MAX_CHARACTERS]}…"
    return f"exporter: {shown}\n{run_url()}".rstrip()


def _post(url: str, text: str) -> str:
    """Send a message; what went wrong, without the URL, or nothing."""
    import httpx

    try:
        answer = httpx.post(url, json={"text": text}, timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"could not be reached ({type(error).__name__})"
    return "" if answer.is_success else f"answered {answer.status_code}"
