"""The policies of security, of sectors and of operations: what they declare, their parameters, and what they cannot do."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from classifiers.meter import Meter
from classifiers.residency import markings
from governance.decision import Action, Decision, Mode
from governance.errors import ConfigInvalid
from governance.facts import Facts
from governance.inference import Operation
from governance.policy.authoring.library_page import page
from governance.policy.bundle import BUILTIN, Bundle, load_bundle
from governance.policy.engine import Decider
from governance.residency import Tier
from tests.bundles import facts_with

AREAS = frozenset("payments secrets inspection export sector operations content agents".split())
BEFORE = frozenset(
    "baseline credentials health_data payment_cards personal_data_third_country uninspected_content".split()
)
LIBRARY = load_bundle([BUILTIN])
MINE = tuple(
    policy for policy in LIBRARY.policies if Path(policy.file).parent.parent.name in AREAS and policy.id not in BEFORE
)
PAGE = Path(__file__).parents[2] / "docs/policy-library.md"


def switched(id_: str, **parameters: Any) -> Bundle:
    """The library with the policy `id_` enforced, with these parameters of it."""
    return load_bundle([BUILTIN], modes={id_: Mode.ENFORCE}, parameters={id_: parameters} if parameters else None)


async def decided(bundle: Bundle, facts: Facts) -> Decision:
    """What `bundle` decides, without trying it out in a process of its own first."""
    async with Decider.open(bundle, trial=lambda _: None) as decider:
        return await decider.decide(facts, decision_id="d")


def emergency(facts: Facts, *, reason: str = "patient_care") -> Facts:
    """`facts` of a caller who breaks the glass."""
    claims = {"break_glass_reason": reason}
    return replace(facts, principal=replace(facts.principal, groups=("break_glass",), attributes=claims))


def spoken(decision: Decision, policy: str) -> set[tuple[str, str]]:
    """Effect and rule of each reason of `policy`."""
    return {(reason.effect, reason.rule) for reason in decision.reasons if reason.policy == policy}


def test_they_are_off_until_somebody_switches_them_on() -> None:
    """The decisions of an installation that configures nothing are those of the six policies."""
    assert len(MINE) >= 14
    assert {policy.id: Mode.OFF for policy in MINE} == {policy.id: policy.mode for policy in MINE}
    assert set() == {policy.id for policy in LIBRARY.applicable("request")} & {policy.id for policy in MINE}


@pytest.mark.parametrize("policy", MINE, ids=lambda policy: policy.id)
def test_metadata_is_complete(policy: Any) -> None:
    """Who answers for it, what it rests on, and what a caller can change."""
    said = (policy.title, policy.owner, policy.severity, policy.on_error, policy.remedy, policy.references)

    assert all(said)
    assert (policy.remedy[-1:], policy.on_error) == (".", "deny")


@pytest.mark.parametrize("policy", MINE, ids=lambda policy: policy.id)
def test_parameters_are_those_that_the_policy_reads(policy: Any) -> None:
    """No default that nobody reads, none without a description, and none read that is not there."""
    text = Path(policy.file).read_text(encoding="utf-8")
    read = set(re.findall(rf"data\.ringfence\.params\.{policy.id}\.(\w+)", text))
    parameters = LIBRARY.parameters[policy.id]
    described = {name for name, schema in parameters.schema["properties"].items() if schema["description"]}

    assert (read, read) == (set(parameters.defaults), described)


@pytest.mark.parametrize(
    ("policy", "name", "value"),
    [
        ("pci_dss_card_data", "last", 5),
        ("cost_cap_by_tier", "max_tokens", {"moon": 1}),
        ("business_hours", "action", "shrug"),
        ("uninspected_media", "tiers", []),
        ("residency_labels", "countries", {"X-ONLY": ["Germany"]}),
        ("break_glass", "retain_years", 6),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(policy: str, name: str, value: object) -> None:
    """A misspelt or impossible value is found when the configuration is read."""
    with pytest.raises(ConfigInvalid):
        switched(policy, **{name: value})


@pytest.mark.parametrize(
    ("text", "label", "policy"),
    [
        ("Drawing 12, ITAR controlled, sheet 1", "ITAR", "itar_ear_labels"),
        ("Export class ECCN: 5E002 applies", "ECCN-5E002", "itar_ear_labels"),
        ("CUI//SP-PRVCY\n\nThe list of names", "CUI//SP-PRVCY", "cui_labels"),
        ("TOP SECRET//NOFORN\n\nThe plan", "US-TOP-SECRET", "cui_labels"),
        ("TLP:AMBER+STRICT\nIndicators", "TLP:AMBER+STRICT", "tlp_labels"),
        ("TLP:RED\nIndicators", "TLP:RED", "tlp_labels"),
        ("This file is DE-ONLY by contract", "DE-ONLY", "residency_labels"),
        ("Data residency: Germany\n\nThe contract", "RESIDENCY-GERMANY", "residency_labels"),
        ("Attorney-client privileged\n\nDear colleague", "ATTORNEY-CLIENT-PRIVILEGED", "legal_privilege"),
    ],
)
async def test_markings_are_those_that_detection_reports(text: str, label: str, policy: str) -> None:
    """A policy that waits for another spelling than the one that is reported would never speak."""
    found = markings(text, Meter(len(text), deadline=math.inf))
    facts = facts_with()
    facts = replace(facts, classification=replace(facts.classification, residency_labels=found))

    assert label in found
    assert spoken(await decided(switched(policy), facts), policy)


async def test_an_emergency_opens_what_no_policy_allows() -> None:
    """The default deny gives way to the allow, and the alert stands beside it."""
    facts = facts_with(operation=Operation.UNKNOWN)
    bundle = switched("break_glass")
    before, after = await decided(bundle, facts), await decided(bundle, emergency(facts))

    assert (Action.DENY, Action.ALLOW) == (before.action, after.action)
    assert (True, "decision", 2192) == (
        after.obligations.audit.alert,
        after.obligations.audit.level,
        after.obligations.audit.retain_days,
    )


async def test_an_emergency_lifts_neither_a_refusal_nor_a_pin() -> None:
    """An allow never cancels what another policy holds: credentials stay refused, health data stays pinned."""
    bundle = switched("break_glass")
    secret = facts_with({"API_KEY": (900, True)})
    health = facts_with({"PERSON": (900, False)}, labels={"health": 900}, subjects={"DE": 900})
    plain, urgent = await decided(bundle, health), await decided(bundle, emergency(health))

    assert Action.DENY is (await decided(bundle, emergency(secret))).action
    assert plain.obligations.pin == urgent.obligations.pin
    assert plain.obligations.redact == urgent.obligations.redact


async def test_an_emergency_without_a_good_reason_is_refused() -> None:
    """A word that is not on the list is no reason, and the attempt is reported."""
    found = await decided(switched("break_glass"), emergency(facts_with(), reason="hurry"))

    assert (Action.DENY, {("deny", "no_reason"), ("audit", "glass_broken")}) == (
        found.action,
        spoken(found, "break_glass"),
    )


async def test_caps_of_two_tiers_exclude_both() -> None:
    """One exclusion for each tier, joined into one pin."""
    found = await decided(switched("cost_cap_by_tier"), facts_with(tokens_est=64_001))

    assert (Tier.REGIONAL_CLOUD, Tier.CLOUD) == tuple(sorted(found.obligations.pin.exclude.tiers, key=list(Tier).index))


async def test_the_stronger_of_two_card_policies_holds() -> None:
    """Replacing is stronger than masking, and the pin of the stricter policy is added."""
    found = await decided(switched("pci_dss_card_data"), facts_with({"CREDIT_CARD": (1000, True)}))
    tiers = found.obligations.pin.tiers

    assert ["replace"] == [row.operator.value for row in found.obligations.redact]
    assert tiers is not None
    assert {Tier.DEVICE, Tier.EDGE, Tier.ON_PREM, Tier.PRIVATE_CLUSTER} == set(tiers.any)


async def test_a_screen_refuses_only_where_the_organisation_chose_so() -> None:
    """By default a prohibited practice is reported; with `action: deny` it is refused with 451."""
    facts = facts_with(labels={"social_scoring": 900})
    reported = await decided(switched("eu_ai_act_screening"), facts)
    strict = switched("eu_ai_act_screening", action="deny")
    refused = await decided(strict, facts)

    assert (Action.ALLOW, True, 451) == (
        reported.action,
        reported.obligations.audit.alert,
        refused.deny and refused.deny.status,
    )


def test_the_page_of_the_library_is_current() -> None:
    """`ringfence policy page > docs/policy-library.md` would change nothing."""
    assert page(LIBRARY) == PAGE.read_text(encoding="utf-8")


def test_the_page_names_every_policy() -> None:
    """A policy that no page names is not found by anybody."""
    text = page(LIBRARY)

    assert [] == [policy.id for policy in LIBRARY.policies if f"| `{policy.id}` | {policy.title} |" not in text]
