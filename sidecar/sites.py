"""Small HTTP servers of our own: on a Unix socket between processes, on TCP for people and scrapers."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from governance.errors import ConfigInvalid
from sidecar import sockets

MAX_REQUEST_BYTES = 1024 * 1024


@asynccontextmanager
async def serving(routes: list[web.RouteDef], where: Path | tuple[str, int]) -> AsyncIterator[None]:
    """Serves `routes` on a Unix socket (mode 0600) or a TCP address until the block ends.

    Raises ConfigInvalid when the address is taken.
    """
    app = web.Application(client_max_size=MAX_REQUEST_BYTES)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = (
            web.UnixSite(runner, str(sockets.clear(where)))
            if isinstance(where, Path)
            else web.TCPSite(runner, where[0], where[1])
        )
        try:
            await site.start()
        except OSError as error:
            raise ConfigInvalid(f"cannot listen on {where}: {os.strerror(error.errno or 0)}") from None
        if isinstance(where, Path):
            where.chmod(0o600)
        yield
    finally:
        await runner.cleanup()
