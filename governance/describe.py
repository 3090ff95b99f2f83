"""The decision record of a judgement: counts, codes and digests, never content."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

from governance.decision import Action, Reason
from governance.enforcement import Answer, Forward, Refuse
from governance.facts import Facts
from governance.finding import DetectionStatus
from governance.inference import Operation
from governance.judgement import Judgement
from governance.nodes.node import Pool
from governance.record import (
    DecisionRecord,
    FindingCount,
    Op,
    Perf,
    PolicyRecord,
    RedactionCount,
    RouteRecord,
)
from governance.residency import Level

_MOST_NODES = 64


def decision_record(
    judgement: Judgement, *, config_version: str, commitment_key: bytes, us_total: int
) -> DecisionRecord:
    """The record of what was decided, whatever step the path came to. `us_total` is the time up to here."""
    enforcement = judgement.enforcement
    refused = enforcement.denial if isinstance(enforcement, Refuse) else None
    forwarded = enforcement if isinstance(enforcement, Forward) else None
    facts = judgement.facts
    principal = judgement.caller.principal if judgement.caller else None
    return DecisionRecord(
        id=judgement.decision_id,
        tenant=principal.tenant if principal else "",
        actor=principal.id if principal else "",
        op=_op(judgement),
        model=judgement.request.model if judgement.request else "",
        action=_action(judgement),
        code=refused.code if refused else "",
        status=refused.status if refused else 0,
        level=facts.classification.level if facts else Level.UNKNOWN,
        detection=facts.classification.status if facts else DetectionStatus.SKIPPED,
        findings=tuple(
            FindingCount(type=row.type, n=row.count, max_permille=row.max_permille, where=row.where)
            for row in facts.classification.entities
        )
        if facts
        else (),
        labels=tuple(row.name for row in facts.classification.labels) if facts else (),
        jurisdictions=tuple(row.code for row in facts.origin.subject_jurisdictions) if facts else (),
        uninspected=tuple(f"{row.reason.value}:{row.count}" for row in facts.request.uninspected) if facts else (),
        redaction=tuple(
            RedactionCount(type=change.entity, operator=change.operator, n=change.count)
            for change in (forwarded.redacted if forwarded else ())
        ),
        masked=forwarded.masked if forwarded else (),
        route=_route(forwarded.pool) if forwarded else None,
        policy=_policy(judgement),
        obligations=_obligations(judgement),
        commit_in=_commitment(commitment_key, judgement.arrival.body.reveal()),
        commit_out=_commitment(commitment_key, forwarded.body.reveal()) if forwarded and forwarded.body else "",
        config_version=config_version,
        perf=Perf(us_total=us_total, us_detect=judgement.us_detect, us_policy=judgement.us_policy),
        facts=_kept(judgement),
    )


def _kept(judgement: Judgement) -> Facts | None:
    """The facts, unless policy leaves them out of this record. A sample is drawn by the id, which is random."""
    decision = judgement.decision
    if decision is None:
        return judgement.facts
    audit = decision.obligations.audit
    drawn = zlib.crc32(judgement.decision_id.encode()) % 1000 < audit.sample_permille
    return judgement.facts if drawn and audit.level == "decision" else None


def _op(judgement: Judgement) -> Op:
    request = judgement.request
    size = len(judgement.arrival.body)
    if request is None:
        return Op(protocol="", name=Operation.UNKNOWN, stream=False, size_in=size, messages=0)
    return Op(
        protocol=request.protocol,
        name=request.operation,
        stream=request.stream,
        size_in=size,
        messages=request.messages,
    )


def _action(judgement: Judgement) -> Action:
    match judgement.enforcement:
        case Refuse():
            return Action.DENY
        case Answer():
            return Action.ALLOW
        case Forward():
            return judgement.decision.action if judgement.decision else Action.DENY


def _route(pool: Pool) -> RouteRecord:
    return RouteRecord(
        pool=pool.name,
        cell=pool.cell,
        allowed=pool.nodes[:_MOST_NODES],
        allowed_overflow=max(0, len(pool.nodes) - _MOST_NODES),
    )


def _policy(judgement: Judgement) -> PolicyRecord | None:
    decision = judgement.decision
    if decision is None:
        return None
    source, audit = decision.provenance, decision.obligations.audit
    return PolicyRecord(
        alert=audit.alert,
        bundle=source.bundle,
        revision=source.revision,
        digest=source.digest,
        data_digest=source.data_digest,
        engine=source.engine,
        engine_version=source.engine_version,
        input_digest=source.input_digest,
        modes=source.modes,
        retain_days=audit.retain_days or 0,
        retain_days_max=audit.retain_days_max or 0,
        rules=_rules(reason for reason in decision.reasons if reason.winning),
        shadow=_rules(decision.shadow),
        shadow_action=decision.shadow_action or "",
        failures=len(decision.errors),
    )


def _rules(reasons: Iterable[Reason]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{reason.policy}/{reason.rule}" for reason in reasons))


def _obligations(judgement: Judgement) -> tuple[str, ...]:
    decision = judgement.decision
    return tuple(sorted({reason.effect for reason in decision.reasons if reason.winning})) if decision else ()


def _commitment(key: bytes, body: bytes) -> str:
    """A MAC of 256 bits (keyed BLAKE2b, RFC 7693): who holds key and body can confirm it, others cannot guess."""
    return hashlib.blake2b(body, key=key, digest_size=32).hexdigest() if body else ""
