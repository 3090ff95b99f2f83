"""Origins: a path is read again when a file changed; a server is asked by OPA's protocol and not believed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from governance.errors import ConfigInvalid, GovernanceError
from governance.policy.distribution.archive import pack
from governance.policy.distribution.origin import HttpOrigin, LocalOrigin, OriginUnavailable, changes, origin_of
from tests.bundles import policy, write

FILES = {"p.rego": policy("p").encode()}
ARCHIVE = pack(FILES)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A bundle server on a loopback port; remembers the headers of each request."""

    def __init__(self, url: str, seen: list[dict[str, str]]) -> None:
        self.url, self.seen = url, seen


@contextlib.asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    seen: list[dict[str, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(dict(request.headers))
        return await answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield Server(f"http://127.0.0.1:{port}/b.tar.gz", seen)
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def origin_at(url: str, *, wait_s: int = 0, token_file: Path | None = None) -> AsyncIterator[HttpOrigin]:
    origin = HttpOrigin(url, signed=False, wait_s=wait_s, token_file=token_file)
    try:
        yield origin
    finally:
        await origin.close()


async def tagged(request: web.Request) -> web.Response:
    """The archive under the tag "1"; 304 for whoever has it."""
    if request.headers.get("If-None-Match") == '"1"':
        return web.Response(status=304)
    kind = "application/vnd.openpolicyagent.bundles" if "long" in request.path else "application/gzip"
    return web.Response(body=ARCHIVE, headers={"ETag": '"1"', "Content-Type": kind})


async def refusal(answer: Answer) -> tuple[type[GovernanceError], str]:
    async with serving(answer) as server, origin_at(server.url) as origin:
        with pytest.raises(GovernanceError) as caught:
            await origin.fetch("")
        return type(caught.value), str(caught.value).replace(server.url, "URL")


async def test_a_bundle_is_fetched_once() -> None:
    """The tag of what was taken is asked with, and 304 is nothing new."""
    async with serving(tagged) as server, origin_at(server.url) as origin:
        first = await origin.fetch("")
        second = await origin.fetch('"1"')

    assert first is not None
    assert (FILES, '"1"', False, None, [None, '"1"']) == (
        dict(first.tree.files),
        first.tag,
        first.held,
        second,
        [headers.get("If-None-Match") for headers in server.seen],
    )


async def test_a_server_is_asked_to_hold_the_request_once_there_is_a_bundle() -> None:
    """The first question is answered at once; later ones may wait for news, where the server can."""
    async with serving(tagged) as server, origin_at(server.url.replace("b.tar", "long"), wait_s=30) as origin:
        first = await origin.fetch("")
        await origin.fetch('"1"')

    assert first is not None
    assert (True, ["modes=snapshot", "modes=snapshot;wait=30"]) == (
        first.held,
        [headers["Prefer"] for headers in server.seen],
    )


async def test_the_token_is_read_each_time(tmp_path: Path) -> None:
    """A rotated token counts from the next question on, and is in no message."""
    token = tmp_path / "token"
    token.write_text("one\n")
    async with serving(tagged) as server, origin_at(server.url, token_file=token) as origin:
        await origin.fetch("")
        token.write_text("two\n")
        await origin.fetch("")
        token.write_text("th\nree")
        with pytest.raises(ConfigInvalid) as caught:
            await origin.fetch("")

    assert (["Bearer one", "Bearer two"], f"{token}: not a token") == (
        [headers["Authorization"] for headers in server.seen],
        str(caught.value),
    )


async def test_redirects_stay_on_the_host() -> None:
    """A redirect on the same host is followed; one to another host is not, nor one without end."""

    async def near(request: web.Request) -> web.Response:
        if request.path == "/b.tar.gz":
            return web.Response(status=302, headers={"Location": "/other.tar.gz"})
        return await tagged(request)

    async def far(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.2:9/b.tar.gz"})

    async def lost(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{request.path}x"})

    async with serving(near) as server, origin_at(server.url) as origin:
        assert await origin.fetch("") is not None

    assert (OriginUnavailable, "the server redirects to another host") == await refusal(far)
    assert (OriginUnavailable, "the server redirects without end") == await refusal(lost)


@pytest.mark.parametrize("status", [204, 401, 404, 500])
async def test_any_other_answer_is_no_bundle(status: int) -> None:
    """Only 200 carries a bundle."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    assert (OriginUnavailable, f"the server answers {status}") == await refusal(answer)


async def test_a_body_without_end_is_cut() -> None:
    """Beyond the limit no more is read, whether the length was stated or not."""

    async def stated(_: web.Request) -> web.Response:
        return web.Response(body=bytes((16 << 20) + 1))

    async def streamed(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(17):
                await response.write(bytes(1 << 20))
        return response

    expected = (ConfigInvalid, "URL: larger than 16777216 bytes")
    assert (expected, expected) == (await refusal(stated), await refusal(streamed))


async def test_a_body_that_is_no_archive_is_refused() -> None:
    """An error page with status 200 is no bundle."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<html>")

    assert (ConfigInvalid, "URL: not a gzip archive") == await refusal(answer)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """Nobody listens: the origin cannot be had, which is no fault of a bundle."""
    async with serving(tagged) as server:
        url = server.url
    async with origin_at(url) as origin:
        with pytest.raises(OriginUnavailable, match="the server cannot be reached or does not speak HTTP"):
            await origin.fetch("")


@pytest.mark.parametrize(
    ("url", "token_file", "expected"),
    [
        ("http://bundles.example/b.tar.gz", None, "a bundle over http needs a key: anybody on the way could replace the policies"),
        ("http://bundles.example/b.tar.gz", Path("t"), "a token is sent over https alone"),
        ("https://user:secret@bundles.example/b", None, "the URL of a bundle holds no password: use a token file"),
        ("ftp://bundles.example/b", None, "the URL of a bundle is `https://HOST/PATH`"),
        ("https:///b", None, "the URL of a bundle is `https://HOST/PATH`"),
        ("https://bundles.example:x/b", None, "the URL of a bundle cannot be read"),
        ("https://[::1/b", None, "the URL of a bundle cannot be read"),
    ],
)  # fmt: skip
def test_a_url_that_protects_nothing_is_refused(url: str, token_file: Path | None, expected: str) -> None:
    """Policies come over https, or signed, or from this host; and no message repeats a password."""
    with pytest.raises(ConfigInvalid) as caught:
        origin_of(url, signed=False, token_file=token_file)

    assert expected == str(caught.value)


def test_a_signed_bundle_may_come_over_http() -> None:
    """The signature is what is trusted, not the way."""
    assert isinstance(origin_of("http://bundles.example/b.tar.gz", signed=True), HttpOrigin)


# --- disk ----------------------------------------------------------------------------------------------------------


async def test_a_directory_is_read_when_a_file_changed(tmp_path: Path) -> None:
    """Unchanged files are not read again; a changed, a new and a removed one are noticed."""
    write(tmp_path, {"p.rego": policy("p")})
    origin = origin_of(str(tmp_path), signed=False)
    tags = [""]

    async def is_new() -> bool:
        found = await origin.fetch(tags[-1])
        if found is not None:
            tags.append(found.tag)
        return found is not None

    seen = [await is_new(), await is_new()]
    os.utime(tmp_path / "p.rego", ns=(1, 1))
    seen += [await is_new(), await is_new()]
    write(tmp_path, {"q.rego": policy("q")})
    seen += [await is_new(), await is_new()]
    (tmp_path / "q.rego").unlink()
    seen += [await is_new(), await is_new()]

    assert [True, False] * 4 == seen


async def test_a_config_map_that_kubernetes_mounts_is_a_directory(tmp_path: Path) -> None:
    """Its files are links through `..data`, which is turned at once to another directory with the files of an update."""

    def mount(version: str) -> None:
        write(tmp_path / f"..2026_{version}", {"p.rego": policy("p", version=version)})
        (tmp_path / "..data_tmp").symlink_to(f"..2026_{version}")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    mount("1.0.0")
    (tmp_path / "p.rego").symlink_to("..data/p.rego")
    origin = LocalOrigin(tmp_path, signed=False)

    first = await origin.fetch("")
    assert first is not None
    mount("2.0.0")
    second = await origin.fetch(first.tag)
    assert second is not None

    assert ({"p.rego": policy("p").encode()}, {"p.rego": policy("p", version="2.0.0").encode()}) == (
        dict(first.tree.files),
        dict(second.tree.files),
    )


async def test_an_archive_on_disk_is_an_origin(tmp_path: Path) -> None:
    """A file that a job replaces is read when it changed."""
    (tmp_path / "b.tar.gz").write_bytes(ARCHIVE)
    found = await LocalOrigin(tmp_path / "b.tar.gz", signed=False).fetch("")

    assert found is not None
    assert FILES == dict(found.tree.files)


async def test_a_path_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    """A mount that is not there is no change of policies."""
    with pytest.raises(OriginUnavailable, match="cannot be read: no such file or directory"):
        await LocalOrigin(tmp_path / "b.tar.gz", signed=False).fetch("")


async def test_all_of_a_signed_directory_is_read(tmp_path: Path) -> None:
    """A signature covers every file, also those that make up no bundle."""
    write(tmp_path, {"p.rego": policy("p"), "README.md": "x"})

    plain = await LocalOrigin(tmp_path, signed=False).fetch("")
    signed = await LocalOrigin(tmp_path, signed=True).fetch("")

    assert plain is not None
    assert signed is not None
    assert ({"p.rego"}, {"p.rego", "README.md"}) == (set(plain.tree.files), set(signed.tree.files))


async def test_a_watch_speaks_once_for_each_change(tmp_path: Path) -> None:
    """Several writes at once are one change, told when they are over."""
    write(tmp_path, {"p.rego": policy("p")})
    watch = changes([tmp_path], every_s=0.01)
    told = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0.05)
    quiet = told.done()

    write(tmp_path, {"q.rego": policy("q"), "r.rego": policy("r")})
    async with asyncio.timeout(10):
        await told
    again = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0.05)
    done = again.done()
    again.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await again

    assert (False, False) == (quiet, done)
