"""Searching a finite vocabulary for broken invariants: what is covered, what is found and what is claimed."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.decision import Action, AnyOf, Decision, Excluded, Mode, Obligations, Pin
from governance.errors import ConfigInvalid
from governance.finding import DetectionStatus
from governance.nodes.node import Node
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.contract import facts_bytes, facts_from_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.impact.covering import Row, cover
from governance.policy.impact.invariants import reachable, read_invariants
from governance.policy.impact.prove import Judge, Report, coverage_lines, minimised, prove, prove_command
from governance.policy.impact.vocabulary import vocabulary_of
from governance.residency import Level, Tier
from tests.builders import decision
from tests.bundles import ALLOW, bundle_of, one_policy, policy, write

DENY = 'effects contains {{"effect": "deny", "rule": "{rule}", "code": "no", "params": {{}}}} if {body}'


@pytest.fixture(autouse=True)
def _no_opa(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is regopy wherever the tests run; the plan is asked for by the tests that need it."""
    monkeypatch.setattr("governance.policy.impact.prove.shutil.which", lambda _: None)


def verdict(report: Report, id_: str) -> Any:
    """The verdict on one invariant."""
    (found,) = [one for one in report.verdicts if one.id == id_]
    return found


# --- covering ------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 9))
@settings(max_examples=40)
def test_small_product_is_covered_whole(sizes: list[int], seed: int) -> None:
    """Where all combinations fit into the budget each is there once, and that is called exhaustive."""
    rows, coverage = cover(sizes, budget=4**5, seed=seed)

    assert (set(itertools.product(*map(range, sizes))), math.prod(sizes), True) == (
        set(rows),
        len(rows),
        coverage.exhaustive,
    )


