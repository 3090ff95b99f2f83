"""The path of one request, top to bottom: read, detect, gather, decide, enforce, record. Nothing is sent before that.

Each step takes frozen values and returns a new one; no step calls an earlier one. Whatever fails on the way becomes a refusal, and the refusal is
recorded like every other decision. Only the receipt of a durable record makes an `Admission`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import field, replace
from functools import partial
from typing import Final, TypeVar

from governance import denial
from governance.describe import decision_record
from governance.dialects import routes
from governance.enforce import enforce
from governance.enforcement import Enforcement, Forward, Refuse
from governance.errors import AuditUnavailable, ExchangeAborted, RequestTooLarge
from governance.frozen import frozen
from governance.gather import Caller, gather
from governance.inference import InferenceRequest, RequestHead
from governance.interfaces import AuditSink, Detector, Fleet, PolicyEngine
from governance.judgement import REFUSED, Admission, Arrival, Judgement, Unrecorded
from governance.names import with_clean_tools, with_known_model
from governance.record import DecisionRecord, OutcomeRecord, OutcomeStatus
from governance.redaction import tenant_key

T = TypeVar("T")

# Above this the event loop would notice: nothing of prose, 20 ms of a body of values alone.
INLINE_BYTES: Final = 16_384
# One at a time: they would slow down the event loop together, and fill the memory.
_LONG: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="long-bodies")


@frozen
class Runtime:
    """One consistent set of parts and settings. An exchange takes it once, at its start; a reload swaps it whole."""

    version: str
    # Of most requests; a tenant may have another.
    detector: Detector
    policy: PolicyEngine
    audit: AuditSink
    fleet: Fleet
    identify: Callable[[RequestHead], Caller]
    limits: routes.Limits
    detection_deadline_ms: int
    redaction_key: bytes = field(repr=False)
    commitment_key: bytes = field(repr=False)
    # The provider of a model, where all its nodes have the same one.
    providers: Mapping[str, str] = field(default_factory=dict)
    tenant_detectors: Mapping[str, Detector] = field(default_factory=dict)


async def admit(arrival: Arrival, runtime: Runtime) -> Admission | Unrecorded:
    """The admission of one request, after its decision record is durable. Never raises for anything it was sent.

    A caller that is cancelled leaves a record all the same: of the refusal, or of a release that nobody took.
    """
    started = time.perf_counter_ns()
    try:
        judgement = await _judge(arrival, runtime)
    except asyncio.CancelledError:
        abandon(arrival, runtime)
        raise
    record = _record(judgement, runtime, started)
    try:
        receipt = await runtime.audit.append(record)
    except AuditUnavailable as error:
        return Unrecorded(record=record, denial=denial.of_error(error))
    except asyncio.CancelledError:
        if record.route is not None:
            _leave(OutcomeRecord(ref=record.id, status=OutcomeStatus.ABORTED), runtime)
        raise
    return Admission(record=record, enforcement=judgement.enforcement, receipt=receipt)


def abandon(arrival: Arrival, runtime: Runtime) -> None:
    """Records the refusal of a request that ended before it could be judged. Nobody is left to be answered."""
    refusal = Refuse(denial=denial.of_error(ExchangeAborted()))
    judgement = Judgement(decision_id=decision_id(), arrival=arrival, enforcement=refusal)
    _leave(_record(judgement, runtime, time.perf_counter_ns()), runtime)


def _leave(record: DecisionRecord | OutcomeRecord, runtime: Runtime) -> None:
    # While the log refuses, its gap record counts this one.
    with suppress(AuditUnavailable):
        runtime.audit.enqueue(record)


def _record(judgement: Judgement, runtime: Runtime, started_ns: int) -> DecisionRecord:
    return decision_record(
        judgement,
        config_version=runtime.version,
        commitment_key=runtime.commitment_key,
        us_total=_us_since(started_ns),
    )


async def _judge(arrival: Arrival, runtime: Runtime) -> Judgement:
    name = decision_id()
    # What is known when a step fails goes into the record. Until the last step has answered, the request is refused.
    caller = request = detection = facts = decision = None
    enforcement: Enforcement = REFUSED
    us_detect = us_policy = 0
    try:
        caller = runtime.identify(arrival.head)
        request = with_known_model(await _read(arrival, runtime.limits), runtime.fleet.nodes)
        started = time.perf_counter_ns()
        detector = runtime.tenant_detectors.get(caller.principal.tenant, runtime.detector)
        detection = await detector.detect(request.segments, deadline_ms=runtime.detection_deadline_ms)
        us_detect = _us_since(started)
        request = with_clean_tools(request, detection)
        provider = runtime.providers.get(request.model, "")
        facts = gather(request, detection, caller, runtime.policy.levels, time.time_ns() // 1_000, provider=provider)
        started = time.perf_counter_ns()
        decision = await runtime.policy.decide(facts, decision_id=name)
        us_policy = _us_since(started)
        key = tenant_key(runtime.redaction_key, caller.principal.tenant)
        step = partial(enforce, request, detection, decision, runtime.fleet.nodes, key=key, arrival=arrival)
        intended = step() if len(request.body) <= INLINE_BYTES else await _aside(step)
        if isinstance(intended, Forward):
            await runtime.fleet.ensure(intended.pool)
        enforcement = intended
    except Exception as error:  # noqa: BLE001  the edge of the path: whatever breaks becomes a recorded refusal
        enforcement = Refuse(denial=denial.of_error(error))
    return Judgement(
        decision_id=name,
        arrival=arrival,
        caller=caller,
        request=request,
        detection=detection,
        facts=facts,
        decision=decision,
        enforcement=enforcement,
        us_detect=us_detect,
        us_policy=us_policy,
    )


async def _read(arrival: Arrival, limits: routes.Limits) -> InferenceRequest:
    if arrival.problem is not None:
        raise arrival.problem
    route, head, body = routes.classify(arrival.head), arrival.head, arrival.body.reveal()
    if len(body) <= INLINE_BYTES:
        if head.header("content-encoding") is None:
            return routes.read(route, head, body, limits)
        # What a coded body holds is only known when it is decoded: as much as would be read here anyway.
        with suppress(RequestTooLarge):
            few = replace(limits, max_decoded_bytes=min(limits.max_decoded_bytes, INLINE_BYTES))
            return routes.read(route, head, body, few)
    return await _aside(partial(routes.read, route, head, body, limits))


async def _aside(step: Callable[[], T]) -> T:
    """What `step` returns or raises, from a thread of its own. Whoever is cancelled leaves it to end unheard."""
    return await asyncio.get_running_loop().run_in_executor(_LONG, step)


def _random_bits() -> Iterator[int]:
    """76 random bits at a time, asked of the kernel 4 KiB at a time: a call for each request costs more than its id."""
    while True:
        block = secrets.token_bytes(4_000)
        for start in range(0, len(block), 10):
            yield int.from_bytes(block[start : start + 10]) >> 4


_RANDOM = _random_bits()


def decision_id() -> str:
    """A new UUIDv7 (RFC 9562, section 5.7): sorts by time, 74 random bits."""
    value = (time.time_ns() // 1_000_000 << 80) | (0x7 << 76) | next(_RANDOM)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _us_since(started_ns: int) -> int:
    return (time.perf_counter_ns() - started_ns) // 1_000
