"""Decision records as the path writes them, in a real audit log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from governance.audit.journal import Limits
from governance.audit.log import AuditLog
from governance.decision import Decision
from governance.facts import Facts
from governance.policy.bundle import Bundle
from governance.policy.engine import Decider
from governance.record import DecisionRecord, FindingCount, PolicyRecord, Record
from tests.builders import sample_record


def decided(bundle: Bundle, *asked: Facts) -> list[Decision]:
    """The decision of `bundle` on each of `asked`; their ids are `d0`, `d1`, ..."""

    async def run() -> list[Decision]:
        async with Decider.open(bundle, "embedded", trial=lambda _: None) as decider:
            return [await decider.decide(facts, decision_id=f"d{at}") for at, facts in enumerate(asked)]

    return asyncio.run(run())


def recorded(facts: Facts, decision: Decision, **changes: Any) -> DecisionRecord:
    """The record of `decision` on `facts`."""
    source = decision.provenance
    winning = [reason for reason in decision.reasons if reason.winning]
    record = replace(
        sample_record(decision.decision_id),
        tenant=facts.principal.tenant,
        model=facts.request.model,
        action=decision.action,
        code=decision.deny.code if decision.deny else "",
        status=decision.deny.status if decision.deny else 0,
        level=facts.classification.level,
        findings=tuple(
            FindingCount(type=row.type, n=row.count, max_permille=row.max_permille, where=row.where)
            for row in facts.classification.entities
        ),
        labels=tuple(row.name for row in facts.classification.labels),
        jurisdictions=tuple(row.code for row in facts.origin.subject_jurisdictions),
        route=None,
        policy=PolicyRecord(
            bundle=source.bundle,
            revision=source.revision,
            digest=source.digest,
            data_digest=source.data_digest,
            engine=source.engine,
            input_digest=source.input_digest,
            rules=tuple(dict.fromkeys(f"{reason.policy}/{reason.rule}" for reason in winning)),
            failures=len(decision.errors),
        ),
        obligations=tuple(sorted({reason.effect for reason in winning})),
        facts=facts,
    )
    return replace(record, **changes)


def records_of(bundle: Bundle, *asked: Facts) -> list[DecisionRecord]:
    """The records of what `bundle` decides on each of `asked`."""
    return [recorded(facts, decision) for facts, decision in zip(asked, decided(bundle, *asked), strict=True)]


def log(directory: Path, records: Iterable[Record], *, origin: str = "o", limits: Limits | None = None) -> Path:
    """`directory` with an audit log that holds `records`, closed."""

    async def run() -> None:
        async with AuditLog.open(directory, origin=origin, limits=limits, heartbeat_s=None) as audit:
            await asyncio.gather(*map(audit.append, records))

    asyncio.run(run())
    return directory
