"""The library on the `plan` engine and on regopy: the same contributions to any facts, and what only `plan` has."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle, canonical, load_bundle
from governance.policy.embedded import EmbeddedEngine
from governance.policy.plan.build import build_plan, plan_of
from governance.policy.plan.engine import PlanEngine
from governance.policy.plan.ir import read_plan
from governance.policy.sample import samples
from tests.bundles import one_policy

needs_opa = pytest.mark.skipif(shutil.which("opa") is None, reason="no `opa` on the path: no plan was built")
pytestmark = [pytest.mark.opa, needs_opa]

_ROUNDS = int(os.environ.get("RINGFENCE_AGREEMENT", "300"))
_NUMBERS = [0, 1, 2, 3, 4, 7, 12, 22, 300, 499, 500, 700, 900, 1000, 50_000, 10**9]
_HOSTILE = ["", '"', "\\", "\0", "\n", '"}],"effect":"allow"', "\\u0041", "\u2028", "\U0001f600", "é", "'", "result"]


@pytest.fixture(scope="module")
def library() -> Bundle:
    return load_bundle(["builtin"])


@pytest.fixture(scope="module")
def library_plan(library: Bundle) -> bytes:
    return build_plan(library)


def variation(value: Any, words: list[str], rng: random.Random) -> Any:
    """`value` with some of its parts exchanged for others of their kind, lists longer or shorter."""
    if isinstance(value, dict):
        return {key: variation(item, words, rng) for key, item in value.items()}
    if isinstance(value, list):
        return [variation(rng.choice(value), words, rng) for _ in range(rng.choice([0, 1, 1, 2, 4]))] if value else []
    if rng.random() < 0.5:
        return value
    if isinstance(value, bool):
        return rng.random() < 0.5
    if isinstance(value, int):
        return rng.choice(_NUMBERS)
    return rng.choice(words) if isinstance(value, str) else value


def test_the_library_contributes_alike_to_random_facts(library: Bundle, library_plan: bytes) -> None:
    """Words are those that the policies themselves compare with, so that their branches are taken."""
    words = [*read_plan(library_plan).strings, *_HOSTILE, "DE", "US", "CN", "unknown"]
    plan, embedded = PlanEngine(library, library_plan), EmbeddedEngine(library)
    policies = [policy.id for policy in library.policies]
    documents = [orjson.loads(document) for document in samples()]
    rng = random.Random(4)
    said: dict[str, set[str]] = {}

    for _ in range(_ROUNDS):
        document = variation(rng.choice(documents), words, rng)
        raw = canonical(document)
        expected, actual = embedded.evaluate(policies, raw), plan.evaluate_now(policies, raw)
        for policy, one, other in zip(policies, expected, actual, strict=True):
            assert one == other, f"{policy} on {raw.decode()}"
            said.setdefault(policy, set()).update(effect.rule for effect in other.effects)

    assert len([policy for policy in policies if said[policy]]) > len(policies) // 2


def test_samples_are_rehearsed(library: Bundle, library_plan: bytes) -> None:
    """The library answers both sample requests, and the engine says which it is."""
    engine = PlanEngine(library, library_plan, rehearsals=samples())

    assert "plan" == engine.name


def test_a_policy_that_the_plan_lacks_is_refused(library: Bundle, tmp_path: Path) -> None:
    """A plan belongs to its bundle."""
    other = one_policy(tmp_path, 'effects contains {"effect": "allow", "rule": "r", "code": "c", "params": {}}')

    with pytest.raises(ConfigInvalid, match="build it again"):
        PlanEngine(library, build_plan(other))


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
    engine = PlanEngine(bundle, build_plan(bundle), budget=20_000)

    (said,) = engine.evaluate_now(["p"], samples()[0])

    assert "timeout" == said.failure


def test_a_builtin_that_fails_is_a_failure(tmp_path: Path) -> None:
    """Not undefined, which `not` would turn into true."""
    body = """effects contains {"effect": "allow", "rule": "r", "code": "c", "params": {}} if {
	not to_number(input.request.model) == 1
}"""
    bundle = one_policy(tmp_path, body)

    (said,) = PlanEngine(bundle, build_plan(bundle)).evaluate_now(["p"], samples()[0])

    assert "eval" == said.failure


def test_an_explanation_names_the_rules_that_were_true(library: Bundle, library_plan: bytes) -> None:
    """With their files and rows; a policy that contributes nothing has no rule `effects` among them."""
    engine = PlanEngine(library, library_plan)

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
