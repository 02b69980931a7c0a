"""A publish as a process of its own: REPOSITORY ENDPOINT BUCKET COMMIT ADDRESSING HOURS.

It is there to be killed. The clock runs that many hours ahead, so that a lease which a killed run
left has run out.
"""

from __future__ import annotations

import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.build.inspection import CheckRules
from exporter.config.model import CACHE_CONTROL
from exporter.content.repository import Repository
from exporter.core.artifacts import Rules
from exporter.publish.ledger import Ledger
from exporter.publish.planning import PublishOptions, Workspace, prepare
from exporter.publish.publisher import Publisher
from exporter.publish.run import Run
from exporter.stores.s3 import S3Options, S3Store


def main(*arguments: str) -> None:
    folder, endpoint, bucket, commit, addressing, hours = arguments
    repository = Repository(Path(folder))
    rules = CheckRules(Rules(addressing=addressing))
    workspace = Workspace(repository, "content-snapshot", rules, {}, addressing)
    options = S3Options(endpoint, attempts=2)
    cdn, state = (S3Store(bucket, prefix, options, 4) for prefix in ("cdn", "state"))
    run = Run(
        secrets.token_hex(4),
        "killable",
        "0",
        lambda: datetime.now(UTC) + timedelta(hours=int(hours)),
        4,
        CACHE_CONTROL,
        time.sleep,
        lambda: 0.5,
    )
    print("started", flush=True)  # noqa: T201 - what the test waits for
    ledger = Ledger(state)
    prepared = prepare(workspace, ledger, repository.resolve(commit), PublishOptions())
    if not prepared.is_nothing:
        Publisher(cdn, ledger, None, lambda _text: None).publish(prepared, run)


if __name__ == "__main__":
    main(*sys.argv[1:])
