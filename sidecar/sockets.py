"""The Unix sockets between the processes of one installation, all in the state directory (mode 0700)."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path


def control(state: Path) -> Path:
    """HTTP of the control process: pool registration by workers."""
    return state / "control.sock"


def ads(state: Path) -> Path:
    """ADS of the control process, for Envoy."""
    return state / "ads.sock"


def worker(state: Path, index: int) -> Path:
    """ext_proc and access log of worker `index`, for Envoy."""
    return state / f"worker-{index}.sock"


def metrics(state: Path, index: int) -> Path:
    """Metrics of worker `index`, for the control process."""
    return state / f"worker-{index}-metrics.sock"


def envoy_admin(state: Path) -> Path:
    """Envoy's admin interface, for the supervisor."""
    return state / "envoy-admin.sock"


def clear(path: Path) -> Path:
    """`path`, without the socket that a dead process left there. A socket somebody listens on stays, and bind fails."""
    with suppress(FileNotFoundError), socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
    return path
