"""A publish onto a disk that is too small, in a mount namespace of its own: FOLDER STATE.

The disk is made larger step by step, too small at first: every publish but the last fails, at
different moments. STATE `disk` puts the ledger onto it too. Prints what was seen, as JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.forking import programs
from tests.publish.publishing import SchoolRepository, broken_links
from tests.publish.schools import BASE, EDITED

CONFIG = """\
source: {{url: "sqlite:///site.db"}}
targets: {{local: {{store: {store}, state: {state}}}}}
"""


def main(folder: str, state: str) -> None:
    root, disk = Path(folder), Path(folder) / "disk"
    school = SchoolRepository(root / "school")
    texts = CONFIG.format(store=disk / "cdn", state=root / state / "state")
    (school.folder / "exporter.yaml").write_text(texts, "utf-8")
    school.commit(BASE)
    disk.mkdir()
    (root / "elsewhere").mkdir()
    _mount(disk, "size=1m,nr_inodes=20")
    told: dict[str, list[object]] = {"statuses": [], "errors": [], "files": []}
    for inodes in (20, 40, 60, 80):
        _mount(disk, f"remount,size=1m,nr_inodes={inodes}")
        _let_the_lease_run_out(disk)
        done = _publish(school)
        if done.returncode == 0:
            break
        told["statuses"].append(done.returncode)
        told["errors"].append(done.stderr)
        told["files"].append(len(_bodies(disk)))
        assert broken_links(_bodies(disk)) == []
    _mount(disk, "remount,size=4m,nr_inodes=1000")
    _finish(school, disk)
    whole = _bodies(disk)
    school.commit(EDITED)
    _mount(disk, f"remount,size={_used(disk) + 4096},nr_inodes=1000")
    done = _publish(school)
    told["statuses"].append(done.returncode)
    told["errors"].append(done.stderr)
    assert broken_links(_bodies(disk)) == []
    assert _bodies(disk).keys() == whole.keys()
    _mount(disk, "remount,size=4m,nr_inodes=1000")
    _finish(school, disk)
    print(json.dumps(told))  # noqa: T201 - what the test reads


def _mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)


def _used(disk: Path) -> int:
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_bsize


def _publish(
    school: SchoolRepository, command: str = "publish"
) -> subprocess.CompletedProcess[str]:
    arguments = [str(programs() / "exporter"), "-C", str(school.folder), command]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def _finish(school: SchoolRepository, disk: Path) -> None:
    """Publish with room enough: all must be there, and nothing else."""
    _let_the_lease_run_out(disk)
    done = _publish(school)
    assert done.returncode == 0, done.stderr
    assert broken_links(_bodies(disk)) == []
    verified = _publish(school, "verify")
    assert verified.stdout.startswith("nothing is wrong"), verified.stdout


def _let_the_lease_run_out(disk: Path) -> None:
    """Act as if it were an hour later: a lease can not be given back on a full disk."""
    for lease in disk.parent.glob("*/state/lease.json"):
        old = re.sub(rb"20\d\d-", b"2020-", lease.read_bytes())
        with lease.open("r+b") as file:
            file.write(old)


def _bodies(disk: Path) -> dict[str, bytes]:
    store = disk / "cdn"
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in store.rglob("*.json")
        if ".exporter" not in path.parts
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
