"""Put a folder's files into a bucket as a publish does: `python -m benchmarks.putting`.

It takes the store, the threads and the attributes that a publish takes; only what a publish has in
memory is read from disk here, as the programs beside it have to.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exporter.config.model import Publish
from exporter.publish.uploading import CONTENT_TYPE
from exporter.stores.base import Attributes
from exporter.stores.opening import open_store
from exporter.stores.s3 import S3Options


def main(folder: Path, location: str, endpoint: str, by: str) -> None:
    """Put every file, by obstore as a publish does, or by boto3."""
    concurrency = Publish().concurrency
    options = S3Options(endpoint, reference=by == "boto3")
    store = open_store(location, base=folder, s3=options, concurrency=concurrency)

    def put(key: str) -> None:
        with open(f"{folder}/{key}", "rb") as file:  # noqa: PTH123 - a Path costs as much as a put
            body = file.read()
        about = {"commit": "0" * 40, "sha256": hashlib.sha256(body).hexdigest()}
        store.put(key, body, Attributes(CONTENT_TYPE, "max-age=300", about))

    with ThreadPoolExecutor(concurrency) as threads:
        for _ in threads.map(put, _keys(str(folder))):
            pass


def _keys(folder: str) -> Iterator[str]:
    for inside, _, names in os.walk(folder):
        below = f"{inside[len(folder) + 1 :]}/".lstrip("/")
        yield from (below + name for name in names)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
