"""`ringfence up`: the control process, the workers and Envoy of one configuration, under one supervisor.

Start order is control, workers, Envoy, so that nobody can send a request before it can be inspected; stop order is the
reverse, so that Envoy has answered what it holds before the workers go.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from classifiers.compiled import load_compiled
from classifiers.extra import load_own
from governance import state, telemetry, yaml_source
from governance.audit.log import require_writable
from governance.child import PYTHON
from governance.config import located, parse
from governance.policy.bundle import configured
from governance.policy.distribution.store import write_whole
from governance.settings import Config
from governance.yaml_source import SettingInvalid
from sidecar import bootstrap, envoy_binary, probes, sockets
from sidecar.supervisor import Child, Supervisor

_READY_S = 30.0
# A bundle is fetched, and runs its own cases for at most a minute, before a worker has policies at all.
_WATCHED_READY_S = 180.0
_DRAIN_S = 10.0


async def run(config_file: Path) -> int:
    """0 after SIGTERM. Raises GovernanceError when the configuration, a policy, a port, a directory or a binary is no good."""
    telemetry.configure_logging("supervisor")
    text = yaml_source.text(config_file)
    config = parse(text, config_file)
    # With a watched bundle it is the workers' to say whether all of it together can be used.
    if config.policy.bundle.url is None:
        try:
            configured(config.policy)
        except SettingInvalid as error:
            raise located(error, text, config_file) from None
    # The first start on a machine compiles the rules, which takes longer than a worker is waited for.
    load_compiled(more=load_own(config.classifiers.recognizers).rules)
    binary = envoy_binary.locate(config.envoy.binary)
    envoy_binary.require(envoy_binary.version(binary))
    probes.require_free(config.listen.address, config.listen.port, setting="listen.port")
    probes.require_free(config.admin.address, config.admin.port, setting="admin.port")
    with state.owned(config):
        for purpose in state.Key:
            state.key(config, purpose)
        for index in range(config.workers):
            require_writable(config.audit.directory / f"worker-{index}")
        write_whole(_content(config), text.encode(), mode=0o600)
        await Supervisor(stages(config, binary)).run()
    return 0


def stages(config: Config, binary: Path) -> list[list[Child]]:
    """The processes of `config`, in the order in which they start."""
    env = _chosen_ports(config)
    own = (*PYTHON, "-m", "governance.cli")
    # Whatever becomes of the file: what is started again later has to mean the same machines by the same node ids.
    file = ("--config", str(config.file), "--content", str(_content(config)))
    directory = config.state_directory
    control = Child(
        name="control",
        argv=(*own, "control", *file),
        env=env,
        ready=functools.partial(probes.serves, sockets.control(directory), "/healthz"),
    )
    workers = [
        Child(
            name=f"worker-{index}",
            argv=(*own, "worker", *file, "--index", str(index)),
            env=env,
            ready=functools.partial(probes.serves, sockets.metrics(directory, index), "/metrics"),
            ready_s=_READY_S if config.policy.bundle.url is None else _WATCHED_READY_S,
            reloads=True,
        )
        for index in range(config.workers)
    ]
    return [[control], workers, [_envoy(config, binary)]]


def _content(config: Config) -> Path:
    return config.state_directory / "started.yaml"


def _envoy(config: Config, binary: Path) -> Child:
    directory = config.state_directory
    admin = sockets.envoy_admin(directory)
    process = bootstrap.EnvoyProcess(
        node_id="ringfence",
        ads_socket=str(sockets.ads(directory)),
        admin_socket=str(admin),
        protocol=config.envoy.xds,
        concurrency=config.envoy.concurrency,
    )
    file = directory / "envoy.json"
    bootstrap.write(file, bootstrap.bootstrap(process))
    sockets.clear(admin)
    return Child(
        name="envoy",
        argv=bootstrap.command(binary, file, process),
        ready=functools.partial(probes.serves, admin, "/ready"),
        drain=functools.partial(probes.drain_envoy, admin, limit_s=_DRAIN_S),
    )


def _chosen_ports(config: Config) -> Mapping[str, str]:
    """Ports left to us (0) as environment variables, so that every process uses the same ones."""
    chosen = {}
    if config.listen.port == 0:
        chosen["RINGFENCE_LISTEN_PORT"] = str(probes.free_port(config.listen.address))
    if config.admin.port == 0:
        chosen["RINGFENCE_ADMIN_PORT"] = str(probes.free_port(config.admin.address))
    return chosen
