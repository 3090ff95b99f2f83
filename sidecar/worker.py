"""One sidecar worker: ext_proc and the access log on one Unix socket, one audit log, one policy engine."""

from __future__ import annotations

import asyncio
import functools
import gc
import hmac
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import grpc
import structlog
import uvloop
from aiohttp import web
from envoy.service.accesslog.v3 import als_pb2_grpc
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc

from classifiers.compiled import load_compiled
from classifiers.detector import PatternDetector
from classifiers.extra import load_own
from classifiers.jurisdiction import regions_in_play
from classifiers.model.choice import chosen_models, composed
from classifiers.phones import DEFAULT_REGIONS
from classifiers.reading import Reader
from governance import state, telemetry, yaml_source
from governance.audit.journal import Limits as AuditLimits
from governance.audit.log import AuditLog
from governance.caller import identify
from governance.config import parse
from governance.dialects.routes import Limits
from governance.errors import AuditUnavailable, told
from governance.gather import providers
from governance.interfaces import Detector
from governance.pipeline import Runtime
from governance.policy.bundle import Bundle
from governance.policy.engine import Decider
from governance.record import EventRecord
from governance.sensitive import SensitiveBytes
from governance.settings import Config
from sidecar import sockets
from sidecar.extproc import ExternalProcessor
from sidecar.intake import Intake
from sidecar.outcomes import AccessLog
from sidecar.placement import Placement
from sidecar.policies import Policies
from sidecar.signals import stop_asked
from sidecar.sites import serving

_LOG = structlog.get_logger("ringfence.worker")
# Envoy's message is the body and a frame around it; gRPC's own default would refuse above 4 MiB.
_MESSAGE_SLACK = 1024 * 1024
# Exchanges end with their verdict, so this many wait at once only under overload; Envoy then answers 503.
_MOST_EXCHANGES = 1024
# Those with a body in pieces wait for their callers as well, who could take all of them.
_MOST_STREAMS = 768
_GRACE_S = 5.0
_HEARTBEAT_S = 60.0
# Allocations; a request makes hundreds that reference counting frees, so that Python's 700 means a walk for each.
_COLLECT_AFTER = 20_000
_RECONCILE_S = 3600.0
# After the longest request: Envoy waits 300 s for a caller that reads nothing, and only then tells how it ended.
_OUTCOME_LATE_S = 360


def main(config_file: Path, content: Path, index: int) -> None:
    """Runs worker `index` until SIGTERM, as if `config_file` held what `content` does. Raises GovernanceError when it cannot start."""
    telemetry.configure_logging(f"worker-{index}")
    uvloop.run(_serve(parse(yaml_source.text(content), config_file), index))


async def _serve(config: Config, index: int) -> None:
    metrics = telemetry.WorkerMetrics()
    async with AsyncExitStack() as stack:
        policies = Policies(config, config.state_directory / "policy" / f"worker-{index}")
        stack.push_async_callback(policies.close)
        bundle = await policies.start()
        policy = await stack.enter_async_context(
            Decider.open(
                bundle,
                config.policy.engine,
                config.policy.opa_url,
                deadline_ms=config.policy.deadline_ms,
                plan_budget=config.policy.plan_budget,
                on_unavailable=config.policy.on_unavailable,
                looked_up=metrics.looked_up,
            )
        )
        audit = await stack.enter_async_context(
            AuditLog.open(
                config.audit.directory / f"worker-{index}",
                origin=f"ringfence/worker-{index}",
                digest=config.config_digest,
                limits=AuditLimits(
                    segment_bytes=config.audit.segment_bytes,
                    outcome_s=config.limits.request_timeout_ms // 1_000 + _OUTCOME_LATE_S,
                ),
                heartbeat_s=_HEARTBEAT_S,
            )
        )
        metrics.open_intents.follow(lambda: audit.open_decisions)
        fleet = await stack.enter_async_context(
            Placement(config.nodes, str(sockets.control(config.state_directory)), version=config.config_digest)
        )
        detector, tenant_detectors = _detectors(config, metrics, stack)
        runtime = _runtime(config, detector, tenant_detectors, policy=policy, audit=audit, fleet=fleet)
        metrics.bundle.follow(lambda: policy.bundle, lambda: policies.status)
        reload = _Reload(policies, policy, audit)
        await reload.recorded(bundle)
        follower = asyncio.create_task(policies.follow(reload.swap))
        stack.callback(follower.cancel)
        processor = ExternalProcessor(
            runtime,
            worker=str(index),
            max_body_bytes=config.limits.max_body_bytes,
            max_streamed_bytes=config.limits.streamed_body_bytes,
            intake=Intake(max_bytes=config.limits.max_held_bytes, max_streams=_MOST_STREAMS),
            metrics=metrics,
        )
        nodes = {node.id: node for node in config.nodes}
        log = AccessLog(audit, nodes, fleet.pool, metrics, processor.abandoned)
        server = await _listen(config, index, processor, log)
        stack.push_async_callback(server.stop, _GRACE_S)
        reconciler = asyncio.create_task(_reconcile(audit, processor, log))
        stack.callback(reconciler.cancel)
        stopped = stop_asked(reload.again)
        await stack.enter_async_context(
            serving(_state_routes(metrics, policies, policy), sockets.metrics(config.state_directory, index))
        )
        # What was made so far lives as long as the process; no later collection has to walk it.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        _LOG.info("worker_ready", index=index, policies=len(bundle.policies), revision=bundle.revision)
        await stopped.wait()
        _LOG.info("worker_draining", index=index)


