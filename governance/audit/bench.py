"""How many records a second the log takes, and what an append costs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from governance.audit.log import AuditLog
from governance.decision import Action
from governance.finding import DetectionStatus
from governance.inference import Operation
from governance.record import DecisionRecord, FindingCount, Op, Perf, PolicyRecord, RouteRecord
from governance.residency import Level
from governance.segment import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendRate:
    """Figures of a closed loop of `clients`. CPU is that of the whole process, both threads, per append."""

    clients: int
    records: int
    records_per_s: float
    cpu_us: float
    p50_us: float
    p99_us: float


def append_rate(directory: Path, clients: int, *, seconds: float = 2.0) -> AppendRate:
    """Measured on a log of its own in `directory`, with records of about 1 kB. Leaves the log behind."""
    # The loop that sidecar workers run on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(directory, clients, seconds))


async def _measure(directory: Path, clients: int, seconds: float) -> AppendRate:
    latencies: list[int] = []
    async with AuditLog.open(directory, origin="bench") as log:
        await asyncio.gather(*(_client(log, name, 0.1, []) for name in range(clients)))  # warm
        cpu, begin = time.process_time(), time.perf_counter()
        await asyncio.gather(*(_client(log, name, seconds, latencies) for name in range(clients)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begin
    latencies.sort()
    count = len(latencies)
    return AppendRate(
        clients=clients,
        records=count,
        records_per_s=count / wall,
        cpu_us=cpu / count * 1e6,
        p50_us=latencies[count // 2] / 1e3,
        p99_us=latencies[count * 99 // 100] / 1e3,
    )


async def _client(log: AuditLog, name: int, seconds: float, latencies: list[int]) -> None:
    record = sample_record(f"018f0000-0000-7000-8000-{name:012d}")
    deadline = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < deadline:
        await log.append(record)
        latencies.append(int((time.perf_counter() - begin) * 1e9))


def sample_record(decision_id: str) -> DecisionRecord:
    """A decision as the path writes it, without facts."""
    return DecisionRecord(
        id=decision_id,
        tenant="acme",
        actor="5f0c8d6e2b7a4913",
        op=Op(protocol="openai", name=Operation.CHAT, stream=True, size_in=2_048, messages=3),
        model="llama-3.3-70b",
        action=Action.ALLOW_MODIFIED,
        code="allowed",
        status=200,
        level=Level.RESTRICTED,
        detection=DetectionStatus.COMPLETE,
        findings=(
            FindingCount(type="EMAIL_ADDRESS", n=2, max_permille=1000, where=(Role.USER,)),
            FindingCount(type="PHONE_NUMBER", n=1, max_permille=750, where=(Role.USER, Role.SYSTEM)),
        ),
        labels=("health",),
        jurisdictions=("DE",),
        uninspected=(),
        redaction=(),
        masked=("/messages/*/content",),
        route=RouteRecord(pool="pool-" + "0" * 32, cell="cell-de", allowed=("device-1", "rack-1", "rack-2")),
        policy=PolicyRecord(
            bundle="starter",
            revision="1",
            digest="1" * 64,
            data_digest="2" * 64,
            engine="embedded",
            input_digest="3" * 64,
            rules=("personal_data_third_country", "health_data"),
            failures=0,
        ),
        obligations=("redact", "pin"),
        commit_in="4" * 64,
        commit_out="5" * 64,
        config_version="1",
        perf=Perf(us_total=900, us_detect=300, us_policy=400),
    )
