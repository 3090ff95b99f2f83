"""The components of a decision, one settling function each: from every voice at once to one value.

Each takes the voices in any order and gives the value, who shaped it, and the denials that conflicts amount to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Generic, TypeVar, final

import orjson

from governance.decision import (
    AnyOf,
    AnyTier,
    AuditEffect,
    AuditObligation,
    DenyEffect,
    DenyParams,
    Effect,
    Excluded,
    FailureKind,
    Header,
    HeaderEffect,
    Mode,
    Operator,
    OperatorParams,
    Pin,
    PinEffect,
    Reason,
    Redact,
    RedactEffect,
    Respond,
    RespondEffect,
    Route,
    RouteEffect,
    RouteParams,
)
from governance.frozen import frozen
from governance.residency import Tier, expand
from governance.segment import Role

_RANK: Mapping[Operator, int] = MappingProxyType({operator: rank for rank, operator in enumerate(Operator)})
_INSPECT = ("none", "buffered", "stream")
_ON_MATCH = ("redact", "truncate", "deny")
_AUDIT_LEVEL = ("meta", "decision")
# What holds where no policy speaks; made once, because most decisions hold all of it.
UNPINNED = Pin()
UNROUTED = Route()
UNCHANGED = Header()
UNINSPECTED = Respond()
_AUDITED = AuditObligation()

E = TypeVar("E", bound=Effect)
V_co = TypeVar("V_co", covariant=True)


@frozen
class Voice:
    """One effect of one policy. Voices are equal when their keys are: policy, version, mode and the effect's own text.

    A failed policy has one voice, which denies with 503 `policy_error`; a voice of ours has the policy "". What follows
    from these is worked out once: a voice is heard again with each request on which its policy says the same.
    """

    key: bytes
    policy: str = field(compare=False)
    version: str = field(compare=False)
    mode: Mode = field(compare=False)
    failure: FailureKind | None = field(compare=False)
    effect: Effect = field(compare=False)
    order: tuple[str, ...] = field(compare=False)
    """Where its reason stands among others; reasons that share it differ in nothing but `winning`."""
    heard: Reason = field(compare=False)
    won: Reason = field(compare=False)


@frozen
class Part(Generic[V_co]):
    """One component, settled: who shaped it, and the denials that its conflicts amount to."""

    value: V_co
    winners: Collection[Voice] = ()
    conflicts: tuple[Voice, ...] = ()


def voice_of(policy: str, version: str, mode: Mode, effect: Effect, failure: FailureKind | None = None) -> Voice:
    """The voice that says `effect`. Keys sort by policy, version, mode and text; equal effects have one text."""
    names = "\0".join((policy, version, mode, failure or "", ""))
    reason = Reason(
        policy=policy,
        version=version,
        rule=effect.rule,
        effect=effect.effect,
        code=effect.code,
        winning=False,
        mode=mode,
    )
    return Voice(
        key=names.encode() + orjson.dumps(effect, option=orjson.OPT_SORT_KEYS),
        policy=policy,
        version=version,
        mode=mode,
        failure=failure,
        effect=effect,
        order=(policy, effect.rule, effect.effect, effect.code, version, mode),
        heard=reason,
        won=replace(reason, winning=True),
    )


@final
class Spoken:
    """Voices by the kind of their effect, in their order."""

    def __init__(self, voices: Iterable[Voice]) -> None:
        self._kinds: dict[type, list[Any]] = {}
        for voice in voices:
            kind = type(voice.effect)
            if kind in self._kinds:
                self._kinds[kind].append((voice, voice.effect))
            else:
                self._kinds[kind] = [(voice, voice.effect)]

    def of(self, kind: type[E]) -> list[tuple[Voice, E]]:
        """Those with an effect of `kind`."""
        return self._kinds.get(kind, [])


def denial_of(code: str, *, status: int = 403) -> DenyEffect:
    """A denial of ours. Only that of a failed policy may pass, hence not be kept."""
    params = DenyParams(status=status, message_id=code)
    return DenyEffect(effect="deny", rule=code, code=code, cacheable=code != "policy_error", params=params)


def _conflict(code: str, parties: Sequence[Voice], disputed: bool) -> tuple[Voice, ...]:
    """The denial in the name of the party with the lowest policy id, if there is a dispute."""
    if not disputed:
        return ()
    first = min(parties, key=lambda voice: (voice.policy, voice.version))
    mode = Mode.SHADOW if any(voice.mode is Mode.SHADOW for voice in parties) else Mode.ENFORCE
    return (voice_of(first.policy, first.version, mode, denial_of(code)),)


# --- redact --------------------------------------------------------------------------------------------------------


def settle_redact(said: Iterable[tuple[Voice, RedactEffect]]) -> Part[tuple[Redact, ...]]:
    """One row per entity, place of application and settled operator, over the roles that settle alike."""
    targets: defaultdict[tuple[str, str], list[Voice]] = defaultdict(list)
    for voice, effect in said:
        targets[effect.params.entity, effect.params.apply].append(voice)
    rows: list[Redact] = []
    winners: list[Voice] = []
    for target in sorted(targets):
        settled = _settled(tuple(targets[target]))
        rows += settled.value
        winners += settled.winners
    return Part(value=tuple(rows), winners=winners)


_Said = list[tuple[Voice, Redact]]


# The same policies speak of the same entity in request after request.
@lru_cache(maxsize=4096)
def _settled(voices: tuple[Voice, ...]) -> Part[tuple[Redact, ...]]:
    """The rows of one entity and place of application, of which all `voices` speak."""
    rows: defaultdict[Redact, set[Role]] = defaultdict(set)
    winners: dict[Voice, None] = {}
    for roles, said in _cells(
        [(voice, voice.effect.params) for voice in voices if isinstance(voice.effect, RedactEffect)]
    ):
        settled, deciding = _strongest([row for _, row in said])
        rows[settled].update(roles)
        winners.update(dict.fromkeys(voice for voice, row in said if row.operator in deciding))
    merged = [replace(row, where=_where(roles)) for row, roles in rows.items()]
    return Part(value=tuple(sorted(merged, key=_row_order)), winners=tuple(winners))


def _cells(said: _Said) -> Iterator[tuple[list[Role], _Said]]:
    """Who speaks of which roles: the roles for which exactly the same do."""
    speaking: defaultdict[tuple[int, ...], list[Role]] = defaultdict(list)
    for role in Role:
        speaking[tuple(i for i, (_, row) in enumerate(said) if not row.where or role in row.where)].append(role)
    yield from ((roles, [said[i] for i in indices]) for indices, roles in speaking.items() if indices)


def _strongest(rows: Sequence[Redact]) -> tuple[Redact, set[Operator]]:
    """The row (without roles) that one cell settles to, and the operators that led there.

    A conflict of parameters means `remove`, and keeps meaning it when a stronger operator below `remove` joins later:
    else adding that policy would loosen the decision.
    """
    params: defaultdict[Operator, set[OperatorParams]] = defaultdict(set)
    for row in rows:
        params[row.operator].add(_significant(row.operator, row.params))
    top = max(params, key=_RANK.__getitem__)
    disputed = {operator for operator, said in params.items() if len({(one.key_id, one.format) for one in said}) > 1}
    if disputed and _RANK[top] < _RANK[Operator.REMOVE]:
        return replace(rows[0], operator=Operator.REMOVE, params=OperatorParams(), where=()), disputed
    settled = replace(rows[0], operator=top, params=_fewest(params[top]), where=())
    # A mask is stronger than what leaves fewer characters, and leaves no more for that.
    left: dict[Operator, int] = {
        operator: _left(operator, said) for operator, said in params.items() if operator is not Operator.KEEP
    }
    hiding = {operator for operator, count in left.items() if count < left[top]}
    if hiding:
        settled = replace(settled, params=replace(settled.params, last=min(left.values())))
    return settled, {top, *hiding}


def _left(operator: Operator, said: set[OperatorParams]) -> int:
    """How many characters `said` leaves; None is the operator's own number, which counts as 0 as in `_fewest`."""
    return min(one.last or 0 for one in said) if operator in (Operator.KEEP_LAST, Operator.MASK) else 0


