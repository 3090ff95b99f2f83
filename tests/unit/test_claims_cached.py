"""A decision that depends on what is said of the caller is kept for callers of whom the same is said, and for no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from governance.claims import Claims
from governance.decision import Action
from governance.facts import Facts
from governance.policy.engine import Decider
from governance.policy.sample import plain
from tests.bundles import ALLOW, one_policy

CARE = Claims(groups=("clinical",), clearance=2, attributes={"ward": "4b"}, purpose="care")
OTHERS = {
    "groups": replace(CARE, groups=("staff",)),
    "clearance": replace(CARE, clearance=1),
    "attributes": replace(CARE, attributes={"ward": "5a"}),
    "no attributes": replace(CARE, attributes={}),
    "purpose": replace(CARE, purpose="billing"),
    "another attribute under the same value": replace(CARE, attributes={"room": "4b"}),
}
BODY = f"""effects contains {ALLOW} if {{
	"clinical" in input.principal.groups
	input.principal.clearance >= 2
	input.principal.attributes.ward == "4b"
	input.request.purpose == "care"
	input.request.provider == "own"
}}
"""


def said(claims: Claims, provider: str = "own") -> Facts:
    """Facts of a request of a caller of whom `claims` are believed."""
    facts = plain()
    return replace(
        facts,
        principal=replace(
            facts.principal,
            groups=claims.groups,
            clearance=claims.clearance,
            attributes=dict(claims.attributes),
        ),
        request=replace(facts.request, purpose=claims.purpose, provider=provider),
    )


@pytest.mark.parametrize("facts", [*map(said, OTHERS.values()), said(CARE, "other")], ids=[*OTHERS, "provider"])
async def test_no_decision_is_taken_over_from_a_caller_of_whom_something_else_is_said(
    tmp_path: Path, facts: Facts
) -> None:
    """Asked before and after, in both orders; what was decided for the same is taken from the cache."""
    async with Decider.open(one_policy(tmp_path, BODY), trial=lambda _: None) as decider:
        asked = [await decider.decide(one, decision_id="d") for one in (said(CARE), facts, said(CARE), facts)]

    assert [Action.ALLOW, Action.DENY, Action.ALLOW, Action.DENY] == [decision.action for decision in asked]
    assert [False, False, True, True] == [decision.provenance.cached for decision in asked]
