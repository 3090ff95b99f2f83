"""Many tenants at once, on threads and on one event loop: every decision is the answer to its own request.

`RINGFENCE_SOAK=n` asks n times as much.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from governance.decision import Action, Decision
from governance.errors import PolicyUnavailable
from governance.facts import DetectorFact, Facts
from governance.finding import DetectionStatus
from governance.policy.bundle import Bundle
from governance.policy.contract import facts_bytes
from governance.policy.engine import Decider, projection
from governance.policy.plan.build import build_plan
from governance.policy.sample import plain
from tests.bundles import ALLOW, bundle_of, policy
from tests.servers import running_opa

pytestmark = [
    pytest.mark.opa,
]

SCALE = int(os.environ.get("RINGFENCE_SOAK", "1"))
TENANTS = tuple(f"tenant-{number}" for number in range(40))
THREADS, TASKS = 4, 25
# Of each thread or task. A server and regopy take milliseconds for what a plan does in microseconds.
PER_THREAD = {"plan": 200, "embedded": 40, "opa": 30}
PER_TASK = {"plan": 40, "embedded": 8, "opa": 8}
# Processes that share a server, and how often each changes its bundle.
WORKERS, TURNS = 3, 4
# For what comes about by itself, on a machine of any speed.
HANG_S = 300

OWN = f"""effects contains {ALLOW} if input.principal.tenant in data.soak.permitted

effects contains {{"effect": "deny", "rule": "no", "code": "no", "params": {{}}}} if {{
	not input.principal.tenant in data.soak.permitted
}}

effects contains {{"effect": "pin", "rule": "own", "code": "own", "params": {{"nodes": {{"any": [input.principal.tenant]}}}}}}

