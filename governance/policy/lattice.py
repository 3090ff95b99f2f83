"""The join of what policies contribute into one decision: the least upper bound on a product lattice.

Contributions become sets of voices, whose union is associative, commutative and idempotent, and are settled once at the
end: what could only be settled pair by pair (a conflict below a higher priority, a header that is removed later) then
cannot depend on the order of policies.

Adding an enforced contribution never loosens a decision, apart from three things that policies do on purpose: opening the
`allow` gate, settling a route conflict by a higher priority, and settling a header conflict by removing the header.
What no policy speaks of has a default (`Respond()`, `AuditObligation()`) that takes no part in the join.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from governance.decision import (
    Action,
    AllowEffect,
    Contribution,
    Decision,
    Deny,
    DenyEffect,
    Mode,
    Obligations,
    Operator,
    PolicyFailure,
    Provenance,
    Reason,
)
from governance.facts import Phase
from governance.frozen import frozen
from governance.policy.components import (
    UNCHANGED,
    UNPINNED,
    UNROUTED,
    Part,
    Voice,
    denial_of,
    settle_audit,
    settle_headers,
    settle_pin,
    settle_redact,
    settle_response,
    settle_route,
    spoken,
    voice_of,
)

# Which refusal a caller sees, most final first; any other status comes after, 5xx before 4xx, then by number.
_PRECEDENCE: Mapping[int, int] = MappingProxyType({451: 0, 403: 1, 401: 2, 429: 3, 503: 4})
# The longest time for which an effect may ask; who keeps decisions may keep them for less.
LONGEST_TTL_S = 86_400


Joined = frozenset[Voice]
NOTHING: Joined = frozenset()


@frozen
class _Settlement:
    action: Action
    deny: Deny | None
    obligations: Obligations
    reasons: tuple[Reason, ...]


def combine(
    contributions: Sequence[Contribution], *, decision_id: str, phase: Phase, provenance: Provenance
) -> Decision:
    """The decision that all `contributions` lead to, whatever their order and number. Without an allow it denies."""
    joined = functools.reduce(join, map(voices_of, contributions), NOTHING)
    return settle(joined, decision_id=decision_id, phase=phase, provenance=provenance)


def voices_of(contribution: Contribution) -> Joined:
    """What `contribution` adds to the join: nothing when off, and only its failure when it failed."""
    if contribution.mode is Mode.OFF:
        return NOTHING
    origin = contribution.policy, contribution.version, contribution.mode
    if contribution.failure is not None:
        return frozenset({voice_of(*origin, denial_of("policy_error", status=503), contribution.failure)})
    return frozenset(voice_of(*origin, effect) for effect in contribution.effects)


def join(a: Joined, b: Joined) -> Joined:
    """The least upper bound of `a` and `b`."""
    return a | b


def settle(joined: Joined, *, decision_id: str, phase: Phase, provenance: Provenance) -> Decision:
    """The decision that `joined` amounts to. Reasons are sorted by policy, rule, effect and code."""
    voices = sorted(
        joined, key=lambda voice: (voice.policy, voice.version, voice.mode, voice.text, voice.failure or "")
    )
    enforced = [voice for voice in voices if voice.mode is Mode.ENFORCE]
    settled = _settle(enforced)
    shadowed = [voice for voice in voices if voice.mode is Mode.SHADOW]
    shadow = _settle([*enforced, *shadowed]) if shadowed else None
    # A decision that is kept holds what warn and shadow policies said too: it is as short-lived as the shortest of all.
    cacheable = all(voice.effect.cacheable for voice in voices)
    ttl_s = min((voice.effect.ttl_s for voice in voices if voice.effect.ttl_s is not None), default=LONGEST_TTL_S)
    return Decision(
        schema="ringfence.decision/1",
        decision_id=decision_id,
        phase=phase,
        action=settled.action,
        deny=settled.deny,
        obligations=settled.obligations,
        ttl_s=ttl_s if cacheable else 0,
        cacheable=cacheable,
        vary=(),
        reasons=_reasons([*settled.reasons, *(_reason(v, winning=False) for v in voices if v.mode is Mode.WARN)]),
        shadow=tuple(reason for reason in shadow.reasons if reason.mode is Mode.SHADOW) if shadow else (),
        shadow_action=shadow.action if shadow else None,
        errors=_errors(voices),
        provenance=provenance,
    )


# --- settling ------------------------------------------------------------------------------------------------------


def _settle(voices: Sequence[Voice]) -> _Settlement:
    redact, pin, route = settle_redact(voices), settle_pin(voices), settle_route(voices)
    response, audit, headers = settle_response(voices), settle_audit(voices), settle_headers(voices)
    parts: tuple[Part[object], ...] = (redact, pin, route, response, audit, headers)
    obligations = Obligations(
        redact=redact.value,
        pin=pin.value,
        route=route.value,
        response=response.value,
        audit=audit.value,
        headers=headers.value,
        must=tuple(sorted({voice.effect.effect for voice in voices if voice.effect.must})),
    )
    conflicts = [conflict for part in parts for conflict in part.conflicts]
    denials = _denials([*voices, *conflicts])
    allows = [voice for voice, _ in spoken(AllowEffect, voices)]
    # The gate speaks only where nothing else denies: it would hide a passing 503 behind a final 403.
    gate = [] if denials or allows else [voice_of("", "", Mode.ENFORCE, denial_of("no_policy_allows"))]
    deny = next(iter(denials or _denials(gate)), None)
    shaping = {voice for part in parts for voice in part.winners} | ({deny[0]} if deny else set(allows))
    return _Settlement(
        action=Action.DENY if deny else Action.ALLOW_MODIFIED if _modifies(obligations) else Action.ALLOW,
        deny=_deny(*deny) if deny else None,
        obligations=obligations,
        reasons=_reasons(_reason(voice, winning=voice in shaping) for voice in [*voices, *conflicts, *gate]),
    )


def _modifies(obligations: Obligations) -> bool:
    return (
        any(row.operator is not Operator.KEEP for row in obligations.redact)
        or obligations.pin != UNPINNED
        or obligations.route != UNROUTED
        or obligations.response.inspect != "none"
        or obligations.headers != UNCHANGED
    )


def _denials(voices: Iterable[Voice]) -> list[tuple[Voice, DenyEffect]]:
    """The denying voices, the winner first."""

    def precedence(denial: tuple[Voice, DenyEffect]) -> tuple[int, int, int, str, str, str, bytes]:
        voice, effect = denial
        status = effect.params.status
        rank = _PRECEDENCE.get(status, len(_PRECEDENCE))
        return rank, -(status // 100), status, voice.policy, effect.rule, effect.code, voice.text

    return sorted(spoken(DenyEffect, voices), key=precedence)


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


def _reason(voice: Voice, *, winning: bool) -> Reason:
    return Reason(
        policy=voice.policy,
        version=voice.version,
        rule=voice.effect.rule,
        effect=voice.effect.effect,
        code=voice.effect.code,
        winning=winning,
        mode=voice.mode,
    )


def _reasons(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Sorted; of reasons that differ only in `winning`, the winning one."""
    found: dict[tuple[str, ...], Reason] = {}
    for one in reasons:
        key = (one.policy, one.rule, one.effect, one.code, one.version, one.mode)
        if one.winning or key not in found:
            found[key] = one
    return tuple(found[key] for key in sorted(found))


def _errors(voices: Iterable[Voice]) -> tuple[PolicyFailure, ...]:
    found = {
        PolicyFailure(
            policy=voice.policy, kind=voice.failure, effect_taken="deny" if voice.mode is Mode.ENFORCE else "skip"
        )
        for voice in voices
        if voice.failure is not None
    }
    return tuple(sorted(found, key=lambda error: (error.policy, error.kind, error.effect_taken)))
