"""The library on OPA, on its plan and on regopy: the same contributions to any facts, and what only `plan` has."""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path

import pytest

from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle, canonical, load_bundle
from governance.policy.embedded import EmbeddedEngine
from governance.policy.plan.build import build_plan, plan_of
from governance.policy.plan.engine import UNHURRIED_MS, PlanEngine
from governance.policy.sample import samples
from tests.agreement import Batches, inputs, tuned
from tests.bundles import one_policy
from tests.servers import running_opa

pytestmark = pytest.mark.opa

_ROUNDS = int(os.environ.get("RINGFENCE_AGREEMENT", "160"))
# More than a thousand or so are asked for in several runs, each with a seed of its own: regopy keeps memory for each query.
_SEED = int(os.environ.get("RINGFENCE_AGREEMENT_SEED", "4"))
_BATCH = 50


@pytest.fixture(scope="module")
def library() -> Bundle:
    return load_bundle(["builtin"])


@pytest.fixture(scope="module")
def library_plan(library: Bundle) -> bytes:
    return build_plan(library)


@pytest.mark.timeout(max(180, _ROUNDS * 2))
def test_the_library_contributes_alike_to_random_facts(library: Bundle) -> None:
    """Each policy says to each input the same on a real OPA, on its plan and on regopy, and most say something."""
    bundle = tuned(library)
    plan, embedded = PlanEngine(bundle, build_plan(bundle), deadline_ms=UNHURRIED_MS), EmbeddedEngine(bundle)
    policies = [policy.id for policy in bundle.policies]
    said: dict[str, set[str]] = {policy: set() for policy in policies}
    documents = inputs(bundle, _ROUNDS, seed=_SEED)

    with running_opa() as url, asyncio.Runner() as runner:
        server = Batches(bundle, url)
        runner.run(server.start())
        while batch := list(itertools.islice(documents, _BATCH)):
            answers = runner.run(server.contributions(batch))
            for document, expected in zip(batch, answers, strict=True):
                raw = canonical(document)
                others = plan.evaluate_value(policies, document), embedded.evaluate(policies, raw)
                for policy, one, planned, regopy in zip(policies, expected, *others, strict=True):
                    assert (one, one) == (planned, regopy), f"{policy} on {raw.decode()}"
                    said[policy].update(effect.rule for effect in one.effects)
        runner.run(server.close())

    silent = [policy for policy in policies if not said[policy]]
    assert len(silent) <= len(policies) // 5, silent


def test_samples_are_rehearsed(library: Bundle, library_plan: bytes) -> None:
    """The library answers both sample requests, and the engine says which it is."""
    engine = PlanEngine(library, library_plan, rehearsals=samples(), deadline_ms=UNHURRIED_MS)

    assert "plan" == engine.name


def test_a_policy_that_the_plan_lacks_is_refused(library: Bundle, tmp_path: Path) -> None:
    """A plan belongs to its bundle."""
    other = one_policy(tmp_path, 'effects contains {"effect": "allow", "rule": "r", "code": "c", "params": {}}')

    with pytest.raises(ConfigInvalid, match="build it again"):
        PlanEngine(library, build_plan(other), deadline_ms=UNHURRIED_MS)


def test_a_runaway_policy_ends_and_denies(tmp_path: Path) -> None:
    """Four nested loops over a list are its own fault, and the other policies of the request are answered."""
    body = """effects contains {"effect": "allow", "rule": "r", "code": "c", "params": {}} if {
	xs := numbers.range(1, 1000)
	some a in xs
	some b in xs
	some c in xs
	a + b + c == 0
}"""
    bundle = one_policy(tmp_path, body)
    engine = PlanEngine(bundle, build_plan(bundle), budget=20_000, deadline_ms=UNHURRIED_MS)

    (said,) = engine.evaluate_now(["p"], samples()[0])

    assert "timeout" == said.failure


def test_a_builtin_that_fails_is_a_failure(tmp_path: Path) -> None:
    """Not undefined, which `not` would turn into true."""
    body = """effects contains {"effect": "allow", "rule": "r", "code": "c", "params": {}} if {
	not to_number(input.request.model) == 1
}"""
    bundle = one_policy(tmp_path, body)

    (said,) = PlanEngine(bundle, build_plan(bundle), deadline_ms=UNHURRIED_MS).evaluate_now(["p"], samples()[0])

    assert "eval" == said.failure


def test_an_explanation_names_the_rules_that_were_true(library: Bundle, library_plan: bytes) -> None:
    """With their files and rows; a policy that contributes nothing has no rule `effects` among them."""
    engine = PlanEngine(library, library_plan, deadline_ms=UNHURRIED_MS)

    said = engine.evaluate_now(["credentials", "itar_ear_labels"], samples()[1])
    explained = engine.explain(["credentials", "itar_ear_labels"], samples()[1])

    effects = [[one for one in each.rules if one.rule.endswith(f"{each.policy}.effects")] for each in explained]
    assert [bool(one.effects) for one in said] == [bool(each) for each in effects]
    assert {"policy.rego"} == {Path(one.file).name for each in effects for one in each}
    assert all(one.row > 0 for each in effects for one in each)


@pytest.mark.parametrize("name", ["../out.rego", "/etc/out.rego", ""])
def test_a_module_stays_in_its_directory(name: str) -> None:
    """A name that leads out is refused before anything is written."""
    with pytest.raises(ConfigInvalid, match="leads out"):
        plan_of({name: "package a"}, b"{}", ["a/b"])


def test_what_opa_refuses_is_refused_with_its_words() -> None:
    """An unsafe variable never becomes a plan."""
    with pytest.raises(ConfigInvalid, match="unsafe"):
        plan_of({"a.rego": "package a\n\nb := x if not x\n"}, b"{}", ["a/b"])


def test_without_opa_there_is_no_plan() -> None:
    """And the message says what to install."""
    with pytest.raises(ConfigInvalid, match="install OPA"):
        plan_of({"a.rego": "package a\n\nb := 1\n"}, b"{}", ["a/b"], opa="/nowhere/opa")
