"""Searching a finite vocabulary for broken invariants: what is covered, what is found and what is claimed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.decision import Action, AnyOf, Decision, Excluded, Mode, Obligations, Pin
from governance.errors import ConfigInvalid
from governance.nodes.node import Node
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.contract import facts_from_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.impact.covering import Row, cover
from governance.policy.impact.invariants import reachable
from governance.policy.impact.invariants_in_rego import read_invariants
from governance.policy.impact.prove import Judge, Remembering, Report, coverage_lines, minimised, prove, prove_command
from governance.policy.impact.vocabulary import vocabulary_of
from governance.residency import Tier
from tests.builders import decision
from tests.bundles import ALLOW, bundle_of, one_policy, policy, write
from tests.plans import block, plan, stmt

DENY = 'effects contains {{"effect": "deny", "rule": "{rule}", "code": "no", "params": {{}}}} if {body}'


@pytest.fixture(autouse=True)
def _no_opa(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is regopy wherever the tests run; the plan is asked for by the tests that need it."""
    monkeypatch.setattr("governance.policy.impact.prove.shutil.which", lambda _: None)


def verdict(report: Report, id_: str) -> Any:
    """The verdict on one invariant."""
    (found,) = [one for one in report.verdicts if one.id == id_]
    return found


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


@given(st.tuples(*[st.integers(0, 3)] * 6), st.sets(st.integers(0, 5), max_size=3))
def test_minimised_row_keeps_only_what_breaks(row: Row, needed: set[int]) -> None:
    """What does not matter becomes plain, and what matters stays."""
    kept = {axis: row[axis] for axis in needed}

    found = minimised(row, lambda tried: all(tried[axis] == value for axis, value in kept.items()))

    assert tuple(kept.get(axis, 0) for axis in range(6)) == found


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


def test_stalled_machine_breaks_no_invariant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second that passes between two steps of a policy is no fault of the policy."""
    loop = stmt("Scan", source=0, key=2, value=3, block=block(stmt("Nop")))
    raw = plan(block(loop), entrypoint="ringfence/policy/p/effects")
    monkeypatch.setattr("governance.policy.plan.engine.time.monotonic", itertools.count(0, 2).__next__)

    report = proved(replace(one_policy(tmp_path, f"effects contains {ALLOW}"), plan=raw), budget=20)

    assert ("plan", None) == (report.engine, verdict(report, "no_policy_fails").counterexample)


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

    judge, vocabulary = Judge(bundle, Remembering(bundle, evaluate)), vocabulary_of([bundle])
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


def test_no_directory_of_invariants_is_passed_over(tmp_path: Path) -> None:
    """Who names a directory means to check something: what is in it, and all of it."""
    write(tmp_path / "some", {"batch.rego": OURS})
    write(tmp_path / "many", {f"{at}.rego": OURS for at in range(257)})
    (tmp_path / "none").mkdir()
    for fault, *tops in (
        ("no invariant", "none"),
        ("no invariant", "some", "none"),
        ("not found", "missing"),
        ("also defined", "some", "some"),
        ("more than 256", "many"),
    ):
        with pytest.raises(ConfigInvalid, match=fault):
            read_invariants([tmp_path / top for top in tops])


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
