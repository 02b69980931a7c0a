"""The tree of a commit in which some files are others, made of the folders that they are in.

An index of all files would do it too, but it is read and written anew at each step: 0.3 s for an
edit of one among 50,000, where its eight folders take 0.03. Nothing refers to the trees until a
commit does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from exporter.content.commands import Git
from exporter.errors import GitError

__all__ = ["tree_with"]

_FOLDER = "40000"
_FILE = "100644"
_TYPES = {_FOLDER: "tree", "160000": "commit"}

_Entries = dict[str, tuple[str, str]]
"""A folder's entries by name, each with mode and hash."""


def tree_with(git: Git, commit: str, blobs: Mapping[str, str]) -> str:
    """Return a commit's tree with these blobs as its files; an empty blob is no file.

    Without a commit there is nothing else in it. A folder in which nothing is left goes.

    Raises:
        GitError: git failed, or lacks a blob.
    """
    files: dict[str, dict[str, str]] = defaultdict(dict)
    for path, blob in blobs.items():
        folder, _, name = path.rpartition("/")
        files[folder][name] = blob
    levels = _by_depth(files)
    before = _read(git, commit, [each for level in levels for each in level]) if commit else {}
    made: dict[str, str] = {}
    inside: dict[str, dict[str, str]] = defaultdict(dict)
    for level in reversed(levels):
        after = [_changed(before.get(each, {}), inside[each], files[each]) for each in level]
        made = dict(zip(level, _write(git, after), strict=True))
        for folder, tree in made.items():
            above, _, name = folder.rpartition("/")
            inside[above][name] = tree
    return made[""] or _empty(git)


def _by_depth(folders: Iterable[str]) -> list[list[str]]:
    """Return folders and all above them, the root alone first."""
    found = {""}
    for folder in folders:
        above = folder
        while above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    levels: dict[int, list[str]] = defaultdict(list)
    for folder in sorted(found):
        levels[folder.count("/") + 1 if folder else 0].append(folder)
    return [levels[depth] for depth in sorted(levels)]


def _changed(entries: _Entries, folders: Mapping[str, str], files: Mapping[str, str]) -> _Entries:
    """Return a folder's entries with other folders and files in it; an empty hash is none."""
    after = dict(entries)
    for name, tree in folders.items():
        if tree:
            after[name] = (_FOLDER, tree)
        elif name in after and after[name][0] == _FOLDER:
            del after[name]
    for name, blob in files.items():
        if blob:
            after[name] = (_FILE, blob)
        elif name in after and after[name][0] != _FOLDER:
            del after[name]
    return after


def _read(git: Git, commit: str, folders: Iterable[str]) -> dict[str, _Entries]:
    """Return the entries of those of a commit's folders that it has."""
    asked = "".join(f"{commit}:{folder}\n" for folder in folders)
    command = ["cat-file", "--batch", "--buffer"]
    answer = git.run(command, feed=asked.encode(errors="surrogateescape"))[1]
    found, at = {}, 0
    for folder in folders:
        end = answer.index(b"\n", at)
        header, at = answer[at:end].split(), end + 1
        if header[-1] == b"missing":
            continue
        size = int(header[-1])
        if header[-2] == b"tree":
            found[folder] = _parsed(answer[at : at + size], len(commit) // 2)
        at += size + 1
    return found


def _parsed(tree: bytes, hash_size: int) -> _Entries:
    """Return the entries of a tree as git stores it."""
    entries, at = {}, 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, _, name = tree[at:end].decode(errors="surrogateescape").partition(" ")
        at = end + 1 + hash_size
        entries[name] = (mode, tree[end + 1 : at].hex())
    return entries


def _write(git: Git, folders: Iterable[_Entries]) -> list[str]:
    """Write trees and return their hashes; an empty one has none, and is not written."""
    listed = [_listing(entries) for entries in folders]
    feed = b"\0".join(each for each in listed if each)
    hashes = git.run(["mktree", "-z", "--batch"], feed=feed)[1].decode().split() if feed else []
    if len(hashes) != sum(map(bool, listed)):
        raise GitError("git mktree did not write every tree", hint="run `git fsck`")
    written = iter(hashes)
    return [next(written) if each else "" for each in listed]


def _listing(entries: _Entries) -> bytes:
    lines = (
        f"{mode} {_TYPES.get(mode, 'blob')} {sha}\t{name}\0"
        for name, (mode, sha) in entries.items()
    )
    return "".join(lines).encode(errors="surrogateescape")


def _empty(git: Git) -> str:
    return git.run(["mktree"])[1].decode().strip()
