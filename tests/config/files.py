"""The documentation's example, and files to load in a test's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import Config, load_config
from exporter.errors import ConfigError

EXAMPLE = """\
source:
  url: ${EXPORTER_DATABASE_URL}        # mysql+pymysql://reader@db/site   or   sqlite:///site.db
  extra_fields: {Memora Lesson: [difficulty]}    # into the snapshot, and the JSON under "extra"
snapshot: {path: content-snapshot, max_delete_ratio: 0.2, author: "Bot <bot@example.org>"}
watch: {poll: 15s, interval: 5m, threshold: 50}
build: {layouts: [atomic], default_access: authenticated, version_links: true, files_base_url: null}
checks: {W203: off, W205: error}
media:
  signed: [{prefix: "https://media.example.org/", bucket: memora-media, expires: 4h}]
publish: {addressing: stable, max_delete_ratio: 0.3, concurrency: 32, keep: 30d}
targets:
  production:
    store: s3://memora-cdn
    state: s3://memora-state/production
    s3: {endpoint_url: "https://<account>.r2.cloudflarestorage.com", region: auto}   # keys: AWS_…
    base_url: https://cdn.example.org
    purge: {provider: cloudflare, zone_id: ${CF_ZONE}, api_token: ${CF_TOKEN}, method: files, """
EXAMPLE += """origins: ["https://app.example.org"], batch_size: 30}
  local: {store: ./public/memora_content, state: ./.exporter/local}
"""
"""The example of spec 6."""

ENVIRON = {
    "EXPORTER_DATABASE_URL": "mysql+pymysql://reader:hunter2@db/site",
    "CF_ZONE": "zone",
    "CF_TOKEN": "hunter2",
}


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = folder / "exporter.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environ or {})


def refusal(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ)
    return caught.value.message.splitlines()
