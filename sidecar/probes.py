"""What `ringfence up` asks of processes and of the machine: is the port free, does it serve, is Envoy drained."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path
from typing import Final

import aiohttp

from governance.errors import ConfigInvalid

Where = Path | tuple[str, int]

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_POLL_S: Final = 0.1
# Above the interval at which Envoy hands its access log over.
_FLUSH_S: Final = 0.5
# Envoy's admin counts the request that asks.
_OWN_LISTENER: Final = "http.admin."


def require_free(address: str, port: int, *, setting: str) -> None:
    """Nothing, when `port` can be listened on (0 always can). Raises ConfigInvalid that names `setting`."""
    if port == 0:
        return
    with socket.socket(_family(address)) as probe:
        # As servers do: a port whose connections were closed a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            raise ConfigInvalid(f"{setting}: {reason(error, address, port)}") from None


def free_port(address: str) -> int:
    """A port that is free now. Somebody else may take it before it is used."""
    with socket.socket(_family(address)) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


async def serves(where: Where, path: str = "/") -> bool:
    """True when a GET of `path` is answered with 200. Raises OSError while nobody listens."""
    status, _ = await _ask("GET", where, path)
    return status == 200


async def drain_envoy(admin: Where, *, limit_s: float) -> None:
    """Tells Envoy to finish: nobody new gets in, connections are closed after their answer. Returns when no request is
    open and their log entries are handed over, or after `limit_s`. Raises OSError when Envoy's admin does not answer.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    await _ask("POST", admin, "/healthcheck/fail")
    await _ask("POST", admin, "/drain_listeners")
    while loop.time() < deadline and await _open_requests(admin) > 0:  # noqa: ASYNC110  another process's state
        await asyncio.sleep(_POLL_S)
    # What has just ended stands in a buffer of the access log, and an exit does not flush it.
    await asyncio.sleep(_FLUSH_S)


async def _open_requests(admin: Where) -> int:
    _, page = await _ask("GET", admin, "/stats?filter=downstream_rq_active$")
    lines = (line.rpartition(": ") for line in page.splitlines() if not line.startswith(_OWN_LISTENER))
    return sum(int(count) for name, _, count in lines if name.startswith("http.") and count.isdigit())


async def _ask(method: str, where: Where, path: str) -> tuple[int, str]:
    unix = isinstance(where, Path)
    connector = aiohttp.UnixConnector(path=str(where)) if unix else None
    base = "http://localhost" if isinstance(where, Path) else url(*where)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session,
            session.request(method, base + path) as response,
        ):
            return response.status, await response.text()
    except aiohttp.ClientError as error:
        raise ConnectionError(type(error).__name__) from None


def url(address: str, port: int) -> str:
    """Where an IP address of either kind is asked over HTTP, without a path."""
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def reason(error: OSError, address: str, port: int) -> str:
    """Why nobody can listen there, and what to do about it, from the error of who tried."""
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} on {address} is taken; stop what listens there or choose another port"
        case errno.EADDRNOTAVAIL:
            return f"`{address}` is not an address of this machine"
        case errno.EACCES:
            return f"port {port} needs a privilege; choose one above 1023"
        case _:
            return f"cannot listen on port {port} of {address}: {(error.strerror or 'unknown reason').lower()}"
