"""What one policy contributes (effects) and what all of them lead to: `ringfence.decision/1`.

The dataclasses are the one definition; `governance.policy.contract` derives the validators and the JSON Schemas, and
`governance.policy.lattice` joins effects into a decision.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, Len, MaxLen

from governance.facts import Count, Id, Permille
from governance.frozen import frozen
from governance.residency import Tier
from governance.segment import Role

# A code names a reason in lower snake case; codes, rules and message ids are written by policy authors, never by callers.
Code = Annotated[str, Len(1, 64)]
Integer = Annotated[int, Ge(-(2**53) + 1), Le(2**53 - 1)]
# A cap on days: there is a record of every decision, hence none of 0.
Days = Annotated[int, Ge(1), Le(2**53 - 1)]
# What a caller can change: one printable line, written by the author of a policy or by us.
LONGEST_REMEDY = 300
MOST_REMEDIES = 3
Remedy = Annotated[str, Len(1, LONGEST_REMEDY)]


class Operator(StrEnum):
    """What happens to a found value; weakest first, the order is the lattice (a later one wins)."""

    KEEP = "keep"
    KEEP_LAST = "keep_last"
    GENERALISE = "generalise"
    PSEUDONYMISE = "pseudonymise"
    TOKENISE = "tokenise"
    MASK = "mask"
    REPLACE = "replace"
    REMOVE = "remove"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        """0 for keep."""
        return _RANKS[self]


_RANKS = {operator: rank for rank, operator in enumerate(Operator)}


class Action(StrEnum):
    """What a decision amounts to. Derived from its parts, never chosen by a policy."""

    ALLOW = "allow"
    ALLOW_MODIFIED = "allow_modified"
    DENY = "deny"


class Mode(StrEnum):
    """How far a policy's effects reach."""

    ENFORCE = "enforce"
    WARN = "warn"
    SHADOW = "shadow"
    OFF = "off"


# --- effects -------------------------------------------------------------------------------------------------------


@frozen
class AllowParams:
    """Nothing to say."""


@frozen
class DenyParams:
    """`message_params` holds numbers and closed words only."""

    status: Annotated[int, Ge(400), Le(599)] = 403
    message_id: Code = "denied"
    message_params: Annotated[dict[Id, Integer | Id], MaxLen(16)] = field(default_factory=dict)
    retry_after_s: Annotated[int, Ge(0), Le(86_400)] | None = None


@frozen
class AnyOf:
    """Admissible values of one dimension."""

    any: tuple[Id, ...]


@frozen
class AnyTier:
    """Admissible tiers."""

    any: tuple[Tier, ...]


@frozen
class Excluded:
    """Values that are never admissible."""

    countries: tuple[Id, ...] = ()
    regions: tuple[Id, ...] = ()
    tiers: tuple[Tier, ...] = ()
    nodes: tuple[Id, ...] = ()
    providers: tuple[Id, ...] = ()
    certifications: tuple[Id, ...] = ()


@frozen
class Pin:
    """A product set of nodes: a node is admissible when every dimension holds. None is `*`.

    Countries are ISO 3166-1 alpha-2 codes or the groups EU and EEA. A node holds a set of certifications and needs
    one of those listed.
    """

    countries: AnyOf | None = None
    regions: AnyOf | None = None
    tiers: AnyTier | None = None
    nodes: AnyOf | None = None
    providers: AnyOf | None = None
    certifications: AnyOf | None = None
    exclude: Excluded = field(default_factory=Excluded)


@frozen
class OperatorParams:
    """`last` for keep_last and mask (characters left), `key_id` and `format` for keyed operators."""

    last: Annotated[int, Ge(0), Le(32)] | None = None
    key_id: Id | None = None
    format: Id | None = None


@frozen
class Redact:
    """`entity` is an entity type or `*`; an empty `where` means everywhere."""

    entity: Id
    operator: Operator
    params: OperatorParams = field(default_factory=OperatorParams)
    where: tuple[Role, ...] = ()
    apply: Literal["request", "response", "log"] = "request"


@frozen
class RouteParams:
    """Limits join by minimum; overrides of the same priority must be equal."""

    model: Id | None = None
    provider: Id | None = None
    priority: Count = 0
    max_tokens: Count | None = None
    temperature_max: Permille | None = None
    tools_allowed: tuple[Id, ...] | None = None


@frozen
class Respond:
    """How the answer is inspected. `entities` of `*` means all."""

    inspect: Literal["none", "buffered", "stream"] = "none"
    entities: tuple[Id, ...] = ("*",)
    on_match: Literal["redact", "truncate", "deny"] = "redact"
    max_buffer_bytes: Count | None = None
    window_bytes: Count | None = None
    on_limit: Literal["pass", "deny"] = "deny"


@frozen
class Audit:
    """Every decision has its durable record, and no record holds content; the facts in it are what policy may leave out.

    With level `meta` they are, and with `decision` outside a sample of `sample_permille`. Such a decision can be neither
    replayed nor explained by its policies. No record is deleted here: for how many days it is needed (`retain_days`) and may
    be kept at most (`retain_days_max`, which wins) is in it for whoever deletes logs.
    """

    level: Literal["meta", "decision"] = "decision"
    retain_days: Count | None = None
    retain_days_max: Days | None = None
    sample_permille: Permille = 1000
    alert: bool = False


