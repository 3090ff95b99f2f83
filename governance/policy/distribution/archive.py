"""A bundle's files in memory, read from an archive or an OCI layout as hostile bytes, and written as an archive.

The archive is OPA's bundle format: a gzipped tar of regular files, whose names OPA itself writes with a leading slash.
Nothing is ever unpacked onto a disk. The tar reader knows plain files, directories and the `path` of a PAX header and
refuses everything else, so that no two readers can take one archive for two bundles.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from governance.errors import ConfigInvalid
from governance.frozen import frozen

MAX_ARCHIVE_BYTES = 16 << 20
MAX_FILE_BYTES = 4 << 20
# The plan of a few hundred policies; every other file is written by people.
MAX_PLAN_BYTES = 16 << 20
MAX_FILES = 4096
MAX_BYTES = 64 << 20
MAX_DEPTH = 16
PLAN = "plan.json"
SUFFIXES = (".tar.gz", ".tgz")

_MAX_NAME = 255
_MAX_PAX_BYTES = 4096
_BLOCK = 512
_CHUNK = 1 << 16
_OCTAL = re.compile(rb" *[0-7]+[ \0]*")
_ZERO = bytes(_BLOCK)
_BUNDLE_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_OCI_DIGEST = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_MAX_OCI_DOCUMENT = 1 << 20


@frozen
class Tree:
    """Every file of a bundle by its relative name, and the path that it was read from."""

    place: Path
    files: Mapping[str, bytes]


def is_archive(path: Path) -> bool:
    """Whether `path` is named like an archive."""
    return path.name.endswith(SUFFIXES)


def is_layout(path: Path) -> bool:
    """Whether `path` is a directory in the OCI image layout."""
    return (path / "oci-layout").is_file()


def read_tree(path: Path) -> Tree:
    """All of a directory, an archive or an OCI layout. Raises ConfigInvalid."""
    if is_layout(path):
        return read_layout(path)
    if path.is_dir():
        return _read_directory(path)
    if is_archive(path):
        return Tree(place=path, files=unpack(read_limited(path, MAX_ARCHIVE_BYTES), place=str(path)))
    raise ConfigInvalid("neither a directory nor an archive (`.tar.gz`) of policies", file=str(path))


def unpack(raw: bytes, *, place: str) -> Mapping[str, bytes]:
    """The files of the archive `raw` by name, without the leading slash. Raises ConfigInvalid naming `place`."""
    if len(raw) > MAX_ARCHIVE_BYTES:
        raise ConfigInvalid(f"larger than {MAX_ARCHIVE_BYTES} bytes", file=place)
    files: dict[str, bytes] = {}
    for name, content in _members(_inflated(raw, place), place):
        if name in files:
            raise ConfigInvalid("a file occurs twice in the archive", file=place)
        if len(files) == MAX_FILES:
            raise ConfigInvalid(f"more than {MAX_FILES} files", file=place)
        files[name] = content
    if any(parent in files for name in files for parent in _parents(name)):
        raise ConfigInvalid("a name is both a file and a directory in the archive", file=place)
    return MappingProxyType(files)


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of `files`: sorted, without times, owners or modes, so that equal files are equal bytes.

    `.manifest` and `.signatures.json` come first, as readers of a stream want them. Raises ConfigInvalid for a name or
    a size that `unpack` would refuse.
    """
    blocks = bytearray()
    for name in sorted(files, key=lambda name: (not name.startswith("."), name)):
        checked_name(name, "the bundle")
        if len(files[name]) > limit_of(name):
            raise ConfigInvalid(f"larger than {limit_of(name)} bytes", file=name)
        blocks += _entry(name, files[name])
    if len(files) > MAX_FILES or len(blocks) > MAX_BYTES - 2 * _BLOCK:
        raise ConfigInvalid("more files or bytes than a bundle may hold")
    return gzip.compress(bytes(blocks) + _ZERO * 2, mtime=0)


def limit_of(name: str) -> int:
    """The most bytes that the file `name` may have."""
    return MAX_PLAN_BYTES if name == PLAN else MAX_FILE_BYTES


