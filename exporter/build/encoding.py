"""The one encoder of the published JSON (spec 4), and what is computed from its bytes.

Compact UTF-8 without a final line break, non-ASCII unescaped, keys in the order of the payload.
orjson writes all of it, so that a payload has the same bytes and the same digest wherever it is
hashed. An integer that is too long for orjson is kept to the last digit; a NaN or an infinity,
which orjson would turn into `null` without a word, is refused.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import orjson

__all__ = ["BLANK", "body_digest", "encode", "instant", "stamped", "with_stamp"]

BLANK = b'"version":0,"generated_at":""'
"""The stamp of a file before its version is known; no text can look so, as it would be escaped."""
_INT64_MIN = -(2**63)
_UINT64_MAX = 2**64 - 1


def encode(payload: object) -> bytes:
    """Write a payload as canonical JSON bytes.

    Raises:
        ValueError: it holds what JSON cannot: NaN, an infinity, a lone surrogate, another type,
            or more levels than the encoder takes (254).
    """
    try:
        data = _dumps(payload)
    except RecursionError as error:
        raise ValueError("cannot be written as JSON: nested too deeply") from error
    except TypeError as error:
        raise ValueError(f"cannot be written as JSON: {error}") from error
    if b"null" in data:
        _refuse_non_finite(payload)
    return data


def body_digest(payload: Mapping[str, object]) -> str:
    """Return the SHA-256 (hex) of the bytes with `version` and `generated_at` blanked (spec 4)."""
    return hashlib.sha256(encode(_with_stamp(payload, 0, ""))).hexdigest()


def stamped(data: bytes, version: int, before: int | None = None) -> bytes:
    """Return the bytes of a file given those with its stamp blank: what `with_stamp` encodes to.

    `before` is the version that they have, where the stamp is not blank.
    """
    return data.replace(BLANK if before is None else _stamp(before), _stamp(version), 1)


def _stamp(version: int) -> bytes:
    return b'"version":%d,"generated_at":"%s"' % (version, instant(version).encode())


def with_stamp(payload: Mapping[str, object], version: int) -> dict[str, object]:
    """Return a payload with its version, in Unix seconds, and the same instant as text."""
    return _with_stamp(payload, version, instant(version))


@lru_cache(maxsize=4096)  # most files of a publish have one of a few versions
def instant(seconds: int) -> str:
    """Write Unix seconds as ISO 8601 in UTC: `2026-11-21T08:20:41Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _with_stamp(
    payload: Mapping[str, object], version: int, generated_at: str
) -> dict[str, object]:
    if "version" not in payload or "generated_at" not in payload:
        raise ValueError("a published file has `version` and `generated_at`")
    return {**payload, "version": version, "generated_at": generated_at}


def _dumps(payload: object) -> bytes:
    try:
        return orjson.dumps(payload)
    except TypeError:
        return orjson.dumps(_with_long_integers_written(payload))


def _with_long_integers_written(value: object) -> object:
    """Return a copy in which integers beyond 64 bits are JSON text already."""
    if isinstance(value, dict):
        return {key: _with_long_integers_written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_long_integers_written(item) for item in value]
    if isinstance(value, int) and not _INT64_MIN <= value <= _UINT64_MAX:
        return orjson.Fragment(str(value))
    return value


def _refuse_non_finite(payload: object) -> None:
    """Refuse a number that orjson turned into `null`; this sees every value, so it is kept lean."""
    waiting = [payload]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind is dict:
            waiting.extend(value.values())  # type: ignore[attr-defined]
        elif kind is list or kind is tuple:
            waiting.extend(value)  # type: ignore[arg-type]
        elif kind is float and not math.isfinite(value):  # type: ignore[arg-type]
            raise ValueError(f"cannot be written as JSON: {value} is not a number")