def _fewest(said: set[OperatorParams]) -> OperatorParams:
    """Of parameters that are equal but for `last`, those that leave the fewest characters.

    None is the operator's own number, which is not known here: beside any other number it counts as 0.
    """
    first, *others = said
    return replace(first, last=min(one.last or 0 for one in said)) if others else first


def _significant(operator: Operator, params: OperatorParams) -> OperatorParams:
    match operator:
        case Operator.KEEP | Operator.REMOVE | Operator.BLOCK:
            return OperatorParams()
        case Operator.KEEP_LAST | Operator.MASK:
            return params
        case _:
            return OperatorParams(key_id=params.key_id, format=params.format)


def _where(roles: set[Role]) -> tuple[Role, ...]:
    return () if len(roles) == len(Role) else tuple(role for role in Role if role in roles)


def _row_order(row: Redact) -> tuple[int, bytes]:
    return _RANK[row.operator], orjson.dumps(row)


# --- pin -----------------------------------------------------------------------------------------------------------


def join_pins(pins: Iterable[Pin]) -> Pin:
    """The intersection of `pins` per dimension and the union of what they exclude; groups of countries are expanded.

    LIMIT: certifications intersect as lists, so a node that meets two pins by two different certifications is left out.
    """
    pins = tuple(pins)
    tiers = [frozenset(pin.tiers.any) for pin in pins if pin.tiers]
    return Pin(
        countries=_narrowed(AnyOf(any=tuple(_countries(pin.countries.any))) for pin in pins if pin.countries),
        regions=_narrowed(pin.regions for pin in pins if pin.regions),
        tiers=AnyTier(any=_nearest_first(frozenset.intersection(*tiers))) if tiers else None,
        nodes=_narrowed(pin.nodes for pin in pins if pin.nodes),
        providers=_narrowed(pin.providers for pin in pins if pin.providers),
        certifications=_narrowed(pin.certifications for pin in pins if pin.certifications),
        exclude=Excluded(
            countries=_united(_countries(pin.exclude.countries) for pin in pins),
            regions=_united(pin.exclude.regions for pin in pins),
            tiers=_nearest_first(tier for pin in pins for tier in pin.exclude.tiers),
            nodes=_united(pin.exclude.nodes for pin in pins),
            providers=_united(pin.exclude.providers for pin in pins),
            certifications=_united(pin.exclude.certifications for pin in pins),
        ),
    )