@given(st.lists(st.integers(2, 6), min_size=6, max_size=9), st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_large_product_is_covered_by_pairs(sizes: list[int], seed: int) -> None:
    """With budget enough, any two values of two fields stand together in some row, and the count of pairs is true."""
    rows, coverage = cover(sizes, budget=2500, seed=seed, core=(0, 1))
    pairs = {
        (one, row[one], other, row[other])
        for row in rows
        for one, other in itertools.combinations(range(len(sizes)), 2)
    }

    assert (len(rows), len(set(rows))) == (coverage.inputs, coverage.inputs)
    assert coverage.pairs == coverage.pairs_covered == len(pairs)


def test_budget_that_is_too_small_says_what_it_covers() -> None:
    """Fewer rows than pairs need are counted as what they are, and nothing is called exhaustive."""
    rows, coverage = cover((9, 9, 9, 9), budget=40, seed=1, core=(0, 1))
    pairs = {(one, row[one], other, row[other]) for row in rows for one, other in itertools.combinations(range(4), 2)}

    assert (40, 6 * 81, len(pairs), False) == (
        coverage.inputs,
        coverage.pairs,
        coverage.pairs_covered,
        coverage.exhaustive,
    )
    assert coverage.pairs_covered < coverage.pairs


def test_core_is_combined_as_far_as_half_of_the_budget() -> None:
    """Every combination of the first core axes is there, and the axes named are exactly those."""
    rows, coverage = cover((5, 7, 6, 8, 9), budget=100, seed=3, core=(1, 0, 2))

    assert (1, 0) == coverage.core
    assert set(itertools.product(range(7), range(5))) == {(row[1], row[0]) for row in rows}


def test_rows_are_a_function_of_the_seed() -> None:
    """The same seed gives the same rows in the same order, another one gives others."""
    one, again, other = (cover((9, 9, 9, 9), budget=300, seed=seed)[0] for seed in (5, 5, 6))

    assert one == again
    assert one != other


@given(st.tuples(*[st.integers(0, 3)] * 6), st.sets(st.integers(0, 5), max_size=3))
def test_minimised_row_keeps_only_what_breaks(row: Row, needed: set[int]) -> None:
    """What does not matter becomes plain, and what matters stays."""
    kept = {axis: row[axis] for axis in needed}

    found = minimised(row, lambda tried: all(tried[axis] == value for axis, value in kept.items()))

    assert tuple(kept.get(axis, 0) for axis in range(6)) == found


# --- vocabulary ----------------------------------------------------------------------------------------------------


def values_of(bundle: Bundle, name: str) -> tuple[Any, ...]:
    """The values of one axis; none where it does not vary."""
    return next((axis.values for axis in vocabulary_of([bundle]).axes if axis.name == name), ())


def test_vocabulary_holds_what_policies_compare_with(tmp_path: Path) -> None:
    """Names and both sides of each number come from policies and the data that they use; unread fields do not vary."""
    body = (
        f'effects contains {ALLOW} if {{\n\tinput.request.model == "large"\n\tinput.request.bytes < data.most\n'
        '\tinput.origin.jurisdiction != "NL"\n\tsome row in input.classification.entities\n\trow.type == "FR_NIR"\n'
        "\trow.max_permille > 650\n}"
    )
    bundle = one_policy(tmp_path, body, {"data.json": '{"most": 5000, "unused": "word"}'})

    assert ("sample", "large") == values_of(bundle, "request.model")
    assert {4999, 5000, 5001} <= set(values_of(bundle, "request.bytes"))
    assert {649, 650, 1000} <= set(values_of(bundle, "entity.permille"))
    assert {"unknown", "NL"} <= set(values_of(bundle, "origin.jurisdiction"))
    assert "FR_NIR" in {row[0] for row in values_of(bundle, "entity") if row}
    assert () == values_of(bundle, "request.provider") == values_of(bundle, "context.time.hour")


def test_policies_that_are_off_add_nothing_to_the_vocabulary(tmp_path: Path) -> None:
    """What only they read does not vary."""
    body = f'effects contains {ALLOW} if input.request.model == "large"'
    files = {"a.rego": policy("a"), "p.rego": policy("p", body)}

    assert () == values_of(bundle_of(tmp_path, files, p=Mode.OFF), "request.model")


def test_every_row_is_a_document_of_the_contract() -> None:
    """Each input that is tried could be sent to `ringfence decide`, with the rank and level that belong together."""
    vocabulary = vocabulary_of([load_bundle(["builtin"])])
    rows, _ = cover(vocabulary.sizes, budget=400, seed=2)
    for row in rows:
        facts = vocabulary.facts(row)
        found = facts.classification

        assert facts == facts_from_bytes(facts_bytes(facts))
        assert found.level.rank == found.level_rank
        assert (found.status is DetectionStatus.COMPLETE) or found.level is Level.UNKNOWN


def test_tenants_stand_for_both_sides_of_a_rollout(tmp_path: Path) -> None:
    """A policy in rollout is enforced in some inputs and a shadow in others."""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p", rollout="{permille: 500, key: tenant}")})

    assert 2 == len(values_of(bundle, "principal.tenant"))


# --- places --------------------------------------------------------------------------------------------------------


def pinned(pin: Pin) -> Decision:
    """A decision that allows with `pin`."""
    return decision(obligations=Obligations(pin=pin))


@pytest.mark.parametrize(
    ("pin", "countries"),
    [
        (Pin(), {"DE", "NO", "CH", "US", "CN"}),
        (Pin(countries=AnyOf(any=("EU",))), {"DE"}),
        (Pin(countries=AnyOf(any=("EEA", "CH"))), {"DE", "NO", "CH"}),
        (Pin(countries=AnyOf(any=())), set()),
        (Pin(exclude=Excluded(countries=("US", "CN", "CH"))), {"DE", "NO"}),
        (Pin(certifications=AnyOf(any=("c5",))), {"DE", "NO", "CH", "US", "CN"}),
        (Pin(regions=AnyOf(any=("eu-west",)), nodes=AnyOf(any=("n1",))), {"DE", "NO", "CH", "US", "CN"}),
    ],
)
def test_pin_is_judged_by_any_node_that_it_admits(pin: Pin, countries: set[str]) -> None:
    """A certification, a region or the name of a node says nothing of the country it stands in."""
    assert countries == {node.country for node in reachable(pinned(pin))}


def test_pin_is_judged_by_the_fleet_where_one_is_given() -> None:
    """With nodes, their names do say where they stand."""
    nodes = [
        Node(id=country, address="", country=country, region="r", tier=Tier.CLOUD, models=("m",))
        for country in ("DE", "US")
    ]

    assert ["DE"] == [node.id for node in reachable(pinned(Pin(nodes=AnyOf(any=("DE",)))), nodes)]


# --- proving -------------------------------------------------------------------------------------------------------


def proved(*bundles: Bundle, budget: int = 400, invariants: Sequence[Path] = ()) -> Report:
    """The report on the first bundle, against the second where there is one."""
    return prove(bundles[0], against=bundles[1] if len(bundles) > 1 else None, budget=budget, invariants=invariants)


def test_policy_that_allows_everything_breaks_both_promises(tmp_path: Path) -> None:
    """Counterexamples are the plainest inputs that break: only what the invariant speaks of is in them."""
    report = proved(one_policy(tmp_path, f"effects contains {ALLOW}"))
    health = verdict(report, "health_stays_in_eea").counterexample
    credentials = verdict(report, "credentials_stay").counterexample

    assert report.broken
    assert {"label", "subject"} == set(health.differs) or 2 == len(health.differs)
    assert 1 == len(credentials.differs)
    assert (Action.ALLOW, Action.ALLOW) == (health.judged.decision.action, credentials.judged.decision.action)


def test_policy_that_refuses_everything_breaks_nothing(tmp_path: Path) -> None:
    """What is refused reaches nobody; the invariants still say how many inputs they speak of."""
    report = proved(one_policy(tmp_path, DENY.format(rule="all", body="true")))

    assert not report.broken
    assert all(one.spoke > 0 for one in report.verdicts)


def test_doubtful_operator_does_not_count_as_redacted(tmp_path: Path) -> None:
    """To keep the last four characters of a key is not to redact it; to replace it is."""
    found = {}
    for operator in ("keep_last", "replace"):
        redact = (
            f'{{"effect": "redact", "rule": "r", "code": "r", "params": {{"entity": "*", "operator": "{operator}"}}}}'
        )
        label = DENY.format(rule="label", body='input.classification.labels[_].name == "credentials"')
        body = f"effects contains {ALLOW}\n\neffects contains {redact}\n\n{label}"
        report = proved(one_policy(tmp_path / operator, body))
        found[operator] = verdict(report, "credentials_stay").counterexample is not None

    assert {"keep_last": True, "replace": False} == found


def test_policy_that_fails_on_some_input_is_found(tmp_path: Path) -> None:
    """A code that is made of the input fails the schema for the inputs that do not fit."""
    body = 'effects contains {"effect": "allow", "rule": "r", "code": input.origin.jurisdiction, "params": {}}'
    example = verdict(proved(one_policy(tmp_path, body)), "no_policy_fails").counterexample

    assert (["origin.jurisdiction"], ["p"]) == (
        list(example.differs),
        [error.policy for error in example.judged.decision.errors],
    )


def test_candidate_that_is_looser_than_the_current_one_is_found(tmp_path: Path) -> None:
    """The example shows both decisions; the other way round there is none."""
    strict = one_policy(tmp_path / "1", f'effects contains {ALLOW} if input.request.model == "a"')
    loose = one_policy(tmp_path / "2", f'effects contains {ALLOW} if input.request.model in {{"a", "b"}}')
    example = verdict(proved(loose, strict), "no_new_allow").counterexample

    assert ({"request.model": "b"}, Action.ALLOW, Action.DENY) == (
        example.differs,
        example.judged.decision.action,
        example.judged.current.action,
    )
    assert verdict(proved(strict, loose), "no_new_allow").counterexample is None


def test_rules_and_policies_without_effect_are_named(tmp_path: Path) -> None:
    """A rule that no input reaches, and a policy whose effects are always outdone."""
    dead = DENY.format(rule="dead", body='{ input.request.model == "x"; input.request.model == "y" }')
    weak = '{"effect": "redact", "rule": "weak", "code": "weak", "params": {"entity": "PERSON", "operator": "keep"}}'
    strong = weak.replace("weak", "strong").replace("keep", "remove")
    bundle = bundle_of(
        tmp_path,
        {
            "a.rego": policy("a", f"effects contains {ALLOW}\n\neffects contains {strong}\n\n{dead}"),
            "w.rego": policy("w", f"effects contains {weak}"),
            "o.rego": policy("o", DENY.format(rule="off", body="true")),
        },
        o=Mode.OFF,
    )
    report = proved(bundle, budget=200)

    assert (("a/dead",), ("w",)) == (report.dead_rules, tuple(p for p in report.never_winning if p != "o"))


def test_library_breaks_no_promise_on_credentials() -> None:
    """The policies that come with Ringfence, on a small budget."""
    report = proved(load_bundle(["builtin"]), budget=300)

    assert (None, None) == (
        verdict(report, "credentials_stay").counterexample,
        verdict(report, "no_policy_fails").counterexample,
    )


def test_report_is_a_function_of_bundle_budget_and_seed(tmp_path: Path) -> None:
    """Twice the same, but for the time it took."""
    bundle = one_policy(tmp_path, f'effects contains {ALLOW} if input.request.model == "a"')
    one, other = (replace(proved(bundle), seconds=0.0) for _ in range(2))

    assert one == other


def test_decision_is_that_of_the_engine(tmp_path: Path) -> None:
    """Asking once for inputs that the bundle cannot tell apart changes no decision."""
    bundle = one_policy(tmp_path, f'effects contains {ALLOW} if input.request.model == "a"')
    asked: list[bytes] = []
    engine = EmbeddedEngine(bundle)

    def evaluate(policies: Sequence[str], document: bytes) -> Any:
        asked.append(document)
        return engine.evaluate(policies, document)

    judge, vocabulary = Judge(bundle, evaluate), vocabulary_of([bundle])
    rows, _ = cover(vocabulary.sizes, budget=300, seed=0)
    actions = {judge.decision(vocabulary.facts(row)).action for row in rows}

    assert ({Action.ALLOW, Action.DENY}, 2) == (actions, len(asked))


# --- invariants in Rego ---------------------------------------------------------------------------------------------

OURS = """# METADATA
# title: batch jobs never reach a model called large
package ringfence.invariant.batch

violated if {
	input.input.request.model == "large"
	input.decision.action != "deny"
}
"""


def test_invariant_in_rego_is_judged(tmp_path: Path) -> None:
    """It sees input and decision, and its counterexample is made plain like any other."""
    found = {}
    write(tmp_path / "invariants", {"batch.rego": OURS})
    for name, body in {
        "loose": f'effects contains {ALLOW} if input.request.model in {{"large", "small"}}',
        "strict": f'effects contains {ALLOW} if input.request.model == "small"',
    }.items():
        report = proved(one_policy(tmp_path / name, body), invariants=[tmp_path / "invariants"], budget=200)
        found[name] = verdict(report, "batch")

    assert {"request.model": "large"} == found["loose"].counterexample.differs
    assert (None, "batch jobs never reach a model called large") == (
        found["strict"].counterexample,
        found["strict"].title,
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("package ringfence.policy.x\n\nviolated if true\n", "package"),
        ("package ringfence.invariant.x.y\n\nviolated if true\n", "package"),
        ("package ringfence.invariant.x\n\nbroken if true\n", "rule `violated`"),
        ("package ringfence.invariant.x\n\nviolated contains 1 if true\n", "not a set"),
        ("package ringfence.invariant.x\n\nviolated if nosuch(input)\n", "unknown function"),
        ("package ringfence.invariant.x\n\nviolated if data.ringfence.lib.content.parsed\n", "nothing is defined"),
        ("package ringfence.invariant.x\n\nviolated if input.decison.action\n", "there is no `input.decison"),
        ("package ringfence.invariant.x\n\nviolated if input.input.request.modle\n", "there is no"),
        ("package ringfence.invariant.x\n\nviolated if input.decision.deny.stauts\n", "there is no"),
        ("package ringfence.invariant.x\n\nviolated if input.action\n", "there is no"),
        ('package ringfence.invariant.x\n\nviolated if http.send({"method": "get", "url": "u"})\n', "not allowed"),
    ],
)
def test_invariant_that_could_never_be_violated_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    """A typo in an invariant is an error and never a proof."""
    write(tmp_path / "invariants", {"x.rego": text})
    bundle = one_policy(tmp_path / "p", f"effects contains {ALLOW}")
    with pytest.raises(ConfigInvalid, match=fault):
        proved(bundle, invariants=[tmp_path / "invariants"], budget=10)