effects contains {{"effect": "header", "rule": "name", "code": "name", "params": {{"set": {{"x-a": data.soak.name}}}}}}
"""
GROUPS = """effects contains {"effect": "redact", "rule": "g", "code": "g", "params": {"entity": g, "operator": "remove"}} if {
	some g in input.principal.groups
}
"""


def bundle_for(top: Path, name: str, permitted: Sequence[str]) -> Bundle:
    """A bundle by which these tenants are allowed, with its plan."""
    files = {
        "policies/own/policy.rego": policy("own", OWN),
        "policies/groups/policy.rego": policy("groups", GROUPS),
        "data/soak/data.json": json.dumps({"name": name, "permitted": list(permitted)}),
    }
    bundle = bundle_of(top / name, files)
    return replace(bundle, plan=build_plan(bundle))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Bundle]:
    """By digest: one that allows every other tenant, and one that allows those between them."""
    top = tmp_path_factory.mktemp("soak")
    both = bundle_for(top, "even", TENANTS[::2]), bundle_for(top, "odd", TENANTS[1::2])
    return {bundle.digest: bundle for bundle in both}


@pytest.fixture(scope="module")
def urls() -> Iterator[list[str]]:
    """A server for each of the two bundles."""
    with ExitStack() as servers:
        yield [servers.enter_context(running_opa()) for _ in range(2)]


def request(rng: random.Random) -> Facts:
    """Facts of one of many tenants, sometimes with more rows than are evaluated on the loop."""
    facts, tenant = plain(), rng.choice(TENANTS)
    groups = tuple(f"G_{tenant[7:]}_{number}" for number in range(rng.choice([0, 1, 1, 2, 30])))
    detector = DetectorFact(id="d", version=rng.choice("12"), status=DetectionStatus.COMPLETE)
    return replace(
        facts,
        principal=replace(facts.principal, tenant=tenant, groups=groups),
        classification=replace(facts.classification, detectors=(detector,)),
    )


def whose(decision: Decision | None, facts: Facts, decision_id: str, bundles: Mapping[str, Bundle]) -> str:
    """What became of a request, as it is counted."""
    if decision is None:
        return "refused"
    return "own" if belongs(decision, facts, decision_id, bundles) else "of another"


def belongs(decision: Decision, facts: Facts, decision_id: str, bundles: Mapping[str, Bundle]) -> bool:
    """Whether `decision` is that of `facts` by the bundle it names, to its last part."""
    bundle = bundles[decision.provenance.digest]
    soak, tenant = bundle.data["soak"], facts.principal.tenant
    obligations, provenance = decision.obligations, decision.provenance
    detectors = "\n".join(f"{one.id} {one.version}" for one in facts.classification.detectors)
    seen = projection(bundle.read_set)(facts_bytes(facts))
    return (
        decision.decision_id == decision_id
        and decision.action == (Action.ALLOW_MODIFIED if tenant in soak["permitted"] else Action.DENY)
        and obligations.pin.nodes is not None
        and obligations.pin.nodes.any == (tenant,)
        and sorted(row.entity for row in obligations.redact) == sorted(facts.principal.groups)
        and obligations.headers.set == {"x-a": soak["name"]}
        and provenance.classifiers_digest == hashlib.sha256(detectors.encode()).hexdigest()
        and provenance.input_digest == hashlib.sha256(seen).hexdigest()
        and decision.errors == ()
    )


async def asked(decider: Decider, seed: int, times: int, bundles: Mapping[str, Bundle]) -> Counter[str]:
    """What became of requests that were asked one after the other, each until it was not refused."""
    rng, told = random.Random(seed), Counter[str]()
    for number in range(times):
        facts, decision_id = request(rng), f"{seed}-{number}"
        while (decision := await decided(decider, facts, decision_id)) is None:
            told["refused"] += 1
            await asyncio.sleep(0.01)
        told[whose(decision, facts, decision_id, bundles)] += 1
        told["from the cache"] += decision.provenance.cached
        if number % 3 == 0:
            await asyncio.sleep(0)
    return told


async def decided(decider: Decider, facts: Facts, decision_id: str) -> Decision | None:
    """The decision; None where it was refused."""
    try:
        return await decider.decide(facts, decision_id=decision_id)
    except PolicyUnavailable:
        return None


async def until(done: Callable[[], bool]) -> None:
    """Waits for `done`."""
    while not done():  # noqa: ASYNC110  (of many tasks, none of which knows)
        await asyncio.sleep(0.001)


def opened(bundle: Bundle, engine: str, url: str, cache_size: int) -> AbstractAsyncContextManager[Decider]:
    """A decider that compiles at once: the policies are known to be harmless."""
    return Decider.open(bundle, engine, url, deadline_ms=60_000, cache_size=cache_size, trial=lambda _: None)


@pytest.mark.parametrize("cache_size", [0, 64], ids=["without a cache", "with a cache"])
@pytest.mark.parametrize("engine", PER_THREAD)
def test_deciders_on_threads_never_mix_requests(
    bundles: Mapping[str, Bundle], urls: list[str], engine: str, cache_size: int
) -> None:
    """Each thread has a loop and a decider, half of them on another bundle; two threads share a server."""
    told: list[Counter[str]] = []
    given = list(bundles.values())

    async def work(number: int) -> Counter[str]:
        at = number % len(given)
        async with opened(given[at], engine, urls[at], cache_size) as decider:
            parts = [asked(decider, number * 10 + part, PER_THREAD[engine] * SCALE // 5, bundles) for part in range(5)]
            return sum(await asyncio.gather(*parts), Counter())

    threads = [threading.Thread(target=lambda n=n: told.append(asyncio.run(work(n)))) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    whole = sum(told, Counter[str]())
    assert (0, 0, THREADS * PER_THREAD[engine] * SCALE) == (whole["of another"], whole["refused"], whole["own"])
    assert bool(cache_size) == bool(whole["from the cache"])


@pytest.mark.parametrize("engine", PER_TASK)
async def test_tasks_of_one_decider_never_mix_requests_while_bundles_change(
    bundles: Mapping[str, Bundle], urls: list[str], engine: str
) -> None:
    """With the cache on, and the two bundles put in force in turn: a decision is whole by the bundle that it names."""
    first, second = bundles.values()
    async with asyncio.timeout(HANG_S), opened(first, engine, urls[0], 64) as decider:

        async def changing() -> int:
            turns = 0
            while True:
                turns += 1
                await decider.reload(second if turns % 2 else first)
                await asyncio.sleep(0.02)
                if all(task.done() for task in tasks):
                    return turns

        tasks = [
            asyncio.ensure_future(asked(decider, number, PER_TASK[engine] * SCALE, bundles)) for number in range(TASKS)
        ]
        turns = await changing()
        told = sum((task.result() for task in tasks), Counter[str]())

    assert (0, TASKS * PER_TASK[engine] * SCALE) == (told["of another"], told["own"])
    # A server holds one bundle at a time, and half of two while it is given another one.
    assert engine == "opa" or told["refused"] == 0
    assert turns > 1


async def test_workers_that_share_a_server_and_reload_at_different_moments_never_mix_bundles(
    bundles: Mapping[str, Bundle], urls: list[str]
) -> None:
    """Between the first and the last reload two bundles are in force: each decision is by its own, or is refused."""
    given = list(bundles.values())
    told = [Counter[str]() for _ in range(WORKERS)]
    over = asyncio.Event()

    async def asking(worker: int, decider: Decider, seed: int) -> None:
        while not over.is_set():
            facts = request(rngs[seed])
            found = whose(await decided(decider, facts, str(seed)), facts, str(seed), bundles)
            told[worker][found] += 1
            await asyncio.sleep(0.01 if found == "refused" else 0)

    async with asyncio.timeout(HANG_S), AsyncExitStack() as stack:
        deciders = [await stack.enter_async_context(opened(given[0], "opa", urls[0], 0)) for _ in range(WORKERS)]
        rngs = [random.Random(seed) for seed in range(WORKERS * 4)]
        tasks = [
            asyncio.ensure_future(asking(seed % WORKERS, deciders[seed % WORKERS], seed)) for seed in range(len(rngs))
        ]
        for turn in range(1, TURNS * SCALE + 1):
            # In a different order each time; now and then all at the same moment.
            reloads = [decider.reload(given[turn % 2]) for decider in random.Random(turn).sample(deciders, WORKERS)]
            if turn % 3 == 0:
                await asyncio.gather(*reloads)
            else:
                for reload in reloads:
                    await reload
                    before = sum(map(Counter.total, told))
                    await until(lambda before=before: sum(map(Counter.total, told)) > before + 20)
            own = [one["own"] for one in told]
            await until(lambda own=own: all(one["own"] > was for one, was in zip(told, own, strict=True)))
        over.set()
        await asyncio.gather(*tasks)

    assert [0] * WORKERS == [one["of another"] for one in told]
    # Not all of it was quiet.
    assert sum(one["refused"] for one in told) > 0