def settle_pin(said: Sequence[tuple[Voice, PinEffect]]) -> Part[Pin]:
    """The intersection of all pins; `placement_impossible` where it admits nothing in any fleet."""
    if not said:
        return Part(value=UNPINNED)
    pin, impossible = _pinned(frozenset([effect.params for _, effect in said]))
    winners = [voice for voice, effect in said if effect.params != UNPINNED]
    return Part(value=pin, winners=winners, conflicts=_conflict("placement_impossible", winners, impossible))


@lru_cache(maxsize=1024)
def _pinned(pins: frozenset[Pin]) -> tuple[Pin, bool]:
    """The intersection of `pins`, and whether it admits nothing."""
    pin = join_pins(pins)
    return pin, _is_impossible(pin)


def _is_impossible(pin: Pin) -> bool:
    """Whether some dimension admits nothing, in any fleet."""
    exclude = pin.exclude
    # A node has one value in each of these, and several certifications: an excluded one says nothing of the others.
    single: tuple[tuple[AnyOf | AnyTier | None, Iterable[str]], ...] = (
        (pin.countries, exclude.countries),
        (pin.regions, exclude.regions),
        (pin.tiers, exclude.tiers),
        (pin.nodes, exclude.nodes),
        (pin.providers, exclude.providers),
        (pin.certifications, ()),
    )
    return any(wanted is not None and not set(wanted.any) - set(excluded) for wanted, excluded in single)


def _countries(codes: Iterable[str]) -> frozenset[str]:
    return expand(code.upper() for code in codes)


def _narrowed(dimension: Iterable[AnyOf]) -> AnyOf | None:
    sets = [frozenset(admissible.any) for admissible in dimension]
    return AnyOf(any=tuple(sorted(frozenset.intersection(*sets)))) if sets else None


def _united(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({value for values in lists for value in values}))


