"""Real OPA servers for tests that ask one."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator


def free_port() -> int:
    """A port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_opa() -> Iterator[str]:
    """The URL of an OPA server that holds nothing yet and ends with the block."""
    address = f"127.0.0.1:{free_port()}"
    command = ["opa", "run", "--server", "--addr", address, "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_healthy(f"http://{address}")
            yield f"http://{address}"
        finally:
            process.terminate()


def _wait_until_healthy(url: str) -> None:
    for _ in range(600):
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{url}/health", timeout=1).close()
            return
        time.sleep(0.05)
    raise AssertionError("the OPA server did not start in half a minute")
