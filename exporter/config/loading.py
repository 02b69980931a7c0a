"""The way from a file to a `Config`.

Every problem of the file is collected and raised at once, one line each: file, line, key and what
to do. Problems of what the environment gives are kept with their section until it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from exporter.config.checking import check_schema
from exporter.config.config import Config, Sections
from exporter.config.model import (
    CACHE_CONTROL,
    S3,
    Build,
    Level,
    Media,
    Notify,
    Publish,
    Purge,
    Secret,
    SignedMedia,
    Snapshot,
    Source,
    Target,
    Watch,
)
from exporter.config.reading import Expansion, Parsed, Pointer, Problem, YamlError, expand, parse
from exporter.config.rules import broken_rules, seconds, written_secrets
from exporter.errors import ConfigError

__all__ = ["FILE_NAME", "find_config", "load_config"]

FILE_NAME = "exporter.yaml"

_Part = TypeVar("_Part")


def find_config(start: Path) -> Path:
    """Return the `exporter.yaml` of the folder or of the nearest one above it.

    Raises:
        ConfigError: there is none.
    """
    folder = start.absolute()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
    raise ConfigError(
        f"there is no {FILE_NAME} in {folder} or in a folder above it",
        hint="make one with `exporter init`, or name one with --config",
    )


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read and check a configuration; references are answered by `environ`.

    Raises:
        ConfigError: it cannot be read, or what stands in it is wrong.
    """
    path = path.absolute()
    reader = _Reader(path, _parsed(path))
    document = expand(reader.parsed.value, environ)
    secrets = list(written_secrets(reader.parsed.value))
    secret_places = {problem.pointer for problem in secrets}
    checked = check_schema(document)
    problems = [p for p in checked.problems if p.pointer not in secret_places] + secrets
    problems += broken_rules(checked, problems, path.parent)
    at_once = [problem for problem in problems if not problem.late]
    if at_once:
        raise reader.error(at_once)
    return Config(path, reader.sections(replace(checked, problems=tuple(problems))))


def _parsed(path: Path) -> Parsed:
    try:
        parsed = parse(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint="name a file with --config"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from error
    except YamlError as error:
        raise ConfigError(f"{path.name}:{error.line}: {error.message}") from error
    if not isinstance(parsed.value, dict):
        raise ConfigError(f"{path.name}:1: must be a mapping with keys such as source and targets")
    parsed.value = {key: {} if part is None else part for key, part in parsed.value.items()}
    return parsed


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns a checked document into sections, and problems into errors with lines."""

    path: Path
    parsed: Parsed

    def error(self, problems: Iterable[Problem]) -> ConfigError:
        located = [(self.parsed.line(problem.pointer), problem) for problem in problems]
        located.sort(key=lambda pair: (pair[0], _dotted(pair[1].pointer)))
        lines = (
            f"{self.path.name}:{line}: {_dotted(problem.pointer)}{problem.message}"
            for line, problem in located
        )
        hints = dict.fromkeys(problem.hint for _, problem in located if problem.hint)
        return ConfigError("\n".join(lines), hint="; ".join(hints))

    def sections(self, document: Expansion) -> Sections:
        def part(build: Callable[[Any], _Part], *pointer: str) -> _Part | ConfigError:
            size = len(pointer)
            late = [one for one in document.problems if one.pointer[:size] == pointer]
            return self.error(late) if late else build(_at(document.value, pointer))

        return Sections(
            source=part(_source, "source", "extra_fields"),
            source_url=part(self.source_url, "source", "url"),
            snapshot=part(lambda raw: Snapshot(**raw), "snapshot"),
            watch=part(lambda raw: Watch(**_in_seconds(raw, "poll", "interval")), "watch"),
            build=part(_build, "build"),
            checks=part(_checks, "checks"),
            media=part(_media, "media"),
            publish=part(_publish, "publish"),
            notify=part(_notify, "notify"),
            targets={
                name: part(partial(_target, name), "targets", name)
                for name in _at(document.value, ("targets",))
            },
        )

    def source_url(self, url: object) -> Secret | ConfigError:
        if not isinstance(url, str):
            return ConfigError(
                f"{self.path.name} names no database",
                hint="add `source: {url: ${EXPORTER_DATABASE_URL}}`",
            )
        scheme, is_sqlite, file = url.partition(":///")
        if url.startswith("sqlite") and is_sqlite:
            return Secret(f"{scheme}:///{self.path.parent / file}")
        return Secret(url)


def _at(document: dict[str, Any], pointer: tuple[str, ...]) -> dict[str, Any]:
    """Return the part of a document that stands there; empty where there is none."""
    for step in pointer:
        document = document.get(step, {})
    return document


def _source(extra_fields: dict[str, list[str]]) -> Source:
    return Source({doctype: tuple(columns) for doctype, columns in extra_fields.items()})


def _build(raw: dict[str, Any]) -> Build:
    base_url = _url(raw.pop("files_base_url", None))
    return Build(files_base_url=base_url, **_tuples(raw, "layouts", "credential_patterns"))


def _checks(raw: dict[str, Any]) -> dict[str, Level]:
    return {code: level or "off" for code, level in raw.items()}


def _media(raw: dict[str, Any]) -> Media:
    signed = (SignedMedia(**_in_seconds(rule, "expires")) for rule in raw.pop("signed", []))
    return Media(signed=tuple(signed), **_in_seconds(raw, "refresh_before"))


def _publish(raw: dict[str, Any]) -> Publish:
    cache_control = {**CACHE_CONTROL, **raw.pop("cache_control", {})}
    return Publish(cache_control=cache_control, **_in_seconds(raw, "keep"))


def _notify(raw: dict[str, Any]) -> Notify:
    url = raw.get("url")
    return Notify(Secret(url) if url else None)


def _target(name: str, raw: dict[str, Any]) -> Target:
    s3 = raw.get("s3", {})
    return Target(
        name,
        store=raw["store"],
        state=raw["state"],
        s3=S3(**{**s3, "endpoint_url": _url(s3.get("endpoint_url"))}),
        base_url=_url(raw.get("base_url")),
        purge=_purge(raw["purge"]) if "purge" in raw else None,
    )


def _purge(raw: dict[str, Any]) -> Purge:
    token = Secret(raw.pop("api_token"))
    return Purge(api_token=token, **_tuples(raw, "origins"))


def _url(text: str | None) -> str | None:
    """Return a URL without its final slashes; an empty one is none."""
    return text.rstrip("/") or None if text else None


def _in_seconds(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    kept = {name: value for name, value in raw.items() if name not in names}
    return kept | {f"{name}_s": seconds(raw[name]) for name in names if name in raw}


def _tuples(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: tuple(value) if name in names else value for name, value in raw.items()}


def _dotted(pointer: Pointer) -> str:
    """Write a place as people do: `media.signed[0].expires: `; empty for the whole file."""
    text = ""
    for step in pointer:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".") + ": " if text else ""
