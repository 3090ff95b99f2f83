"""The join of what policies contribute into one decision: the least upper bound on a product lattice.

Contributions become sets of voices, whose union is associative, commutative and idempotent, and are settled once at the
end: what could only be settled pair by pair (a conflict below a higher priority, a header that is removed later) then
cannot depend on the order of policies.

Adding an enforced contribution never loosens a decision, apart from three things that policies do on purpose: opening the
`allow` gate, settling a route conflict by a higher priority, and settling a header conflict by removing the header.
What no policy speaks of has a default (`Respond()`, `AuditObligation()`) that takes no part in the join.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from operator import attrgetter
from types import MappingProxyType

from governance.decision import (
    Action,
    AllowEffect,
    AuditEffect,
    Contribution,
    Decision,
    Deny,
    DenyEffect,
    HeaderEffect,
    Mode,
    Obligations,
    Operator,
    PinEffect,
    PolicyFailure,
    Provenance,
    Reason,
    RedactEffect,
    RespondEffect,
    RouteEffect,
)
from governance.facts import Phase
from governance.frozen import frozen
from governance.policy.components import (
    UNCHANGED,
    UNPINNED,
    UNROUTED,
    Part,
    Spoken,
    Voice,
    denial_of,
    settle_audit,
    settle_headers,
    settle_pin,
    settle_redact,
    settle_response,
    settle_route,
    voice_of,
)

# Which refusal a caller sees, most final first; any other status comes after, 5xx before 4xx, then by number.
_PRECEDENCE: Mapping[int, int] = MappingProxyType({451: 0, 403: 1, 401: 2, 429: 3, 503: 4})
# The longest time for which an effect may ask; who keeps decisions may keep them for less.
LONGEST_TTL_S = 86_400


@frozen
class _Settlement:
    action: Action
    deny: Deny | None
    obligations: Obligations
    shaping: AbstractSet[bytes]
    ours: tuple[Voice, ...]


def combine(
    contributions: Iterable[Contribution], *, decision_id: str, phase: Phase, provenance: Provenance
) -> Decision:
    """The decision that all `contributions` lead to, whatever their order and number. Without an allow it denies."""
    voices = {voice.key: voice for voice in chain.from_iterable(map(voices_of, contributions))}
    return settle(voices.values(), decision_id=decision_id, phase=phase, provenance=provenance)


def voices_of(contribution: Contribution) -> tuple[Voice, ...]:
    """What `contribution` adds to the join: nothing when off, and only its failure when it failed."""
    if contribution.mode is Mode.OFF:
        return ()
    origin = contribution.policy, contribution.version, contribution.mode
    if contribution.failure is not None:
        return (voice_of(*origin, denial_of("policy_error", status=503), contribution.failure),)
    return tuple(voice_of(*origin, effect) for effect in contribution.effects)


def settle(voices: Iterable[Voice], *, decision_id: str, phase: Phase, provenance: Provenance) -> Decision:
    """The decision that `voices`, no two of them equal, amount to. Reasons are sorted by policy, rule, effect and code."""
    joined = sorted(voices, key=attrgetter("key"))
    enforced = [voice for voice in joined if voice.mode is Mode.ENFORCE]
    settled = _settle(enforced)
    others = len(enforced) < len(joined)
    shadowed = [voice for voice in joined if voice.mode is Mode.SHADOW] if others else []
    shadow = _settle([*enforced, *shadowed]) if shadowed else None
    warned = [voice for voice in joined if voice.mode is Mode.WARN] if others else []
    # A decision that is kept holds what warn and shadow policies said too: it is as short-lived as the shortest of all.
    cacheable = all(voice.effect.cacheable for voice in joined)
    ttls = [voice.effect.ttl_s for voice in joined if voice.effect.ttl_s is not None]
    return Decision(
        schema="ringfence.decision/1",
        decision_id=decision_id,
        phase=phase,
        action=settled.action,
        deny=settled.deny,
        obligations=settled.obligations,
        ttl_s=min(ttls, default=LONGEST_TTL_S) if cacheable else 0,
        cacheable=cacheable,
        vary=(),
        reasons=_reasons([*enforced, *settled.ours, *warned], settled.shaping),
        shadow=_shadow_reasons([*enforced, *shadowed, *shadow.ours], shadow.shaping) if shadow else (),
        shadow_action=shadow.action if shadow else None,
        errors=_errors(joined),
        provenance=provenance,
    )


# --- settling ------------------------------------------------------------------------------------------------------


def _settle(voices: Sequence[Voice]) -> _Settlement:
    spoken = Spoken(voices)
    redact, pin = settle_redact(spoken.of(RedactEffect)), settle_pin(spoken.of(PinEffect))
    route, response = settle_route(spoken.of(RouteEffect)), settle_response(spoken.of(RespondEffect))
    audit, headers = settle_audit(spoken.of(AuditEffect)), settle_headers(spoken.of(HeaderEffect))
    parts: tuple[Part[object], ...] = (redact, pin, route, response, audit, headers)
    obligations = Obligations(
        redact=redact.value,
        pin=pin.value,
        route=route.value,
        response=response.value,
        audit=audit.value,
        headers=headers.value,
    )
    conflicts = [conflict for part in parts for conflict in part.conflicts]
    denials = _denials([*spoken.of(DenyEffect), *Spoken(conflicts).of(DenyEffect)])
    allows = spoken.of(AllowEffect)
    # The gate speaks only where nothing else denies: it would hide a passing 503 behind a final 403.
    gate = [] if denials or allows else [voice_of("", "", Mode.ENFORCE, denial_of("no_policy_allows"))]
    deny = next(iter(denials or Spoken(gate).of(DenyEffect)), None)
    shaping = {voice.key for part in parts for voice in part.winners}
    shaping |= {deny[0].key} if deny else {voice.key for voice, _ in allows}
    return _Settlement(
        action=Action.DENY if deny else Action.ALLOW_MODIFIED if _modifies(obligations) else Action.ALLOW,
        deny=_deny(*deny) if deny else None,
        obligations=obligations,
        shaping=shaping,
        ours=(*conflicts, *gate),
    )


def _modifies(obligations: Obligations) -> bool:
    return (
        any(row.operator is not Operator.KEEP for row in obligations.redact)
        or obligations.pin != UNPINNED
        or obligations.route != UNROUTED
        or obligations.response.inspect != "none"
        or obligations.headers != UNCHANGED
    )


def _denials(said: Iterable[tuple[Voice, DenyEffect]]) -> list[tuple[Voice, DenyEffect]]:
    """The denying voices, the winner first."""

    def precedence(denial: tuple[Voice, DenyEffect]) -> tuple[int, int, int, str, str, str, bytes]:
        voice, effect = denial
        status = effect.params.status
        rank = _PRECEDENCE.get(status, len(_PRECEDENCE))
        return rank, -(status // 100), status, voice.policy, effect.rule, effect.code, voice.key

    return sorted(said, key=precedence)


def _deny(voice: Voice, effect: DenyEffect) -> Deny:
    return Deny(
        status=effect.params.status,
        code=effect.code,
        message_id=effect.params.message_id,
        policy=voice.policy,
        message_params=effect.params.message_params,
        retry_after_s=effect.params.retry_after_s,
    )


# --- reasons -----------------------------------------------------------------------------------------------------------


def _reasons(voices: Iterable[Voice], shaping: AbstractSet[bytes]) -> tuple[Reason, ...]:
    """Sorted; of reasons that differ only in `winning`, the winning one."""
    found: dict[tuple[str, ...], Reason] = {}
    for voice in voices:
        if voice.key in shaping:
            found[voice.order] = voice.won
        elif voice.order not in found:
            found[voice.order] = voice.heard
    return tuple([found[order] for order in sorted(found)])


def _shadow_reasons(voices: Iterable[Voice], shaping: AbstractSet[bytes]) -> tuple[Reason, ...]:
    return tuple(reason for reason in _reasons(voices, shaping) if reason.mode is Mode.SHADOW)


def _errors(voices: Iterable[Voice]) -> tuple[PolicyFailure, ...]:
    found = {
        PolicyFailure(
            policy=voice.policy, kind=voice.failure, effect_taken="deny" if voice.mode is Mode.ENFORCE else "skip"
        )
        for voice in voices
        if voice.failure is not None
    }
    return tuple(sorted(found, key=lambda error: (error.policy, error.kind, error.effect_taken)))
