"""`exporter.yaml`: finding it, reading it, and saying what is wrong with it (spec 6).

    model      the sections, frozen, with every default filled in
    config     a configuration as the commands use it
    reading    YAML with line numbers, and `${NAME}` references to the environment
    checking   the schema, the rules beyond it and secrets, as problems in people's words
    loading    the way from a file to a `Config`

What stands in the file is checked when it is loaded, all of it at once. A part whose value comes
from the environment is checked when it is used, so that `exporter check` on a laptop does not ask
for the token of production.
"""

from __future__ import annotations

from exporter.config.config import Config, Sections
from exporter.config.loading import find_config, load_config
from exporter.config.model import (
    S3,
    Build,
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

__all__ = [
    "S3",
    "Build",
    "Config",
    "Media",
    "Notify",
    "Publish",
    "Purge",
    "Secret",
    "Sections",
    "SignedMedia",
    "Snapshot",
    "Source",
    "Target",
    "Watch",
    "find_config",
    "load_config",
]