class _Reload:
    """Puts other policies in force, as `policies` says when. Requests on their way keep those that they began with."""

    def __init__(self, policies: Policies, policy: Decider, audit: AuditLog) -> None:
        self._policies, self._policy, self._audit = policies, policy, audit

    async def again(self) -> None:
        """Loads the policy directories again. A bundle that cannot be used changes nothing: the last good one stays."""
        try:
            await self._policies.again(self.swap)
        except Exception as failure:  # noqa: BLE001  (the edge of a task: nobody else would tell)
            error = told(failure)
            _LOG.error("policy_reload_refused", code=error.code, reason=str(error))

    async def swap(self, bundle: Bundle) -> None:
        """Puts `bundle` in force for the next exchange. Raises GovernanceError; then the last good one stays."""
        await self._policy.reload(bundle, before=self.recorded)
        _LOG.info("policy_reloaded", revision=bundle.revision, policies=len(bundle.policies))

    async def recorded(self, bundle: Bundle) -> None:
        """Writes down that `bundle` is in force from now on. While nothing can be recorded, nothing is decided either."""
        with suppress(AuditUnavailable):
            await self._audit.append(EventRecord(kind="policy_load", digest=bundle.digest))


def _detectors(
    config: Config, metrics: telemetry.WorkerMetrics, stack: AsyncExitStack
) -> tuple[Detector, dict[str, Detector]]:
    """The rules, and beside them the operator's own recognisers and the model; the same by tenant, where it is another model."""
    own = load_own(config.classifiers.recognizers)
    # National telephone numbers are read as people write them where callers are.
    regions = regions_in_play((config.origin.jurisdiction,), DEFAULT_REGIONS)
    reader = Reader(compiled=load_compiled(more=own.rules), regions=regions)
    models = chosen_models(config.classifiers)
    for model in dict.fromkeys(models.values()):
        if model is not None:
            metrics.model.follow(model)
            _LOG.info("model_ready", version=model.version, provider=model.provider, precision=model.precision)
    by_name = composed(PatternDetector(reader=reader), own, models, stack.enter_context(ExitStack()))
    chosen = config.classifiers
    return by_name[chosen.model], {tenant: by_name[name] for tenant, name in chosen.tenants.items()}


def _runtime(
    config: Config,
    detector: Detector,
    tenant_detectors: dict[str, Detector],
    *,
    policy: Decider,
    audit: AuditLog,
    fleet: Placement,
) -> Runtime:
    redaction = state.key(config, state.Key.REDACTION)
    return Runtime(
        version=config.config_digest,
        detector=detector,
        tenant_detectors=tenant_detectors,
        policy=policy,
        audit=audit,
        fleet=fleet,
        identify=functools.partial(
            identify,
            key=_derived(redaction, "caller"),
            tenant=config.origin.tenant,
            jurisdiction=config.origin.jurisdiction,
            env=config.origin.env,
            identity=config.identity,
        ),
        providers=providers(config.nodes),
        limits=Limits(
            max_body_bytes=config.limits.streamed_body_bytes or config.limits.max_body_bytes,
            max_decoded_bytes=config.limits.max_decoded_bytes,
            max_values=config.limits.max_values,
        ),
        detection_deadline_ms=config.limits.detection_deadline_ms,
        redaction_key=_derived(redaction, "placeholder"),
        commitment_key=_derived(state.key(config, state.Key.AUDIT), "commitment"),
    )


async def _reconcile(audit: AuditLog, processor: ExternalProcessor, log: AccessLog) -> None:
    """Every hour a record of what Envoy says it forwarded against what was released: the sums drift when either lies."""
    while True:
        await asyncio.sleep(_RECONCILE_S)
        with suppress(AuditUnavailable):
            audit.enqueue(EventRecord(kind="reconcile", count=log.forwarded, against=processor.released))


def _derived(secret: SensitiveBytes, purpose: str) -> bytes:
    """One key per purpose, so that digests made for one cannot be compared with those of another."""
    return hmac.digest(secret.reveal(), purpose.encode(), "sha256")


async def _listen(config: Config, index: int, processor: ExternalProcessor, log: AccessLog) -> grpc.aio.Server:
    longest = max(config.limits.max_body_bytes, config.limits.streamed_body_bytes or 0) + _MESSAGE_SLACK
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", longest),
            ("grpc.max_send_message_length", longest),
            # Envoy asks often whether this process lives; by default that is taken for abuse and the connection closed.
            ("grpc.http2.max_ping_strikes", 0),
        ],
        maximum_concurrent_rpcs=_MOST_EXCHANGES,
    )
    external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(processor, server)
    als_pb2_grpc.add_AccessLogServiceServicer_to_server(log, server)
    path = sockets.clear(sockets.worker(config.state_directory, index))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    return server


def _state_routes(metrics: telemetry.WorkerMetrics, policies: Policies, policy: Decider) -> list[web.RouteDef]:
    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=telemetry.render(metrics.registry))

    async def in_force(_: web.Request) -> web.Response:
        return web.json_response(policies.described(policy.bundle))

    return [web.get("/metrics", scrape), web.get("/policy", in_force)]
