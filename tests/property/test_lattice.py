"""The laws of the join, and what each component settles to."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from governance.decision import (
    Action,
    AllowEffect,
    AnyOf,
    AnyTier,
    Audit,
    AuditEffect,
    AuditObligation,
    Contribution,
    Decision,
    Deny,
    DenyEffect,
    DenyParams,
    Effect,
    Excluded,
    Header,
    HeaderEffect,
    Mode,
    NoteEffect,
    Operator,
    OperatorParams,
    Pin,
    PinEffect,
    PolicyFailure,
    Provenance,
    Reason,
    Redact,
    RedactEffect,
    Respond,
    RespondEffect,
    Route,
    RouteEffect,
    RouteParams,
)
from governance.denial import MESSAGES
from governance.policy.lattice import combine
from governance.residency import EU, Tier, expand
from governance.segment import Role

# --- builders ------------------------------------------------------------------------------------------------------


def decide(*contributions: Contribution) -> Decision:
    return combine(contributions, decision_id="d", phase="request", provenance=Provenance())


def says(policy: str, *effects: Effect, mode: Mode = Mode.ENFORCE) -> Contribution:
    return Contribution(policy=policy, version="1", mode=mode, effects=effects)


def allow() -> Effect:
    return AllowEffect(effect="allow", rule="r", code="allowed")


def deny(status: int = 403, code: str = "content_blocked") -> Effect:
    return DenyEffect(
        effect="deny", rule="r", code=code, params=DenyParams(status=status, message_id="content_blocked")
    )


def pin(**dimensions: object) -> Effect:
    return PinEffect(effect="pin", rule="r", code="pinned", params=Pin(**dimensions))


def redact(
    operator: Operator, *, entity: str = "EMAIL_ADDRESS", where: tuple[Role, ...] = (), **params: object
) -> Effect:
    change = Redact(entity=entity, operator=operator, params=OperatorParams(**params), where=where)
    return RedactEffect(effect="redact", rule="r", code="redacted", params=change)


def route(**params: object) -> Effect:
    return RouteEffect(effect="route", rule="r", code="routed", params=RouteParams(**params))


def header(**params: object) -> Effect:
    return HeaderEffect(effect="header", rule="r", code="headed", params=Header(**params))


def audit(**params: object) -> Effect:
    return AuditEffect(effect="audit", rule="r", code="audited", params=Audit(**params))


def respond(**params: object) -> Effect:
    return RespondEffect(effect="respond", rule="r", code="responded", params=Respond(**params))


def reason(policy: str, kind: str, code: str, *, winning: bool, mode: Mode = Mode.ENFORCE, rule: str = "r") -> Reason:
    version = "1" if policy else ""
    return Reason(policy=policy, version=version, rule=rule, effect=kind, code=code, winning=winning, mode=mode)


# --- strategies: small alphabets, so that policies agree, overlap and conflict often ---------------------------------


def some(values: Sequence[str], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=3, unique=True).map(tuple)


any_of = st.none() | some(["a", "b", "c"]).map(lambda found: AnyOf(any=found))
countries = some(["DE", "fr", "US", "EU", "EEA"])
tiers = some(list(Tier))
pins = st.builds(
    Pin,
    countries=st.none() | countries.map(lambda found: AnyOf(any=found)),
    regions=any_of,
    tiers=st.none() | tiers.map(lambda found: AnyTier(any=found)),
    nodes=any_of,
    certifications=any_of,
    exclude=st.builds(Excluded, countries=some(["DE", "US"]), tiers=tiers, nodes=some(["a", "b"])),
)
optional = st.none() | st.integers(0, 3)
redactions = st.builds(
    Redact,
    entity=st.sampled_from(["*", "EMAIL_ADDRESS"]),
    operator=st.sampled_from(Operator),
    params=st.builds(OperatorParams, last=optional, key_id=st.sampled_from([None, "k1", "k2"])),
    where=some(list(Role)),
    apply=st.sampled_from(["request", "response"]),
)
routes = st.builds(
    RouteParams,
    model=st.sampled_from([None, "m1", "m2"]),
    provider=st.sampled_from([None, "p1", "p2"]),
    priority=st.integers(0, 1),
    max_tokens=optional,
    temperature_max=optional,
    tools_allowed=st.none() | some(["a", "b", "c"]),
)
headers = st.builds(
    Header,
    set=st.dictionaries(st.sampled_from(["x-a", "X-A", "x-b"]), st.sampled_from(["1", "2"]), max_size=2),
    remove=some(["x-a", "X-B"]),
)
responds = st.builds(
    Respond,
    inspect=st.sampled_from(["none", "buffered", "stream"]),
    entities=some(["*", "EMAIL_ADDRESS", "IBAN_CODE"], least=1),
    on_match=st.sampled_from(["redact", "truncate", "deny"]),
    max_buffer_bytes=optional,
    on_limit=st.sampled_from(["pass", "deny"]),
)
audits = st.builds(
    Audit,
    level=st.sampled_from(["meta", "decision"]),
    retain_days=optional,
    retain_days_max=st.none() | st.integers(1, 3),
    sample_permille=st.integers(0, 3),
    alert=st.booleans(),
)
denies = st.builds(
    DenyParams,
    status=st.sampled_from([400, 401, 403, 429, 451, 500, 503]),
    message_params=st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 1)),
)
effect_of = {
    "allow": (AllowEffect, None),
    "note": (NoteEffect, None),
    "deny": (DenyEffect, denies),
    "pin": (PinEffect, pins),
    "redact": (RedactEffect, redactions),
    "route": (RouteEffect, routes),
    "header": (HeaderEffect, headers),
    "respond": (RespondEffect, responds),
    "audit": (AuditEffect, audits),
}


def effects(*without: str) -> st.SearchStrategy[Effect]:
    def of(kind: str) -> st.SearchStrategy[Effect]:
        cls, params = effect_of[kind]
        said = {} if params is None else {"params": params}
        return st.builds(
            cls,
            effect=st.just(kind),
            rule=st.sampled_from(["r", "s"]),
            code=st.sampled_from(["c", "d"]),
            ttl_s=optional,
            cacheable=st.booleans(),
            **said,
        )

    return st.one_of(of(kind) for kind in effect_of if kind not in without)


def contributions(
    *without: str, modes: Sequence[Mode] = tuple(Mode), failing: bool = True
) -> st.SearchStrategy[Contribution]:
    return st.builds(
        Contribution,
        policy=st.sampled_from(["p", "q", "s"]),
        version=st.just("1"),
        mode=st.sampled_from(modes),
        effects=st.lists(effects(*without), max_size=4).map(tuple),
        failure=st.sampled_from([None, None, None, None, "eval", "timeout"] if failing else [None]),
    )


several = st.lists(contributions(), max_size=5)


# --- the order that the laws speak of ------------------------------------------------------------------------------

_ACTIONS = list(Action)
_OPERATORS = list(Operator)
_CONFLICTS = {"route_conflict", "header_conflict"}


def at_least_as_strict(a: Decision, b: Decision) -> bool:
    """Whether `a` lets nothing through that `b` would not."""
    return (_ACTIONS.index(a.action) >= _ACTIONS.index(b.action) or _only_undecided(b)) and obliges_at_least(a, b)


def _only_undecided(decision: Decision) -> bool:
    """Whether all that denies are conflicts, which a further policy may settle on purpose."""
    denials = {one.code for one in decision.reasons if one.effect == "deny" and one.mode is Mode.ENFORCE}
    return decision.deny is not None and denials <= _CONFLICTS


def obliges_at_least(a: Decision, b: Decision) -> bool:
    return (
        _redacts(a, b)
        and _pins(a.obligations.pin, b.obligations.pin)
        and _limits(a.obligations.route, b.obligations.route)
        and _strips(a, b)
        and _watches(a, b)
        and _audits(a, b)
        and a.ttl_s <= b.ttl_s
        and a.cacheable <= b.cacheable
    )


def _cells(decision: Decision) -> dict[tuple[str, str, Role], tuple[int, int]]:
    """Rank of the operator, and how few characters it leaves."""
    return {
        (row.entity, row.apply, role): (_OPERATORS.index(row.operator), -(row.params.last or 0))
        for row in decision.obligations.redact
        for role in row.where or Role
    }


def _redacts(a: Decision, b: Decision) -> bool:
    mine = _cells(a)
    return all(cell in mine and mine[cell] >= strength for cell, strength in _cells(b).items())


def _pins(a: Pin, b: Pin) -> bool:
    def within(narrow: AnyOf | AnyTier | None, wide: AnyOf | AnyTier | None) -> bool:
        return wide is None or (narrow is not None and set(narrow.any) <= set(wide.any))

    dimensions = ("countries", "regions", "tiers", "nodes", "providers", "certifications")
    return all(
        within(getattr(a, name), getattr(b, name)) and set(getattr(a.exclude, name)) >= set(getattr(b.exclude, name))
        for name in dimensions
    )


def _limits(a: Route, b: Route) -> bool:
    def below(small: int | None, large: int | None) -> bool:
        return large is None or (small is not None and small <= large)

    tools = b.tools_allowed is None or (a.tools_allowed is not None and set(a.tools_allowed) <= set(b.tools_allowed))
    return below(a.max_tokens, b.max_tokens) and below(a.temperature_max, b.temperature_max) and tools


def _strips(a: Decision, b: Decision) -> bool:
    mine, other = a.obligations.headers, b.obligations.headers
    disputed = any(one.code == "header_conflict" for one in a.reasons)
    kept = all(mine.set.get(name) == value or name in mine.remove or disputed for name, value in other.set.items())
    return kept and set(mine.remove) >= set(other.remove)


def _spoken(decision: Decision, kind: str) -> bool:
    return any(one.effect == kind and one.mode is Mode.ENFORCE for one in decision.reasons)


def _watches(a: Decision, b: Decision) -> bool:
    mine, other = a.obligations.response, b.obligations.response
    inspections, matches = ["none", "buffered", "stream"], ["redact", "truncate", "deny"]
    return not _spoken(b, "respond") or (
        inspections.index(mine.inspect) >= inspections.index(other.inspect)
        and matches.index(mine.on_match) >= matches.index(other.on_match)
        and ("*" in mine.entities or set(mine.entities) >= set(other.entities))
        and (mine.on_limit, other.on_limit) != ("pass", "deny")
    )


def _audits(a: Decision, b: Decision) -> bool:
    mine, other = a.obligations.audit, b.obligations.audit
    levels = ["meta", "decision"]
    return not _spoken(b, "audit") or (
        levels.index(mine.level) >= levels.index(other.level)
        and mine.sample_permille >= other.sample_permille
        and mine.alert >= other.alert
    )


# --- laws ----------------------------------------------------------------------------------------------------------

law = settings(max_examples=80, deadline=None)


@law
@given(several, st.randoms(use_true_random=False), st.integers(0, 4))
def test_order_and_duplicates_do_not_matter(said: list[Contribution], shuffle: random.Random, repeated: int) -> None:
    """A decision depends on the set of contributions alone."""
    shuffled = [*said, *said[:repeated]]
    shuffle.shuffle(shuffled)

    assert decide(*said) == decide(*shuffled)


@law
@given(several, contributions("allow", modes=[Mode.ENFORCE]))
def test_a_further_policy_never_loosens(said: list[Contribution], further: Contribution) -> None:
    """Whatever an enforced policy adds, short of an allow, the decision is at least as strict."""
    assert at_least_as_strict(decide(*said, further), decide(*said))


@pytest.mark.parametrize("kind", sorted(effect_of))
@law
@given(data=st.data())
def test_a_component_is_bounded_by_every_policy(kind: str, data: st.DataObject) -> None:
    """Two policies are an upper bound of each: all speak of one component, so as to agree and conflict at every turn."""
    dense = st.lists(effects(*(effect_of.keys() - {kind})), min_size=1, max_size=4)
    before, further = data.draw(dense), data.draw(dense)

    one, other = says("p", allow(), *before), says("q", allow(), *further)
    both = decide(one, other)

    assert at_least_as_strict(both, decide(one))
    assert at_least_as_strict(both, decide(other))


@law
@given(several, contributions(modes=[Mode.ENFORCE], failing=False))
def test_an_allow_opens_the_gate_and_nothing_else(said: list[Contribution], further: Contribution) -> None:
    """A policy that allows keeps every obligation, and every denial but that of the gate."""
    before, after = decide(*said), decide(*said, further)
    gated = before.deny is not None and before.deny.code == "no_policy_allows"

    assert obliges_at_least(after, before)
    assert gated or at_least_as_strict(after, before)


@law
@given(several, contributions(modes=[Mode.SHADOW, Mode.WARN, Mode.OFF]))
def test_what_is_not_enforced_changes_nothing(said: list[Contribution], further: Contribution) -> None:
    """Shadow, warn and off leave action, refusal, obligations and enforced reasons as they were."""
    before, after = decide(*said), decide(*said, further)

    assert (before.action, before.deny, before.obligations) == (after.action, after.deny, after.obligations)
    assert [one for one in before.reasons if one.mode is Mode.ENFORCE] == [
        one for one in after.reasons if one.mode is Mode.ENFORCE
    ]


@law
@given(st.lists(contributions(modes=[Mode.ENFORCE, Mode.SHADOW]), max_size=5))
def test_the_shadow_action_is_that_of_enforcing(said: list[Contribution]) -> None:
    """`shadow_action` foretells exactly what enforcing the shadow policies leads to."""
    assume(any(one.mode is Mode.SHADOW and (one.effects or one.failure) for one in said))
    promoted = [
        Contribution(policy=one.policy, version=one.version, effects=one.effects, failure=one.failure) for one in said
    ]

    assert decide(*promoted).action == decide(*said).shadow_action


@law
@given(several)
def test_a_denial_has_a_winning_reason_and_a_message(said: list[Contribution]) -> None:
    """Exactly one deny reason wins in a denial, none otherwise, and each code of ours has a text for callers."""
    decision = decide(*said)
    winning = [one for one in decision.reasons if one.effect == "deny" and one.winning]
    ours = {one.code for one in decision.reasons} - {"c", "d"}

    assert (decision.action is Action.DENY) == (decision.deny is not None) == (len(winning) == 1)
    assert decision.deny is None or (decision.deny.code, decision.deny.policy) == (winning[0].code, winning[0].policy)
    assert decision.deny is None or decision.deny.message_id in MESSAGES
    assert ours <= MESSAGES.keys()


# --- the gate and refusals -----------------------------------------------------------------------------------------


def test_nothing_said_is_denied() -> None:
    """Without any policy the gate is closed."""
    decision = decide()

    assert Deny(status=403, code="no_policy_allows", message_id="no_policy_allows", policy="") == decision.deny
    assert (reason("", "deny", "no_policy_allows", winning=True, rule="no_policy_allows"),) == decision.reasons


def test_one_allow_suffices() -> None:
    """An enforced allow opens the gate and is the reason."""
    decision = decide(says("p", allow()), says("q"))

    assert decision.action == Action.ALLOW
    assert (reason("p", "allow", "allowed", winning=True),) == decision.reasons


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.SHADOW, Mode.OFF])
def test_only_enforced_allows_count(mode: Mode) -> None:
    """An allow that is not enforced does not open the gate."""
    assert decide(says("p", allow(), mode=mode)).action == Action.DENY


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([503, 429, 401, 403, 451], 451),
        ([503, 429, 401, 403], 403),
        ([503, 429, 401], 401),
        ([503, 429], 429),
        ([503, 500, 400], 503),
        ([400, 500, 502], 500),
        ([422, 400], 400),
    ],
)
def test_the_most_final_status_wins(statuses: list[int], expected: int) -> None:
    """Denials are ordered 451, 403, 401, 429, 503, then 5xx before 4xx."""
    decision = decide(says("p", allow(), *map(deny, statuses)))

    assert decision.deny is not None
    assert expected == decision.deny.status


def test_the_lowest_policy_id_wins_among_equals_and_all_stay_in_reasons() -> None:
    """Two denials of one status: the lower id answers, the other is still told."""
    decision = decide(says("q", deny()), says("p", deny()))

    assert decision.deny is not None
    assert decision.deny.policy == "p"
    assert (
        reason("p", "deny", "content_blocked", winning=True),
        reason("q", "deny", "content_blocked", winning=False),
    ) == decision.reasons


@pytest.mark.parametrize("failure", ["eval", "schema", "timeout", "unsupported"])
def test_a_failed_policy_denies_and_is_not_cached(failure: str) -> None:
    """An enforced failure is 503 `policy_error`, whatever effects came along, and nothing remembers it."""
    failed = Contribution(policy="p", version="1", effects=(allow(),), failure=failure)
    decision = decide(failed, says("q", allow()))

    assert Deny(status=503, code="policy_error", message_id="policy_error", policy="p") == decision.deny
    assert (PolicyFailure(policy="p", kind=failure, effect_taken="deny"),) == decision.errors
    assert (decision.ttl_s, decision.cacheable) == (0, False)


def test_a_passing_failure_is_not_told_as_a_final_refusal() -> None:
    """Where the only allowing policy failed, the caller hears 503 and not 403."""
    decision = decide(Contribution(policy="p", version="1", failure="timeout"))

    assert decision.deny is not None
    assert (decision.deny.status, decision.deny.code) == (503, "policy_error")


@pytest.mark.parametrize("mode", [Mode.WARN, Mode.SHADOW])
def test_a_failure_that_is_not_enforced_is_skipped_and_reported(mode: Mode) -> None:
    """Warn and shadow failures do not deny; they are in errors."""
    decision = decide(Contribution(policy="p", version="1", mode=mode, failure="eval"), says("q", allow()))

    assert (decision.action, decision.deny) == (Action.ALLOW, None)
    assert (PolicyFailure(policy="p", kind="eval", effect_taken="skip"),) == decision.errors


def test_an_off_policy_leaves_no_trace() -> None:
    """Off means absent, failures included."""
    off = Contribution(policy="p", version="1", mode=Mode.OFF, effects=(deny(),), failure="eval")

    assert decide(says("q", allow())) == decide(says("q", allow()), off)


def test_shadow_reasons_and_action_are_told_apart() -> None:
    """A shadow denial shows in `shadow` and `shadow_action` alone."""
    decision = decide(says("p", allow()), says("q", deny(), mode=Mode.SHADOW))

    assert (decision.action, decision.shadow_action) == (Action.ALLOW, Action.DENY)
    assert (reason("p", "allow", "allowed", winning=True),) == decision.reasons
    assert (reason("q", "deny", "content_blocked", winning=True, mode=Mode.SHADOW),) == decision.shadow


# --- redact --------------------------------------------------------------------------------------------------------


def row(operator: Operator, entity: str = "EMAIL_ADDRESS", where: tuple[Role, ...] = (), **params: object) -> Redact:
    return Redact(entity=entity, operator=operator, params=OperatorParams(**params), where=where)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([redact(Operator.KEEP), redact(Operator.MASK)], [row(Operator.MASK)], id="stronger wins"),
        pytest.param(
            [redact(Operator.TOKENISE, key_id="a"), redact(Operator.TOKENISE, key_id="a")],
            [row(Operator.TOKENISE, key_id="a")],
            id="equal params stay",
        ),
        pytest.param(
            [redact(Operator.TOKENISE, key_id="a"), redact(Operator.TOKENISE, key_id="b")],
            [row(Operator.REMOVE)],
            id="different keys remove",
        ),
        pytest.param(
            [redact(Operator.TOKENISE, key_id="a"), redact(Operator.TOKENISE, key_id="b"), redact(Operator.MASK)],
            [row(Operator.REMOVE)],
            id="a conflict is not loosened by a weaker winner",
        ),
        pytest.param(
            [redact(Operator.BLOCK, key_id="a"), redact(Operator.BLOCK, key_id="b")],
            [row(Operator.BLOCK)],
            id="block has no params to differ in",
        ),
        pytest.param(
            [redact(Operator.REPLACE, format="a"), redact(Operator.REPLACE, format="b"), redact(Operator.BLOCK)],
            [row(Operator.BLOCK)],
            id="block stands above a conflict",
        ),
        pytest.param(
            [redact(Operator.MASK, last=4), redact(Operator.MASK, last=2)], [row(Operator.MASK, last=2)], id="mask min"
        ),
        pytest.param(
            [redact(Operator.KEEP_LAST, last=4), redact(Operator.KEEP_LAST)],
            [row(Operator.KEEP_LAST, last=0)],
            id="an unknown number beside a known one is 0",
        ),
        pytest.param(
            [redact(Operator.MASK, last=8), redact(Operator.KEEP_LAST, last=2)],
            [row(Operator.MASK, last=2)],
            id="a mask leaves no more than what it beats",
        ),
        pytest.param(
            [redact(Operator.MASK, last=8), redact(Operator.PSEUDONYMISE)],
            [row(Operator.MASK, last=0)],
            id="nor than what leaves nothing",
        ),
        pytest.param(
            [redact(Operator.MASK, where=(Role.USER,)), redact(Operator.REMOVE, where=(Role.TOOL, Role.USER))],
            [row(Operator.REMOVE, where=(Role.USER, Role.TOOL))],
            id="roles settle one by one",
        ),
        pytest.param(
            [redact(Operator.MASK), redact(Operator.REMOVE, where=(Role.USER,))],
            [
                row(Operator.MASK, where=(Role.SYSTEM, Role.ASSISTANT, Role.TOOL, Role.ARGS)),
                row(Operator.REMOVE, where=(Role.USER,)),
            ],
            id="empty where is everywhere",
        ),
        pytest.param(
            [redact(Operator.MASK, where=(role,)) for role in Role], [row(Operator.MASK)], id="all roles are everywhere"
        ),
        pytest.param(
            [redact(Operator.MASK, entity="*"), redact(Operator.KEEP)],
            [row(Operator.MASK, entity="*"), row(Operator.KEEP)],
            id="star and names stay apart",
        ),
    ],
)
def test_redactions_settle_per_entity_and_role(said: list[Effect], expected: list[Redact]) -> None:
    """The stronger operator per cell; a conflict never ends weaker than remove."""
    apart = [says(f"p{number}", effect) for number, effect in enumerate(said)]

    assert tuple(expected) == decide(*apart).obligations.redact


def test_only_the_settled_operator_wins_its_reason() -> None:
    """The weaker of two operators is told, and did not shape the result."""
    decision = decide(says("a", allow(), redact(Operator.MASK)), says("b", redact(Operator.REMOVE)))

    assert decision.action == Action.ALLOW_MODIFIED
    assert (
        reason("a", "allow", "allowed", winning=True),
        reason("a", "redact", "redacted", winning=False),
        reason("b", "redact", "redacted", winning=True),
    ) == decision.reasons


# --- pin -----------------------------------------------------------------------------------------------------------


def test_pins_intersect_with_groups_expanded() -> None:
    """EU and a list of countries in any case leave the members listed; excludes add up."""
    decision = decide(
        says("p", allow(), pin(countries=AnyOf(any=("EU",)), exclude=Excluded(countries=("hu",)))),
        says("q", pin(countries=AnyOf(any=("de", "FR", "US")), tiers=AnyTier(any=(Tier.CLOUD, Tier.DEVICE)))),
    )

    assert decision.action == Action.ALLOW_MODIFIED
    assert (
        Pin(
            countries=AnyOf(any=("DE", "FR")),
            tiers=AnyTier(any=(Tier.DEVICE, Tier.CLOUD)),
            exclude=Excluded(countries=("HU",)),
        )
        == decision.obligations.pin
    )


def test_a_group_alone_is_its_members() -> None:
    """Groups never reach the placement: the pin names countries."""
    decision = decide(says("p", allow(), pin(countries=AnyOf(any=("EEA",)))))

    assert decision.obligations.pin.countries == AnyOf(any=tuple(sorted(EU | {"IS", "LI", "NO"})))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pin(countries=AnyOf(any=("DE",))), pin(countries=AnyOf(any=("US",)))),
        (pin(countries=AnyOf(any=("DE",))), pin(exclude=Excluded(countries=("EU",)))),
        (pin(tiers=AnyTier(any=(Tier.DEVICE,))), pin(tiers=AnyTier(any=(Tier.CLOUD,)))),
        (pin(nodes=AnyOf(any=())), pin(countries=AnyOf(any=("DE",)))),
        (pin(certifications=AnyOf(any=("a",))), pin(certifications=AnyOf(any=("b",)))),
    ],
)
def test_disjoint_pins_deny_naming_all_of_them(one: Effect, other: Effect) -> None:
    """No node can satisfy both: 403 in the name of the lower id, and both pins are winning reasons."""
    decision = decide(says("q", allow(), one), says("p", other), says("a", pin()))

    assert Deny(status=403, code="placement_impossible", message_id="placement_impossible", policy="p") == decision.deny
    assert (
        reason("a", "pin", "pinned", winning=False),
        reason("p", "deny", "placement_impossible", winning=True, rule="placement_impossible"),
        reason("p", "pin", "pinned", winning=True),
        reason("q", "allow", "allowed", winning=False),
        reason("q", "pin", "pinned", winning=True),
    ) == decision.reasons


# --- route, headers, response, audit, ttl --------------------------------------------------------------------------


def test_the_highest_priority_overrides_and_settles_conflicts_below() -> None:
    """Two models at priority 0 do not matter once priority 1 names one."""
    decision = decide(
        says("a", allow(), route(model="m1")), says("b", route(model="m2")), says("c", route(model="m3", priority=1))
    )

    assert (Action.ALLOW_MODIFIED, Route(model="m3")) == (decision.action, decision.obligations.route)
    assert [one.winning for one in decision.reasons if one.effect == "route"] == [False, False, True]


def test_two_models_at_the_highest_priority_deny() -> None:
    """A tie at the top cannot be settled: 403 `route_conflict`, and no model is chosen."""
    decision = decide(says("b", allow(), route(model="m1")), says("a", route(model="m2")))

    assert Deny(status=403, code="route_conflict", message_id="route_conflict", policy="a") == decision.deny
    assert Route() == decision.obligations.route


def test_route_limits_take_the_least() -> None:
    """Integers by minimum, tools by intersection, whatever the priority."""
    decision = decide(
        says("p", allow(), route(max_tokens=9, tools_allowed=("a", "b"), priority=5)),
        says("q", route(max_tokens=3, temperature_max=700, tools_allowed=("b", "c"))),
    )

    assert Route(max_tokens=3, temperature_max=700, tools_allowed=("b",)) == decision.obligations.route


def test_no_tools_allowed_stays_no_tools() -> None:
    """A policy that allows no tool is not overruled by one that allows some."""
    decision = decide(says("p", allow(), route(tools_allowed=())), says("q", route(tools_allowed=("b",))))

    assert decision.obligations.route.tools_allowed == ()


def test_no_tool_in_common_is_no_tool() -> None:
    """An empty list of tools is not the absence of a limit."""
    decision = decide(says("p", allow(), route(tools_allowed=("a",))), says("q", route(tools_allowed=("b",))))

    assert decision.obligations.route.tools_allowed == ()


def test_removal_settles_a_header_conflict() -> None:
    """Two values of a header that a third policy removes are no conflict; names compare in lower case."""
    decision = decide(
        says("p", allow(), header(set={"X-Team": "1", "x-b": "2"})),
        says("q", header(set={"x-team": "2"})),
        says("s", header(remove=("x-TEAM",))),
    )

    assert None is decision.deny
    assert Header(set={"x-b": "2"}, remove=("x-team",)) == decision.obligations.headers


def test_two_values_of_one_header_deny() -> None:
    """A header conflict is 403 `header_conflict`, and neither value is set."""
    decision = decide(says("q", allow(), header(set={"x-a": "1"})), says("p", header(set={"X-A": "2"})))

    assert Deny(status=403, code="header_conflict", message_id="header_conflict", policy="p") == decision.deny
    assert Header() == decision.obligations.headers


def test_responses_join_to_the_strictest() -> None:
    """Inspection and reaction by maximum, entities by union, buffers by minimum."""
    decision = decide(
        says("p", allow(), respond(inspect="stream", entities=("B",), max_buffer_bytes=9, on_limit="pass")),
        says(
            "q", respond(inspect="buffered", entities=("A",), on_match="truncate", max_buffer_bytes=5, on_limit="pass")
        ),
    )
    expected = Respond(inspect="stream", entities=("A", "B"), on_match="truncate", max_buffer_bytes=5, on_limit="pass")

    assert (Action.ALLOW_MODIFIED, expected) == (decision.action, decision.obligations.response)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], AuditObligation()),
        ([audit(level="meta", sample_permille=0)], AuditObligation(level="meta", sample_permille=0)),
        ([audit(level="meta"), audit(level="decision", alert=True)], AuditObligation(level="decision", alert=True)),
        ([audit(retain_days=30), audit(retain_days=90)], AuditObligation(retain_days=90)),
        (
            [audit(retain_days=90), audit(retain_days_max=60), audit(retain_days_max=70)],
            AuditObligation(retain_days=60, retain_days_max=60),
        ),
        (
            [audit(retain_days=10), audit(retain_days_max=60)],
            AuditObligation(retain_days=10, retain_days_max=60),
        ),
        ([audit(retain_days_max=60)], AuditObligation(retain_days_max=60)),
    ],
)
def test_audit_joins_to_the_most_detail_under_the_cap(said: list[Effect], expected: AuditObligation) -> None:
    """Level, sample and alert by maximum; retention by maximum, capped; a cap alone asks for no retention."""
    decision = decide(says("p", allow(), *said))

    assert (Action.ALLOW, expected) == (decision.action, decision.obligations.audit)


def test_ttl_is_the_least_and_uncacheable_is_zero() -> None:
    """One uncacheable effect, even of a warning, keeps the decision from being remembered."""
    short = NoteEffect(effect="note", rule="r", code="c", ttl_s=60)
    never = NoteEffect(effect="note", rule="s", code="c", cacheable=False)

    assert _lifetime(decide(says("p", allow()))) == (86_400, True)
    assert _lifetime(decide(says("p", allow(), short))) == (60, True)
    assert _lifetime(decide(says("p", allow(), short), says("q", never, mode=Mode.WARN))) == (0, False)


def _lifetime(decision: Decision) -> tuple[int, bool]:
    return decision.ttl_s, decision.cacheable


def test_expansion_agrees_with_the_residency_table() -> None:
    """The groups the lattice expands are those of `governance.residency`."""
    assert expand(["EU"]) == EU
