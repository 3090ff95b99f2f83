"""Modes in effect: shares of tenants, selection by jurisdiction, and what cannot be told."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.decision import Action, Mode
from governance.errors import ConfigInvalid
from governance.facts import Facts
from governance.policy.bundle import Bundle
from governance.policy.engine import Decider
from governance.policy.metadata import Share
from governance.policy.rollout import reach_of, reaches, share_of
from tests.bundles import bundle_of, facts_with, policy

DENY = 'effects contains {"effect": "deny", "rule": "no", "code": "no", "params": {}}'


def untried(_: Bundle) -> None:
    """No trial in a process of its own."""


opened = functools.partial(Decider.open, trial=untried)


def asked_by(tenant: str = "t", id_: str = "p", **facts: object) -> Facts:
    """The facts of a request of `tenant` and principal `id_`."""
    found = facts_with(**facts)  # type: ignore[arg-type]
    return replace(found, principal=replace(found.principal, tenant=tenant, id=id_))


def mode_of(top: Path, facts: Facts, *, set_to: Mode | None = None, **custom: str) -> Mode:
    """The mode in effect on `facts` of a policy with this metadata."""
    bundle = bundle_of(top, {"p.rego": policy("p", **custom)}, **({"p": set_to} if set_to else {}))
    terms = reach_of(bundle, "request").terms(facts)
    (mode,) = terms.key or terms.effective or (Mode.OFF,)
    return mode


# --- shares --------------------------------------------------------------------------------------------------------


def test_share_is_the_same_on_every_host() -> None:
    """The place of a key is fixed by policy and key: these were computed once and must never move."""
    assert {("p", "acme"): 12, ("q", "acme"): 800, ("p", "müller"): 789} == {
        pair: share_of(*pair) for pair in [("p", "acme"), ("q", "acme"), ("p", "müller")]
    }


@given(st.text(), st.text(), st.integers(0, 1000), st.integers(0, 1000))
def test_raising_a_share_takes_nobody_out(id_: str, tenant: str, one: int, other: int) -> None:
    """Who is in a share is in every larger one; nobody is in the empty one and everybody in the whole."""
    facts = asked_by(tenant, id_)
    small, large = sorted((one, other))
    for key in ("tenant", "principal"):
        reached = [reaches(Share(permille=permille, key=key), "p", facts) for permille in (0, small, large, 1000)]

        assert (sorted(reached), False, True) == (reached, reached[0], reached[-1])


def test_keys_are_spread_evenly() -> None:
    """Of many tenants a share takes about its part, and another policy takes others."""
    tenants = [f"tenant-{at}" for at in range(4000)]
    inside = {id_: {name for name in tenants if share_of(id_, name) < 250} for id_ in ("p", "q")}

    assert all(900 < len(found) < 1100 for found in inside.values())
    assert 180 < len(inside["p"] & inside["q"]) < 320


def test_key_without_a_value_is_in_the_share() -> None:
    """Who cannot be told apart does not escape a policy."""
    facts = asked_by("", "")

    assert (True, False) == (
        reaches(Share(permille=1, key="principal"), "p", facts),
        reaches(Share(permille=0, key="tenant"), "p", facts),
    )


def test_rollout_makes_enforce_or_shadow_and_nothing_else(tmp_path: Path) -> None:
    """The share decides between the two; a mode that was set below enforce is not raised."""
    rollout = "{permille: 500, key: tenant}"
    found = Counter(mode_of(tmp_path / str(at), asked_by(f"tenant-{at}"), rollout=rollout).value for at in range(20))

    assert {"enforce", "shadow"} == set(found)
    assert Mode.WARN is mode_of(tmp_path / "w", asked_by(""), rollout=rollout, set_to=Mode.WARN)


# --- jurisdictions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "origin", "subjects", "asked"),
    [
        ("[DE]", "DE", {}, True),
        ("[DE]", "FR", {}, False),
        ("[DE]", "FR", {"DE": 1}, True),
        ("[DE]", "de", {}, True),
        ("[DE]", "DE-BY", {}, True),
        ("[DE-BY]", "DE-BY", {}, True),
        ("[DE-BY]", "DE-BE", {}, False),
        ("[DE-BY]", "DE", {}, True),
        ("[EU]", "FR", {}, True),
        ("[EU]", "NO", {}, False),
        ("[EEA]", "US", {"NO": 500}, True),
        ("[EEA]", "CH", {"US": 900}, False),
        ("[DE]", "EU", {}, True),
        ("[DE]", "unknown", {}, True),
        ("[DE]", "", {}, True),
        ("[DE]", "XX", {}, True),
        ("[DE]", "US", {"unknown": 900}, True),
        ('["NO"]', "NO", {}, True),
    ],
)
def test_policy_is_asked_where_its_law_reaches(
    tmp_path: Path, wanted: str, origin: str, subjects: dict[str, int], asked: bool
) -> None:
    """Origin or subject selects, groups count as their members, and what is not known selects."""
    facts = asked_by(jurisdiction=origin, subjects=subjects)

    assert (Mode.ENFORCE if asked else Mode.OFF) is mode_of(tmp_path, facts, jurisdictions=wanted)


# --- metadata ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "custom",
    [
        {"rollout": "500"},
        {"rollout": "{permille: 1001}"},
        {"rollout": "{permille: -1}"},
        {"rollout": "{permille: true}"},
        {"rollout": "{permille: 10, key: model}"},
        {"rollout": "{permille: 10, key: [tenant]}"},
        {"rollout": "{permille: 10, percent: 1}"},
        {"rollout": "{key: tenant}"},
        {"jurisdictions": "DE"},
        {"jurisdictions": "[]"},
        {"jurisdictions": "[NO]"},
        {"jurisdictions": "[de]"},
        {"jurisdictions": "[DEU]"},
        {"jurisdictions": "[unknown]"},
        {"jurisdictions": "[XX]"},
        {"jurisdictions": "[[DE]]"},
    ],
    ids=str,
)
def test_unclear_metadata_is_refused(tmp_path: Path, custom: dict[str, str]) -> None:
    """What cannot be read as a limit is an error with file and line, and never no limit."""
    with pytest.raises(ConfigInvalid) as refused:
        bundle_of(tmp_path, {"p.rego": policy("p", **custom)})

    assert (str(tmp_path / "p.rego"), True) == (refused.value.file, bool(refused.value.line))


# --- decisions -----------------------------------------------------------------------------------------------------


async def test_decision_of_one_tenant_is_not_another_ones(tmp_path: Path) -> None:
    """Policies that read nothing of the tenant share an entry of the cache only among tenants of one share."""
    rollout = "{permille: 500, key: tenant}"
    bundle = bundle_of(tmp_path, {"a.rego": policy("a"), "p.rego": policy("p", DENY, rollout=rollout)})
    tenants = [f"tenant-{at}" for at in range(12)]
    async with opened(bundle) as decider:
        decisions = {name: await decider.decide(asked_by(name), decision_id="d") for name in tenants}
    inside = {name: share_of("p", name) < 500 for name in tenants}

    assert {name: Action.DENY if inside[name] else Action.ALLOW for name in tenants} == {
        name: decision.action for name, decision in decisions.items()
    }
    assert {name: () if inside[name] else ("p:shadow",) for name in tenants} == {
        name: decision.provenance.modes for name, decision in decisions.items()
    }
    assert 10 == sum(decision.provenance.cached for decision in decisions.values())


async def test_shadow_of_a_rollout_says_what_it_would_have_done(tmp_path: Path) -> None:
    """Outside of the share the decision stands, and the one that was avoided is beside it."""
    bundle = bundle_of(
        tmp_path, {"a.rego": policy("a"), "p.rego": policy("p", DENY, rollout="{permille: 0, key: principal}")}
    )
    async with opened(bundle) as decider:
        decision = await decider.decide(asked_by(), decision_id="d")

    assert (Action.ALLOW, Action.DENY, [("p", "no", Mode.SHADOW)]) == (
        decision.action,
        decision.shadow_action,
        [(reason.policy, reason.rule, reason.mode) for reason in decision.shadow],
    )


async def test_policy_of_another_jurisdiction_is_not_asked(tmp_path: Path) -> None:
    """It adds nothing, and the decision says that it was left out; equal facts from its own country get another one."""
    bundle = bundle_of(tmp_path, {"a.rego": policy("a"), "p.rego": policy("p", DENY, jurisdictions="[EU]")})
    async with opened(bundle) as decider:
        found = {
            origin: await decider.decide(asked_by(jurisdiction=origin), decision_id="d")
            for origin in ("US", "FR", "JP")
        }

    assert {
        "US": (Action.ALLOW, ("p:off",), False),
        "FR": (Action.DENY, (), False),
        "JP": (Action.ALLOW, ("p:off",), True),
    } == {
        origin: (decision.action, decision.provenance.modes, decision.provenance.cached)
        for origin, decision in found.items()
    }
