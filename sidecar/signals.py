"""How a process of ours is told to stop or to load its policies again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable


def stop_asked(reload: Callable[[], Awaitable[None]] | None = None) -> asyncio.Event:
    """Set at SIGTERM or SIGINT from now on; SIGHUP runs `reload`. To be called before the process says that it is ready."""
    stopped = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def start_reload() -> None:
        if reload is None:
            return
        task = asyncio.ensure_future(reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, start_reload)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    return stopped
