"""What a proxy says of callers, with the real Envoy: believed from a trusted peer alone, and never sent to a node."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Answer, Stack, chat, stack

POLICY = """# METADATA
# title: Care by clinicians
# custom:
#   id: care_alone
#   version: "1.0.0"
package ringfence.policy.care_alone

effects contains {
	"effect": "deny",
	"rule": "nobody_else",
	"code": "not_for_care",
	"params": {"status": 403, "message_id": "denied"},
} if {
	not _clinician_for_care
}

_clinician_for_care if {
	"clinical" in input.principal.groups
	input.request.purpose == "care"
	input.principal.clearance >= 2
	input.principal.attributes.ward == "4b"
}
"""
CARE = {"x-forwarded-groups": "staff, clinical", "x-purpose": "care", "x-clearance": "2", "x-ward": "4b"}
# What a proxy sends of its own accord, beside what is read.
UNREAD = {"x-forwarded-email": "anna@needle", "x-forwarded-access-token": "needle", "proxy-authorization": "needle"}
# In one message for the worker, and in pieces.
WAYS = (False, True)


def identity(peer: str) -> dict[str, Any]:
    """The settings that believe `peer`."""
    return {
        "trusted_proxies": [peer],
        "subject_header": "x-forwarded-user",
        "kind_header": "x-kind",
        "tenant_header": "x-tenant",
        "jurisdiction_header": "x-country",
        "groups_header": "x-forwarded-groups",
        "clearance_header": "x-clearance",
        "purpose_header": "x-purpose",
        "purposes": ["care", "billing"],
        "attribute_headers": {"ward": "x-ward"},
    }


def policy(directory: Path) -> dict[str, Any]:
    """The settings of a policy that nobody passes but a clinician who cares for somebody."""
    own = directory / "own"
    own.mkdir()
    (own / "care.rego").write_text(POLICY)
    return {"directories": ["builtin", str(own)]}


async def say(s: Stack, headers: Mapping[str, str], *, streamed: bool) -> Answer:
    """One chat, in one message for the worker or, where its key is no text, in pieces."""
    more = {"x-api-key": "\xfc"} if streamed else {}
    async with s.http.post(s.url, json=chat("hello"), headers={**headers, **more}) as got:
        return Answer(status=got.status, headers=dict(got.headers), body=await got.read())


async def test_what_a_trusted_proxy_says_decides_and_goes_no_further(tmp_path: Path) -> None:
    """All claims together open what the policy closes, each missing one leaves it closed, and no node sees any.

    One that cannot be read is refused, and its value stands in no record and no log.
    """
    async with stack(tmp_path, policy=policy(tmp_path), identity=identity("127.0.0.1/32")) as s:
        facts = s.decision(await say(s, CARE | {"x-tenant": "north", "x-country": "CH"}, streamed=False))["facts"]
        origin = facts["origin"]
        assert ("north", "CH", "header") == (facts["principal"]["tenant"], origin["jurisdiction"], origin["basis"])
        for streamed in WAYS:
            assert 200 == (await say(s, CARE | UNREAD, streamed=streamed)).status
            for missing in CARE:
                less = {name: value for name, value in CARE.items() if name != missing}
                assert (403, "not_for_care") == _refusal(await say(s, less, streamed=streamed)), missing
            assert (403, "not_for_care") == _refusal(await say(s, CARE | {"x-purpose": "billing"}, streamed=streamed))

            answer = await say(s, CARE | {"x-forwarded-user": "needle", "x-kind": "agent"}, streamed=streamed)
            assert ("agent", 32) == (s.decision(answer)["facts"]["principal"]["kind"], len(s.decision(answer)["actor"]))

            answer = await say(s, CARE | {"x-clearance": "needle"}, streamed=streamed)
            assert (400, "identity_invalid") == _refusal(answer)
            assert ("deny", "identity_invalid") == (s.decision(answer)["action"], s.decision(answer)["code"])

        assert "needle" not in str(s.records()) + str(s.headers()) + s.log()
        assert [True] * 5 == [(CARE.keys() | {"x-forwarded-user", "x-kind"}).isdisjoint(head) for head in s.headers()]


@pytest.mark.parametrize("trusted", [identity("192.0.2.0/24"), {}], ids=["another peer", "nobody"])
async def test_a_caller_who_says_it_himself_is_not_believed(tmp_path: Path, trusted: dict[str, Any]) -> None:
    """Spoofed claims are as good as none, also where they could not be read: the caller is anonymous."""
    async with stack(tmp_path, policy=policy(tmp_path), identity=trusted) as s:
        for streamed, spoofed in product(
            WAYS,
            (
                CARE,
                CARE | {"x-clearance": "needle", "x-forwarded-user": "anna", "x-tenant": "north", "x-country": "CH"},
            ),
        ):
            answer = await say(s, spoofed, streamed=streamed)

            assert (403, "not_for_care") == _refusal(answer)
            said = s.decision(answer)["facts"]
            assert ("default", "unknown") == (said["principal"]["tenant"], said["origin"]["jurisdiction"])
            assert (([], 0, {}), "") == (
                tuple(said["principal"][name] for name in ("groups", "clearance", "attributes")),
                said["request"]["purpose"],
            )
            # The spoofed user is nobody; a key of its own is the caller's.
            assert ("service" if streamed else "anonymous") == said["principal"]["kind"]


def _refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code
