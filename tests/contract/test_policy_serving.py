"""The decider as a worker opens it: regopy beside it with a deadline, and behind an OPA server where that is configured."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from governance.decision import Action
from governance.errors import AuditUnavailable, PolicyUnavailable
from governance.policy.bundle import Bundle
from governance.policy.engine import Decider
from governance.policy.sample import plain
from tests.bundles import ALLOW, bundle_of, facts_with, one_policy, policy
from tests.contract.test_policy_fallback import free_address, opa_server
from tests.contract.test_policy_watched import RUNAWAY


async def test_a_runaway_policy_is_a_refusal_with_a_reason(tmp_path: Path) -> None:
    """The decision denies with 503, names the policy."""
    body = RUNAWAY.replace("input.slow", 'input.request.model == "slow"')
    bundle = bundle_of(tmp_path, {"p.rego": policy("p"), "q.rego": policy("q", body)})
    async with Decider.open(bundle, deadline_ms=1500) as decider:
        slow = await decider.decide(facts_with(model="slow"), decision_id="d")

    assert slow.deny is not None
    assert (Action.DENY, 503, "policy_error", "q") == (
        slow.action,
        slow.deny.status,
        slow.deny.code,
        slow.deny.policy,
    )
    assert [("q", "timeout")] == [(one.policy, one.kind) for one in slow.errors]


@pytest.mark.opa
async def test_decisions_name_the_engine_that_made_them(tmp_path: Path) -> None:
    """The server, then regopy with the same bundle while it is away; a reload does not need the server."""
    bundle, address, found = one_policy(tmp_path, f"effects contains {ALLOW}"), free_address(), []
    async with contextlib.AsyncExitStack() as stack:
        with opa_server(address):
            decider = await stack.enter_async_context(
                Decider.open(
                    bundle, "opa", f"http://{address}", deadline_ms=10_000, cache_size=0, on_unavailable="embedded"
                )
            )
            found.append(await decider.decide(plain(), decision_id="d"))
        found.append(await decider.decide(plain(), decision_id="d"))
        await decider.reload(bundle)
        found.append(await decider.decide(plain(), decision_id="d"))

    assert [("opa", Action.ALLOW), ("embedded", Action.ALLOW), ("embedded", Action.ALLOW)] == [
        (one.provenance.engine, one.action) for one in found
    ]
    assert ["opa", "regopy", "regopy"] == [one.provenance.engine_version.partition(" ")[0] for one in found]
    assert [bundle.digest] * 3 == [one.provenance.digest for one in found]


@pytest.mark.opa
async def test_a_server_that_goes_while_a_candidate_is_refused_is_told_beside_the_refusal(tmp_path: Path) -> None:
    """The last good bundle cannot be put back: whoever asked for the reload reads both, and requests are refused."""
    bundle, address = one_policy(tmp_path, f"effects contains {ALLOW}"), free_address()
    with contextlib.ExitStack() as server:
        server.enter_context(opa_server(address))

        async def refused(_: Bundle) -> None:
            server.close()
            raise AuditUnavailable("the disk is full")

        async with Decider.open(bundle, "opa", f"http://{address}", deadline_ms=2_000, cache_size=0) as decider:
            with pytest.raises(PolicyUnavailable, match="the disk is full; and the last good bundle is not in force"):
                await decider.reload(bundle, before=refused)
            with pytest.raises(PolicyUnavailable):
                await decider.decide(plain(), decision_id="d")


@pytest.mark.opa
async def test_without_the_setting_nobody_decides_in_its_place(tmp_path: Path) -> None:
    """A server that is away is a refusal."""
    bundle, address = one_policy(tmp_path, f"effects contains {ALLOW}"), free_address()
    async with contextlib.AsyncExitStack() as stack:
        with opa_server(address):
            decider = await stack.enter_async_context(Decider.open(bundle, "opa", f"http://{address}", cache_size=0))
        with pytest.raises(PolicyUnavailable):
            await decider.decide(plain(), decision_id="d")
