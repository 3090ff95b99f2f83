"""The policy input `ringfence.input/1`: all that a decision may depend on. No text, integers for scores.

The dataclasses here are the one definition: `governance.policy.contract` derives the validator and the JSON Schema
from them. Sets are sorted tuples and fields stand in the order of their names, so that equal facts are equal bytes and
their canonical JSON (RFC 8785) is written without sorting.
"""

from __future__ import annotations

from dataclasses import field, fields
from typing import Annotated, Any, ClassVar, Literal

import orjson
from annotated_types import Ge, Le, MaxLen

from governance.finding import Category, DetectionStatus
from governance.frozen import frozen
from governance.inference import Media, Operation, Unread
from governance.residency import Level, Tier
from governance.segment import Role

Id = Annotated[str, MaxLen(128)]
Permille = Annotated[int, Ge(0), Le(1000)]
# Integers every JSON reader keeps exactly (RFC 7493, 2.2).
Count = Annotated[int, Ge(0), Le(2**53 - 1)]
Phase = Literal["request", "response", "stream"]
Basis = Literal["token", "header", "geo", "tenant", "default", "content"]


@frozen
class Principal:
    """Who asks. `id` is a keyed hash, never a credential."""

    attributes: Annotated[dict[Id, Id], MaxLen(32)] = field(default_factory=dict)
    clearance: Annotated[int, Ge(0), Le(4)] = 0
    groups: Annotated[tuple[Id, ...], MaxLen(64)] = ()
    id: Id
    kind: Literal["user", "service", "agent", "anonymous"]
    tenant: Id


@frozen
class SubjectJurisdiction:
    """A country whose data subjects the request seems to concern, and what says so."""

    basis: Basis
    code: Id
    permille: Permille


@frozen
class Origin:
    """Where the caller is (ISO 3166-1 alpha-2 or `unknown`), and whose data it is."""

    basis: Basis
    jurisdiction: Id
    subject_jurisdictions: tuple[SubjectJurisdiction, ...]


@frozen
class Parse:
    """How far the body could be read."""

    reason: Id = ""
    status: Literal["ok", "partial", "failed", "unsupported"]
    truncated: bool = False


@frozen
class UninspectedCount:
    """How many parts were not read for one reason."""

    count: Count
    reason: Unread


@frozen
class Request:
    """What is asked of which model."""

    bytes: Count
    media: tuple[Media, ...]
    messages: Count
    model: Id
    operation: Operation
    parse: Parse
    protocol: Id
    provider: Id
    purpose: Id
    stream: bool
    tokens_est: Count
    tools: tuple[Id, ...]
    uninspected: tuple[UninspectedCount, ...]


@frozen
class EntityFact:
    """All findings of one type, as one row."""

    category: Category = Category.OTHER
    count: Count
    max_permille: Permille
    type: Id
    validated: bool
    where: tuple[Role, ...]


@frozen
class LabelFact:
    """A topic of the text."""

    name: Id
    permille: Permille


@frozen
class DetectorFact:
    """A detector that ran."""

    id: Id
    status: DetectionStatus
    version: Id


@frozen
class Classification:
    """What detection found: one row per entity type, sorted by type."""

    detectors: tuple[DetectorFact, ...]
    entities: tuple[EntityFact, ...]
    labels: tuple[LabelFact, ...]
    level: Level
    level_rank: Annotated[int, Ge(0), Le(4)]
    residency_labels: tuple[Id, ...]
    status: DetectionStatus


@frozen
class Served:
    """Who served the answer (phase response and stream only)."""

    finish: Id
    model: Id
    node: Id
    region: Id
    tier: Tier


@frozen
class Prior:
    """The decision on the request, for policies on its answer."""

    action: Literal["allow", "allow_modified", "deny"]
    decision_id: Id
    pin: tuple[Id, ...]
    response: Id


@frozen
class Time:
    """UTC, in the buckets a policy may use. `weekday` is 1 (Monday) to 7; `date` is YYYY-MM-DD."""

    date: Id
    hour: Annotated[int, Ge(0), Le(23)]
    utc_minute: Count
    weekday: Annotated[int, Ge(1), Le(7)]


@frozen
class Surroundings:
    """Where and when Ringfence runs."""

    env: Id
    route: Id
    time: Time


@frozen
class Facts:
    """The whole input document."""

    # Holds for everything inside: a key that is not declared is an error, and nothing is converted.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}
    classification: Classification
    context: Surroundings
    origin: Origin
    phase: Phase
    principal: Principal
    prior: Prior | None = None
    request: Request
    response: Served | None = None
    schema: Literal["ringfence.input/1"]

    def canonical(self) -> bytes:
        """The canonical JSON of the document: sorted keys, no whitespace, absent parts left out.

        Raises TypeError where a name taken from the request is no Unicode text (a lone surrogate).
        """
        return orjson.dumps(dict(self.parts()), option=orjson.OPT_SORT_KEYS)

    def parts(self) -> list[tuple[str, Any]]:
        """The parts that are there, by name."""
        return [(name, value) for name in _PARTS if (value := getattr(self, name)) is not None]


_PARTS = tuple(part.name for part in fields(Facts))