@frozen
class Header:
    """Changes to the request's headers. Names that this program or HTTP alone may write make a refusal."""

    set: Annotated[dict[Id, Id], MaxLen(32)] = field(default_factory=dict)
    remove: tuple[Id, ...] = ()


@frozen
class Note:
    """A remark for the record: it changes nothing."""


@frozen
class _Effect:
    rule: Code
    code: Code
    ttl_s: Annotated[int, Ge(0), Le(86_400)] | None = None
    cacheable: bool = True


@frozen
class AllowEffect(_Effect):
    effect: Literal["allow"]
    params: AllowParams = field(default_factory=AllowParams)


@frozen
class DenyEffect(_Effect):
    effect: Literal["deny"]
    params: DenyParams = field(default_factory=DenyParams)


@frozen
class PinEffect(_Effect):
    effect: Literal["pin"]
    params: Pin


@frozen
class RedactEffect(_Effect):
    effect: Literal["redact"]
    params: Redact


@frozen
class RouteEffect(_Effect):
    effect: Literal["route"]
    params: RouteParams


@frozen
class RespondEffect(_Effect):
    effect: Literal["respond"]
    params: Respond


@frozen
class AuditEffect(_Effect):
    effect: Literal["audit"]
    params: Audit


@frozen
class HeaderEffect(_Effect):
    effect: Literal["header"]
    params: Header


@frozen
class NoteEffect(_Effect):
    effect: Literal["note"]
    params: Note = field(default_factory=Note)


Effect = (
    AllowEffect
    | DenyEffect
    | PinEffect
    | RedactEffect
    | RouteEffect
    | RespondEffect
    | AuditEffect
    | HeaderEffect
    | NoteEffect
)
EffectKind = Literal["allow", "deny", "pin", "redact", "route", "respond", "audit", "header", "note"]
FailureKind = Literal["eval", "schema", "timeout", "unsupported"]


@frozen
class Contribution:
    """What one policy said about one request, or the way in which it failed to say it."""

    policy: Id
    version: Id
    mode: Mode = Mode.ENFORCE
    effects: tuple[Effect, ...] = ()
    failure: FailureKind | None = None


# --- decision ------------------------------------------------------------------------------------------------------


@frozen
class Deny:
    """Why the request is refused. `policy` is the one that won, and what to do about it comes first in `remedies`."""

    status: Annotated[int, Ge(400), Le(599)]
    code: Code
    message_id: Code
    policy: Id
    message_params: dict[Id, Integer | Id] = field(default_factory=dict)
    retry_after_s: int | None = None
    remedies: Annotated[tuple[Remedy, ...], MaxLen(MOST_REMEDIES)] = ()


@frozen
class Route:
    """Overrides of the request's routing."""

    model: Id | None = None
    provider: Id | None = None
    max_tokens: Count | None = None
    temperature_max: Permille | None = None
    tools_allowed: tuple[Id, ...] | None = None


@frozen
class AuditObligation:
    """Whether the record holds the facts, how long it is needed, and how long it may be kept, which is no less."""

    level: Literal["meta", "decision"] = "decision"
    retain_days: Count | None = None
    retain_days_max: Days | None = None
    sample_permille: Permille = 1000
    alert: bool = False


@frozen
class Obligations:
    """What has to be done with an allowed request. None may be ignored: what cannot be kept refuses the request."""

    redact: tuple[Redact, ...] = ()
    pin: Pin = field(default_factory=Pin)
    route: Route = field(default_factory=Route)
    response: Respond = field(default_factory=Respond)
    audit: AuditObligation = field(default_factory=AuditObligation)
    headers: Header = field(default_factory=Header)


@frozen
class Reason:
    """One contribution to the decision; `winning` when it shaped the result."""

    policy: Id
    version: Id
    rule: Code
    effect: EffectKind
    code: Code
    winning: bool
    mode: Mode


@frozen
class PolicyFailure:
    """A policy that could not be evaluated, and what was done about it."""

    policy: Id
    kind: FailureKind
    effect_taken: Literal["deny", "skip"]


@frozen
class Provenance:
    """Which policies, in which version, evaluated by what.

    `modes` holds `policy:mode` for each policy of the phase that was not enforced on this request (`off`: not asked).
    """

    bundle: Id = ""
    revision: Id = ""
    digest: Id = ""
    data_digest: Id = ""
    engine: Id = ""
    engine_version: Id = ""
    classifiers_digest: Id = ""
    eval_us: Count = 0
    input_digest: Id = ""
    modes: tuple[Id, ...] = ()
    cached: bool = False


@frozen
class Decision:
    """The answer of policy to one request."""

    # Holds for everything inside: a key that is not declared is an error, and nothing is converted.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    schema: Literal["ringfence.decision/1"]
    decision_id: Id
    phase: Literal["request", "response", "stream"]
    action: Action
    deny: Deny | None
    obligations: Obligations
    ttl_s: Count
    cacheable: bool
    vary: tuple[Id, ...]
    reasons: tuple[Reason, ...]
    shadow: tuple[Reason, ...]
    shadow_action: Action | None
    errors: tuple[PolicyFailure, ...]
    provenance: Provenance
