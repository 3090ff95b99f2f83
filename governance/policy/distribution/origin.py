"""Where bundles come from: a directory, an archive, an OCI layout on disk, or a server of OPA's bundle protocol.

An origin is asked again and again with the tag of what was taken last, and answers only when there is something else.
What it answers is not trusted: `governance.policy.distribution.feed` verifies and tries it before it is in force.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp

from governance.errors import ConfigInvalid, GovernanceError
from governance.frozen import frozen
from governance.policy.bundle import read_source
from governance.policy.distribution.archive import (
    MAX_ARCHIVE_BYTES,
    Tree,
    is_layout,
    read_limited,
    read_tree,
    unpack,
    visible,
)
from governance.sensitive import SensitiveText

_CONNECT_S = 10.0
_TRANSFER_S = 60.0
_MOST_REDIRECTS = 3
_MAX_TAG = 256
_MAX_TOKEN_BYTES = 16 << 10
_MAX_WATCHED = 100_000
_CHUNK = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
# A server that holds a request until there is something new says so with this type (OPA, management-bundles).
_LONG_POLLING = "application/vnd.openpolicyagent.bundles"


class OriginUnavailable(GovernanceError):
    """A bundle cannot be had at the moment."""

    code = "bundle_unavailable"


@frozen
class Fetched:
    """A bundle and the tag to ask with next time. `held` when the origin itself waits for news before it answers."""

    tree: Tree
    tag: str
    held: bool = False


class Origin(Protocol):
    """A place that has bundles."""

    name: str

    async def fetch(self, tag: str) -> Fetched | None:
        """The bundle, or None where it is still the one of `tag`. Raises OriginUnavailable or ConfigInvalid."""
        ...

    async def close(self) -> None:
        """Frees connections."""
        ...


def origin_of(location: str, *, signed: bool, wait_s: int = 0, token_file: Path | None = None) -> Origin:
    """The origin at a path or an HTTP(S) URL. `wait_s` asks a server to hold requests. Raises ConfigInvalid."""
    if "://" in location:
        return HttpOrigin(location, signed=signed, wait_s=wait_s, token_file=token_file)
    return LocalOrigin(Path(location), signed=signed)


# --- disk ----------------------------------------------------------------------------------------------------------


class LocalOrigin:
    """A path, watched by names, sizes and times of modification."""

    def __init__(self, path: Path, *, signed: bool) -> None:
        self.name = str(path)
        self._path, self._signed = path, signed

    async def fetch(self, tag: str) -> Fetched | None:
        """The bundle, or None while no file changed."""
        return await asyncio.to_thread(self._fetch, tag)

    async def close(self) -> None:
        """Nothing to free."""

    def _fetch(self, tag: str) -> Fetched | None:
        # The tag is taken before the files are read: a change in between is seen the next time.
        found = fingerprint([self._path])
        if found == tag:
            return None
        return Fetched(tree=read_local(self._path, signed=self._signed), tag=found)


def read_local(path: Path, *, signed: bool) -> Tree:
    """The files of the bundle at `path`. Raises ConfigInvalid."""
    # A signature covers every file, so all are read; without one, only those that make up a bundle.
    return read_tree(path) if signed else read_source(path)


def fingerprint(paths: Sequence[Path]) -> str:
    """Equal while no file below `paths` was added, removed or written. Raises OriginUnavailable."""
    digest = hashlib.sha256()
    seen = 0
    for top in paths:
        # The blobs of an OCI layout are named by their content.
        top = top / "index.json" if is_layout(top) else top  # noqa: PLW2901
        for path in (top, *sorted(visible(top))) if top.is_dir() else (top,):
            seen += 1
            if seen > _MAX_WATCHED:
                raise OriginUnavailable(f"more than {_MAX_WATCHED} files")
            try:
                found = path.stat()
            except OSError as error:
                raise OriginUnavailable(f"cannot be read: {(error.strerror or '').lower()}") from None
            digest.update(os.fsencode(path) + b"\0%d %d %d\n" % (found.st_mtime_ns, found.st_size, found.st_ino))
    return digest.hexdigest()


async def changes(paths: Sequence[Path], *, every_s: float) -> AsyncIterator[None]:
    """One item for each time that something below `paths` changed, once it has been still for `every_s`.

    For development: a path that cannot be read for a moment, as while an editor replaces it, is not a change.
    """
    known = await asyncio.to_thread(fingerprint, paths)
    last = known
    while True:
        await asyncio.sleep(every_s)
        try:
            found = await asyncio.to_thread(fingerprint, paths)
        except OriginUnavailable:
            continue
        if found == last != known:
            known = found
            yield
        last = found


# --- HTTP ----------------------------------------------------------------------------------------------------------


class HttpOrigin:
    """A server that answers with an archive, by OPA's bundle protocol.

    Redirects are followed on the same host alone, so that neither the token nor the trust in it goes anywhere else.
    """

    def __init__(self, url: str, *, signed: bool, wait_s: int = 0, token_file: Path | None = None) -> None:
        parts = _checked(url, signed=signed, private=token_file is not None)
        self.name = url
        self._host = _server(parts)
        self._place = Path(f"{parts.hostname}{parts.path}")
        self._wait_s, self._token_file = wait_s, token_file
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, tag: str) -> Fetched | None:
        """The bundle, or None where the server says 304. Raises OriginUnavailable or ConfigInvalid."""
        url = self.name
        headers = await asyncio.to_thread(self._headers, tag)
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                async with self._client().get(url, headers=headers, allow_redirects=False) as response:
                    if response.status not in _REDIRECTS:
                        return await self._taken(response)
                    url = self._redirected(url, response.headers.get("Location", ""))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            # The cause may quote headers.
            raise OriginUnavailable("the server cannot be reached or does not speak HTTP") from None
        raise OriginUnavailable("the server redirects without end")

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=self._wait_s + _TRANSFER_S, sock_connect=_CONNECT_S, sock_read=self._wait_s + _CONNECT_S
                ),
                # An archive is compressed already, and what is read is what is counted.
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
            )
        return self._session

    def _headers(self, tag: str) -> dict[str, str]:
        found = {"Prefer": "modes=snapshot"}
        if tag:
            found["If-None-Match"] = tag
            if self._wait_s:
                found["Prefer"] = f"modes=snapshot;wait={self._wait_s}"
        if self._token_file is not None:
            # Read each time: whoever rotates a token replaces the file.
            raw = read_limited(self._token_file, _MAX_TOKEN_BYTES)
            token = SensitiveText(raw.decode("ascii", "replace").strip())
            if not token or not token.reveal().isprintable() or not token.reveal().isascii():
                raise ConfigInvalid("not a token", file=str(self._token_file))
            found["Authorization"] = f"Bearer {token.reveal()}"
        return found

    def _redirected(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        if _server(urlsplit(target)) != self._host:
            raise OriginUnavailable("the server redirects to another host")
        return target

    async def _taken(self, response: aiohttp.ClientResponse) -> Fetched | None:
        if response.status == 304:
            return None
        if response.status != 200:
            raise OriginUnavailable(f"the server answers {response.status}")
        if (response.content_length or 0) > MAX_ARCHIVE_BYTES:
            raise ConfigInvalid(f"larger than {MAX_ARCHIVE_BYTES} bytes", file=self.name)
        raw = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            raw += chunk
            if len(raw) > MAX_ARCHIVE_BYTES:
                raise ConfigInvalid(f"larger than {MAX_ARCHIVE_BYTES} bytes", file=self.name)
        tag = response.headers.get("ETag", "")
        files = await asyncio.to_thread(unpack, bytes(raw), place=self.name)
        return Fetched(
            tree=Tree(place=self._place, files=files),
            tag=tag if len(tag) <= _MAX_TAG and tag.isascii() and tag.isprintable() else "",
            held=self._wait_s > 0 and response.content_type == _LONG_POLLING,
        )


def _checked(url: str, *, signed: bool, private: bool) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigInvalid("the URL of a bundle cannot be read") from None
    if parts.scheme not in {"http", "https"} or not host or parts.fragment:
        raise ConfigInvalid("the URL of a bundle is `https://HOST/PATH`")
    if parts.username is not None or parts.password is not None:
        raise ConfigInvalid("the URL of a bundle holds no password: use a token file")
    if parts.scheme == "http" and not _is_loopback(host):
        if private:
            raise ConfigInvalid("a token is sent over https alone")
        if not signed:
            raise ConfigInvalid("a bundle over http needs a key: anybody on the way could replace the policies")
    return parts


def _server(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
