"""What the audit log holds. Every string is an id from a registry, a closed word, a digest or a template.

There is no field that could carry text of a request: a model is one that a node declares, a tool (in `facts`) has a
name in which nothing was found (`governance.names`). The fields of what stands inside a record are in the order of their
names and never None, so that its canonical JSON is written without sorting. Integers only (RFC 8785 numbers below 2^53);
times are microseconds. The log adds the envelope (`v`, `kind`, `seq`, `ts`, `mono`, `origin`, `boot`) when it appends. A
record has at most 65,535 bytes: one that would be larger goes without `facts`, then without the ends of its lists, and
counts what is left out in `facts_overflow`, `findings_overflow` and so on.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len, MaxLen

from governance.decision import Action
from governance.facts import Count, Facts, Id, Permille
from governance.finding import DetectionStatus
from governance.frozen import frozen
from governance.inference import Operation
from governance.residency import Level, Tier
from governance.segment import Role

Digest = Annotated[str, Len(0, 64)]
Place = Annotated[str, MaxLen(256)]


class OutcomeStatus(StrEnum):
    """How a forwarded or refused request ended."""

    SERVED = "served"
    REFUSED = "refused"
    FAILED = "failed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


@frozen
class Op:
    """What was asked."""

    messages: Count
    name: Operation
    protocol: Id
    size_in: Count
    stream: bool


@frozen
class FindingCount:
    """Findings of one type: counts, never values."""

    max_permille: Permille
    n: Count
    type: Id
    where: tuple[Role, ...]


@frozen
class RedactionCount:
    """Values changed, by type and operator."""

    n: Count
    operator: Id
    type: Id


@frozen
class RouteRecord:
    """Where the request may go. `allowed` are node ids, at most 64; `allowed_overflow` counts the rest."""

    allowed: Annotated[tuple[Id, ...], MaxLen(64)]
    allowed_overflow: Count = 0
    cell: Id
    pool: Id


@frozen
class PolicyRecord:
    """Which policy decided: same input and same bundle give the same decision.

    `modes` holds `policy:mode` for each policy that was not enforced on this request.
    `shadow` are the rules of shadow policies that spoke, `shadow_action` is what the decision would have been with them.
    `alert` asks that somebody be told, `retain_days` how many days the record is needed at least and
    `retain_days_max` how many it may be kept, which is no less; each is 0 where no policy says.
    """

    alert: bool = False
    bundle: Id
    data_digest: Digest
    digest: Digest
    engine: Id
    engine_version: Id = ""
    failures: Count
    input_digest: Digest
    modes: tuple[Id, ...] = ()
    retain_days: Count = 0
    retain_days_max: Count = 0
    revision: Id
    rules: tuple[Id, ...]
    shadow: tuple[Id, ...] = ()
    shadow_action: Id = ""


@frozen
class Perf:
    """Microseconds spent on the path."""

    us_detect: Count
    us_policy: Count
    us_total: Count


@frozen
class DecisionRecord:
    """The intent, durable before any answer. `facts` is the policy input, kept for replay."""

    id: Id
    tenant: Id
    actor: Id
    op: Op
    model: Id
    action: Action
    code: Id
    status: Annotated[int, Ge(0), Le(599)]
    level: Level
    detection: DetectionStatus
    findings: tuple[FindingCount, ...]
    labels: tuple[Id, ...]
    jurisdictions: tuple[Id, ...]
    uninspected: tuple[Id, ...]
    redaction: tuple[RedactionCount, ...]
    masked: tuple[Place, ...]
    route: RouteRecord | None
    policy: PolicyRecord | None
    obligations: tuple[Id, ...]
    commit_in: Digest
    commit_out: Digest
    config_version: Id
    perf: Perf
    facts: Facts | None = None


@frozen
class OutcomeRecord:
    """How the request named by `ref` ended. `contained` is False when the serving node lies outside the allow-set."""

    ref: Id
    status: OutcomeStatus
    code: Annotated[int, Ge(0), Le(599)] = 0
    node: Id = ""
    tier: Tier | None = None
    country: Id = ""
    contained: bool = True
    attempts: Count = 0
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    size_out: Count = 0
    us_total: Count = 0


EventKind = Literal["start", "stop", "gap", "heartbeat", "config", "policy_load", "reconcile", "access"]


@frozen
class EventRecord:
    """An act of the logger itself. `count` is what `kind` counts (records lost in a gap, requests in a reconcile)."""

    kind: EventKind
    digest: Digest = ""
    code: Id = ""
    count: Count = 0
    against: Count = 0


Record = DecisionRecord | OutcomeRecord | EventRecord
RecordKind = Literal["decision", "outcome", EventKind]


def kind_of(record: Record) -> str:
    """The `kind` of the record as it stands in the log."""
    match record:
        case DecisionRecord():
            return "decision"
        case OutcomeRecord():
            return "outcome"
        case EventRecord():
            return record.kind