def read_limited(path: Path, limit: int) -> bytes:
    """The bytes of a regular file. Raises ConfigInvalid beyond `limit`, and for a device or a pipe."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigInvalid("not a regular file", file=str(path))
        with path.open("rb") as stream:
            raw = stream.read(limit + 1)
    except OSError as error:
        raise ConfigInvalid(f"cannot be read: {error.strerror}", file=str(path)) from None
    if len(raw) > limit:
        raise ConfigInvalid(f"larger than {limit} bytes", file=str(path))
    return raw


def checked_name(name: str, place: str) -> str:
    """`name` as a bundle spells it. Raises ConfigInvalid for one that is absolute, climbs, or hides characters."""
    parts = name.split("/")
    if (
        # First, because what cannot be encoded is not printable either.
        not name.isprintable()
        or len(name.encode()) > _MAX_NAME
        or len(parts) > MAX_DEPTH
        or any(part in ("", ".", "..") for part in parts)
        or "\\" in name
    ):
        raise ConfigInvalid("a name in the archive is not a plain relative path", file=place)
    return name


# --- directories ---------------------------------------------------------------------------------------------------


def visible(top: Path) -> Iterator[Path]:
    """Everything below `top` but what has a part that begins with two dots.

    That is where Kubernetes keeps the files of a ConfigMap, and turns a link to them; what is meant links there.
    """
    return (path for path in top.rglob("*") if not any(part.startswith("..") for part in path.relative_to(top).parts))


def read_files(top: Path, paths: Mapping[str, Path]) -> Mapping[str, bytes]:
    """The content of `paths`, by name. Raises ConfigInvalid for a name that is not UTF-8, and where a file, their number
    or their sum is too large.
    """
    if len(paths) > MAX_FILES:
        raise ConfigInvalid(f"more than {MAX_FILES} files", file=str(top))
    files: dict[str, bytes] = {}
    total = 0
    for name, path in paths.items():
        legible = name.encode(errors="replace").decode()
        if legible != name:
            raise ConfigInvalid("the name is not UTF-8", file=f"{top}/{legible}")
        files[name] = read_limited(path, limit_of(name))
        total += len(files[name])
        if total > MAX_BYTES:
            raise ConfigInvalid(f"more than {MAX_BYTES} bytes", file=str(top))
    return MappingProxyType(files)


def _read_directory(top: Path) -> Tree:
    paths: dict[str, Path] = {}
    for path in sorted(top.rglob("*")):
        if path.is_symlink():
            raise ConfigInvalid("a signed bundle holds no links", file=str(path))
        if path.is_dir():
            continue
        paths[checked_name(path.relative_to(top).as_posix(), str(top))] = path
    return Tree(place=top, files=read_files(top, paths))


# --- tar -----------------------------------------------------------------------------------------------------------


def _inflated(raw: bytes, place: str) -> bytes:
    """The tar inside. One gzip member and nothing after it: readers differ on what follows."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        content = inflater.decompress(raw, MAX_BYTES + 1)
    except zlib.error:
        raise ConfigInvalid("not a gzip archive", file=place) from None
    if len(content) > MAX_BYTES:
        raise ConfigInvalid(f"unpacks to more than {MAX_BYTES} bytes", file=place)
    if not inflater.eof:
        raise ConfigInvalid("the archive is cut off", file=place)
    if inflater.unused_data:
        raise ConfigInvalid("bytes follow the archive", file=place)
    return content