def test_invariant_may_read_whatever_there_is(tmp_path: Path) -> None:
    """Optional parts and lists are known; what lies inside of a list is not checked."""
    body = (
        "package ringfence.invariant.deep\n\nviolated if {\n\tinput.decision.deny.status == 418\n"
        "\tinput.input.response.tier\n\tinput.decision.obligations.pin.countries.any[_].x\n}\n"
    )
    write(tmp_path / "invariants", {"deep.rego": body})
    report = proved(
        one_policy(tmp_path / "p", f"effects contains {ALLOW}"), invariants=[tmp_path / "invariants"], budget=20
    )

    assert verdict(report, "deep").counterexample is None


def test_directory_without_invariants_is_refused(tmp_path: Path) -> None:
    """Who names a directory means to check something."""
    for top in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigInvalid):
            read_invariants([top])


# --- the command ----------------------------------------------------------------------------------------------------


def test_command_prints_input_and_decision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a counterexample it ends with 1, and the input can be sent to `ringfence decide` as it is."""
    write(tmp_path, {"p.rego": policy("p")})
    code = prove_command([str(tmp_path)], budget=300, as_json=True)
    report = json.loads(capsys.readouterr().out)
    (example,) = [one["counterexample"] for one in report["invariants"] if one["id"] == "credentials_stay"]

    assert (1, 2, 300, False) == (code, report["broken"], report["inputs"], report["exhaustive"])
    assert "allow" == example["decision"]["action"]
    assert facts_from_bytes(json.dumps(example["input"]).encode())


def test_command_claims_no_more_than_it_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing broken ends with 0 and the words say among how many inputs."""
    write(tmp_path, {"p.rego": policy("p", DENY.format(rule="all", body="true"))})
    code = prove_command([str(tmp_path)], budget=300)
    said = capsys.readouterr().out

    assert (0, 3) == (code, said.count("no counterexample among 300 inputs"))
    assert "not exhaustive" in said
    assert "proved" not in said


def test_modes_reach_both_bundles_as_far_as_they_have_the_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy that is new in the candidate is none of the current one's; one that both have is off in both."""
    deny = policy("d", DENY.format(rule="all", body="true"))
    write(tmp_path / "1", {"d.rego": deny, "a.rego": policy("a")})
    write(tmp_path / "2", {"d.rego": deny, "a.rego": policy("a"), "n.rego": policy("n")})
    modes = {"d": Mode.OFF, "n": Mode.OFF}
    prove_command([str(tmp_path / "2")], against=[str(tmp_path / "1")], modes=modes, budget=100, as_json=True)
    report = json.loads(capsys.readouterr().out)

    assert [(None, 0)] == [
        (one["counterexample"], one["spoke"]) for one in report["invariants"] if one["id"] == "no_new_allow"
    ]


def test_exhaustive_stands_only_where_it_is_true(tmp_path: Path) -> None:
    """The words follow the rows."""
    report = proved(one_policy(tmp_path, f"effects contains {ALLOW}"), budget=100)
    every = replace(report, coverage=replace(report.coverage, inputs=report.coverage.product))

    assert [False, True] == [
        any(line.startswith("exhaustive") for line in coverage_lines(one)) for one in (report, every)
    ]
