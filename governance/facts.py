"""The policy input `ringfence.input/1`: all that a decision may depend on. No text, integers for scores.

The dataclasses here are the one definition: `governance.policy.contract` derives the validator and the JSON Schema
from them. Sets are sorted tuples, so that equal facts are equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen

from governance.finding import DetectionStatus
from governance.inference import Media, Operation, Unread
from governance.residency import Level, Tier
from governance.segment import Role

Id = Annotated[str, MaxLen(128)]
Permille = Annotated[int, Ge(0), Le(1000)]
# Integers every JSON reader keeps exactly (RFC 7493, 2.2).
Count = Annotated[int, Ge(0), Le(2**53 - 1)]
Phase = Literal["request", "response", "stream"]
Basis = Literal["token", "header", "geo", "tenant", "default", "content"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks. `id` is a keyed hash, never a credential."""

    id: Id
    kind: Literal["user", "service", "agent", "anonymous"]
    tenant: Id
    groups: Annotated[tuple[Id, ...], MaxLen(64)] = ()
    clearance: Annotated[int, Ge(0), Le(4)] = 0
    attributes: Annotated[dict[Id, Id], MaxLen(32)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectJurisdiction:
    """A country whose data subjects the request seems to concern, and what says so."""

    code: Id
    permille: Permille
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the caller is (ISO 3166-1 alpha-2 or `unknown`), and whose data it is."""

    jurisdiction: Id
    subject_jurisdictions: tuple[SubjectJurisdiction, ...]
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Parse:
    """How far the body could be read."""

    status: Literal["ok", "partial", "failed", "unsupported"]
    truncated: bool = False
    reason: Id = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UninspectedCount:
    """How many parts were not read for one reason."""

    reason: Unread
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of which model."""

    protocol: Id
    operation: Operation
    model: Id
    provider: Id
    purpose: Id
    stream: bool
    tools: tuple[Id, ...]
    bytes: Count
    tokens_est: Count
    messages: Count
    parse: Parse
    media: tuple[Media, ...]
    uninspected: tuple[UninspectedCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFact:
    """All findings of one type, as one row."""

    type: Id
    count: Count
    max_permille: Permille
    validated: bool
    where: tuple[Role, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFact:
    """A topic of the text."""

    name: Id
    permille: Permille


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFact:
    """A detector that ran."""

    id: Id
    version: Id
    status: DetectionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What detection found: one row per entity type, sorted by type."""

    status: DetectionStatus
    level: Level
    level_rank: Annotated[int, Ge(0), Le(4)]
    entities: tuple[EntityFact, ...]
    labels: tuple[LabelFact, ...]
    residency_labels: tuple[Id, ...]
    detectors: tuple[DetectorFact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Who served the answer (phase response and stream only)."""

    model: Id
    region: Id
    node: Id
    tier: Tier
    finish: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The decision on the request, for policies on its answer."""

    decision_id: Id
    action: Literal["allow", "allow_modified", "deny"]
    pin: tuple[Id, ...]
    response: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """UTC, in the buckets a policy may use. `weekday` is 1 (Monday) to 7; `date` is YYYY-MM-DD."""

    utc_minute: Count
    hour: Annotated[int, Ge(0), Le(23)]
    weekday: Annotated[int, Ge(1), Le(7)]
    date: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where and when Ringfence runs."""

    env: Id
    route: Id
    time: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The whole input document."""

    # Holds for everything inside: a key that is not declared is an error, and nothing is converted.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    schema: Literal["ringfence.input/1"]
    phase: Phase
    principal: Principal
    origin: Origin
    request: Request
    classification: Classification
    context: Surroundings
    response: Served | None = None
    prior: Prior | None = None
