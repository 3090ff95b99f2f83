"""What `ringfence policy status` does."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from governance.errors import PolicyUnavailable

_SECONDS = 10.0
_MAX_BYTES = 4 << 20
# A process that listens everywhere is asked where it surely is.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (compared with, not bound to)


def status_command(address: str, port: int, *, as_json: bool) -> int:
    """Writes which policies each worker of a running installation has in force; 1 where one does not answer or fails.

    Raises PolicyUnavailable where nothing answers at the admin address.
    """
    workers = _asked(_EVERYWHERE.get(address, address), port)
    if as_json:
        print(json.dumps({"workers": workers}))
    else:
        for index, worker in workers.items():
            for line in _lines(index, worker, now=time.time()):
                print(_printable(line))
    return 1 if any(worker is None or (worker["watched"] or {}).get("failing") for worker in workers.values()) else 0


def _asked(address: str, port: int) -> Mapping[str, Any]:
    host = f"[{address}]" if ":" in address else address
    # A proxy has no business between the command and its own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{port}/policy", timeout=_SECONDS) as answer:
            workers = json.loads(answer.read(_MAX_BYTES))["workers"]
    except (urllib.error.URLError, OSError):
        raise PolicyUnavailable(f"nothing answers at {host}:{port}: is `ringfence up` running?") from None
    except (ValueError, LookupError, TypeError):
        raise PolicyUnavailable(f"what answers at {host}:{port} is not Ringfence") from None
    if not isinstance(workers, dict):
        raise PolicyUnavailable(f"what answers at {host}:{port} is not Ringfence")
    return workers


def _lines(index: str, worker: Mapping[str, Any] | None, *, now: float) -> Iterator[str]:
    if worker is None:
        yield f"worker {index}: does not answer"
        return
    yield (
        f"worker {index}: revision {worker['revision']}, digest {worker['digest'][:12]}, "
        f"{worker['policies']} policies on engine {worker['engine']}"
    )
    watched = worker["watched"]
    if watched is None:
        yield "    no bundle is watched"
        return
    signed = "signed" if watched["signed"] else "not signed"
    kept = ", the last good one from disk" if watched["kept"] else ""
    yield f"    from {watched['origin']} ({signed}{kept})"
    yield (
        f"    put in force {_ago(watched['activated_unix_s'], now)}; "
        f"asked {_ago(watched['asked_unix_s'], now)}, with success {_ago(watched['succeeded_unix_s'], now)}"
    )
    if watched["failing"]:
        yield f"    {watched['failing']} failures in a row: {watched['code']}: {watched['reason']}"


def _ago(unix_s: int, now: float) -> str:
    return f"{max(0, int(now) - unix_s)} s ago" if unix_s else "never"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
