"""What is measured: Envoy alone, Envoy with a no-op ext_proc, and the whole of Ringfence, each with its CPU time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import yaml

from governance.child import PYTHON
from governance.errors import ConfigInvalid
from governance.frozen import frozen
from sidecar.envoy_binary import locate
from sidecar.launch import answers, launched
from sidecar.probes import free_port


@frozen
class Subject:
    """Something that listens on `port`. `pids` are Envoy's and those of the Python processes on the path."""

    name: str
    port: int
    envoy: int
    python: tuple[int, ...]

    def cpu_s(self) -> tuple[float, float]:
        """CPU seconds, user and system, that Envoy and the Python side have used so far."""
        return _cpu_s(self.envoy), sum(map(_cpu_s, self.python))


def _cpu_s(pid: int) -> float:
    # proc(5): utime and stime are the 14th and 15th field; the second, in brackets, may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def baseline(directory: Path, node_port: int, *, noop: bool) -> AsyncIterator[Subject]:
    """Envoy alone, or with `noop` the ext_proc server that lets headers pass."""
    port, path = free_port("127.0.0.1"), directory / "noop.sock"
    config = directory / f"baseline-{noop}.json"
    config.write_bytes(orjson.dumps(_baseline_bootstrap(port, node_port, path if noop else None)))
    envoy = [str(locate()), "--config-path", str(config), "--log-level", "error", "--disable-hot-restart"]
    server = [[*PYTHON, "-m", "sidecar.bench.noop", str(path)]] if noop else []
    async with _processes([*server, [*envoy, "--concurrency", "1"]]) as processes:
        if not await answers(f"http://127.0.0.1:{port}/", processes[-1]):
            raise ConfigInvalid("Envoy does not answer")
        pids = tuple(process.pid for process in processes)
        yield Subject(name="no-op ext_proc" if noop else "envoy alone", port=port, envoy=pids[-1], python=pids[:-1])


@asynccontextmanager
async def ringfence(directory: Path, node_port: int, *, model: str) -> AsyncIterator[Subject]:
    """`ringfence up` with one worker, one Envoy thread, the built-in policies and `model` (`off`, `student`, ...)."""
    directory.mkdir()
    port, admin = free_port("127.0.0.1"), free_port("127.0.0.1")
    config = directory / "ringfence.yaml"
    node = {"id": "bench", "address": f"127.0.0.1:{node_port}", "country": "DE", "region": "bench"}
    settings = {
        "state_directory": str(directory / "var"),
        "listen": {"port": port},
        "admin": {"port": admin},
        "classifiers": {"model": model},
        "nodes": [{**node, "tier": "on_prem", "models": ["bench"]}],
    }
    config.write_text(yaml.safe_dump(settings))
    async with launched(config, admin_port=admin, log=directory / "ringfence.log") as process:
        children = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in _children(process.pid)}
        envoy = next(pid for pid, line in children.items() if b"--config-path" in line)
        workers = tuple(pid for pid, line in children.items() if b"worker" in line.split(b"\0"))
        yield Subject(name="ringfence", port=port, envoy=envoy, python=workers)


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@asynccontextmanager
async def _processes(commands: Sequence[list[str]]) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    started: list[asyncio.subprocess.Process] = []
    try:
        for command in commands:
            started.append(  # noqa: PERF401  what started before a failure has to be stopped
                await asyncio.create_subprocess_exec(
                    *command,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        yield started
    finally:
        for process in reversed(started):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()


def _baseline_bootstrap(port: int, node_port: int, ext_proc: Path | None) -> dict[str, Any]:
    def cluster(name: str, address: dict[str, Any], **more: Any) -> dict[str, Any]:
        endpoint = {"lb_endpoints": [{"endpoint": {"address": address}}]}
        return {
            "name": name,
            "type": "STATIC",
            "load_assignment": {"cluster_name": name, "endpoints": [endpoint]},
            **more,
        }

    types = "type.googleapis.com/envoy.extensions"
    http2 = {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{types}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    }
    clusters = [cluster("node", {"socket_address": {"address": "127.0.0.1", "port_value": node_port}})]
    filters: list[dict[str, Any]] = []
    if ext_proc is not None:
        clusters.append(cluster("noop", {"pipe": {"path": str(ext_proc)}}, **http2))
        filters.append(
            {
                "name": "envoy.filters.http.ext_proc",
                "typed_config": {
                    "@type": f"{types}.filters.http.ext_proc.v3.ExternalProcessor",
                    "grpc_service": {"envoy_grpc": {"cluster_name": "noop"}},
                    "processing_mode": {"request_header_mode": "SEND", "response_header_mode": "SEND"},
                    "message_timeout": "10s",
                },
            }
        )
    filters.append(
        {"name": "router", "typed_config": {"@type": f"{types}.filters.http.router.v3.Router"}},
    )
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "http_filters": filters,
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "node"}}]}
            ]
        },
    }
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": clusters,
        }
    }
