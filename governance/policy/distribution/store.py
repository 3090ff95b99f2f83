"""The last good bundle on disk, so that a start does not depend on the origin.

Archives are named by their hash; `active.json` names the one that was last in force and is replaced whole. A crash
leaves the old or the new name, and at most an archive that nobody names, which the next bundle removes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from pathlib import Path

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.distribution.archive import MAX_ARCHIVE_BYTES, Tree, pack, read_limited, unpack
from governance.policy.distribution.signing import Key, verify

_ACTIVE = "active.json"
_MAX_ACTIVE_BYTES = 1 << 16
_ARCHIVE = re.compile(r"[0-9a-f]{64}\.tar\.gz", re.ASCII)


@frozen
class Kept:
    """A bundle from the store and the tag that its origin gave it."""

    tree: Tree
    tag: str


class Store:
    """The bundles of one origin, in a directory of one process's own."""

    def __init__(self, directory: Path, *, origin: str) -> None:
        self._directory, self._origin = directory, origin

    def stage(self, tree: Tree) -> Tree:
        """`tree` at a place of its own that nothing changes, not yet the last good one. Raises ConfigInvalid."""
        raw = pack(tree.files)
        path = self._directory / f"{hashlib.sha256(raw).hexdigest()}.tar.gz"
        self._prepare()
        write_whole(path, raw, mode=0o600)
        return Tree(place=path, files=tree.files)

    def keep(self, tree: Tree, tag: str) -> None:
        """Makes the staged `tree` the last good one and removes the others. Raises ConfigInvalid."""
        active = {"file": tree.place.name, "tag": tag, "origin": self._origin}
        write_whole(self._directory / _ACTIVE, json.dumps(active).encode(), mode=0o600)
        self._remove_but(tree.place.name)

    def drop(self, tree: Tree) -> None:
        """Removes the staged `tree`, unless it is the last good one."""
        active = self._active()
        if active is None or active[0] != tree.place.name:
            tree.place.unlink(missing_ok=True)

    def last_good(self, key: Key | None) -> Kept | None:
        """The bundle that was in force last, verified again; None where there is none from this origin.

        Raises ConfigInvalid where it is damaged, or is not signed by `key`.
        """
        active = self._active()
        if active is None:
            return None
        name, tag = active
        path = self._directory / name
        raw = read_limited(path, MAX_ARCHIVE_BYTES)
        if f"{hashlib.sha256(raw).hexdigest()}.tar.gz" != name:
            raise ConfigInvalid("the kept bundle is damaged", file=str(path))
        tree = Tree(place=path, files=unpack(raw, place=str(path)))
        if key is not None:
            verify(tree, key)
        return Kept(tree=tree, tag=tag)

    def _active(self) -> tuple[str, str] | None:
        path = self._directory / _ACTIVE
        if not path.exists():
            return None
        try:
            match json.loads(read_limited(path, _MAX_ACTIVE_BYTES)):
                case {"file": str(name), "tag": str(tag), "origin": str(origin)} if _ARCHIVE.fullmatch(name):
                    return (name, tag) if origin == self._origin else None
        except (ValueError, RecursionError):
            pass
        raise ConfigInvalid("the name of the kept bundle is damaged", file=str(path))

    def _prepare(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigInvalid(
                f"cannot be made: {(error.strerror or '').lower()}", file=str(self._directory)
            ) from None

    def _remove_but(self, name: str) -> None:
        for path in self._directory.glob("*.tar.gz"):
            if path.name != name and _ARCHIVE.fullmatch(path.name):
                path.unlink(missing_ok=True)


def write_whole(path: Path, raw: bytes, mode: int = 0o644) -> None:
    """Replaces `path` by `raw`, durably. A crash leaves the old file, and at most a stray one beside it."""
    stray = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(stray, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
            stray.replace(path)
        finally:
            stray.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as error:
        raise ConfigInvalid(f"cannot be written: {(error.strerror or '').lower()}", file=str(path)) from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