def _members(content: bytes, place: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each regular file of a tar (POSIX.1-2017, pax, ustar interchange format)."""
    at, long_name, blocks = 0, None, 0
    while at + _BLOCK <= len(content):
        header = content[at : at + _BLOCK]
        at += _BLOCK
        if header == _ZERO:
            if content[at:].strip(b"\0"):
                raise ConfigInvalid("bytes follow the end of the archive", file=place)
            if long_name is not None:
                break
            return
        blocks += 1
        size = _size(header, place)
        body = content[at : at + size]
        if blocks > 4 * MAX_FILES or len(body) < size:
            break
        at += -(-size // _BLOCK) * _BLOCK
        match header[156:157]:
            case b"x":
                long_name = _pax_path(body, place) or long_name
                continue
            case b"0" | b"\0":
                name = _plain(long_name or _ustar_name(header), place)
                if size > limit_of(name):
                    raise ConfigInvalid(f"larger than {limit_of(name)} bytes", file=f"{place}/{name}")
                yield name, body
            case b"5" if size == 0:
                directory = (long_name or _ustar_name(header)).rstrip(b"/")
                if directory not in (b"", b"."):
                    _plain(directory, place)
            case _:
                raise ConfigInvalid("the archive holds something that is not a plain file", file=place)
        long_name = None
    raise ConfigInvalid("the archive is cut off", file=place)


def _size(header: bytes, place: str) -> int:
    """The size that a header states, once its checksum holds."""
    stated, size = header[148:156], header[124:136]
    total = sum(header) - sum(stated) + 8 * ord(" ")
    if not _OCTAL.fullmatch(stated) or int(stated.strip(b" \0"), 8) != total:
        raise ConfigInvalid("a header of the archive is damaged", file=place)
    if not _OCTAL.fullmatch(size):
        raise ConfigInvalid("a header of the archive states no size", file=place)
    return int(size.strip(b" \0"), 8)


def _ustar_name(header: bytes) -> bytes:
    name, prefix = header[:100].split(b"\0")[0], b""
    if header[257:263] == b"ustar\0":
        prefix = header[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix else name


def _pax_path(body: bytes, place: str) -> bytes | None:
    """The `path` record, if there is one. A `size` of its own would contradict the header: refused."""
    if len(body) > _MAX_PAX_BYTES:
        raise ConfigInvalid("a header of the archive is too long", file=place)
    found = None
    while body:
        length, _, rest = body.partition(b" ")
        if not length.isdigit() or len(length) > 4 or not len(length) + 2 < int(length) <= len(body):
            raise ConfigInvalid("a header of the archive is damaged", file=place)
        record, body = rest[: int(length) - len(length) - 1], body[int(length) :]
        key, is_record, value = record.partition(b"=")
        if not is_record or not value.endswith(b"\n") or b"\0" in value:
            raise ConfigInvalid("a header of the archive is damaged", file=place)
        if key == b"path" and found is None:
            found = value[:-1]
        elif key not in (b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname"):
            raise ConfigInvalid("a header of the archive holds something that is not a name", file=place)
    return found


def _plain(raw: bytes, place: str) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise ConfigInvalid("a name in the archive is not UTF-8", file=place) from None
    # The top of the bundle: OPA writes `/data.json`, `tar -C DIR .` writes `./data.json`.
    return checked_name(name.removeprefix("./") if name.startswith("./") else name.removeprefix("/"), place)


def _entry(name: str, content: bytes) -> bytes:
    raw = name.encode()
    if len(raw) <= 100:
        return _header(raw, len(content), b"0") + _padded(content)
    record = b" path=" + raw + b"\n"
    length = next(total for total in range(len(record), len(record) + 8) if len(str(total)) + len(record) == total)
    pax = str(length).encode() + record
    return _header(b"pax", len(pax), b"x") + _padded(pax) + _header(raw[:100], len(content), b"0") + _padded(content)


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    fields = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"%011o\0" % 0
    block = (fields + b" " * 8 + kind + bytes(100) + b"ustar\x0000").ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)


def _parents(name: str) -> Iterable[str]:
    parts = name.split("/")
    return ("/".join(parts[:n]) for n in range(1, len(parts)))


# --- OCI image layout ----------------------------------------------------------------------------------------------


def read_layout(top: Path) -> Tree:
    """The bundle in the one image of an OCI layout (image-spec 1.1, image-layout.md), every digest verified."""
    index = top / "index.json"
    manifests = _listed(_json(read_limited(index, _MAX_OCI_DOCUMENT), index), "manifests", index)
    if len(manifests) != 1 or manifests[0].get("mediaType", _OCI_MANIFEST) != _OCI_MANIFEST:
        raise ConfigInvalid("an OCI layout holds one image manifest", file=str(index))
    manifest, path = _blob(top, manifests[0], _MAX_OCI_DOCUMENT, index)
    layers = [one for one in _listed(_json(manifest, path), "layers", path) if one.get("mediaType") == _BUNDLE_LAYER]
    if len(layers) != 1:
        raise ConfigInvalid(f"an image holds one layer of the type {_BUNDLE_LAYER}", file=str(path))
    content, layer = _blob(top, layers[0], MAX_ARCHIVE_BYTES, path)
    return Tree(place=top, files=unpack(content, place=str(layer)))


def _blob(top: Path, descriptor: Mapping[str, Any], limit: int, source: Path) -> tuple[bytes, Path]:
    digest = _OCI_DIGEST.fullmatch(str(descriptor.get("digest")))
    if digest is None:
        raise ConfigInvalid("a digest is `sha256:` and 64 hexadecimal digits", file=str(source))
    path = top / "blobs" / "sha256" / digest.group(1)
    raw = read_limited(path, limit)
    if hashlib.sha256(raw).hexdigest() != digest.group(1) or descriptor.get("size") != len(raw):
        raise ConfigInvalid("the content is not what its descriptor says", file=str(path))
    return raw, path


def _json(raw: bytes, path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise ConfigInvalid("not a JSON document", file=str(path)) from None
    if not isinstance(value, dict):
        raise ConfigInvalid("not a JSON object", file=str(path))
    return value


def _listed(document: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    rows = document.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigInvalid(f"`{key}` is a list of descriptors", file=str(path))
    return rows