def _nearest_first(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    found = set(tiers)
    return tuple(tier for tier in Tier if tier in found)


# --- route and headers ---------------------------------------------------------------------------------------------


def settle_route(spoken: Iterable[tuple[Voice, RouteEffect]]) -> Part[Route]:
    """Overrides at their highest priority, least limits, tools in every list."""
    said = [(voice, effect.params) for voice, effect in spoken]
    if not said:
        return Part(value=UNROUTED)
    models = _overriding([(voice, params.priority, params.model) for voice, params in said])
    providers = _overriding([(voice, params.priority, params.provider) for voice, params in said])
    tools = [frozenset(params.tools_allowed) for _, params in said if params.tools_allowed is not None]
    route = Route(
        model=_single(models.values()),
        provider=_single(providers.values()),
        max_tokens=_least(params.max_tokens for _, params in said),
        temperature_max=_least(params.temperature_max for _, params in said),
        tools_allowed=tuple(sorted(frozenset.intersection(*tools))) if tools else None,
    )
    disputing = [voice for values in (models, providers) if len(set(values.values())) > 1 for voice in values]
    limiting = [voice for voice, params in said if _limits(params, route)]
    return Part(
        value=route,
        winners={*models, *providers, *limiting},
        conflicts=_conflict("route_conflict", disputing, bool(disputing)),
    )


def _overriding(said: Iterable[tuple[Voice, int, str | None]]) -> dict[Voice, str]:
    """Who asks for which value at the highest priority of those that ask at all."""
    asking = [(voice, priority, value) for voice, priority, value in said if value is not None]
    highest = max((priority for _, priority, _ in asking), default=0)
    return {voice: value for voice, priority, value in asking if priority == highest}


def _single(values: Iterable[str]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _least(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)


def _limits(params: RouteParams, route: Route) -> bool:
    return (
        params.tools_allowed is not None
        or (params.max_tokens is not None and params.max_tokens == route.max_tokens)
        or (params.temperature_max is not None and params.temperature_max == route.temperature_max)
    )


def settle_headers(spoken: Iterable[tuple[Voice, HeaderEffect]]) -> Part[Header]:
    """Names in lower case. Removal beats any value; of two values neither is set."""
    said = [(voice, effect.params) for voice, effect in spoken]
    if not said:
        return Part(value=UNCHANGED)
    removed = {name.lower() for _, header in said for name in header.remove}
    values: defaultdict[str, set[str]] = defaultdict(set)
    for _, header in said:
        for name, value in header.set.items():
            if name.lower() not in removed:
                values[name.lower()].add(value)
    disputed = {name for name, found in values.items() if len(found) > 1}
    return Part(
        value=Header(
            set={name: min(values[name]) for name in sorted(values.keys() - disputed)}, remove=tuple(sorted(removed))
        ),
        winners=[voice for voice, header in said if header.remove or _sets(header, values)],
        conflicts=_conflict(
            "header_conflict", [voice for voice, header in said if _sets(header, disputed)], bool(disputed)
        ),
    )


def _sets(header: Header, names: Collection[str]) -> bool:
    return any(name.lower() in names for name in header.set)


# --- response and audit --------------------------------------------------------------------------------------------


def settle_response(spoken: Iterable[tuple[Voice, RespondEffect]]) -> Part[Respond]:
    """The strictest inspection, over all entities named, within the least buffers."""
    said = [(voice, effect.params) for voice, effect in spoken]
    if not said:
        return Part(value=UNINSPECTED)
    entities = {entity for _, one in said for entity in one.entities}
    settled = Respond(
        inspect=max((one.inspect for _, one in said), key=_INSPECT.index),
        entities=("*",) if "*" in entities else tuple(sorted(entities)),
        on_match=max((one.on_match for _, one in said), key=_ON_MATCH.index),
        max_buffer_bytes=_least(one.max_buffer_bytes for _, one in said),
        window_bytes=_least(one.window_bytes for _, one in said),
        on_limit="deny" if any(one.on_limit == "deny" for _, one in said) else "pass",
    )
    shaping = [v for v, one in said if settled.inspect == one.inspect or settled.on_match == one.on_match]
    return Part(value=settled, winners=shaping)


def settle_audit(spoken: Iterable[tuple[Voice, AuditEffect]]) -> Part[AuditObligation]:
    """The most detail asked for. Of demands for retention the longest counts, up to the least cap."""
    said = [(voice, effect.params) for voice, effect in spoken]
    if not said:
        return Part(value=_AUDITED)
    longest = max((one.retain_days for _, one in said if one.retain_days is not None), default=None)
    cap = _least(one.retain_days_max for _, one in said)
    settled = AuditObligation(
        level=max((one.level for _, one in said), key=_AUDIT_LEVEL.index),
        retain_days=None if longest is None else _least((longest, cap)),
        retain_days_max=cap,
        sample_permille=max(one.sample_permille for _, one in said),
        alert=any(one.alert for _, one in said),
    )
    shaping = [
        voice
        for voice, one in said
        if one.level == settled.level
        or one.alert
        or (one.retain_days is not None and one.retain_days == settled.retain_days)
        or (one.retain_days_max is not None and one.retain_days_max == cap)
    ]
    return Part(value=settled, winners=shaping)
