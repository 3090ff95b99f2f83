"""Starts `ringfence up` as a process of its own, for the demo, the bench and the tests."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from governance.child import PYTHON
from governance.errors import ConfigInvalid

_READY_S = 60.0
_STOP_S = 30.0
_LOG_TAIL = 4_000


@asynccontextmanager
async def launched(config: Path, *, admin_port: int, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`ringfence up -c config`, ready; its output goes to `log`. It is stopped by SIGTERM when the block ends.

    Raises ConfigInvalid with the end of the log when it does not become ready.
    """
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *(*PYTHON, "-m", "governance.cli", "up", "-c", str(config)),
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        if not await answers(f"http://127.0.0.1:{admin_port}/readyz", process):
            raise ConfigInvalid(f"ringfence did not become ready:\n{log.read_text()[-_LOG_TAIL:]}")
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def answers(url: str, process: asyncio.subprocess.Process) -> bool:
    """True once `url` answers below 500; False when `process` ends before, or after a minute."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _READY_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while loop.time() < deadline and process.returncode is None:
            try:
                async with session.get(url) as response:
                    if response.status < 500:
                        return True
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.1)
    return False
